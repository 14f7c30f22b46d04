"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fault_figures import figure, pytest_addoption, pytest_runtest_logreport, pytest_sessionfinish
from hypothesis import HealthCheck, settings

from aggregator.store import Store, open_store

__all__ = ["figure", "pytest_addoption", "pytest_runtest_logreport", "pytest_sessionfinish"]

if TYPE_CHECKING:
    from desk import Desk
    from year import Year

# A loaded machine is no defect of the property; a run must be the same run twice. `make test RANDOM=1` looks at others.
settings.register_profile(
    "project", deadline=None, derandomize="RANDOM" not in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("project")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data that tests may read; the test is skipped where it is not there."""
    path = Path(__file__).parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("needs ../shared/data (real feeds; not part of the project)")
    return path


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of this session's own."""
    import postgres_server

    if not postgres_server.is_installed():
        pytest.skip(postgres_server.HOW_TO_GET)
    with postgres_server.running() as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres_url: str) -> str:
    """The database of that server, without a store."""
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS aggregator CASCADE")
    return postgres_url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty store, once for each engine: the tests of the contract run on all of them."""
    if request.param == "sqlite":
        return "sqlite:aggregator.db"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


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


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """The way in, with an empty store, an origin on loopback, and a clock that moves when it is told to."""
    from desk import open_desk

    with open_desk(tmp_path) as desk:
        yield desk


@pytest.fixture(scope="session")
def year(tmp_path_factory: pytest.TempPathFactory) -> Year:
    """A simulated year in the life of one source."""
    from year import live_a_year

    return live_a_year(tmp_path_factory.mktemp("year"))
