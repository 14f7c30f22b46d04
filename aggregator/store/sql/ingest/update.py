"""Entries that are stored already: edited in place, or found as they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from aggregator.model import Entry
from aggregator.store.sql import codec
from aggregator.store.sql.batches import padded_batches, placeholders
from aggregator.store.sql.engine import Connection, Row
from aggregator.store.sql.ids import digest
from aggregator.store.sql.ingest.arrivals import Arrival
from aggregator.store.sql.ingest.entry_rows import CONTENT, UPSTREAM, EntryRow, indexed_words, upstream_counts
from aggregator.store.sql.ingest.outlinks import forget_links, put_links

__all__ = ["Edits", "StoredEntries", "held", "put_held", "rekey", "stored_words"]

#: what is stored of entries, by their sources and keys
StoredEntries = Mapping[tuple[int, bytes], Row]

_HELD = f"""
WITH asked(source, key) AS (VALUES {{}})
SELECT id, source_id, entry_key, item_id, content_hash, url, tombstone, {", ".join(UPSTREAM)}
FROM asked CROSS JOIN entries WHERE source_id = source AND entry_key = key
"""
#: an edit is dated by the poll that saw it: the row was made for that poll, and says so as `first_seen`;
#: content that retention has removed stays removed
_EDIT = f"""UPDATE entries SET {", ".join(f"{name} = ?" for name in (*CONTENT, "updated"))}, revision = revision + 1
    WHERE id = ?"""
_edited = attrgetter(*CONTENT, "first_seen")


@dataclass(slots=True)
class Edits:
    """What has changed of an arrival's entries that were stored already."""

    #: those that are edited
    edited: list[EntryRow] = field(default_factory=list)
    #: the items of these
    items: set[int] = field(default_factory=set)
    #: keys of the addresses that they link to now or linked to before
    cited: set[bytes] = field(default_factory=set)
    #: counters of a feed's own have moved
    counted: bool = False


def rekey(connection: Connection, arrival: Arrival) -> None:
    """Stored entries go on under their new ids; nothing happens where that has been done before."""
    for entry, row in arrival.entries:
        if entry.replaces is not None:
            connection.execute(
                "UPDATE entries SET entry_key = ?, entry_id = ?, id_basis = ?, guid = ?, guid_key = ?"
                " WHERE source_id = ? AND entry_key = ?"
                " AND NOT EXISTS (SELECT 1 FROM entries WHERE source_id = ? AND entry_key = ?)",
                (
                    *(row.entry_key, row.entry_id, row.id_basis, row.guid, row.guid_key),
                    *(row.source_id, digest(entry.replaces)),
                    *(row.source_id, row.entry_key),
                ),
            )


def held(connection: Connection, arrivals: Sequence[Arrival]) -> StoredEntries:
    """What is stored of these entries, as far as they are."""
    found: dict[tuple[int, bytes], Row] = {}
    for some in padded_batches([row for arrival in arrivals for _, row in arrival.entries]):
        keys = [value for row in some for value in row.key]
        rows = connection.execute(_HELD.format(placeholders(len(some), "(?, ?)")), keys)
        found |= {(row["source_id"], row["entry_key"]): row for row in rows}
    return found


def put_held(connection: Connection, arrival: Arrival, before: StoredEntries) -> Edits:
    """Edits what is not as it was; an identical entry writes nothing."""
    edits = Edits()
    for entry, row in arrival.entries:
        stored = before.get(row.key)
        if stored is None or stored["tombstone"]:
            continue
        same = stored["content_hash"] == row.content_hash and stored["url"] == row.url
        if same or arrival.insert_only:
            edits.counted |= _put_upstream(connection, stored, entry)
        else:
            edits.edited.append(row)
            edits.items.add(stored["item_id"])
            edits.cited |= _edit(connection, stored["id"], entry, row)
    return edits


def _put_upstream(connection: Connection, stored: Row, entry: Entry) -> bool:
    """Counters of the feed's own move without being an edit; whether they did."""
    counts = upstream_counts(entry)
    if counts in {(None, None, None), tuple(stored[name] for name in UPSTREAM)}:
        return False
    connection.execute(
        f"UPDATE entries SET {', '.join(f'{name} = ?' for name in UPSTREAM)} WHERE id = ?", (*counts, stored["id"])
    )
    return True


def _edit(connection: Connection, row_id: int, entry: Entry, row: EntryRow) -> set[bytes]:
    before = forget_links(connection, row_id)
    _reindex(connection, row_id, row)
    parsed = entry.parsed
    content = parsed.content_html
    if entry.keeps_content:
        content = max(content, _content(connection, row_id), key=len)
    connection.execute(_EDIT, (*_edited(row), row_id))
    _put_html(connection, row_id, codec.pack_html(parsed.summary_html, content, parsed.text))
    return before | put_links(connection, [(row.source_id, row_id, entry.outlinks)])


def _content(connection: Connection, row_id: int) -> str:
    """The content of an entry as it is stored."""
    stored = connection.execute(
        "SELECT b.html, e.text FROM bodies b JOIN entries e ON e.id = b.entry_id WHERE e.id = ?", (row_id,)
    ).fetchone()
    return codec.unpack_html(*stored)[1] if stored else ""


def _put_html(connection: Connection, row_id: int, packed: bytes | None) -> None:
    if packed is None:
        connection.execute("DELETE FROM bodies WHERE entry_id = ?", (row_id,))
    else:
        connection.execute(
            "INSERT INTO bodies(entry_id, html) VALUES (?, ?) ON CONFLICT(entry_id) DO UPDATE SET html = excluded.html",
            (row_id, packed),
        )


def _reindex(connection: Connection, row_id: int, row: EntryRow) -> None:
    """Replaces the words by which an entry is found, while its columns still hold the old ones."""
    old = stored_words(connection, row_id)
    if old != row.words:
        connection.unindex_words([(row_id, old)])
        connection.index_words([(row_id, row.words)])


def stored_words(connection: Connection, row_id: int) -> str:
    """The words by which an entry is found now."""
    query = "SELECT title, text, author, categories FROM entries WHERE id = ?"
    return indexed_words(*connection.execute(query, (row_id,)).fetchone())
