"""A store of each kind; a second backend adds a line here and has its tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aggregator.store import Store, open_store

URLS = {"sqlite": "sqlite:aggregator.db"}


@pytest.fixture(params=sorted(URLS))
def store_url(request: pytest.FixtureRequest) -> str:
    return URLS[request.param]


@pytest.fixture
def reopen(store_url: str, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens the store of this test; once more each time it is called."""
    opened: list[Store] = []

    def open_again() -> Store:
        opened.append(open_store(store_url, base=tmp_path))
        return opened[-1]

    yield open_again
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Callable[[], Store]) -> Store:
    return reopen()
