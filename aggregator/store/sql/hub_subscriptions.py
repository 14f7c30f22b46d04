"""Who tells us when a source has changed, and what they tell."""

from __future__ import annotations

from typing import Any

from aggregator.errors import StoreError
from aggregator.model import PollResult, Push, Source
from aggregator.store import PollChanges
from aggregator.store.sql import codec
from aggregator.store.sql.derived_columns import bump
from aggregator.store.sql.engine import Connection, Engine, Row
from aggregator.store.sql.ingest import store_entries

_SUBSCRIBABLE = f"""
SELECT {codec.SOURCE_COLUMNS} FROM sources s WHERE configured AND enabled AND NOT gone AND info IS NOT NULL
    AND json_array_length(info, '$.hubs') > 0 AND json_extract(info, '$.self_url') IS NOT NULL ORDER BY id
"""
_COLUMNS = (
    *("token", "source_id", "hub", "topic", "state", "asked_at", "secret", "until", "renew_at", "verified_at"),
    *("delivered_at", "failures", "retry_at"),
)
_TIMES = frozenset({"asked_at", "until", "renew_at", "verified_at", "delivered_at", "retry_at"})
_PUT = f"""
INSERT INTO pushes({", ".join(_COLUMNS)}) VALUES ({", ".join("?" * len(_COLUMNS))})
ON CONFLICT(token) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])}
"""


class Pushes:
    """`PushStore` on SQLite."""

    _engine: Engine

    def subscribable(self) -> list[Source]:
        """Sources that are polled and whose documents name a hub and themselves."""
        return self._engine.read(lambda connection: [codec.source(row) for row in connection.execute(_SUBSCRIBABLE)])

    def pushes(self) -> list[Push]:
        """All subscriptions at hubs, of whatever state, by token."""
        query = "SELECT * FROM pushes ORDER BY token"
        return self._engine.read(lambda connection: [_push(row) for row in connection.execute(query)])

    def push(self, token: str) -> Push | None:
        """The subscription with this token."""
        query = "SELECT * FROM pushes WHERE token = ?"
        row = self._engine.read(lambda connection: connection.execute(query, (token,)).fetchone())
        return None if row is None else _push(row)

    def put_push(self, push: Push) -> None:
        """Keeps this subscription, in the place of the one with its token."""
        row = [_value(push, name) for name in _COLUMNS]
        self._engine.write(lambda connection: connection.execute(_PUT, row))

    def remove_push(self, token: str) -> bool:
        """Forgets one; False if there was none."""
        query = "DELETE FROM pushes WHERE token = ?"
        return self._engine.write(lambda connection: connection.execute(query, (token,)).rowcount > 0)

    def deliver(self, result: PollResult) -> PollChanges:
        """Stores what a hub has delivered; when the source is polled next, and how, stays as it is."""
        return self._engine.write(lambda connection: _deliver(connection, result))


def _deliver(connection: Connection, result: PollResult) -> PollChanges:
    source = connection.execute("SELECT url FROM sources WHERE id = ?", (result.source_id,)).fetchone()
    if source is None:
        raise StoreError(f"there is no source {result.source_id}")
    stored, visible = store_entries(connection, source["url"], result)
    if visible:
        bump(connection)
    return stored


def _value(push: Push, name: str) -> object:
    value = getattr(push, name)
    return codec.to_ms_or_none(value) if name in _TIMES else value


def _push(row: Row) -> Push:
    values: dict[str, Any] = {name: row[name] for name in _COLUMNS}
    return Push(**values | {name: codec.from_ms_or_none(row[name]) for name in _TIMES})
