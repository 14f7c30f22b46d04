"""When the next poll is, within a budget of polls a day. Pure. Whatever the server asks for only makes it later.

Polls proportional to the square root of the rate are the best use of any number of polls (COLLECT.md 2.1): one factor
on all adaptive intervals, found by bisection, keeps to the budget and to the formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aggregator.collect.cadence.posting_rate import MAX_STRETCHED, Policy, interval, usual_interval
from aggregator.model import FeedInfo, PostingRate, Source

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)

#: waits are longer by up to this share of theirs, never shorter: a server that allows one request an hour must not see
#: 59 minutes
JITTER = 0.1
_MAX_HINT = timedelta(days=1)
_MAX_RETRY_AFTER = timedelta(days=7)
#: a shorter ttl is a misunderstanding of the element
_MIN_TTL = timedelta(minutes=5)
#: sy:updatePeriod is "hourly" in nearly every feed that has it, because WordPress writes so
_UNTOLD_UPDATE = timedelta(hours=1)
_MAX_SKIPPED_HOURS = 7 * 24

_MAX_BACK_OFF = timedelta(days=1)
_MAX_DOUBLINGS = 6
#: failing for this long, a source is only probed
_PROBE_AFTER, _PROBE_EVERY = timedelta(days=14), timedelta(days=7)
#: 429 or 503 without Retry-After
_BUSY_FACTOR, _MIN_BUSY = 4, timedelta(minutes=10)
#: a first 410 is asked about once more before it is believed: CDNs have accidents
_CONFIRM_GONE = timedelta(days=1)

#: beyond it every interval is at its longest
_MAX_FACTOR = 10_000.0
_STEPS = 40
#: of the budget, what the estimate may come to: a day of much news costs up to a tenth more (bench/polling)
_SHARE = 0.86


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What the publisher asks for: in the headers of the answer, and in the document."""

    #: from Cache-Control or Expires
    fresh_for: timedelta | None = None
    retry_after: timedelta | None = None
    ttl: timedelta | None = None
    update_every: timedelta | None = None
    #: hours of the day, UTC, and weekdays (0 = Monday)
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()
    #: the answer can be asked for conditionally
    has_validators: bool = True


def hints_of(info: FeedInfo, *, fresh_for: timedelta | None, has_validators: bool) -> Hints:
    """The hints of the last good document and of the latest answer."""
    return Hints(
        fresh_for=fresh_for,
        ttl=info.ttl,
        update_every=info.update_every,
        skip_hours=info.skip_hours,
        skip_days=info.skip_days,
        has_validators=has_validators,
    )


def wait_after_success(
    posting_rate: PostingRate,
    *,
    now: datetime,
    policy: Policy,
    hints: Hints,
    fixed: timedelta | None = None,
    weight: float = 1.0,
) -> timedelta:
    """How long to wait after a poll that worked, without jitter; skipped hours may make it longer.

    With a `fixed` interval the operator has spoken: hints within the document give way, headers do not.
    """
    base = fixed or interval(posting_rate, now=now, policy=policy, weight=weight, has_validators=hints.has_validators)
    asked = [_capped(hints.retry_after, _MAX_RETRY_AFTER), _capped(hints.fresh_for, _MAX_HINT)]
    if fixed is None:
        asked += [_ttl(hints), _update(hints)]
    return max([base, *(wait for wait in asked if wait)])


