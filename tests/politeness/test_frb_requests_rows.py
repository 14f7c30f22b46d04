"""FRB 001 to 071: validators, hints, scheduling, methods, clean requests, manual refresh."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from desk import DAY, HOUR, LIMITS, MINUTE, START, Desk, InProcess
from origin import Answer, Request, rss
from rows import frb
from year import MAX_AGE, RESTARTS, RETRY_AFTER, Year

from aggregator.cli import run_command
from aggregator.collect.cadence import Policy
from aggregator.collect.decision import Poll, failure, not_before
from aggregator.collect.discover import discover
from aggregator.collect.fetch import Fetcher, FetchLimits
from aggregator.collect.fetch.dialer import LookUp
from aggregator.collect.guard import Guard
from aggregator.config.types import http_url
from aggregator.errors import CollectError, FetchError
from aggregator.model import FeedInfo, Lease, PollResult, Source, Subscription, Validators
from aggregator.store import Store

SECOND = timedelta(seconds=1)


def look_at(desk: Desk, url: str) -> list[str]:
    """The feeds found at `url`, as `aggregator add` finds them."""

    async def run() -> list[str]:
        fetcher = Fetcher(LIMITS, Guard(["127.0.0.0/8"]), desk.user_agent)
        try:
            return [found.url for found in await discover(fetcher, InProcess(), url)]
        finally:
            await fetcher.close()

    return asyncio.run(run())


def after_first(year: Year) -> Iterable[tuple[str | None, str | None]]:
    return (one.pair for one in year.asked[1:])


# --- conditional requests -------------------------------------------------------------------------------------------


@frb("001", "store Last-Modified")
def test_frb_001_last_modified_is_stored(year: Year) -> None:
    """The date is stored with the source in the same transaction as the entries it came with."""
    assert all(date is not None for _, date in after_first(year))


@frb("002", "send If-Modified-Since")
def test_frb_002_if_modified_since_is_sent(year: Year) -> None:
    """Every request of the year but the first sent it."""
    assert year.asked[0].pair == (None, None)
    assert all(date in {one.date for one in year.asked} for _, date in after_first(year))


@frb("003", "store ETag")
def test_frb_003_the_entity_tag_is_stored(year: Year) -> None:
    """The entity tag is stored beside the date."""
    assert all(tag is not None for tag, _ in after_first(year))


@frb("004", "send If-None-Match")
def test_frb_004_if_none_match_is_sent(year: Year) -> None:
    """Every request of the year but the first sent it."""
    assert all(tag in {one.etag for one in year.asked} for tag, _ in after_first(year))


@frb("010", "no short-term memory loss")
def test_frb_010_no_short_term_memory_loss(year: Year) -> None:
    """The request after each answer with a body sent the validators of that answer; restarts lay between some."""
    after = [(one, later) for one, later in pairwise(year.asked) if one.status == 200]
    assert len(after) > 50
    assert all(later.pair == (one.etag, one.date) for one, later in after)


@frb("011", "no long-term memory loss")
def test_frb_011_no_long_term_memory_loss(year: Year) -> None:
    """One unconditional request in the whole year: the first."""
    assert year.unconditional == year.asked[:1]


@frb("012", "no creative If-Modified-Since")
def test_frb_012_no_creative_dates(year: Year) -> None:
    """The date goes back byte for byte as it came, even where it is no date ("post 7, 0 o'clock")."""
    sent_by_server = {one.date for one in year.asked if one.date}
    assert {date for _, date in after_first(year)} <= sent_by_server


@frb("013", "no creative If-None-Match")
def test_frb_013_no_creative_entity_tags(year: Year) -> None:
    """The entity tag goes back byte for byte: quotes, W/, -gzip and commas within it."""
    assert {tag for tag, _ in after_first(year)} <= {one.etag for one in year.asked if one.etag}


@frb("014", "Last-Modified and ETag are one set")
def test_frb_014_the_pair_is_atomic(year: Year, desk: Desk) -> None:
    """Each request sent the pair of the newest answer that brought one; never halves of two. A document that brings
    one half clears the other."""
    held: tuple[str | None, str | None] = (None, None)
    for one in year.asked:
        assert one.pair == held
        held = (one.etag, one.date) if one.status in {200, 304} else held
    brought = [{"ETag": '"1"', "Last-Modified": "Mon"}, {"Last-Modified": "Tue"}, {"ETag": '"3"'}, {}, {}]
    answers = [Answer(body=rss(f"Post {number}"), headers=pair) for number, pair in enumerate(brought)]
    desk.follow(Subscription(url=desk.origin.on("/feed", *answers)))
    for _ in brought:
        desk.now = desk.once().next_poll
    sent = [(one.headers.get("if-none-match"), one.headers.get("if-modified-since")) for one in desk.origin.requests]
    assert sent == [(None, None), ('"1"', "Mon"), (None, "Tue"), ('"3"', None), (None, None)]


@frb("015", "validators survive upgrades")
def test_frb_015_upgrades_are_survived(year: Year) -> None:
    """The first request of the newer version was conditional."""
    first = next(one for one in year.asked if one.at >= year.upgraded)
    assert "1.1.0" in first.headers["user-agent"]
    assert None not in first.pair


@frb("016", "validators survive a 429")
def test_frb_016_validators_survive_a_429(year: Year) -> None:
    """Errors change nothing that is held: the request after each 429 and each 500 sent the same pair again."""
    after = [(one, later) for one, later in zip(year.asked, year.asked[1:], strict=False) if one.status in {429, 500}]
    assert len(after) > 20
    assert all(one.pair == later.pair != (None, None) for one, later in after)


# --- hints of the server --------------------------------------------------------------------------------------------


@frb("020", "slow down on 429")
def test_frb_020_a_429_slows_down(year: Year) -> None:
    """Retry-After is obeyed to the second and up to seven days; of a public host nothing is asked meanwhile."""
    waits = [gap for one, gap in year.gaps if one.status == 429]
    assert len(waits) > 10
    assert min(waits) >= RETRY_AFTER


@frb("021", "slow down even without hints")
def test_frb_021_a_429_without_a_hint_slows_down(desk: Desk) -> None:
    """A 429 or 503 without Retry-After: four intervals at the least."""
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(status=429)), interval=HOUR))
    assert desk.once().next_poll - desk.now >= 4 * HOUR


@frb("022", "cache hints count")
def test_frb_022_cache_hints_count(year: Year) -> None:
    """max-age (and Expires) of the latest answer, 304s included, is the least time until the next request."""
    assert min(gap for one, gap in year.gaps if one.status in {200, 304}) >= MAX_AGE


@frb("023", "match the rhythm of the feed")
def test_frb_023_the_rhythm_of_the_feed(desk: Desk) -> None:
    """Polls are proportional to the square root of the rate of posts, hour by hour; bench/polling has the figures."""
    counts = {}
    for path, every in (("/busy", HOUR / 2), ("/quiet", 40 * DAY)):

        def publish(request: Request, every: timedelta = every) -> Answer:
            number = (desk.now - START) // every
            return Answer(
                body=rss(*(f"Post {one}" for one in range(max(0, number - 30), number + 1))), conditional=True
            )

        desk.follow(Subscription(url=desk.origin.on(path, publish)))
        counts[path] = len(desk.live(3 * DAY))
    assert counts["/busy"] > 3 * counts["/quiet"]


@frb("024", "hints of the format")
def test_frb_024_hints_of_the_format(desk: Desk) -> None:
    """ttl, skipHours, skipDays and sy:updatePeriod make the interval longer, never shorter; `hourly` says nothing."""
    sy = 'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'
    hints = {
        "<ttl>720</ttl>": 12 * HOUR,
        "<ttl>999999</ttl>": DAY,
        f"<sy:updatePeriod {sy}>daily</sy:updatePeriod>": DAY,
        f"<sy:updatePeriod {sy}>hourly</sy:updatePeriod>": 6 * HOUR,
        f"<skipHours>{''.join(f'<hour>{hour}</hour>' for hour in range(15, 22))}</skipHours>": 10 * HOUR,
        "<skipDays><day>Monday</day></skipDays>": 12 * HOUR,
    }
    for number, (hint, expected) in enumerate(hints.items()):
        desk.now = asked = START + number * 7 * DAY
        url = desk.origin.on(f"/{number}", Answer(body=rss("One", extra=hint), headers={"ETag": '"1"'}))
        desk.follow(Subscription(url=url))
        assert desk.once().next_poll - asked == expected, hint


# --- scheduling -----------------------------------------------------------------------------------------------------


@frb("030", "no duplicate fetch of the same content")
def test_frb_030_one_request_a_poll(year: Year) -> None:
    """One poll is one request: no probe before it, no second look after it."""
    assert len(year.asked) == year.polls


@frb("031", "other addresses need caching too")
def test_frb_031_nothing_but_the_feed_is_asked_for(desk: Desk) -> None:
    """There are no others: icons, pictures, pages and enclosures are never fetched."""
    extra = "".join(f"<{name}>{desk.origin.url(f'/{name}')}</{name}>" for name in ("link", "docs", "comments", "image"))
    feed = rss("One", site=desk.origin.url(""), extra=extra)
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=feed, conditional=True))))
    desk.live(10 * DAY)
    assert {request.path for request in desk.origin.requests} == {"/feed"}


@frb("032", "do not hammer an item")
def test_frb_032_items_are_not_asked_for(desk: Desk) -> None:
    """Links and enclosures of items are passed on to readers; the program itself does not follow them. For sources
    with `full_text = "fetch"` it requests the page of each new item, once."""
    enclosure = f'<enclosure url="{desk.origin.url("/talk.mp3")}" length="1" type="audio/mpeg"/></item>'
    feed = rss("One", site=desk.origin.url("")).replace(b"</item>", enclosure.encode())
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=feed))))
    desk.live(3 * DAY)
    assert {request.path for request in desk.origin.requests} == {"/feed"}


def polled(lease: Lease, now: datetime) -> list[PollResult]:
    return [
        PollResult(source_id=source.id, outcome="not-modified", polled_at=now, next_poll=now + HOUR)
        for source in lease.sources
    ]


def timetable(store: Store, urls: Iterable[str], span: timedelta) -> list[tuple[datetime, str]]:
    """When which host is asked, if every request takes no time and the queue is looked at four times a second."""
    store.sync_sources([Subscription(url=url) for url in urls], now=START)
    asked, now = [], START
    while now < START + span:
        for lease in store.claim(now=now, limit=64, lease=5 * MINUTE):
            assert len(lease.sources) == 1
            asked.append((now, lease.host))
            for result in polled(lease, now):
                store.complete(lease, result)
        now += SECOND / 4
    return asked


def pauses(asked: Iterable[tuple[datetime, str]]) -> list[timedelta]:
    """The times between two requests to the same host."""
    last: dict[str, datetime] = {}
    found = []
    for at, host in asked:
        if host in last:
            found.append(at - last[host])
        last[host] = at
    return found


@frb("033", "do not hammer a server")
def test_frb_033_one_request_at_a_time_and_a_pause(desk: Desk) -> None:
    """One request at a time to a host, a second at the least from the end of one to the next."""
    asked = timetable(desk.store, [f"https://news.example/{number}" for number in range(12)], 20 * SECOND)
    assert len(asked) == 12
    assert min(pauses(asked)) >= SECOND


@frb("034", "many feeds, few servers")
def test_frb_034_many_feeds_on_few_servers(desk: Desk) -> None:
    """Hosts are leased, not feeds: sixty feeds on three servers are three requests at a time."""
    urls = [f"https://server{number % 3}.example/{number}" for number in range(60)]
    asked = timetable(desk.store, urls, 25 * SECOND)
    assert len(asked) == 60
    assert min(pauses(asked)) >= SECOND
    assert max(sum(at == moment for at, _ in asked) for moment, _ in asked) == 3


@frb("035", "many hosts, few addresses")
def test_frb_035_names_at_one_address_take_turns(desk: Desk) -> None:
    """Names that resolve to one address are asked a quarter of a second apart, and four at a time at the most. Services
    with a name for each blog (Tumblr, Blogspot, Substack …) are one host, whatever their addresses."""
    origin, names = desk.origin, [f"blog{number}.example" for number in range(8)]
    origin.on("/feed", Answer(body=rss("One"), delay_s=1.5))

    async def ask_all() -> None:
        fetcher = Fetcher(FetchLimits(), Guard(["127.0.0.0/8"]), "test", look_up=all_at(origin.host))
        try:
            await asyncio.gather(*(fetcher.get(f"http://{name}:{origin.port}/feed") for name in names))
        finally:
            await fetcher.close()

    asyncio.run(ask_all())
    asked = sorted(request.at_s for request in origin.asked("/feed"))
    assert len(asked) == len(names)
    assert origin.most_at_once == 4
    assert asked[3] - asked[0] > 0.6, "three gaps of 250 ms, less what this machine does to the first and the last"


def all_at(address: str) -> LookUp:
    """A name server that has one address for every name."""
    return lambda _, port, __: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


def test_platforms_are_one_host(desk: Desk) -> None:
    blogs = [f"https://blog{number}.tumblr.com/rss" for number in range(9)] + ["https://www.tumblr.com/rss"]
    asked = timetable(desk.store, blogs, 15 * SECOND)
    assert {host for _, host in asked} == {"tumblr.com"}
    assert len(asked) == 10
    assert min(pauses(asked)) >= SECOND


@frb("036", "adding a feed is a single request")
def test_frb_036_adding_is_a_single_request(desk: Desk, tmp_path: Path) -> None:
    """`aggregator add` looks at the address once, and that answer is the source's first poll: its entries and
    validators are stored, and the daemon's first request is the next one that is due. A page is asked for once, and
    the feed it declares once."""
    path = tmp_path / "config.toml"
    path.write_text('[store]\nurl = "sqlite:test.db"\n[polling]\nallow_private_addresses = ["127.0.0.0/8"]\n')
    url = desk.origin.on("/feed", Answer(body=rss("One"), conditional=True))
    assert run_command(["--config", str(path), "add", url]) == 0
    assert desk.titles() == ["One"]
    assert len(desk.origin.requests) == 1
    due = desk.store.next_due(now=START)
    assert due is not None
    desk.now = due
    assert desk.once().status == 304


@frb("037", "a restart is no reason to poll")
def test_frb_037_restarts_poll_nothing(year: Year) -> None:
    """The next poll's time is stored. Fifty restarts within a year caused no request that was not due."""
    assert len(year.restarts) == RESTARTS
    early = [one for one, gap in year.gaps if gap < MAX_AGE and one.status in {200, 304}]
    assert not early
    sooner_than_backed_off = [gap for one, gap in year.gaps if one.status == 500 and gap < 30 * MINUTE]
    assert not sooner_than_backed_off


