"""Whether there is progress: what the watchdog, ``/healthz`` and ``/readyz`` are told.

A process may answer requests while its work stands still. Progress is therefore measured by the time at which each part
last finished something.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from aggregator.errors import AggregatorError, ParserUnavailable
from aggregator.publish.web import Health
from aggregator.schedule import Progress

#: without a look for work for that long, polling stands still
POLLING_LIMIT_S = 60.0
#: without an answer of the store's writer and a reader for that long, the store stands still
STORE_LIMIT_S = 60.0


@dataclass(slots=True, kw_only=True)
class HealthCheck:
    """Asks the parts; limits count from the start, so that a part has time for its first progress."""

    progress: Progress
    serving: Callable[[], bool]
    #: when the poll loop last looked for work, on the monotonic clock
    looked_s: Callable[[], float]
    #: why nothing is polled at the moment; None: polling goes on
    blocked: Callable[[], AggregatorError | None]
    #: damage to the store that was found and is about to be mended; None: none
    damage: Callable[[], AggregatorError | None]
    started_s: float

    def health(self) -> Health:
        """How things are now. Live: polling, store and web make progress. Ready: all of them do what they are for."""
        blocked, damage = self.blocked(), self.damage()
        polling_s, store_s = time.monotonic() - self.looked_s(), self._store_age_s()
        in_store = damage or (None if isinstance(blocked, ParserUnavailable) else blocked)
        serving = self.serving()
        checks = {
            "polling": f"waits: {blocked}" if blocked else f"looked for work {polling_s:.0f} s ago",
            "store": str(in_store) if in_store else f"answered {store_s:.0f} s ago",
            "web": "accepts connections" if serving else "accepts no connections",
        }
        live = self.makes_progress() and damage is None and not isinstance(blocked, ParserUnavailable)
        return Health(live=live, ready=live and blocked is None, checks=checks)

    def makes_progress(self) -> bool:
        """Whether every part has finished something of late: what the watchdog is fed for.

        A full disk or a parse process that cannot be started is waited for: a restart would not help.
        """
        looked_s = time.monotonic() - self.looked_s()
        return looked_s < POLLING_LIMIT_S and self._store_age_s() < STORE_LIMIT_S and self.serving()

    def _store_age_s(self) -> float:
        return min(self.progress.age_s("ping"), time.monotonic() - self.started_s)
