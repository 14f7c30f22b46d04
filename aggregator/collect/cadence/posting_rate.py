"""How a source posts, and the interval that follows from it. Pure.

Polls proportional to the square root of the rate minimise the delay of all items together (Sia and Cho, TKDE 2007): the
adaptive interval is about ``4 h / sqrt(items per day)`` within the floor and the cap of the configuration. The rate is
that of the hour, on weekdays and weekends apart, and partly that of the last hours: news comes in bursts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from aggregator.model import PostingRate

_DAY = timedelta(days=1)
_DAY_S, _HOUR_S = 86_400.0, 3600.0
_SATURDAY = 5
_HALF_LIFE_S = 10 * _DAY_S
_HOURS_HALF_LIFE_S = 60 * _DAY_S
_RECENT_HALF_LIFE_S = 2 * _HOUR_S
_TODAY_HALF_LIFE_S = 12 * _HOUR_S
#: items a day at one recent item
_RECENT_A_DAY = math.log(2) * (_DAY_S / _RECENT_HALF_LIFE_S)
#: how much of the expected rate is that of the last hours; the rest is the usual one of the hour
_RECENT_SHARE = 1 / 5
#: how far back a busy or quiet day is looked for, in hours; both sides of the comparison begin at so many items, and a
#: day is at most so many times busier than usual
_TODAY_HOURS, _TODAY_PRIOR, _MAX_BUSY = 36, 3.0, 3.0
#: the prior: as if one item had been seen in a week
_PRIOR_ITEMS, _PRIOR_DAYS = 1.0, 7.0
#: the profile of the week counts for half once this many items have been seen
_PROFILE_PRIOR = 10.0
#: shares of a week
_WEEKDAYS, _WEEKEND = 5 / 7, 2 / 7
#: polls a day at an estimated rate of one item a day: 24 h by this is the "4 h" of the formula. Chosen so that the 84
#: posting histories of bench/polling cost less than 9.6 polls a source and day, with the jitter
_DENSITY = 5.87

#: a poll that falls close to the end of a busy hour, between these shares of its interval, waits for it or comes at it;
#: busy: that many times as much as the next
_PEAK_FROM, _PEAK_TO, _PEAK = 0.25, 1.4, 3.0

#: the longest interval grows with silence: by itself for each of these spans, up to so many times; a year is another
_SILENCE, _MAX_SILENCE_FACTOR = timedelta(days=14), 4.0
_SILENT_YEAR, _SILENT_YEAR_FACTOR = timedelta(days=365), 28.0
#: the longest interval that a budget makes
MAX_STRETCHED = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator decides: the bounds of the adaptive interval, and what may be spent."""

    min_interval: timedelta = timedelta(minutes=30)
    max_interval: timedelta = timedelta(hours=6)
    #: by how much all adaptive intervals are longer, so that a budget is kept (`interval_factor`); 1: there is enough
    interval_factor: float = 1.0


#: a piece of the future that lies within one hour of the day: start relative to now, length, items a day expected
_Hour = tuple[float, float, float]


def observe(
    posting_rate: PostingRate,
    *,
    published: Sequence[datetime | None],
    now: datetime,
    previous_poll: datetime | None,
    window_entries: int,
    overlapped: bool,
) -> PostingRate:
    """The posting rate after a document whose new entries claim these times (None: no date).

    `previous_poll` is the last poll that worked; None: this is the first document, and its dates are history. Later, a
    date outside the gap since then is not believed: the entry came some time in the gap.
    """
    times = _times(published, previous_poll, now)
    return replace(
        _counted(posting_rate, times, now),
        as_of=now,
        since=min([posting_rate.since or now, *times]),
        last_item_at=max([*times, *([posting_rate.last_item_at] if posting_rate.last_item_at else [])], default=None),
        window_entries=window_entries,
        overlapped=overlapped,
    )


def items_per_day(posting_rate: PostingRate, *, now: datetime) -> float:
    """The rate at which a source posts, cautiously: drawn towards weekly by a prior that weighs as much as a week."""
    weight = posting_rate.weight * _decay(posting_rate.as_of, now, _HALF_LIFE_S)
    tau = _HALF_LIFE_S / math.log(2)
    watched = tau * (1 - math.exp(-(_age_s(posting_rate.since, now) / tau)))
    return (weight + _PRIOR_ITEMS) / (watched / _DAY_S + _PRIOR_DAYS)


