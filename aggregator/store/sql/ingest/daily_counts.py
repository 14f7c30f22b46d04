"""How many entries are new, by the day they were published: a source's rate and its sparkline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aggregator.model import Entry
from aggregator.store.sql.batches import padded_batches, placeholders
from aggregator.store.sql.codec import DAY_MS
from aggregator.store.sql.engine import Connection
from aggregator.store.sql.ingest.arrivals import Arrival
from aggregator.store.sql.ingest.entry_rows import EntryRow

__all__ = ["count_new"]

_COUNTED = """
WITH asked(source, that) AS (VALUES {})
SELECT source_id, day FROM asked CROSS JOIN source_days WHERE source_id = source AND day = that
"""
#: inserted or updated apart where an upsert could do, as that one cannot be `or_fail`: see `ingest`
_MORE = "UPDATE{or_fail} source_days SET n = n + ? WHERE source_id = ? AND day = ?"
_TOTAL = "UPDATE sources SET entries = entries + ?, last_item = greatest(coalesce(last_item, 0), ?) WHERE id = ?"


def count_new(connection: Connection, new: Sequence[tuple[Arrival, Sequence[tuple[Entry, EntryRow]]]]) -> None:
    """Counts what is new of each arrival."""
    days = Counter((arrival.source_id, row.published // DAY_MS) for arrival, rows in new for _, row in rows)
    if not days:
        return
    counted = set[tuple[int, int]]()
    for some in padded_batches(list(days)):
        query = _COUNTED.format(placeholders(len(some), "(?, ?)"))
        counted |= set(map(tuple, connection.execute(query, [value for day in some for value in day])))
    first = [(days[day], *day) for day in sorted(days.keys() - counted)]
    connection.insert_rows("source_days", ("n", "source_id", "day"), first)
    more = [(days[day], *day) for day in sorted(days.keys() & counted)]
    connection.executemany(_MORE.format(or_fail=connection.or_fail), more)
    connection.executemany(
        _TOTAL,
        [(len(rows), max(row.published for _, row in rows), arrival.source_id) for arrival, rows in new if rows],
    )
