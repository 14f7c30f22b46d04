from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_values import HOUR, NOW, A, B, C, edited, follow, make_entry, poll, source_id

from aggregator.model import Curation, Enclosure, Item, Scope, StoryJoin, Subscription, Upstream, Verdict
from aggregator.store import PollChanges, Store
from aggregator.store.sql.ids import decode_id, encode_id, host_key, search_query

LINK = "https://x.example/2026/the-story-of-a-title"


def titles(store: Store, **scope: object) -> list[str]:
    return [item.title for item in store.latest(Scope(**scope), limit=0)]  # type: ignore[arg-type]


def only_item(store: Store) -> Item:
    (item,) = store.latest(Scope(), limit=0)
    return item


class TestEntries:
    def test_everything_comes_back(self, store: Store) -> None:
        follow(store, A, section="World", full_text=True)
        entry = make_entry(
            *("1",),
            link=LINK,
            text="lead",
            author="N. N.",
            language="fr",
            categories=("a", "b"),
            image_url="https://x.example/i.png",
            image_width=640,
            enclosures=(Enclosure(url="https://x.example/a.mp3", type="audio/mpeg", size_bytes=3),),
            upstream=Upstream(comments=4),
            content_html="<p>whole</p>",
        )
        poll(store, A, entry)
        item = only_item(store)
        assert (item.title, item.url, item.section, item.author) == ("Title of 1", LINK, "World", "N. N.")
        assert (item.published, item.first_seen, item.updated) == (NOW - HOUR, NOW, NOW - HOUR)
        assert (item.text, item.summary_html, item.content_html) == ("lead", "<p>lead</p>", "<p>whole</p>")
        assert (item.language, item.categories) == ("fr", ("a", "b"))
        assert (item.image_url, item.image_width) == ("https://x.example/i.png", 640)
        assert (item.enclosures, item.upstream, item.full_text) == (entry.parsed.enclosures, Upstream(comments=4), True)
        assert (item.story, item.views, item.likes, item.sources) == (item.id, 0, 0, 1)

    def test_items_that_were_read_before_are_as_they_are_now(self, store: Store) -> None:
        follow(store, A, B)
        entry = make_entry("1", link=LINK, upstream=Upstream(comments=4))
        poll(store, A, entry)
        first = only_item(store)
        assert store.items([first.id])[0] is first, "read once for all lists of one state"
        poll(store, A, replace(entry, parsed=replace(entry.parsed, upstream=Upstream(comments=9))), at=NOW + HOUR)
        assert only_item(store).upstream == Upstream(comments=9)
        poll(store, A, edited(entry, "Title, edited"), at=NOW + 2 * HOUR)
        assert only_item(store).title == "Title, edited"
        store.like(first.id, visitor=b"somebody", now=NOW)
        assert only_item(store).likes == 1
        poll(store, B, make_entry("2", link=LINK), at=NOW + 3 * HOUR)
        assert only_item(store).sources == 2
        follow(store, A, B, section="Elsewhere")
        assert only_item(store).section == "Elsewhere"
        follow(store, A, B, section="Elsewhere", name="Renamed", full_text=True)
        assert (only_item(store).source.name, only_item(store).full_text) == ("Renamed", True)

    def test_the_same_document_twice_changes_nothing(self, store: Store) -> None:
        follow(store, A)
        entries = [make_entry(str(n), link=f"https://x.example/{n}", outlinks=(LINK,)) for n in range(5)]
        assert poll(store, A, *entries) == PollChanges(new_entries=5, new_items=5)
        before, generation = store.latest(Scope(), limit=0), store.generation()
        assert poll(store, A, *entries, at=NOW + HOUR) == PollChanges()
        assert (store.latest(Scope(), limit=0), store.generation()) == (before, generation)

    def test_edit_in_place_keeps_first_times_and_id(self, store: Store) -> None:
        follow(store, A)
        entry = make_entry("1")
        poll(store, A, entry)
        before = only_item(store)
        again = replace(edited(entry, "New title"), published=NOW + HOUR)
        assert poll(store, A, again, at=NOW + HOUR) == PollChanges(updated=1)
        after = only_item(store)
        assert (after.id, after.published, after.first_seen) == (before.id, before.published, before.first_seen)
        assert (after.title, after.updated) == ("New title", NOW + HOUR)

    @pytest.mark.parametrize(
        ("claimed", "expected"),
        [(-0.5, NOW - HOUR / 2), (-30, NOW - HOUR), (5, NOW), (None, NOW - HOUR)],
        ids=["as it says", "not before it appeared", "not in the future", "says nothing"],
    )
    def test_updated_is_what_the_source_says_until_an_edit_is_seen(
        self, store: Store, claimed: float | None, expected: datetime
    ) -> None:
        follow(store, A)
        updated = None if claimed is None else NOW + claimed * HOUR
        entry = make_entry("1", published=NOW - HOUR, updated=updated)
        poll(store, A, entry)
        assert only_item(store).updated == expected
        poll(store, A, edited(entry, "New title"), at=NOW + 2 * HOUR)
        assert only_item(store).updated == NOW + 2 * HOUR

    def test_a_partial_document_updates_nothing(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, make_entry("1", text="all"))
        stored = poll(store, A, make_entry("1", text=""), make_entry("2"), at=NOW + HOUR, insert_only=True)
        assert stored == PollChanges(new_entries=1, new_items=1)
        assert {item.text for item in store.latest(Scope(), limit=0)} == {"all", ""}

    def test_absence_deletes_nothing(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, make_entry("1"))
        poll(store, A, at=NOW + HOUR)
        assert titles(store) == ["Title of 1"]

    def test_an_entry_twice_in_a_document_is_one(self, store: Store) -> None:
        follow(store, A)
        pair = (make_entry("1", title="first"), make_entry("1", title="second"))
        assert poll(store, A, *pair) == PollChanges(new_entries=1, new_items=1)
        assert poll(store, A, *pair, at=NOW + HOUR) == PollChanges()
        assert titles(store) == ["first"]

    def test_a_new_guid_goes_on_as_the_same_entry(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, make_entry("old", title="t"))
        before = only_item(store)
        for hour in (1, 2):
            stored = poll(store, A, make_entry("new", title="t", replaces="old"), at=NOW + hour * HOUR)
            assert stored == PollChanges()
        assert only_item(store).id == before.id
        assert [one.entry_id for one in store.known(source_id(store, A), guids=["new", "old"], links=[])] == ["new"]

    def test_upstream_counts_move_without_an_edit(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, make_entry("1", upstream=Upstream(comments=1)))
        assert (
            poll(store, A, make_entry("1", upstream=Upstream(comments=9, views=2**70)), at=NOW + HOUR) == PollChanges()
        )
        assert (only_item(store).upstream, only_item(store).updated) == (Upstream(comments=9), NOW - HOUR)

    def test_ids_follow_from_the_founding_entry(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, make_entry("1"))
        assert only_item(store).id == "0ojqervuvp6kz"  # permanent: a lost database gives the same ids again
        assert decode_id(encode_id(2**63 - 1)) == 2**63 - 1
        assert [decode_id(text) for text in ("", "zzzzzzzzzzzzz", "1", "A" * 13, "0" * 14)] == [None] * 5


