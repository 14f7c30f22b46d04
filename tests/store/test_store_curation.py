from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from store_values import HOUR, NOW, A, B, C, edited, follow, make_entry, poll, source_id, story_of

from aggregator.errors import StoreError
from aggregator.model import (
    Curation,
    Item,
    ItemList,
    Listed,
    ListKey,
    Merge,
    RelatedPair,
    Scope,
    StoryJoin,
    StoryMerge,
    Subscription,
    Upstream,
    Verdict,
    View,
)
from aggregator.store import Store

RANKING = ListKey(order="ranking", window="1d")


def add(store: Store, *names: str) -> list[str]:
    """One item a source, in this order; their ids."""
    urls = [f"https://{name}.example/feed" for name in names]
    follow(store, *urls)
    for n, (name, url) in enumerate(zip(names, urls, strict=True)):
        poll(store, url, make_entry(name, published=NOW - HOUR * (len(names) - n)), at=NOW + n * timedelta(minutes=1))
    return [one.item_id for one in store.pending(limit=len(names))]


def put(store: Store, **decisions: object) -> None:
    store.put_curation(Curation(**{"curated": (), **decisions}), now=NOW)  # type: ignore[arg-type]


def item_of(store: Store, item_id: str) -> Item:
    return store.items([item_id])[0]


class TestPending:
    def test_the_newest_wait_first_in_the_order_of_time(self, store: Store) -> None:
        ids = add(store, "a", "b", "c")
        assert [one.title for one in store.pending(limit=2)] == ["Title of b", "Title of c"]
        put(store, curated=(ids[0],))
        assert [one.item_id for one in store.pending(limit=9)] == ids[1:]

    def test_decisions_are_counted_and_what_was_decided_can_be_read(self, store: Store) -> None:
        a, b, c = add(store, "a", "b", "c")
        before = store.decisions()
        put(store, curated=(a,))
        put(store, curated=(b,), merges=(Merge(keep=a, absorb=c, rule="near-duplicate"),))
        assert store.decisions() == before + 2
        assert sorted(store.curated_ids(since=NOW - 3 * HOUR)) == sorted([a, b])
        assert store.curated_ids(since=NOW - 2 * HOUR) == [b]
        assert [one.item_id for one in store.texts([b, c, "0" * 13, a])] == [a, b]

    def test_only_a_changed_text_waits_again(self, store: Store) -> None:
        follow(store, A)
        entry = make_entry("1", text="t")
        poll(store, A, entry)
        put(store, curated=(store.pending(limit=1)[0].item_id,))
        other_html = replace(entry.parsed, content_html="<p>more</p>", content_hash=b"2" * 32)
        poll(store, A, replace(entry, parsed=other_html), at=NOW + HOUR)
        assert store.pending(limit=9) == []
        poll(store, A, edited(entry, "New"), at=NOW + 2 * HOUR)
        assert [one.title for one in store.pending(limit=9)] == ["New"]

    def test_an_edit_while_it_is_being_curated_is_not_lost(self, store: Store) -> None:
        follow(store, A)
        entry = make_entry("1")
        poll(store, A, entry)
        (handed,) = store.pending(limit=9)
        poll(store, A, edited(entry, "New"), at=NOW + HOUR)
        put(store, curated=(handed.item_id,))
        assert [one.title for one in store.pending(limit=9)] == ["New"]

    def test_history_is_what_was_curated(self, store: Store) -> None:
        ids = add(store, "a", "b", "c")
        put(store, curated=tuple(ids[:2]), joins=(StoryJoin(item_id=ids[1], story=ids[0]),))
        history = list(store.history(since=NOW - 3 * HOUR))
        assert [(one.item_id, one.story) for one in history] == [(ids[0], None), (ids[1], ids[0])]
        assert [one.item_id for one in store.history(since=NOW - 2 * HOUR)] == [ids[1]]

    def test_history_can_be_read_from_its_newest_end(self, store: Store) -> None:
        ids = add(store, "a", "b", "c")
        put(store, curated=tuple(ids))
        since = NOW - 9 * HOUR
        newest = list(store.history(since=since, newest=2))
        assert [one.item_id for one in newest] == ids[1:]
        assert [one.item_id for one in store.history(since=since, before=newest[0].published, newest=2)] == ids[:1]
        assert [one.item_id for one in store.history(since=since, newest=9)] == ids

    def test_decisions_about_unknown_items_are_refused_whole(self, store: Store) -> None:
        ids = add(store, "a")
        with pytest.raises(StoreError, match="no item"):
            put(store, curated=(ids[0], "0" * 13))
        assert len(store.pending(limit=9)) == 1


