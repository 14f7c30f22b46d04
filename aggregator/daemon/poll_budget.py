"""Keeps the number of polls a day within ``[polling] budget`` while sources change how often they post."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from aggregator import assemble
from aggregator.collect.poll import Poller
from aggregator.config import Settings
from aggregator.errors import StoreError
from aggregator.store import Store

log = logging.getLogger(__name__)

#: interval_factor changes a little all the time
_WORTH_TELLING = 0.1


class PollBudget:
    """Works out now and then how thrifty polling has to be. `settings` gives those in use."""

    def __init__(self, store: Store, clock: Callable[[], datetime], settings: Callable[[], Settings]) -> None:
        self._store, self._clock, self._settings = store, clock, settings
        self.policy = assemble.bounds(settings())

    async def look(self, poller: Poller) -> None:
        """Looks at all sources, if there is a budget, and has `poller` keep to it."""
        settings = self._settings()
        try:
            policy = await asyncio.to_thread(assemble.policy, settings, self._store, self._clock())
        except StoreError as error:
            log.warning("pace stays as it is", extra={"why": error})
            policy = replace(assemble.bounds(settings), interval_factor=self.policy.interval_factor)
        if abs(policy.interval_factor / self.policy.interval_factor - 1) > _WORTH_TELLING:
            log.info("polling paced to the budget", extra={"intervals_times": round(policy.interval_factor, 2)})
        self.policy = poller.policy = policy