def wait_after_error(
    *,
    now: datetime,
    base: timedelta,
    error_count: int,
    error_since: datetime | None,
    jitter: float,
    retry_after: timedelta | None = None,
    fresh_for: timedelta | None = None,
    busy: bool = False,
    permanent: bool = False,
) -> timedelta:
    """How long to wait after a poll that failed, never less than `base`, the wait without the failure.

    `error_count` ≥ 1 includes it. Doubles up to a day, spread over the upper half of the doubling so that sources that
    failed together do not return together; after two weeks it is a weekly probe. `busy` (429, 503): four intervals at
    least, up to a day, or what `retry_after` says. `fresh_for`: how long the failure itself may be cached, a day at
    most. `permanent`: nothing on the other side is expected to change.
    """
    limit = max(_MAX_BACK_OFF, base)
    wait = limit if permanent else min(limit, base * 2 ** min(error_count, _MAX_DOUBLINGS))
    if error_since is not None and now - error_since > _PROBE_AFTER:
        wait = max(_PROBE_EVERY, base) * 2
    wait = max(wait * (0.5 + 0.5 * jitter), base * (1 + JITTER * jitter))
    if fresh_for is not None:
        wait = max(wait, min(fresh_for, _MAX_HINT) * (1 + JITTER * jitter))
    if retry_after is not None:
        wait = max(wait, min(retry_after, _MAX_RETRY_AFTER) * (1 + JITTER * jitter))
    elif busy:
        wait = max(wait, min(base * _BUSY_FACTOR, limit), _MIN_BUSY)
    return wait


def confirm_gone(gone_since: datetime | None, *, now: datetime, jitter: float) -> tuple[bool, timedelta]:
    """After a 410: whether it is confirmed now, and how long to wait (a century, if it is)."""
    if gone_since is not None and now - gone_since >= _CONFIRM_GONE:
        return True, 36500 * _DAY
    ask_again = (gone_since or now) + _CONFIRM_GONE
    return False, max(ask_again - now, timedelta(0)) + _CONFIRM_GONE * (0.02 + 0.1 * jitter)


def behind_skipped(due: datetime, hints: Hints) -> datetime:
    """`due`, or the first hour behind it that the publisher does not ask to skip; ignored where all are named."""
    moment = due
    for _ in range(_MAX_SKIPPED_HOURS):
        if moment.hour not in hints.skip_hours and moment.weekday() not in hints.skip_days:
            return moment
        # to the same minute of the next hour: all of a publisher's readers do not meet at its first second
        moment += _HOUR
    return due


def _capped(wait: timedelta | None, cap: timedelta) -> timedelta | None:
    return min(wait, cap) if wait else None


def _ttl(hints: Hints) -> timedelta | None:
    return _capped(hints.ttl, _MAX_HINT) if hints.ttl and hints.ttl >= _MIN_TTL else None


def _update(hints: Hints) -> timedelta | None:
    slower = hints.update_every and hints.update_every > _UNTOLD_UPDATE
    return _capped(hints.update_every, _MAX_HINT) if slower else None


@dataclass(frozen=True, slots=True)
class _Interval:
    """The interval of one source, in days, as a function of the factor."""

    wanted: float
    floor: float
    cap: float

    def polls(self, interval_factor: float) -> float:
        """Polls a day."""
        longest = max(self.cap, min(self.cap * interval_factor, MAX_STRETCHED / _DAY))
        return 1 / min(max(self.wanted * interval_factor, self.floor), max(longest, self.floor))


def interval_factor(sources: Sequence[Source], *, now: datetime, policy: Policy, polls_per_day: int) -> float:
    """The `Policy.interval_factor` with which all `sources` together keep to a budget; 1 where there is enough.

    Fixed intervals are the operator's own and stay. What publishers ask for and errors only make polls rarer.
    """
    plain = replace(policy, interval_factor=1.0)
    fixed = [one.subscription.interval for one in sources if one.subscription.interval is not None]
    left = polls_per_day * _SHARE - sum(_DAY / interval for interval in fixed)
    adaptive = [_interval(one, now, plain) for one in sources if one.subscription.interval is None]
    low, high = 0.0, math.log(_MAX_FACTOR)
    if _spent(adaptive, 1.0) <= left:
        return 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _spent(adaptive, math.exp(middle)) > left else (low, middle)
    return math.exp(high)


def _spent(intervals: Sequence[_Interval], interval_factor: float) -> float:
    return sum(one.polls(interval_factor) for one in intervals)


def _interval(source: Source, now: datetime, policy: Policy) -> _Interval:
    found = usual_interval(source.posting_rate, now=now, policy=policy, weight=source.subscription.weight)
    wanted, floor, cap = (span / _DAY for span in found)
    return _Interval(wanted, floor, cap)