class TestSameAddress:
    def test_joins_the_item_of_another_source(self, store: Store) -> None:
        follow(store, A, B)
        poll(store, A, make_entry("1", link=LINK, title="Ferry adrift"))
        copy = make_entry("9", link=LINK, title="Adrift: a ferry")
        assert poll(store, B, copy, at=NOW + HOUR) == PollChanges(new_entries=1)
        item = only_item(store)
        assert (item.title, item.sources) == ("Ferry adrift", 2)
        assert [(copy.title, copy.rule) for copy in item.copies] == [
            ("Ferry adrift", "first"),
            ("Adrift: a ferry", "canonical-url"),
        ]

    def test_a_page_of_which_two_sources_say_other_things_is_two_items(self, store: Store) -> None:
        follow(store, A, B)
        page = "https://x.example/tickets"
        poll(store, A, make_entry("1", link=page, title="Choir sings at the mill", text="Forty voices and an organ."))
        poll(store, B, make_entry("9", link=page, title="Boxing returns", text="Eight bouts on Friday evening."))
        assert [item.sources for item in store.latest(Scope(), limit=0)] == [1, 1]

    @pytest.mark.parametrize("sharer", [A, B])
    def test_a_page_that_one_source_shows_under_several_titles_joins_nobody(self, store: Store, sharer: str) -> None:
        """Whichever of the two comes first."""
        follow(store, A, B)
        several = [make_entry(str(n), link=LINK, title=f"Bees in winter, part {n}") for n in range(3)]
        one = make_entry("9", link=LINK, title="Bees in winter")
        for url in (A, B):
            poll(store, url, *(several if url == sharer else [one]))
        assert [item.sources for item in store.latest(Scope(), limit=0)] == [1] * 4

    def test_address_of_many_entries_says_nothing(self, store: Store) -> None:
        follow(store, A, B)
        poll(store, A, make_entry("1", link="https://x.example/"))
        poll(store, B, make_entry("8", link="https://x.example/"), make_entry("9", link="https://x.example/"))
        assert [item.sources for item in store.latest(Scope(), limit=0)] == [1, 1, 1]

    def test_the_copy_is_shown_when_the_first_is_dropped(self, store: Store) -> None:
        follow(store, A, B)
        poll(store, A, make_entry("1", link=LINK, title="the copy", verdict=Verdict(dropped="spam")))
        assert titles(store) == []
        poll(store, B, make_entry("9", link=LINK, title="copy"))
        assert (titles(store), only_item(store).sources) == (["copy"], 1)

    def test_a_source_stays_out_of_the_latest_of_the_site(self, store: Store) -> None:
        def configure(*, apart: bool) -> None:
            busy = Subscription(url=A, section="Wire", in_latest=not apart)
            store.sync_sources([busy, Subscription(url=B, section="World")], now=NOW)

        configure(apart=True)
        poll(store, A, make_entry("1", title="wire"), make_entry("2", link=LINK, title="Ferry adrift", text="Fog."))
        poll(store, B, make_entry("8", title="world"))
        assert titles(store, in_latest=True) == ["world"]
        assert sorted(titles(store)) == ["Ferry adrift", "wire", "world"]
        assert len(titles(store, section="Wire")) == 2
        poll(store, B, make_entry("9", link=LINK, title="Ferry adrift", text="Fog."), at=NOW + HOUR)
        assert sorted(titles(store, in_latest=True)) == ["Ferry adrift", "world"], "another source carries it"
        generation = store.generation()
        configure(apart=False)
        assert sorted(titles(store, in_latest=True)) == ["Ferry adrift", "wire", "world"]
        assert store.generation() > generation

    def test_a_source_stands_in_several_sections(self, store: Store) -> None:
        def configure(*more: str) -> None:
            both = Subscription(url=A, section="World", more_sections=more)
            store.sync_sources([both, Subscription(url=B, section="Europe")], now=NOW)

        configure("Europe", "Trade")
        poll(store, A, *(make_entry(str(n), title=f"ferry {n}", published=NOW - HOUR * n) for n in range(4)))
        poll(store, A, make_entry("9", title="ferry aside", verdict=Verdict(section="Sport")), at=NOW + HOUR)
        poll(store, B, make_entry("8", title="ferry to Harwich", published=NOW - HOUR * 2.5))
        europe = ["ferry 0", "ferry 1", "ferry 2", "ferry to Harwich", "ferry 3"]
        assert (
            titles(store, section="World")
            == titles(store, section="Trade")
            == [one for one in europe if "to" not in one]
        )
        assert titles(store, section="Europe") == europe
        assert titles(store, section="Sport") == ["ferry aside"], "a rule goes before"
        first, second = store.latest(Scope(section="Europe"), limit=2)
        assert first.sections == ("World", "Europe", "Trade")
        onwards = store.latest(Scope(section="Europe"), limit=9, before=(second.published, second.id))
        assert [item.title for item in onwards] == europe[2:]
        found = store.search("ferry", limit=9, scope=Scope(section="Europe"))
        assert [item.title for item in found] == europe
        assert store.search_counts("ferry").by_section == {"World": 4, "Europe": 5, "Trade": 4, "Sport": 1}
        assert store.activity(since=NOW - HOUR * 9).stories_by_section == {
            "World": 4,
            "Europe": 5,
            "Trade": 4,
            "Sport": 1,
        }
        generation = store.generation()
        configure()
        assert (titles(store, section="Europe"), titles(store, section="Trade")) == (["ferry to Harwich"], [])
        assert store.generation() > generation

    def test_a_signal_source_is_not_shown(self, store: Store) -> None:
        store.sync_sources([Subscription(url=A, role="signal"), Subscription(url=B)], now=NOW)
        poll(store, A, make_entry("1", link=LINK, title="signal"))
        assert titles(store) == []
        assert store.pending(limit=9) == []
        poll(store, B, make_entry("1", link=LINK, title="source"))
        assert (titles(store), len(only_item(store).copies)) == (["source"], 1)