class TestMerge:
    def test_keeps_every_entry_view_and_like(self, store: Store) -> None:
        keep, absorb = add(store, "a", "b")
        for item_id in (keep, absorb):
            store.record_views([View(item_id=item_id, at=NOW, visitor=item_id.encode())])
            store.like(item_id, visitor=b"same", now=NOW)
        store.like(absorb, visitor=b"other", now=NOW)
        store.fold_views()
        put(
            *(store,),
            curated=(keep, absorb),
            merges=(Merge(keep=keep, absorb=absorb, rule="near-duplicate", figures={"containment": 0.9}),),
        )
        (item,) = store.latest(Scope(), limit=0)
        assert (item.id, item.views, item.likes, item.sources) == (keep, 2, 2, 2)
        assert (item.copies[1].rule, item.copies[1].figures) == ("near-duplicate", {"containment": 0.9})
        assert store.resolve(absorb) == keep
        assert [one.id for one in store.items([absorb])] == [keep]
        assert store.view_counts(since=NOW - HOUR, until=NOW + HOUR) == {keep: 2}
        provenance = store.provenance(absorb)
        assert provenance is not None
        assert provenance.former_ids == (absorb,)

    def test_twice_is_once_and_chains_are_flat(self, store: Store) -> None:
        a, b, c = add(store, "a", "b", "c")
        first = {"curated": (b, c), "merges": (Merge(keep=b, absorb=c, rule="near-duplicate"),)}
        put(store, **first)
        put(store, curated=(), merges=(Merge(keep=a, absorb=b, rule="near-duplicate"),))
        before = store.items([a])
        put(store, **first)
        assert store.resolve(c) == store.resolve(b) == a
        assert store.items([a]) == before
        assert len(before[0].copies) == 3

    def test_views_of_an_absorbed_id_count_for_the_winner(self, store: Store) -> None:
        keep, absorb = add(store, "a", "b")
        put(store, merges=(Merge(keep=keep, absorb=absorb, rule="near-duplicate"),))
        store.record_views([View(item_id=absorb, at=NOW, visitor=b"v")])
        store.fold_views()
        assert item_of(store, keep).views == 1
        assert store.visitors(NOW - HOUR) == {(keep, b"v")}

    def test_a_later_poll_of_the_absorbed_entry_stays_with_the_winner(self, store: Store) -> None:
        follow(store, A, B)
        entries = make_entry("1"), make_entry("2")
        poll(store, A, entries[0])
        poll(store, B, entries[1])
        ids = [one.item_id for one in store.pending(limit=2)]
        put(store, merges=(Merge(keep=ids[0], absorb=ids[1], rule="near-duplicate"),))
        poll(store, B, edited(entries[1], "New"), at=NOW + HOUR)
        poll(store, A, edited(entries[0], "New too"), at=NOW + HOUR)
        assert len(store.latest(Scope(), limit=0)) == 1
        assert store.stats().items == 1


