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

    async def start(self) -> None:
        """Reads what is kept, and takes deliveries from now on."""
        await self.subscriber.start()
        self._begin(self.subscriber.work())

    async def tick(self) -> None:
        """One round of what is to be asked of hubs."""
        await self.subscriber.tick()

    def polled(self, polled: PollOutcome) -> None:
        """A poll has ended: what it found may be what should have been delivered."""
        if polled.stored is not None and polled.stored.oldest_new is not None:
            self._begin(self.subscriber.missed(polled.source, polled.stored.oldest_new))

    async def take_over(self, settings: Settings) -> None:
        """A new configuration: other rules, another address, other limits."""
        await self.subscriber.take_over(
            judge=assemble.judge(settings),
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
