"""When to poll next. Pure: what a source has posted, what its server asked for and how the poll went, in; a time, out.

- `rhythm`: how often a source posts, by the hour, and the interval that follows from it
- `budget`: longer intervals for all, where a day's polls are limited
- `due`: the time of the next poll, after one that worked and after one that failed
"""

from __future__ import annotations

from aggregator.collect.cadence.budget import thrift
from aggregator.collect.cadence.due import Hints, after_error, confirm_gone, hints_of, next_poll
from aggregator.collect.cadence.rhythm import Policy, interval, items_per_day, observe

__all__ = [
    "Hints",
    "Policy",
    "after_error",
    "confirm_gone",
    "hints_of",
    "interval",
    "items_per_day",
    "next_poll",
    "observe",
    "thrift",
]
