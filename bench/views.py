"""A burst of readers: what counting it does to the pages, and whether it is counted to the last.

    python bench/views.py [--rate 2000] [--seconds 4] [--rounds 6]

The real daemon on the demo's newsroom, behind a proxy that is trusted (this program), so that every view is another
reader's. The front page is asked for fifty times a second, in turns: with nobody else there; while items are opened at
the rate given by something that says it is a program, which costs the same pages and counts nothing; and while as many
are opened by readers. What else the machine does falls on all three. Printed are the times that the page took, what
the counting adds to them, and the views sent beside the views counted.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from publish import BROWSER, READER, Connection, Server, fetch, our_daemon, plain, request

CONNECTIONS = 16
#: the daemon's metrics follow what is counted within so long
SETTLE_S = 20
#: page requests a second
ASKED = 50
#: what a burst leaves behind is over before the next turn
PAUSE_S = 1.5
PROGRAM = BROWSER | {"User-Agent": "Mozilla/5.0 (compatible; Checkbot/1.0)"}


def open_items(port: int, items: list[str], *, rate: int, seconds: float, first: int, headers: dict[str, str]) -> int:
    """Opens items at a steady rate, each time from another address; how often."""
    connections = [Connection(port) for _ in range(CONNECTIONS)]
    began, sent = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < seconds:
        if sent > elapsed * rate:
            time.sleep(0.001)
            continue
        for connection in connections:
            who = first + sent
            address = f"10.{who >> 16 & 255}.{who >> 8 & 255}.{who & 255}"
            connection.send(request(items[who % len(items)], headers | {"X-Forwarded-For": address}))
            sent += 1
        for connection in connections:
            if connection.receive().status != 200:
                raise SystemExit("an item was not shown")
    for connection in connections:
        connection.close()
    return sent


def page_ms(port: int, seconds: float) -> list[float]:
    """How long the front page took, each time, in milliseconds."""
    connection, message, took = Connection(port), request("/", BROWSER), []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        connection.ask(message)
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(1 / ASKED)
    return took


def views(port: int) -> int:
    """All views that have been counted, by the daemon's own metrics."""
    text = fetch(port, "/metrics", READER).body.decode()
    found = re.search(r"^aggregator_views(?:_total)? (\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


def row(name: str, took: list[float], cpu: float) -> str:
    """One line of the table: milliseconds, and the share of a core that the daemon took."""
    cuts = quantiles(took, n=100)
    return f"{name:<38}{cuts[49]:>8.2f}{cuts[94]:>8.2f}{cuts[98]:>8.2f}{max(took):>8.2f}{cpu:>8.0%}"


@dataclass(slots=True)
class Turns:
    """What one kind of turn has shown."""

    took: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    sent: int = 0

    @property
    def p99_ms(self) -> float:
        """All but one in a hundred pages were quicker."""
        return quantiles(self.took, n=100)[98]


def alternate(daemon: Server, items: list[str], *, rate: int, seconds: float, rounds: int) -> dict[str, Turns]:
    """All kinds of turns, one after the other, so many times."""
    kinds: dict[str, dict[str, str] | None] = {"alone": None, "uncounted": PROGRAM, "counted": BROWSER}
    turns = {kind: Turns() for kind in kinds}
    with multiprocessing.Pool(1) as pool:
        for kind, headers in list(kinds.items()) * rounds:
            turn, cpu = turns[kind], daemon.cpu_s()
            how = {"rate": rate, "seconds": seconds, "first": turn.sent, "headers": headers}
            burst = pool.apply_async(open_items, (daemon.port, items), how) if headers else None
            turn.took += page_ms(daemon.port, seconds)
            turn.sent += burst.get() if burst else 0
            turn.cpu_s += daemon.cpu_s() - cpu
            time.sleep(PAUSE_S)
    return turns


def main() -> None:
    """Measures all three kinds of turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=2000, help="views a second")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a turn")
    parser.add_argument("--rounds", type=int, default=6, help="turns of each kind")
    options = parser.parse_args()
    spent = options.seconds * options.rounds
    with tempfile.TemporaryDirectory() as name, our_daemon(Path(name), 'trusted_proxies = ["127.0.0.1"]') as daemon:
        feed = json.loads(plain(fetch(daemon.port, "/feeds/latest.json", READER)))
        items = [f"/item/{entry['url'].rpartition('/')[2]}" for entry in feed["items"]]
        before = views(daemon.port)
        turns = alternate(daemon, items, rate=options.rate, seconds=options.seconds, rounds=options.rounds)
        time.sleep(SETTLE_S)
        counted = views(daemon.port) - before
    alone, uncounted, readers = turns["alone"], turns["uncounted"], turns["counted"]
    print(f"{'the front page, ms':<38}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}{'CPU':>8}")
    print(row("nobody else there", alone.took, alone.cpu_s / spent))
    for what, turn in (("a program opens", uncounted), ("readers open", readers)):
        name = f"{what} {turn.sent / spent:,.0f} items a second"
        print(row(name, turn.took, turn.cpu_s / spent))
    more, times = readers.p99_ms - uncounted.p99_ms, readers.p99_ms / uncounted.p99_ms
    print(f"counting adds {more:+.2f} ms to the p99 (x {times:.2f})")
    print(f"views sent {readers.sent:,}, counted {counted:,}")
    if counted != readers.sent:
        sys.exit("not every view was counted, or some twice")


if __name__ == "__main__":
    main()
