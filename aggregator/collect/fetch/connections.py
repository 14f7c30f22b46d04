"""Connections to servers: opened when they are needed, kept for the next request where the server allows it."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

from aggregator.collect.fetch.deadline import Deadline
from aggregator.collect.fetch.dialer import Address, Dialer

#: how long a connection is kept for another request, in seconds
KEPT_S = 15.0
#: how long a server is given to say goodbye to an encrypted connection
_FAREWELL_S = 2.0
_NOT_MODIFIED = (b"HTTP/1.1 304", b"HTTP/1.0 304")


class Origin(NamedTuple):
    """What a connection leads to: the requests for one place can share it."""

    secure: bool
    host: str
    port: int


class Connection(ResponseHandler):
    """One connection: what is sent, and aiohttp's parser for what comes back.

    It is among `all_open` as long as it is open.
    """

    def __init__(self, origin: Origin, loop: asyncio.AbstractEventLoop, all_open: set[Connection]) -> None:
        super().__init__(loop)
        self.origin = origin
        #: whether anything has come back since the last request
        self.answered = False
        #: since when it is not in use, on the loop's clock
        self.idle_since_s = 0.0
        self._all_open = all_open
        self._deadline: Deadline | None = None
        self._reading: aiohttp.StreamReader | None = None

    @property
    def is_fit(self) -> bool:
        """Whether another request can go this way: it is open, and the last answer has come to its end."""
        return self.is_connected() and not self.should_close

    def ask(self, request: bytes, deadline: Deadline, *, silence_s: float) -> None:
        """Sends; from now on the server may be silent for `silence_s` at the most."""
        assert self.transport is not None, "it is connected"  # noqa: S101
        self.answered = False
        self._deadline = deadline
        deadline.wait(silence_s, self._fall_silent)
        self.transport.write(request)

    def reads(self, body: aiohttp.StreamReader) -> None:
        """From now on it is `body` that somebody waits for."""
        self._reading = body

    def rest(self) -> None:
        """Nobody waits for anything any more."""
        if self._deadline is not None:
            self._deadline.settled()
        self._reading = self._deadline = None

    def close(self) -> None:
        """Closes in good order."""
        if self.transport is not None:
            self.transport.close()

    def break_off(self) -> None:
        """Closes at once; whoever reads is told."""
        if self._reading is not None:
            self._reading.set_exception(ConnectionAbortedError("closed meanwhile"))
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open. Event loops set TCP_NODELAY themselves."""
        self.transport = cast("asyncio.Transport", transport)
        self._all_open.add(self)

    def data_received(self, data: bytes) -> None:
        """Takes note, and cuts off the body that some servers send behind a 304.

        RFC 9110 15.4.5 forbids such a body, and what the status says is plain all the same; the parser would take it
        for a second, bad answer, and the next request might get the rest of it. Who speaks without being asked is not
        listened to.
        """
        if self._deadline is None:
            self.break_off()
            return
        self.answered = True
        self._deadline.heard()
        if data.startswith(_NOT_MODIFIED):
            head, end, more = data.partition(b"\r\n\r\n")
            data = head + end
            if more:
                self.force_close()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is closed."""
        super().connection_lost(exc)
        self._all_open.discard(self)

    def _fall_silent(self) -> None:
        if self._deadline is not None and self.transport is not None and self.transport.get_write_buffer_size():
            self._deadline.heard()  # how could it answer what it has not got yet?
            return
        silent = aiohttp.SocketTimeoutError("nothing was heard in time")
        self.set_exception(silent)
        if self._reading is not None:
            self._reading.set_exception(silent)


class Connections:
    """Opens connections and holds those that are kept. To be used within one event loop."""

    def __init__(self, dialer: Dialer, *, within_s: float, kept_s: float = KEPT_S) -> None:
        self._dialler = dialer
        self._within_s, self._kept_s = within_s, kept_s
        self._loop = asyncio.get_running_loop()
        self._open: set[Connection] = set()
        self._kept: defaultdict[Origin, list[Connection]] = defaultdict(list)
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """Where a new one would lead. OSError; FetchError ``bad-url``."""
        return await self._dialler.addresses(host, port)

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
        """A new one. OSError; FetchError ``bad-url``."""
        left = list(await self.addresses(origin.host, origin.port))
        self._check_open()
        while True:
            until_s = self._loop.time() + self._within_s
            sock, address = await self._dialler.reach(left, deadline, within_s=self._within_s)
            try:
                connection = await self._talking(sock, origin, until_s)
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

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectionAbortedError("closed meanwhile")

    def let_go(self, connection: Connection) -> None:
        """`connection` has served: it is kept if it can be, and closed if not."""
        connection.rest()
        if self._closed or not connection.is_fit:
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
        ends = [end for connection in self._open if (end := connection.closed) is not None]
        for connection in list(self._open):
            connection.break_off()
        await asyncio.gather(*ends, return_exceptions=True)

    async def _talking(self, sock: socket.socket, origin: Origin, until_s: float) -> Connection:
        connection = Connection(origin, self._loop, self._open)
        if not origin.secure:
            await self._loop.create_connection(lambda: connection, sock=sock)
        else:
            await self._encrypted(sock, connection, until_s)
        return connection

    async def _encrypted(self, sock: socket.socket, connection: Connection, until_s: float) -> None:
        try:
            async with asyncio.timeout_at(until_s):
                await self._loop.create_connection(
                    lambda: connection,
                    sock=sock,
                    ssl=_tls(),
                    server_hostname=connection.origin.host.rstrip("."),  # certificates are for names without it
                    ssl_shutdown_timeout=_FAREWELL_S,
                )
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError("no encrypted connection in time") from None

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
