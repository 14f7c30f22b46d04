"""The log of what has changed of items and sources: written by triggers, so by whoever writes."""

from __future__ import annotations

from aggregator.store.sql.engine import Connection

__all__ = ["forgotten", "prune"]

#: so many changes are kept (transactions, on an engine that numbers those); whoever has seen fewer reads everything
KEPT = 100_000


def forgotten(connection: Connection) -> int:
    """The number up to which changes have been forgotten."""
    row = connection.execute("SELECT value FROM counters WHERE name = 'changes_forgotten'").fetchone()
    return 0 if row is None else int(row[0])


def prune(connection: Connection) -> None:
    """Forgets old changes, never the last one, whose number must not be given again."""
    limit = connection.last_change() - KEPT
    if limit > forgotten(connection):
        connection.execute("DELETE FROM changes WHERE seq <= ?", (limit,))
        connection.execute(
            "INSERT INTO counters(name, value) VALUES ('changes_forgotten', ?)"
            " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
            (limit,),
        )
