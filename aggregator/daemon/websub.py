"""WebSub subscriber in the daemon: renews subscriptions, stores deliveries, tells polls how far to trust them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine

from aggregator import assemble
from aggregator.clock import SteadyClock
from aggregator.collect.parse import TwoTierParsePool
from aggregator.collect.poll import PollOutcome
from aggregator.config import Settings
from aggregator.errors import StoreError
from aggregator.store import PollChanges, Store


class WebSub:
    """The WebSub subscriber within the daemon. All methods belong to the event loop."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        parser: TwoTierParsePool,
        *,
        clock: SteadyClock,
        on_delivered: Callable[[PollChanges], None],
    ) -> None:
        self.subscriber = assemble.subscriber(
            settings, store=store, parser=parser, clock=clock, on_delivered=on_delivered
        )
        self._clock, self._store = clock, store
        self._tasks: set[asyncio.Task[None]] = set()
        #: something has happened since the last round that may be a reason to ask a hub
        self._changed = True

    async def start(self) -> None:
        """Reads what is kept, and takes deliveries from now on."""
        await self.subscriber.start()
        self._begin(self.subscriber.work())

    async def tick(self, *, shared: bool = False) -> None:
        """One round of what is to be asked of hubs. Without hubs, and unless others poll too, only after a poll."""
        if not (shared or self._changed or self.subscriber.has_hubs):
            return
        self._changed = False
        try:
            await self.subscriber.tick()
        except StoreError:
            self._changed = True
            raise

    def polled(self, polled: PollOutcome) -> None:
        """A poll has ended: it may have found a hub, or what should have been delivered."""
        self._changed = True
        if polled.stored is not None and polled.stored.oldest_new is not None:
            self._begin(self.subscriber.missed(polled.source, polled.stored.oldest_new))

    async def take_over(self, settings: Settings) -> None:
        """A new configuration: other rules, another address, other limits."""
        self._changed = True
        await self.subscriber.take_over(
            judge=assemble.judge(settings, self._clock),
            base=assemble.base(settings),
            hubs=assemble.hubs(settings, self._clock, self._store),
            is_pushed=assemble.is_pushed(settings),
        )

    async def stop(self) -> None:
        """Takes nothing more; what was not stored yet is found by the next poll."""
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.subscriber.close()

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="push")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
