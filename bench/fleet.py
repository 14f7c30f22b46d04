"""Many processes on one PostgreSQL, beside SQLite in the same run: who may claim what, and what a poll costs.

Prints each figure beside what it is measured against, and exits with 1 where a promise is broken: a host in two hands,
an entry lost or stored twice. Times are user + system CPU: of the processes that poll, and of the server's.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import postgres_server

from aggregator.model import Entry, Lease, ParsedEntry, PollResult, Subscription, Verdict
from aggregator.store import Store, open_store

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE = timedelta(minutes=5)
AT_ONCE = 8
#: as a server is set up, but for its disk, which is the machine's
SETTINGS = "-c listen_addresses= -c max_connections=100 -c shared_buffers=256MB"


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one poll in milliseconds, and polls a second."""

    client_ms: float
    server_ms: float
    per_second: float


def entry(number: int, feed: int) -> Entry:
    """A distinct entry of ordinary size."""
    title, text = f"Story {number} of feed {feed}", f"About {number}: " + "words of ordinary length follow here " * 8
    return Entry(
        entry_id=f"{feed}/{number}",
        id_basis="guid",
        canonical_url=f"https://host{feed}.example/{number}",
        published=START,
        replaces=None,
        verdict=Verdict(),
        outlinks=(),
        parsed=ParsedEntry(
            guid=f"{feed}/{number}",
            link=f"https://host{feed}.example/{number}",
            title=title,
            text=text,
            summary_html=f"<p>{text}</p>",
            content_hash=sha256(title.encode()).digest(),
        ),
    )


def result(lease: Lease, now: datetime, new: int, round_number: int) -> PollResult:
    """What a poll of this lease found: nothing new (304), or so many entries."""
    (source,) = lease.sources
    entries = tuple(entry(round_number * 1_000 + number, source.id) for number in range(new))
    return PollResult(
        source_id=source.id,
        outcome="new" if new else "not-modified",
        polled_at=now,
        next_poll=now + timedelta(hours=1),
        entries=entries,
    )


def poll(store: Store, now: datetime, new: int, round_number: int) -> list[tuple[str, int]]:
    """One round in eights until nothing is due; (host, token) of each lease."""
    taken: list[tuple[str, int]] = []
    while leases := store.claim(now=now, limit=AT_ONCE, lease=LEASE):
        taken += [(lease.host, lease.token) for lease in leases]
        for outcome in store.complete_all([(lease, result(lease, now, new, round_number)) for lease in leases]):
            if isinstance(outcome, Exception):
                raise outcome
    return taken


def work(url: str, base: str, rounds: int, new: int, answers: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    """A process: polls round after round; sends its leases and its CPU seconds."""
    store = open_store(url, base=Path(base))
    before = resource.getrusage(resource.RUSAGE_SELF)
    taken = [
        (number, *lease)
        for number in range(rounds)
        for lease in poll(store, START + number * timedelta(hours=2), new, number)
    ]
    after = resource.getrusage(resource.RUSAGE_SELF)
    answers.put((taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    store.close()


def server_cpu_s(server: int | None) -> float:
    """CPU seconds of the server and all its processes, those that have ended included."""
    if server is None:
        return 0.0
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) == server:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == server:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def postmaster(url: str) -> int:
    """The process id of the server behind this address."""
    folder = url.partition("host=")[2].partition("&")[0]
    return int((Path(folder) / "data" / "postmaster.pid").read_text().split()[0])


def measure(url: str, base: str, *, processes: int, sources: int, rounds: int, new: int) -> tuple[Cost, list[str]]:
    """The cost of a poll, and what was broken meanwhile."""
    server = postmaster(url) if url.startswith("postgresql") else None
    store = open_store(url, base=Path(base))
    feeds = [Subscription(url=f"https://host{number}.example/feed") for number in range(sources)]
    store.sync_sources(feeds, now=START)
    entries_before = store.stats().entries
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    workers = [context.Process(target=work, args=(url, base, rounds, new, answers)) for _ in range(processes)]
    server_before, began = server_cpu_s(server), time.perf_counter()
    for worker in workers:
        worker.start()
    told = [answers.get() for _ in workers]
    took_s = time.perf_counter() - began
    for worker in workers:
        worker.join()
    server_s = server_cpu_s(server) - server_before
    taken = [lease for leases, _ in told for lease in leases]
    broken = []
    if len({(number, host) for number, host, _ in taken}) != len(taken):
        broken.append(f"{len(taken) - len({(n, h) for n, h, _ in taken})} hosts were leased twice in a round")
    if len(taken) < sources * rounds and processes == 1:
        broken.append(f"{sources * rounds - len(taken)} sources were not polled")
    gained = store.stats().entries - entries_before
    if gained != len(taken) * new:
        broken.append(f"{len(taken) * new} entries were found, {gained} are stored")
    store.close()
    polls = max(len(taken), 1)
    cpu_s = sum(cpu for _, cpu in told)
    return Cost(cpu_s / polls * 1e3, server_s / polls * 1e3, polls / took_s), broken


def main() -> int:
    """Measures and prints; 1 if something was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", default="1,2,4,8")
    parser.add_argument("--new", type=int, default=50, help="entries of a poll that finds some")
    options = parser.parse_args()
    if not postgres_server.is_installed():
        print(postgres_server.HOW_TO_GET)
        return 1
    broken: list[str] = []

    def show(what: str, engine: str, cost: Cost, against: Cost | None) -> None:
        ratio = f"{cost.client_ms / against.client_ms:5.2f} x SQLite's" if against else ""
        print(
            f"{what:28} {engine:22} client {cost.client_ms:7.3f} ms  server {cost.server_ms:7.3f} ms"
            f"  {cost.per_second:7.0f}/s  {ratio}"
        )

    for what, new, sources in (
        ("claim + 304, in eights", 0, options.sources),
        (f"{options.new} new", options.new, 200),
    ):
        with tempfile.TemporaryDirectory() as folder:
            own, faults = measure("sqlite:a.db", folder, processes=1, sources=sources, rounds=options.rounds, new=new)
            broken += faults
            show(what, "SQLite, 1 process", own, None)
            for processes in map(int, options.processes.split(",")):
                with postgres_server.running(SETTINGS) as url:
                    cost, faults = measure(
                        url, folder, processes=processes, sources=sources, rounds=options.rounds, new=new
                    )
                broken += faults
                show(what, f"PostgreSQL, {processes} process{'es' if processes > 1 else ''}", cost, own)
    for line in broken:
        print(f"BROKEN: {line}")
    print("promises: no host in two hands, nothing lost, nothing twice:", "broken" if broken else "held")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
