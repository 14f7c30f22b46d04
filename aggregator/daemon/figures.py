"""The figures behind the metrics: read from the store now and then, taken from the parts when asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from aggregator import __version__
from aggregator.daemon.metrics import Sample, render
from aggregator.model import StoreStats
from aggregator.store import Store

if TYPE_CHECKING:
    from aggregator.daemon.service import Daemon


@dataclass(slots=True)
class Figures:
    """What counting in the store gave last; a request for metrics waits for no query."""

    stats: StoreStats | None = None
    states: Mapping[str, int] = field(default_factory=dict)
    overdue_s: float = 0.0

    def read(self, store: Store, now: datetime) -> None:
        """Counts anew. Blocks."""
        self.stats = store.stats()
        self.states = store.states(now=now)
        due = store.next_due(now=now)
        self.overdue_s = max(0.0, (now - due).total_seconds()) if due else 0.0

    def text(self, daemon: Daemon) -> str:
        """All metrics."""
        return render([*_of_daemon(daemon), *self._of_store()])

    def _of_store(self) -> Iterator[Sample]:
        yield Sample("aggregator_sources", {state: float(count) for state, count in self.states.items()})
        yield Sample("aggregator_overdue_seconds", self.overdue_s)
        if self.stats is not None:
            yield Sample("aggregator_entries", self.stats.entries)
            yield Sample("aggregator_items", self.stats.items)
            yield Sample("aggregator_stories", self.stats.stories)
            yield Sample("aggregator_views", self.stats.views)
            yield Sample("aggregator_likes", self.stats.likes)
            yield Sample("aggregator_pending_items", self.stats.pending)
            yield Sample("aggregator_store_bytes", self.stats.size_bytes)


def _of_daemon(daemon: Daemon) -> Iterator[Sample]:
    counters, poll_loop, refreshing = daemon.counters, daemon.poll_loop, daemon.refresh_loop
    yield Sample("aggregator_build_info", {__version__: 1.0})
    yield Sample("aggregator_up_seconds", time.monotonic() - daemon.health_check.started_s)
    yield Sample("aggregator_polls_total", dict(counters.polls))
    yield Sample("aggregator_polls_in_flight", poll_loop.in_flight)
    yield Sample("aggregator_poll_slots", poll_loop.slots)
    yield Sample("aggregator_fetched_bytes_total", counters.bytes_read)
    yield Sample("aggregator_new_items_total", counters.new_items)
    yield Sample("aggregator_updated_entries_total", counters.updated_entries)
    yield Sample("aggregator_store_writable", poll_loop.store_error is None)
    yield Sample("aggregator_refreshes_total", refreshing.runs)
    yield Sample("aggregator_refresh_seconds", refreshing.took_s)
    yield Sample("aggregator_config_ok", counters.config_ok)
    yield Sample("aggregator_config_reloads_total", dict(counters.reloads))
    yield Sample("aggregator_pushes", daemon.websub.subscriber.states())
    yield Sample("aggregator_deliveries_total", daemon.websub.subscriber.deliveries())
    yield Sample("aggregator_clock_disbelieved", daemon.clock.jumped)
    progress = daemon.schedule.progress
    yield Sample("aggregator_job_failures_total", dict(progress.failures))
    yield Sample("aggregator_job_age_seconds", {name: progress.age_s(name) for name in progress.finished_s})
