from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.collect import cadence
from aggregator.collect.cadence import Hints, Policy
from aggregator.collect.parse import parse_sync
from aggregator.model import Document, FeedInfo, PostingRate

#: a Monday
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
POLICY = Policy()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
QUIET_SOURCE = PostingRate(since=NOW - 30 * DAY, as_of=NOW, last_item_at=NOW - 12 * DAY)


def steady(per_day: float, days: int = 90, window: int = 50) -> PostingRate:
    """A source that has long posted at this rate, at all hours."""
    gap = DAY / per_day
    # shifted by the golden ratio, so that no hour of the day is favoured
    times = [NOW - gap * (number + number * 0.618 % 1) for number in range(int(days * per_day))]
    return observed(times, window=window)


def observed(times: Sequence[datetime | None], window: int = 50) -> PostingRate:
    return cadence.observe(
        PostingRate(), published=times, now=NOW, previous_poll=None, window_entries=window, overlapped=True
    )


def minutes(duration: timedelta) -> float:
    return duration / MINUTE


def after(hints: Hints, posting_rate: PostingRate = QUIET_SOURCE, fixed: timedelta | None = None) -> timedelta:
    wait = cadence.wait_after_success(posting_rate, now=NOW, policy=POLICY, hints=hints, fixed=fixed)
    return wait if fixed else cadence.behind_skipped(NOW + wait, hints) - NOW


# --- the adaptive interval ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("per_day", "expected"), [(4, 119), (16, 61), (50, 34), (200, 30)])
def test_four_hours_by_the_root_of_the_rate(per_day: float, expected: float) -> None:
    assert minutes(cadence.interval(steady(per_day), now=NOW, policy=POLICY)) == pytest.approx(expected, rel=0.07)


def test_within_floor_and_cap() -> None:
    assert cadence.interval(steady(2000, days=10), now=NOW, policy=POLICY) == 30 * MINUTE
    assert cadence.interval(QUIET_SOURCE, now=NOW, policy=POLICY) == 6 * HOUR


def test_a_silent_source_is_asked_less_and_less() -> None:
    def cap(silent: timedelta) -> timedelta:
        rhythm = PostingRate(since=NOW - 5 * 365 * DAY, last_item_at=NOW - silent, as_of=NOW)
        return cadence.interval(rhythm, now=NOW, policy=Policy(max_interval=6 * HOUR)) / HOUR * HOUR

    assert cap(10 * DAY) == 6 * HOUR
    assert cap(28 * DAY) == 12 * HOUR, "the longest interval grows with silence"
    assert 12 * HOUR < cap(80 * DAY) <= cap(100 * DAY) <= DAY
    assert 12 * HOUR < cap(500 * DAY) <= 7 * DAY


def test_a_heavier_source_is_asked_more_often() -> None:
    light, heavy = (cadence.interval(steady(4), now=NOW, policy=POLICY, weight=weight) for weight in (1.0, 4.0))
    assert heavy == pytest.approx(light / 2, rel=0.01)


def test_without_validators_half_as_often() -> None:
    assert cadence.interval(steady(200), now=NOW, policy=POLICY, has_validators=False) == HOUR


def test_lost_entries_halve_the_interval() -> None:
    kept = steady(4)
    lost = cadence.observe(kept, published=[], now=NOW, previous_poll=NOW - HOUR, window_entries=50, overlapped=False)
    assert cadence.interval(lost, now=NOW, policy=POLICY) == pytest.approx(
        cadence.interval(kept, now=NOW, policy=POLICY) / 2, rel=0.01
    )


def test_a_short_window_is_polled_before_it_turns_over() -> None:
    short = cadence.interval(steady(40, window=2), now=NOW, policy=Policy(min_interval=MINUTE))
    assert short < DAY * (0.5 * 2 / 25)


def test_busy_hours_are_polled_more_often() -> None:
    mornings = [NOW - day * DAY - 4 * HOUR + number * MINUTE for day in range(60) for number in range(8)]
    rhythm = observed(mornings)
    at_eight = cadence.interval(rhythm, now=NOW.replace(hour=7, minute=30), policy=POLICY)
    at_night = cadence.interval(rhythm, now=NOW.replace(hour=20), policy=POLICY)
    assert at_eight < at_night / 2


