"""The server: sockets, limits for slow and for many clients, and a stop that lets responses finish."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from aggregator.publish.web.app import CONNECTIONS
from aggregator.publish.web.connection import Connection, Connections

_log = logging.getLogger(__name__)

_UNIX: Final = "unix:"
_BACKLOG: Final = 512
#: aiohttp's own timer for idle connections is not used: it does not know of requests that were answered without it
_NEVER_S: Final = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What a client may do."""

    #: open connections in all; more are refused at once
    connections: int = 2000
    #: from connecting to the end of the first request's headers, and idle between requests
    idle_s: float = 10.0
    #: an answer that the client has not taken by then is dropped
    write_s: float = 30.0
    #: of the request line
    line_bytes: int = 8190
    #: of one header: neighbours on the same host may have set many cookies
    header_bytes: int = 32 * 1024


class _ProtocolErrors(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's log. It tells of requests that are not HTTP, with a traceback each: they are counted instead."""

    def __init__(self) -> None:
        super().__init__(_log)
        self.count = 0

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Counts a record, and writes it without its traceback at debug level."""
        self.count += level >= logging.WARNING or bool(kwargs.get("exc_info"))
        why = " ".join(repr(kwargs.get("exc_info"))[:200].split())
        self.logger.debug("malformed request", extra={"aiohttp": str(msg) % args if args else msg, "why": why})


class WebServer:
    """A running server; made by `serve`."""

    def __init__(self, runner: web.AppRunner, connections: Connections, limits: ServerLimits) -> None:
        self._runner = runner
        self._connections = connections
        self._listeners: list[asyncio.Server] = []
        self._paths: list[Path] = []
        sweep = connections.sweep(idle_s=limits.idle_s, write_s=limits.write_s)
        self._sweeper = asyncio.get_running_loop().create_task(sweep)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of every IP address it listens on."""
        names = [sock.getsockname() for listener in self._listeners for sock in listener.sockets]
        return [(name[0], name[1]) for name in names if isinstance(name, tuple)]

    @property
    def requests(self) -> int:
        """How many requests have been taken since the start."""
        server = self._runner.server
        return self._connections.answered_at_once + (server.requests_count if server else 0)

    async def stop(self, *, grace_s: float = 5.0) -> None:
        """Takes no more connections, gives what is being answered `grace_s`, closes the rest. May be called twice."""
        for listener in self._listeners:
            listener.close()
        for path in self._paths:
            path.unlink(missing_ok=True)
        self._paths.clear()
        self._sweeper.cancel()
        self._connections.close_idle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._runner.cleanup()

    async def listen(self, sock: socket.socket) -> None:
        """Starts to take connections on a bound socket."""
        loop = asyncio.get_running_loop()
        if sock.family == getattr(socket, "AF_UNIX", None):
            listener = await loop.create_unix_server(self._protocol, sock=sock, backlog=_BACKLOG)
        else:
            listener = await loop.create_server(self._protocol, sock=sock, backlog=_BACKLOG)
        self._listeners.append(listener)

    def removes(self, path: Path) -> None:
        """The file of a unix socket that goes when the server stops."""
        self._paths.append(path)

    def _protocol(self) -> asyncio.Protocol:
        return Connection(self._connections)


async def serve(
    app: web.Application,
    *,
    listen: str | Sequence[str] = (),
    sockets: Sequence[socket.socket] = (),
    socket_mode: int = 0o660,
    limits: ServerLimits | None = None,
) -> WebServer:
    """Serves `app` on the sockets that were handed over (systemd), else on every address in `listen`.

    An address is ``127.0.0.1:8080``, ``[::]:80`` (IPv4 as well) or ``unix:/run/site.sock``, whose file gets the
    permissions `socket_mode`. Returns once connections are taken. OSError: an address is in use or not ours.
    ValueError: it is no address.
    """
    limits = limits or ServerLimits()
    connections = app[CONNECTIONS]
    connections.max_open = limits.connections
    errors = _ProtocolErrors()
    connections.protocol_errors = lambda: errors.count
    runner = web.AppRunner(
        app,
        shutdown_timeout=4.0,
        logger=errors,
        access_log=_log,
        access_log_class=_finishes(connections),
        keepalive_timeout=_NEVER_S,
        lingering_time=2.0,
        max_line_size=limits.line_bytes,
        max_field_size=limits.header_bytes,
    )
    await runner.setup()
    connections.make_handler = runner.server
    server = WebServer(runner, connections, limits)
    try:
        if not sockets:
            addresses = [listen] if isinstance(listen, str) else listen
            sockets = [sock for address in addresses for sock in _bind(address, socket_mode, server)]
        for sock in sockets:
            await server.listen(sock)
    except BaseException:
        await server.stop()
        raise
    _log.info("listening", extra={"addresses": ",".join(map(_written, sockets))})
    return server


def _finishes(connections: Connections) -> type[AbstractAccessLogger]:
    """Aiohttp's access log is called when an answer has been written: tells the connection so."""

    class Finishes(AbstractAccessLogger):
        def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
            del response, time
            connections.finished(request.transport)

    return Finishes


def split_listen(listen: str) -> tuple[str, int]:
    """``host:port`` in two; an empty host is every address. ValueError: not of that form."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(
            f"listen = {listen!r}: expected HOST:PORT, e.g. 127.0.0.1:8080 or [::1]:8080, or unix:/path/of/a.sock"
        )
    return host.removeprefix("[").removesuffix("]"), int(port)


def _bind(address: str, socket_mode: int, server: WebServer) -> Iterable[socket.socket]:
    """The listening sockets of one address of the configuration. OSError, ValueError."""
    if address.startswith(_UNIX):
        path = Path(address.removeprefix(_UNIX))
        yield _bind_unix(path, socket_mode)
        server.removes(path)
        return
    host, port = split_listen(address)
    if host in ("", "::") and socket.has_dualstack_ipv6():
        yield socket.create_server(("::", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
        return
    seen = set()
    for family, _, _, _, name in socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM):  # noqa: S104
        if name not in seen:
            seen.add(name)
            yield socket.create_server((str(name[0]), port), family=family, backlog=_BACKLOG)


def _bind_unix(path: Path, mode: int) -> socket.socket:
    """A unix socket at `path`, where one that nobody listens on any more is replaced. OSError."""
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), str(path))
        path.unlink()
    sock = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o777 & ~mode)
    try:
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.umask(mask)
    path.chmod(mode)
    return sock


def _written(sock: socket.socket) -> str:
    """The address of a socket as it stands in the configuration."""
    name = sock.getsockname()
    if not isinstance(name, tuple):
        return f"{_UNIX}{os.fsdecode(name)}"
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
