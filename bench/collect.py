"""How fast whole polls are, beside `reader` (PyPI) on the same documents from the same loopback server.

    python bench/collect.py [--data ../shared/data] [--sources 500] [--workers 1,4,16] [--venv DIR] [--profile]

Four rounds over all sources: cold; two of fifty entries new; nothing new and a server that says so (304); nothing new
and a server that does not (the same body again, without validators). The last two are done until they have taken four
seconds, eight times at the most. Ours is the real pump, fetcher, parse processes and store; reader has the number of
workers that suits it best in each round. The server tells what it was asked for, and closes every connection between
two rounds, as the half hour between two polls does. A document is fifty entries of real feeds (of made-up ones where
the data is missing), under one RSS head, with guids and links of their own.

With `--profile` the rates mean nothing; instead each side says by round where its CPU went, and so does what a child
process of ours does with the documents.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from xml.parsers import expat

from profiles import Profiles

PORT = 18490
#: a round, what it shows, and how many times reader's rate ours is to be
GOALS = {"cold": 4.0, "new": 15.0, "unmodified": 4.0, "same": 20.0}
MEANING = {
    "cold": "all entries new",
    "new": "2 of 50 entries new",
    "unmodified": "304",
    "same": "same body, no validators",
}
#: rounds that change nothing are done until they have taken so long, but not more often than that: in half a second
#: its begin and its end weigh much
REPEATED = frozenset({"unmodified", "same"})
AT_LEAST_S, AT_MOST = 4.0, 8
#: for ours between two rounds; longer than any interval, and in all too short for a 304 to be doubted
STEP, LONG_STEP = timedelta(hours=7), timedelta(days=2)
ENTRIES, NEW = 50, 2
NAMESPACES = {
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
    "atom": "http://www.w3.org/2005/Atom",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
    "wfw": "http://wellformedweb.org/CommentAPI/",
    "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "thr": "http://purl.org/syndication/thread/1.0",
    "georss": "http://www.georss.org/georss",
}
HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"'
    + "".join(f' xmlns:{prefix}="{name}"' for prefix, name in NAMESPACES.items())
    + "><channel><title>Feed {n}</title><link>http://site{n}.example/</link><language>en</language>\n"
)
_OWN = re.compile(r"<(guid|link|pubDate|feedburner:origLink)\b.*?</\1\s*>", re.DOTALL)


# --- the documents ------------------------------------------------------------
def bodies_of_entries(data: Path) -> list[str]:
    """The insides of entries of real RSS feeds, without what must be each entry's own."""
    found = [
        _OWN.sub("", body)
        for path in sorted((data / "real").rglob("*.xml"))
        for body in re.findall(r"<item>(.*?)</item>", path.read_text("utf-8", "replace"), re.DOTALL)
    ]
    real = [body for body in found if is_well_formed(body)]
    return real or [
        f"<title>Headline {n}</title><description>&lt;p&gt;{'Words of it. ' * (n % 50 + 5)}&lt;/p&gt;</description>"
        for n in range(500)
    ]


def is_well_formed(body: str) -> bool:
    """Whether an item made of this would be well-formed under our head, and one item."""
    if re.search(r"<(?:item|entry|channel|rss)\b", body):
        return False
    try:
        expat.ParserCreate(namespace_separator=" ").Parse(f"{HEAD}<item>{body}</item></channel></rss>", True)
    except (expat.ExpatError, ValueError):
        return False
    return True


def documents(data: Path, sources: int) -> list[tuple[bytes, bytes]]:
    """For each source the first document, and the one with two new entries."""
    dice, bodies = random.Random(7), bodies_of_entries(data)
    newest = datetime(2026, 6, 1, tzinfo=UTC)

    def item(source: int, number: int) -> str:
        at = (newest - timedelta(hours=number)).strftime("%a, %d %b %Y %H:%M:%S +0000")
        link = f"http://site{source}.example/{number}"
        own = f"<guid>{link}</guid><link>{link}</link><pubDate>{at}</pubDate>"
        return f"<item>{own}{dice.choice(bodies)}</item>\n"

    made = []
    for source in range(sources):
        items = [item(source, number) for number in range(ENTRIES + NEW)]
        head = HEAD.replace("{n}", str(source))
        first, second = (f"{head}{''.join(some)}</channel></rss>".encode() for some in (items[NEW:], items[:-NEW]))
        made.append((first, second))
    return made


