"""What readers have read and starred, and values that are minted once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aggregator.errors import NotFound
from aggregator.model import ItemState
from aggregator.store.sql import codec, item_loader
from aggregator.store.sql.derived_columns import bump
from aggregator.store.sql.engine import NO_LIMIT, Connection, Engine
from aggregator.store.sql.ids import encode_id

_MARK = """
INSERT INTO reader_states(reader_id, item_id, is_read, is_starred, at)
VALUES (:reader, :item, coalesce(:is_read, 0), coalesce(:is_starred, 0), :at)
ON CONFLICT(reader_id, item_id) DO UPDATE SET is_read = coalesce(:is_read, reader_states.is_read),
    is_starred = coalesce(:is_starred, reader_states.is_starred), at = excluded.at
"""
_STATE = """
SELECT s.is_read, s.is_starred FROM reader_states s JOIN readers r ON r.id = s.reader_id
WHERE r.token = ? AND s.item_id = ?
"""
_STARRED = """
SELECT i.public_id FROM reader_states s JOIN readers r ON r.id = s.reader_id JOIN items i ON i.id = s.item_id
WHERE r.token = ? AND s.is_starred = 1 ORDER BY s.at DESC, i.id DESC LIMIT ?
"""


class ReaderStates:
    """The part of the store that every engine shares: `ReadingStore`."""

    _engine: Engine

    def mint(self, name: str, value: str) -> str:
        """The value under this name; `value` is written there if there is none yet."""
        insert = "INSERT INTO minted(name, value) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING name"

        def run(connection: Connection) -> str:
            if connection.execute(insert, (name, value)).fetchone() is not None:
                bump(connection)
            return str(connection.execute("SELECT value FROM minted WHERE name = ?", (name,)).fetchone()[0])

        return self._engine.write(run)

    def minted(self, prefix: str, *, limit: int) -> list[tuple[str, str]]:
        """(name, value) of the minted values whose names begin with `prefix`, the greatest name first. limit 0: all."""
        query = "SELECT name, value FROM minted WHERE name >= ? AND name < ? ORDER BY name DESC LIMIT ?"
        values = (prefix, _end(prefix), limit or NO_LIMIT)
        rows = self._engine.read(lambda connection: connection.execute(query, values).fetchall())
        return [(row["name"], row["value"]) for row in rows]

    def unmint(self, names: Sequence[str]) -> None:
        """Removes minted values: they may be minted again. Unknown names are ignored."""

        def run(connection: Connection) -> None:
            connection.executemany("DELETE FROM minted WHERE name = ?", [(name,) for name in names])
            bump(connection)

        self._engine.write(run)

    def mark_items(
        self, token: str, ids: Sequence[str], *, read: bool | None = None, starred: bool | None = None, now: datetime
    ) -> int:
        """Sets what a reader has read or starred (None: as it is); how many of the ids are items."""
        state = {
            "is_read": None if read is None else int(read),
            "is_starred": None if starred is None else int(starred),
            "at": codec.to_ms(now),
        }

        def run(connection: Connection) -> int:
            reader = connection.execute("SELECT id FROM readers WHERE token = ?", (token,)).fetchone()
            if reader is None:
                raise NotFound("there is no reader with this token")
            rows = {row_id for row_id in item_loader.resolve_each(connection, list(ids)) if row_id is not None}
            marks = [{"reader": reader["id"], "item": row_id, **state} for row_id in sorted(rows)]
            connection.executemany(_MARK, marks)
            return len(rows)

        return self._engine.write(run)

    def item_states(self, token: str, ids: Sequence[str]) -> dict[str, ItemState]:
        """What a reader has made of these items; those that were never marked are absent."""

        def run(connection: Connection) -> dict[str, ItemState]:
            found = {}
            for item_id, row_id in zip(ids, item_loader.resolve_each(connection, list(ids)), strict=True):
                row = connection.execute(_STATE, (token, row_id)).fetchone() if row_id is not None else None
                if row is not None:
                    found[item_id] = ItemState(read=bool(row["is_read"]), starred=bool(row["is_starred"]))
            return found

        return self._engine.read(run)

    def starred(self, token: str, *, limit: int) -> list[str]:
        """The ids of the items that a reader has starred, the last starred first. limit 0: all."""
        rows = self._engine.read(lambda connection: connection.execute(_STARRED, (token, limit or NO_LIMIT)).fetchall())
        return [encode_id(row["public_id"]) for row in rows]


def _end(prefix: str) -> str:
    """The least text that is greater than every text with this prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
