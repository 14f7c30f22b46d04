"""A fleet under fire: processes and the server killed at random, transactions drawn into conflicts, and nothing lost.

    python bench/fleet_trial.py --kills 100 --minutes 10 --write

Two collectors (one with a wrong clock), a curator and its spare, two servers behind nginx, one PostgreSQL, and a
publisher on loopback that numbers what it publishes and watches how it is asked. Readers open items all the while:
first in peace, then under fire. Afterwards four collectors ask many addresses for some minutes. Exits with 1 where a
promise is broken; figures that depend on the machine stand beside what is wished, met or missed. ``--write`` puts the
table into RELIABILITY.md.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent))

import fleet_harness
import postgres_server
import psycopg
from daemon_process import free_port
from fleet_harness import Fleet, item_ids, seen, visit
from fleet_strikes import Strikes

ADDRESSES = [f"127.78.0.{number}" for number in (1, 2, 3)]
#: what is committed is with the kernel: a killed server loses none of it
SETTINGS = "-c fsync=off -c listen_addresses= -c max_connections=200"
ROLES = {"one": "collect", "two": "collect", "curator": "curate", "spare": "curate", "web0": "serve", "web1": "serve"}
#: of "two": seven minutes ahead of everybody else
WRONG_CLOCK = {"FAKETIME": "+420s", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
#: how soon an item is wished to stand in lists after it was fetched, and a page to be there
LIST_WITHIN_S, PAGE_WITHIN_MS = 5.0, 50.0
#: after a start, before anything is measured
WARM_S = 20.0
#: feeds in which all items stand that the curator has decided about: what was opened, and the rest; not on pages
LISTS = "".join(
    f'[[feeds]]\nname = "{name}"\ntitle = "{name}"\norder = "{order}"\nsize = 500\nmax_per_source = 500\n'
    for name, order in (("opened", "ranking:1d"), ("unopened", "recommended"))
)
PAGE = Path(__file__).parents[1] / "RELIABILITY.md"
BEGIN, END = "<!-- fleet -->\n", "<!-- end of fleet -->"
#: says by how many milliseconds a process that only sleeps wakes too late: 50 and 99 of 100
_IDLE = """
import json, sys, threading, time
late, ended = [], threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
while not ended.is_set():
    began = time.monotonic(); time.sleep(0.02); late.append((time.monotonic() - began - 0.02) * 1e3)