# --- methods and clean requests -------------------------------------------------------------------------------------


@frb("050", "only GET")
def test_frb_050_only_get(year: Year) -> None:
    """GET, and nothing else."""
    assert {one.method for one in year.asked} == {"GET"}


@frb("051", "no HEAD")
def test_frb_051_no_head(desk: Desk) -> None:
    """No HEAD either when an address is added."""
    look_at(desk, desk.origin.on("/feed", Answer(body=rss("One"))))
    assert [request.method for request in desk.origin.requests] == ["GET"]


@frb("060", "check addresses that people type")
@pytest.mark.parametrize(
    "typed", ["htp://a.example", "a.example/feed", "https://", "https://a b/", "file:///etc/passwd"]
)
def test_frb_060_typed_addresses_are_checked(typed: str) -> None:
    """What is no complete http or https address is refused, with a hint, before anything is asked."""
    with pytest.raises(ValueError, match="address"):
        http_url(typed)


@frb("061", "do not guess addresses")
def test_frb_061_nothing_is_guessed(desk: Desk) -> None:
    """A page that declares no feed is one request: no /feed, no /rss.xml, no /robots.txt, no favicon."""
    page = Answer(body=b"<!doctype html><html><head><title>Shop</title></head></html>")
    assert look_at(desk, desk.origin.on("/shop", page)) == []
    assert [request.path for request in desk.origin.requests] == ["/shop"]


