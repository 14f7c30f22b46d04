"""Names into addresses, and addresses into sockets: the one place where the guard stands.

A name is resolved once, and what the guard refuses is dropped from the answer. Whoever opens a socket asks the guard
again, with the very address that is about to be connected to (addresses written as numbers never pass the resolver).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from aggregator.collect.fetch.deadline import Deadline
from aggregator.collect.guard import Guard
from aggregator.errors import FetchError

#: how long an answer is remembered: from the moment a request asks where it goes, through the wait for its turn there,
#: until it is sent
_REMEMBERED_S = 60.0
#: names looked up at one time. The default executor has six threads on two cores, and twenty dead names then hold up
#: all others for seconds
_LOOK_UPS = 32
#: what an address is given before the next one is tried beside it (RFC 8305 5)
_STAGGER_S = 0.25
AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]
#: whatever answers as getaddrinfo does, its errors returned instead of raised: host, port, family
LookUp = Callable[[str, int, socket.AddressFamily], list[AddressInfo] | OSError]
_STREAM = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Address(NamedTuple):
    """Where a socket can be connected to; `where` as sockets of its `family` have it, the numeric host first."""

    family: int
    where: tuple[Any, ...]

    @property
    def host(self) -> str:
        """The numeric address."""
        return str(self.where[0])


class ConnectTimeout(OSError):
    """No connection within its time."""


class RefusedAddress(OSError):
    """The guard said no. An OSError, because the next address of the same name may be allowed."""

    def __init__(self, reason: FetchError) -> None:
        self.reason = reason
        super().__init__(str(reason))


class ResolveTimeout(OSError):
    """No answer to a name in time."""


class GuardedResolver:
    """getaddrinfo (or `look_up`) with a deadline, without the addresses that the guard refuses."""

    def __init__(self, guard: Guard, *, timeout_s: float, look_up: LookUp | None = None) -> None:
        self._guard = guard
        self._timeout_s = timeout_s
        self._ask = look_up or _getaddrinfo
        self._free = asyncio.Semaphore(_LOOK_UPS)
        #: what was found, and until when it is remembered; the oldest first
        self._found: dict[tuple[str, int], tuple[float, list[Address]]] = {}

    async def resolve(self, host: str, port: int) -> list[Address]:
        """The addresses of `host` that may be dialled. OSError: none, refused, or no answer in time."""
        question = host, port
        self._forget()
        if question in self._found:
            return self._found[question][1]
        addresses = await self._look_up(host, port)
        allowed = [found for found in addresses if self._guard.refuses(found.host) is None]
        if not allowed:
            raise _refused(self._guard, addresses)
        self._found[question] = asyncio.get_running_loop().time() + _REMEMBERED_S, allowed
        return allowed

    def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._found and next(iter(self._found.values()))[0] <= now:
            del self._found[next(iter(self._found))]

    async def _look_up(self, host: str, port: int) -> list[Address]:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._free.acquire()
                infos = await _answered(partial(self._ask, host, port, socket.AF_UNSPEC), done=self._free.release)
        except TimeoutError:
            raise ResolveTimeout(f"no answer within {self._timeout_s:g} s") from None
        return [Address(family, (where[0], port, *where[2:])) for family, _, _, _, where in infos]


class Dialer:
    """Opens sockets, none to an address the guard refuses. How many at once is the caller's business."""

    def __init__(self, guard: Guard, resolver: GuardedResolver) -> None:
        self._guard = guard
        self._resolver = resolver
        self._loop = asyncio.get_running_loop()

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """Where `host`, a name or a number, can be reached. OSError; FetchError ``bad-url``: a number that is none."""
        if ":" in host:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=_NUMERIC)  # asks nobody
            return [Address(family, where) for family, _, _, _, where in found]
        if host.replace(".", "").isdigit():
            _check_canonical(host)
            return [Address(socket.AF_INET, (host, port))]
        return await self._resolver.resolve(host, port)

    async def reach(
        self, addresses: Sequence[Address], deadline: Deadline, *, within_s: float
    ) -> tuple[socket.socket, Address]:
        """A socket that is connected to one of `addresses`, and to which. OSError; ConnectTimeout."""
        answers: set[asyncio.Future[None]] = set()
        deadline.wait(within_s, partial(_give_up, answers))
        if len(addresses) == 1:
            return await self._open(addresses[0], answers), addresses[0]
        return await self._race(addresses, answers)

    async def _open(self, address: Address, answers: set[asyncio.Future[None]]) -> socket.socket:
        try:
            self._guard.check(address.host)
        except FetchError as refusal:
            raise RefusedAddress(refusal) from None
        opened = socket.socket(address.family, _STREAM, socket.IPPROTO_TCP)
        try:
            await self._connect(opened, address, answers)
        except BaseException:
            opened.close()
            raise
        return opened

    async def _connect(self, opened: socket.socket, address: Address, answers: set[asyncio.Future[None]]) -> None:
        """Waits for an answer, which stands among `answers` until it is there."""
        failed = opened.connect_ex(address.where)
        if failed == errno.EINPROGRESS:
            answer, fd = self._loop.create_future(), opened.fileno()
            answers.add(answer)
            self._loop.add_writer(fd, _settle, answer)
            try:
                await answer
            finally:
                answers.discard(answer)
                self._loop.remove_writer(fd)
            failed = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise OSError(failed, os.strerror(failed))

    async def _race(
        self, addresses: Sequence[Address], answers: set[asyncio.Future[None]]
    ) -> tuple[socket.socket, Address]:
        """One after the other, without waiting long for any; whichever accepts first (RFC 8305, "happy eyeballs")."""
        waiting = _alternating(addresses)
        trying: dict[asyncio.Task[socket.socket], Address] = {}
        try:
            while True:
                if waiting:
                    address = waiting.pop(0)
                    trying[asyncio.create_task(self._open(address, answers))] = address
                wait_s = _STAGGER_S if waiting else None
                done, _ = await asyncio.wait(trying, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    address = trying.pop(task)
                    error = task.exception()
                    if error is None:
                        return task.result(), address
                    if isinstance(error, ConnectTimeout) or not (waiting or trying):
                        raise error
        finally:
            for task in trying:
                task.add_done_callback(_discard)
                task.cancel()


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

    try:
        threading.Thread(target=look_up, name="resolve", daemon=True).start()
    except RuntimeError as error:  # TasksMax, RLIMIT_NPROC, no memory
        done()
        raise OSError(errno.EAGAIN, str(error)) from None
    return future


def _getaddrinfo(host: str, port: int, family: socket.AddressFamily) -> list[AddressInfo] | OSError:
    try:
        return socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that IDNA cannot write
        return socket.gaierror(socket.EAI_NONAME, f"not a host name: {error}")
    except OSError as error:
        return error


def _refused(guard: Guard, addresses: Sequence[Address]) -> OSError:
    try:
        for address in addresses:
            guard.check(address.host)
    except FetchError as refusal:
        return RefusedAddress(refusal)
    return socket.gaierror(socket.EAI_NONAME, "the name has no address")


def _check_canonical(host: str) -> None:
    """FetchError unless it is a dotted quad: systems take 127.1 and 017700000001 for one, the guard does not."""
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        why = f"Not an address that can be fetched: {host} is no IPv4 address"
        raise FetchError("bad-url", why, permanent=True) from None


def _settle(answer: asyncio.Future[None]) -> None:
    if not answer.done():
        answer.set_result(None)


def _give_up(answers: set[asyncio.Future[None]]) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(ConnectTimeout("the connection was not accepted in time"))


def _alternating(addresses: Sequence[Address]) -> list[Address]:
    """In their order, but the families by turns (RFC 8305 4)."""
    first = [address for address in addresses if address.family == addresses[0].family]
    others = [address for address in addresses if address.family != addresses[0].family]
    return [address for address in chain.from_iterable(zip_longest(first, others)) if address]


def _discard(task: asyncio.Task[socket.socket]) -> None:
    """Closes what came too late."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()
