from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from desk import DAY, HOUR, LIMITS, MINUTE, SOON_OVER, SOON_SILENT, START, Desk, InProcess
from origin import Answer, Origin, Request, rss

from aggregator.errors import StaleLease, StoreError, StoreUnavailable
from aggregator.model import Lease, ParsedEntry, PollResult, Source, Subscription, Validators, Verdict
from aggregator.store import PollChanges, Store, WorkStore

HTML = b"<!DOCTYPE html><html><head><title>Please log in</title></head><body>Log in</body></html>"


# --- what goes well -------------------------------------------------------------------------------------------------


def test_a_first_poll_stores_everything(desk: Desk) -> None:
    headers = {"ETag": '"1"', "Last-Modified": "Mon"}
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=rss("One", "Two", feed="News"), headers=headers))))
    (polled,) = desk.poll()
    assert polled.stored == PollChanges(new_entries=2, new_items=2, updated=0)
    result = polled.result
    assert (result.outcome, result.status, result.validators) == (
        "new",
        200,
        Validators(etag='"1"', last_modified="Mon"),
    )
    assert result.size_bytes > 100
    assert result.duration > timedelta(0)
    assert result.next_poll >= START + 30 * MINUTE
    assert desk.titles() == ["One", "Two"]


def test_the_second_request_is_conditional_and_finds_nothing_new(desk: Desk) -> None:
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=rss("One"), conditional=True))))
    desk.skip_to(desk.once())
    result = desk.once()
    assert (result.outcome, result.status) == ("not-modified", 304)
    assert "if-none-match" in desk.origin.requests[-1].headers
    assert result.next_poll >= desk.now + 30 * MINUTE


def test_the_same_body_again_is_not_parsed_and_its_new_validators_are_kept(desk: Desk) -> None:
    first, second = (Answer(body=rss("One"), headers={"ETag": tag}) for tag in ('"1"', '"2"'))
    desk.follow(Subscription(url=desk.origin.on("/feed", first, second)))
    desk.skip_to(desk.once())
    desk.parser = cast("InProcess", None)
    result = desk.once()
    assert result.outcome == "same"
    desk.skip_to(result)
    desk.once()
    assert [request.headers.get("if-none-match") for request in desk.origin.requests] == [None, '"1"', '"2"']


def test_an_edited_entry_is_updated_and_a_new_one_added(desk: Desk) -> None:
    edited = rss("One", "Two").replace(b"to be said about One", b"corrected about One")
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=rss("One")), Answer(body=edited))))
    desk.skip_to(desk.once())
    (polled,) = desk.poll()
    assert polled.stored == PollChanges(new_entries=1, new_items=1, updated=1)


def test_what_the_document_asks_for_holds_through_not_modified(desk: Desk) -> None:
    feed = rss("One", extra="<ttl>720</ttl>")
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=feed, conditional=True))))
    first = desk.once()
    assert first.next_poll == START + 12 * HOUR
    desk.skip_to(first)
    second = desk.once()
    assert second.outcome == "not-modified"
    assert second.next_poll == desk.now + 12 * HOUR


def test_cache_control_counts_on_not_modified_too(desk: Desk) -> None:
    headers = {"Cache-Control": "max-age=72000"}
    url = desk.origin.on("/feed", Answer(body=rss("One"), conditional=True, headers=headers))
    desk.follow(Subscription(url=url, interval=HOUR))
    for _ in range(2):
        result = desk.once()
        assert result.next_poll == desk.now + 20 * HOUR
        desk.skip_to(result)


def test_rules_are_applied(desk: Desk) -> None:
    def judge(source: Source, entry: ParsedEntry) -> Verdict:
        return Verdict(dropped="a rule") if entry.title == "Advertisement" else Verdict()

    desk.judge = judge
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=rss("One", "Advertisement")))))
    desk.once()
    assert desk.titles() == ["One"]


def test_a_document_without_anything_known_means_that_entries_were_missed(desk: Desk) -> None:
    bodies = [rss("One", "Two"), rss("Three", "Four"), rss("Four", "Five")]
    desk.follow(Subscription(url=desk.origin.on("/feed", *(Answer(body=body) for body in bodies))))
    overlaps = []
    for _ in bodies:
        result = desk.once()
        assert result.posting_rate is not None
        overlaps.append(result.posting_rate.overlapped)
        desk.skip_to(result)
    assert overlaps == [True, False, True]


# --- what goes wrong ------------------------------------------------------------------------------------------------

