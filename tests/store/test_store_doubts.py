"""Merges that are undone: what was absorbed gets its id, its item and its entries back."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from store_values import HOUR, NOW, A, B, C, edited, follow, make_entry, poll, story_of

from aggregator.errors import StoreError
from aggregator.model import Curation, Entry, Merge, RelatedPair, Scope, Split, StoryJoin, Undone, View
from aggregator.store import Store, open_store

URLS = (A, B, C)
ENTRIES = tuple(make_entry(name, text=f"Said by {name}.") for name in "abc")
#: the figures of merging and of undoing
LIKE, UNLIKE = {"containment": 0.9}, {"containment": 0.1}


def three(store: Store) -> list[str]:
    """An item a source, oldest first."""
    follow(store, *URLS)
    for n, (url, entry) in enumerate(zip(URLS, ENTRIES, strict=True)):
        poll(store, url, entry, at=NOW + n * timedelta(minutes=1))
    ids = {one.title: one.item_id for one in store.pending(limit=9)}
    return [ids[entry.parsed.title] for entry in ENTRIES]


def put(store: Store, **decisions: object) -> None:
    store.put_curation(Curation(**{"curated": (), **decisions}), now=NOW + HOUR)  # type: ignore[arg-type]


def merge(store: Store, keep: str, absorb: str, rule: str = "near-duplicate") -> None:
    put(store, curated=(keep,), merges=(Merge(keep=keep, absorb=absorb, rule=rule, figures=LIKE),))


def split(store: Store, item_id: str, *restore: str) -> None:
    splits = tuple(Split(item_id=item_id, restore=one, figures=UNLIKE) for one in restore)
    put(store, settled=(item_id,), splits=splits)


def edit(store: Store, url: str, entry: Entry, title: str = "Something else", *, hours: int = 1) -> None:
    poll(store, url, edited(entry, title), at=NOW + hours * HOUR)


def shown(store: Store) -> dict[str, set[str]]:
    """The sources' entries by item."""
    return {item.id: {copy.entry_id for copy in item.copies} for item in store.latest(Scope(), limit=0)}


class TestDoubts:
    @pytest.mark.parametrize("at", [0, 1])
    def test_an_edit_of_either_text_is_a_doubt_about_both(self, store: Store, at: int) -> None:
        a, b, _ = three(store)
        merge(store, a, b)
        assert store.doubted(limit=9) == []
        edit(store, URLS[at], ENTRIES[at])
        (doubt,) = store.doubted(limit=9)
        assert doubt.item_id == a
        assert [part.item_id for part in doubt.parts] == [a, b]
        titles = [entry.parsed.title for entry in ENTRIES[:2]]
        titles[at] = "Something else"
        assert [part.title for part in doubt.parts] == titles

    def test_what_has_been_looked_at_is_doubted_no_more(self, store: Store) -> None:
        a, b, _ = three(store)
        merge(store, a, b)
        edit(store, B, ENTRIES[1])
        store.doubted(limit=9)
        put(store, settled=(a,))
        assert store.doubted(limit=9) == []
        assert shown(store)[a] == {"a", "b"}

    def test_an_edit_while_it_is_looked_at_is_not_lost(self, store: Store) -> None:
        a, b, _ = three(store)
        merge(store, a, b)
        edit(store, B, ENTRIES[1])
        store.doubted(limit=9)
        edit(store, B, ENTRIES[1], "And else again", hours=2)
        put(store, settled=(a,))
        assert [part.title for part in store.doubted(limit=9)[0].parts] == ["Title of a", "And else again"]

    def test_nobody_doubts_an_item_of_its_own(self, store: Store) -> None:
        a, b, _ = three(store)
        merge(store, a, b)
        edit(store, C, ENTRIES[2])
        assert store.doubted(limit=9) == []

    def test_what_came_by_its_address_is_doubted_as_well(self, store: Store) -> None:
        link = "https://agency.example/1"
        follow(store, *URLS)
        for minute, (url, name) in enumerate(zip(URLS, "ab", strict=False)):
            poll(store, url, make_entry(name, link=link), at=NOW + minute * timedelta(minutes=1))
        edit(store, B, make_entry("b", link=link))
        (doubt,) = store.doubted(limit=9)
        assert [part.title for part in doubt.parts] == ["Title of a", "Something else"]
        assert {part.canonical_url for part in doubt.parts} == {link}
        split(store, doubt.item_id, doubt.parts[1].item_id)
        assert shown(store) == {doubt.item_id: {"a"}, doubt.parts[1].item_id: {"b"}}

    def test_a_source_that_comes_to_share_an_address_raises_doubts(self, store: Store) -> None:
        """A landing page: from then on the address of its parts says nothing."""
        link = "https://agency.example/1"
        follow(store, *URLS)
        for minute, (url, name) in enumerate(zip(URLS, "ab", strict=False)):
            poll(store, url, make_entry(name, link=link), at=NOW + minute * timedelta(minutes=1))
        assert store.doubted(limit=9) == []
        poll(store, A, make_entry("a2", link=link), at=NOW + HOUR)
        (doubt,) = store.doubted(limit=9)
        assert [part.title for part in doubt.parts] == ["Title of a", "Title of b"]
        assert {part.canonical_url for part in doubt.parts} == {None}

    def test_an_edit_of_something_else_than_text_is_no_doubt(self, store: Store) -> None:
        a, b, _ = three(store)
        merge(store, a, b)
        poll(store, B, make_entry("b", text="Said by b.", link="https://b.example/moved"), at=NOW + HOUR)
        assert store.doubted(limit=9) == []

    def test_doubts_go_along_with_a_merge(self, store: Store) -> None:
        a, b, c = three(store)
        merge(store, b, c)
        edit(store, C, ENTRIES[2])
        merge(store, a, b)
        (doubt,) = store.doubted(limit=9)
        assert doubt.item_id == a
        assert [part.item_id for part in doubt.parts] == [a, b, c]

    def test_what_retention_has_removed_is_no_text_to_compare(self, store: Store) -> None:
        a, b, _ = three(store)
        merge(store, a, b)
        store.retain(before=NOW + HOUR, now=NOW + HOUR)
        follow(store, *URLS, "https://d.example/feed")
        edit(store, B, ENTRIES[1])
        assert store.doubted(limit=9) == []


