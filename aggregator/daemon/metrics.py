"""Metrics for ``/metrics``. The only module that imports prometheus-client.

Counters and histograms are updated where an event happens; gauges are read from the daemon's parts and the store when
the metrics are requested. Names follow Prometheus' conventions: base units, ``_total`` for counters. docs/METRICS.md
lists them all, and docs/alerts.yml and docs/dashboard.json use them (tests hold all three).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aggregator import __version__
from aggregator.errors import StoreError
from aggregator.model import Process, StoreStats
from aggregator.store import Store

#: makes a block that is measured: `Histogram.time`
Timer = Callable[[], AbstractContextManager[object]]
#: what counting in the store gave is told again for that long
FRESH_S: Final = 10.0
_FETCH_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PARSE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5, 10)
_RESPONSE_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
_REFRESH_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 30)

#: gauges of the store: name → (field of `StoreStats`, help)
_OF_STORE: Final = {
    "aggregator_entries": ("entries", "Entries in the store."),
    "aggregator_items": ("items", "Items in the store."),
    "aggregator_stories": ("stories", "Stories in the store."),
    "aggregator_views": ("views", "Views counted, ever."),
    "aggregator_likes": ("likes", "Likes counted, ever."),
    "aggregator_pending_items": ("pending", "Items that have not been compared with the others yet."),
    "aggregator_store_size_bytes": ("size_bytes", "Size of the store on disk."),
}


class Metrics:
    """The daemon's counters and histograms; `render` gives the text of all of them."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("aggregator_build", "The version that runs.", registry=registry).info({"version": __version__})
        self.polls = Counter(
            "aggregator_polls",
            "Finished polls by outcome (new, same, not-modified, error, gone, deferred).",
            ["outcome"],
            registry=registry,
        )
        self.fetched_bytes = Counter(
            "aggregator_fetched_bytes", "Bytes of feeds read, after decompression.", registry=registry
        )
        self.new_items = Counter("aggregator_new_items", "Items that polls have added.", registry=registry)
        self.updated_entries = Counter(
            "aggregator_updated_entries", "Entries that were edited in place.", registry=registry
        )
        self.fetch_duration = Histogram(
            "aggregator_fetch_duration_seconds",
            "Time that requests for feeds took, redirects included.",
            buckets=_FETCH_BUCKETS,
            registry=registry,
        )
        self.parse_duration = Histogram(
            "aggregator_parse_duration_seconds",
            "Time that documents took to be parsed, waiting for a child process included.",
            buckets=_PARSE_BUCKETS,
            registry=registry,
        )
        self.response_duration = Histogram(
            "aggregator_http_response_duration_seconds",
            "Time that handlers took to answer; answers that are given again at once are not among them.",
            buckets=_RESPONSE_BUCKETS,
            registry=registry,
        )
        self.refresh_duration = Histogram(
            "aggregator_refresh_duration_seconds",
            "Time that one step of refreshing took: deciding about new items, making the lists.",
            buckets=_REFRESH_BUCKETS,
            registry=registry,
        )
        self.config_ok = Gauge(
            "aggregator_config_ok",
            "1: the configuration that runs is the one in the file; 0: the file has errors.",
            registry=registry,
        )
        self.config_ok.set(1)
        self.config_reloads = Counter(
            "aggregator_config_reloads", "Reloads by result (taken, refused).", ["result"], registry=registry
        )
        self.config_reloads.labels("taken")
        self.config_reloads.labels("refused")

    def render(self) -> str:
        """All metrics in Prometheus' text format, version 0.0.4."""
        return generate_latest(self.registry).decode()


class ProgressGauges(Collector):
    """Gauges that are read from the daemon's parts when asked for.

    `values` maps a name to its help text and what gives its value, a number or a mapping from label to number; a name
    that ends in ``_total`` is a counter. `labels` names the label of those that have one.
    """

    def __init__(self, values: Mapping[str, tuple[str, Callable[[], object]]], labels: Mapping[str, str]) -> None:
        self._values, self._labels = values, labels

    def collect(self) -> Iterator[Metric]:
        """One family a name."""
        for name, (text, value) in self._values.items():
            now, label = value(), self._labels.get(name)
            kind = "counter" if name.endswith("_total") else "gauge"
            family = Metric(name.removesuffix("_total"), text, kind)
            for key, number in sorted(now.items()) if isinstance(now, Mapping) else [("", now)]:
                family.add_sample(name, {label: key} if label else {}, float(number))  # type: ignore[arg-type]
            yield family


@dataclass(slots=True, eq=False)
class StoreGauges(Collector):
    """Counts in the store, taken by `read` at most every ten seconds."""

    stats: StoreStats | None = None
    states: Mapping[str, int] = field(default_factory=dict)
    overdue_s: float = 0.0
    #: processes on the store, and how long ago each was heard of
    processes: Sequence[tuple[Process, float]] = ()
    _read_s: float = float("-inf")

    async def read(self, store: Store, now: datetime) -> None:
        """Counts again, unless that was done a moment ago; what was known before stays where the store cannot tell."""
        if time.monotonic() - self._read_s < FRESH_S:
            return
        self._read_s = time.monotonic()
        try:
            await asyncio.to_thread(self._count, store, now)
        except StoreError:
            return

    def collect(self) -> Iterator[Metric]:
        """What was counted last."""
        states = GaugeMetricFamily(
            "aggregator_sources",
            "Configured sources by state (new, ok, quiet, failing, gone, disabled).",
            labels=["state"],
        )
        for state, count in sorted(self.states.items()):
            states.add_metric([state], count)
        yield states
        overdue = GaugeMetricFamily(
            "aggregator_poll_overdue_seconds", "How long the oldest due poll has been waiting.", value=self.overdue_s
        )
        yield overdue
        if self.processes:
            yield from self._of_fleet()
        if self.stats is not None:
            for name, (attribute, text) in _OF_STORE.items():
                yield GaugeMetricFamily(name, text, value=getattr(self.stats, attribute))

    def _of_fleet(self) -> Iterator[Metric]:
        heard = GaugeMetricFamily(
            "aggregator_process_heard_seconds",
            "How long ago a process on the same PostgreSQL store was heard of; what it does, what it does for all.",
            labels=["process", "roles", "holds"],
        )
        started = GaugeMetricFamily(
            "aggregator_process_start_seconds",
            "When a process on the store was started (Unix time).",
            labels=["process"],
        )
        for process, age_s in self.processes:
            heard.add_metric([process.id, ",".join(process.roles), ",".join(process.holds)], age_s)
            started.add_metric([process.id], process.started.timestamp())
        yield heard
        yield started

    def _count(self, store: Store, now: datetime) -> None:
        self.processes = [
            (one, max((now - one.seen).total_seconds(), 0.0)) for one in store.processes() if one.seen is not None
        ]
        self.stats, self.states = store.stats(), store.states(now=now)
        due = store.next_due(now=now)
        self.overdue_s = max(0.0, (now - due).total_seconds()) if due else 0.0