BAD = {
    "an HTML page": (Answer(body=HTML, headers={"ETag": '"bad"'}), "not-a-feed"),
    "nothing": (Answer(body=b"", headers={"ETag": '"bad"'}), "empty-body"),
    "server error": (Answer(status=500), "http-500"),
    "not found": (Answer(status=404), "http-404"),
    "silence": (Answer(delay_s=9), "timeout-first-byte"),
    "rubbish": (Answer(raw=b"rubbish"), "protocol-error"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_changes_nothing_that_is_stored(desk: Desk, name: str) -> None:
    answer, code = BAD[name]
    desk.limits = SOON_SILENT if name == "silence" else LIMITS
    good = Answer(body=rss("One", feed="News"), headers={"ETag": '"good"'})
    desk.follow(Subscription(url=desk.origin.on("/feed", good, answer, good)))
    desk.skip_to(desk.once())
    failed = desk.once()
    assert failed.error is not None
    assert (failed.outcome, failed.error.code, failed.counts_as_error) == ("error", code, True)
    assert failed.next_poll >= desk.now + 30 * MINUTE
    assert desk.titles() == ["One"]
    assert (desk.health().ref.name, desk.health().error_count) == ("News", 1)
    desk.skip_to(failed)
    assert desk.once().error is None
    assert desk.origin.requests[-1].headers["if-none-match"] == '"good"'
    assert desk.health().error_count == 0


def test_half_a_document_adds_and_changes_nothing_else(desk: Desk) -> None:
    whole = rss("Zero", "One", "Two", feed="News")
    half = whole.replace(b"said about One", b"missaid about One")[: whole.index(b"<title>Two") + 8]
    good, bad = (
        Answer(body=body, headers={"ETag": tag}) for body, tag in ((rss("One", feed="News"), '"1"'), (half, '"2"'))
    )
    desk.follow(Subscription(url=desk.origin.on("/feed", good, bad, good)))
    desk.skip_to(desk.once())
    (polled,) = desk.poll()
    assert polled.stored == PollChanges(new_entries=1, new_items=1, updated=0)
    assert polled.result.insert_only
    assert "truncated" in polled.result.warnings
    assert desk.titles() == ["One", "Zero"]
    desk.skip_to(polled.result)
    desk.once()
    assert desk.origin.requests[-1].headers["if-none-match"] == '"1"'


def test_failures_back_off(desk: Desk) -> None:
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(status=500)), interval=HOUR))
    waits = []
    for _ in range(8):
        result = desk.once()
        waits.append(result.next_poll - desk.now)
        desk.skip_to(result)
    assert waits == [HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, *([12 * HOUR] * 4)]
    assert desk.health().error_count == 8


def test_retry_after_is_obeyed(desk: Desk) -> None:
    busy = Answer(status=503, headers={"Retry-After": "172800"})
    desk.follow(Subscription(url=desk.origin.on("/feed", busy), interval=MINUTE))
    result = desk.once()
    assert result.next_poll == START + 2 * DAY
    assert result.park_host_until is None
    desk.now += DAY
    assert desk.poll() == []


def test_gone_is_confirmed_a_day_later_and_then_left_alone(desk: Desk) -> None:
    gone = Answer(status=410)
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=rss("One")), gone)))
    desk.skip_to(desk.once())
    first = desk.once()
    assert first.outcome == "error"
    assert first.next_poll - desk.now >= DAY
    desk.skip_to(first)
    assert desk.once().outcome == "gone"
    desk.now += 3650 * DAY
    assert desk.poll() == []
    assert desk.titles() == ["One"]


def test_a_410_that_was_an_accident(desk: Desk) -> None:
    good, gone = Answer(body=rss("One"), conditional=True), Answer(status=410)
    desk.follow(Subscription(url=desk.origin.on("/feed", gone, good, gone)))
    for expected in ("error", "new", "error"):
        result = desk.once()
        assert result.outcome == expected
        desk.skip_to(result)


def test_a_permanent_redirect_is_taken_over_after_a_week(desk: Desk) -> None:
    desk.origin.on("/old", Answer(status=301, headers={"Location": "/new"}))
    desk.origin.on("/new", Answer(body=rss("One"), conditional=True))
    desk.follow(Subscription(url=desk.origin.url("/old"), interval=DAY))
    while (desk.now - START) < 9 * DAY:
        desk.skip_to(desk.once())
    assert len(desk.origin.asked("/old")) == 8
    assert len(desk.origin.asked("/new")) == 9
    assert desk.health().ref.url == desk.origin.url("/old")


def test_a_private_address_is_not_asked(desk: Desk) -> None:
    desk.follow(Subscription(url="http://10.0.0.1/feed"))
    result = desk.once()
    assert result.error is not None
    assert (result.error.code, result.error.permanent) == ("blocked-address", True)
    assert result.next_poll - desk.now >= 12 * HOUR


