"""The same answer once more, without the application: most requests are for bytes that have just been given.

Routing, handlers, middlewares and the response objects of aiohttp cost three times what parsing a request and writing
an answer costs. So the heads of answers to plain GETs are remembered as they went out, by target and by what was
negotiated, and given again for as long as the content behind them is what a handler would find. Whatever is not
exactly known goes to the application. What counts as a view is counted here as there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime, formatdate
from functools import lru_cache
from typing import Any, Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from aggregator.publish.web.http_response import asked_coding, choose, is_dated, is_unchanged
from aggregator.publish.web.response_cache import CachedResponse, ResponseCache

#: targets that are remembered; beyond that all are forgotten and learnt anew
_MOST_TARGETS: Final = 4096
#: said anew with every answer, or about one connection only
_NOT_LEARNT: Final = frozenset({"date", "connection"})

#: (browser opening a page, content coding, status)
_Variant = tuple[bool, str, int]
#: (headers of the request, the peer's address)
Counting = Callable[[RawRequestMessage, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cacheable:
    """A handler's word that its answer to this target depends on nothing but the content and what is negotiated."""

    key: str
    content: CachedResponse
    #: what else an answer is to do: count a view
    count: Counting | None = None


#: where a handler puts it
CACHEABLE: Final = web.RequestKey("repeatable", Cacheable)


@dataclass(slots=True)
class _Target:
    """What is known of one target of requests."""

    given: Cacheable
    #: its answers say since when it is as it is: not in the second in which it has changed, when it may change again
    dated: bool
    heads: dict[_Variant, bytes] = field(default_factory=dict)

    def date(self) -> None:
        """The second is over."""
        since = f"{hdrs.LAST_MODIFIED}: {format_datetime(self.given.content.modified, usegmt=True)}\r\n".encode()
        self.heads = {variant: head + since for variant, head in self.heads.items()}
        self.dated = True


class FastPath:
    """Answers that can be given again. Used on the event loop only."""

    def __init__(
        self, responses: ResponseCache, answered: Callable[[int], None], clock: Callable[[], datetime]
    ) -> None:
        self._responses = responses
        self._answered = answered
        self._clock = clock
        self._targets: dict[str, _Target] = {}

    def learn(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Remembers the head of an answer that is about to go out, if its handler called it repeatable."""
        given = request.get(CACHEABLE)
        if given is None or request.method != "GET":
            return
        target, dated = self._targets.get(request.raw_path), hdrs.LAST_MODIFIED in response.headers
        if target is None or target.dated != dated or not _same(target.given.content, given.content):
            if len(self._targets) >= _MOST_TARGETS:
                self._targets.clear()
            target = self._targets[request.raw_path] = _Target(given, dated)
        coding = choose(given.content, request.headers.get(hdrs.ACCEPT_ENCODING, ""))[0]
        target.heads[_opens(request.headers.get("Sec-Fetch-Dest")), coding, response.status] = _head(response)

    def find(self, message: RawRequestMessage, payload: StreamReader, peer: str) -> bytes | None:
        """The whole answer to a request; None where the application has to give it."""
        target = self._targets.get(message.path)
        if target is None or not _is_plain(message, payload):
            return None
        given, headers = target.given, message.headers
        content = self._responses.fresh(given.key)
        if content is None or not _same(content, given.content):
            return None
        if (asked := asked_coding(headers)) and asked not in content.encodings_seen:
            return None
        if not target.dated and is_dated(content, self._clock()):
            target.date()
        coding, body = choose(content, headers.get(hdrs.ACCEPT_ENCODING, ""))
        status = 304 if is_unchanged(headers, content.etag, content.modified) else 200
        head = target.heads.get((_opens(headers.get("Sec-Fetch-Dest")), coding, status))
        if head is None:
            return None
        if given.count:
            given.count(message, peer)
        self._answered(status)
        return b"%bDate: %b\r\n\r\n%b" % (head, _date(int(time.time())), b"" if status == 304 else body)


def _is_plain(message: RawRequestMessage, payload: StreamReader) -> bool:
    """A GET without a body, of today's HTTP, on a connection that stays open."""
    return (
        message.method == "GET"
        and payload is EMPTY_PAYLOAD
        and message.version == HttpVersion11
        and not (message.should_close or message.upgrade)
        and hdrs.EXPECT not in message.headers
    )


def _same(one: CachedResponse, other: CachedResponse) -> bool:
    return one.etag == other.etag and one.modified == other.modified


def _opens(destination: str | None) -> bool:
    return destination == "document"


def _head(response: web.StreamResponse) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items() if name.lower() not in _NOT_LEARNT]
    return ("\r\n".join(lines) + "\r\n").encode("utf-8")


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


class Connection(web.RequestHandler):
    """aiohttp's protocol with a shortcut between its parser and its task.

    Reading, limits and framing stay aiohttp's: the shortcut sees what its parser made of a request. Only a request that
    stands alone takes it; those that are sent in a row without waiting, and all while a client does not take what it
    has been sent, are queued for the task as ever.
    """

    __slots__ = ("_peer", "_shortcuts")

    def __init__(self, server: web.Server, shortcuts: FastPath, **options: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._shortcuts = shortcuts
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remembers who connected."""
        super().connection_made(transport)
        name = transport.get_extra_info("peername")
        self._peer = str(name[0]) if isinstance(name, tuple) else ""

    def data_received(self, data: bytes) -> None:
        """Answers at once what is known, and hands on the rest."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            super().data_received(data)  # an answer is being made: this one's turn comes behind it
            return
        self._waiter = None  # the task is not woken before it is clear that there is something for it
        super().data_received(data)
        self._waiter = waiter
        if self._messages and not self._answer() and not waiter.done():
            waiter.set_result(None)

    def _answer(self) -> bool:
        """Gives the answer to the one request that waits, if it is known."""
        server, transport, parser = self._manager, self.transport, self._parser
        if len(self._messages) > 1 or self._paused or server is None or transport is None or parser is None:
            return False
        message, payload = self._messages[0]
        answer = self._shortcuts.find(message, payload, self._peer) if isinstance(message, RawRequestMessage) else None
        if answer is None:
            return False
        self._messages.popleft()
        parser.message_consumed()
        server.requests_count += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        transport.write(answer)
        return True
