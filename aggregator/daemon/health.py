"""Whether there is progress: what the watchdog and ``/healthz`` are told.

A process that answers is not a process that works. So nothing here says "I am alive" of itself: each part is asked when
it last finished something.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from aggregator.publish.web import Health
from aggregator.schedule import Progress

#: without a finished claim for that long, polling stands still
POLLING_LIMIT_S = 60.0
#: without an answer of the store's writer and a reader for that long, the store stands still
STORE_LIMIT_S = 60.0


@dataclass(slots=True, kw_only=True)
class HealthCheck:
    """Asks the parts; limits count from the start, so that a part has time for its first progress."""

    progress: Progress
    serving: Callable[[], bool]
    #: why the store takes no writes at the moment; None: it does
    store_error: Callable[[], object | None]
    started_s: float

    def health(self) -> Health:
        """How things are now."""
        polling_s, store_s = self._age_s("poll"), self._age_s("ping")
        serving, store_error = self.serving(), self.store_error()
        checks = {
            "polling": f"looked for work {polling_s:.0f} s ago",
            "store": str(store_error) if store_error else f"answered {store_s:.0f} s ago",
            "web": "accepts connections" if serving else "accepts no connections",
        }
        live = polling_s < POLLING_LIMIT_S and store_s < STORE_LIMIT_S and serving
        return Health(live=live, ready=live and store_error is None, checks=checks)

    def _age_s(self, job: str) -> float:
        return min(self.progress.age_s(job), time.monotonic() - self.started_s)