def interval(
    posting_rate: PostingRate, *, now: datetime, policy: Policy, weight: float = 1.0, has_validators: bool = True
) -> timedelta:
    """The adaptive interval: how long from `now` until one poll is worth its while, within floor and cap."""
    cap, usual = _cap(posting_rate, now, policy), items_per_day(posting_rate, now=now)
    hours, cap_s = _expected(posting_rate, now, cap.total_seconds(), usual), cap.total_seconds()
    wanted = timedelta(seconds=_until_worth_it(hours, cap_s, density=_DENSITY * _root(weight) / policy.interval_factor))
    if (turnover := _turnover(posting_rate, usual)) is not None:
        wanted = min(wanted, turnover * policy.interval_factor)
    if not posting_rate.overlapped:
        wanted /= 2
    # a server without validators sends everything every time: it is asked half as often
    floor = policy.min_interval if has_validators else policy.min_interval * 2
    return min(max(wanted, floor), max(cap, floor))


def usual_interval(
    posting_rate: PostingRate, *, now: datetime, policy: Policy, weight: float = 1.0
) -> tuple[timedelta, timedelta, timedelta]:
    """What `interval` comes to over the next day, without the factor: unbounded, and its bounds. For estimates."""
    usual = items_per_day(posting_rate, now=now)
    hours = _expected(posting_rate, now, _DAY_S, usual)
    roots = sum(math.sqrt(expected) * (length_s / _DAY_S) for _, length_s, expected in hours)
    wanted = _DAY / (_DENSITY * _root(weight) * roots)
    if (turnover := _turnover(posting_rate, usual)) is not None:
        wanted = min(wanted, turnover)
    return wanted / (1 if posting_rate.overlapped else 2), policy.min_interval, _cap(posting_rate, now, policy)


def _root(weight: float) -> float:
    return math.sqrt(max(weight, 0.01))


def _turnover(posting_rate: PostingRate, usual: float) -> timedelta | None:
    """In which the document must be polled so that it does not turn over completely (Horincar's saturation)."""
    if not posting_rate.window_entries:
        return None
    return _DAY * (0.5 * posting_rate.window_entries / usual)


def _times(published: Sequence[datetime | None], previous_poll: datetime | None, now: datetime) -> list[datetime]:
    """When the new entries came."""
    if previous_poll is None:
        return [moment for moment in published if moment is not None and moment <= now]
    middle = previous_poll + (now - previous_poll) / 2
    return [moment if moment and previous_poll < moment <= now else middle for moment in published]


def _counted(posting_rate: PostingRate, times: Sequence[datetime], now: datetime) -> PostingRate:
    """The decayed counts: all that was counted before has aged, and these times come in, each with its own age."""
    aged = _decay(posting_rate.as_of, now, _HOURS_HALF_LIFE_S)
    weekdays, weekend = (
        [count * aged for count in counts] for counts in (posting_rate.hours, posting_rate.weekend_hours)
    )
    for moment in times:
        (weekend if _is_weekend(moment) else weekdays)[moment.hour] += _decay(moment, now, _HOURS_HALF_LIFE_S)
    return replace(
        posting_rate,
        weight=posting_rate.weight * _decay(posting_rate.as_of, now, _HALF_LIFE_S) + _sum(times, now, _HALF_LIFE_S),
        recent=posting_rate.recent * _decay(posting_rate.as_of, now, _RECENT_HALF_LIFE_S)
        + _sum(times, now, _RECENT_HALF_LIFE_S),
        today=posting_rate.today * _decay(posting_rate.as_of, now, _TODAY_HALF_LIFE_S)
        + _sum(times, now, _TODAY_HALF_LIFE_S),
        hours=tuple(weekdays),
        weekend_hours=tuple(weekend),
    )


def _sum(times: Sequence[datetime], now: datetime, half_life_s: float) -> float:
    return sum(_decay(moment, now, half_life_s) for moment in times)


def _decay(since: datetime | None, now: datetime, half_life_s: float) -> float:
    return math.pow(0.5, _age_s(since, now) / half_life_s)


def _age_s(since: datetime | None, now: datetime) -> float:
    # A clock that was set back makes the past lie ahead: nothing has aged then.
    return max((now - since).total_seconds(), 0.0) if since else 0.0


def _is_weekend(moment: datetime) -> bool:
    return moment.weekday() >= _SATURDAY


def _cap(posting_rate: PostingRate, now: datetime, policy: Policy) -> timedelta:
    """The configured cap, longer the longer a source is silent: 4 times as long from 8 weeks on, 28 times after a year.

    Longer where a budget asks for it, but not beyond a week for that.
    """
    last = posting_rate.last_item_at or posting_rate.since or now
    silent = now - last
    factor = _SILENT_YEAR_FACTOR if silent > _SILENT_YEAR else min(max(silent / _SILENCE, 1.0), _MAX_SILENCE_FACTOR)
    cap = policy.max_interval * factor
    return max(cap, min(cap * policy.interval_factor, MAX_STRETCHED))


