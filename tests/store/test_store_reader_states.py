"""What readers have read and starred, and values that are minted once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from store_values import HOUR, NOW, A, follow, make_entry, poll

from aggregator.errors import NotFound
from aggregator.model import Curation, ItemState, Merge, Scope
from aggregator.store import Store


@pytest.fixture
def ids(store: Store) -> list[str]:
    follow(store, A)
    poll(store, A, *map(make_entry, "123"))
    store.add_reader("Ann", "token-of-ann", now=NOW)
    store.add_reader("Ben", "token-of-ben", now=NOW)
    return [item.id for item in store.latest(Scope(), limit=0)]


def test_read_and_starred_are_kept_apart_and_by_reader(store: Store, ids: list[str]) -> None:
    assert store.mark_items("token-of-ann", [*ids[:2], "nothing"], read=True, now=NOW) == 2
    store.mark_items("token-of-ann", ids[1:], starred=True, now=NOW + HOUR)
    store.mark_items("token-of-ann", ids[:1], read=False, now=NOW + HOUR)
    assert store.item_states("token-of-ann", [*ids, "nothing"]) == {
        ids[0]: ItemState(read=False, starred=False),
        ids[1]: ItemState(read=True, starred=True),
        ids[2]: ItemState(read=False, starred=True),
    }
    assert store.item_states("token-of-ben", ids) == {}
    store.mark_items("token-of-ann", ids[1:2], starred=True, now=NOW + 2 * HOUR)
    assert store.starred("token-of-ann", limit=0) == [ids[1], ids[2]]
    assert store.starred("token-of-ann", limit=1) == [ids[1]]


def test_states_follow_a_merge_and_go_with_the_reader(store: Store, ids: list[str]) -> None:
    store.mark_items("token-of-ann", ids[1:2], read=True, starred=True, now=NOW)
    merge = Merge(keep=ids[0], absorb=ids[1], rule="near-duplicate")
    store.pending(limit=10)
    store.put_curation(Curation(curated=tuple(ids), merges=(merge,)), now=NOW)
    assert store.item_states("token-of-ann", ids[:2]) == dict.fromkeys(ids[:2], ItemState(read=True, starred=True))
    store.remove_reader("Ann")
    with pytest.raises(NotFound):
        store.mark_items("token-of-ann", ids, read=True, now=NOW)
    assert store.item_states("token-of-ann", ids) == {}


def test_what_is_minted_stays(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        minted = set(pool.map(lambda number: store.mint("site/id", f"host-{number}"), range(20)))
    assert len(minted) == 1
    assert store.mint("site/id", "another") in minted
    assert store.mint("something/else", "new") == "new"


def test_minted_values_are_listed_by_prefix_and_can_be_taken_back(store: Store) -> None:
    for name in ("digest/a/2026-01-02", "digest/a/2026-01-10", "digest/ab/2026-01-03", "digest-sent/a/x"):
        assert store.mint(name, f"of {name}") == f"of {name}"
    before = store.generation()
    assert store.mint("digest/a/2026-01-02", "another") == "of digest/a/2026-01-02"
    assert store.generation() == before, "nothing has changed"
    assert store.minted("digest/a/", limit=0) == [
        ("digest/a/2026-01-10", "of digest/a/2026-01-10"),
        ("digest/a/2026-01-02", "of digest/a/2026-01-02"),
    ]
    assert [name for name, _ in store.minted("digest/a/", limit=1)] == ["digest/a/2026-01-10"]
    store.unmint(["digest/a/2026-01-10", "unknown"])
    assert [name for name, _ in store.minted("digest/", limit=0)] == ["digest/ab/2026-01-03", "digest/a/2026-01-02"]
    assert store.generation() > before, "readers see the change"
    assert store.mint("digest/a/2026-01-10", "again") == "again"
