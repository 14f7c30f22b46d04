"""Connections of clients: answers a plain GET from the cache if it can, and leaves all other requests to aiohttp.

A connection hands its bytes to a protocol of aiohttp's server, made when it is first needed. Only data that is exactly
one plain GET, while no request is being answered, is looked up in the fast path. Data of any other shape (a request in
pieces, several at once, a body, an upgrade) gives the connection to aiohttp for good, so that there is never a doubt
which of the two has read which bytes.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Protocol, cast

from aggregator.publish.audience.visitors import UNIX_PEER

#: a whole GET request without a body: its target, and its header lines (RFC 9112, 3 and 5)
_PLAIN_GET: Final = re.compile(
    rb"GET (/[!-~]*) HTTP/1\.1\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)+)\r\n"
)
#: longer requests are rare, and not worth remembering their headers
_MAX_PLAIN_BYTES: Final = 4096
#: headers with which a request is more than a plain GET
_NOT_PLAIN: Final = frozenset({"content-length", "transfer-encoding", "expect", "upgrade", "te", "trailer"})
#: a handler that has not answered by then is given up; deliveries of hubs have 30 s for their body
_MAX_REQUEST_S: Final = 90.0


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A GET request without a body on a connection that stays open."""

    target: str
    #: the header lines as sent
    header_lines: bytes
    #: by lower-case name
    headers: Mapping[str, str]


def parse_plain(data: bytes) -> PlainRequest | None:
    """The request if `data` is exactly one plain GET of HTTP/1.1; None for anything else."""
    if len(data) > _MAX_PLAIN_BYTES or (match := _PLAIN_GET.fullmatch(data)) is None:
        return None
    headers = read_headers(match[2])
    return None if headers is None else PlainRequest(match[1].decode("ascii"), match[2], headers)


@lru_cache(256)
def read_headers(lines: bytes) -> Mapping[str, str] | None:
    """The headers of a plain GET by lower-case name, repeated ones joined (RFC 9110, 5.3); None if it is not plain.

    Remembered, since clients send the same headers with every request.
    """
    headers: dict[str, str] = {}
    for line in lines.decode("utf-8", "surrogateescape").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        key, text = name.lower(), value.strip(" \t")
        headers[key] = f"{headers[key]}{separator(key)}{text}" if key in headers else text
    is_plain = _NOT_PLAIN.isdisjoint(headers) and headers.get("connection", "keep-alive").lower() == "keep-alive"
    return MappingProxyType(headers) if is_plain else None


def separator(header: str) -> str:
    """What joins the lines of a header that stands there twice: RFC 9110, 5.3; of cookies RFC 9113, 8.2.3."""
    return "; " if header == "cookie" else ", "


class Answers(Protocol):
    """Whoever knows answers without a handler."""

    def find(self, request: PlainRequest, peer: str) -> bytes | None:
        """The whole answer to a request; None where a handler has to give it."""


def peer_of(transport: asyncio.BaseTransport | None) -> str:
    """The address of whoever is connected: of an IP address its text, ``unix`` for a unix socket, "" if unknown."""
    if transport is None:
        return ""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family == getattr(socket, "AF_UNIX", None):
        return UNIX_PEER
    name = transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple | list) and name else ""


