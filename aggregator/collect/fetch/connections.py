"""Connections to servers: opened when they are needed, kept for the next request where the server allows it.

    exchange(request)   a kept connection, or a new one → send → head · body, piece by piece

What was kept may have been closed meanwhile: a GET that got not a byte in answer is sent once more, over a new one.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from base64 import b64encode
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, cast
from urllib.parse import unquote_to_bytes

from yarl import URL

from aggregator.collect.fetch.deadline import Deadline
from aggregator.collect.fetch.dialer import Address, ConnectTimeout, Dialer
from aggregator.collect.fetch.http1 import Head, ProtocolError, ResponseParser

#: how long a connection is kept for another request, in seconds
KEPT_S = 15.0
#: how long a server is given to say goodbye to an encrypted connection
_FAREWELL_S = 2.0
#: of a body that nobody has read yet; the rest waits in the network
_MAX_BUFFERED_BYTES = 262_144


class Silence(OSError):
    """Nothing was heard in time."""


class Disconnected(OSError):
    """The other side closed the connection without an answer."""


class Origin(NamedTuple):
    """What a connection leads to (RFC 9110 4.3.1): the requests for one origin can share it."""

    secure: bool
    host: str
    port: int


class Turn(Protocol):
    """When a request may be sent."""

    async def ready(self) -> None:
        """Returns when it may be sent now."""

    def sent(self) -> None:
        """It is on its way."""


class Request(NamedTuple):
    """What is asked of whom: `head` and `body` as they are sent."""

    origin: Origin
    method: str
    head: bytes
    body: bytes


def request(method: str, url: URL, fields: Mapping[str, str], body: bytes = b"") -> Request:
    """The request as it is sent: `fields`, what HTTP needs beside them, and nothing else.

    Values are Latin-1, as they are received: a validator goes back byte for byte. Raises ValueError.
    """
    lines = [f"{method} {url.raw_path_qs} HTTP/1.1", f"Host: {url.host_port_subcomponent}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if (url.raw_user is not None or url.raw_password is not None) and "Authorization" not in fields:
        lines.append(f"Authorization: {_basic(url)}")
    if body or method not in {"GET", "HEAD"}:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines).encode("latin-1")
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1 or b"\0" in head:
        raise ValueError("a header with a control character in it")
    return Request(origin_of(url), method, head + b"\r\n\r\n", body)


def origin_of(url: URL) -> Origin:
    """Scheme, host and port of `url`."""
    host = str(url.raw_host)
    if host.endswith(".."):
        host = host.rstrip(".") + "."
    return Origin(url.scheme == "https", host, url.port or 0)


def _basic(url: URL) -> str:
    """RFC 7617, of the credentials in an address: UTF-8, or whatever bytes it has percent-encoded."""
    user, password = (unquote_to_bytes(text or "") for text in (url.raw_user, url.raw_password))
    return "Basic " + b64encode(user + b":" + password).decode()


class Connection(asyncio.Protocol):
    """One connection: sends requests, and reads their answers. It is among `all_open` as long as it is open."""

    def __init__(self, origin: Origin, all_open: set[Connection]) -> None:
        self.origin = origin
        #: whether anything has come back since the last request
        self.answered = False
        #: since when it is not in use, on the loop's clock
        self.idle_since_s = 0.0
        self.transport: asyncio.Transport | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._all_open = all_open
        self._deadline: Deadline | None = None
        self._parser: ResponseParser | None = None
        self._pieces: deque[bytes] = deque()
        self._buffered_bytes = 0
        self._paused = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_fit(self) -> bool:
        """Whether another request can go this way: it is open, and the last answer has come to its end."""
        is_open = self.transport is not None and not self.transport.is_closing()
        return is_open and (self._parser is None or self._parser.is_reusable)

    @property
    def is_length_wrong(self) -> bool:
        """More has come than the answer had announced."""
        return self._parser is not None and self._parser.is_length_wrong

    def ask(self, asked: Request, deadline: Deadline, *, silence_s: float) -> None:
        """Sends; from now on the server may be silent for `silence_s` at the most."""
        assert self.transport is not None, "it is connected"  # noqa: S101
        self.answered = False
        self._parser = ResponseParser(bodiless=asked.method == "HEAD")
        self._pieces.clear()
        self._buffered_bytes = 0
        self._deadline = deadline
        deadline.wait(silence_s, self._fall_silent)
        self.transport.write(asked.head + asked.body)

    async def head(self) -> Head:
        """Status and fields of the answer. Raises OSError, ProtocolError."""
        parser = self._parser
        assert parser is not None, "it was asked"  # noqa: S101
        while parser.head is None:
            await self._wait()
        return parser.head

    async def piece(self) -> bytes:
        """The next piece of the body, as it has come in; empty: there is no more. Raises OSError, ProtocolError."""
        while not self._pieces:
            if self._parser is None or self._parser.is_complete:
                return b""
            await self._wait()
        piece = self._pieces.popleft()
        self._buffered_bytes -= len(piece)
        if self._paused and self.transport is not None and self._buffered_bytes < _MAX_BUFFERED_BYTES:
            self._paused = False
            self.transport.resume_reading()
        return piece

    def rest(self) -> None:
        """Nobody waits for anything any more."""
        if self._deadline is not None:
            self._deadline.settled()
        self._deadline = None
        self._pieces.clear()

    def close(self) -> None:
        """Closes in good order."""
        if self.transport is not None:
            self.transport.close()

    def break_off(self) -> None:
        """Closes at once; whoever reads is told."""
        self._fail(ConnectionAbortedError("closed meanwhile"))
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open. Event loops set TCP_NODELAY themselves."""
        self.transport = cast("asyncio.Transport", transport)
        self._all_open.add(self)

    def data_received(self, data: bytes) -> None:
        """Who speaks without being asked is not listened to."""
        if self._deadline is None or self._parser is None:
            self.break_off()
            return
        self.answered = True
        self._deadline.heard()
        try:
            pieces = self._parser.receive(data)
        except ProtocolError as error:
            self._fail(error)
            return
        self._pieces += pieces
        self._buffered_bytes += sum(map(len, pieces))
        if self._buffered_bytes >= _MAX_BUFFERED_BYTES and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        self._all_open.discard(self)
        if not self.closed.done():
            self.closed.set_result(None)
        if self._parser is None or self._parser.is_complete:
            return
        if exc is not None:
            self._fail(exc)
        elif self._parser.head is None:
            self._fail(Disconnected("closed without a whole head"))
        else:
            self._end()

    def _end(self) -> None:
        try:
            cast("ResponseParser", self._parser).end()
        except ProtocolError as error:
            self._fail(error)
        else:
            self._wake()

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        """Until something has happened. Raises what went wrong."""
        if self._error is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._error is not None and not self._pieces:
            raise self._error

    def _fall_silent(self) -> None:
        if self._deadline is not None and self.transport is not None and self.transport.get_write_buffer_size():
            self._deadline.heard()  # how could it answer what it has not got yet?
            return
        if self._parser is not None and self._parser.is_whole_but_for_trailers:
            self._end()  # it is complete for all who do not wait for trailers, and its connection is not used again
            return
        self._fail(Silence("nothing was heard in time"))