class TestStories:
    def test_join_and_merge(self, store: Store) -> None:
        a, b, c, d = add(store, "a", "b", "c", "d")
        put(
            store,
            joins=(
                *(StoryJoin(item_id=one, story=a, figures={"cosine": 0.4}) for one in (a, b)),
                *(StoryJoin(item_id=one, story=c) for one in (c, d)),
            ),
        )
        assert [item.id for item in story_of(store, a)] == [a, b]
        assert [story.id for story in store.stories(min_sources=2, limit=0)] == [c, a]
        put(store, story_merges=(StoryMerge(keep=a, absorb=c),))
        assert [item.id for item in story_of(store, c)] == [a, b, c, d]
        assert item_of(store, d).story == a
        assert [(story.id, len(story.items)) for story in store.stories(min_sources=2, limit=0)] == [(a, 4)]
        put(store, joins=(StoryJoin(item_id=b, story=c),))
        assert item_of(store, b).story == a

    def test_a_part_that_leaves_goes_on_under_the_id_of_its_oldest_item(self, store: Store) -> None:
        a, b, c, d = add(store, "a", "b", "c", "d")
        put(store, joins=(StoryJoin(item_id=a, story=a), *(StoryJoin(item_id=one, story=c) for one in (b, c, d))))
        put(store, story_merges=(StoryMerge(keep=a, absorb=c),))
        assert [item.id for item in story_of(store, c)] == [a, b, c, d]
        apart = {"curated": (), "joins": (StoryJoin(item_id=d, story=c), StoryJoin(item_id=c, story=c))}
        for _ in range(2):
            put(store, **apart)
            assert [item.id for item in story_of(store, a)] == [a, b]
            assert [item.id for item in story_of(store, c)] == [c, d]
            assert {len(story.items) for story in store.stories(min_sources=1, limit=0)} == {2}

    def test_a_former_id_follows_its_item(self, store: Store) -> None:
        a, b, c, d = add(store, "a", "b", "c", "d")
        put(store, joins=tuple(StoryJoin(item_id=one, story=one) for one in (a, b, c, d)))
        put(store, story_merges=(StoryMerge(keep=a, absorb=b),))
        put(store, joins=(StoryJoin(item_id=b, story=d),))
        assert [item.id for item in story_of(store, b)] == [b, d]
        assert [item.id for item in story_of(store, a)] == [a]

    def test_where_an_item_stands_in_the_end_is_what_holds(self, store: Store) -> None:
        """In one batch a story was merged, and one of its items has left it again."""
        a, b, c, _ = add(store, "a", "b", "c", "d")
        put(store, joins=(StoryJoin(item_id=a, story=a), *(StoryJoin(item_id=one, story=b) for one in (b, c))))
        both = {
            "curated": (),
            "joins": (StoryJoin(item_id=c, story=c),),
            "story_merges": (StoryMerge(keep=a, absorb=b),),
        }
        for _ in range(2):
            put(store, **both)
            assert [item.id for item in story_of(store, b)] == [a, b]
            assert [item.id for item in story_of(store, c)] == [c]

    def test_min_sources_counts_distinct_sources(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, make_entry("1"), make_entry("2"))
        ids = [one.item_id for one in store.pending(limit=9)]
        put(store, joins=tuple(StoryJoin(item_id=one, story=ids[0]) for one in ids))
        assert list(store.stories(min_sources=2, limit=0)) == []
        assert len(list(store.stories(min_sources=1, limit=0))) == 1

    def test_coverage_counts_syndicated_copies_once(self, store: Store) -> None:
        a, b, c = add(store, "a", "b", "c")
        put(
            *(store,),
            merges=(Merge(keep=a, absorb=b, rule="near-duplicate"),),
            joins=tuple(StoryJoin(item_id=one, story=a) for one in (a, c)),
        )
        found = {one.item_id: one for one in store.candidates(since=NOW, now=NOW + HOUR)}
        assert {item_id: (one.sources, one.coverage) for item_id, one in found.items()} == {a: (2, 2), c: (1, 2)}
        assert [len(story.items) for story in store.stories(min_sources=3, limit=0)] == [2]

    def test_who_reports_it_and_when(self, store: Store) -> None:
        a, b, c = add(store, "a", "b", "c")
        put(
            store,
            merges=(Merge(keep=a, absorb=b, rule="near-duplicate"),),
            joins=tuple(StoryJoin(item_id=one, story=a) for one in (a, c)),
        )
        story = store.story(a)
        assert story is not None
        assert (story.id, [item.id for item in story.items]) == (a, [a, c])
        assert (story.first, story.newest) == (NOW - 3 * HOUR, NOW - HOUR)
        assert story.updated == max(item.first_seen for item in story.items)
        assert [source.url for source in story.sources] == [f"https://{name}.example/feed" for name in "abc"]
        reports = {source: [item.id for item in items] for source, items in story.by_source.items()}
        assert list(reports.values()) == [[a], [a], [c]]
        assert story.publishers == 3

    def test_an_item_of_its_own(self, store: Store) -> None:
        (a,) = add(store, "a")
        assert [item.id for item in story_of(store, a)] == [a]
        assert store.story("0" * 13) is None


