from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.collect.decision import conditional
from aggregator.collect.fetch import CacheHeaders
from aggregator.model import ConditionalState, Freshness, Source, Subscription, Validators

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PAIR = Validators(etag='"1"', last_modified="Mon")
URL = "https://news.example/feed"
#: posts that nobody has counted yet: one in three weeks is to be expected, five times that is the limit
SOURCE = Source(id=1, slug="a", subscription=Subscription(url=URL), fetch_url=URL, validators=PAIR)


def says(max_age: timedelta | None = None, expires_in: timedelta | None = None) -> CacheHeaders:
    return CacheHeaders(
        freshness=Freshness(max_age=max_age, expires_in=expires_in),
        has_cache_control=max_age is not None,
        has_expires=expires_in is not None,
    )


def sends(known: ConditionalState, held: Validators = PAIR) -> Validators:
    return conditional.validators_to_send(replace(SOURCE, conditional=known, validators=held), now=NOW)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (ConditionalState(), PAIR),
        (ConditionalState(last_body_at=NOW - 8 * DAY), PAIR),
        (ConditionalState(last_body_at=NOW - 400 * DAY), Validators()),
        (ConditionalState(last_body_at=NOW - 400 * DAY, full_check_at=NOW - 9 * DAY), PAIR),
        (ConditionalState(last_body_at=NOW - 400 * DAY, throttled_at=NOW - 300 * DAY), PAIR),
        (ConditionalState(same_bodies=2), PAIR),
        (ConditionalState(same_bodies=3), Validators(last_modified="Mon")),
        (ConditionalState(same_bodies=6), PAIR),
        (ConditionalState(dates_only=True), Validators(last_modified="Mon")),
        (ConditionalState(refusals=1), Validators()),
        (ConditionalState(refusals=2), PAIR),
        (ConditionalState(refusals=3), Validators()),
    ],
)
def test_what_is_sent(known: ConditionalState, expected: Validators) -> None:
    assert sends(known) == expected


def test_without_a_date_the_entity_tag_goes_on() -> None:
    held = Validators(etag='"1"')
    assert sends(ConditionalState(same_bodies=3), held) == held


def test_a_doubt_is_noted_and_a_first_request_is_none() -> None:
    assert conditional.noted(SOURCE, Validators(), now=NOW).full_check_at == NOW
    assert conditional.noted(SOURCE, PAIR, now=NOW).full_check_at is None
    first = replace(SOURCE, validators=Validators())
    assert conditional.noted(first, Validators(), now=NOW).full_check_at is None


def test_dates_alone_are_given_up_when_they_fail_later() -> None:
    known = ConditionalState(dates_only=True)
    for _ in range(3):
        known = conditional.after_body(known, same=True, now=NOW, cache=CacheHeaders())
    assert (known.dates_only, sends(known)) == (False, PAIR)
    known = conditional.after_body(known, same=False, now=NOW, cache=CacheHeaders())
    assert known.same_bodies == 0


def test_a_long_freshness_is_patience() -> None:
    known = conditional.after_not_modified(ConditionalState(), now=NOW, cache=says(2 * DAY))
    assert (known.throttled_at, known.last_body_at) == (NOW, NOW)
    assert conditional.after_not_modified(ConditionalState(), now=NOW, cache=says(DAY)).throttled_at is None


def test_a_304_without_cache_control_keeps_the_stored_freshness() -> None:
    """RFC 9111 4.3.4: a 304 replaces the fields that it has, and no others."""
    stored = ConditionalState(last_body_at=NOW, freshness=Freshness(max_age=6 * HOUR, expires_in=HOUR))

    def after(cache: CacheHeaders) -> Freshness:
        return conditional.after_not_modified(stored, now=NOW, cache=cache).freshness

    assert after(CacheHeaders()) == stored.freshness
    assert after(says(max_age=2 * HOUR)) == Freshness(max_age=2 * HOUR, expires_in=HOUR)
    assert after(says(expires_in=3 * HOUR)) == Freshness(max_age=6 * HOUR, expires_in=3 * HOUR)
    assert after(CacheHeaders(has_cache_control=True)) == Freshness(expires_in=HOUR), "Cache-Control: public"
    assert after(CacheHeaders(has_cache_control=True, forbids_reuse=True)) == Freshness()
    assert conditional.after_body(stored, same=False, now=NOW, cache=CacheHeaders()).freshness == Freshness()


def test_max_age_goes_before_expires_and_age_is_taken_off() -> None:
    both = Freshness(max_age=2 * HOUR, expires_in=DAY)
    assert both.remaining(HOUR) == HOUR
    assert both.remaining(3 * HOUR) is None
    assert Freshness(expires_in=DAY).remaining(3 * HOUR) == DAY


def test_refused_validators_are_left_out_once_and_then_for_good() -> None:
    known = conditional.after_refusal(ConditionalState(), PAIR)
    assert sends(known) == Validators()
    known = conditional.after_body(known, same=False, now=NOW, cache=CacheHeaders())
    assert sends(known) == PAIR, "new ones may be liked"
    known = conditional.after_refusal(known, PAIR)
    known = conditional.after_body(known, same=False, now=NOW, cache=CacheHeaders())
    assert sends(known) == Validators()
    assert conditional.after_refusal(ConditionalState(), Validators()) == ConditionalState(), "there were none"
