"""Names into addresses, and addresses into sockets: the one place where the guard stands.

A name is resolved once; what the guard refuses is dropped from the answer, and the socket factory, which sees the very
address that is about to be connected to, asks the guard again (addresses written as numbers never pass the resolver).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler

from aggregator.collect.guard import Guard
from aggregator.errors import FetchError

#: how long an answer is remembered: from the moment a request asks where it goes, through the wait for its turn there,
#: until it is sent
_REMEMBERED_S = 60.0
#: names looked up at one time. The default executor has six threads on two cores, and twenty dead names then hold up
#: all others for seconds
_LOOK_UPS = 32
AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]
#: whatever answers as getaddrinfo does, its errors returned instead of raised: host, port, family
LookUp = Callable[[str, int, socket.AddressFamily], list[AddressInfo] | OSError]
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class RefusedAddress(OSError):
    """The guard said no. An OSError, because that is what connectors expect of a failing socket."""

    def __init__(self, reason: FetchError) -> None:
        self.reason = reason
        super().__init__(str(reason))


class ResolveTimeout(OSError):
    """No answer to a name in time."""


class GuardedResolver(AbstractResolver):
    """getaddrinfo (or `look_up`) with a deadline, without the addresses that the guard refuses."""

    def __init__(self, guard: Guard, *, timeout_s: float, look_up: LookUp | None = None) -> None:
        self._guard = guard
        self._timeout_s = timeout_s
        self._ask = look_up or _getaddrinfo
        self._free = asyncio.Semaphore(_LOOK_UPS)
        #: what was found, and until when it is remembered; the oldest first
        self._found: dict[tuple[str, int, socket.AddressFamily], tuple[float, list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host` that may be dialled. OSError: none, refused, or no answer in time."""
        question = host, port, family
        self._forget()
        if question in self._found:
            return self._found[question][1]
        addresses = await self._look_up(host, port, family)
        allowed = [found for found in addresses if self._guard.refuses(found["host"]) is None]
        if not allowed:
            raise _refused(self._guard, [found["host"] for found in addresses])
        self._found[question] = asyncio.get_running_loop().time() + _REMEMBERED_S, allowed
        return allowed

    def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._found and next(iter(self._found.values()))[0] <= now:
            del self._found[next(iter(self._found))]

    async def close(self) -> None:
        """Nothing to let go of: look-ups that are under way end by themselves."""

    async def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._free.acquire()
                infos = await _answered(partial(self._ask, host, port, family), done=self._free.release)
        except TimeoutError:
            raise ResolveTimeout(f"no answer within {self._timeout_s:g} s") from None
        return [
            ResolveResult(hostname=host, host=str(address[0]), port=port, family=kind, proto=proto, flags=_NUMERIC)
            for kind, _, proto, _, address in infos
        ]


class GuardedConnector(aiohttp.TCPConnector):
    """Opens no socket to an address the guard refuses. How many at once is the caller's business."""

    def __init__(self, guard: Guard, resolver: GuardedResolver) -> None:
        self._guard = guard
        super().__init__(resolver=resolver, use_dns_cache=False, socket_factory=self._socket, limit=0)
        handler: type[ResponseHandler] = _Handler
        self._factory = partial(handler, loop=self._loop)

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        try:
            self._guard.check(str(address[0]))
        except FetchError as refusal:
            raise RefusedAddress(refusal) from None
        return socket.socket(family, kind, protocol)


class _Handler(ResponseHandler):
    """Cuts off the body that some servers send behind a 304; the parser would take it for a second, bad answer.

    RFC 9110 15.4.5 forbids such a body; what the status says is plain all the same.
    """

    def data_received(self, data: bytes) -> None:
        if data.startswith((b"HTTP/1.1 304", b"HTTP/1.0 304")):
            head, end, _ = data.partition(b"\r\n\r\n")
            data = head + end
        super().data_received(data)


def _answered(
    ask: Callable[[], list[AddressInfo] | OSError], *, done: Callable[[], None]
) -> asyncio.Future[list[AddressInfo]]:
    """The answer of getaddrinfo, from a thread of its own; `done` is called when that thread ends, waited for or not.

    A daemon thread: getaddrinfo cannot be interrupted, and an executor's threads would hold up the end of the process
    for as long as a dead name server takes.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[AddressInfo]] = loop.create_future()

    def settle(found: list[AddressInfo] | OSError) -> None:
        done()
        if future.done():
            return
        if isinstance(found, OSError):
            future.set_exception(found)
        else:
            future.set_result(found)

    def look_up() -> None:
        found = ask()
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits any more
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    return future


def _getaddrinfo(host: str, port: int, family: socket.AddressFamily) -> list[AddressInfo] | OSError:
    try:
        return socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that IDNA cannot write
        return socket.gaierror(socket.EAI_NONAME, f"not a host name: {error}")
    except OSError as error:
        return error


def _refused(guard: Guard, addresses: list[str]) -> OSError:
    try:
        for address in addresses:
            guard.check(address)
    except FetchError as refusal:
        return RefusedAddress(refusal)
    return socket.gaierror(socket.EAI_NONAME, "the name has no address")
