"""Follows recorded feeds to the end, with the real daemon, and says what was lost or announced twice.

    python bench/replay.py [--data ../shared/data] [--series bbc,cnn] [--snapshots 50] [--keep DIR]

Every document of data/real is a source, every recorded series of data/timeseries/headlines is another that moves on by
one snapshot with each poll: truncated answers, error pages and empty files included (of error pages in a row only the
first three: the daemon backs off, as it should, and nobody wants to wait for that). What must come out is read from the
same bytes by `raw_oracle`, which shares nothing with the product, and compared with what the store holds in the end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import io
import json
import lzma
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raw_oracle import RawOracle, compare

from aggregator.model import Copy, Item, Scope
from aggregator.store import open_store

PORT = 18480
SITE = "http://127.0.0.1:18481"


@dataclass(slots=True)
class Publisher:
    """One source: its snapshots in order of time; each answered poll moves on to the next."""

    name: str
    address: str
    snapshots: Sequence[bytes]
    served: int = 0

    @property
    def url(self) -> str:
        """Where its feed is."""
        return f"http://{self.address}:{PORT}/{urllib.parse.quote(self.name)}"

    @property
    def done(self) -> bool:
        """Whether the last snapshot has been served, and once more after that."""
        return self.served > len(self.snapshots)

    def answer(self) -> bytes:
        """The next snapshot; the last one for ever."""
        body = self.snapshots[min(self.served, len(self.snapshots) - 1)]
        self.served += 1
        return body


def load_publishers(data: Path, wanted: set[str], snapshots: int) -> tuple[list[Publisher], list[Publisher]]:
    """(documents, series). Addresses are 127.0.4.1 and on."""
    addresses = (f"127.0.{4 + number // 250}.{number % 250 + 1}" for number in range(2000))
    documents = [
        Publisher(
            name=f"real/{path.relative_to(data / 'real').as_posix().replace(' ', '_')}",
            address=next(addresses),
            snapshots=[path.read_bytes()],
        )
        for path in sorted((data / "real").rglob("*"))
        if path.is_file()
    ]
    series = [
        Publisher(
            name=f"series/{path.name.removesuffix('.tar.xz')}",
            address=next(addresses),
            snapshots=thin(read_series(path, snapshots)),
        )
        for path in sorted((data / "timeseries" / "headlines").glob("*.tar.xz"))
        if not wanted or path.name.removesuffix(".tar.xz") in wanted
    ]
    return documents, series


def read_series(path: Path, most: int) -> list[bytes]:
    """The snapshots of one archive in order of time."""
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(path.read_bytes()))) as archive:
        members = sorted((m for m in archive.getmembers() if m.isfile()), key=lambda m: m.name)
        bodies = [opened.read() for member in members if (opened := archive.extractfile(member))]
    return bodies[:most] if most else bodies


def thin(snapshots: Sequence[bytes], most: int = 3) -> list[bytes]:
    """The snapshots with at most so many answers without an item in a row: each doubles the back-off, as it should."""
    kept: list[bytes] = []
    run = 0
    for body in snapshots:
        run = 0 if b"<item" in body or b"<entry" in body else run + 1
        if run <= most:
            kept.append(body)
    return kept


async def serve(publishers: Sequence[Publisher], ready: threading.Event, stop: threading.Event) -> None:
    """Answers ``GET /name`` on every publisher's own address until told to stop."""
    by_path = {f"/{publisher.name}": publisher for publisher in publishers}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            publisher = by_path[urllib.parse.unquote(head.split(" ", 2)[1])]
            body = publisher.answer()
            etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
            fresh = f"if-none-match: {etag}" in head.lower()
            status, sent = ("304 Not Modified", b"") if fresh else ("200 OK", body)
            kind = "application/feed+json" if publisher.name.endswith(".json") else "application/xml"
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nETag: {etag}\r\n"
                f"Content-Length: {len(sent)}\r\nConnection: close\r\n\r\n".encode()
                + sent
            )
            await writer.drain()
        writer.close()

    servers = [await asyncio.start_server(handle, p.address, PORT) for p in publishers]
    ready.set()
    await asyncio.to_thread(stop.wait)
    for server in servers:
        server.close()


