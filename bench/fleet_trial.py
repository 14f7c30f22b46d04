"""A fleet under fire: processes and the server killed at random, connections cut, and nothing lost, nothing twice.

    python bench/fleet_trial.py --kills 100 --write

Two collectors, a curator and its spare, two servers behind nginx, one PostgreSQL, and a publisher on loopback that
numbers what it publishes and watches how it is asked. Readers open items all the while. Exits with 1 where a promise is
broken; ``--write`` puts the table into RELIABILITY.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import fleet_harness
import postgres_server
import psycopg
from daemon_process import free_port
from fleet_harness import Fleet, item_ids, seen, visit

ADDRESSES = [f"127.78.0.{number}" for number in (1, 2, 3)]
#: what is committed is with the kernel: a killed server loses none of it
SETTINGS = "-c fsync=off -c listen_addresses= -c max_connections=200"
ROLES = {"one": "collect", "two": "collect", "curator": "curate", "spare": "curate", "web0": "serve", "web1": "serve"}
PAGE = Path(__file__).parents[1] / "RELIABILITY.md"
BEGIN, END = "<!-- fleet -->\n", "<!-- end of fleet -->"


@dataclass
class Readers:
    """Readers who open items by way of nginx: (item, client) of each view that was acknowledged."""

    port: int
    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    failed: int = 0
    took_s: list[float] = field(default_factory=list)
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
            except OSError:
                self.failed += 1
                continue
            if answer.status == 200:
                self.took_s.append(time.monotonic() - began_s)
                self.acknowledged.add((item, client))
            else:
                self.failed += 1


def strike(dice: random.Random, fleet: Fleet, url: str) -> str:
    """One blow; what it was."""
    kind = dice.choice([*ROLES, "server crash", "connections"])
    if kind in ROLES:
        fleet.processes[kind].process.kill()
        fleet.processes[kind].process.wait()
        fleet.again(kind)
        return ROLES[kind]
    with contextlib.suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        pids = [pid for (pid,) in connection.execute(query).fetchall()]
        if kind == "connections":
            for pid in dice.sample(pids, len(pids) // 2):
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        elif pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(dice.choice(pids), signal.SIGKILL)  # the whole server ends with it, and recovers
    return kind


def stored(url: str) -> tuple[int, int, int, int]:
    """Entries, items, distinct titles, counted views."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM aggregator.entries), (SELECT count(*) FROM aggregator.items WHERE shown),"
            " (SELECT count(DISTINCT title) FROM aggregator.entries), (SELECT sum(views) FROM aggregator.items)"
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2]), int(row[3] or 0)


def settled(look: object, patience_s: float) -> bool:
    """Whether `look` comes true in time; a server that recovers meanwhile is waited for."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with contextlib.suppress(psycopg.Error, OSError):
            if look():  # type: ignore[operator]
                return True
        time.sleep(0.5)
    return False


def trial(kills: int, names: int, seed: int) -> Iterator[tuple[str, str, bool]]:
    """(what, what was seen, whether it held) of each promise."""
    dice, site = random.Random(seed), free_port()
    hosts = [f"n{number}.{ADDRESSES[number % 3].replace('.', '-')}.test" for number in range(names)]
    with (
        tempfile.TemporaryDirectory(prefix="fleet") as folder,
        postgres_server.running(SETTINGS) as url,
        fleet_harness.publisher(hosts=ADDRESSES, items_every_s=6.0, delay_s=[0.0, 0.1]) as port,
    ):
        Path(folder).chmod(0o755)
        sources = [f"http://{host}:{port}/f{number}" for number, host in enumerate(hosts)]
        ports = [free_port(), free_port()]
        fleet = Fleet(Path(folder), url, sources, site_port=site)
        readers = Readers(site)
        threads = [threading.Thread(target=readers.run, args=(number,)) for number in (1, 2)]
        try:
            with fleet_harness.nginx(Path(folder) / "nginx", ports, site):
                for name, roles in ROLES.items():
                    fleet.begin(name, roles, port=ports[int(name[-1])] if roles == "serve" else 0)
                fleet_harness.until(lambda: visit(site, "/healthz", "").status == 200, "the site")
                for thread in threads:
                    thread.start()
                struck: dict[str, int] = {}
                for _ in range(kills):
                    time.sleep(dice.uniform(0.3, 2.0))
                    what = strike(dice, fleet, url)
                    struck[what] = struck.get(what, 0) + 1
                readers.stop.set()
                for thread in threads:
                    thread.join()
                seen(ADDRESSES[0], port, "/freeze")
                wanted = seen(ADDRESSES[0], port)["count"] * names
                began_s = time.monotonic()
                settled(lambda: stored(url)[0] >= wanted and stored(url)[3] >= len(readers.acknowledged), 240)
                healed_s = time.monotonic() - began_s
                entries, items, titles, views = stored(url)
                state = seen(ADDRESSES[0], port)
        finally:
            readers.stop.set()
            fleet.end()
        tripped = {name: running.tracebacks for name, running in fleet.processes.items() if running.tracebacks}
    blows = ", ".join(f"{what} {count}" for what, count in sorted(struck.items()))
    visits = sum(place["visits"] for place in state["addresses"].values())
    at_once = sum(place["overlaps"] for kind in ("addresses", "names") for place in state[kind].values())
    lost, twice = wanted - titles, (entries - titles) + max(items - titles, 0)
    what = f"`kill -9` and cut connections, {kills} at random ({blows})"
    yield what, f"healed alone, all there after {healed_s:.0f} s", entries >= wanted
    yield f"{wanted} published items: lost, twice", f"{lost}, {twice}", not lost and not twice
    late = len(readers.acknowledged) - views
    yield f"{len(readers.acknowledged)} acknowledged views: lost", str(late), late <= 0
    twice_s = str(max(-late - readers.failed, 0))
    yield f"views counted twice (beside {readers.failed} whose answer was cut off)", twice_s, -late <= readers.failed
    yield f"two requests at once to one host or address, of {visits} requests", str(at_once), not at_once
    p99 = statistics.quantiles(readers.took_s, n=100)[98] * 1e3 if len(readers.took_s) > 100 else 0.0
    yield f"page p99 meanwhile, of {len(readers.took_s)} answers through nginx", f"{p99:.0f} ms", True
    yield "tracebacks in the logs", ", ".join(tripped) or "none", not tripped
    for name, trace in tripped.items():
        sys.stderr.write(f"{name}: {trace[:3000]}\n")


def write(rows: list[tuple[str, str, bool]]) -> None:
    """Puts the table into RELIABILITY.md."""
    head = (
        f"Measured by `make fleet` on {datetime.now(UTC):%Y-%m-%d}, on two cores that were shared with other work.\n\n"
    )
    table = head + "| what | seen |\n|---|---|\n" + "".join(f"| {what} | {seen_} |\n" for what, seen_, _ in rows)
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
    parser.add_argument("--write", action="store_true", help="write the table into RELIABILITY.md")
    options = parser.parse_args()
    if not postgres_server.is_installed() or fleet_harness.NGINX is None:
        print(f"{postgres_server.HOW_TO_GET}; and nginx")
        return 1
    rows = list(trial(options.kills, options.names, options.seed))
    for what, found, held in rows:
        print(f"{'held  ' if held else 'BROKEN'} {what}: {found}")
    if options.write:
        write(rows)
    return 0 if all(held for _, _, held in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