class TestListings:
    def test_newest_first_and_onwards(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, *(make_entry(str(n), published=NOW - HOUR * (n // 2)) for n in range(9)))
        whole = store.latest(Scope(), limit=0)
        assert whole == sorted(whole, key=lambda item: (item.published, item.id), reverse=True)
        pages, before = list[Item](), None
        while page := store.latest(Scope(), limit=2, before=before):
            pages += page
            before = (page[-1].published, page[-1].id)
        assert pages == whole

    def test_scopes(self, store: Store) -> None:
        store.sync_sources(
            [Subscription(url=A, section="World", name="A"), Subscription(url=B, section="Arts", name="B")], now=NOW
        )
        poll(store, A, make_entry("1"), make_entry("2", verdict=Verdict(section="Arts")))
        poll(store, B, make_entry("3"), at=NOW + HOUR)
        assert titles(store, section="World") == ["Title of 1"]
        assert sorted(titles(store, section="Arts")) == ["Title of 2", "Title of 3"]
        assert sorted(titles(store, source_slug="a")) == ["Title of 1", "Title of 2"]
        assert titles(store, since=NOW + HOUR) == ["Title of 3"]
        assert titles(store, section="None") == titles(store, source_slug="none") == []

    def test_scope_by_time_of_publication(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, *(make_entry(str(n), published=NOW - HOUR * n) for n in range(4)))
        assert titles(store, published_since=NOW - HOUR) == ["Title of 0", "Title of 1"]

    def test_what_was_published_lately_is_counted(self, store: Store) -> None:
        store.sync_sources(
            [Subscription(url=A, section="World", name="A"), Subscription(url=B, section="Arts", name="B")], now=NOW
        )
        poll(store, A, *(make_entry(str(n), published=NOW - HOUR * n) for n in range(3)))
        poll(store, B, make_entry("9", verdict=Verdict(dropped="x")), make_entry("8", published=NOW))
        first, second, *_ = store.latest(Scope(section="World"), limit=0)
        joins = tuple(StoryJoin(item_id=one.id, story=second.id) for one in (first, second))
        store.put_curation(Curation(curated=(), joins=joins), now=NOW)
        counted = store.activity(since=NOW - HOUR)
        assert (counted.items, counted.stories) == (3, 2)
        assert dict(counted.stories_by_section) == {"World": 1, "Arts": 1}
        assert dict(counted.items_by_source) == {source_id(store, A): 2, source_id(store, B): 1}
        assert store.activity(since=NOW + HOUR).items == 0

    def test_stories_of_many_items_at_once(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, *(make_entry(str(n), published=NOW - HOUR * n) for n in range(4)))
        a, b, c, d = (item.id for item in store.latest(Scope(), limit=0))
        joins = (StoryJoin(item_id=a, story=a), StoryJoin(item_id=b, story=a), StoryJoin(item_id=c, story=c))
        store.put_curation(Curation(curated=(), joins=joins), now=NOW)
        found = store.stories_each([c, a, "0" * 13, d, a])
        assert found == [store.story(one) for one in (c, a, "0" * 13, d, a)]
        assert [[item.id for item in story.items] if story else None for story in found] == [
            [c], [b, a], None, [d], [b, a],
        ]  # fmt: skip

    def test_a_source_says_whether_its_name_is_the_operators(self, store: Store) -> None:
        store.sync_sources([Subscription(url=A, name="Mine"), Subscription(url=B)], now=NOW)
        poll(store, A, make_entry("1"))
        poll(store, B, make_entry("2"))
        assert {item.source.url: item.source.is_named for item in store.latest(Scope(), limit=0)} == {A: True, B: False}

    def test_section_follows_the_configuration(self, store: Store) -> None:
        follow(store, A, section="World")
        poll(store, A, make_entry("1"), make_entry("2", verdict=Verdict(section="Arts")))
        follow(store, A, section="News")
        assert titles(store, section="News") == ["Title of 1"]
        follow(store, A, section="News", role="signal")
        assert titles(store) == []

    def test_items_in_the_order_asked_for(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, *map(make_entry, "123"))
        ids = [item.id for item in store.latest(Scope(), limit=0)]
        asked = [ids[2], "0" * 13, ids[0], "<script>", ids[2]]
        assert [item.id for item in store.items(asked)] == [ids[2], ids[0]]
        assert store.resolve("0" * 13) is store.resolve("no id") is None
        assert store.resolve(ids[0]) == ids[0]


class TestSearch:
    @pytest.fixture
    def filled(self, store: Store) -> Store:
        follow(store, A)
        poll(
            *(store, A),
            make_entry("1", title="Élection présidentielle", text="Le C++ et le Go"),
            make_entry("2", title="中国新闻网报道", text="北京", published=NOW - 2 * HOUR),
            make_entry(
                "3", title="Ｆｕｌｌｗｉｄｔｈ letters", text="election", published=NOW - 3 * HOUR, author="Jane Doe"
            ),
        )
        return store

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            ("election", [0, 2]),
            ("ELECTION présidentielle", [0]),
            ("go le", [0]),
            ("新闻", [1]),
            ("闻新", []),
            ("北京 中国", [1]),
            ("fullwidth", [2]),
            ("jane", [2]),
            ("C++", [0]),
            ('"x OR election', []),
            ("-", []),
            ("", []),
            ("elect", []),
        ],
    )
    def test_words(self, filled: Store, words: str, found: list[int]) -> None:
        latest = filled.latest(Scope(), limit=0)
        assert filled.search(words, limit=9) == [latest[place] for place in found]

    def test_narrowed_and_continued(self, store: Store) -> None:
        store.sync_sources(
            [Subscription(url=A, section="World", name="A"), Subscription(url=B, section="Arts", name="B")], now=NOW
        )
        poll(store, A, *(make_entry(str(n), title=f"Tide {n}", published=NOW - HOUR * n) for n in range(3)))
        poll(store, B, make_entry("9", title="Tide 9", published=NOW - 30 * HOUR))

        def found(**scope: Any) -> list[str]:
            return [item.title for item in store.search("tide", limit=9, scope=Scope(**scope))]

        assert found() == ["Tide 0", "Tide 1", "Tide 2", "Tide 9"]
        assert found(section="Arts") == found(source_slug="b") == ["Tide 9"]
        assert found(published_since=NOW - HOUR) == ["Tide 0", "Tide 1"]
        first = store.search("tide", limit=2)
        behind = store.search("tide", limit=9, before=(first[-1].published, first[-1].id))
        assert [item.title for item in (*first, *behind)] == found()
        assert [title for _, title in store.search_titles("tide", limit=9)] == found()
        assert [title for _, title in store.search_titles("tide", limit=9, scope=Scope(section="Arts"))] == ["Tide 9"]
        assert [item_id for item_id, _ in store.search_titles("tide", limit=9)] == [
            item.id for item in store.search("tide", limit=9)
        ]
        assert len(store.search_titles("tide", limit=2)) == 2
        assert store.search_titles('"', limit=9) == []
        counts = store.search_counts("tide")
        one, other = source_id(store, A), source_id(store, B)
        assert (counts.items, counts.is_capped) == (4, False)
        assert dict(counts.by_section) == {"World": 3, "Arts": 1}
        assert dict(counts.by_source) == {one: 3, other: 1}
        assert store.search_counts("tide", scope=Scope(section="Arts")).items == 1
        assert store.search_counts("absent").items == 0

    def test_edited_and_dropped_words_are_gone(self, filled: Store) -> None:
        poll(filled, A, make_entry("1", title="Nothing"), at=NOW + HOUR)
        assert filled.search("présidentielle", limit=9) == []
        filled.put_verdicts({(source_id(filled, A), "2"): Verdict(dropped="x")})
        assert filled.search("新闻", limit=9) == []

    def test_any_text_is_a_query(self, filled: Store) -> None:
        @given(st.text(max_size=30))
        def search(text: str) -> None:
            filled.search(text, limit=3)

        search()
        assert search_query("a  -b* \0") == '"a" "b"'


class TestRetention:
    def test_content_goes_and_identity_stays(self, store: Store) -> None:
        follow(store, A)
        old, new = make_entry("1", link=LINK, text="words", published=NOW - timedelta(days=99)), make_entry("2")
        poll(store, A, old, new)
        old_id = next(item.id for item in store.latest(Scope(), limit=0) if item.text)
        assert store.retain(before=NOW - timedelta(days=90), now=NOW) == 1
        assert store.retain(before=NOW - timedelta(days=90), now=NOW) == 0
        assert titles(store) == ["Title of 2"]
        assert (store.items([old_id]), store.search("words", limit=9)) == ([], [])
        assert store.resolve(old_id) == old_id
        known = store.known(source_id(store, A), guids=["1"], links=[])
        assert [(one.entry_id, one.title, one.first_seen) for one in known] == [("1", "Title of 1", NOW)]

    def test_an_entry_that_returns_is_not_new(self, store: Store) -> None:
        follow(store, A)
        old = make_entry("1", published=NOW - timedelta(days=99))
        poll(store, A, old)
        store.retain(before=NOW, now=NOW)
        assert poll(store, A, old, edited(old, "New"), at=NOW + timedelta(days=365)) == PollChanges()
        assert poll(store, A, edited(old, "New"), at=NOW + timedelta(days=366)) == PollChanges()
        assert (titles(store), store.pending(limit=9)) == ([], [])

    def test_a_new_source_of_an_old_article_does_not_make_it_young(self, store: Store) -> None:
        follow(store, A, B)
        poll(store, A, make_entry("1", link=LINK, published=NOW - timedelta(days=99)))
        store.retain(before=NOW - timedelta(days=90), now=NOW)
        poll(store, B, make_entry("9", link=LINK))
        assert only_item(store).published == NOW - timedelta(days=99)


def test_stats(store: Store) -> None:
    follow(store, A, B, C)
    poll(store, A, make_entry("1", link=LINK))
    poll(store, B, make_entry("1", link=LINK), make_entry("2"))
    stats = store.stats()
    assert (stats.sources, stats.entries, stats.items, stats.pending, stats.views) == (3, 3, 2, 2, 0)
    assert stats.size_bytes > 0
    store.ping()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.A.example/feed", "a.example"),
        ("http://a.example:8080/", "a.example"),
        ("https://x.blogspot.com/feed", "blogspot.com"),
        ("https://notblogspot.com/feed", "notblogspot.com"),
        ("http://127.0.0.1/", "127.0.0.1:80"),
        ("https://[::1]/", "::1:443"),
        ("http://8.8.4.4:8080/", "[8.8.4.4]"),
        ("https://[2606:4700::1]/", "[2606:4700::1]"),
        ("http://localhost:1/", "localhost:1"),
        ("http://[bad", "http://[bad"),
    ],
)
def test_host_key(url: str, host: str) -> None:
    assert host_key(url) == host
