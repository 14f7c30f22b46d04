"""A whole store, table by table: what copying from one engine to another reads, writes and compares."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aggregator.store.sql import candidate_changes
from aggregator.store.sql.engine import Connection, Engine
from aggregator.store.sql.ingest.entry_rows import indexed_words

__all__ = ["TABLES", "Transfer"]

#: every table with content of its own, in an order in which references find their rows, and the columns of its key.
#: Not among them: the full-text index and the change log, which are made anew, and who works on the store just now.
TABLES: Mapping[str, tuple[str, ...]] = {
    "sources": ("id",),
    "hosts": ("host",),
    "source_days": ("source_id", "day"),
    "poll_days": ("source_id", "day"),
    "items": ("id",),
    "entries": ("id",),
    "outlinks": ("link_key", "source_id", "entry_id"),
    "bodies": ("entry_id",),
    "stories": ("id",),
    "related": ("item_id", "other_id"),
    "lists": ("key",),
    "doubts": ("item_id",),
    "undone": ("item_id", "restored"),
    "buckets": ("bucket", "item_id"),
    "impressions": ("hour", "item_id"),
    "visitors": ("day", "item_id", "visitor"),
    "likes": ("item_id", "visitor"),
    "marks": ("mark",),
    "readers": ("id",),
    "opened": ("reader_id", "item_id"),
    "reader_states": ("reader_id", "item_id"),
    "minted": ("name",),
    "documents": ("name",),
    "hub_subscribers": ("topic", "callback"),
    "pushes": ("token",),
}
#: flags, which one engine keeps as 0 and 1
FLAGS = frozenset(
    {
        "configured",
        "enabled",
        "full_text",
        "in_latest",
        "error_permanent",
        "unstable_ids",
        "gone",
        "shown",
        "live",
        "tombstone",
    }
)
CHUNK = 1_000

Rows = Sequence[Mapping[str, Any]]
Key = tuple[Any, ...]


class Transfer:
    """`TransferStore`."""

    _engine: Engine

    def export_rows(self, table: str, after: Key | None) -> tuple[list[dict[str, Any]], Key | None]:
        """Rows of a table behind this key, in the order of keys; and the last key, None at the end."""
        keys = TABLES[table]
        where = "" if after is None else f" WHERE ({', '.join(keys)}) > ({', '.join('?' * len(keys))})"
        query = f"SELECT * FROM {table}{where} ORDER BY {', '.join(keys)} LIMIT {CHUNK}"
        rows = self._engine.read(lambda connection: [_portable(row) for row in connection.execute(query, after or ())])
        return rows, tuple(rows[-1][key] for key in keys) if rows else None

    def import_rows(self, table: str, rows: Rows) -> None:
        """Adds rows as another store exported them; those that are there already are left as they are."""
        if not rows:
            return
        names = list(rows[0])
        statement = (
            f"INSERT INTO {table}({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) ON CONFLICT DO NOTHING"
        )

        def run(connection: Connection) -> None:
            connection.executemany(statement, [tuple(row[name] for name in names) for row in rows])
            if table == "entries":
                connection.index_words([(row["id"], _words(row)) for row in rows if not row["tombstone"]])

        self._engine.write(run)

    def last_imported(self, table: str) -> Key | None:
        """The greatest key of a table; None if it is empty. Copying goes on behind it."""
        keys = ", ".join(TABLES[table])
        query = f"SELECT {keys} FROM {table} ORDER BY {keys.replace(',', ' DESC,')} DESC LIMIT 1"
        row = self._engine.read(lambda connection: connection.execute(query).fetchone())
        return None if row is None else tuple(row)

    def row_count(self, table: str) -> int:
        """How many rows a table has."""
        query = f"SELECT count(*) FROM {table}"
        return int(self._engine.read(lambda connection: connection.execute(query).fetchone()[0]))

    def digest_of(self, table: str) -> str:
        """A hash over all rows of a table, the same on every engine."""
        found = hashlib.sha256()
        for row in self._all_rows(table):
            found.update(repr(tuple(sorted(row.items()))).encode("utf-8", "surrogatepass"))
        return found.hexdigest()

    def finish_import(self) -> None:
        """Makes what follows from the rows: counters, sequences of ids, an empty change log."""

        def run(connection: Connection) -> None:
            candidate_changes.start_anew(connection)
            connection.execute(
                "UPDATE counters SET value = (SELECT CAST(coalesce(sum(views), 0) AS bigint) FROM items)"
                " WHERE name = 'views'"
            )
            connection.continue_ids()

        self._engine.write(run)

    def _all_rows(self, table: str) -> Iterator[dict[str, Any]]:
        after: Key | None = None
        while True:
            rows, after = self.export_rows(table, after)
            yield from rows
            if after is None:
                return


def _portable(row: Any) -> dict[str, Any]:
    """A row with its values as every engine takes them."""
    return {name: _value(name, row[name]) for name in row.keys()}  # noqa: SIM118 - a row, not a dict


def _value(name: str, value: Any) -> Any:
    if name in FLAGS and value is not None:
        return bool(value)
    return bytes(value) if isinstance(value, memoryview) else value


def _words(row: Mapping[str, Any]) -> str:
    return indexed_words(row["title"], row["text"], row["author"], row["categories"])
