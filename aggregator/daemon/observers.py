"""Observers of polls, requests and parsed documents; they update the metrics and the health of the daemon."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Protocol

from aggregator.clock import RemoteClock, SteadyClock
from aggregator.collect.fetch import NotModified, OwnHeaders, Response, SupportsGet
from aggregator.collect.parse import TwoTierParsePool
from aggregator.collect.poll import PollOutcome
from aggregator.daemon.health import HealthCheck
from aggregator.daemon.metrics import Metrics, ProgressGauges, Timer
from aggregator.daemon.poll_loop import PollLoop
from aggregator.daemon.refresh_loop import RefreshLoop
from aggregator.daemon.websub import WebSub
from aggregator.model import Document, ParsedFeed, Validators
from aggregator.model.redact import public_url
from aggregator.schedule import Schedule

log = logging.getLogger(__name__)


def note_poll(metrics: Metrics, polled: PollOutcome) -> None:
    """Counts a finished poll, and writes a line where a source's state changes, not one a poll."""
    result, stored = polled.result, polled.stored
    metrics.polls.labels(result.outcome).inc()
    metrics.fetched_bytes.inc(result.size_bytes)
    if stored is not None:
        metrics.new_items.inc(stored.new_items)
        metrics.updated_entries.inc(stored.updated)
    source = polled.source
    where = {"url": public_url(source.fetch_url), "source": source.slug}
    if result.error is not None and result.counts_as_error and not source.error_count:
        log.warning("source fails", extra={**where, "code": result.error.code, "why": result.error.message})
    elif result.outcome == "gone":
        log.warning("source gone", extra=where)
    elif result.error is None and source.error_count:
        log.info("source recovered", extra={**where, "after_failures": source.error_count})
    if result.adopt_url:
        log.info("source moved", extra={**where, "to": public_url(result.moved_to or "")})


class TimedFetcher:
    """A fetcher whose requests are measured."""

    def __init__(self, fetcher: SupportsGet, observe: Timer) -> None:
        self._fetcher, self._time = fetcher, observe

    async def get(
        self, url: str, *, validators: Validators | None = None, own: OwnHeaders | None = None
    ) -> Response | NotModified:
        """What is at `url`. Raises FetchError."""
        with self._time():
            return await self._fetcher.get(url, validators=validators, own=own)


class TimedParser:
    """A parser whose documents are measured."""

    def __init__(self, parser: TwoTierParsePool, observe: Timer) -> None:
        self._parser, self._time = parser, observe

    async def parse(self, document: Document) -> ParsedFeed:
        """The feed in `document`. Raises ParseError and ParserUnavailable."""
        with self._time():
            return await self._parser.parse(document)


class Parts(Protocol):
    """What the gauges are read from."""

    poll_loop: PollLoop
    websub: WebSub
    parser: TwoTierParsePool
    clock: SteadyClock
    server_clock: RemoteClock | None
    schedule: Schedule
    refresh_loop: RefreshLoop
    health_check: HealthCheck


def progress_gauges(daemon: Parts) -> ProgressGauges:
    """How the parts of the daemon are doing at the moment."""
    loop, subscriber, progress = daemon.poll_loop, daemon.websub.subscriber, daemon.schedule.progress
    values = {
        "aggregator_uptime_seconds": (
            "Seconds since the daemon started.",
            lambda: time.monotonic() - daemon.health_check.started_s,
        ),
        "aggregator_polls_in_flight": ("Sources that are being polled at the moment.", lambda: loop.in_flight),
        "aggregator_poll_slots": ("Polls that may be in flight: [polling] concurrency.", lambda: loop.slots),
        "aggregator_polling_blocked": (
            "1: polling waits, because nothing can be stored or parsed; 0: it goes on.",
            lambda: loop.blocked is not None,
        ),
        "aggregator_compared_seconds": (
            "How far back new items are compared with others, at most two days.",
            lambda: daemon.refresh_loop.compared / timedelta(seconds=1),
        ),
        "aggregator_parse_restarts_total": (
            "Parse processes that had to be ended or ended by themselves.",
            lambda: daemon.parser.restarts,
        ),
        "aggregator_websub_subscriptions": (
            "Subscriptions at hubs by state (asked, active, leaving, resting).",
            subscriber.states,
        ),
        "aggregator_websub_deliveries_total": (
            "Deliveries of hubs by what became of them (stored, unreadable, unsigned).",
            subscriber.deliveries,
        ),
        "aggregator_clock_disbelieved": (
            "1: the wall clock has jumped and is not believed yet.",
            lambda: daemon.clock.jumped,
        ),
        "aggregator_clock_ahead_seconds": (
            "How far this machine's clock is ahead of the database server's, which is used; 0 on SQLite.",
            lambda: daemon.server_clock.ahead / timedelta(seconds=1) if daemon.server_clock else 0.0,
        ),
        "aggregator_job_failures_total": (
            "Runs of timed jobs that failed or took too long.",
            lambda: progress.failures,
        ),
        "aggregator_job_age_seconds": (
            "Seconds since the last good run of a timed job.",
            lambda: {name: progress.age_s(name) for name in progress.finished_s},
        ),
    }
    labels = {
        "aggregator_websub_subscriptions": "state",
        "aggregator_websub_deliveries_total": "outcome",
        "aggregator_job_failures_total": "job",
        "aggregator_job_age_seconds": "job",
    }
    return ProgressGauges(values, labels)