late.sort(); print(json.dumps([late[len(late) // 2], late[int(len(late) * .99)]]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    what: str
    seen: str
    #: of a promise: whether it held
    held: bool = True
    #: of a figure: what is wished, and whether it was reached
    wish: str = ""
    is_met: bool = True

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if self.wish:
            return f"{self.wish}: {'met' if self.is_met else 'missed'}"
        return "held" if self.held else "BROKEN"


@dataclass
class Readers:
    """Readers who open items by way of nginx: (item, client) of each view that was acknowledged."""

    port: int
    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    failed: int = 0
    #: milliseconds until an answer was there, in peace and under fire
    took_ms: dict[str, list[float]] = field(default_factory=lambda: {"peace": [], "fire": []})
    phase: str = "peace"
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        """One reader after the other, from addresses of their own."""
        dice, count, ids = random.Random(number), 0, list[str]()
        while not self.stop.wait(0.1):
            count += 1
            client = f"203.{number}.{count // 200 % 200}.{count % 200 + 1}"
            try:
                if count % 20 == 1 or not ids:
                    ids = item_ids(visit(self.port, "/latest", client)) or ids
                    continue
                item, began_s = dice.choice(ids), time.monotonic()
                answer = visit(self.port, f"/item/{item}", client)
            except (OSError, http.client.HTTPException):
                self.failed += 1
                continue
            if answer.status == 200:
                self.took_ms[self.phase].append((time.monotonic() - began_s) * 1e3)
                self.acknowledged.add((item, client))
            else:
                self.failed += 1


@dataclass
class Watch:
    """When items stand in the latest feed and in a curated list of a server, by title, in seconds since 1970."""

    look: Callable[[str], Sequence[str]]
    latest_s: dict[str, float] = field(default_factory=dict)
    curated_s: dict[str, float] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Looks until it is stopped."""
        while not self.stop.wait(0.2):
            for feed, stood_s in (
                ("latest", self.latest_s),
                ("opened", self.curated_s),
                ("unopened", self.curated_s),
            ):
                with contextlib.suppress(OSError, http.client.HTTPException):
                    titles = self.look(feed)
                    now_s = time.time()
                    for title in titles:
                        stood_s.setdefault(title, now_s)


@contextlib.contextmanager
def idle() -> Iterator[list[float]]:
    """Milliseconds by which a process that only sleeps wakes too late meanwhile; filled in at the end."""
    late: list[float] = []
    process = subprocess.Popen([sys.executable, "-c", _IDLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield late
    finally:
        late.extend(json.loads(process.communicate()[0]))


def stored(url: str) -> tuple[int, int, int, int, int]:
    """Entries, items, distinct titles, counted views, entries that are dated after the server's time."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM aggregator.entries), (SELECT count(*) FROM aggregator.items WHERE shown),"
            " (SELECT count(DISTINCT title) FROM aggregator.entries), (SELECT sum(views) FROM aggregator.items),"
            " (SELECT count(*) FROM aggregator.entries"
            "  WHERE first_seen > extract(epoch FROM clock_timestamp()) * 1000)"
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2]), int(row[3] or 0), int(row[4])


def settled(look: Callable[[], bool], patience_s: float) -> float | None:
    """After how many seconds `look` comes true; a server that recovers meanwhile is waited for. None: it does not."""
    began_s = time.monotonic()
    while (took_s := time.monotonic() - began_s) < patience_s:
        with contextlib.suppress(psycopg.Error, OSError):
            if look():
                return took_s
        time.sleep(0.5)
    return None


def p99(values: Sequence[float]) -> float:
    """99 of 100 are at most that."""
    return statistics.quantiles(values, n=100)[98] if len(values) > 1 else 0.0


def wrong_clock() -> dict[str, str]:
    """The environment of a process whose clock is wrong; empty where the library for it is missing."""
    for library in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"):
        return {**WRONG_CLOCK, "LD_PRELOAD": str(library)}
    return {}


class Trial:
    """The fleet, what befalls it, and what is seen of it."""

    def __init__(self, folder: Path, server: postgres_server.Server, port: int, names: int, seed: int) -> None:
        self.site, self.ports, self.publisher = free_port(), [free_port(), free_port()], port
        hosts = [f"n{number}.{ADDRESSES[number % 3].replace('.', '-')}.test" for number in range(names)]
        sources = [f"http://{host}:{port}/f{number}" for number, host in enumerate(hosts)]
        self.names, self.server, self.folder = names, server, folder
        self.fleet = Fleet(folder, server.url, sources, site_port=self.site, extra=LISTS)
        self.readers = Readers(self.site)
        self.dice = random.Random(seed)
        self.wrong = wrong_clock()

    def run(self, kills: int, peace_s: float) -> Iterator[Row]:
        """The lines of the table."""
        threads = [threading.Thread(target=self.readers.run, args=(number,)) for number in (1, 2)]
        try:
            with fleet_harness.nginx(self.folder / "nginx", self.ports, self.site):
                self._begin()
                for thread in threads:
                    thread.start()
                if peace_s:
                    yield from self._peace(peace_s)
                strikes = self._fire(kills)
                for thread in threads:
                    thread.join()
                yield from self._what_is_left(kills, strikes)
        finally:
            self.readers.stop.set()
            self.fleet.end()
        tripped = {name: running.tracebacks for name, running in self.fleet.processes.items() if running.tracebacks}
        yield Row(what="tracebacks in the logs", seen=", ".join(tripped) or "none", held=not tripped)
        for name, trace in tripped.items():
            sys.stderr.write(f"{name}: {trace[:3000]}\n")

    def _begin(self) -> None:
        for name, roles in ROLES.items():
            port = self.ports[int(name[-1])] if roles == "serve" else 0
            self.fleet.begin(name, roles, port=port, environ=self.wrong if name == "two" else None)
        fleet_harness.until(lambda: visit(self.site, "/healthz", "").status == 200, "the site")
        fleet_harness.until(lambda: self.fleet.processes["web0"].titles("ranking"), "a ranking")

    def _peace(self, peace_s: float) -> Iterator[Row]:
        time.sleep(WARM_S)
        self.readers.took_ms["peace"].clear()
        with idle() as late:
            time.sleep(peace_s)
        yield self._pages("peace", "in peace", late)
        watches = [Watch(self.fleet.processes[name].titles) for name in ("web0", "web1")]
        threads = [threading.Thread(target=watch.run) for watch in watches]
        began_s = time.time()
        for thread in threads:
            thread.start()
        time.sleep(peace_s)
        for watch in watches:
            watch.stop.set()
        for thread in threads:
            thread.join()
        given = seen(ADDRESSES[0], self.publisher)["given_s"]
        until_s = began_s + peace_s - 2 * LIST_WITHIN_S
        for what, all_stood_s in (
            ("in the latest feed", [watch.latest_s for watch in watches]),
            ("in a list of the curator", [watch.curated_s for watch in watches]),
        ):
            took = [
                stood_s.get(title, began_s + peace_s) - given_s
                for stood_s in all_stood_s
                for title, given_s in given.items()
                if began_s < given_s < until_s
            ]
            yield Row(
                what=f"an item that one process fetched stands {what} at the two servers, {len(took)} times",
                seen=f"median {statistics.median(took):.1f} s, worst {max(took):.1f} s",
                wish=f"≤ {LIST_WITHIN_S:.0f} s",
                is_met=max(took) <= LIST_WITHIN_S,
            )

    def _pages(self, phase: str, when: str, late: Sequence[float]) -> Row:
        took = self.readers.took_ms[phase]
        return Row(
            what=f"page p99 {when}, of {len(took)} answers through nginx",
            seen=f"{p99(took):.0f} ms, median {statistics.median(took or [0]):.0f} ms;"
            f" a process that only sleeps woke {late[1]:.0f} ms late (p99)",
            wish=f"< {PAGE_WITHIN_MS:.0f} ms",
            is_met=p99(took) < PAGE_WITHIN_MS,
        )

    def _fire(self, kills: int) -> Strikes:
        self.readers.phase = "fire"
        strikes = Strikes(self.dice, self.fleet, self.server)
        with idle() as self.late:
            for _ in range(kills):
                time.sleep(self.dice.uniform(0.3, 2.0))
                strikes.strike()
            self.readers.stop.set()
        return strikes

    def _what_is_left(self, kills: int, strikes: Strikes) -> Iterator[Row]:
        url, readers = self.server.url, self.readers
        seen(ADDRESSES[0], self.publisher, "/freeze")
        wanted = seen(ADDRESSES[0], self.publisher)["count"] * self.names
        views = len(readers.acknowledged)
        healed_s = settled(lambda: stored(url)[0] >= wanted and stored(url)[3] >= views, 240)
        entries, items, titles, counted, dated = stored(url)
        state = seen(ADDRESSES[0], self.publisher)
        blows = ", ".join(f"{what} {count}" for what, count in sorted(strikes.counts.items()))
        healed = "not all there after 240 s" if healed_s is None else f"healed alone, all there after {healed_s:.0f} s"
        yield Row(what=f"{kills} blows at random ({blows})", seen=healed, held=healed_s is not None)
        lost = ", ".join(f"{count} {kind}" for kind, count in strikes.provoked().items())
        yield Row(what="transactions that lost against others", seen=f"{lost}: run again", held=healed_s is not None)
        lost_items, twice = wanted - titles, (entries - titles) + max(items - titles, 0)
        yield Row(
            what=f"{wanted} published items: lost, twice",
            seen=f"{lost_items}, {twice}",
            held=not lost_items and not twice,
        )
        yield Row(what=f"{views} acknowledged views: lost", seen=str(max(views - counted, 0)), held=counted >= views)
        more = counted - views
        yield Row(
            what=f"views counted twice (beside {readers.failed} whose answer was cut off)",
            seen=str(max(more - readers.failed, 0)),
            held=more <= readers.failed,
        )
        yield from _manners(state, "under fire")
        if self.wrong:
            log = self.fleet.processes["two"].log
            named = "clock differs from that of the database server" in log
            yield Row(
                what="a collector whose clock is seven minutes ahead: entries that it dates after the server's time",
                seen=f"{dated}; its log names the difference: {'yes' if named else 'no'}",
                held=not dated and named,
            )
        yield self._pages("fire", "under fire", self.late)


def _manners(state: dict[str, dict[str, dict[str, float]]], when: str) -> Iterator[Row]:
    visits = sum(int(place["visits"]) for place in state["addresses"].values())
    at_once = sum(int(place["overlaps"]) for kind in ("addresses", "names") for place in state[kind].values())
    yield Row(
        what=f"two requests at once to one host or address, {when}, of {visits:,} requests",
        seen=str(at_once),
        held=not at_once,
    )


def trial(kills: int, names: int, seed: int, peace_s: float) -> Iterator[Row]:
    """The lines of the table that are about a fleet under fire."""
    with (
        tempfile.TemporaryDirectory(prefix="fleet") as folder,
        postgres_server.started(SETTINGS) as server,
        fleet_harness.publisher(hosts=ADDRESSES, items_every_s=6.0, delay_s=[0.0, 0.1]) as port,
    ):
        Path(folder).chmod(0o755)
        yield from Trial(Path(folder), server, port, names, seed).run(kills, peace_s)


def manners(minutes: float, addresses: int, wanted: int = 100_000) -> Iterator[Row]:
    """The line about requests at once: four collectors, `addresses` with four names each."""
    hosts = [f"127.79.{number // 250}.{number % 250 + 1}" for number in range(addresses)]
    with (
        tempfile.TemporaryDirectory(prefix="fleet") as folder,
        postgres_server.running(SETTINGS) as url,
        fleet_harness.publisher(hosts=hosts) as port,
    ):
        names = [f"n{number}.{host.replace('.', '-')}.test" for host in hosts for number in range(4)]
        fleet = Fleet(Path(folder), url, [f"http://{name}:{port}/f" for name in names], site_port=free_port())
        state = partial(seen, hosts[0], port)

        def are_enough() -> bool:
            return sum(int(place["visits"]) for place in state()["addresses"].values()) >= wanted

        try:
            for number in range(4):
                fleet.begin(f"collector{number}", "collect")
            settled(are_enough, minutes * 60)
            yield from _manners(state(), f"four collectors, {len(names)} names on {addresses} addresses")
        finally:
            fleet.end()


def write(rows: Sequence[Row]) -> None:
    """Puts the table into RELIABILITY.md."""
    head = (
        f"Measured by `make fleet` on {datetime.now(UTC):%Y-%m-%d}, on two cores that were shared with other work.\n\n"
    )
    lines = "".join(f"| {row.what} | {row.seen} | {row.verdict} |\n" for row in rows)
    table = f"{head}| what | seen | |\n|---|---|---|\n{lines}"
    page = PAGE.read_text("utf-8")
    if BEGIN not in page:
        page += f"\n## A fleet on PostgreSQL\n\n{BEGIN}{END}\n"
    pattern = re.escape(BEGIN) + r".*?" + re.escape(END)
    PAGE.write_text(re.sub(pattern, lambda _: BEGIN + "\n" + table + "\n" + END, page, flags=re.DOTALL), "utf-8")


def main() -> int:
    """Runs the trial; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--names", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--peace", type=float, default=60.0, help="seconds for each of two things to be measured before the first blow"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="of asking many addresses; 0: none")
    parser.add_argument("--addresses", type=int, default=50, help="that are asked then, 4 requests a second at most")
    parser.add_argument("--write", action="store_true", help="write the table into RELIABILITY.md")
    options = parser.parse_args()
    if not postgres_server.is_installed() or fleet_harness.NGINX is None:
        print(f"{postgres_server.HOW_TO_GET}; and nginx")
        return 1
    rows: list[Row] = []
    parts = [trial(options.kills, options.names, options.seed, options.peace)] if options.kills else []
    if options.minutes:
        parts.append(manners(options.minutes, options.addresses))
    for part in parts:
        for row in part:
            print(f"{row.what}: {row.seen} ({row.verdict})", flush=True)
            rows.append(row)
    if options.write:
        write(rows)
    return 0 if all(row.held for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
