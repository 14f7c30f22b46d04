from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.collect import decision
from aggregator.collect.cadence import Policy
from aggregator.errors import FetchError
from aggregator.model import ConditionalState, PollResult, Source, Subscription, Validators

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def failed(url: str, error: FetchError, *, our_fault: bool = False) -> PollResult:
    source = Source(id=1, slug="a", subscription=Subscription(url=url), fetch_url=url)
    poll = decision.Poll(source=source, sent=Validators(), now=START, policy=Policy(), jitter=0.0)
    return decision.failure(poll, error, our_fault=our_fault)


@pytest.mark.parametrize(
    ("url", "status", "minutes"),
    [
        ("https://news.example/feed", 429, 60),
        ("https://news.example/feed", 503, None),
        ("http://127.0.0.1:1200/feed", 429, None),
        ("http://[fd00::1]/feed", 429, None),
        ("http://localhost/feed", 429, None),
        ("http://rsshub/feed", 429, None),
    ],
)
def test_a_429_parks_public_hosts(url: str, status: int, minutes: int | None) -> None:
    result = failed(url, FetchError(f"http-{status}", "busy", status=status, retry_after=HOUR))
    assert result.park_host_until == (START + minutes * MINUTE if minutes else None)
    assert result.next_poll >= START + HOUR


def test_a_bot_wall_stands_before_all_of_a_host() -> None:
    result = failed("https://news.example/feed", FetchError("challenge", "a browser, please", status=403))
    assert result.park_host_until == result.next_poll
    assert result.next_poll >= START + 30 * MINUTE


def test_our_own_fault_is_tried_again_soon_and_not_counted() -> None:
    result = failed("https://news.example/feed", FetchError("dns-failure", "no network"), our_fault=True)
    assert (result.next_poll, result.counts_as_error) == (START + MINUTE, False)


def test_a_429_is_remembered() -> None:
    busy = failed("https://news.example/feed", FetchError("http-429", "busy", status=429))
    assert busy.conditional == ConditionalState(throttled_at=START)
