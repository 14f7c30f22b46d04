"""Replays every recorded series, snapshot by snapshot, and says feed by feed what is announced twice or lost.

    python bench/identity.py [--data ../shared/data] [--series bbc,cnn] [--snapshots 50] [--show 5]

Each snapshot goes through the real poller, parser (incremental parse included), identity and SQLite store, at its own
time; only the network is played. What ought to be announced is worked out from the raw bytes of all snapshots together,
by `raw_oracle`, which shares nothing with the product. Where the two disagree and the product was judged right,
`explained.json` says so, once: (series, kind, parts of titles, why). Anything else is a fault.
Beside it: what announcing every new guid (address, title) does, as most readers do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import lzma
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import cast

from raw_oracle import RawOracle, Sighting, compare

from aggregator.collect.cadence import Policy
from aggregator.collect.fetch import Fetcher, Response
from aggregator.collect.parse import parse_sync
from aggregator.collect.poll import Poller, PollOutcome
from aggregator.model import Document, ParsedEntry, ParsedFeed, Subscription, Verdict
from aggregator.store import open_store


@dataclass(slots=True)
class Outcome:
    """What became of one series."""

    name: str
    snapshots: int = 0
    #: answers that were no feed, or an unfinished one
    refused: int = 0
    truncated: int = 0
    announced: list[ParsedEntry] = field(default_factory=list)
    edits: int = 0
    #: entries in all polls that were not looked at again, as nothing in them had changed
    skipped: int = 0
    #: announcements by new guids alone
    naive: int = 0
    distinct: int = 0
    twice: list[Sighting] = field(default_factory=list)
    lost: list[Sighting] = field(default_factory=list)
    #: disagreements that were judged once, in favour of the product
    explained: int = 0
    #: announcements that no document has, as the oracle reads them
    unread: int = 0
    unstable: bool = False
    #: refused answers that changed something, truncated ones that changed what was there
    harmed: int = 0


class Played:
    """A fetcher and a parser for the poller: answers what was recorded, and parses here."""

    def __init__(self) -> None:
        self.body = b""

    async def get(self, url: str, **_: object) -> Response:
        """The snapshot whose turn it is."""
        return Response(url=url, body=self.body, content_type="application/xml")

    async def parse(self, document: Document) -> ParsedFeed:
        """`document` as a feed, in this process."""
        return parse_sync(document)


def snapshots_of(path: Path, most: int) -> Iterator[tuple[datetime, bytes]]:
    """Time and body of each answer, in order; at least a minute apart, so that no poll waits for its host."""
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(path.read_bytes()))) as archive:
        members = sorted((m for m in archive.getmembers() if m.isfile()), key=lambda m: m.name)
        latest = datetime(2000, 1, 1, tzinfo=UTC)
        for member in members[: most or None]:
            at = datetime.strptime(Path(member.name).stem.rstrip("_"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            latest = max(at, latest + timedelta(minutes=1))
            opened = archive.extractfile(member)
            yield latest, opened.read() if opened else b""


async def replay(path: Path, most: int) -> Outcome:
    """One series through the real parts."""
    outcome, truth, held = Outcome(name=path.name.removesuffix(".tar.xz")), RawOracle(), set[str]()
    url = f"https://{outcome.name.replace('_', '-')}.example/feed.xml"
    with (
        tempfile.TemporaryDirectory() as scratch,
        contextlib.closing(open_store("sqlite:i.db", base=Path(scratch))) as store,
    ):
        played, now = Played(), datetime(2000, 1, 1, tzinfo=UTC)
        policy = Policy(min_interval=timedelta(seconds=1), max_interval=timedelta(hours=6))
        fetcher = cast("Fetcher", played)
        poller = Poller(store, fetcher, played, policy, lambda _source, _entry: Verdict(), lambda: now)
        store.sync_sources([Subscription(url=url, interval=timedelta(seconds=1))], now=now)
        for at, played.body in snapshots_of(path, most):
            outcome.snapshots += 1
            now = max(at, now, store.next_due(now=now) or at)  # after errors, when the poller asks again
            (lease,) = store.claim(now=now, limit=1, lease=timedelta(minutes=1))
            (polled,) = await poller.poll(lease)
            note(outcome, polled, held)
            outcome.unstable = polled.result.unstable_ids
            truth.add(played.body)
    judge(outcome, truth)
    return outcome


def note(outcome: Outcome, polled: PollOutcome, held: set[str]) -> None:
    """What one poll announced and edited, by ids; the store must say the same."""
    result, stored = polled.result, polled.stored
    assert stored is not None
    outcome.refused += result.error is not None
    outcome.truncated += result.insert_only
    new = []
    for entry in result.entries:
        if entry.replaces is not None:
            held.discard(entry.replaces)
        elif entry.entry_id not in held:
            new.append(entry.parsed)
        held.add(entry.entry_id)
    outcome.announced += new
    outcome.edits += stored.updated
    changed = stored.new_entries + stored.updated if result.error else stored.updated if result.insert_only else 0
    outcome.harmed += changed + abs(stored.new_entries - len(new))


def judge(outcome: Outcome, truth: RawOracle) -> None:
    """Announcements against what all snapshots together say."""
    announced = [(entry.guid, entry.link, entry.title) for entry in outcome.announced]
    found = compare(outcome.name, truth, announced)
    outcome.naive, outcome.distinct, outcome.unread = truth.names(), found.distinct, found.unread
    outcome.twice, outcome.lost, outcome.explained = found.twice, found.lost, found.explained


def report(outcomes: Sequence[Outcome], show: int) -> int:
    """The table; the number of faults."""
    columns = [
        "answers",
        "no feed",
        "cut",
        "distinct",
        "announced",
        "edits",
        "twice",
        "lost",
        "harmed",
        "explained",
        "unread",
    ]
    print(f"{'series':38}" + "".join(f"{name:>10}" for name in columns) + "   naive guid: announced, twice")
    faults = 0
    for o in outcomes:
        figures = (o.snapshots, o.refused, o.truncated, o.distinct, len(o.announced), o.edits)
        wrong = (len(o.twice), len(o.lost), o.harmed)
        faults += sum(wrong)
        naive = f"{o.naive:12} {max(0, o.naive - o.distinct):7}"
        print(
            f"{o.name:38}" + "".join(f"{n:10}" for n in (*figures, *wrong, o.explained, o.unread)) + naive,
            "unstable" if o.unstable else "",
        )
        for kind, some in (("twice", o.twice), ("lost", o.lost)):
            for sighting in some[:show]:
                print(f"      {kind}: {sighting}"[:200])
    return faults


def run(path: Path, most: int) -> Outcome:
    """One series, in a process of its own."""
    return asyncio.run(replay(path, most))


def main() -> int:
    """Replays; 1 if anything was announced twice, lost or harmed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--series", default="", help="only these, separated by commas")
    parser.add_argument("--snapshots", type=int, default=0, help="at most so many of each series; 0: all")
    parser.add_argument("--show", type=int, default=3, help="so many faults of each series in full")
    arguments = parser.parse_args()
    wanted = set(filter(None, arguments.series.split(",")))
    kinds = ("headlines", "kibitzr-nl", "olshansk", "podcast")
    paths = [path for kind in kinds for path in sorted((arguments.data / "timeseries" / kind).glob("*.tar.xz"))]
    paths = [path for path in paths if not wanted or path.name.removesuffix(".tar.xz") in wanted]
    if not paths:
        print(f"skipped: no series at {arguments.data / 'timeseries'}")
        return 0
    with ProcessPoolExecutor(max_workers=2) as pool:
        outcomes = list(pool.map(partial(run, most=arguments.snapshots), paths))
    faults = report(outcomes, arguments.show)
    print(f"{'FAILED: ' if faults else ''}{faults} announced twice, lost or harmed")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
