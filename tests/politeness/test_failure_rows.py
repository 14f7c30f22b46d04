"""What failures change about when, and how, a source is asked again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from desk import DAY, HOUR, MINUTE, START, Desk
from origin import Answer, Origin, Request, rss
from rows import http

from aggregator.model import PollResult, Subscription

FEED = rss("One", "Two")
PAGE = b"<!doctype html><html><head><title>Down for maintenance</title></head></html>"


def hinting(element: str) -> bytes:
    return FEED.replace(b"<channel>", b"<channel>" + element.encode(), 1)


SY = b'<rss xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'
#: what a feed asked for while it worked
ASKED: Mapping[str, Answer] = {
    "max-age": Answer(body=FEED, headers={"Cache-Control": "public, max-age=86400"}),
    "max-age in a second line": Answer(
        raw=b"HTTP/1.1 200 OK\r\nCache-Control: public\r\nCache-Control: max-age=50000\r\nContent-Length: %d\r\n\r\n"
        % len(FEED)
        + FEED
    ),
    "Expires": Answer(
        body=FEED, headers={"Date": "Mon, 23 Nov 2026 12:00:00 GMT", "Expires": "Tue, 24 Nov 2026 09:00:00 GMT"}
    ),
    "Retry-After": Answer(body=FEED, headers={"Retry-After": "40000"}),
    "ttl": Answer(body=hinting("<ttl>1440</ttl>")),
    "sy daily": Answer(body=hinting("<sy:updatePeriod>daily</sy:updatePeriod>").replace(b"<rss", SY, 1)),
    "its silence": Answer(body=FEED.replace(b"<channel>", b"<channel><!-- old -->", 1)),
}
#: how it fails from then on
FAILURES: Mapping[str, Answer] = {
    **{str(status): Answer(status=status) for status in (400, 403, 404, 410, 412, 429, 500, 502, 503)},
    "503 with a short Retry-After": Answer(status=503, headers={"Retry-After": "60"}),
    "a page": Answer(body=PAGE),
    "a page that is fresh for a minute": Answer(body=PAGE, headers={"Cache-Control": "max-age=60"}),
    "nothing": Answer(body=b""),
    "14 of 2000 bytes": Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n<?xml version="),
    "a cut chunk": Answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n<rss>"),
    "no HTTP": Answer(raw=b"SSH-2.0-OpenSSH_9.2\r\n"),
    "a reset": Answer(raw=b"", end="reset"),
    "a bot wall": Answer(status=403, headers={"cf-mitigated": "challenge"}, body=PAGE),
    "a circle of redirects": Answer(status=302, headers={"Location": "/feed"}),
    "304 unasked": Answer(status=304),
}


def gaps(desk: Desk, *answers: Answer, times: int) -> list[timedelta]:
    desk.follow(Subscription(url=desk.origin.on("/feed", *answers)))
    found = []
    for _ in range(times):
        result = desk.once()
        found.append(result.next_poll - result.polled_at)
        desk.skip_to(result)
        if result.outcome == "gone":
            break
    return found


@http("a feed that begins to fail", "never asked sooner than while it worked")
@pytest.mark.parametrize("hint", ASKED)
@pytest.mark.parametrize("failure", FAILURES)
def test_http_a_failure_is_no_reason_to_ask_sooner(desk: Desk, hint: str, failure: str) -> None:
    """Whatever a feed asked for while it worked (max-age, Expires, Retry-After, ttl, sy:updatePeriod) holds while it
    fails, however it fails: back-off begins at the last good interval."""
    first, *failing = gaps(desk, ASKED[hint], FAILURES[failure], times=4)
    desk.jitter = 0.0
    if hint != "its silence":
        assert first >= 11 * HOUR
    assert min(failing) >= first


@http("skipped hours of a feed that fails", "still skipped")
@pytest.mark.parametrize("failure", ["404", "500", "503", "429", "a page", "410", "nothing", "a bot wall"])
def test_http_failures_skip_hours_too(desk: Desk, failure: str) -> None:
    """skipHours and skipDays of the last good document hold after failures, too, whatever the back-off comes to."""
    hours = range(START.hour + 1, 24)
    skipped = "".join(f"<hour>{hour}</hour>" for hour in hours)
    document = hinting(f"<skipHours>{skipped}</skipHours><skipDays><day>Wednesday</day></skipDays>")
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=document), FAILURES[failure])))
    for jitter in (0.0, 0.3, 0.9, 0.5, 0.1, 0.7):
        desk.jitter = jitter
        desk.skip_to(desk.once())
        assert desk.now.hour not in hours
        assert desk.now.weekday() != 2
        if desk.health().state == "gone":
            return


@http("a poll that comes late", "not within skipped hours either")
def test_http_a_late_poll_skips_hours_too(desk: Desk) -> None:
    """What became due before a skipped hour and could not be polled then (the program was not running, the host was
    busy) is asked after it; nothing is counted meanwhile."""
    document = hinting(f"<skipHours><hour>{START.hour + 9}</hour><hour>{START.hour + 10}</hour></skipHours>")
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=document))))
    due = desk.once().next_poll
    assert due < START + 9 * HOUR
    desk.now = START + 9 * HOUR + 20 * MINUTE
    late = desk.once()
    assert (late.outcome, late.next_poll) == ("deferred", START + 11 * HOUR + 20 * MINUTE)
    assert len(desk.origin.requests) == 1
    assert (desk.health().last_poll, desk.health().state) == (START, "ok")
    assert desk.store.next_due(now=desk.now) == late.next_poll
    desk.skip_to(late)
    assert desk.once().outcome == "same"


@http("410 behind a temporary redirect", "no word of the feed itself")
def test_http_410_behind_a_redirect(desk: Desk) -> None:
    """A target of a temporary redirect that is gone does not end the polling, as the redirect may lead elsewhere; one
    of a permanent redirect does, confirmed a day later."""
    gone = desk.origin.on("/gone", Answer(status=410))
    for status, outcome in ((302, "error"), (301, "gone")):
        desk.origin.on(f"/{status}", Answer(status=status, headers={"Location": gone}))
        desk.follow(Subscription(url=desk.origin.url(f"/{status}")))
        results = []
        for _ in range(4):
            results.append(desk.once())
            if results[-1].outcome == "gone":
                break
            desk.skip_to(results[-1])
        assert results[-1].outcome == outcome


@http("back-off", "ends with the first success")
def test_http_back_off_ends(desk: Desk) -> None:
    """After the first good answer the interval is what it was before the failures."""
    failing = [Answer(status=500)] * 3
    found = gaps(desk, Answer(body=FEED), *failing, Answer(body=FEED), Answer(body=FEED), times=6)
    assert found[4] == pytest.approx(found[0], rel=0.5)
    assert max(found[1:4]) > found[0]


@http("304 without Cache-Control", "the stored freshness holds")
def test_http_a_304_keeps_the_freshness(desk: Desk) -> None:
    """A 304 that says nothing about freshness leaves that of the stored answer as it is (RFC 9111 4.3.4); one that
    says another replaces it, and keeps that."""
    first = Answer(body=FEED, headers={"ETag": '"1"', "Cache-Control": "max-age=72000"})
    silent, other = Answer(status=304), Answer(status=304, headers={"Cache-Control": "max-age=79200"})
    assert gaps(desk, first, silent, silent, other, silent, times=5) == [20 * HOUR] * 3 + [22 * HOUR] * 2


@http("Retry-After on other failures", "obeyed on every status, and clamped")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 412, 418, 451, 500, 502, 504, 599])
def test_http_retry_after_whatever_the_status(desk: Desk, status: int) -> None:
    """Retry-After counts on every failure, a page instead of the feed included; numbers of any length are clamped to
    seven days."""
    wait = {"Retry-After": "200000"}
    answers = [Answer(status=status, headers=wait), Answer(body=PAGE, headers=wait)]
    answers.append(Answer(status=status, headers={"Retry-After": "1" + "0" * 25}))
    assert gaps(desk, *answers, times=3) == [timedelta(seconds=200_000)] * 2 + [7 * DAY]


@http("Cache-Control on failures", "obeyed as on answers, up to a day")
def test_http_failures_that_may_be_cached(desk: Desk) -> None:
    """An error, or a page instead of the feed, that caches may keep is not asked for again before; a day is the most
    that counts."""
    fresh = {"Cache-Control": "max-age=72000"}
    answers = [Answer(status=404, headers=fresh), Answer(body=PAGE, headers=fresh)]
    answers += [Answer(status=500, headers={"Cache-Control": "max-age=9999999"})]
    assert gaps(desk, *answers, times=3) == [20 * HOUR, 20 * HOUR, DAY]


@http("a redirect to a busy server", "that server is left alone, the one that redirects is not")
def test_http_a_redirect_to_a_busy_server(desk: Desk) -> None:
    """A 429 from where a redirect leads: its host is left alone for as long as it asks, and so is the source; other
    sources of the host that redirects are asked as before."""
    with Origin("127.0.0.2") as busy:
        target = busy.on("/feed", Answer(status=429, headers={"Retry-After": "90000"}))
        moved = desk.origin.on("/moved", Answer(status=302, headers={"Location": target}))
        own = desk.origin.on("/own", Answer(body=FEED))
        desk.follow(Subscription(url=moved), Subscription(url=own))
        first = desk.once()
        desk.now += MINUTE
        failed, good = sorted([first, desk.once()], key=lambda result: result.outcome)
    assert (failed.status, good.outcome) == (429, "new")
    assert failed.next_poll - failed.polled_at >= timedelta(seconds=90_000)


@http("huge numbers", "clamped, not ignored")
def test_http_huge_numbers(desk: Desk) -> None:
    """max-age of any number of digits is a day."""
    answer = Answer(body=FEED, headers={"Cache-Control": "max-age=" + "9" * 40})
    assert gaps(desk, answer, times=1) == [DAY]


@http("412, 431", "the next request goes without validators")
@pytest.mark.parametrize("status", [412, 431])
def test_http_refused_validators_are_left_out(desk: Desk, status: int) -> None:
    """A server that refuses the validators gets a request without; if it refuses the new ones as well, all others
    too."""

    def refuses(request: Request) -> Answer:
        if "if-none-match" in request.headers or "if-modified-since" in request.headers:
            return Answer(status=status)
        return Answer(body=FEED, headers={"ETag": f'"{len(desk.origin.requests)}"', "Last-Modified": "Mon"})

    desk.follow(Subscription(url=desk.origin.on("/feed", refuses)))
    outcomes = []
    for _ in range(7):
        result = desk.once()
        outcomes.append(result.outcome)
        desk.skip_to(result)
    assert outcomes == ["new", "error", "same", "error", "same", "same", "same"]


@http("validators and redirects", "to the server that gave them, and to no other")
def test_http_validators_stay_with_their_origin(desk: Desk) -> None:
    """The validators of a redirect's target are sent to it and to none of the servers on the way; when the redirect
    leads elsewhere, they do not go along."""
    answer = Answer(body=FEED, headers={"ETag": '"here"'})
    with Origin("127.0.0.2") as target, Origin("127.0.0.3") as other:
        leads = [Answer(status=302, headers={"Location": origin.on("/feed", answer)}) for origin in (target, other)]
        desk.follow(Subscription(url=desk.origin.on("/feed", leads[0], leads[0], leads[1])))
        for _ in range(3):
            desk.skip_to(desk.once())
        assert all("if-none-match" not in request.headers for request in desk.origin.requests)
        assert [request.headers.get("if-none-match") for request in target.requests] == [None, '"here"']
        assert [request.headers.get("if-none-match") for request in other.requests] == [None]


@http("answers that are cut", "a failure if no entry is whole")
def test_http_a_cut_answer_is_a_failure(desk: Desk) -> None:
    """An answer that ends before its announced length, or says a wrong one, with no whole entry in it: a failure
    that backs off and changes nothing. With whole entries: these are stored, no validators are, and the next request
    asks for all of it."""
    cut = b'HTTP/1.1 200 OK\r\nETag: "cut"\r\nContent-Length: %d\r\n\r\n'
    beginning = FEED[: FEED.index(b"<item>") + 9]
    half = FEED[: FEED.rindex(b"<item>") + 9]
    desk.follow(
        Subscription(
            url=desk.origin.on(
                "/feed",
                Answer(raw=cut % len(FEED) + beginning),
                Answer(raw=cut % 10 + FEED),
                Answer(raw=cut % len(FEED) + half),
                Answer(body=FEED),
            ),
            interval=HOUR,
        )
    )
    results: list[PollResult] = []
    for _ in range(4):
        results.append(desk.once())
        desk.skip_to(results[-1])
    assert [result.outcome for result in results] == ["error", "error", "new", "new"]
    assert "truncated" in results[2].warnings
    assert all("if-none-match" not in request.headers for request in desk.origin.requests)
    assert desk.titles() == ["One", "Two"]
    assert results[1].next_poll - results[1].polled_at > HOUR + MINUTE