@frb("062", "no extra query parameters")
def test_frb_062_no_extra_parameters(year: Year) -> None:
    """The address is asked for as it was subscribed to."""
    assert {one.path for one in year.asked} == {"/feed?b=%2f&a=+%20&utm_source=x"}


@frb("063", "no cookies")
def test_frb_063_no_cookies(desk: Desk) -> None:
    """Cookies are neither kept nor sent. One exception, for servers that redirect an address to itself with a cookie:
    it is sent along within that chain of redirects, and forgotten at its end."""
    answer = Answer(body=rss("One"), headers={"Set-Cookie": "visitor=1; Max-Age=99999"})
    desk.follow(Subscription(url=desk.origin.on("/feed", answer)))
    desk.live(3 * DAY)
    assert len(desk.origin.requests) > 5
    assert not [request for request in desk.origin.requests if "cookie" in request.headers]


@frb("064", "no cache busting")
def test_frb_064_no_cache_busting(year: Year) -> None:
    """No Cache-Control, no Pragma, no random parameter."""
    assert not [one for one in year.asked if one.headers.keys() & {"cache-control", "pragma"}]


@frb("065", "no Referer")
def test_frb_065_no_referrer(year: Year) -> None:
    """None, also not along redirects."""
    assert not [one for one in year.asked if "referer" in one.headers]


