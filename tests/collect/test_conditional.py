from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.collect import revalidation
from aggregator.model import Revalidation, Source, Subscription, Validators

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PAIR = Validators(etag='"1"', last_modified="Mon")
URL = "https://news.example/feed"
#: posts that nobody has counted yet: one in three weeks is to be expected, five times that is the limit
SOURCE = Source(id=1, slug="a", subscription=Subscription(url=URL), fetch_url=URL, validators=PAIR)


def sends(known: Revalidation, held: Validators = PAIR) -> Validators:
    return revalidation.to_send(replace(SOURCE, revalidation=known, validators=held), now=NOW)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Revalidation(), PAIR),
        (Revalidation(last_body_at=NOW - 8 * DAY), PAIR),
        (Revalidation(last_body_at=NOW - 400 * DAY), Validators()),
        (Revalidation(last_body_at=NOW - 400 * DAY, doubted_at=NOW - 9 * DAY), PAIR),
        (Revalidation(last_body_at=NOW - 400 * DAY, limited_at=NOW - 300 * DAY), PAIR),
        (Revalidation(same_bodies=2), PAIR),
        (Revalidation(same_bodies=3), Validators(last_modified="Mon")),
        (Revalidation(same_bodies=6), PAIR),
        (Revalidation(dates_only=True), Validators(last_modified="Mon")),
    ],
)
def test_what_is_sent(known: Revalidation, expected: Validators) -> None:
    assert sends(known) == expected


def test_without_a_date_the_entity_tag_goes_on() -> None:
    held = Validators(etag='"1"')
    assert sends(Revalidation(same_bodies=3), held) == held


def test_a_doubt_is_noted_and_a_first_request_is_none() -> None:
    assert revalidation.noted(SOURCE, Validators(), now=NOW).doubted_at == NOW
    assert revalidation.noted(SOURCE, PAIR, now=NOW).doubted_at is None
    first = replace(SOURCE, validators=Validators())
    assert revalidation.noted(first, Validators(), now=NOW).doubted_at is None


def test_dates_alone_are_given_up_when_they_fail_later() -> None:
    known = Revalidation(dates_only=True)
    for _ in range(3):
        known = revalidation.after_body(known, same=True, now=NOW, fresh_for=None)
    assert (known.dates_only, sends(known)) == (False, PAIR)
    known = revalidation.after_body(known, same=False, now=NOW, fresh_for=None)
    assert known.same_bodies == 0


def test_a_long_freshness_is_patience() -> None:
    known = revalidation.after_not_modified(Revalidation(), now=NOW, fresh_for=2 * DAY)
    assert (known.limited_at, known.last_body_at) == (NOW, NOW)
    assert revalidation.after_not_modified(Revalidation(), now=NOW, fresh_for=DAY).limited_at is None