# --- the server ---------------------------------------------------------------
class Answers(asyncio.Protocol):
    """One connection; `GET /<source>`, `/round/<name>` begins a round, `/asked` tells what was asked in it."""

    stage = "cold"
    documents: Sequence[tuple[bytes, bytes]] = ()
    asked: ClassVar = Counter[str]()
    #: connections over which a source was asked for
    sources: ClassVar = set[asyncio.Transport]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to listen."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forgets it."""
        Answers.sources.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """Answers what has arrived whole."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._transport.write(self._answer(head))

    def _answer(self, head: bytes) -> bytes:
        path = head.split(b" ", 2)[1].decode()
        if path.startswith("/round/"):
            Answers.stage = path.removeprefix("/round/")
            for transport in list(Answers.sources):
                transport.close()
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        if path == "/asked":
            told = json.dumps(Answers.asked).encode()
            Answers.asked.clear()
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told)
        Answers.asked["connections"] += self._transport not in Answers.sources
        Answers.sources.add(self._transport)
        return self._document(head, int(path[1:]))

    def _document(self, head: bytes, source: int) -> bytes:
        body = self.documents[source][Answers.stage != "cold"]
        tag = f'"{source}-{Answers.stage != "cold"}"'
        if Answers.stage == "unmodified" and tag.encode() in head:
            Answers.asked["304"] += 1
            return f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n".encode()
        Answers.asked["200"] += 1
        validators = "" if Answers.stage == "same" else f"ETag: {tag}\r\n"
        fields = f"Content-Type: application/rss+xml\r\n{validators}Content-Length: {len(body)}\r\n\r\n"
        return f"HTTP/1.1 200 OK\r\n{fields}".encode() + body


async def serve(data: Path, sources: int) -> None:
    """Until killed; every source at an address of its own."""
    Answers.documents = documents(data, sources)
    loop = asyncio.get_running_loop()
    for source in range(sources):
        await loop.create_server(Answers, address(source), PORT)
    print("ready", flush=True)
    await asyncio.Event().wait()


def address(source: int) -> str:
    return f"127.0.{8 + source // 250}.{source % 250 + 1}"


def urls(sources: int) -> list[str]:
    return [f"http://{address(source)}:{PORT}/{source}" for source in range(sources)]


@contextlib.contextmanager
def server(data: Path, sources: int) -> Iterator[None]:
    """The server as a process of its own."""
    command = [sys.executable, __file__, "--role", "server", "--data", str(data), "--sources", str(sources)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise SystemExit("the server did not start")
        try:
            yield
        finally:
            process.kill()


# --- our side -----------------------------------------------------------------
def run_ours(arguments: argparse.Namespace) -> None:
    """With the interpreter set as `aggregator run` sets it."""
    from aggregator.cli.run import SWITCH_S
    from aggregator.daemon.garbage import short_collections

    sys.setswitchinterval(SWITCH_S)
    with short_collections():
        asyncio.run(ours(arguments.scratch, arguments.sources, Profiles() if arguments.profile else None))


async def ours(directory: Path, sources: int, profiles: Profiles | None) -> None:
    """Polls every source once for each line of stdin; answers as collect_reader.py does."""
    from aggregator.collect.cadence import Policy
    from aggregator.collect.fetch import Fetcher, FetchLimits
    from aggregator.collect.guard import Guard
    from aggregator.collect.parse import ParseLanes
    from aggregator.collect.poll import Polled, Poller
    from aggregator.daemon.pump import Pump
    from aggregator.model import Subscription, Verdict
    from aggregator.store import open_store

    now, failed = datetime(2026, 6, 2, tzinfo=UTC), list[str]()
    left, over = 0, asyncio.Event()

    def clock() -> datetime:
        return now

    def note(polled: Polled) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            over.set()
        if polled.result.error is not None:
            failed.append(str(polled.result.error))

    store = open_store("sqlite:ours.db", base=directory)
    store.sync_sources([Subscription(url=url) for url in urls(sources)], now=clock())
    fetcher = Fetcher(FetchLimits(), Guard(("127.0.0.0/8",)), "bench (+https://example.org)")
    parser = ParseLanes()
    await parser.start()
    policy = Policy(min_interval=timedelta(minutes=30), max_interval=timedelta(hours=6))
    poller = Poller(store, fetcher, parser, policy, lambda _source, _entry: Verdict(), clock)
    pump = Pump(store, poller, slots=64, per_host=1, lease=timedelta(minutes=2), clock=clock, on_polled=note)
    if profiles:
        profiles.spent(1)  # what loading and starting took
    print(json.dumps({"ready": True}), flush=True)
    while stage := (await asyncio.to_thread(sys.stdin.readline)).strip():
        left = sources
        over.clear()
        began, used = time.perf_counter(), time.process_time()
        while left > 0:  # as the daemon does it: a look at the store every second, and whenever a slot becomes free
            await pump.fill()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 1)
        took_s, own_s = time.perf_counter() - began, time.process_time() - used
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        entries = await asyncio.to_thread(lambda: store.stats().entries)
        answer = {"s": took_s, "own": own_s, "entries": entries, "failed": failed[:3], "mb": peak_mb}
        print(json.dumps(answer | ({"profile": profiles.spent(sources)} if profiles else {})), flush=True)
        now += STEP if stage in REPEATED else LONG_STEP
    await pump.stop(within=timedelta(seconds=2))
    await parser.close()
    await fetcher.close()
    store.close()
    children_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"child_mb": children_mb}), flush=True)


def child(data: Path, sources: int) -> None:
    """What a child process of ours does in the cold round, in this process, with where the CPU goes."""
    from aggregator.collect.parse import parse_sync
    from aggregator.collect.parse.wire import decode_request, encode_feed, encode_request
    from aggregator.model import Document

    bodies = [first for first, _ in documents(data, sources)]
    requests = [
        encode_request(Document(body=body, url=url, content_type="application/rss+xml", before=b""))[8:]
        for body, url in zip(bodies, urls(sources), strict=True)
    ]
    profiles = Profiles()
    for request, body in zip(requests, bodies, strict=True):
        encode_feed(parse_sync(decode_request(request.removesuffix(body), body)))
    print(f"a child process of ours, ms a document\n{profiles.spent(sources)}")


# --- the comparison -----------------------------------------------------------
def measure(command: Sequence[str], sources: int, progress: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """The answers of one side, by round."""
    answers: dict[str, dict[str, Any]] = {}
    tell("asked")  # by those before us
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        for stage in GOALS:
            rounds = [one_round(process, stage, progress)]
            most = AT_MOST if stage in REPEATED and "--profile" not in command else 1
            while len(rounds) < most and sum(one["s"] for one in rounds) < AT_LEAST_S:
                rounds.append(one_round(process, stage, progress))
            means = {name: sum(one[name] for one in rounds) / len(rounds) for name in ("s", "own", "children")}
            answers[stage] = rounds[-1] | means | {"asked": ", ".join(dict.fromkeys(one["asked"] for one in rounds))}
            answers[stage]["ms"] = cpu_ms(answers[stage], sources)
            progress(
                "  {:11} {s:7.2f} s, {mb:4.0f} MB, {ms} ms CPU a poll; asked: {asked}".format(stage, **answers[stage])
            )
        process.stdin.close()
        if rest := process.stdout.readline():
            answers["end"] = json.loads(rest)
    return answers


def one_round(process: subprocess.Popen[str], stage: str, progress: Callable[[str], None]) -> dict[str, Any]:
    """What one side says of one round, with the CPU of its children and what the server was asked for."""
    assert process.stdin is not None
    assert process.stdout is not None
    tell(f"round/{stage}")
    before = children_cpu_s(process.pid)
    process.stdin.write(stage + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{process.args!r} ended in round {stage}")
    answer: dict[str, Any] = json.loads(line)
    if told := answer.get("profile"):
        progress(f"  {stage}, ms a poll\n{told}")
    asked = json.loads(tell("asked"))
    said = [f"{asked[status]} times {status}" for status in ("200", "304") if status in asked]
    return answer | {
        "children": children_cpu_s(process.pid) - before,
        "asked": f"{' and '.join(said)} over {asked['connections']} connections",
    }


def tell(path: str) -> bytes:
    """What the server says there."""
    with urllib.request.urlopen(f"http://{address(0)}:{PORT}/{path}", timeout=10) as answer:
        body: bytes = answer.read()
    return body


def cpu_ms(answer: dict[str, Any], sources: int) -> str:
    """CPU a poll, of the process and of its children, in words."""
    own, children = (1000 * answer[whose] / sources for whose in ("own", "children"))
    return f"{own:.1f} + {children:.1f}" if children else f"{own:.1f}"


def children_cpu_s(pid: int) -> float:
    """CPU that the children of a process have used, those that are gone included."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    own, *others = (Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in (pid, *children))
    gone = int(own[13]) + int(own[14])
    return (gone + sum(int(stat[11]) + int(stat[12]) for stat in others)) / os.sysconf("SC_CLK_TCK")


