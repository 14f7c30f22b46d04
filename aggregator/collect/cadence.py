"""When to poll next. Pure: what a source has posted, what its server asked for and how the poll went, in; a time, out.

The adaptive interval is about ``4 h / sqrt(items per day)``, shaped by the hour of the day and kept within the floor
and the cap of the configuration: polls proportional to the square root of the rate minimise the delay of all items
together (Sia and Cho, TKDE 2007). Whatever the server asks for only ever makes it longer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator.model import FeedInfo, Rhythm

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
]

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_HALF_LIFE = timedelta(days=10)
_TAU = _HALF_LIFE / math.log(2)
_HOURS_HALF_LIFE = timedelta(days=21)
#: the prior: as if one item had been seen in a week
_PRIOR_ITEMS, _PRIOR_TIME = 1.0, timedelta(days=7)
#: the hour-of-day profile counts for half once this many items have been seen
_PROFILE_PRIOR = 20.0
#: polls per hour at an estimated rate of one item a day. Chosen so that a source that has long posted 4 items a day is
#: polled every 2 hours: the prior makes its estimate (4 · 14.4 d + 1) / (14.4 d + 7 d) = 2.74 items a day, and the
#: jitter adds 5 % on average
_BASE_DENSITY = 1.05 / (2 * math.sqrt(2.74))

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

_QUIET, _SILENT = timedelta(days=90), timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator decides: the bounds of the adaptive interval."""

    min_interval: timedelta = timedelta(minutes=30)
    max_interval: timedelta = timedelta(hours=6)


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


def observe(
    rhythm: Rhythm,
    *,
    published: Sequence[datetime | None],
    now: datetime,
    previous_poll: datetime | None,
    window_entries: int,
    overlapped: bool,
) -> Rhythm:
    """The rhythm after a document whose new entries claim these times (None: no date).

    `previous_poll` is the last poll that worked; None: this is the first document, and its dates are history. Later, a
    date outside the gap since then is not believed: the entry came some time in the gap.
    """
    times = _times(published, previous_poll, now)
    decay = _decay(rhythm.as_of, now, _HALF_LIFE)
    return Rhythm(
        weight=rhythm.weight * decay + sum(_decay(moment, now, _HALF_LIFE) for moment in times),
        as_of=now,
        since=min([rhythm.since or now, *times]),
        hours=_hours(rhythm, times, now),
        last_item_at=max([*times, *([rhythm.last_item_at] if rhythm.last_item_at else [])], default=None),
        window_entries=window_entries,
        overlapped=overlapped,
    )


def items_per_day(rhythm: Rhythm, *, now: datetime) -> float:
    """The rate at which a source posts, cautiously: drawn towards weekly by a prior that weighs as much as a week."""
    weight = rhythm.weight * _decay(rhythm.as_of, now, _HALF_LIFE)
    age = max(now - (rhythm.since or now), timedelta(0))
    watched = _TAU * (1 - math.exp(-(age / _TAU)))
    return (weight + _PRIOR_ITEMS) / ((watched + _PRIOR_TIME) / _DAY)


def interval(
    rhythm: Rhythm, *, now: datetime, policy: Policy, weight: float = 1.0, has_validators: bool = True
) -> timedelta:
    """The adaptive interval: how long from `now` until one poll is worth its while, within floor and cap."""
    rate = items_per_day(rhythm, now=now)
    wanted = _integrated(rhythm, rate * max(weight, 0.01), now, _cap(rhythm, now, policy))
    if rhythm.window_entries:
        # the document must not turn over completely between two polls (Horincar's saturation)
        wanted = min(wanted, _DAY * (0.5 * rhythm.window_entries / rate))
    if not rhythm.overlapped:
        wanted /= 2
    # a server without validators sends everything every time: it is asked half as often
    floor = policy.min_interval if has_validators else policy.min_interval * 2
    return min(max(wanted, floor), max(_cap(rhythm, now, policy), floor))


def next_poll(
    rhythm: Rhythm,
    *,
    now: datetime,
    policy: Policy,
    hints: Hints,
    jitter: float,
    fixed: timedelta | None = None,
    weight: float = 1.0,
) -> datetime:
    """When to poll after a poll that worked.

    `jitter` is in [0, 1) and lengthens by up to a tenth: a server that allows one request an hour must never see 59
    minutes. With a `fixed` interval the operator has spoken: hints within the document give way, headers do not.
    """
    base = fixed or interval(rhythm, now=now, policy=policy, weight=weight, has_validators=hints.has_validators)
    asked = [_capped(hints.retry_after, _MAX_RETRY_AFTER), _capped(hints.fresh_for, _MAX_HINT)]
    if fixed is None:
        asked += [_ttl(hints), _update(hints)]
    due = now + max([base, *(wait for wait in asked if wait)]) * (1 + 0.1 * jitter)
    return due if fixed else _skipped(due, hints)