class TestRelated:
    def test_best_first_without_the_story(self, store: Store) -> None:
        a, b, c, d = add(store, "a", "b", "c", "d")
        pairs = tuple(
            RelatedPair(item_id=a, other_id=one, score=score) for one, score in ((b, 0.2), (c, 0.5), (d, 0.9))
        )
        put(store, curated=(a,), related=pairs)
        assert [(one.item.id, one.score) for one in store.related(a, limit=2)] == [(d, 0.9), (c, 0.5)]
        assert [(one.item.id, one.score) for one in store.related(b, limit=9)] == [(a, 0.2)]
        put(store, joins=tuple(StoryJoin(item_id=one, story=a) for one in (a, d)))
        assert [one.item.id for one in store.related(a, limit=9)] == [c, b]

    def test_what_is_merely_alike_stands_behind_what_is_related(self, store: Store) -> None:
        a, b, c = add(store, "a", "b", "c")
        pairs = (
            RelatedPair(item_id=a, other_id=b, score=0.09, tier="more"),
            RelatedPair(item_id=a, other_id=c, score=0.08),
        )
        put(store, curated=(a,), related=pairs)
        assert [(one.item.id, one.tier) for one in store.related(a, limit=9)] == [(c, "related"), (b, "more")]
        assert [(one.item.id, one.tier) for one in store.related(b, limit=9)] == [(a, "more")]

    def test_curating_again_replaces(self, store: Store) -> None:
        a, b, c = add(store, "a", "b", "c")
        put(store, curated=(a,), related=(RelatedPair(item_id=a, other_id=b, score=0.5),))
        put(store, curated=(a,), related=(RelatedPair(item_id=c, other_id=a, score=0.4),))
        assert [one.item.id for one in store.related(a, limit=9)] == [c]
        assert store.related(b, limit=9) == []

    def test_merging_moves_pairs(self, store: Store) -> None:
        a, b, c = add(store, "a", "b", "c")
        pairs = (RelatedPair(item_id=a, other_id=b, score=0.9), RelatedPair(item_id=b, other_id=c, score=0.3))
        put(store, curated=(a, b, c), related=pairs)
        put(store, merges=(Merge(keep=a, absorb=b, rule="near-duplicate"),))
        assert [(one.item.id, one.score) for one in store.related(a, limit=9)] == [(c, 0.3)]
        assert [(one.item.id, one.score) for one in store.related(c, limit=9)] == [(a, 0.3)]

    def test_of_nothing(self, store: Store) -> None:
        assert store.related("0" * 13, limit=9) == []

    def test_of_many_items_at_once(self, store: Store) -> None:
        a, b, c, d = add(store, "a", "b", "c", "d")
        pairs = tuple(RelatedPair(item_id=a, other_id=other, score=n / 10) for n, other in ((2, b), (5, c), (9, d)))
        put(store, curated=(a,), related=pairs)
        asked = [b, "0" * 13, a, "not an id", b]
        for limit in (0, 1, 2, 9):
            assert store.related_each(asked, limit=limit) == [store.related(one, limit=limit) for one in asked]
        assert [len(found) for found in store.related_each(asked, limit=2)] == [1, 0, 2, 0, 1]
        assert store.related_each([], limit=9) == []
        assert store.provenance("0" * 13) is None