def environment(place: Path) -> Path | None:
    """A Python that has reader; None, with a word, where there is no index to get it from."""
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
    if subprocess.run([str(python), "-c", "import reader"], capture_output=True, check=False).returncode:
        # its vendored feedparser imports sgmllib without asking for it
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "reader", "sgmllib3k"]
        if subprocess.run(install, capture_output=True, check=False).returncode:
            print("skipped: reader cannot be installed (no package index within reach); our side alone follows")
            return None
    return python


def compare(arguments: argparse.Namespace, scratch: Path) -> int:
    """Runs both sides and prints them beside each other; 1 if a goal is missed."""
    python = environment(arguments.venv or scratch / "reader") if arguments.workers else None
    sources = int(arguments.sources)
    with server(arguments.data, sources):
        command = [sys.executable, __file__, "--role", "ours", "--sources", str(sources), "--scratch", str(scratch)]
        profile = ["--profile"] if arguments.profile else []
        print("ours")
        mine = measure([*command, *profile], sources, print)
        theirs = (
            [reader_side(python, scratch, sources, int(n), profile) for n in arguments.workers.split(",") if n]
            if python
            else []
        )
    return report(mine, theirs, sources)


def reader_side(
    python: Path, scratch: Path, sources: int, workers: int, profile: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Reader with so many workers, on a database of its own."""
    addresses = scratch / "urls"
    addresses.write_text("\n".join(urls(sources)))
    script = Path(__file__).with_name("collect_reader.py")
    print(f"reader, {workers} workers")
    database = scratch / f"reader{workers}.db"
    return measure([str(python), str(script), str(database), str(workers), str(addresses), *profile], sources, print)


def report(mine: dict[str, dict[str, Any]], theirs: Sequence[dict[str, dict[str, Any]]], sources: int) -> int:
    """The table; how many goals are missed, at most 1."""
    print(
        f"\n{'round':11} {'':26} {'ours/s':>8} {'reader/s':>9} {'ratio':>7} {'goal':>5}  CPU ms a poll: ours, reader's"
    )
    missed = 0
    for stage, goal in GOALS.items():
        rate = sources / mine[stage]["s"]
        best = max((other[stage] for other in theirs), key=lambda answer: -answer["s"], default=None)
        ratio = rate * best["s"] / sources if best else 0.0
        missed += best is not None and ratio < goal
        theirs_per_s, theirs_ms = (sources / best["s"], best["ms"]) if best else (0.0, "")
        print(
            f"{stage:11} {MEANING[stage]:26} {rate:8.1f} {theirs_per_s:9.1f} {ratio:7.1f} {goal:5.0f}  "
            f"{mine[stage]['ms']}, {theirs_ms}"
        )
    memory = [round(other["same"]["mb"]) for other in theirs]
    print(f"memory: ours {mine['same']['mb']:.0f} MB and {mine['end']['child_mb']:.0f} MB a parse process", end="")
    print(f"; reader {memory} MB by workers" if memory else "")
    counts = {side["same"]["entries"] for side in (mine, *theirs)}
    failures = [side[stage]["failed"] for side in (mine, *theirs) for stage in GOALS if side[stage]["failed"]]
    print(f"entries stored: {sorted(counts)}" + (f"; failures: {failures[:2]}" if failures else ""))
    return 1 if missed or len(counts) > 1 or failures else 0


def main() -> int:
    """Both sides, or one role of the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sources", type=int, default=500)
    parser.add_argument("--workers", default="1,4,16", help="numbers of workers that reader is tried with")
    parser.add_argument("--venv", type=Path, help="an environment for reader that is kept")
    parser.add_argument("--profile", action="store_true", help="say where the CPU goes; rates mean nothing then")
    parser.add_argument("--role", default="", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role == "server":
        asyncio.run(serve(arguments.data, arguments.sources))
    elif arguments.role == "ours":
        run_ours(arguments)
    else:
        if arguments.profile:
            child(arguments.data, min(arguments.sources, 100))
        with tempfile.TemporaryDirectory() as scratch:
            return compare(arguments, Path(scratch))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