class Connections:
    """The open connections of one server: how many there may be, which are idle, which are stuck."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        #: makes a protocol of aiohttp's server; set by the server before it listens
        self.make_handler: Callable[[], asyncio.Protocol] | None = None
        self.max_open = 2000
        self.refused = 0
        self.answered_at_once = 0
        #: how many requests were no HTTP
        self.protocol_errors: Callable[[], int] = int
        self._open: dict[asyncio.BaseTransport, Connection] = {}
        self._not_empty = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection, transport: asyncio.BaseTransport) -> bool:
        """Takes up a new connection; False if there are too many."""
        if len(self._open) >= self.max_open:
            self.refused += 1
            return False
        self._open[transport] = connection
        self._not_empty.set()
        return True

    def remove(self, transport: asyncio.BaseTransport) -> None:
        """Forgets a connection that is closed."""
        self._open.pop(transport, None)
        if not self._open:
            self._not_empty.clear()

    def started(self, transport: asyncio.BaseTransport | None) -> None:
        """A handler has begun to answer a request of this connection."""
        if transport in self._open:
            self._open[transport].begin()

    def finished(self, transport: asyncio.BaseTransport | None) -> None:
        """The answer has been written."""
        if transport in self._open:
            self._open[transport].end()

    def close_idle(self) -> None:
        """Closes the connections on which nothing is being answered."""
        for connection in [connection for connection in self._open.values() if not connection.is_busy]:
            connection.close()

    async def sweep(self, *, idle_s: float, write_s: float) -> None:
        """Ends, until it is cancelled, connections that ask for nothing or do not take their answer in time."""
        stuck_since: dict[Connection, float] = {}
        while True:
            await self._not_empty.wait()
            await asyncio.sleep(min(5.0, idle_s / 4, write_s / 4))
            now = asyncio.get_running_loop().time()
            stuck = [connection for connection in self._open.values() if connection.is_writing]
            stuck_since = {connection: stuck_since.get(connection, now) for connection in stuck}
            for connection in list(self._open.values()):
                if connection in stuck_since:
                    is_over = now - stuck_since[connection] >= write_s
                else:
                    is_over = now - connection.since >= (_MAX_REQUEST_S if connection.is_busy else idle_s)
                if is_over:
                    connection.abort()


class Connection(asyncio.Protocol):
    """One client's connection."""

    __slots__ = ("_connections", "_handler", "_is_paused", "_is_regular", "_transport", "is_busy", "peer", "since")

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._handler: asyncio.Protocol | None = None
        #: the client does not take what it has been sent
        self._is_paused = False
        #: all that has come so far were plain requests, one after the other
        self._is_regular = True
        self.peer = ""
        #: a request is being answered by a handler
        self.is_busy = False
        #: when it connected, when the request began that is being answered, or when the last one was answered
        self.since = 0.0

    @property
    def is_writing(self) -> bool:
        """Whether something waits for the client to take it."""
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    def begin(self) -> None:
        """A request is being answered."""
        self.is_busy, self.since = True, asyncio.get_running_loop().time()

    def end(self) -> None:
        """It has been."""
        self.is_busy, self.since = False, asyncio.get_running_loop().time()

    def close(self) -> None:
        """Closes the connection once what was written has been sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Closes the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection up, or hangs up at once on one too many."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not subclasses of it
        self.since = asyncio.get_running_loop().time()
        if self._connections.admit(self, transport):
            self.peer = peer_of(transport)
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answers at once what is known, and hands on the rest."""
        request = parse_plain(data) if self._is_regular and not self.is_busy else None
        if request is None:
            self._is_regular = False
        elif self._answer(request):
            return
        else:
            self.begin()
        self._inner().data_received(data)

    def eof_received(self) -> bool | None:
        """The client sends no more."""
        return self._handler.eof_received() if self._handler is not None else None

    def pause_writing(self) -> None:
        """The client does not take its answers."""
        self._is_paused = True
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        """It takes them again."""
        self._is_paused = False
        if self._handler is not None:
            self._handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        if self._transport is not None:
            self._connections.remove(self._transport)
        if self._handler is not None:
            self._handler.connection_lost(exc)
        self._transport = self._handler = None

    def _answer(self, request: PlainRequest) -> bool:
        """Whether the answer was known, and has been given."""
        if self._is_paused or self._transport is None:
            return False
        answer = self._connections.answers.find(request, self.peer)
        if answer is None:
            return False
        self._transport.write(answer)
        self.since = asyncio.get_running_loop().time()
        self._connections.answered_at_once += 1
        return True

    def _inner(self) -> asyncio.Protocol:
        """The protocol of aiohttp's server behind this connection."""
        if self._handler is None:
            if self._connections.make_handler is None or self._transport is None:
                raise ConnectionError("data for a server that has not been started, or on a closed connection")
            self._handler = self._connections.make_handler()
            self._handler.connection_made(self._transport)
            if self._is_paused:
                self._handler.pause_writing()
        return self._handler
