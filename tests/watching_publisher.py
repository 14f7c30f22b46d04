"""A publisher on loopback that watches its visitors: several names on several addresses, numbered items, real HTTP.

    python tests/watching_publisher.py '{"hosts": ["127.77.0.1"], "port": 8099, "items_every_s": 2}'

Run as a process of its own, so that a busy test does not blur what it sees. ``GET /state`` on any address gives what it
has seen as JSON. A visit lasts from the last byte of a request to just before the first byte of its answer: what
overlaps here was under way at the same time, however busy the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any

#: how many items a feed shows
SHOWN = 30


def title(path: str, number: int) -> str:
    """The title of an item; like no other one's, so that no curator takes two for copies or for one story."""
    return f"{path} item {number} {words(f'{path} {number}', 5)}"


def words(seed: str, count: int) -> str:
    """So many invented words, for one seed always the same."""
    dice = random.Random(seed)
    return " ".join(
        "".join(dice.choice("bdfgklmnprstvz") + dice.choice("aeiou") for _ in range(4)) for _ in range(count)
    )


@dataclass
class Place:
    """An address or a name, and who is there."""

    now: int = 0
    visits: int = 0
    overlaps: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    shortest_gap_s: float = 1e9


@dataclass
class Publisher:
    """What is published under each name, and what was seen."""

    hosts: list[str]
    port: int
    #: a feed gets a new item so often; 0: it has `first` items for ever
    items_every_s: float = 0.0
    first: int = 2
    #: each answer takes between these
    delay_s: tuple[float, float] = (0.0, 0.0)
    #: names that redirect to another URL
    redirects: dict[str, str] = field(default_factory=dict)
    began_s: float = field(default_factory=time.time)
    addresses: dict[str, Place] = field(default_factory=dict)
    names: dict[str, Place] = field(default_factory=dict)
    frozen_s: float | None = None
    #: by title, when an item was first given to anybody, in seconds since 1970
    given_s: dict[str, float] = field(default_factory=dict)

    def count(self, now_s: float) -> int:
        """How many items each feed has had."""
        if not self.items_every_s:
            return self.first
        return self.first + int(((self.frozen_s or now_s) - self.began_s) / self.items_every_s)

    def feed(self, path: str) -> tuple[bytes, str]:
        """The feed as it is now, and its ETag."""
        now_s = time.time()
        last = self.count(now_s)
        numbers = range(max(last - SHOWN, 0), last)
        for n in numbers:
            self.given_s.setdefault(title(path, n), now_s)
        items = "".join(
            f"<item><title>{title(path, n)}</title><guid isPermaLink='false'>{path}#{n}</guid>"
            f"<link>http://papers.example{path}/{n}</link><description>{words(f'{path} {n} text', 30)}.</description>"
            f"<pubDate>{time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime(self.born_s(n)))}</pubDate></item>"
            for n in reversed(numbers)
        )
        body = f"<rss version='2.0'><channel><title>{path}</title><link>http://papers.example{path}</link>{items}</channel></rss>"
        return body.encode(), f'"{last}"'

    def born_s(self, number: int) -> float:
        """When an item was published, in seconds since 1970."""
        if not self.items_every_s or number < self.first:
            return self.began_s - 60
        return self.began_s + (number - self.first + 1) * self.items_every_s

    def state(self) -> dict[str, Any]:
        """What was seen."""
        return {
            "count": self.count(time.time()),
            "began_s": self.began_s,
            "addresses": {name: vars(place) for name, place in self.addresses.items()},
            "names": {name: vars(place) for name, place in self.names.items()},
            "given_s": self.given_s,
        }

    def _enter(self, place: Place, at_s: float) -> None:
        place.overlaps += place.now > 0
        place.now += 1
        if place.visits:
            place.shortest_gap_s = min(place.shortest_gap_s, at_s - place.last_s)
        else:
            place.first_s = at_s
        place.visits += 1
        place.last_s = at_s

    async def _answer(self, head: str, own: str) -> bytes:
        target = head.split(" ")[1]
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        if target == "/state":
            return _response("200 OK", json.dumps(self.state()).encode())
        if target == "/freeze":
            self.frozen_s = time.time()
            return _response("200 OK", b"{}")
        name = fields.get("host", "")
        places = [self.addresses.setdefault(own, Place()), self.names.setdefault(name, Place())]
        at_s = time.monotonic()
        for place in places:
            self._enter(place, at_s)
        try:
            if self.delay_s[1]:
                await asyncio.sleep(random.uniform(*self.delay_s))
            if elsewhere := self.redirects.get(name.partition(":")[0]):
                return _response("302 Found", b"", f"Location: {elsewhere}\r\n")
            body, etag = self.feed(target)
            if fields.get("if-none-match") == etag:
                return _response("304 Not Modified", None, f"ETag: {etag}\r\n")
            return _response("200 OK", body, f"ETag: {etag}\r\nContent-Type: application/rss+xml\r\n")
        finally:
            for place in places:
                place.now -= 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        own = writer.get_extra_info("sockname")[0]
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                writer.write(await self._answer(head, own))
                await writer.drain()
        writer.close()

    async def run(self) -> None:
        """Serves until it is ended."""
        for host in self.hosts:
            await asyncio.start_server(self.serve, host, self.port, backlog=1000)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def _response(status: str, body: bytes | None, fields: str = "") -> bytes:
    length = "" if body is None else f"Content-Length: {len(body)}\r\n"
    return f"HTTP/1.1 {status}\r\n{fields}{length}\r\n".encode() + (body or b"")


if __name__ == "__main__":
    asyncio.run(Publisher(**json.loads(sys.argv[1])).run())
