"""A connection to PostgreSQL as the shared statements use it: placeholders, rows by name, errors in our words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import RowMaker

from aggregator.errors import StoreError, StoreUnavailable
from aggregator.store.postgres.search import find_words, to_tsvector
from aggregator.store.sql.engine import Cursor, Values

__all__ = ["Connection", "explain", "rows"]

#: a quoted text, a cast, a named or plain placeholder, a percent sign
_TOKEN = re.compile(r"'(?:[^']|'')*'|::|:(?P<name>[a-z_]\w*)|\?|%")


@lru_cache(maxsize=2048)
def _translated(statement: str) -> sql.SQL:
    """A shared statement with psycopg's placeholders."""

    def placeholder(found: re.Match[str]) -> str:
        matched = found[0]
        if found["name"]:
            return f"%({found['name']})s"
        return "%s" if matched == "?" else matched.replace("%", "%%")

    return sql.SQL(_TOKEN.sub(placeholder, statement))


@lru_cache(maxsize=1024)
def _row_class(names: tuple[str, ...]) -> type[tuple[Any, ...]]:
    """A tuple whose values are found by column name as well."""
    places = {name: place for place, name in enumerate(names)}

    class Row(tuple[Any, ...]):
        __slots__ = ()

        def __getitem__(self, key: Any) -> Any:
            return tuple.__getitem__(self, places[key] if isinstance(key, str) else key)

        def keys(self) -> tuple[str, ...]:
            return names

    return Row


def rows(cursor: psycopg.Cursor[Any]) -> RowMaker[tuple[Any, ...]]:
    """Psycopg's row factory of these connections."""
    return _row_class(tuple(column.name for column in cursor.description or ()))


_GENERATION_COUNTERS = 64
#: by table, what gives its row ids
_SEQUENCES = {"items": "items_id", "entries": "entries_id", "sources": "sources_id_seq", "readers": "readers_id_seq"}
_LOCK_ADDRESS = """
INSERT INTO addresses(link_key) VALUES (?) ON CONFLICT (link_key) DO UPDATE SET link_key = excluded.link_key
"""


class Connection:
    """An `aggregator.store.sql.engine.Connection` on one of the pool's connections, in an open transaction."""

    #: appended to a SELECT whose rows must not change until the transaction ends
    row_lock = " FOR UPDATE"
    #: the same, where others may hold it as well
    shared_lock = " FOR SHARE"
    #: nothing is undone alone
    or_fail = ""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, statement: str, parameters: Values = (), /) -> Cursor:
        """Runs one statement."""
        return self._connection.execute(_translated(statement), parameters)

    def executemany(self, statement: str, parameters: Iterable[Values], /) -> Cursor:
        """Runs one statement for each set of values, without waiting for each."""
        cursor = self._connection.cursor()
        cursor.executemany(_translated(statement), parameters)
        return cursor

    def insert_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], /) -> None:
        """Inserts new rows by COPY: a third of the CPU of as many INSERTs."""
        if not rows:
            return
        with (
            self._connection.cursor() as cursor,
            cursor.copy(sql.SQL(f"COPY {table}({', '.join(columns)}) FROM STDIN")) as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def new_ids(self, table: str, count: int, /) -> Sequence[int]:
        """So many row ids of the table's sequence, ascending; others may have taken some between them."""
        query = f"SELECT nextval('{table}_id') FROM generate_series(1, ?)"
        return sorted(number for (number,) in self.execute(query, (count,)))

    @property
    def generation_counter(self) -> str:
        """One of a few: writers that share one would wait for each other's commits."""
        return f"generation/{self._connection.info.backend_pid % _GENERATION_COUNTERS}"

    def now_ms(self, now_ms: int, /) -> int:  # noqa: ARG002 - machines need not agree on the time
        """The time of the server's clock."""
        query = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
        return int(self.execute(query).fetchone()[0])

    def lock_addresses(self, link_keys: Sequence[bytes], /) -> None:
        """Makes or locks a row for each address, in one order, so that no two writers found an item at one address."""
        self.executemany(_LOCK_ADDRESS, [(key,) for key in sorted(set(link_keys))])

    def last_change(self) -> int:
        """The transaction before the oldest one that still ran when this snapshot was taken."""
        query = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1"
        return int(self.execute(query).fetchone()[0])

    def execute_script(self, script: str, /) -> None:
        """Runs many statements that take no values."""
        self._connection.execute(script.encode())

    def give_space_back(self) -> None:
        """Does nothing: autovacuum makes room for what comes."""

    def size_bytes(self) -> int:
        """The size of the database."""
        return int(self.execute("SELECT pg_database_size(current_database())").fetchone()[0])

    def continue_ids(self) -> None:
        """Sets the sequences behind the greatest ids."""
        for table, sequence in _SEQUENCES.items():
            self.execute(f"SELECT setval('{sequence}', (SELECT coalesce(max(id), 0) + 1 FROM {table}), false)")

    def index_words(self, entries: Sequence[tuple[int, str]], /) -> None:
        """Makes entries (row id, words) findable."""
        rows = [(row_id, to_tsvector(words)) for row_id, words in entries]
        self.insert_rows("entry_words", ("entry_id", "words"), rows)

    def unindex_words(self, entries: Sequence[tuple[int, str]], /) -> None:
        """Makes entries unfindable."""
        self.executemany("DELETE FROM entry_words WHERE entry_id = ?", [(row_id,) for row_id, _ in entries])

    def find_words(self, words: str, limit: int, /) -> list[int]:
        """Row ids of the entries that contain all the words, the newest first."""
        return find_words(self, words, limit)


def explain(error: Exception) -> StoreError:
    """The engine's error as one of ours."""
    message = " ".join(str(error).split())
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return StoreUnavailable(f"PostgreSQL: {message}: the server has become a standby, or its disk is full")
    if isinstance(error, psycopg.OperationalError):
        return StoreUnavailable(f"PostgreSQL: {message}")
    return StoreError(f"PostgreSQL: {message}")
