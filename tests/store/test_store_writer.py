"""The thread that writes: what waits together is one transaction, and each hears of its own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from aggregator.store.sql.engine import Connection
from aggregator.store.sqlite.connection import connect_writer
from aggregator.store.sqlite.threads import Writer

SCHEMA = """
CREATE TABLE numbers(n INTEGER PRIMARY KEY CHECK(n <> 13));
CREATE TABLE halves(n INTEGER REFERENCES numbers(n) DEFERRABLE INITIALLY DEFERRED);
"""


class Written:
    """A writer with a file of its own, and what it was asked to do."""

    def __init__(self, path: Path) -> None:
        connection = connect_writer(path)
        connection.executescript(SCHEMA)
        self.path = path
        self.statements: list[str] = []
        connection.set_trace_callback(self.statements.append)
        self.calls: list[list[int]] = []
        self.writer = Writer(connection)

    def put(self, connection: Connection, numbers: Sequence[int]) -> list[str | Exception]:
        """Stores numbers; 13 fails when it is reached, 0 is refused, negative ones cannot be committed."""
        self.calls.append(list(numbers))
        for number in numbers:
            table = "halves" if number < 0 else "numbers"
            if number:
                connection.execute(f"INSERT INTO {table} VALUES (?)", (number,))
        return [f"{number}" if number else ValueError("nothing") for number in numbers]

    def stored(self) -> list[int]:
        with sqlite3.connect(self.path) as connection:
            return [n for (n,) in connection.execute("SELECT n FROM numbers UNION ALL SELECT n FROM halves ORDER BY n")]

    def commits(self) -> int:
        return self.statements.count("COMMIT")


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    written = Written(tmp_path / "a.db")
    yield written
    written.writer.close()


def kinds(outcomes: Sequence[object]) -> list[object]:
    return [type(outcome) if isinstance(outcome, Exception) else outcome for outcome in outcomes]


def test_items_are_one_call_and_one_transaction(written: Written) -> None:
    assert written.writer.submit([1, 2, 3], written.put).result() == ["1", "2", "3"]
    assert (written.calls, written.commits(), written.stored()) == ([[1, 2, 3]], 1, [1, 2, 3])


def test_one_that_is_refused_takes_nobody_with_it(written: Written) -> None:
    assert kinds(written.writer.submit([1, 0, 2], written.put).result()) == ["1", ValueError, "2"]
    assert (written.commits(), written.stored()) == (1, [1, 2])


@pytest.mark.parametrize("numbers", [[1, 13, 2], [13, 1, 2], [1, 2, 13], [13], [13, 13]])
def test_where_one_fails_half_way_they_are_done_one_by_one(written: Written, numbers: list[int]) -> None:
    outcomes = kinds(written.writer.submit(numbers, written.put).result())
    assert outcomes == [sqlite3.IntegrityError if number == 13 else f"{number}" for number in numbers]
    assert written.stored() == sorted(set(numbers) - {13})
    assert written.calls == ([numbers, *([number] for number in numbers)] if len(numbers) > 1 else [numbers])


def test_a_commit_that_fails_is_told_to_all_and_not_tried_again(written: Written) -> None:
    """A full disk, a lock that nobody gives back: each try may take long, and the next one fares no better."""
    assert kinds(written.writer.submit([1, -7, 2], written.put).result()) == [sqlite3.IntegrityError] * 3
    assert (written.calls, written.stored()) == ([[1, -7, 2]], [])
    assert written.writer.submit([4], written.put).result() == ["4"]


def test_work_that_waits_together_is_one_transaction_and_fails_apart(written: Written) -> None:
    go_on = threading.Event()
    first = written.writer.submit([None], lambda *_: [go_on.wait(400)])
    waiting = [written.writer.submit(numbers, written.put) for numbers in ([1, 2], [3, 13, 4], [5])]
    go_on.set()
    assert first.result() == [True]
    assert [kinds(done.result()) for done in waiting] == [["1", "2"], ["3", sqlite3.IntegrityError, "4"], ["5"]]
    assert written.stored() == [1, 2, 3, 4, 5]


def test_only_what_is_to_last_waits_for_the_disk(written: Written) -> None:
    def setting(connection: Connection, _: Sequence[None]) -> list[int | Exception]:
        return [connection.execute("PRAGMA synchronous").fetchone()[0]]

    assert written.writer.submit([None], setting).result() == [2]
    assert written.writer.submit([None], setting, lasting=False).result() == [1]
    assert written.writer.submit([None], setting).result() == [2]
    go_on = threading.Event()
    written.writer.submit([None], lambda *_: [go_on.wait(400)])
    together = [written.writer.submit([None], setting, lasting=lasting) for lasting in (False, True, False)]
    go_on.set()
    assert [done.result() for done in together] == [[2], [2], [2]], "the strictest of them counts for all"
