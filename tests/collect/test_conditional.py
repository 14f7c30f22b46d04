from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.collect.decision import conditional
from aggregator.model import ConditionalState, Source, Subscription, Validators

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PAIR = Validators(etag='"1"', last_modified="Mon")
URL = "https://news.example/feed"
#: posts that nobody has counted yet: one in three weeks is to be expected, five times that is the limit
SOURCE = Source(id=1, slug="a", subscription=Subscription(url=URL), fetch_url=URL, validators=PAIR)


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
        known = conditional.after_body(known, same=True, now=NOW, fresh_for=None)
    assert (known.dates_only, sends(known)) == (False, PAIR)
    known = conditional.after_body(known, same=False, now=NOW, fresh_for=None)
    assert known.same_bodies == 0


def test_a_long_freshness_is_patience() -> None:
    known = conditional.after_not_modified(ConditionalState(), now=NOW, fresh_for=2 * DAY)
    assert (known.throttled_at, known.last_body_at) == (NOW, NOW)
    assert conditional.after_not_modified(ConditionalState(), now=NOW, fresh_for=DAY).throttled_at is None
