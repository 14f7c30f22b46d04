"""One slot an address for all processes of a fleet, kept in the store.

Whoever wants or leaves a slot while the store is being asked goes with the next question: however many requests are
under way, one question at a time is.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta

from aggregator.collect.fetch.throttle import GAP, SharedSlot
from aggregator.errors import FetchError, StoreError
from aggregator.model import AddressSlot, LeftSlot
from aggregator.store import FleetStore

__all__ = ["StoredSlots"]

#: how long a slot is held by a process that has died: as long as one that lives keeps it, and a margin
HOLD = timedelta(seconds=4) + GAP
#: how soon a slot that another process has is asked for again; its holder may give it back at any time
_AGAIN_S = 0.1


class StoredSlots:
    """`aggregator.collect.fetch.throttle.SharedSlots` in the store. To be used within one event loop."""

    def __init__(self, store: FleetStore, clock: Callable[[], datetime], *, hold: timedelta = HOLD) -> None:
        self._store, self._clock, self._hold = store, clock, hold
        self._wanted: dict[str, list[asyncio.Future[AddressSlot]]] = {}
        self._left: list[LeftSlot] = []
        self._asking: asyncio.Task[None] | None = None

    async def take(self, address: str) -> SharedSlot:
        """Waits for the slot of `address`. Raises FetchError ``crowded``: the store does not answer."""
        loop = asyncio.get_running_loop()
        while True:
            answer: asyncio.Future[AddressSlot] = loop.create_future()
            self._wanted.setdefault(address, []).append(answer)
            asked_s = loop.time()  # it is held from a moment after that: a process may be stopped before it hears of it
            self._ask()
            slot = await answer
            if slot.token is not None:
                return SharedSlot(slot.token, asked_s + self._hold.total_seconds())
            # not all at the same time
            await asyncio.sleep(min(slot.wait.total_seconds(), _AGAIN_S) + random.uniform(0.0, 0.02))  # noqa: S311

    def leave(self, address: str, token: int, *, rest: timedelta) -> None:
        """Gives the slot back, for others after `rest`."""
        self._left.append(LeftSlot(address=address, token=token, rest=rest))
        self._ask()

    async def settled(self) -> None:
        """Returns when nothing is asked any more: before the store is closed."""
        while self._asking is not None and not self._asking.done():
            await asyncio.wait([self._asking])

    def _ask(self) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._exchange(), name="address slots")

    async def _exchange(self) -> None:
        while self._wanted or self._left:
            wanted, self._wanted = self._wanted, {}
            left, self._left = self._left, []
            try:
                slots = await asyncio.to_thread(
                    self._store.exchange_slots, take=list(wanted), leave=left, hold=self._hold, now=self._clock()
                )
            except StoreError as error:
                _refuse(wanted, error)
                continue
            for address, answers in wanted.items():
                self._answer(address, answers, slots[address])

    def _answer(self, address: str, answers: list[asyncio.Future[AddressSlot]], slot: AddressSlot) -> None:
        """The slot for the first who still waits, a wait for the others; nobody waits: it is given back."""
        for answer in answers:
            if not answer.done():
                answer.set_result(slot)
                slot = AddressSlot()
        if slot.token is not None:
            self._left.append(LeftSlot(address=address, token=slot.token, rest=timedelta(0)))


def _refuse(wanted: dict[str, list[asyncio.Future[AddressSlot]]], why: StoreError) -> None:
    """Who waits is told that it cannot be asked; slots that could not be given back end by themselves."""
    for answers in wanted.values():
        for answer in answers:
            if not answer.done():
                answer.set_exception(FetchError("crowded", f"Not asked yet: the store gives no turns ({why})"))