def after_error(
    *,
    now: datetime,
    base: timedelta,
    error_count: int,
    error_since: datetime | None,
    jitter: float,
    retry_after: timedelta | None = None,
    busy: bool = False,
    permanent: bool = False,
) -> datetime:
    """When to poll after a poll that failed. `base` is the interval without the failure, `error_count` ≥ 1 includes it.

    Doubles up to a day, spread over the upper half of the doubling so that sources that failed together do not return
    together; after two weeks it is a weekly probe. `busy` (429, 503): four intervals at least, or what `retry_after`
    says. `permanent`: nothing on the other side is expected to change; once a day.
    """
    limit = max(_MAX_BACK_OFF, base)
    wait = limit if permanent else min(limit, base * 2 ** min(error_count, _MAX_DOUBLINGS))
    if error_since is not None and now - error_since > _PROBE_AFTER:
        wait = max(_PROBE_EVERY, base) * 2
    wait = max(wait * (0.5 + 0.5 * jitter), base)
    if retry_after is not None:
        wait = max(wait, min(retry_after, _MAX_RETRY_AFTER) * (1 + 0.1 * jitter))
    elif busy:
        wait = max(wait, base * _BUSY_FACTOR, _MIN_BUSY)
    return now + wait


def confirm_gone(gone_since: datetime | None, *, now: datetime, jitter: float) -> tuple[bool, datetime]:
    """After a 410: whether it is confirmed now, and when to ask again (never, if it is: a century hence)."""
    if gone_since is not None and now - gone_since >= _CONFIRM_GONE:
        return True, now + 36500 * _DAY
    ask_again = (gone_since or now) + _CONFIRM_GONE
    return False, max(ask_again, now) + _CONFIRM_GONE * (0.02 + 0.1 * jitter)


def _times(published: Sequence[datetime | None], previous_poll: datetime | None, now: datetime) -> list[datetime]:
    """When the new entries came; entries of one moment are one event."""
    if previous_poll is None:
        return sorted({moment for moment in published if moment is not None and moment <= now})
    middle = previous_poll + (now - previous_poll) / 2
    claimed = (moment if moment and previous_poll < moment <= now else middle for moment in published)
    return sorted(set(claimed))


def _decay(since: datetime | None, now: datetime, half_life: timedelta) -> float:
    # A clock that was set back makes the past lie ahead: nothing has decayed then.
    age = max(now - since, timedelta(0)) if since else timedelta(0)
    return math.pow(0.5, age / half_life)


def _hours(rhythm: Rhythm, times: Sequence[datetime], now: datetime) -> tuple[float, ...]:
    decay = _decay(rhythm.as_of, now, _HOURS_HALF_LIFE)
    hours = [count * decay for count in rhythm.hours]
    for moment in times:
        hours[moment.hour] += _decay(moment, now, _HOURS_HALF_LIFE)
    return tuple(hours)


def _profile(hours: Sequence[float]) -> list[float]:
    """How much busier each hour is than the mean; flat while little is known. Smoothed over the neighbouring hours."""
    total = sum(hours)
    smooth = [0.25 * hours[hour - 1] + 0.5 * hours[hour] + 0.25 * hours[(hour + 1) % 24] for hour in range(24)]
    return [(24 * count + _PROFILE_PRIOR) / (total + _PROFILE_PRIOR) for count in smooth]


def _cap(rhythm: Rhythm, now: datetime, policy: Policy) -> timedelta:
    """The configured cap; 4 times that (a day) once a source is silent for a season, 28 times after a year."""
    last = rhythm.last_item_at or rhythm.since or now
    silent = now - last
    return policy.max_interval * (28 if silent > _SILENT else 4 if silent > _QUIET else 1)


def _integrated(rhythm: Rhythm, rate: float, now: datetime, cap: timedelta) -> timedelta:
    """The time in which the density of polls adds up to one, `cap` at the most."""
    profile = _profile(rhythm.hours)
    total = 0.0
    for hour, start, length in _hours_from(now, cap):
        density = _BASE_DENSITY * math.sqrt(rate * profile[hour])
        gain = density * (length / _HOUR)
        if total + gain >= 1:
            return start + _HOUR * ((1 - total) / density)
        total += gain
    return cap


def _hours_from(now: datetime, span: timedelta) -> Iterator[tuple[int, timedelta, timedelta]]:
    """The hours of the day that `span` from `now` covers: (hour, its start relative to now, its length)."""
    start = timedelta(0)
    rest = _HOUR - timedelta(minutes=now.minute, seconds=now.second, microseconds=now.microsecond)
    while start < span:
        length = min(rest, span - start)
        yield (now + start).hour, start, length
        start, rest = start + length, _HOUR


def _capped(wait: timedelta | None, cap: timedelta) -> timedelta | None:
    return min(wait, cap) if wait else None


def _ttl(hints: Hints) -> timedelta | None:
    return _capped(hints.ttl, _MAX_HINT) if hints.ttl and hints.ttl >= _MIN_TTL else None


def _update(hints: Hints) -> timedelta | None:
    slower = hints.update_every and hints.update_every > _UNTOLD_UPDATE
    return _capped(hints.update_every, _MAX_HINT) if slower else None


def _skipped(due: datetime, hints: Hints) -> datetime:
    """`due`, pushed to the first hour the publisher does not ask to be left alone in; if he names all, ignored."""
    moment = due
    for _ in range(_MAX_SKIPPED_HOURS):
        if moment.hour not in hints.skip_hours and moment.weekday() not in hints.skip_days:
            return moment
        # to the same minute of the next hour: all of a publisher's readers do not meet at its first second
        moment += _HOUR
    return due