class TestUndoing:
    def test_the_absorbed_id_is_an_item_again_with_its_entries(self, store: Store) -> None:
        a, b, _ = three(store)
        merge(store, a, b)
        edit(store, B, ENTRIES[1])
        split(store, a, b)
        found = shown(store)
        assert (found[a], found[b]) == ({"a"}, {"b"})
        assert (store.resolve(a), store.resolve(b)) == (a, b)
        (again,) = store.items([b])
        assert (again.title, again.copies[0].rule, dict(again.copies[0].figures)) == ("Something else", "first", {})
        assert store.doubted(limit=9) == []

    def test_both_wait_to_be_curated_the_restored_one_as_if_it_were_new(self, store: Store) -> None:
        a, b, c = three(store)
        pairs = (RelatedPair(item_id=b, other_id=c, score=0.5),)
        put(store, curated=(a, b, c), related=pairs, joins=(StoryJoin(item_id=a, story=a),))
        merge(store, a, b)
        split(store, a, b)
        assert {one.item_id: one.story for one in store.pending(limit=9)} == {a: a, b: None}
        assert {one.item_id for one in store.history(since=NOW - 9 * HOUR)} == {a, c}

    def test_views_and_likes_stay_where_they_were_counted(self, store: Store) -> None:
        a, b, _ = three(store)
        merge(store, a, b)
        store.record_views([View(item_id=b, at=NOW, visitor=b"v")])
        store.fold_views()
        store.like(b, visitor=b"v", now=NOW)
        split(store, a, b)
        counted = {item.id: (item.views, item.likes) for item in store.items([a, b])}
        assert counted == {a: (1, 1), b: (0, 0)}
        store.record_views([View(item_id=b, at=NOW + HOUR, visitor=b"w")])
        store.fold_views()
        assert [item.views for item in store.items([a, b])] == [1, 1]

    def test_twice_is_once(self, store: Store) -> None:
        a, b, _ = three(store)
        merge(store, a, b)
        split(store, a, b)
        store.pending(limit=9)
        put(store, curated=(a, b))
        before = store.items([a, b])
        put(store, splits=(Split(item_id=a, restore=b, figures=UNLIKE),))
        assert store.items([a, b]) == before
        assert {one.item_id for one in store.pending(limit=9)}.isdisjoint({a, b})

    def test_a_chain_comes_apart_where_it_was_joined(self, store: Store) -> None:
        a, b, c = three(store)
        merge(store, b, c)
        merge(store, a, b)
        assert store.resolve(c) == a
        again = Merge(keep=b, absorb=c, rule="near-duplicate", figures=LIKE)
        splits = tuple(Split(item_id=a, restore=one) for one in (b, c))
        put(store, settled=(a,), splits=splits, merges=(again,))
        assert shown(store) == {a: {"a"}, b: {"b", "c"}}
        assert store.resolve(c) == b
        edit(store, C, ENTRIES[2])
        (doubt,) = store.doubted(limit=9)
        assert [part.item_id for part in doubt.parts] == [b, c]
        split(store, b, c)
        assert shown(store) == {a: {"a"}, b: {"b"}, c: {"c"}}

    def test_the_middle_of_a_chain_may_leave_alone(self, store: Store) -> None:
        a, b, c = three(store)
        merge(store, b, c)
        merge(store, a, b)
        split(store, a, b)
        assert shown(store) == {a: {"a", "c"}, b: {"b"}}
        assert (store.resolve(b), store.resolve(c)) == (b, a)

    def test_alike_again_merges_again(self, store: Store) -> None:
        a, b, _ = three(store)
        merge(store, a, b)
        split(store, a, b)
        merge(store, a, b)
        assert shown(store)[a] == {"a", "b"}
        assert store.resolve(b) == a
        edit(store, B, ENTRIES[1])
        assert len(store.doubted(limit=9)) == 1

    def test_what_came_by_its_address_stays_with_the_copy_at_that_address(self, store: Store) -> None:
        link = "https://agency.example/1"
        follow(store, *URLS, "https://d.example/feed")
        poll(store, A, make_entry("a"))
        poll(store, B, make_entry("b", link=link), at=NOW + timedelta(minutes=1))
        a, b = (one.item_id for one in sorted(store.pending(limit=9), key=lambda one: one.title))
        poll(store, C, make_entry("c", link=link), at=NOW + timedelta(minutes=2))
        merge(store, a, b)
        poll(store, "https://d.example/feed", make_entry("d", link=link), at=NOW + timedelta(minutes=3))
        assert shown(store) == {a: {"a", "b", "c", "d"}}
        edit(store, A, make_entry("a"))
        (doubt,) = store.doubted(limit=9)
        _, _, c, d = (part.item_id for part in doubt.parts)
        at_address = tuple(Merge(keep=b, absorb=one, rule="canonical-url", figures={}) for one in (c, d))
        put(
            store,
            settled=(a,),
            splits=tuple(Split(item_id=a, restore=one, figures=UNLIKE) for one in (b, c, d)),
            merges=at_address,
        )
        assert shown(store) == {a: {"a"}, b: {"b", "c", "d"}}
        rules = {copy.entry_id: copy.rule for copy in store.items([b])[0].copies}
        assert rules == {"b": "first", "c": "canonical-url", "d": "canonical-url"}

    def test_both_tell_of_the_merge_and_its_undoing(self, store: Store) -> None:
        a, b, _ = three(store)
        merge(store, a, b)
        split(store, a, b)
        told = Undone(item_id=a, restored=b, merged=LIKE, figures=UNLIKE, at=NOW + HOUR)
        for item_id in (a, b):
            found = store.provenance(item_id)
            assert found is not None
            assert (found.undone, found.former_ids) == ((told,), ())

    def test_of_an_unknown_item_is_refused(self, store: Store) -> None:
        a, *_ = three(store)
        with pytest.raises(StoreError, match="no item"):
            split(store, a, "0" * 13)

    def test_a_story_counts_one_source_less(self, store: Store) -> None:
        a, b, c = three(store)
        merge(store, a, b)
        put(store, curated=(a, c), joins=tuple(StoryJoin(item_id=one, story=a) for one in (a, c)))
        assert [len(story.items) for story in store.stories(min_sources=3, limit=0)] == [2]
        split(store, a, b)
        assert list(store.stories(min_sources=3, limit=0)) == []
        assert [item.id for item in story_of(store, a)] == [a, c]


def test_kill_9_leaves_an_item_whole_or_apart_and_every_id_answers(tmp_path: Path) -> None:
    store = open_store("sqlite:a.db", base=tmp_path)
    a, b, c = three(store)
    store.close()
    dice = random.Random(5)
    for round_number in range(6):
        victim = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("doubts_victim.py")), str(tmp_path), a, b, str(round_number)],
            stdout=subprocess.PIPE,
        )
        assert victim.stdout is not None
        assert victim.stdout.readline(), "it had begun"
        time.sleep(dice.uniform(0.0, 0.2))
        victim.kill()
        victim.communicate()
        store = open_store("sqlite:a.db", base=tmp_path)
        found = shown(store)
        assert found in ({a: {"a", "b"}, c: {"c"}}, {a: {"a"}, b: {"b"}, c: {"c"}})
        assert store.resolve(b) == (b if b in found else a)
        assert len(store.items([a, b, c])) == len(found)
        if store.doubted(limit=9):  # killed between the edit and the undoing
            assert b not in found
        store.close()
