"""What the daemon has done since it started, as metrics."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from aggregator.collect.poll import PollOutcome
from aggregator.model.redact import public_url

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counters:
    """Counts polls and writes a line where a source's state changes, not one a poll."""

    polls: Counter[str] = field(default_factory=Counter)
    new_items: int = 0
    updated_entries: int = 0
    bytes_read: int = 0
    views_folded: int = 0
    reloads: Counter[str] = field(default_factory=Counter)
    config_ok: bool = True

    def polled(self, polled: PollOutcome) -> None:
        """Takes note of a finished poll."""
        result, stored = polled.result, polled.stored
        self.polls[result.outcome] += 1
        self.bytes_read += result.size_bytes
        self.new_items += stored.new_items if stored else 0
        self.updated_entries += stored.updated if stored else 0
        self._tell(polled)

    def _tell(self, polled: PollOutcome) -> None:
        source, result = polled.source, polled.result
        where = {"url": public_url(source.fetch_url), "source": source.slug}
        if result.error is not None and result.counts_as_error and not source.error_count:
            log.warning("source fails", extra={**where, "code": result.error.code, "why": result.error.message})
        elif result.outcome == "gone":
            log.warning("source gone", extra=where)
        elif result.error is None and source.error_count:
            log.info("source recovered", extra={**where, "after_failures": source.error_count})
        if result.adopt_url:
            log.info("source moved", extra={**where, "to": public_url(result.moved_to or "")})