class TestCandidates:
    def test_figures(self, store: Store) -> None:
        store.sync_sources([Subscription(url=A, weight=2.0, section="World"), Subscription(url=B)], now=NOW)
        verdict = Verdict(boost=3.0, pin=2 * HOUR)
        entry = make_entry("1", link="https://x.example/1", verdict=verdict, language="en", upstream=Upstream(views=7))
        poll(store, A, entry)
        (one,) = store.candidates(since=NOW, now=NOW)
        assert (one.weight, one.boost, one.pinned_until, one.section) == (2.0, 3.0, NOW + 2 * HOUR, "World")
        assert (one.language, one.upstream, one.sources, one.coverage, one.citations) == (
            "en",
            Upstream(views=7),
            1,
            1,
            0,
        )
        assert (one.published, one.first_seen, one.source_rate) == (NOW - HOUR, NOW, 1.0)

    def test_each_other_source_that_links_is_one_vote(self, store: Store) -> None:
        target = "https://x.example/1"
        store.sync_sources([Subscription(url=A), Subscription(url=B), Subscription(url=C, role="signal")], now=NOW)
        poll(store, C, make_entry("c", outlinks=(target,)))
        poll(store, A, make_entry("1", link=target), make_entry("2", outlinks=(target,)))
        poll(store, B, make_entry("3", outlinks=(target, target)), make_entry("4", outlinks=(target,)))
        cited = {one.title: one.citations for one in store.candidates(since=NOW, now=NOW)}
        assert cited["Title of 1"] == 2
        store.put_verdicts({(source_id(store, C), "c"): Verdict(dropped="spam")})
        cited = {one.title: one.citations for one in store.candidates(since=NOW, now=NOW)}
        assert cited["Title of 1"] == 1

    def test_an_entry_of_a_signal_source_votes_for_what_it_is_about(self, store: Store) -> None:
        target = "https://x.example/1"
        signals = [Subscription(url=url, role="signal") for url in (B, C)]
        store.sync_sources([Subscription(url=A), *signals], now=NOW)
        poll(store, B, make_entry("early", link=target))
        poll(store, A, make_entry("1", link=target), make_entry("2", link="https://x.example/2"))
        poll(store, C, make_entry("late", link=target, outlinks=(target,)), make_entry("again", link=target))
        found = {one.title: (one.citations, one.sources) for one in store.candidates(since=NOW, now=NOW)}
        assert found == {"Title of 1": (2, 1), "Title of 2": (0, 1)}
        store.put_verdicts({(source_id(store, C), name): Verdict(dropped="spam") for name in ("late", "again")})
        assert {one.citations for one in store.candidates(since=NOW, now=NOW)} == {1, 0}

    def test_pictures(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, make_entry("1", image_url="https://x.example/1.jpg"), make_entry("2"))
        found = {one.title: one.has_image for one in store.candidates(since=NOW, now=NOW)}
        assert found == {"Title of 1": True, "Title of 2": False}

    def test_only_the_newest_are_read_and_whatever_was_viewed(self, store: Store) -> None:
        ids = add(store, "a", "b", "c")
        later = NOW + HOUR
        assert [one.item_id for one in store.candidates(since=NOW, now=later, limit=2)] == [ids[2], ids[1]]
        store.record_views([View(item_id=ids[0], at=later, visitor=b"v")])
        store.fold_views()
        assert [one.item_id for one in store.candidates(since=NOW, now=later, limit=1)] == [ids[2], ids[0]]

    def test_as_they_stood(self, store: Store) -> None:
        link = "https://x.example/1"
        follow(store, A, B, C)
        poll(store, A, make_entry("1", link=link, title="A title"))
        (item_id,) = (one.item_id for one in store.pending(limit=9))
        store.record_views([View(item_id=item_id, at=NOW, visitor=b"1")])
        store.fold_views()
        then = store.candidates(since=NOW, now=NOW)
        poll(store, B, make_entry("2", link=link, title="A title"), at=NOW + HOUR)
        poll(store, C, make_entry("3", outlinks=(link,)), at=NOW + HOUR)
        waiting = [one.item_id for one in store.pending(limit=9)]
        put(store, joins=tuple(StoryJoin(item_id=one, story=item_id) for one in waiting))
        store.record_views([View(item_id=item_id, at=NOW + HOUR, visitor=b"2")])
        store.fold_views()
        store.like(item_id, visitor=b"2", now=NOW + HOUR)
        assert store.candidates(since=NOW, now=NOW) == then
        now = {one.item_id: one for one in store.candidates(since=NOW, now=NOW + HOUR)}[item_id]
        assert (now.sources, now.citations, now.coverage, now.views, now.likes) == (2, 1, 2, 2, 1)

    def test_old_items_that_are_viewed_are_candidates(self, store: Store) -> None:
        (a,) = add(store, "a")
        later = NOW + timedelta(days=9)
        assert store.candidates(since=later, now=later) == []
        store.record_views([View(item_id=a, at=later, visitor=b"v")])
        store.fold_views()
        assert [one.item_id for one in store.candidates(since=later, now=later)] == [a]