def test_a_burst_is_followed_closely() -> None:
    usual = steady(10)
    burst = cadence.observe(
        usual,
        published=[NOW - number * MINUTE for number in range(12)],
        now=NOW,
        previous_poll=NOW - HOUR,
        window_entries=50,
        overlapped=True,
    )
    before, after = (cadence.interval(rhythm, now=NOW, policy=POLICY) for rhythm in (usual, burst))
    assert after < 0.75 * before
    assert cadence.items_per_day(burst, now=NOW) < 1.2 * cadence.items_per_day(usual, now=NOW)


def test_weekends_are_not_weekdays() -> None:
    weekdays = [NOW - day * DAY - hour * HOUR for day in range(60) for hour in range(9)]
    rhythm = observed([moment for moment in weekdays if moment.weekday() < 5])
    monday, saturday = (cadence.interval(rhythm, now=NOW + days * DAY, policy=POLICY) for days in (0, 5))
    assert monday < 0.7 * saturday


def test_a_poll_close_to_the_end_of_a_busy_hour_waits_for_it() -> None:
    at_noon = observed([NOW - day * DAY + number * MINUTE for day in range(1, 60) for number in (1, 29, 55)])
    for minute in range(0, 60, 7):
        asked = NOW - 2 * HOUR + minute * MINUTE
        due = asked + cadence.interval(at_noon, now=asked, policy=POLICY)
        assert not NOW + 5 * MINUTE < due < NOW + HOUR


# --- what is learnt -------------------------------------------------------------------------------------------------


def test_a_first_document_teaches_by_its_dates() -> None:
    week = observed([NOW - number * 4 * HOUR for number in range(42)])
    assert 2 < cadence.items_per_day(week, now=NOW) < 6
    assert week.since == NOW - 41 * 4 * HOUR
    assert week.last_item_at == NOW


def test_a_first_document_without_dates_teaches_nothing() -> None:
    assert cadence.items_per_day(observed([None] * 50), now=NOW) == pytest.approx(1 / 7)


def test_future_dates_are_not_believed() -> None:
    assert observed([NOW + DAY]).weight == 0


def test_later_a_date_outside_the_gap_is_the_middle_of_it() -> None:
    rhythm = cadence.observe(
        PostingRate(since=NOW - 9 * DAY),
        published=[NOW - 300 * DAY, None, NOW + DAY, NOW - 10 * MINUTE],
        now=NOW,
        previous_poll=NOW - HOUR,
        window_entries=9,
        overlapped=True,
    )
    assert rhythm.weight == pytest.approx(4, rel=0.01)
    assert rhythm.hours[11] == pytest.approx(4, rel=0.01)
    assert (rhythm.since, rhythm.last_item_at) == (NOW - 9 * DAY, NOW - 10 * MINUTE)


def test_the_past_fades() -> None:
    rhythm = steady(4)
    now, then = (cadence.items_per_day(rhythm, now=moment) for moment in (NOW, NOW + 30 * DAY))
    assert then < now / 4


@given(
    st.lists(st.one_of(st.none(), st.integers(-(10**9), 10**7)), max_size=30),
    st.integers(0, 10**8),
    st.booleans(),
)
def test_whatever_was_seen_the_next_poll_is_between_floor_and_cap(
    offsets: list[int | None], waited_s: int, first: bool
) -> None:
    published = [None if offset is None else NOW + timedelta(seconds=offset) for offset in offsets]
    rhythm = cadence.observe(
        PostingRate(),
        published=published,
        now=NOW,
        previous_poll=None if first else NOW - timedelta(seconds=waited_s),
        window_entries=len(offsets),
        overlapped=True,
    )
    wait = cadence.wait_after_success(rhythm, now=NOW, policy=POLICY, hints=Hints())
    assert 30 * MINUTE <= wait <= 7 * DAY
    assert rhythm.weight >= 0
    assert len(rhythm.hours) == 24


def simulated(rate: PostingRate, posts: Sequence[datetime], start: datetime, until: datetime) -> list[timedelta]:
    """How long each post waits for its poll, as the polls of a daemon follow each other."""
    before, asked, waits, left = start - HOUR, start, list[timedelta](), list(posts)
    while asked < until:
        found = [post for post in left if post <= asked]
        left = left[len(found) :]
        waits += [asked - post for post in found]
        rate = cadence.observe(
            rate, published=found, now=asked, previous_poll=before, window_entries=30, overlapped=True
        )
        before, asked = asked, asked + cadence.interval(rate, now=asked, policy=POLICY) * 1.05
    return waits


