from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from publishing import NOON, READER, SITE, MemoryStore, make_item, source

from aggregator.errors import NotFound
from aggregator.model import ItemList, Listed, ListKey, OwnFeed
from aggregator.publish.channel import compose
from aggregator.publish.lists import Lists
from aggregator.publish.messages import messages
from aggregator.publish.titles import in_window


def computed(key: ListKey, *ids: str, basis: Any = "views") -> ItemList:
    places = tuple(
        Listed(item_id=item_id, score=float(count), views=count, reasons=(f"{count} readers",))
        for item_id, count in zip(ids, range(9, 0, -1), strict=False)
    )
    since = NOON - timedelta(days=1)
    return ItemList(key=key, computed_at=NOON, since=since, until=NOON, basis=basis, places=places)


def make(**site: Any) -> tuple[MemoryStore, Lists]:
    store = MemoryStore([make_item(number) for number in range(1, 10)])
    return store, Lists(store.store(), replace(SITE, **site))


def ids(listing: Any) -> list[str]:
    return [place.item.id for place in listing.places]


def put(store: MemoryStore, key: ListKey, *item_ids: str, basis: Any = "views") -> None:
    store.lists[str(key)] = computed(key, *item_ids, basis=basis)


def test_latest_is_newest_first_and_continues_behind_a_place() -> None:
    _, lists = make(items=4)
    first = lists.latest()
    assert ids(first) == ["item9", "item8", "item7", "item6"]
    last = first.places[-1].item
    assert ids(lists.latest(before=(last.published, last.id))) == ["item5", "item4", "item3", "item2"]
    assert (first.path, first.page, first.title) == ("/feeds/latest", "/latest", "Latest")


def test_latest_of_a_section_by_its_slug() -> None:
    _, lists = make()
    listing = lists.named("latest", section="science")
    assert ids(listing) == ["item8", "item6", "item4", "item2"]
    assert (listing.path, listing.page, listing.title) == (
        "/section/science/latest",
        "/section/science",
        "Latest · Science",
    )


def test_latest_of_a_source() -> None:
    _, lists = make()
    listing = lists.source("s1", now=NOON)
    assert ids(listing) == ["item9", "item6", "item3"]
    assert (listing.path, listing.title) == ("/source/s1/latest", "Latest · Source 1")


@pytest.mark.parametrize(
    ("name", "section"),
    [("nothing", None), ("ranking-2h", None), ("latest", "nowhere"), ("ranking-", None), ("own", "world")],
)
def test_what_is_not_there_is_named(name: str, section: str | None) -> None:
    _, lists = make(feeds=(OwnFeed(name="own", title="Own"),))
    with pytest.raises(NotFound):
        lists.named(name, section=section)


def test_an_unknown_source_is_named() -> None:
    _, lists = make()
    with pytest.raises(NotFound, match="nobody"):
        lists.source("nobody", now=NOON)


def test_a_ranking_keeps_its_order_and_says_what_it_counts_over_which_time() -> None:
    store, lists = make()
    put(store, ListKey(order="ranking", window="1d"), "item2", "item9", "item4")
    listing = lists.named("ranking-1d")
    assert ids(listing) == ["item2", "item9", "item4"]
    assert [place.views for place in listing.places] == [9, 8, 7]
    assert listing.title == "Most viewed in the last 24 hours"
    assert "different readers" in listing.description
    assert "the last 24 hours" in listing.description
    assert (listing.window, listing.basis) == ("1d", "views")
    default = lists.named("ranking")
    assert ids(default) == ids(listing)
    assert default.path == "/feeds/ranking"


def test_a_ranking_without_readers_says_what_stands_in() -> None:
    store, lists = make()
    put(store, ListKey(order="ranking", window="1d"), "item2", basis="signals")
    assert "other signals stand in" in lists.ranking().description


def test_a_ranking_that_was_never_computed_is_empty() -> None:
    _, lists = make()
    assert ids(lists.ranking("7d", section="World")) == []
    assert lists.ranking("7d", section="World").title == "Most viewed in the last 7 days · World"


def test_items_that_are_gone_leave_a_list_and_merged_ones_stand_once() -> None:
    store, lists = make()
    put(store, ListKey(order="recommended"), "item2", "item9", "item4", "item5")
    del store.shown["item9"]
    del store.shown["item4"]
    store.merged["item4"] = "item2"
    assert ids(lists.recommended()) == ["item2", "item5"]
    del store.shown["item2"]
    store.merged["item2"] = "item3"
    store.merged["item4"] = "item3"
    store.number += 1
    assert ids(lists.recommended()) == ["item3", "item5"]


def test_a_list_is_read_once_for_all_pages_of_one_state() -> None:
    store, lists = make()
    put(store, ListKey(order="recommended"), "item2")
    first = lists.recommended()
    assert lists.recommended() is first
    put(store, ListKey(order="recommended"), "item3")
    store.number += 1
    assert ids(lists.recommended()) == ["item3"]


def test_related_items_by_score() -> None:
    store, lists = make()
    store.related_ids["item1"] = ["item5", "item3"]
    listing = lists.related("item1")
    assert ids(listing) == ["item5", "item3"]
    assert (listing.path, listing.page) == ("/item/item1/related", "/item/item1")
    with pytest.raises(NotFound):
        lists.related("nothing")


def test_an_own_feed_of_what_matches_newest_first() -> None:
    feed = OwnFeed(name="odd", title="Odd", match='section = "World"', size=3)
    _, lists = make(feeds=(feed,))
    listing = lists.named("odd")
    assert ids(listing) == ["item9", "item7", "item5"]
    assert listing.title == "Odd"
    assert 'section = "World"' in listing.description


