"""Sizes and counts of the whole store."""

from __future__ import annotations

from aggregator.model import StoreStats
from aggregator.store.sql.engine import Connection

__all__ = ["read"]

_STATS = """
SELECT (SELECT count(*) FROM sources WHERE configured) AS sources,
    (SELECT CAST(coalesce(sum(entries), 0) AS bigint) FROM sources) AS entries,
    (SELECT count(*) FROM items WHERE shown) AS items,
    (SELECT count(*) FROM stories WHERE merged_into IS NULL AND sources > 0) AS stories,
    (SELECT value FROM counters WHERE name = 'views') AS views, (SELECT count(*) FROM likes) AS likes,
    (SELECT count(*) FROM items WHERE shown AND revision <> curated) AS pending
"""


def read(connection: Connection, size_bytes: int) -> StoreStats:
    """The counts, beside a size that the engine knows."""
    row = connection.execute(_STATS).fetchone()
    return StoreStats(size_bytes=size_bytes, **{name: row[name] for name in row.keys()})  # noqa: SIM118 - a row, not a dict