@pytest.mark.parametrize("weekday", range(7))
def test_a_weekly_post_is_not_missed_by_hours(weekday: int) -> None:
    """Podcasts: the end of their hour is waited for, wherever drifting polls would have fallen."""
    posts = [NOW.replace(hour=9, minute=10) + (weekday + 7 * week) * DAY for week in range(-30, 14)]
    waits = simulated(PostingRate(since=posts[0]), posts, posts[0] - HOUR, NOW + 90 * DAY)
    assert minutes(sum(waits[-15:], timedelta(0)) / 15) < 130


def test_a_busy_day_is_followed_more_closely_and_fades() -> None:
    quiet_day = steady(6)
    busy_day = cadence.observe(
        quiet_day,
        published=[NOW - (4 + 0.5 * number) * HOUR for number in range(14)],
        now=NOW,
        previous_poll=NOW - 12 * HOUR,
        window_entries=50,
        overlapped=True,
    )
    usual, busy, later = (
        minutes(cadence.interval(rate, now=at, policy=POLICY))
        for rate, at in ((quiet_day, NOW), (busy_day, NOW), (busy_day, NOW + 3 * DAY))
    )
    assert busy < 0.75 * usual
    assert later > 1.2 * busy


# --- what the publisher asks for ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        (Hints(), 6 * HOUR),
        (Hints(fresh_for=12 * HOUR), 12 * HOUR),
        (Hints(fresh_for=HOUR), 6 * HOUR),
        (Hints(fresh_for=16 * 365 * DAY), DAY),
        (Hints(retry_after=3 * DAY), 3 * DAY),
        (Hints(retry_after=30 * DAY), 7 * DAY),
        (Hints(ttl=8 * HOUR), 8 * HOUR),
        (Hints(ttl=90 * DAY), DAY),
        (Hints(ttl=timedelta(0)), 6 * HOUR),
        (Hints(update_every=HOUR), 6 * HOUR),
        (Hints(update_every=DAY), DAY),
        (Hints(update_every=30 * DAY), DAY),
        (Hints(skip_hours=frozenset({18, 19})), 8 * HOUR),
        (Hints(skip_days=frozenset({0})), 12 * HOUR),
        (Hints(skip_hours=frozenset(range(24))), 6 * HOUR),
        (Hints(skip_days=frozenset(range(7))), 6 * HOUR),
    ],
)
def test_hints_only_ever_lengthen(hints: Hints, expected: timedelta) -> None:
    assert after(hints) == expected


def test_short_times_to_live_are_misunderstandings() -> None:
    assert after(Hints(ttl=4 * MINUTE), posting_rate=steady(200)) == 30 * MINUTE
    assert after(Hints(ttl=45 * MINUTE), posting_rate=steady(200)) == 45 * MINUTE


def test_a_fixed_interval_overrides_the_document_and_not_the_server() -> None:
    hints = Hints(ttl=3 * HOUR, update_every=DAY, skip_hours=frozenset(range(24)))
    assert after(hints, fixed=MINUTE) == MINUTE
    assert after(Hints(fresh_for=HOUR), fixed=MINUTE) == HOUR


def test_hints_of_a_document() -> None:
    info = FeedInfo(ttl=HOUR, update_every=DAY, skip_hours=frozenset({1}), skip_days=frozenset({6}))
    hints = cadence.hints_of(info, fresh_for=MINUTE, has_validators=False)
    assert hints == Hints(
        fresh_for=MINUTE,
        ttl=HOUR,
        update_every=DAY,
        skip_hours=frozenset({1}),
        skip_days=frozenset({6}),
        has_validators=False,
    )


@given(st.floats(0, 0.9999), st.integers(1, 30), st.booleans(), st.sampled_from([None, MINUTE, 5 * HOUR]))
def test_a_failure_never_shortens(jitter: float, count: int, busy: bool, retry_after: timedelta | None) -> None:
    wait = cadence.wait_after_error(
        now=NOW, base=HOUR, error_count=count, error_since=NOW, jitter=jitter, retry_after=retry_after, busy=busy
    )
    assert wait >= max(HOUR, retry_after or HOUR)


# --- after failures -------------------------------------------------------------------------------------------------


