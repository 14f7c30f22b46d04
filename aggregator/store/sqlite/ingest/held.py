"""Entries that are stored already: edited in place, or found as they were."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aggregator.model import Entry
from aggregator.store.sqlite.connection import Connection
from aggregator.store.sqlite.ingest.outlinks import forget_links, put_links
from aggregator.store.sqlite.ingest.rows import CONTENT, UPSTREAM, Row, column, searched, upstream_counts
from aggregator.store.sqlite.keys import digest

_CHUNK = 500

#: content that retention has removed stays removed
_EDIT = f"""UPDATE entries SET {", ".join(f"{name} = ?" for name in (*CONTENT, "updated"))}, revision = revision + 1
    WHERE id = ?"""


@dataclass(slots=True)
class Edits:
    """What has changed of entries that were stored already."""

    edited: list[tuple[Entry, Row]] = field(default_factory=list)
    #: the items of these
    items: set[int] = field(default_factory=set)
    #: keys of the addresses that they link to now or linked to before
    cited: set[bytes] = field(default_factory=set)
    #: counters of a feed's own have moved
    counted: bool = False


def rekey(connection: Connection, source_id: int, entry: Entry) -> None:
    """The stored entry goes on under its new id; nothing happens where that has been done before."""
    guid = entry.parsed.guid
    connection.execute(
        "UPDATE OR IGNORE entries SET entry_key = ?, entry_id = ?, id_basis = ?, guid = ?, guid_key = ?"
        " WHERE source_id = ? AND entry_key = ?",
        (
            *(digest(entry.entry_id), entry.entry_id, entry.id_basis, guid),
            *(None if guid is None else digest(guid), source_id, digest(entry.replaces or "")),
        ),
    )


def held(connection: Connection, source_id: int, keys: Sequence[object]) -> dict[object, sqlite3.Row]:
    """What is stored of these entries, by their keys, as far as they are."""
    found: dict[object, sqlite3.Row] = {}
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        query = (
            f"SELECT id, entry_key, item_id, content_hash, url, tombstone, {', '.join(UPSTREAM)} FROM entries"
            f" WHERE source_id = ? AND entry_key IN ({', '.join('?' * len(chunk))})"
        )
        found |= {row["entry_key"]: row for row in connection.execute(query, (source_id, *chunk))}
    return found


def put_held(
    connection: Connection,
    entries: Sequence[tuple[Entry, Row]],
    before: Mapping[object, sqlite3.Row],
    *,
    insert_only: bool,
) -> Edits:
    """Edits what is not as it was; an identical entry writes nothing."""
    edits = Edits()
    for entry, row in entries:
        stored = before[column(row, "entry_key")]
        if stored["tombstone"]:
            continue
        same = stored["content_hash"] == column(row, "content_hash") and stored["url"] == column(row, "url")
        if same or insert_only:
            edits.counted |= _put_upstream(connection, stored, entry)
        else:
            edits.edited.append((entry, row))
            edits.items.add(stored["item_id"])
            edits.cited |= _edit(connection, stored["id"], entry, row)
    return edits


def _put_upstream(connection: Connection, stored: sqlite3.Row, entry: Entry) -> bool:
    """Counters of the feed's own move without being an edit; whether they did."""
    counts = upstream_counts(entry)
    if counts in {(None, None, None), tuple(stored[name] for name in UPSTREAM)}:
        return False
    connection.execute(
        f"UPDATE entries SET {', '.join(f'{name} = ?' for name in UPSTREAM)} WHERE id = ?", (*counts, stored["id"])
    )
    return True


def _edit(connection: Connection, row_id: int, entry: Entry, row: Row) -> set[bytes]:
    before = forget_links(connection, row_id)
    connection.execute(_EDIT, (*(column(row, name) for name in (*CONTENT, "updated")), row_id))
    parsed = entry.parsed
    connection.execute(
        "INSERT INTO bodies(entry_id, summary_html, content_html) VALUES (?, ?, ?) ON CONFLICT(entry_id) DO UPDATE"
        " SET summary_html = excluded.summary_html, content_html = excluded.content_html",
        (row_id, parsed.summary_html, parsed.content_html),
    )
    connection.execute("UPDATE search_text SET words = ?2 WHERE id = ?1 AND words <> ?2", (row_id, searched(entry)))
    return before | put_links(connection, column(row, "source_id"), [(row_id, entry.outlinks)])
