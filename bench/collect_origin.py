"""What both sides of bench/collect.py are given: the documents, and the server that hands them out.

A document is fifty entries of real feeds (of made-up ones where the data is missing), under one RSS head, with guids
and links of their own. The server tells what it was asked for, and closes every connection between two rounds, as the
half hour between two polls does.

    python collect_origin.py DATA SOURCES
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar
from xml.parsers import expat

PORT = 18490
#: where it is told which round it is, and tells what it was asked
TOLD_AT = 18491
#: rounds that change nothing, so that they can be played again
REPEATED = frozenset({"unmodified", "same"})
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


async def serve(data: Path, sources: int, certificate: str | None) -> None:
    """Until killed; every source at an address of its own."""
    Answers.documents = documents(data, sources)
    loop, context = asyncio.get_running_loop(), None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    for source in range(sources):
        await loop.create_server(Answers, address(source), PORT, ssl=context)
    await loop.create_server(Answers, address(0), TOLD_AT)
    print("ready", flush=True)
    await asyncio.Event().wait()


def address(source: int) -> str:
    return f"127.0.{8 + source // 250}.{source % 250 + 1}"


def urls(sources: int, *, tls: bool = False) -> list[str]:
    return [f"http{'s' if tls else ''}://{address(source)}:{PORT}/{source}" for source in range(sources)]


@contextlib.contextmanager
def server(data: Path, sources: int, certificate: Path | None = None) -> Iterator[None]:
    """The server as a process of its own; with a `certificate` it speaks https."""
    command = [sys.executable, __file__, str(data), str(sources), *([str(certificate)] if certificate else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise SystemExit("the server did not start")
        try:
            yield
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None))