@frb("066", "no normalising of query strings")
def test_frb_066_queries_stay_as_they_are(desk: Desk) -> None:
    """Order, case and quoting of the query reach the server byte for byte."""
    query = "?b=%2F%2f&a=~%7E&c=+%20&d&&e=é".encode().decode("latin-1").encode("ascii", "ignore").decode()
    desk.origin.on("/feed", Answer(body=rss("One")))
    desk.follow(Subscription(url=desk.origin.url(f"/feed{query}")))
    desk.once()
    assert desk.origin.requests[0].path == f"/feed{query}"


# --- on demand ------------------------------------------------------------------------------------------------------


@frb("070", "limit fetching on demand")
def test_frb_070_on_demand_is_limited(desk: Desk) -> None:
    """`aggregator poll URL` asks a server of the web again after ten minutes at the earliest, and not while it is
    busy (429, 503) or has asked us to wait (Retry-After, whatever the status). On one's own network there is no such
    limit. Skipped hours are skipped on demand as well."""
    desk.follow(Subscription(url="https://news.example/feed"))
    (lease,) = desk.store.claim(now=START, limit=1, lease=MINUTE)
    for result in polled(lease, START):
        desk.store.complete(lease, result)
    (source,) = desk.store.followed()

    def may_be_asked(source: Source, now: datetime) -> bool:
        return not_before(source, now=now, on_demand=True) == now

    assert not may_be_asked(source, START + 9 * MINUTE)
    assert may_be_asked(source, START + 11 * MINUTE)
    poll = Poll(source=source, sent=Validators(), now=START, policy=Policy(), jitter=0.0)
    for error in (
        FetchError("http-503", "busy", status=503),
        FetchError("http-403", "no", status=403, retry_after=HOUR),
        FetchError("http-301", "later", status=301, retry_after=HOUR),
    ):
        known = failure(poll, error, our_fault=False).conditional
        assert known is not None
        assert not may_be_asked(replace(source, conditional=known), START + 50 * MINUTE)
        nas = replace(source, conditional=known, fetch_url="http://nas/feed")
        assert may_be_asked(nas, START + 5 * MINUTE)
    noon = replace(source, info=FeedInfo(skip_hours=frozenset({13})))
    assert not_before(noon, now=START + 70 * MINUTE, on_demand=True) == START + 130 * MINUTE


@frb("071", "confirm before unconditional requests")
def test_frb_071_on_demand_is_conditional(desk: Desk) -> None:
    """There is no way to ask for an unconditional request: polls on demand send the validators as well."""
    desk.follow(Subscription(url=desk.origin.on("/feed", Answer(body=rss("One"), conditional=True))))
    desk.once()
    desk.now += MINUTE
    assert desk.once(force=True).status == 304


def test_an_address_that_is_nothing_is_an_error(desk: Desk) -> None:
    with pytest.raises(CollectError):
        look_at(desk, desk.origin.url("/nothing"))
