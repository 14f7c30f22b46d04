"""A budget of polls a day, spent where it is worth most. Pure.

Polls proportional to the square root of the rate are the best use of any number of polls (COLLECT.md 2.1): one factor
on all adaptive intervals, found by bisection, keeps to the budget and to the formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aggregator.collect.cadence.rhythm import LONGEST_FOR_THRIFT, Policy, usual_interval
from aggregator.model import Source

_DAY = timedelta(days=1)
#: beyond it every interval is at its longest
_MOST = 10_000.0
_STEPS = 40
#: of the budget, what the estimate may come to: a day of much news costs up to a tenth more (bench/polling)
_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class _Interval:
    """The interval of one source, in days, as a function of thrift."""

    wanted: float
    floor: float
    cap: float

    def polls(self, thrift: float) -> float:
        """Polls a day."""
        longest = max(self.cap, min(self.cap * thrift, LONGEST_FOR_THRIFT / _DAY))
        return 1 / min(max(self.wanted * thrift, self.floor), max(longest, self.floor))


def thrift(sources: Sequence[Source], *, now: datetime, policy: Policy, polls_per_day: int) -> float:
    """The `Policy.thrift` with which all `sources` together are polled at most so often; 1 where that is enough.

    Fixed intervals are the operator's own and stay. What publishers ask for and errors only make polls rarer.
    """
    plain = replace(policy, thrift=1.0)
    fixed = [one.subscription.interval for one in sources if one.subscription.interval is not None]
    left = polls_per_day * _SHARE - sum(_DAY / interval for interval in fixed)
    adaptive = [_interval(one, now, plain) for one in sources if one.subscription.interval is None]
    low, high = 0.0, math.log(_MOST)
    if _spent(adaptive, 1.0) <= left:
        return 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _spent(adaptive, math.exp(middle)) > left else (low, middle)
    return math.exp(high)


def _spent(intervals: Sequence[_Interval], thrift: float) -> float:
    return sum(one.polls(thrift) for one in intervals)


def _interval(source: Source, now: datetime, policy: Policy) -> _Interval:
    found = usual_interval(source.rhythm, now=now, policy=policy, weight=source.subscription.weight)
    wanted, floor, cap = (span / _DAY for span in found)
    return _Interval(wanted, floor, cap)