def write_config(directory: Path, publishers: Sequence[Publisher]) -> Path:
    """A configuration that follows them all, as fast as it may."""
    sources = "".join(
        f'[[sources]]\nurl = "{p.url}"\nname = "{p.name}"\nsection = "{p.name.partition("/")[0]}"\ninterval = "1s"\n'
        for p in publishers
    )
    path = directory / "config.toml"
    path.write_text(
        f'[site]\nurl = "{SITE}"\ncontact = "https://example.org/replay"\n[server]\nlisten = "{SITE.removeprefix("http://")}"\n'
        '[polling]\nmin_interval = "1s"\nmax_interval = "1s"\nallow_private_addresses = ["127.0.0.0/8"]\n'
        f'[retention]\nitems = "never"\n{sources}',
        encoding="utf-8",
    )
    return path


@contextlib.contextmanager
def daemon(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The real daemon as a process."""
    command = [sys.executable, "-m", "aggregator", "--config", str(config), "run"]
    with (config.parent / "daemon.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def wait_ready(process: subprocess.Popen[bytes]) -> float:
    """Seconds until /readyz answers 200."""
    began = time.monotonic()
    while time.monotonic() - began < 30:
        if process.poll() is not None:
            raise SystemExit(f"the daemon ended with {process.returncode}")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{SITE}/readyz", timeout=2):
            return time.monotonic() - began
        time.sleep(0.05)
    raise SystemExit("the daemon was not ready within 30 s")


def resident_mb(pid: int) -> float:
    """Peak resident memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def follow(publishers: Sequence[Publisher], process: subprocess.Popen[bytes], patience_s: float) -> None:
    """Waits until every publisher has been followed to its end, with a line every ten seconds."""
    began = time.monotonic()
    while time.monotonic() - began < patience_s:
        if process.poll() is not None:
            raise SystemExit(f"the daemon died with {process.returncode} after {time.monotonic() - began:.0f} s")
        left = [p for p in publishers if p.served == 0 or (p.name.startswith("series") and not p.done)]
        polls, memory_mb = sum(p.served for p in publishers), resident_mb(process.pid)
        print(
            f"  {time.monotonic() - began:5.0f} s  {polls} polls, {len(left)} sources to go, {memory_mb:.0f} MB",
            flush=True,
        )
        if not left:
            return
        time.sleep(10)
    print(f"  gave up after {patience_s:.0f} s")


def wait_curated(config: Path, patience_s: float = 300) -> None:
    """Waits until nothing is left to be curated."""
    with contextlib.closing(open_store("sqlite:aggregator.db", base=config.parent, create=False)) as store:
        began = time.monotonic()
        while store.stats().pending and time.monotonic() - began < patience_s:
            time.sleep(1)


def examine(config: Path, publishers: Sequence[Publisher]) -> int:
    """Prints the comparison of store and snapshots; the number of faults."""
    with contextlib.closing(open_store("sqlite:aggregator.db", base=config.parent, create=False)) as store:
        items = store.latest(Scope(), limit=0)
        stats = store.stats()
    held: dict[str, list[Copy]] = defaultdict(list)
    for item in items:
        for copy in item.copies:
            held[copy.source.url].append(copy)
    totals: Counter[str] = Counter()
    columns = ("snapshots", "expected", "stored", "lost", "twice", "explained", "unread")
    print(f"\n{'source':44}" + "".join(f"{column:>10}" for column in columns))
    for publisher in publishers:
        copies, truth = held[publisher.url], RawOracle()
        for body in publisher.snapshots:
            truth.add(body)
        name = publisher.name.removeprefix("series/")
        found = compare(name, truth, [(copy.entry_id, copy.url, copy.title) for copy in copies])
        wrong = (len(found.lost), len(found.twice), found.explained, found.unread)
        figures = (len(publisher.snapshots), found.distinct, len(copies), *wrong)
        totals.update(dict(zip(columns, figures, strict=True)))
        if found.lost or found.twice or publisher.name.startswith("series"):
            print(f"{publisher.name[-44:]:44}" + "".join(f"{figure:10}" for figure in figures))
            for kind, some in (("lost", found.lost), ("twice", found.twice)):
                for sighting in some[:3]:
                    print(f"      {kind}: {sighting}"[:160])
    print(f"{'all':44}" + "".join(f"{totals[column]:10}" for column in columns))
    faults = totals["lost"] + totals["twice"]
    several = Counter(item.sources for item in items)
    print(f"\n{stats.sources} sources, {stats.entries} entries, {stats.items} items, {stats.stories} stories", end="")
    print(f", {stats.size_bytes / 1e6:.0f} MB")
    print("items by number of sources:", dict(sorted(several.items())))
    print_merges(items)
    return faults


def print_merges(items: Sequence[Item], most: int = 8) -> None:
    """Some items that several sources carry under different addresses, for a person to judge."""
    merged = [item for item in items if any(copy.rule == "near-duplicate" for copy in item.copies)]
    print(f"{len(merged)} items hold near-duplicates; some of them:")
    for item in merged[:most]:
        print(f"  {item.title[:80]}")
        for copy in item.copies:
            print(f"      {copy.rule:15} {copy.source.name[-28:]:28} {copy.title[:60]}")


def print_health(config: Path) -> None:
    """What `status` says of the sources, by error code."""
    command = [sys.executable, "-m", "aggregator", "--config", str(config), "status", "--json", "--limit", "0"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    rows: list[dict[str, Any]] = [json.loads(line) for line in answer.stdout.splitlines()]
    print("sources by state:", dict(Counter(str(row.get("state")) for row in rows)))
    codes = Counter(
        str((row.get("error") or {}).get("code")) if isinstance(row.get("error"), dict) else str(row.get("error"))
        for row in rows
    )
    print("errors:", dict(codes.most_common()))


def main() -> int:
    """Runs the replay; 1 if anything was lost or announced twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--series", default="", help="only these, separated by commas")
    parser.add_argument("--snapshots", type=int, default=0, help="at most so many of each series; 0: all")
    parser.add_argument("--documents", type=int, default=0, help="at most so many, spread over all; 0: all")
    parser.add_argument("--patience", type=float, default=1500, help="seconds")
    parser.add_argument("--keep", type=Path, help="work in this directory and leave it")
    arguments = parser.parse_args()
    documents, series = load_publishers(
        arguments.data, set(filter(None, arguments.series.split(","))), arguments.snapshots
    )
    if arguments.documents:
        documents = documents[:: -(-len(documents) // arguments.documents)]
    publishers = documents + series
    print(f"{len(documents)} documents, {len(series)} series with {sum(len(p.snapshots) for p in series)} snapshots")
    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve(publishers, ready, stop)), daemon=True)
    thread.start()
    if not ready.wait(10):
        raise SystemExit(f"the publishers cannot listen on port {PORT}: is another replay running?")
    with contextlib.ExitStack() as stack:
        stack.callback(stop.set)
        directory = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.mkdir(parents=True, exist_ok=True)
        config = write_config(directory, publishers)
        with daemon(config) as process:
            print(f"ready after {wait_ready(process):.2f} s")
            began = time.monotonic()
            follow(publishers, process, arguments.patience)
            polls = sum(p.served for p in publishers)
            print(
                f"{polls} polls in {time.monotonic() - began:.0f} s: {polls / (time.monotonic() - began):.1f} a second"
            )
            wait_curated(config)
            print_health(config)
            print(f"peak memory {resident_mb(process.pid):.0f} MB")
            stopping = time.monotonic()
        print(f"stopped in {time.monotonic() - stopping:.2f} s")
        faults = examine(config, publishers)
    print(f"\n{'FAILED: ' if faults else ''}{faults} lost or announced twice")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
