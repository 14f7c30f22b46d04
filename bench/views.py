"""A burst of readers: what it does to the pages, and whether it is counted to the last.

    python bench/views.py [--rate 2000] [--seconds 10]

The real daemon on the demo's newsroom, behind a proxy that is trusted (this program), so that every view is another
reader's. First the front page is asked for on its own, fifty times a second, then again while items are opened at the
rate given. Printed are the times that the page took, side by side, and the views sent beside the views counted.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import tempfile
import time
from pathlib import Path
from statistics import quantiles

from publish import BROWSER, READER, Connection, fetch, our_daemon, plain, request

CONNECTIONS = 16
#: the daemon's metrics follow what is counted within so long
SETTLE_S = 20
#: page requests a second
ASKED = 50


def open_items(port: int, items: list[str], rate: int, seconds: float, start: int) -> int:
    """Opens items at a steady rate, each time as somebody else; how often."""
    connections = [Connection(port) for _ in range(CONNECTIONS)]
    began, sent = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < seconds:
        if sent > elapsed * rate:
            time.sleep(0.001)
            continue
        for connection in connections:
            who = start + sent
            address = f"10.{who >> 16 & 255}.{who >> 8 & 255}.{who & 255}"
            connection.send(request(items[who % len(items)], BROWSER | {"X-Forwarded-For": address}))
            sent += 1
        for connection in connections:
            if connection.receive().status != 200:
                raise SystemExit("an item was not shown")
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


def row(name: str, took: list[float]) -> str:
    cuts = quantiles(took, n=100)
    return f"{name:<34}{cuts[49]:>9.2f}{cuts[94]:>9.2f}{cuts[98]:>9.2f}{max(took):>9.2f}   ms"


def main() -> None:
    """Measures without and with the burst."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=2000, help="views a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, our_daemon(Path(name), 'trusted_proxies = ["127.0.0.1"]') as daemon:
        feed = json.loads(plain(fetch(daemon.port, "/feeds/latest.json", READER)))
        items = [f"/item/{entry['url'].rpartition('/')[2]}" for entry in feed["items"]]
        alone = page_ms(daemon.port, options.seconds)
        before, cpu = views(daemon.port), daemon.cpu_s()
        with multiprocessing.Pool(1) as pool:
            burst = pool.apply_async(open_items, (daemon.port, items, options.rate, options.seconds, 0))
            beside = page_ms(daemon.port, options.seconds)
            sent = burst.get()
        cpu = daemon.cpu_s() - cpu
        time.sleep(SETTLE_S)
        print(f"{'the front page':<34}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}")
        print(row("nobody else reads", alone))
        print(row(f"beside {sent / options.seconds:,.0f} views a second", beside))
        print(
            f"views sent {sent:,}, counted {views(daemon.port) - before:,}; CPU of one core {cpu / options.seconds:.0%}"
        )


if __name__ == "__main__":
    main()