def _until_worth_it(hours: Iterable[_Hour], cap_s: float, *, density: float) -> float:
    """The time in which polls add up to one, the cap at the most; `density`: polls a day at one item a day.

    It gives way to the end of a busy hour close to it; no hour is looked at that is later.
    """
    total, wanted_s = 0.0, None
    near: list[_Hour] = []
    for hour in hours:
        start_s, length_s, expected = hour
        if wanted_s is None:
            rate = density * math.sqrt(expected)
            gain = rate * (length_s / _DAY_S)
            if total + gain >= 1:
                wanted_s = start_s + _DAY_S * ((1 - total) / rate)
            total += gain
        elif start_s > wanted_s * _PEAK_TO:
            break
        near.append(hour)
    return _behind_peak(near, cap_s if wanted_s is None else wanted_s)


def _behind_peak(hours: Sequence[_Hour], wanted_s: float) -> float:
    """The end of a busy hour that is followed by a much quieter one, if there is one close to what is wanted."""
    from_s, to_s = wanted_s * _PEAK_FROM, wanted_s * _PEAK_TO
    drop, end_s = max(
        [
            (before / after, start_s)
            for (_, _, before), (start_s, _, after) in pairwise(hours)
            if from_s <= start_s <= to_s
        ],
        default=(0.0, 0.0),
    )
    return end_s if drop >= _PEAK else wanted_s


def _expected(posting_rate: PostingRate, now: datetime, span_s: float, usual: float) -> Iterator[_Hour]:
    """What is to be expected of the hours that a span from `now` covers; `usual`: items a day over all of them.

    The profile of the week, made larger or smaller by how busy the day has been, and in part the rate of the last
    hours; both fade with distance. In plain numbers: every poll asks for it.
    """
    recent = posting_rate.recent * _decay(posting_rate.as_of, now, _RECENT_HALF_LIFE_S) * _RECENT_A_DAY
    weekdays, weekend = _profile(posting_rate, usual)
    busy = _busy(posting_rate, now, weekdays, weekend) - 1
    at, start_s = now.weekday() * 24 + now.hour, 0.0
    length_s = _HOUR_S - (now.minute * 60 + now.second + now.microsecond / 1e6)
    while start_s < span_s:
        weekday, hour = divmod(at, 24)
        expected = (weekend if weekday % 7 >= _SATURDAY else weekdays)[hour]
        expected *= 1 + busy * math.pow(0.5, start_s / _TODAY_HALF_LIFE_S)
        expected += (recent - expected) * _RECENT_SHARE * math.pow(0.5, start_s / _RECENT_HALF_LIFE_S)
        yield start_s, min(length_s, span_s - start_s), expected
        at, start_s, length_s = at + 1, start_s + length_s, _HOUR_S


def _profile(posting_rate: PostingRate, usual: float) -> tuple[list[float], list[float]]:
    """Items a day expected at each hour of weekdays and of weekends: as much busier as the hour is than the mean.

    As busy as the mean while little is known.
    """
    known = sum(posting_rate.hours) + sum(posting_rate.weekend_hours) + _PROFILE_PRIOR
    return (
        [usual * (24 / _WEEKDAYS * count + _PROFILE_PRIOR) / known for count in posting_rate.hours],
        [usual * (24 / _WEEKEND * count + _PROFILE_PRIOR) / known for count in posting_rate.weekend_hours],
    )


def _busy(posting_rate: PostingRate, now: datetime, weekdays: Sequence[float], weekend: Sequence[float]) -> float:
    """How many times busier the last hours were than the profile had led to expect, each weighted by its age."""
    came = posting_rate.today * _decay(posting_rate.as_of, now, _TODAY_HALF_LIFE_S)
    watched_s = min(_TODAY_HOURS * _HOUR_S, _age_s(posting_rate.since, now))
    due, age_s, at = 0.0, 0.0, now.weekday() * 24 + now.hour
    length_s = now.minute * 60 + now.second + now.microsecond / 1e6
    while age_s < watched_s:
        weekday, hour = divmod(at, 24)
        length_s = min(length_s, watched_s - age_s)
        expected = (weekend if weekday % 7 >= _SATURDAY else weekdays)[hour] * (length_s / _DAY_S)
        due += expected * math.pow(0.5, (age_s + length_s / 2) / _TODAY_HALF_LIFE_S)
        at, age_s, length_s = at - 1, age_s + length_s, _HOUR_S
    return min((came + _TODAY_PRIOR) / (due + _TODAY_PRIOR), _MAX_BUSY)
