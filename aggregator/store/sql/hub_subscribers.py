"""Who is told when a feed of ours changes."""

from __future__ import annotations

from collections.abc import Mapping

from aggregator.model import HubSubscriber
from aggregator.store.sql import codec
from aggregator.store.sql.engine import Engine, Row

_PUT = """
INSERT INTO hub_subscribers(topic, callback, told, secret, until, failures, retry_at) VALUES (?, ?, ?, ?, ?, 0, NULL)
ON CONFLICT(topic, callback) DO UPDATE
    SET secret = excluded.secret, until = excluded.until, failures = 0, retry_at = NULL
"""
_NOTE = "UPDATE hub_subscribers SET told = ?, failures = ?, retry_at = ? WHERE topic = ? AND callback = ?"


class HubSubscribers:
    """`HubStore` on SQLite."""

    _engine: Engine

    def hub_subscribers(self) -> list[HubSubscriber]:
        """All of them, lapsed leases included, by topic and callback."""
        query = "SELECT * FROM hub_subscribers ORDER BY topic, callback"
        return self._engine.read(lambda connection: [_subscriber(row) for row in connection.execute(query)])

    def put_hub_subscriber(self, *subscribers: HubSubscriber) -> None:
        """New subscribers, or the new lease and secret of those that are known, whose `told` stays as it is."""
        rows = [
            (each.topic, each.callback, each.told, each.secret, codec.to_ms_or_none(each.until)) for each in subscribers
        ]
        self._engine.write(lambda connection: connection.executemany(_PUT, rows))

    def note_told(self, subscriber: HubSubscriber) -> None:
        """Keeps `told`, `failures` and `retry_at`; nothing if it has unsubscribed meanwhile."""
        retry_at = codec.to_ms_or_none(subscriber.retry_at)
        row = (subscriber.told, subscriber.failures, retry_at, subscriber.topic, subscriber.callback)
        self._engine.write(lambda connection: connection.execute(_NOTE, row))

    def remove_hub_subscriber(self, *, topic: str, callback: str) -> bool:
        """Forgets one; False if there was none."""
        query = "DELETE FROM hub_subscribers WHERE topic = ? AND callback = ?"
        return self._engine.write(lambda connection: connection.execute(query, (topic, callback)).rowcount > 0)

    def source_marks(self) -> Mapping[str, str]:
        """The slug of every configured source, with a text that changes when it has brought something new."""
        query = "SELECT slug, entries || ' ' || coalesce(CAST(last_item AS text), '') FROM sources WHERE configured"
        return dict(self._engine.read(lambda connection: list(map(tuple, connection.execute(query)))))


def _subscriber(row: Row) -> HubSubscriber:
    return HubSubscriber(
        topic=row["topic"],
        callback=row["callback"],
        told=row["told"],
        secret=None if row["secret"] is None else bytes(row["secret"]),
        until=codec.from_ms_or_none(row["until"]),
        failures=row["failures"],
        retry_at=codec.from_ms_or_none(row["retry_at"]),
    )
