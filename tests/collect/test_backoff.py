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
        ("http://rsshub./feed", 429, None),
        ("http://nas.lan:8080/feed", 429, None),
        ("https://8.8.4.4/feed", 429, 60),
        ("https://[2606:4700::1]/feed", 429, 60),
    ],
)
def test_a_429_parks_public_hosts(url: str, status: int, minutes: int | None) -> None:
    result = failed(url, FetchError(f"http-{status}", "busy", status=status, retry_after=HOUR))
    assert result.park_host_until == (START + minutes * MINUTE if minutes else None)
    assert result.next_poll >= START + HOUR


def test_who_asks_for_silence_behind_a_redirect_is_left_alone_not_who_redirects() -> None:
    error = FetchError("http-429", "busy", status=429, retry_after=HOUR)
    error.url = "https://cdn.example/feed.xml"
    result = failed("https://news.example/feed", error)
    assert (result.park_host_until, result.parked_url) == (START + HOUR, "https://cdn.example/feed.xml")
    error.url = "http://10.1.2.3/feed.xml"
    assert failed("https://news.example/feed", error).park_host_until is None


def test_a_failure_that_may_be_cached_is_not_asked_for_again_before() -> None:
    def wait(fresh_for: timedelta) -> timedelta:
        return (
            failed("https://news.example/feed", FetchError("http-404", "no", status=404, fresh_for=fresh_for)).next_poll
            - START
        )

    assert wait(20 * HOUR) == 20 * HOUR
    assert wait(999 * HOUR) == 24 * HOUR
    assert wait(MINUTE) >= 30 * MINUTE


def test_a_bot_wall_stands_before_all_of_a_host() -> None:
    result = failed("https://news.example/feed", FetchError("challenge", "a browser, please", status=403))
    assert result.park_host_until == result.next_poll
    assert result.next_poll >= START + 30 * MINUTE


def test_our_own_fault_is_tried_again_soon_and_not_counted() -> None:
    result = failed("https://news.example/feed", FetchError("dns-failure", "no network"), our_fault=True)
    assert (result.next_poll, result.counts_as_error) == (START + MINUTE, False)


def test_a_429_is_remembered() -> None:
    busy = failed("https://news.example/feed", FetchError("http-429", "busy", status=429))
    assert busy.conditional == ConditionalState(throttled_at=START, silent_until=busy.next_poll)
