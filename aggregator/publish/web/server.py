"""The server: sockets, limits against slow and many clients, a stop that does not cut answers short."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from aggregator.publish.web.app import FAST_PATH
from aggregator.publish.web.fast_path import Connection

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What a client may do."""

    #: open connections in all; more are refused at once
    connections: int = 2000
    #: from connecting to the end of the first request's headers, and idle between requests
    idle_s: float = 10.0
    #: an answer that the client has not taken by then is dropped
    write_s: float = 30.0
    header_bytes: int = 8190


class WebServer:
    """A running server; made by `serve`."""

    def __init__(self, runner: web.AppRunner, limits: ServerLimits, options: Mapping[str, Any]) -> None:
        self._runner = runner
        self._limits = limits
        #: of every connection
        self._options = options
        self._listeners: list[asyncio.Server] = []
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of everything it listens on."""
        names = [sock.getsockname() for listener in self._listeners for sock in listener.sockets]
        return [(name[0], name[1]) for name in names if isinstance(name, tuple)]

    @property
    def requests(self) -> int:
        """How many requests have been taken since the start."""
        server = self._runner.server
        return server.requests_count if server else 0

    async def stop(self, *, grace_s: float = 5.0) -> None:
        """Takes no more connections, gives what is being answered `grace_s`, closes the rest. May be called twice."""
        for listener in self._listeners:
            listener.close()
        self._sweeper.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._runner.cleanup()

    async def listen(self, *, host: str | None = None, port: int = 0, sock: socket.socket | None = None) -> None:
        """Starts to take connections on an address or on a socket that is already bound."""
        loop = asyncio.get_running_loop()
        if sock is not None:
            listener = await loop.create_server(self._protocol, sock=sock, backlog=512)
        else:
            listener = await loop.create_server(self._protocol, host, port, backlog=512)
        self._listeners.append(listener)

    def _protocol(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        if server is None or len(server.connections) >= self._limits.connections:
            return _Refused()
        return Connection(server, self._runner.app[FAST_PATH], **self._options)

    async def _sweep(self) -> None:
        """Drops clients that do not take their answer."""
        waiting: dict[object, float] = {}
        while True:
            await asyncio.sleep(min(5.0, self._limits.write_s / 4))
            server = self._runner.server
            now = asyncio.get_running_loop().time()
            stuck = [handler for handler in (server.connections if server else []) if _is_writing(handler)]
            waiting = {handler: waiting.get(handler, now) for handler in stuck}
            for handler in stuck:
                if now - waiting[handler] >= self._limits.write_s and handler.transport is not None:
                    handler.transport.abort()


def _is_writing(handler: web.RequestHandler) -> bool:
    transport = handler.transport
    return transport is not None and transport.get_write_buffer_size() > 0


class _Refused(asyncio.Protocol):
    """Hangs up on a connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()


async def serve(
    app: web.Application,
    *,
    listen: str = "",
    sockets: Sequence[socket.socket] = (),
    limits: ServerLimits | None = None,
) -> WebServer:
    """Serves `app` on the sockets that were handed over (systemd), else on `listen` (``127.0.0.1:8080``, ``[::]:80``).

    Returns once connections are taken. OSError: the address is in use or not ours. ValueError: it is no address.
    """
    limits = limits or ServerLimits()
    options: dict[str, Any] = {
        "access_log": None,
        "keepalive_timeout": limits.idle_s,
        "lingering_time": 2.0,
        "max_line_size": limits.header_bytes,
        "max_field_size": limits.header_bytes,
    }
    runner = web.AppRunner(app, shutdown_timeout=4.0, **options)
    await runner.setup()
    server = WebServer(runner, limits, options)
    try:
        for sock in sockets:
            await server.listen(sock=sock)
        if not sockets:
            host, port = split_listen(listen)
            await server.listen(host=host or None, port=port)
    except BaseException:
        await server.stop()
        raise
    addresses = ",".join(f"{host}:{port}" for host, port in server.addresses)
    _log.info("listening", extra={"addresses": addresses})
    return server


def split_listen(listen: str) -> tuple[str, int]:
    """``host:port`` in two; an empty host is every address. ValueError: not of that form."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"listen = {listen!r}: expected HOST:PORT, e.g. 127.0.0.1:8080 or [::1]:8080")
    return host.removeprefix("[").removesuffix("]"), int(port)