class Answer:
    """Status, headers and body. `end` must be called, and may be twice."""

    def __init__(self, head: Head, connection: Connection, let_go: Callable[[Connection], None]) -> None:
        self.status, self.headers = head.status, head.headers
        self._connection = connection
        self._let_go = let_go
        self._ended = False

    async def piece(self) -> bytes:
        """The next piece of the body; empty: there is no more. Raises OSError, ProtocolError (TruncatedBody)."""
        return await self._connection.piece()

    @property
    def is_length_wrong(self) -> bool:
        """More has come than the answer had announced: what was read is not the whole."""
        return self._connection.is_length_wrong

    def end(self) -> None:
        """Lets the connection go; it is not used again if there is more of the body."""
        if not self._ended:
            self._ended = True
            self._let_go(self._connection)


class Connections:
    """Opens connections and holds those that are kept. To be used within one event loop."""

    def __init__(self, dialer: Dialer, *, within_s: float, kept_s: float = KEPT_S) -> None:
        self._dialer = dialer
        self._within_s, self._kept_s = within_s, kept_s
        self._loop = asyncio.get_running_loop()
        self._open: set[Connection] = set()
        self._kept: defaultdict[Origin, list[Connection]] = defaultdict(list)
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def exchange(
        self, asked: Request, deadline: Deadline, *, silence_s: float, turn: Turn | None = None
    ) -> Answer:
        """The head of the answer to `asked`, which is sent in its turn. Raises OSError, ProtocolError."""
        if (connection := self.kept(asked.origin)) is not None:
            try:
                return await self._answer(asked, connection, deadline, silence_s, turn)
            except OSError as error:
                if connection.answered or asked.method != "GET" or isinstance(error, Silence):
                    raise
            except ProtocolError:
                # the rest of an earlier answer may have come late
                if asked.method != "GET":
                    raise
        connection = await self.opened(asked.origin, deadline)
        return await self._answer(asked, connection, deadline, silence_s, turn)

    async def _answer(
        self, asked: Request, connection: Connection, deadline: Deadline, silence_s: float, turn: Turn | None
    ) -> Answer:
        try:
            if turn is not None:
                await turn.ready()
            connection.ask(asked, deadline, silence_s=silence_s)
            if turn is not None:
                turn.sent()
            return Answer(await connection.head(), connection, self.let_go)
        except BaseException:
            connection.break_off()
            raise

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """Where a new one would lead. Raises OSError; FetchError ``bad-url``."""
        return await self._dialer.addresses(host, port)

    def kept(self, origin: Origin) -> Connection | None:
        """A connection to `origin` that was used before and can be used again; it is no longer kept."""
        left = self._kept.get(origin)
        oldest_s = self._loop.time() - self._kept_s
        while left:
            connection = left.pop()
            if connection.is_fit and connection.idle_since_s >= oldest_s:
                return connection
            connection.close()
        return None

    async def opened(self, origin: Origin, deadline: Deadline) -> Connection:
        """A new one. Raises OSError; FetchError ``bad-url``."""
        left = list(await self.addresses(origin.host, origin.port))
        self._check_open()
        while True:
            until_s = self._loop.time() + self._within_s
            sock, address = await self._dialer.reach(left, deadline, within_s=self._within_s)
            try:
                connection = await self._connected(sock, origin, until_s)
                break
            except OSError:  # TLS has failed: another address of the name may be another machine
                left.remove(address)
                if not left:
                    raise
        try:
            self._check_open()
        except OSError:
            connection.break_off()
            raise
        return connection

    def let_go(self, connection: Connection) -> None:
        """`connection` has served: it is kept if it can be, and closed if not."""
        is_fit = connection.is_fit
        connection.rest()
        if self._closed or not is_fit:
            connection.break_off()
            return
        connection.idle_since_s = self._loop.time()
        self._kept[connection.origin].append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._kept_s, self._close_idle)

    async def close(self) -> None:
        """Closes all, those that are in use included."""
        self._closed = True
        self._kept.clear()
        if self._sweep is not None:
            self._sweep.cancel()
        ends = [connection.closed for connection in self._open]
        for connection in list(self._open):
            connection.break_off()
        await asyncio.gather(*ends, return_exceptions=True)

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectionAbortedError("closed meanwhile")

    async def _connected(self, sock: socket.socket, origin: Origin, until_s: float) -> Connection:
        connection = Connection(origin, self._open)
        if not origin.secure:
            await self._loop.create_connection(lambda: connection, sock=sock)
            return connection
        try:
            async with asyncio.timeout_at(until_s):
                await self._loop.create_connection(
                    lambda: connection,
                    sock=sock,
                    ssl=_tls(),
                    server_hostname=origin.host.rstrip("."),  # certificates are for names without it
                    ssl_shutdown_timeout=_FAREWELL_S,
                )
        except TimeoutError:
            raise ConnectTimeout("no encrypted connection in time") from None
        return connection

    def _close_idle(self) -> None:
        """Closes what has not been used for long, and what the other side has closed."""
        oldest_s = self._loop.time() - self._kept_s
        for origin, connections in list(self._kept.items()):
            left = [one for one in connections if one.is_fit and one.idle_since_s > oldest_s]
            for connection in connections:
                if connection not in left:
                    connection.close()
            if left:
                self._kept[origin] = left
            else:
                del self._kept[origin]
        self._sweep = self._loop.call_later(self._kept_s, self._close_idle) if self._kept else None


@functools.cache
def _tls() -> ssl.SSLContext:
    """What encrypted connections are made with: the system's authorities, which take 20 ms to load."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
