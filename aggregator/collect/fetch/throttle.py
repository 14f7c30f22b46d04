"""Many names, few addresses: requests to one address take turns, whatever names they are for (FRB035).

Blogs with names of their own live by the hundred on one server, which sees one client and a hundred connections. What
is known before a request is the name; what tells that names share a server is the address it is about to be sent to.
Behind the addresses of a delivery network there are many servers: all that turns cost there is a short wait, as few of
one's sources are due in the same second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from aggregator.errors import FetchError

#: requests in flight to one address
AT_ONCE = 4
#: the least time from one request to the next
GAP = timedelta(milliseconds=250)
#: a request that takes longer is waited for rather than served, and leaves its place to the next: a tar pit must not
#: hold up the hundreds of names beside it
_QUICK = timedelta(seconds=3)


class AddressThrottle:
    """Who may ask which address now. To be used within one event loop.

    Nobody waits much longer than `longest`; remembers an address only while somebody is there, and `gap` beyond.
    """

    def __init__(
        self, *, longest: timedelta, at_once: int = AT_ONCE, gap: timedelta = GAP, quick: timedelta = _QUICK
    ) -> None:
        self._longest_s = longest.total_seconds()
        self._at_once, self._gap_s, self._quick_s = at_once, gap.total_seconds(), quick.total_seconds()
        self._queues: dict[str, _Queue] = {}

    @property
    def addresses(self) -> int:
        """How many addresses are remembered."""
        return len(self._queues)

    @asynccontextmanager
    async def slot(self, address: str) -> AsyncIterator[None]:
        """Waits for a turn at `address`, and has it until the end. FetchError ``crowded``: too many wait already."""
        queue = self._queues.setdefault(address, _Queue(self._at_once))
        if queue.users * self._gap_s > self._longest_s:
            raise _crowded(address)
        queue.users += 1
        try:
            place = await self._place(queue, address)
            try:
                yield
            finally:
                place.leave()
        finally:
            queue.users -= 1
            if not queue.users:
                asyncio.get_running_loop().call_later(self._gap_s, self._forget, address)

    async def _place(self, queue: _Queue, address: str) -> _Place:
        try:
            async with asyncio.timeout(self._longest_s):
                await queue.places.acquire()
        except TimeoutError:
            raise _crowded(address) from None
        clock = asyncio.get_running_loop().time
        start_s = max(clock(), queue.next_s)
        queue.next_s = start_s + self._gap_s
        try:
            await asyncio.sleep(start_s - clock())
        except BaseException:
            queue.places.release()
            raise
        return _Place(queue, self._quick_s)

    def _forget(self, address: str) -> None:
        if (queue := self._queues.get(address)) and not queue.users:
            del self._queues[address]


class _Queue:
    """Those who are or want to be at one address."""

    def __init__(self, at_once: int) -> None:
        self.places = asyncio.Semaphore(at_once)
        self.users = 0
        #: when the next request may begin, on the loop's clock
        self.next_s = 0.0


class _Place:
    """One of the places at an address, left at the end or when it has been held for long."""

    def __init__(self, queue: _Queue, quick_s: float) -> None:
        self._queue: _Queue | None = queue
        self._timer = asyncio.get_running_loop().call_later(quick_s, self.leave)

    def leave(self) -> None:
        self._timer.cancel()
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.places.release()


def _crowded(address: str) -> FetchError:
    return FetchError("crowded", f"Not asked yet: too many other sources at the same address ({address}) are waiting")
