"""Source, response, feed, known entries and a time → PollResult. Pure.

Every rule about when a source is asked again, and with which validators, stands here; `cadence` does its sums.

- `poll_result`: success and failure, back-off, redirects that are adopted, warnings
- `conditional`: which validators go into the next request
- `outage`: whether failures are theirs or our own network's
"""

from __future__ import annotations

from aggregator.collect.decision.conditional import validators_to_send
from aggregator.collect.decision.outage import CountedFailure, OutageDetector
from aggregator.collect.decision.poll_result import (
    Poll,
    as_moved,
    deferred,
    failure,
    is_downgrade,
    location_to_try,
    not_before,
    not_new,
    poll_warnings,
    put_off,
    should_adopt_redirect,
    success,
    update_posting_rate,
    with_hub_links,
)

__all__ = [
    "CountedFailure",
    "OutageDetector",
    "Poll",
    "as_moved",
    "deferred",
    "failure",
    "is_downgrade",
    "location_to_try",
    "not_before",
    "not_new",
    "poll_warnings",
    "put_off",
    "should_adopt_redirect",
    "success",
    "update_posting_rate",
    "validators_to_send",
    "with_hub_links",
]
