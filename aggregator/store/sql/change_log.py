"""The log of what has changed of items and sources: written by triggers, so by whoever writes, read by `movement`."""

from __future__ import annotations

from aggregator.store.sql.engine import Connection

__all__ = ["prune"]

#: so many changes are kept; whoever has seen fewer reads everything anew
KEPT = 100_000


def prune(connection: Connection) -> None:
    """Forgets old changes, never the last one, whose number must not be given again."""
    connection.execute("DELETE FROM changes WHERE seq <= (SELECT max(seq) FROM changes) - ?", (KEPT,))
