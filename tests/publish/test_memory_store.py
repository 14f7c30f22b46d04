"""The store in memory that the tests of publishing use is the contract's: it cannot fall behind it unnoticed."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from publishing import MemoryStore, make_item

from aggregator.store import Store, open_store

METHODS = sorted(
    name
    for name, _ in inspect.getmembers(MemoryStore, inspect.isfunction)
    if not name.startswith("_") and name != "store"
)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_one_of_the_contract_and_takes_the_same(name: str) -> None:
    asked, given = (inspect.signature(getattr(kind, name)).parameters.values() for kind in (Store, MemoryStore))
    assert [(one.name, one.kind, one.default is one.empty) for one in given] == [
        (one.name, one.kind, one.default is one.empty) for one in asked
    ]


def test_what_it_does_not_know_is_answered_by_a_real_store_that_is_empty(tmp_path: Path) -> None:
    store = MemoryStore([make_item(1)]).store()
    empty = open_store("sqlite:empty.db", base=tmp_path)
    assert store.processes() == empty.processes()
    assert store.opened("token", limit=0) == empty.opened("token", limit=0)
    empty.close()
    with pytest.raises(AttributeError, match="nosuch"):
        _ = store.nosuch  # type: ignore[attr-defined]
