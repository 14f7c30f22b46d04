"""Many names, few addresses: requests to one address take turns, whatever names they are for (FRB035).

Blogs with names of their own live by the hundred on one server, which sees one client and a hundred connections. What
is known before a request is the name; what tells that names share a server is the address it is about to be sent to.
Behind the addresses of a delivery network there are many servers: all that turns cost there is a short wait, as few of
one's sources are due in the same second.

Where several processes poll, each address has one slot for all of them (`SharedSlots`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple, Protocol

from aggregator.errors import FetchError

#: requests in flight to one address
AT_ONCE = 4
#: the least time from one request to the next
GAP = timedelta(milliseconds=250)
#: a request that takes longer is waited for rather than served, and leaves its place to the next: a tar pit must not
#: hold up the hundreds of names beside it
_QUICK = timedelta(seconds=3)
#: how long the next request waits for one that has a slot and is not sent yet: its connection is slow
_SENT_WITHIN = timedelta(seconds=1)


class SharedSlot(NamedTuple):
    """A slot that this process has among all: until when, on the loop's clock, if it is not given back before."""

    token: int
    until_s: float


class SharedSlots(Protocol):
    """The slots that several processes share, one an address."""

    async def take(self, address: str) -> SharedSlot:
        """Waits for the slot of `address`. Raises FetchError ``crowded`` if it cannot be asked for."""

    def leave(self, address: str, token: int, *, rest: timedelta) -> None:
        """Gives the slot back; nobody has it before `rest` has passed."""


class AddressThrottle:
    """Who may ask which address now. To be used within one event loop.

    Nobody waits much longer than `longest`; remembers an address only while somebody is there, and `gap` beyond.
    """

    def __init__(
        self,
        *,
        longest: timedelta,
        at_once: int = AT_ONCE,
        gap: timedelta = GAP,
        quick: timedelta = _QUICK,
        shared: SharedSlots | None = None,
    ) -> None:
        self._longest_s = longest.total_seconds()
        self._at_once = 1 if shared is not None else at_once
        self._gap_s, self._quick_s = gap.total_seconds(), quick.total_seconds()
        self._shared = shared
        self._queues: dict[str, _Queue] = {}

    @property
    def addresses(self) -> int:
        """How many addresses are remembered."""
        return len(self._queues)

    @asynccontextmanager
    async def slot(self, address: str) -> AsyncIterator[Slot]:
        """Waits for a slot at `address`, and has it until the end. Raises FetchError ``crowded``: too many wait."""
        queue = self._queues.setdefault(address, _Queue(self._at_once))
        if queue.users * self._gap_s > self._longest_s:
            raise _crowded(address)
        queue.users += 1
        try:
            slot = await self._slot(queue, address)
            try:
                yield slot
            finally:
                slot.leave()
        finally:
            queue.users -= 1
            if not queue.users:
                asyncio.get_running_loop().call_later(self._gap_s, self._forget, address)

    async def _slot(self, queue: _Queue, address: str) -> Slot:
        """A place, and in it the turn: from one request that is sent to the next, the gap lies between.

        The time that counts is when a request is sent: a loop that was held up, or a slow handshake, shortens no gap.
        """
        try:
            async with asyncio.timeout(self._longest_s + _SENT_WITHIN.total_seconds()):
                await queue.places.acquire()
                try:
                    return await self._turn(queue, address)
                except BaseException:
                    queue.places.release()
                    raise
        except TimeoutError:
            raise _crowded(address) from None

    async def _turn(self, queue: _Queue, address: str) -> Slot:
        async with queue.turn:
            await queue.is_sent.wait()
            clock = asyncio.get_running_loop().time
            while (wait_s := queue.next_s - clock()) > 0:  # noqa: ASYNC110 - it is a time that is waited for
                await asyncio.sleep(wait_s)
            held = _Held(self._shared, address, gap_s=self._gap_s) if self._shared is not None else None
            if held is not None:
                await held.take()
            return Slot(queue, held, quick_s=self._quick_s, gap_s=self._gap_s)

    def _forget(self, address: str) -> None:
        if (queue := self._queues.get(address)) and not queue.users:
            del self._queues[address]


class _Queue:
    """Those who are or want to be at one address."""

    def __init__(self, at_once: int) -> None:
        self.places = asyncio.Semaphore(at_once)
        self.turn = asyncio.Lock()
        #: the request that had the last turn is on its way
        self.is_sent = asyncio.Event()
        self.is_sent.set()
        self.users = 0
        #: when the next request may be sent, on the loop's clock
        self.next_s = 0.0


class _Held:
    """What a slot has of the `SharedSlots`."""

    #: a request that could go out so shortly before the end of the slot might arrive after it
    _MARGIN_S = 0.5

    def __init__(self, shared: SharedSlots, address: str, *, gap_s: float) -> None:
        self._shared, self._address, self._gap_s = shared, address, gap_s
        self._slot: SharedSlot | None = None
        self._free_s = 0.0

    async def take(self) -> None:
        """Waits for the slot."""
        self._slot = await self._shared.take(self._address)
        self._free_s = asyncio.get_running_loop().time() + self._gap_s

    async def still(self) -> None:
        """Waits for the slot again if it may have ended meanwhile."""
        if self._slot is None or asyncio.get_running_loop().time() > self._slot.until_s - self._MARGIN_S:
            self.leave()
            await self.take()

    def sent(self) -> None:
        """The gap begins now."""
        self._free_s = asyncio.get_running_loop().time() + self._gap_s

    def leave(self) -> None:
        """Gives the slot back; may be called twice."""
        slot, self._slot = self._slot, None
        if slot is not None:
            rest_s = max(self._free_s - asyncio.get_running_loop().time(), 0)
            self._shared.leave(self._address, slot.token, rest=timedelta(seconds=rest_s))


class Slot:
    """One of the places at an address, left at the end or when it has been held for long."""

    def __init__(self, queue: _Queue, held: _Held | None, *, quick_s: float, gap_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._queue, self._held = queue, held
        self._gap_s = gap_s
        self._is_sent = self._has_left = False
        queue.is_sent.clear()
        queue.next_s = loop.time() + gap_s
        self._timers = [
            loop.call_later(quick_s, self.leave),
            loop.call_later(_SENT_WITHIN.total_seconds(), self._let_next),
        ]

    async def ready(self) -> None:
        """To be awaited just before a request is sent: a slow connection may have outlasted a shared slot."""
        if self._held is not None:
            await self._held.still()

    def sent(self) -> None:
        """The request is on its way: the next one goes `gap` later at the earliest."""
        if self._held is not None:
            self._held.sent()
        self._queue.next_s = asyncio.get_running_loop().time() + self._gap_s
        self._let_next()

    def leave(self) -> None:
        """Leaves the place to the next; may be called twice."""
        self._let_next()
        if self._held is not None:
            self._held.leave()
        if not self._has_left:
            self._has_left = True
            self._queue.places.release()
            self._timers[0].cancel()

    def _let_next(self) -> None:
        if not self._is_sent:
            self._is_sent = True
            self._queue.is_sent.set()
            self._timers[1].cancel()


def _crowded(address: str) -> FetchError:
    return FetchError("crowded", f"Not asked yet: too many other sources at the same address ({address}) are waiting")
