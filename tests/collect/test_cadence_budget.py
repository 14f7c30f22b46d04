"""``[polling] budget``: all adaptive intervals longer by one factor, as far as needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.collect import cadence
from aggregator.collect.cadence import Policy
from aggregator.model import PostingRate, Source, Subscription

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
POLICY = Policy()


@cache
def source(per_day: float, *, fixed: timedelta | None = None, weight: float = 1.0) -> Source:
    """A source that has posted at this rate for a month, at all hours."""
    gap = DAY / per_day
    # shifted by the golden ratio, so that no hour of the day is favoured
    rhythm = cadence.observe(
        PostingRate(),
        published=[NOW - gap * (number + number * 0.618 % 1) for number in range(int(30 * per_day) + 1)],
        now=NOW,
        previous_poll=None,
        window_entries=1000,
        overlapped=True,
    )
    url = f"https://{per_day}.example/feed"
    subscription = Subscription(url=url, interval=fixed, weight=weight)
    return Source(id=1, slug="s", subscription=subscription, fetch_url=url, posting_rate=rhythm)


def interval_factor(sources: list[Source], polls_per_day: int, policy: Policy = POLICY) -> float:
    return cadence.interval_factor(sources, now=NOW, policy=policy, polls_per_day=polls_per_day)


def interval(one: Source, factor: float, at: datetime = NOW) -> timedelta:
    policy = Policy(interval_factor=factor)
    return cadence.interval(one.posting_rate, now=at, policy=policy, weight=one.subscription.weight)


def daily(one: Source, factor: float) -> float:
    """Polls in the day from now on: the mean of all that its hours ask for."""
    return sum(DAY / interval(one, factor, NOW + HOUR * hour) for hour in range(24)) / 24


def polls(sources: list[Source], factor: float) -> float:
    return sum(daily(one, factor) for one in sources)


RATES = (0.05, 0.2, 1, 3, 8, 20, 60)
MIXED = [source(rate) for rate in RATES] * 5


def test_where_there_is_enough_nothing_changes() -> None:
    assert interval_factor(MIXED, 10_000) == 1.0
    assert interval_factor([], 1) == 1.0


@pytest.mark.parametrize("share", [0.9, 0.6, 0.3, 0.1])
def test_the_budget_is_kept_and_used(share: float) -> None:
    budget = int(polls(MIXED, 1.0) * share)
    factor = interval_factor(MIXED, budget)
    assert factor > 1
    assert 0.75 * budget < polls(MIXED, factor) <= budget


def test_what_is_left_is_spent_by_the_same_formula() -> None:
    """Twice the root of the rate is twice the polls, with interval_factor as without."""
    busy, quiet = source(32), source(8)
    factor = interval_factor([busy, quiet] * 20, 200)
    assert daily(busy, factor) / daily(quiet, factor) == pytest.approx(2, rel=0.1)


def test_fixed_intervals_stay_and_count() -> None:
    fixed = source(1, fixed=HOUR)
    assert interval_factor([fixed, *MIXED], 300) > interval_factor(MIXED, 300)
    assert interval_factor([fixed], 30) == 1.0, "it fits"


def test_nobody_is_forgotten() -> None:
    factor = interval_factor([*MIXED, source(1, fixed=HOUR)], 1)
    assert all(interval(one, factor) <= 7 * DAY for one in MIXED)


def test_the_document_must_not_turn_over_still_counts() -> None:
    """A busy source with a short document is asked more often than its root; under a budget it gives way like all."""
    plain = source(200)
    short = Source(
        id=1,
        slug="s",
        subscription=plain.subscription,
        fetch_url=plain.fetch_url,
        posting_rate=cadence.observe(
            plain.posting_rate, published=[], now=NOW, previous_poll=NOW - HOUR, window_entries=10, overlapped=True
        ),
    )
    policy = Policy(min_interval=timedelta(minutes=1))
    budget = 200
    factor = interval_factor([short] * 5, budget, policy)
    kept = Policy(min_interval=policy.min_interval, interval_factor=factor)
    assert 5 * (DAY / cadence.interval(short.posting_rate, now=NOW, policy=kept)) <= budget


@given(
    rates=st.lists(st.sampled_from(RATES), min_size=1, max_size=12),
    budgets=st.tuples(st.integers(1, 500), st.integers(1, 500)),
)
def test_a_smaller_budget_is_never_less_thrifty(rates: list[float], budgets: tuple[int, int]) -> None:
    sources = [source(rate) for rate in rates]
    assert interval_factor(sources, min(budgets)) >= interval_factor(sources, max(budgets)) >= 1.0
