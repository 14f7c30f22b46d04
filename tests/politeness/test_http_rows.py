"""The HTTP rules: what the specifications say, and what servers do."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from desk import DAY, HOUR, LIMITS, MINUTE, SOON_OVER, START, USER_AGENT, Desk
from origin import Answer, Request, rss
from rows import http

from aggregator.collect import decision
from aggregator.collect.articles import ArticleReader
from aggregator.collect.cadence import Policy, interval
from aggregator.collect.fetch import Fetcher, NotModified
from aggregator.collect.fetch.client import ACCEPT
from aggregator.collect.fetch.content_encoding import ACCEPT_ENCODING
from aggregator.collect.guard import Guard
from aggregator.model import PollResult, PostingRate, Source, Subscription, Validators

PAIR = {"ETag": 'W/"a-gzip"', "Last-Modified": "Mon, 01 Jan 2001 00:00:00 GMT"}
PAGE = b"<!doctype html><html><head><title>One moment</title></head></html>"


def follow(desk: Desk, *answers: Answer, interval: timedelta | None = HOUR) -> None:
    desk.follow(Subscription(url=desk.origin.on("/feed", *answers), interval=interval))


def polls(desk: Desk, times: int) -> list[PollResult]:
    """So many polls, each when it is due."""
    results = []
    for _ in range(times):
        results.append(desk.once())
        desk.now = results[-1].next_poll
    return results


def sent(desk: Desk) -> list[tuple[str | None, str | None]]:
    return [(one.headers.get("if-none-match"), one.headers.get("if-modified-since")) for one in desk.origin.requests]


# --- conditional requests -------------------------------------------------------------------------------------------


@http("If-None-Match, If-Modified-Since", "send both, byte for byte")
def test_http_both_validators_byte_for_byte(desk: Desk) -> None:
    """Both, opaque, with quotes, `W/` and `-gzip`, in the same request."""
    follow(desk, Answer(body=rss("One"), headers=PAIR))
    polls(desk, 2)
    assert sent(desk)[1] == (PAIR["ETag"], PAIR["Last-Modified"])


@http("304 for ever", "one whole answer if 304s last too long to be true")
def test_http_endless_304s_are_doubted(desk: Desk) -> None:
    """After more than eight days of 304s, and more than five times the usual gap between two posts, one request goes
    without validators; the next such at the earliest eight days later; none where a 429 or a freshness of more than a
    day has shown that the server counts."""
    held = {"posts": 0}

    def always_304(request: Request) -> Answer:
        conditional = "if-none-match" in request.headers
        return Answer(status=304, headers=PAIR) if conditional else Answer(body=posts(held["posts"]), headers=PAIR)

    desk.origin.on("/feed", always_304)
    desk.follow(Subscription(url=desk.origin.url("/feed"), interval=6 * HOUR))
    desk.live(HOUR)
    held["posts"] = 1
    desk.live(30 * DAY)
    doubts = [number for number, pair in enumerate(sent(desk)) if pair == (None, None)]
    assert len(doubts) == 3
    assert min(later - one for one, later in pairwise(doubts)) > 8 * 4
    assert "Post 1" in desk.titles()


def posts(number: int) -> bytes:
    """A feed with a post every day."""
    titles = [f"Post {one}" for one in range(number, number + 20)]
    days = iter(range(20))
    dated = rss(*titles).decode()
    dated = re.sub("</guid>", lambda _: f"</guid><pubDate>{format_datetime(START - next(days) * DAY)}</pubDate>", dated)
    return dated.encode()


@http("304 for ever: patience", "never where the server has said otherwise")
def test_http_no_doubt_where_the_server_counts(desk: Desk) -> None:
    """A server that has once answered 429 gets no request without validators."""
    answers = [Answer(status=429), Answer(body=posts(0), headers=PAIR), Answer(status=304, headers=PAIR)]
    follow(desk, *answers, interval=6 * HOUR)
    desk.live(60 * DAY)
    assert sent(desk).count((None, None)) == 2


@http("never 304 beside If-None-Match", "try the date alone")
def test_http_the_date_alone(desk: Desk) -> None:
    """Three answers in a row with the very body we had: the date is sent alone, and stays so if that is answered with
    304; after three more bodies it is given up."""

    def overlooks_dates(request: Request) -> Answer:
        if "if-none-match" in request.headers or "if-modified-since" not in request.headers:
            return Answer(body=rss("One"), headers=PAIR)
        return Answer(status=304)

    desk.origin.on("/feed", overlooks_dates)
    desk.follow(Subscription(url=desk.origin.url("/feed"), interval=HOUR))
    results = polls(desk, 8)
    assert [result.outcome for result in results] == ["new", "same", "same", "same", *["not-modified"] * 4]
    assert sent(desk)[4:] == [(None, PAIR["Last-Modified"])] * 4


@http("never 304 at all", "give the date alone up")
def test_http_the_date_alone_is_given_up(desk: Desk) -> None:
    """A server that never says 304 gets both validators again after three tries."""
    follow(desk, Answer(body=rss("One"), headers=PAIR))
    polls(desk, 10)
    alone = [number for number, pair in enumerate(sent(desk)) if pair == (None, PAIR["Last-Modified"])]
    assert alone == [4, 5, 6]


@http("304 handling", "adopt what it brings, and its freshness")
def test_http_304_brings_validators_and_freshness(desk: Desk) -> None:
    """A new ETag or Last-Modified of a 304 replaces the old one, and its Cache-Control counts for the next poll."""
    fresh = {"ETag": '"b"', "Cache-Control": "max-age=36000"}
    follow(desk, Answer(body=rss("One"), headers=PAIR), Answer(status=304, headers=fresh), Answer(status=304))
    results = polls(desk, 3)
    assert results[1].next_poll - results[1].polled_at == 10 * HOUR
    assert sent(desk)[2] == ('"b"', PAIR["Last-Modified"])


@http("304 without a question", "an error")
def test_http_304_without_validators_is_an_error(desk: Desk) -> None:
    """A 304 to a request without validators is an error that backs off."""
    follow(desk, Answer(status=304))
    (result,) = polls(desk, 1)
    assert result.error is not None
    assert result.error.code == "http-304"


@http("body hash", "the same body: no parsing, but its validators")
def test_http_the_same_body_is_not_parsed(desk: Desk) -> None:
    """A 200 with the bytes we had is not parsed again; its new validators are stored."""
    follow(desk, *(Answer(body=rss("One"), headers={"ETag": f'"{number}"'}) for number in range(3)))
    assert [result.outcome for result in polls(desk, 3)] == ["new", "same", "same"]
    assert [tag for tag, _ in sent(desk)] == [None, '"0"', '"1"']


# --- freshness and patience -----------------------------------------------------------------------------------------

DATE = format_datetime(START, usegmt=True)


@http("Cache-Control, Expires", "freshness by the server's own clock")
@pytest.mark.parametrize(
    ("headers", "hours"),
    [
        ({"Cache-Control": "max-age=36000"}, 10),
        ({"Cache-Control": "public, max-age=36000", "Age": "7200"}, 8),
        ({"Cache-Control": "s-maxage=36000"}, 1),
        ({"Cache-Control": "no-cache, max-age=36000"}, 1),
        ({"Cache-Control": "max-age=soon"}, 1),
        ({"Expires": format_datetime(START + 5 * HOUR, usegmt=True), "Date": DATE}, 5),
        ({"Expires": "0", "Date": DATE}, 1),
        ({"Expires": "Thu, 01 Jan 1981 00:00:00 GMT", "Date": DATE}, 1),
    ],
)
def test_http_freshness(desk: Desk, headers: dict[str, str], hours: int) -> None:
    """max-age less Age, else Expires less Date; s-maxage is for shared caches; no-cache, no-store and what cannot be
    read say nothing."""
    follow(desk, Answer(body=rss("One"), headers=headers))
    (result,) = polls(desk, 1)
    assert result.next_poll - result.polled_at == hours * HOUR


@http("cap on freshness", "a day", "differs")
def test_http_freshness_is_capped(desk: Desk) -> None:
    """Sixteen years are a mistake: 24 hours, then a conditional request. There is no list of hosts that mean it."""
    follow(desk, Answer(body=rss("One"), headers={"Cache-Control": "max-age=504576000"}))
    (result,) = polls(desk, 1)
    assert result.next_poll - result.polled_at == DAY


@http("Retry-After", "both forms, on 429, 503 and redirects, up to seven days")
@pytest.mark.parametrize("status", [429, 503, 302])
@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("36000", 10 * HOUR),
        (format_datetime(START + 20 * HOUR, usegmt=True), 20 * HOUR),
        ("99999999", 7 * DAY),
    ],
)
def test_http_retry_after(desk: Desk, status: int, value: str, wait: timedelta) -> None:
    """Seconds, or a date against the server's own Date (against our clock where the server sends none, RFC 9110 6.6.1);
    never sooner than asked below seven days. A redirect that asks to wait is not followed at once."""
    follow(desk, Answer(status=status, headers={"Retry-After": value, "Date": DATE, "Location": "/feed"}))
    (result,) = polls(desk, 1)
    assert result.next_poll - result.polled_at == wait
    assert len(desk.origin.requests) == 1


def test_dates_of_servers_that_send_no_date(desk: Desk) -> None:
    later = desk.now + 20 * HOUR
    said = format_datetime(later, usegmt=True)
    busy = desk.origin.on("/a", Answer(status=503, headers={"Retry-After": said}))
    fresh = desk.origin.on("/b", Answer(body=rss("One"), headers={"Expires": said}))
    desk.follow(Subscription(url=busy), Subscription(url=fresh))
    assert desk.once().next_poll == later
    desk.now += MINUTE
    assert desk.once().next_poll == later


@http("Retry-After that is none", "four intervals, ten minutes at the least")
@pytest.mark.parametrize("value", ["-1", "soon", "", "1e9"])
def test_http_retry_after_that_is_none(desk: Desk, value: str) -> None:
    """Garbage is no hint: four intervals."""
    follow(desk, Answer(status=429, headers={"Retry-After": value}))
    (result,) = polls(desk, 1)
    assert result.next_poll - result.polled_at == 4 * HOUR


@http("scope of a 429", "the host of the web, the address on one's own network")
def test_http_scope_of_a_429(desk: Desk) -> None:
    """A 429 parks the host, platforms as one, until Retry-After is over; a 503 only the feed. On a private network a
    429 concerns one service among many: only the feed waits."""
    desk.follow(*(Subscription(url=f"https://{name}.tumblr.com/rss") for name in ("a", "b")))
    (lease,) = desk.store.claim(now=START, limit=5, lease=MINUTE)
    parked = PollResult(
        source_id=lease.sources[0].id,
        outcome="error",
        polled_at=START,
        next_poll=START + DAY,
        park_host_until=START + DAY,
        status=429,
    )
    desk.store.complete(lease, parked)
    assert desk.store.claim(now=START + 23 * HOUR, limit=5, lease=MINUTE) == []
    assert len(desk.store.claim(now=START + 25 * HOUR, limit=5, lease=MINUTE)) == 1
    follow(desk, Answer(status=429, headers={"Retry-After": "86400"}))
    (result,) = polls(desk, 1)
    assert result.park_host_until is None


# --- redirects and refusals -----------------------------------------------------------------------------------------


@http("301, 308", "for good after days of agreement")
def test_http_permanent_redirects(desk: Desk) -> None:
    """Seven days and five polls, all of which led to the same place by permanent redirects only, to a document that
    parses and shares entries with the one before; a mixed chain never. The subscribed address stays the source's
    name."""
    desk.origin.on("/feed", Answer(status=301, headers={"Location": "/middle"}))
    desk.origin.on("/middle", Answer(status=302, headers={"Location": "/new"}))
    desk.origin.on("/new", Answer(body=rss("One"), conditional=True))
    desk.follow(Subscription(url=desk.origin.url("/feed"), interval=DAY))
    desk.live(20 * DAY)
    assert len(desk.origin.asked("/feed")) == 21
    desk.origin.on("/middle", Answer(status=308, headers={"Location": "/new"}))
    desk.live(20 * DAY)
    assert len(desk.origin.asked("/feed")) == 21 + 8
    assert desk.health().ref.url == desk.origin.url("/feed")


@http("maintenance pages", "a redirect to no feed is not believed")
def test_http_a_redirect_to_a_page_is_not_taken_over(desk: Desk) -> None:
    """A permanent redirect to a page, a login or another feed does not count; when it ends, all is as before."""
    desk.origin.on("/feed", Answer(body=rss("One")), *[Answer(status=301, headers={"Location": "/login"})] * 9)
    desk.origin.on("/login", Answer(body=PAGE))
    desk.follow(Subscription(url=desk.origin.url("/feed"), interval=DAY))
    desk.live(40 * DAY)
    assert desk.origin.requests[-2].path == "/feed"
    assert desk.titles() == ["One"]


def test_a_redirect_to_another_feed_is_not_taken_over(desk: Desk) -> None:
    """Not even if that one posts every day, so that each of its documents shares entries with the one before."""

    def other(_: Request) -> Answer:
        day = (desk.now - START) // DAY
        return Answer(body=rss(*(f"Theirs {number}" for number in range(day, day + 5)), site="http://other.example"))

    desk.origin.on("/feed", Answer(body=rss("One")), *[Answer(status=301, headers={"Location": "/other"})] * 20)
    desk.origin.on("/other", other)
    desk.follow(Subscription(url=desk.origin.url("/feed"), interval=DAY))
    desk.live(20 * DAY)
    assert len(desk.origin.asked("/feed")) == 21
    desk.origin.on("/feed", Answer(body=rss("One", "Two")))
    desk.live(2 * DAY)
    assert desk.origin.requests[-1].path == "/feed"
    assert "Two" in desk.titles()


@http("302, 303, 307", "followed, never kept; ten hops, no cycles")
@pytest.mark.parametrize("status", [302, 303, 307])
def test_http_temporary_redirects(desk: Desk, status: int) -> None:
    """Ten hops at the most, a cycle is an error; credentials stay with their origin, and the guard looks at every
    hop."""
    for number in range(12):
        desk.origin.on(f"/{number}", Answer(status=status, headers={"Location": f"/{number + 1}"}))
    desk.follow(Subscription(url=desk.origin.url("/0")))
    error = desk.once().error
    assert error is not None
    assert error.code == "redirect-loop"
    assert len(desk.origin.requests) == 11


@http("410", "confirmed a day later")
def test_http_410(desk: Desk) -> None:
    """Asked about once more after a day; if it was an accident, polling goes on."""
    follow(desk, Answer(status=410), Answer(body=rss("One")))
    first, second = polls(desk, 2)
    assert first.next_poll - first.polled_at >= DAY
    assert (first.outcome, second.outcome) == ("error", "new")
    assert desk.health().state == "ok"


@http("401, 403, 404, 451", "back-off, then a weekly probe", "differs")
def test_http_refusals(desk: Desk) -> None:
    """Doubling up to a day; from two weeks of failures on a weekly probe, for ever: a source is never given up
    silently."""
    follow(desk, Answer(status=404))
    results = desk.live(100 * DAY)
    waits = [result.next_poll - result.polled_at for result in results]
    assert max(waits[:20]) <= DAY
    assert min(waits[-5:]) >= 7 * DAY
    assert desk.health().state == "failing"


@http("bot walls", "told from errors")
@pytest.mark.parametrize(
    ("status", "header"),
    [(403, "cf-mitigated"), (503, "cf-mitigated"), (200, "cf-mitigated"), (202, "x-amzn-waf-action")],
)
def test_http_bot_walls(desk: Desk, status: int, header: str) -> None:
    """Challenges of Cloudflare and AWS, whatever their status, are an error of their own (`challenge`) that tells the
    operator what to do; the whole host is left alone for as long as the feed."""
    follow(desk, Answer(status=status, body=PAGE, headers={header: "challenge"}))
    (result,) = polls(desk, 1)
    assert result.error is not None
    assert result.error.code == "challenge"
    assert "ask the publisher" in result.error.message


@http("202", "no document")
def test_http_202_is_no_document(desk: Desk) -> None:
    """Not an answer yet: an error that backs off."""
    follow(desk, Answer(status=202))
    assert polls(desk, 1)[0].outcome == "error"


@http("error back-off", "doubling, up to a day")
def test_http_back_off(desk: Desk) -> None:
    """`min(24 h, interval × 2^min(n, 6))`, drawn from the upper half of it and never less than the interval; reset by
    the first success."""
    follow(desk, *[Answer(status=500)] * 4, Answer(body=rss("One")), Answer(status=500))
    waits = [result.next_poll - result.polled_at for result in polls(desk, 6)]
    assert waits == [HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, HOUR, HOUR]


@http("our network or theirs", "nobody is blamed for our own")
def test_http_our_own_network(desk: Desk) -> None:
    """When most hosts cannot be reached at the same time, no error is counted and all are tried again within
    minutes."""
    desk.follow(*(Subscription(url=f"http://host{number}.invalid/feed") for number in range(6)))
    results = [polled.result for polled in desk.poll()]
    late = [result for result in results if not result.counts_as_error]
    assert len(late) >= 4
    assert all(result.next_poll - desk.now <= 2 * MINUTE for result in late)


# --- the request itself ---------------------------------------------------------------------------------------------


@http("compression", "only what can be decoded within a limit")
def test_http_accept_encoding(desk: Desk) -> None:
    """`gzip, deflate`, and `br`, `zstd` where Brotli 1.2 or backports.zstd (Python 3.14: none needed) is installed."""
    follow(desk, Answer(body=rss("One")))
    polls(desk, 1)
    assert desk.origin.requests[0].headers["accept-encoding"] == ACCEPT_ENCODING
    assert set(ACCEPT_ENCODING.split(", ")) <= {"gzip", "deflate", "br", "zstd"}


@http("limits", "time and size of everything", "differs")
def test_http_limits(desk: Desk) -> None:
    """`[polling] timeout` (30 s) for the whole request and `max_size` (10 MB) after decompression, both to be
    configured; 10 s to connect, 15 s of silence. No limit on the ratio: the size is enough."""
    desk.limits = SOON_OVER
    slow = Answer(body=rss(*"abcdefgh"), drip_s=0.2, piece_bytes=9)
    follow(desk, slow)
    (result,) = polls(desk, 1)
    assert result.error is not None
    assert result.error.code == "timeout-total"
    assert LIMITS.max_size_bytes == 10_000_000


@http("concurrency", "one request at a time to a host")
def test_http_one_at_a_time(desk: Desk) -> None:
    """One in flight to a host (`[polling] per_host`), 64 in all (`concurrency`); a second between two."""
    answers = [desk.origin.on(f"/{number}", Answer(body=rss("One"), delay_s=0.02)) for number in range(6)]
    desk.follow(*(Subscription(url=url) for url in answers))
    while desk.poll():
        desk.now += timedelta(seconds=1)
    assert (len(desk.origin.requests), desk.origin.most_at_once) == (6, 1)


@http("HTTP/2", "not spoken", "differs")
def test_http_no_upgrade(desk: Desk) -> None:
    """HTTP/1.1 only, which every server speaks; no `Upgrade: h2c`, which breaks some."""
    follow(desk, Answer(body=rss("One")))
    polls(desk, 1)
    assert not desk.origin.requests[0].headers.keys() & {"upgrade", "http2-settings"}


@http("cookies", "within one chain of redirects, where nothing else works")
def test_http_cookies_within_a_chain(desk: Desk) -> None:
    """A server that redirects an address to itself with a cookie has its cookie sent back once; the next poll begins
    without."""

    def wants_a_cookie(request: Request) -> Answer:
        if request.headers.get("cookie") == "seen=1":
            return Answer(body=rss("One"))
        return Answer(status=302, headers={"Location": "/feed", "Set-Cookie": "seen=1; Path=/"})

    desk.origin.on("/feed", wants_a_cookie)
    desk.follow(Subscription(url=desk.origin.url("/feed"), interval=HOUR))
    assert [result.outcome for result in polls(desk, 2)] == ["new", "same"]
    assert ["cookie" in request.headers for request in desk.origin.requests] == [False, True] * 2
    desk.origin.on("/away", Answer(status=302, headers={"Location": "/there", "Set-Cookie": "seen=1; Path=/"}))
    desk.origin.on("/there", Answer(body=rss("Two")))
    desk.follow(Subscription(url=desk.origin.url("/away")))
    desk.once()
    assert "cookie" not in desk.origin.requests[-1].headers, "where it is not needed it is not sent"


@http("User-Agent", "name, version, contact", "differs")
def test_http_user_agent(desk: Desk) -> None:
    """`aggregator/<version> (feed reader; +<contact>)`. How many read a feed is nobody's business, so there is no
    count of subscribers."""
    follow(desk, Answer(body=rss("One")))
    polls(desk, 1)
    assert "subscriber" not in desk.origin.requests[0].headers["user-agent"]


@http("Accept", "feeds before other XML, anything rather than nothing")
def test_http_accept(desk: Desk) -> None:
    """Atom, RSS and JSON Feed first, then RDF and XML, `*/*;q=0.1` at last."""
    follow(desk, Answer(body=rss("One")))
    polls(desk, 1)
    assert desk.origin.requests[0].headers["accept"] == ACCEPT
    assert ACCEPT.startswith("application/atom+xml, application/rss+xml, application/feed+json")
    assert ACCEPT.endswith("*/*;q=0.1")


@http("robots.txt", "obeyed for articles, not asked for feeds")
def test_http_robots(desk: Desk) -> None:
    """Feeds, lists and pages are asked for by people, by their addresses: no robots.txt for them. Articles of sources
    with `full_text = "fetch"` are named by nobody: a server's robots.txt (RFC 9309) is asked for before its articles,
    and obeyed for a day."""
    site = desk.origin.url("")
    follow(desk, Answer(body=rss("One", site=site)), Answer(body=rss("One", "Two", "Free", site=site)))
    desk.live(5 * DAY)
    assert {request.path for request in desk.origin.requests} == {"/feed"}
    desk.origin.on("/robots.txt", Answer(body=b"User-agent: *\nDisallow: /\nAllow: /free"))
    desk.origin.requests.clear()
    desk.store.sync_sources([], now=desk.now)
    desk.articles = ArticleReader(
        lambda _: True,
        public_fetcher=lambda: Fetcher(LIMITS, Guard(["127.0.0.0/8"]), USER_AGENT),
        own_fetcher=lambda: Fetcher(LIMITS, Guard(), USER_AGENT),
    )
    desk.follow(Subscription(url=desk.origin.on("/other", Answer(body=rss("Shut", "Free", site=site)))))
    desk.live(HOUR)
    assert [request.path for request in desk.origin.requests][:3] == ["/other", "/robots.txt", "/free"]
    assert not desk.origin.asked("/shut")


@http("rel=self", "never the address that is fetched")
def test_http_rel_self(desk: Desk) -> None:
    """Where a document says it lives changes nothing about where it is fetched from."""
    link = f'<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="self" href="{desk.origin.url("/self")}"/>'
    follow(desk, Answer(body=rss("One", extra=link)), interval=DAY)
    desk.live(20 * DAY)
    assert {request.path for request in desk.origin.requests} == {"/feed"}


@http("A-IM: feed, 226", "new entries alone are welcome")
def test_http_delta(desk: Desk) -> None:
    """`A-IM: feed` goes with If-None-Match. A 226 adds and edits entries; what it leaves out is neither removed nor
    counted as lost, and the size of the document stays what it was."""
    whole = Answer(body=rss(*(f"Post {number}" for number in range(9))), headers={"ETag": '"1"'})
    delta = Answer(status=226, body=rss("Post 9"), headers={"ETag": '"2"', "IM": "feed"})
    follow(desk, whole, delta, Answer(status=304))
    first, second, _ = polls(desk, 3)
    assert [request.headers.get("a-im") for request in desk.origin.requests] == [None, "feed", "feed"]
    assert len(desk.titles()) == 10
    assert first.posting_rate is not None
    assert second.posting_rate is not None
    assert (second.posting_rate.window_entries, second.posting_rate.overlapped) == (
        first.posting_rate.window_entries,
        True,
    )
    assert sent(desk)[2] == ('"2"', None)


@http("RFC 5005", "archives are asked for where the operator wishes", "differs")
def test_http_archives(desk: Desk) -> None:
    """Absence from a feed deletes nothing, `fh:complete` or not. Archives (`prev-archive`) are read once, at the first
    poll of a source with `history`, at most twenty documents a second apart; without it, never: no request that
    nobody expects."""
    link = f'<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="prev-archive" href="{desk.origin.url("/old")}"/>'
    complete = '<fh:complete xmlns:fh="http://purl.org/syndication/history/1.0"/>'
    follow(desk, Answer(body=rss("One", "Two", extra=link + complete)), Answer(body=rss("Two", extra=complete)))
    polls(desk, 2)
    assert desk.titles() == ["One", "Two"]
    assert desk.origin.asked("/old") == []


@http("addresses of one's own network", "not dialled")
def test_http_private_addresses(desk: Desk) -> None:
    """Every address is looked at when it is connected to, on every hop: what is not globally routable is not dialled
    unless `allow_private_addresses` names it."""
    desk.origin.on("/feed", Answer(status=302, headers={"Location": "http://10.0.0.1/feed"}))
    desk.follow(Subscription(url=desk.origin.url("/feed")))
    error = desk.once().error
    assert error is not None
    assert error.code == "blocked-address"


# --- intervals ------------------------------------------------------------------------------------------------------


@http("overlap guard", "lost entries shorten the interval")
def test_http_overlap_guard() -> None:
    """A document that shares nothing with the one before has lost entries: the interval is halved at once, and it is
    never longer than half the time in which the document turns over."""
    rhythm = PostingRate(weight=58.0, as_of=START, since=START - 60 * DAY, last_item_at=START, window_entries=50)
    long, lost, short = (
        interval(one, now=START, policy=Policy(min_interval=MINUTE))
        for one in (rhythm, replace(rhythm, overlapped=False), replace(rhythm, window_entries=1))
    )
    assert lost < 0.51 * long
    assert short < 0.6 * DAY / 2.5


@http("jitter", "only ever longer")
def test_http_jitter() -> None:
    """Up to a tenth longer: sixty minutes are never fifty-nine, and no two sources stay in step."""
    url = "https://a.example/feed"
    source = Source(id=1, slug="a", subscription=Subscription(url=url, interval=HOUR), fetch_url=url)
    answer = NotModified(url=url, validators=Validators(etag='"1"'))
    dues = [
        decision.not_new(
            decision.Poll(source=source, sent=answer.validators, now=START, policy=Policy(), jitter=jitter), answer
        ).next_poll
        - START
        for jitter in (0.0, 0.5, 0.999)
    ]
    assert dues[0] == HOUR
    assert dues == sorted(dues)
    assert dues[-1] < 1.1 * HOUR


@http("catching up", "spread, not all at once")
def test_http_catching_up(desk: Desk) -> None:
    """What became due while the program was not running is polled at one source a second, the longest overdue first;
    a restart meanwhile changes nothing."""
    subscriptions = [Subscription(url=f"https://site{number}.example/feed") for number in range(60)]
    desk.follow(*subscriptions)
    for lease in desk.store.claim(now=START, limit=100, lease=MINUTE):
        desk.store.complete(
            lease,
            PollResult(source_id=lease.sources[0].id, outcome="same", polled_at=START, next_poll=START + HOUR),
        )
    now = START + DAY
    counts = []
    for second in range(60):
        if second % 20 == 0:
            desk.store.sync_sources(subscriptions, now=now, catch_up=True)
        counts.append(len(desk.store.claim(now=now, limit=100, lease=MINUTE)))
        now += timedelta(seconds=1)
    assert max(counts) <= 2
    assert sum(counts) == 60
