"""Removes content that is older than it is wanted; identities, counts and titles stay."""

from __future__ import annotations

from datetime import datetime

from aggregator.store.sql import candidate_changes, codec
from aggregator.store.sql.apply_curation import forget_related
from aggregator.store.sql.audience import BUCKET_MS, HOUR_MS
from aggregator.store.sql.derived_columns import bump, recompute_item
from aggregator.store.sql.engine import Connection
from aggregator.store.sql.fleet import Fleet
from aggregator.store.sql.ingest import forget_links, stored_words

__all__ = ["Retention"]

#: items in one transaction: others write in between
BATCH = 100
#: how long 5-minute buckets of views are kept
BUCKETS_MS = 60 * 86_400_000

#: items with content, oldest first; what is shown has some
_OLD = """
SELECT id, published FROM items WHERE shown AND published < :before
UNION ALL SELECT id, published FROM items WHERE live AND NOT shown AND published < :before
ORDER BY published LIMIT :limit
"""
_ENTRIES = "SELECT id FROM entries WHERE item_id = ? AND NOT tombstone"
_APART = (
    f"DELETE FROM bodies WHERE entry_id IN ({_ENTRIES})",
    (
        "UPDATE entries SET tombstone = TRUE, text = '', author = NULL, image_url = NULL, image_width = NULL,"
        " categories = NULL, enclosures = NULL, outlinks = NULL, upstream_comments = NULL, upstream_views = NULL,"
        " upstream_votes = NULL"
        " WHERE item_id = ? AND NOT tombstone"
    ),
)


class Retention(Fleet):
    """The part of `Store` that forgets."""

    def retain(self, *, before: datetime, now: datetime) -> int:
        """Removes the content of items published before then (never their identity); how many. In small batches."""
        before_ms, now_ms, removed = codec.to_ms(before), codec.to_ms(now), 0
        while some := self._write_in_role(lambda connection: _batch(connection, before_ms)):
            removed += some
        self._write_in_role(lambda connection: _tidy(connection, now_ms))
        self._engine.write(lambda connection: connection.give_space_back())
        return removed


def _batch(connection: Connection, before_ms: int) -> int:
    """Turns at most `BATCH` items published before then into tombstones; how many."""
    rows = connection.execute(_OLD, {"before": before_ms, "limit": BATCH}).fetchall()
    for item_id, _ in rows:
        for (row_id,) in connection.execute(_ENTRIES, (item_id,)).fetchall():
            forget_links(connection, row_id)
            connection.unindex_words([(row_id, stored_words(connection, row_id))])
        for statement in _APART:
            connection.execute(statement, (item_id,))
        forget_related(connection, item_id)
        recompute_item(connection, item_id)
    if rows:
        bump(connection)
    return len(rows)


def _tidy(connection: Connection, now_ms: int) -> None:
    """Drops buckets that no window reaches, and what was logged long ago."""
    connection.execute("DELETE FROM buckets WHERE bucket < ?", ((now_ms - BUCKETS_MS) // BUCKET_MS,))
    connection.execute("DELETE FROM impressions WHERE hour < ?", ((now_ms - BUCKETS_MS) // HOUR_MS,))
    candidate_changes.prune(connection)
