"""Digests: when they are due, what is in them, and that an entry never changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_feedparser import parse
from publishing import NOON, SITE, poll_again, sqlite_store
from test_validity import check_atom, check_json, check_rss

from aggregator.model import Digest, OwnFeed
from aggregator.publish import feeds
from aggregator.publish.hub import Topics
from aggregator.publish.listing import Listing
from aggregator.publish.lists import Lists
from aggregator.publish.own_feeds import KEPT, digest_channel, is_pending, issue, last_due, next_due
from aggregator.publish.pages import Pages
from aggregator.publish.rendering import Rendering
from aggregator.store import Store, open_store

DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
FEED = OwnFeed(name="morning", title="Morning", every=DAY, at=time(13), size=5)
SITE_1 = replace(SITE, feeds=(FEED,))


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN).astimezone(UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("now", "at", "due"),
    [
        (berlin(2026, 5, 3, 6, 59), time(7), berlin(2026, 5, 2, 7)),
        (berlin(2026, 5, 3, 7, 0), time(7), berlin(2026, 5, 3, 7)),
        (berlin(2026, 5, 3, 0, 30), time(0), berlin(2026, 5, 3)),
        # the night of 29 March has no 02:30: it is due at 03:30 of summer time
        (datetime(2026, 3, 29, 12, tzinfo=UTC), time(2, 30), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        # the night of 25 October has two: the first counts
        (datetime(2026, 10, 25, 12, tzinfo=UTC), time(2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 26, 5, 59, tzinfo=UTC), time(7), datetime(2026, 10, 25, 6, tzinfo=UTC)),
    ],
)
def test_when_a_daily_digest_was_due_last(now: datetime, at: time, due: datetime) -> None:
    assert last_due(now, every=DAY, at=at, zone=BERLIN) == due


def test_a_weekly_digest_is_due_on_mondays() -> None:
    for day in range(1, 29):
        due = last_due(berlin(2026, 2, day, 12), every=7 * DAY, at=time(7), zone=BERLIN)
        assert due.astimezone(BERLIN).weekday() == 0
        assert timedelta(0) <= berlin(2026, 2, day, 12) - due < 7 * DAY


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive
    st.integers(1, 10),
    st.times(),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_every_period_has_one_due_moment(now: datetime, days: int, at: time, zone: str) -> None:
    every, where = timedelta(days=days), ZoneInfo(zone)
    last = last_due(now, every=every, at=at, zone=where)
    following = next_due(now, every=every, at=at, zone=where)
    assert last <= now < following
    assert last_due(following, every=every, at=at, zone=where) == following
    assert last_due(following - timedelta(microseconds=1), every=every, at=at, zone=where) == last
    days_apart = (following.astimezone(where).date() - last.astimezone(where).date()).days
    assert days_apart == days or zone == "Pacific/Apia"


def test_nothing_is_pending_before_the_feed_was_there_or_when_the_clock_goes_back() -> None:
    due, now = NOON, NOON + timedelta(hours=1)

    def pending(since: datetime, *issued: date) -> bool:
        days = [day.isoformat() for day in issued]
        return is_pending(due, since=since, now=now, issued=days, zone=ZoneInfo("UTC"))

    assert pending(NOON - DAY)
    assert not pending(NOON + timedelta(minutes=1)), "the feed is newer"
    assert pending(NOON + 3000 * DAY), "it was first seen under a wrong clock"
    assert not pending(NOON - DAY, NOON.date()), "it was issued"
    assert not pending(NOON - DAY, NOON.date() + 3 * DAY), "the clock has gone back"
    assert pending(NOON - DAY, NOON.date() + 3000 * DAY), "that was issued under a wrong clock"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = sqlite_store(tmp_path)
    yield made
    made.close()


def issued(store: Store, now: datetime, feed: OwnFeed = FEED) -> Digest | None:
    return issue(feed, Lists(store, SITE_1).own, store=store, site=SITE_1, now=now)


def listing(store: Store) -> Listing:
    return Lists(store, SITE_1).named(FEED.name)


def test_it_is_issued_once_at_its_time_and_once_after_a_stop_of_days(store: Store, tmp_path: Path) -> None:
    assert issued(store, NOON) is None, "the feed is new: its first digest comes at the next 13:00"
    assert issued(store, NOON + timedelta(minutes=59)) is None
    first = issued(store, NOON + timedelta(minutes=61))
    assert first is not None
    assert (first.period, first.issued, len(first.items)) == ("2026-11-23", NOON + timedelta(minutes=61), 5)
    store.close()
    again = open_store("sqlite:published.db", base=tmp_path)
    assert issued(again, NOON + timedelta(hours=2)) is None, "a restart issues nothing twice"
    poll_again(again)
    late = issued(again, NOON + 5 * DAY)
    assert late is not None
    assert late.period == "2026-11-27", "one for all that were missed"
    assert issued(again, NOON + 5 * DAY + timedelta(minutes=5)) is None
    assert [one.period for one in listing(again).digests] == (
        ["2026-11-27", "2026-11-23"] if late.items else ["2026-11-23"]
    )
    again.close()


def test_the_latest_of_a_digest_are_what_has_come_since_the_last(store: Store) -> None:
    issued(store, NOON)
    first = issued(store, NOON + timedelta(hours=2))
    second = issued(store, NOON + DAY + timedelta(hours=2))
    assert first is not None
    assert second is not None
    assert first.items
    assert second.items == (), "nothing new has come"
    assert [one.period for one in listing(store).digests] == [first.period], "and nothing is shown"


def test_entries_never_change(store: Store) -> None:
    issued(store, NOON)
    issued(store, NOON + timedelta(hours=2))
    before = feeds.atom(digest_channel(listing(store), SITE_1))
    poll_again(store, edit="Edited since")
    after = feeds.atom(digest_channel(listing(store), SITE_1))
    assert after == before
    entry = parse(after).entries[0]
    assert entry.id == "tag:127.0.0.1,2026:8080/digest/morning/2026-11-23"
    assert entry.title == "Morning · 2026-11-23"
    assert entry.content[0].value.count("<li>") == 5
    assert f'href="{SITE.url}/go/' in entry.content[0].value
    moved = digest_channel(listing(store), replace(SITE_1, url="https://new.example", id="tag:127.0.0.1,2026:8080/"))
    assert parse(feeds.atom(moved)).entries[0].id == entry.id, "not even when the site moves"


def test_it_keeps_the_rules_of_its_formats_empty_too(store: Store) -> None:
    for count in (0, 1):
        channel = digest_channel(listing(store), SITE_1)
        assert len(channel.slots) == count
        check_atom(feeds.atom(channel), count)
        check_rss(feeds.rss(channel), count, with_source=False)
        check_json(feeds.json_feed(channel), count)
        issued(store, NOON)
        issued(store, NOON + timedelta(hours=2))


def test_so_many_are_kept_and_the_marks_of_older_ones_go_with_them(store: Store) -> None:
    ranked = replace(FEED, order="related")
    issued(store, NOON, ranked)
    for day in range(KEPT + 3):
        now = NOON + timedelta(hours=2) + day * DAY
        assert issued(store, now, ranked) is not None
        store.mint(f"digest-sent/morning/{now.date()}/mail-0", "x")
    assert len(store.minted("digest/morning/", limit=0)) == KEPT
    assert len(store.minted("digest-sent/morning/", limit=0)) == KEPT


def test_page_feed_and_hub_follow_what_was_issued(store: Store) -> None:
    site = Rendering(store=store, site=SITE_1, lists=Lists(store, SITE_1), pages=Pages(SITE_1))
    topic = f"{SITE.url}/feeds/morning.atom"
    before = Topics(site, NOON).fingerprint(topic)
    assert b"<entry>" not in site.feed(site.lists.named("morning"), "atom").body
    assert site.listing(site.lists.named("morning"), now=NOON).status == 200
    issued(store, NOON)
    assert Topics(site, NOON).fingerprint(topic) == before
    issued(store, NOON + timedelta(hours=2))
    assert Topics(site, NOON).fingerprint(topic) != before
    assert b"<entry>" in site.feed(site.lists.named("morning"), "atom").body
    page = site.listing(site.lists.named("morning"), now=NOON)
    assert page.body.count(b"/item/") >= 5, "the newest digest's items"