def test_when_nothing_can_be_reached_nobody_is_blamed(desk: Desk) -> None:
    desk.follow(*(Subscription(url=f"http://host{number}.invalid/feed") for number in range(4)))
    leases = desk.store.claim(now=desk.now, limit=10, lease=5 * MINUTE)
    results = [polled.result for polled in desk.poll_leases(leases)]
    blamed = [result.counts_as_error for result in results]
    assert blamed.count(False) >= 2
    assert all(result.next_poll - desk.now <= 2 * MINUTE for result in results if not result.counts_as_error)


def test_a_bug_of_ours_is_recorded_and_backs_off(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    def judge(source: Source, entry: ParsedEntry) -> Verdict:
        raise KeyError(entry.title)

    desk.judge = judge
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=rss("One")))))
    result = desk.once()
    assert result.error is not None
    assert result.error.code == "internal-error"
    assert "KeyError" in caplog.text
    assert result.next_poll >= desk.now + 30 * MINUTE


def test_a_slow_source_delays_no_other(desk: Desk) -> None:
    desk.limits = SOON_OVER
    with Origin("127.0.0.2") as other:
        desk.follow(
            Subscription(url=desk.origin.on("/slow", Answer(body=rss("Slow"), drip_s=0.2, piece_bytes=9))),
            Subscription(url=other.on("/fast", Answer(body=rss("Fast")))),
        )
        results = {polled.source.fetch_url: polled.result for polled in desk.poll()}
    assert results[other.url("/fast")].error is None
    error = results[desk.origin.url("/slow")].error
    assert error is not None
    assert error.code == "timeout-total"


# --- a store that fails ---------------------------------------------------------------------------------------------


class FailingStore:
    """A store that completes nothing."""

    def __init__(self, store: Store, error: StoreError) -> None:
        self._store = store
        self._error = error
        self.known = store.known

    def complete_all(self, polls: Sequence[tuple[Lease, PollResult]]) -> list[PollChanges | Exception]:
        return [self._error for _ in polls]


def test_work_that_somebody_else_took_over_is_dropped(desk: Desk) -> None:
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=rss("One")))))
    (lease,) = desk.store.claim(now=desk.now, limit=1, lease=MINUTE)
    desk.now += 2 * MINUTE
    (polled,) = desk.poll_leases([replace(lease, token=lease.token - 1)])
    assert polled.stored is None
    assert desk.titles() == []


def test_a_store_that_fails_is_not_the_feeds_fault(desk: Desk) -> None:
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=rss("One")))))
    desk.completing = cast("WorkStore", FailingStore(desk.store, StoreUnavailable("full")))
    with pytest.raises(StoreUnavailable):
        desk.poll()
    desk.completing = cast("WorkStore", FailingStore(desk.store, StaleLease("late")))
    desk.now += HOUR
    (polled,) = desk.poll()
    assert polled.stored is None


# --- a good citizen -------------------------------------------------------------------------------------------------


def test_two_months_with_restarts_are_one_unconditional_request(desk: Desk) -> None:
    """FRB001 to FRB037: validators kept for ever, never sooner than asked, no request because of a restart."""
    day = {"number": 0}

    def publish(request: Request) -> Answer:
        titles = [f"News of day {number}" for number in range(day["number"] + 1)][-10:]
        feed = Answer(body=rss(*titles), conditional=True, headers={"Cache-Control": "max-age=3600"})
        return feed if len(desk.origin.requests) % 7 else Answer(status=429, headers={"Retry-After": "7200"})

    desk.follow(Subscription(url=desk.origin.on("/feed", publish)))
    polled_at = []
    end = START + 60 * DAY
    while desk.now < end:
        day["number"] = (desk.now - START).days
        polled_at.append(desk.now)
        result = desk.once()
        assert result.next_poll - desk.now >= (2 * HOUR if result.status == 429 else HOUR)
        assert desk.poll() == []  # what a restart would ask for
        desk.skip_to(result)
    unconditional = [request for request in desk.origin.requests if "if-none-match" not in request.headers]
    assert len(unconditional) == 1
    assert {request.method for request in desk.origin.requests} == {"GET"}
    assert 4 * 60 <= len(polled_at) <= 12 * 60
    assert len(desk.titles()) >= 59
    assert len(desk.titles()) == len(set(desk.titles()))


def test_one_request_at_a_time_to_a_host(desk: Desk) -> None:
    urls = [desk.origin.on(f"/{number}", Answer(body=rss(f"N{number}"), delay_s=0.02)) for number in range(8)]
    desk.follow(*(Subscription(url=url) for url in urls))
    while desk.poll():
        desk.now += timedelta(seconds=1)
    assert len(desk.origin.requests) == 8
    assert desk.origin.most_at_once == 1
