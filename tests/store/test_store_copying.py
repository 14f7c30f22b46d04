"""A store copied to another engine and back: identical; interrupted and resumed; refused where it would differ."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from store_values import NOW, A, B, follow, make_entry, poll

from aggregator.errors import StoreError
from aggregator.model import Curation, Merge, RelatedPair, StoryJoin, View
from aggregator.store import Store, open_store
from aggregator.store.copying import copy, rows_of
from aggregator.store.sql.transfer import FLAGS, TABLES

#: made anew in the copy, or of the processes that work on a store just now
NOT_COPIED = {"changes", "counters", "folded", "roles", "processes", "address_slots"}


@pytest.fixture
def place(tmp_path: Path, empty_postgres_url: str) -> Callable[[str], Store]:
    """Opens a store by the name of its engine, or of its file."""
    return lambda name: open_store(empty_postgres_url if name == "postgresql" else f"sqlite:{name}.db", base=tmp_path)


def fill(store: Store) -> list[str]:
    follow(store, A, B)
    poll(store, A, *(make_entry(f"a{number}", text=f"words of {number} and Zürich") for number in range(1_200)))
    poll(store, B, *(make_entry(f"b{number}", outlinks=("https://x.example/1",)) for number in range(30)))
    ids = [item.item_id for item in store.pending(limit=9)]
    store.put_curation(
        Curation(
            curated=tuple(ids),
            merges=(Merge(keep=ids[0], absorb=ids[1], rule="near-duplicate", figures={"score": 0.9}),),
            joins=(StoryJoin(item_id=ids[2], story=ids[2]), StoryJoin(item_id=ids[3], story=ids[2])),
            related=(RelatedPair(item_id=ids[4], other_id=ids[5], score=0.123456789),),
        ),
        now=NOW,
    )
    store.record_views([View(item_id=ids[0], visitor=bytes([number]), at=NOW) for number in range(7)])
    store.like(ids[2], visitor=b"\x00\xff", now=NOW)
    store.add_reader("Ada", "token", now=NOW)
    store.add_impressions({ids[0]: 0.5}, at=NOW)
    return ids


def test_every_table_and_flag_is_known() -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.executescript(files("aggregator.store.sqlite").joinpath("schema.sql").read_text("utf-8"))
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        of_key = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"
        keys = {name: tuple(row[0] for row in connection.execute(of_key, (name,))) for name in names}
    tables = {name: key for name, key in keys.items() if not name.startswith("search_index")}
    assert {name: keys for name, keys in tables.items() if name not in NOT_COPIED} == dict(TABLES)
    script = files("aggregator.store.postgres").joinpath("schema.sql").read_text("utf-8")
    flags = {line.split()[0] for line in script.splitlines() if line.replace(",", "").split()[1:2] == ["boolean"]}
    assert flags - {"edited"} == FLAGS


def test_there_and_back_it_is_identical(place: Callable[[str], Store]) -> None:
    first, there, back = place("first"), place("postgresql"), place("back")
    ids = fill(first)
    told: list[tuple[int, int]] = []
    assert copy(first, there, progress=lambda done, total: told.append((done, total))) == rows_of(first)
    assert told[-1] == (rows_of(first), rows_of(first))
    assert copy(there, back) == rows_of(first)
    assert [first.digest_of(table) for table in TABLES] == [back.digest_of(table) for table in TABLES]
    for store in (there, back):
        assert store.stats().views == 7
        assert store.resolve(ids[1]) == ids[0]
        assert store.items(ids) == first.items(ids)
        assert [item.id for item in store.search("zurich 17", limit=9)] == [
            item.id for item in first.search("zurich 17", limit=9)
        ]
        assert poll(store, A, make_entry("later"), at=NOW + timedelta(hours=2)).new_items == 1
    for store in (first, there, back):
        store.close()


def test_an_interrupted_copy_goes_on(place: Callable[[str], Store]) -> None:
    first, there = place("first"), place("postgresql")
    fill(first)

    class Interrupted(Exception):
        pass

    def stop(done: int, _: int) -> None:
        if done > 2_000:
            raise Interrupted

    with pytest.raises(Interrupted):
        copy(first, there, progress=stop)
    assert copy(first, there) == rows_of(first)
    first.close()
    there.close()


def test_what_differs_is_said(place: Callable[[str], Store]) -> None:
    first, other = place("first"), place("other")
    fill(first)
    follow(other, "https://another.example/feed")
    with pytest.raises(StoreError, match="table sources differs"):
        copy(first, other)
    first.close()
    other.close()