class TestLists:
    def ranking(self, *ids: str, score: float = 1.0, at: int = 0) -> ItemList:
        places = tuple(
            Listed(item_id=one, score=score, views=n, reasons=("x",), figures={"a": 1.5}) for n, one in enumerate(ids)
        )
        now = NOW + at * HOUR
        return ItemList(key=RANKING, computed_at=now, since=now - HOUR, until=now, basis="mixed", places=places)

    def test_comes_back(self, store: Store) -> None:
        ids = add(store, "a", "b")
        assert store.get_list(RANKING) is None
        store.put_lists([self.ranking(*ids)])
        assert store.get_list(RANKING) == self.ranking(*ids)
        provenance = store.provenance(ids[1])
        assert provenance is not None
        assert provenance.places == (("ranking:1d/site/", 2, 1.0, {"a": 1.5}, ("x",)),)

    def test_movement_comes_back_and_is_seen(self, store: Store) -> None:
        ids = add(store, "a", "b")
        store.put_lists([self.ranking(*ids)])
        before = store.generation()
        still = self.ranking(*ids)
        moved = tuple(replace(place, rank_before=n) for place, n in zip(still.places, (2, None), strict=True))
        store.put_lists([replace(still, places=moved, compared_at=NOW - HOUR)])
        found = store.get_list(RANKING)
        assert found is not None
        assert [place.rank_before for place in found.places] == [2, None]
        assert found.compared_at == NOW - HOUR
        assert store.generation() > before

    def test_figures_without_bounds_do_no_harm(self, store: Store) -> None:
        (a,) = add(store, "a")
        place = Listed(item_id=a, score=float("inf"), figures={"hot": float("nan"), "age": 1.0})
        store.put_lists([replace(self.ranking(), places=(place,))])
        provenance = store.provenance(a)
        assert provenance is not None
        assert provenance.places == (("ranking:1d/site/", 1, 0.0, {"age": 1.0}, ()),)

    def test_what_did_not_change_is_not_written(self, store: Store) -> None:
        ids = add(store, "a", "b")
        store.put_lists([self.ranking(*ids)])
        before = store.generation()
        store.put_lists([self.ranking(*ids, at=1)])
        assert (store.get_list(RANKING), store.generation()) == (self.ranking(*ids), before)
        store.put_lists([self.ranking(*ids, at=1, score=2.0)])
        assert (store.get_list(RANKING), store.generation()) == (self.ranking(*ids, at=1, score=2.0), before)
        store.put_lists([self.ranking(*reversed(ids), at=2)])
        assert store.generation() > before


class TestLanguages:
    def test_a_detected_language_is_that_of_the_item(self, store: Store) -> None:
        follow(store, A)
        declared = ("en-GB", "en-GB", "en-GB", None)
        entries = [replace(make_entry(name), parsed=replace(make_entry(name).parsed, language=language))
                   for name, language in zip("abcd", declared, strict=True)]  # fmt: skip
        poll(store, A, *entries)
        a, b, c, d = sorted((one.item_id for one in store.pending(limit=9)), key=lambda one: item_of(store, one).title)
        assert [item_of(store, one).language for one in (a, d)] == ["en-GB", None]
        put(store, curated=(a, b, c, d), languages={a: "en", b: "fr", c: "", d: "de"})
        assert [item_of(store, one).language for one in (a, b, c, d)] == ["en-GB", "fr", None, "de"]
        assert [item.id for item in store.latest(Scope(language="fr"), limit=9)] == [b]
        assert store.languages(since=NOW - 24 * HOUR) == {"en": 1, "fr": 1, "": 1, "de": 1}
        assert {one.language for one in store.candidates(since=NOW - HOUR, now=NOW)} == {"en-GB", "fr", None, "de"}


class TestVerdicts:
    def test_entries_are_judged_again(self, store: Store) -> None:
        follow(store, A)
        poll(
            store,
            A,
            make_entry("1", categories=("x",), author="N"),
            make_entry("2", verdict=Verdict(dropped="old rule")),
        )
        entries = {entry_id: (source, text.title, cats, author) for source, entry_id, text, cats, author
                   in store.entries_since(NOW)}  # fmt: skip
        me = source_id(store, A)
        assert entries == {"1": (me, "Title of 1", ("x",), "N"), "2": (me, "Title of 2", (), "")}
        changes = {(me, "1"): Verdict(dropped="new rule"), (me, "2"): Verdict(section="Arts", boost=2.0)}
        assert store.put_verdicts(changes) == 2
        assert store.put_verdicts(changes) == 0
        (item,) = store.latest(Scope(), limit=0)
        assert (item.title, item.section) == ("Title of 2", "Arts")
        assert list(store.entries_since(NOW + HOUR)) == []