def test_an_own_feed_takes_only_so_many_of_a_source() -> None:
    feed = OwnFeed(name="few", title="Few", size=20, max_per_source=1)
    _, lists = make(feeds=(feed,))
    assert ids(lists.named("few")) == ["item9", "item8", "item7"]


def test_an_own_feed_in_the_order_of_a_ranking() -> None:
    feed = OwnFeed(name="top", title="Top", order="ranking:7d")
    store, lists = make(feeds=(feed,))
    put(store, ListKey(order="ranking", window="7d", scope="feed", name="top"), "item3", "item1")
    listing = lists.named("top")
    assert ids(listing) == ["item3", "item1"]
    assert "the last 7 days" in listing.description
    assert listing.path == "/feeds/top"


def test_an_own_feed_of_what_is_related_to_what_matches() -> None:
    feed = OwnFeed(name="near", title="Near", order="related", match='title = "Title 9" or title = "Title 8"')
    store, lists = make(feeds=(feed,))
    store.related_ids = {"item9": ["item1", "item2", "item8"], "item8": ["item2"]}
    assert ids(lists.named("near")) == ["item2", "item1"]


def test_a_search_says_what_was_searched() -> None:
    _, lists = make()
    listing = lists.search("title 3")
    assert ids(listing) == ["item3"]
    assert (listing.path, listing.query, listing.page) == ("/search", "q=title+3", "/search?q=title+3")


def test_a_readers_list_is_the_sites_until_something_is_learnt() -> None:
    store, lists = make()
    put(store, ListKey(order="recommended"), "item2")
    assert ids(lists.reader(READER)) == ["item2"]
    put(store, ListKey(order="recommended", scope="reader", name=READER), "item7")
    listing = lists.reader(READER)
    assert ids(listing) == ["item7"]
    assert (listing.path, listing.reader, listing.title) == (
        f"/r/{READER}/recommended",
        READER,
        "Recommended for anna",
    )
    assert ids(lists.reader(READER, "latest"))[0] == "item9"
    put(store, ListKey(order="latest", scope="reader", name=READER), "item3", "item8", "item7", "item1")
    assert ids(lists.reader(READER, "latest"))[:5] == ["item9", "item3", "item8", "item7", "item1"]
    assert sorted(ids(lists.reader(READER, "latest"))) == sorted(ids(lists.latest()))
    with pytest.raises(NotFound):
        lists.reader("stranger")


def test_feeds_carry_what_is_related_to_each_entry() -> None:
    store, lists = make(items=1)
    store.related_ids["item9"] = ["item1"]
    [place] = lists.with_related(lists.latest()).places
    assert [item.id for item in place.related] == ["item1"]


def test_the_names_of_all_lists_lead_to_them() -> None:
    _, lists = make(feeds=(OwnFeed(name="own", title="Own"),))
    for name in lists.names():
        listing = lists.named(name)
        assert lists.heading(name) == (listing.title, listing.path, listing.page)
    for name in lists.section_names():
        listing = lists.named(name, section="world")
        assert lists.heading(name, section="world") == (listing.title, listing.path, listing.page)


def test_more_sources_than_one_are_a_reason() -> None:
    item = make_item(1)
    store = MemoryStore([replace(item, copies=(*item.copies, replace(item.copies[0], source=source(9))))])
    [place] = Lists(store.store(), SITE).latest().places
    assert place.reasons == ("2 sources",)


@pytest.mark.parametrize(
    ("window", "words", "german"),
    [
        ("1h", "in the last hour", "in der letzten Stunde"),
        ("6h", "in the last 6 hours", "in den letzten 6 Stunden"),
        ("1d", "in the last 24 hours", "in den letzten 24 Stunden"),
        ("30d", "in the last 30 days", "in den letzten 30 Tagen"),
        ("1w", "in the last 7 days", "in den letzten 7 Tagen"),
        ("90m", "in the last 90 minutes", "in den letzten 90 Minuten"),
    ],
)
def test_windows_in_words(window: str, words: str, german: str) -> None:
    assert in_window(window, messages("en")) == in_window(window, messages("xx")) == words
    assert in_window(window, messages("de-AT")) == german


def test_a_language_has_lists_of_its_own_and_until_then_what_the_site_has_in_it() -> None:
    items = [make_item(n, language="de-AT" if n % 2 else "en") for n in range(1, 41)]
    store = MemoryStore(items)
    every = [item.id for item in items]
    key = ListKey(order="ranking", window="1d")
    places = tuple(Listed(item_id=item_id, score=1.0, views=1, reasons=()) for item_id in every)
    store.lists[str(key)] = replace(computed(key), places=places)
    lists = Lists(store.store(), SITE)
    assert [place.item.id for place in lists.ranking(language="de").places] == every[::2][:8]
    assert len(lists.ranking().places) == 8
    assert lists.ranking(language="fr").places == ()
    own = ListKey(order="ranking", window="1d", scope="language", name="de")
    store.lists[str(own)] = computed(own, "item3", "item1")
    store.number += 1
    assert [place.item.id for place in lists.ranking(language="de").places] == ["item3", "item1"]
    assert lists.recommended(language="de").places == ()


def test_lists_are_titled_in_the_language_of_the_site() -> None:
    store = MemoryStore([make_item(1), make_item(2)]).store()
    german = Lists(store, replace(SITE, language="de"))
    assert german.named("ranking", section="world").title == "Meistgelesen in den letzten 24 Stunden · World"
    assert german.named("recommended").title == german.heading("recommended")[0] == "Empfohlen"
    assert german.latest().description.startswith("Artikel nach der Zeit")
    assert german.related("item1").title == "Verwandt mit „Title 1“"
    channel = compose(german.latest(), german.site)
    assert "Bei The Test: wer es noch bringt" in channel.entries[0].html
