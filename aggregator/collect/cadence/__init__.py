"""When to poll next. Pure: what a source has posted, what its server asked for and how the poll went, in; a time, out.

- `posting_rate`: how often a source posts, by the hour, and the interval that follows from it
- `next_poll`: the time of the next poll, after success and after failure, and within a budget of polls a day
"""

from __future__ import annotations

from aggregator.collect.cadence.next_poll import (
    JITTER,
    Hints,
    behind_skipped,
    confirm_gone,
    hints_of,
    interval_factor,
    wait_after_error,
    wait_after_success,
)
from aggregator.collect.cadence.posting_rate import Policy, interval, items_per_day, observe

__all__ = [
    "JITTER",
    "Hints",
    "Policy",
    "behind_skipped",
    "confirm_gone",
    "hints_of",
    "interval",
    "interval_factor",
    "items_per_day",
    "observe",
    "wait_after_error",
    "wait_after_success",
]
