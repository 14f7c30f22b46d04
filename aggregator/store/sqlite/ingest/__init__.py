"""What one poll's entries change: each is inserted, edited in place or found unchanged, and joins or founds an item.

New entries go in by the table, all of a poll at once: a statement an entry would spend most of its time on the way
into the engine, and a full-text index closes a segment with each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aggregator.model import Entry, PollResult
from aggregator.store import Stored
from aggregator.store.sqlite.codec import to_ms
from aggregator.store.sqlite.connection import Connection
from aggregator.store.sqlite.ingest.fresh import Poll, insert
from aggregator.store.sqlite.ingest.held import held, put_held, rekey
from aggregator.store.sqlite.ingest.outlinks import forget_links, linked_keys
from aggregator.store.sqlite.ingest.rows import Row, column, entry_row, verdict_columns
from aggregator.store.sqlite.keys import digest
from aggregator.store.sqlite.shown import cited_items, refresh_item

__all__ = ["forget_links", "linked_keys", "store_entries", "verdict_columns"]

DAY_MS = 86_400_000


def store_entries(connection: Connection, feed_url: str, result: PollResult) -> tuple[Stored, bool]:
    """Stores a poll's entries; what that changed, and whether readers see any of it."""
    if not result.entries:
        return Stored(), False
    poll = _poll(connection, feed_url, result)
    entries = _oldest_first(result.entries)
    for entry in entries:
        if entry.replaces is not None:
            rekey(connection, poll.source_id, entry)
    rows = [entry_row(entry, poll.source_id, poll.polled_ms) for entry in entries]
    before = held(connection, poll.source_id, [column(row, "entry_key") for row in rows])
    new = [(entry, row) for entry, row in zip(entries, rows, strict=True) if column(row, "entry_key") not in before]
    again = [(entry, row) for entry, row in zip(entries, rows, strict=True) if column(row, "entry_key") in before]
    edits = put_held(connection, again, before, insert_only=result.insert_only)
    inserted = insert(connection, poll, new)
    cited = edits.cited | inserted.cited
    if poll.role == "signal":
        cited |= {digest(entry.canonical_url) for entry, _ in (*new, *edits.edited) if entry.canonical_url is not None}
    _count_new(connection, poll, [row for _, row in new])
    touched = edits.items | inserted.unsettled
    for item_id in touched | cited_items(connection, cited):
        refresh_item(connection, item_id)
    stored = Stored(
        new_entries=len(new),
        new_items=inserted.founded,
        updated=len(edits.edited),
        oldest_new=min((entry.published for entry, _ in new), default=None),
    )
    return stored, bool(new or edits.edited or edits.counted)


def _poll(connection: Connection, feed_url: str, result: PollResult) -> Poll:
    role, section = connection.execute("SELECT role, section FROM sources WHERE id = ?", (result.source_id,)).fetchone()
    return Poll(
        feed_url=feed_url,
        source_id=result.source_id,
        polled_ms=to_ms(result.polled_at),
        role=role,
        section=section,
    )


def _oldest_first(entries: Sequence[Entry]) -> list[Entry]:
    """In the order of time, so that row ids follow it where a feed is read for the first time.

    An entry that stands in a document twice counts as it stands first; else it would be edited at every poll.
    """
    distinct = {entry.entry_id: entry for entry in reversed(entries)}
    return sorted(distinct.values(), key=lambda entry: entry.published)


def _count_new(connection: Connection, poll: Poll, rows: Sequence[Row]) -> None:
    """Counts a source's new entries by the day they were published: its rate and its sparkline."""
    if not rows:
        return
    published = [column(row, "published") for row in rows]
    days = Counter(moment // DAY_MS for moment in published)
    connection.executemany(
        "INSERT INTO source_days(source_id, day, n) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = n + ?3",
        [(poll.source_id, day, n) for day, n in days.items()],
    )
    connection.execute(
        "UPDATE sources SET entries = entries + ?, last_item = max(coalesce(last_item, 0), ?) WHERE id = ?",
        (len(rows), max(published), poll.source_id),
    )