def failed(
    count: int,
    *,
    jitter: float = 0.0,
    since: datetime = NOW,
    busy: bool = False,
    permanent: bool = False,
    retry_after: timedelta | None = None,
) -> timedelta:
    return cadence.wait_after_error(
        now=NOW,
        base=HOUR,
        error_count=count,
        error_since=since,
        jitter=jitter,
        retry_after=retry_after,
        busy=busy,
        permanent=permanent,
    )


def test_errors_double_the_interval_up_to_a_day() -> None:
    waits = [failed(count) for count in range(1, 12)]
    assert waits[:4] == [1 * HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR]
    assert all(earlier <= later for earlier, later in pairwise(waits))
    assert waits[-1] == 12 * HOUR
    assert failed(11, jitter=0.9999) == pytest.approx(DAY, rel=0.01)


def test_after_two_weeks_a_weekly_probe() -> None:
    assert failed(99, since=NOW - 15 * DAY) == 7 * DAY


def test_busy_servers() -> None:
    assert failed(1, busy=True) == 4 * HOUR
    assert failed(1, busy=True, retry_after=10 * HOUR) == 10 * HOUR
    assert failed(1, busy=True, retry_after=MINUTE) == HOUR
    assert failed(1, retry_after=30 * DAY) == 7 * DAY


def test_permanent_faults_are_asked_about_once_a_day() -> None:
    assert failed(1, permanent=True, jitter=0.99) == pytest.approx(DAY, rel=0.01)


def test_an_interval_beyond_a_day_is_never_shortened_by_failing() -> None:
    wait = cadence.wait_after_error(now=NOW, base=3 * DAY, error_count=1, error_since=NOW, jitter=0.0)
    assert wait == 3 * DAY


def test_gone_is_believed_when_it_is_said_twice_a_day_apart() -> None:
    first, again = cadence.confirm_gone(None, now=NOW, jitter=0.5)
    assert not first
    assert DAY < again < 2 * DAY
    early, again = cadence.confirm_gone(NOW - 2 * HOUR, now=NOW, jitter=0.0)
    assert not early
    assert again > 22 * HOUR
    assert cadence.confirm_gone(NOW - DAY, now=NOW, jitter=0.0)[0]


# --- on real posting histories --------------------------------------------------------------------------------------


@pytest.mark.data
def test_84_real_sources_for_a_season(shared_data: Path) -> None:
    """At most 9.6 polls a source and day, at most 21.7 minutes between an item and its poll."""
    bench = Path(__file__).parents[2] / "bench" / "polling.py"
    done = subprocess.run(
        [sys.executable, bench, "--check", "--data", shared_data], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ("<ttl>90 minutes</ttl>", {"ttl": 90 * MINUTE}),
        ("<ttl>2h</ttl>", {"ttl": 2 * HOUR}),
        ("<ttl>720.0</ttl>", {"ttl": 12 * HOUR}),
        ("<ttl>" + "9" * 25 + "</ttl>", {"ttl": 7 * DAY}),
        ("<ttl>-90</ttl>", {}),
        ("<ttl>often</ttl>", {}),
        (
            "<sy:updatePeriod> Weekly </sy:updatePeriod><sy:updateFrequency>2.0</sy:updateFrequency>",
            {"update_every": 3.5 * DAY},
        ),
        ("<sy:updateFrequency>3</sy:updateFrequency>", {"update_every": 8 * HOUR}),
        ("<sy:updatePeriod>now and then</sy:updatePeriod><sy:updateFrequency>3</sy:updateFrequency>", {}),
        ("<skipHours><hour>6, 7</hour><hour>08:00</hour><hour>24</hour></skipHours>", {"skip_hours": {0, 6, 7, 8}}),
        ("<skipHours><hour>-6</hour><hour>66</hour><hour>noon</hour></skipHours>", {}),
        ("<skipDays><day>SUN</day><day>Tuesday, thurs.</day></skipDays>", {"skip_days": {1, 3, 6}}),
    ],
)
def test_hints_as_they_are_written(element: str, expected: dict[str, object]) -> None:
    feed = (
        '<rss version="2.0" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"><channel><title>T</title>'
        f"{element}<item><title>One</title><link>https://a.example/1</link></item></channel></rss>"
    )
    info = parse_sync(Document(body=feed.encode(), url="https://a.example/feed")).info
    found = {name: getattr(info, name) for name in ("ttl", "update_every", "skip_hours", "skip_days")}
    assert {name: value for name, value in found.items() if value} == expected
