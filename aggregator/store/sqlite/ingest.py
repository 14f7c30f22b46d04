"""What one poll's entries change: each is inserted, edited in place or found unchanged, and joins or founds an item."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.model import Entry, PollResult, Verdict
from aggregator.store import Stored
from aggregator.store.sqlite import codec
from aggregator.store.sqlite.connection import Connection
from aggregator.store.sqlite.keys import digest, public_id, search_words
from aggregator.store.sqlite.shown import cited_items, refresh_item

DAY_MS = 86_400_000
#: how much of an entry's text can be searched
SEARCHED_CHARACTERS = 1_000

#: follow the entry: replaced when it was edited
_CONTENT = (
    *("canonical_url", "link_key", "title", "url", "content_hash", "text_key", "dropped", "boost", "pin_ms", "section"),
    *("author", "language", "image_url", "categories", "enclosures", "outlinks", "text"),
)
_UPSTREAM = ("upstream_comments", "upstream_views", "upstream_votes")
#: never change: identity and first times
_FIXED = ("source_id", "entry_key", "entry_id", "id_basis", "guid", "guid_key", "published", "first_seen")
_ALL = (*_FIXED, *_CONTENT, *_UPSTREAM, "updated")
_INSERT = f"INSERT INTO entries({', '.join(_ALL)}) VALUES ({', '.join('?' * len(_ALL))})"
#: an identical entry writes nothing; content that retention has removed stays removed
_UPSERT = f"""{_INSERT} ON CONFLICT(source_id, entry_key) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in (*_CONTENT, "updated"))}, revision = revision + 1
    WHERE (content_hash <> excluded.content_hash OR url IS NOT excluded.url) AND NOT tombstone
    RETURNING id, revision, item_id"""
_INSERT_ONLY = f"{_INSERT} ON CONFLICT(source_id, entry_key) DO NOTHING RETURNING id, revision, item_id"


def verdict_columns(verdict: Verdict) -> tuple[str | None, float, int | None, str | None]:
    """A verdict as the columns dropped, boost, pin_ms, section."""
    return verdict.dropped, verdict.boost, codec.span_ms(verdict.pin), verdict.section


def _row(entry: Entry, source_id: int, polled_ms: int) -> tuple[object, ...]:
    parsed = entry.parsed
    return (
        source_id,
        digest(entry.entry_id),
        entry.entry_id,
        entry.id_basis,
        parsed.guid,
        None if parsed.guid is None else digest(parsed.guid),
        min(codec.to_ms(entry.published), polled_ms),
        polled_ms,
        entry.canonical_url,
        None if entry.canonical_url is None else digest(entry.canonical_url),
        parsed.title,
        parsed.link,
        parsed.content_hash,
        digest(parsed.title, parsed.text),
        *verdict_columns(entry.verdict),
        parsed.author,
        parsed.language,
        parsed.image_url,
        codec.pack_or_none(parsed.categories),
        codec.pack_enclosures(parsed.enclosures),
        codec.pack_or_none(entry.outlinks),
        parsed.text,
        *(codec.int64(n) for n in (parsed.upstream.comments, parsed.upstream.views, parsed.upstream.votes)),
        polled_ms,
    )


def store_entries(connection: Connection, feed_url: str, result: PollResult) -> tuple[Stored, bool]:
    """Stores a poll's entries; what that changed, and whether readers see any of it."""
    polled_ms = codec.to_ms(result.polled_at)
    new: list[tuple[int, Entry]] = []
    touched, cited = set[int](), set[bytes]()
    updated = counted = 0
    (role,) = connection.execute("SELECT role FROM sources WHERE id = ?", (result.source_id,)).fetchone()
    for entry in _oldest_first(result.entries):
        if entry.replaces is not None:
            _rekey(connection, result.source_id, entry)
        row = _row(entry, result.source_id, polled_ms)
        stored = connection.execute(_INSERT_ONLY if result.insert_only else _UPSERT, row).fetchone()
        if stored is not None:
            cited |= _put_apart(connection, stored["id"], result.source_id, entry, edited=stored["revision"] > 0)
            if role == "signal" and entry.canonical_url is not None:
                cited.add(digest(entry.canonical_url))
        else:
            counted += _put_upstream(connection, result.source_id, entry)
        if stored is not None and stored["revision"] == 0:
            new.append((stored["id"], entry))
        elif stored is not None:
            updated += 1
            touched.add(stored["item_id"])
    founded = _give_items(connection, feed_url, result.source_id, new, touched)
    _count_new(connection, result.source_id, [entry for _, entry in new], polled_ms)
    for item_id in touched | cited_items(connection, cited):
        refresh_item(connection, item_id)
    oldest = min((entry.published for _, entry in new), default=None)
    stored_all = Stored(new_entries=len(new), new_items=founded, updated=updated, oldest_new=oldest)
    return stored_all, bool(new or updated or counted)


def _oldest_first(entries: Sequence[Entry]) -> list[Entry]:
    """In the order of time, so that row ids follow it where a feed is read for the first time.

    An entry that stands in a document twice counts as it stands first; else it would be edited at every poll.
    """
    distinct = {entry.entry_id: entry for entry in reversed(entries)}
    return sorted(distinct.values(), key=lambda entry: entry.published)


def _rekey(connection: Connection, source_id: int, entry: Entry) -> None:
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


def _put_upstream(connection: Connection, source_id: int, entry: Entry) -> bool:
    """Counters of the feed's own move without being an edit; whether they did."""
    upstream = entry.parsed.upstream
    counts = tuple(codec.int64(n) for n in (upstream.comments, upstream.views, upstream.votes))
    if counts == (None, None, None):
        return False
    done = connection.execute(
        "UPDATE entries SET upstream_comments = ?1, upstream_views = ?2, upstream_votes = ?3 WHERE source_id = ?4"
        " AND entry_key = ?5 AND NOT tombstone AND (upstream_comments IS NOT ?1 OR upstream_views IS NOT ?2"
        " OR upstream_votes IS NOT ?3)",
        (*counts, source_id, digest(entry.entry_id)),
    )
    return done.rowcount > 0


def _put_apart(connection: Connection, row_id: int, source_id: int, entry: Entry, *, edited: bool) -> set[bytes]:
    """What belongs to an entry and stands in tables of its own: bodies, searchable words, outgoing links.

    Gives the keys of the addresses that it links to now or linked to before.
    """
    parsed = entry.parsed
    connection.execute(
        "INSERT INTO bodies(entry_id, summary_html, content_html) VALUES (?, ?, ?) ON CONFLICT(entry_id) DO UPDATE"
        " SET summary_html = excluded.summary_html, content_html = excluded.content_html",
        (row_id, parsed.summary_html, parsed.content_html),
    )
    parts = (parsed.title, parsed.text[:SEARCHED_CHARACTERS], parsed.author or "", *parsed.categories)
    connection.execute(
        "INSERT INTO search_text(id, words) VALUES (?, ?) ON CONFLICT(id) DO UPDATE SET words = excluded.words"
        " WHERE words <> excluded.words",
        (row_id, search_words("\n".join(filter(None, parts)))),
    )
    forget = "DELETE FROM outlinks WHERE entry_id = ? RETURNING link_key"
    before = connection.execute(forget, (row_id,)).fetchall() if edited else []
    links = {digest(link) for link in entry.outlinks}
    connection.executemany(
        "INSERT OR IGNORE INTO outlinks(link_key, source_id, entry_id) VALUES (?, ?, ?)",
        [(link, source_id, row_id) for link in links],
    )
    return links | {row[0] for row in before}


def _give_items(
    connection: Connection, feed_url: str, source_id: int, new: Sequence[tuple[int, Entry]], touched: set[int]
) -> int:
    """Joins new entries to items of the same address at other sources, else founds items; how many it founded."""
    founded = 0
    for row_id, entry in new:
        item_id = _same_address(connection, source_id, row_id, entry)
        rule = "first" if item_id is None else "canonical-url"
        if item_id is None:
            item_id = _found(connection, feed_url, entry.entry_id)
            founded += 1
        connection.execute("UPDATE entries SET item_id = ?, rule = ? WHERE id = ?", (item_id, rule, row_id))
        touched.add(item_id)
    return founded


def _same_address(connection: Connection, source_id: int, row_id: int, entry: Entry) -> int | None:
    """The item of another source at this entry's canonical address.

    An address that this source has given to several entries (a home page, a live page) says nothing of either.
    """
    if entry.canonical_url is None:
        return None
    asked = (digest(entry.canonical_url), source_id, row_id)
    own = "SELECT 1 FROM entries WHERE link_key = ? AND source_id = ? AND id <> ? LIMIT 1"
    if connection.execute(own, asked).fetchone() is not None:
        return None
    others = (
        "SELECT item_id, min(id) FROM entries WHERE link_key = ? AND source_id <> ? AND id <> ? AND item_id IS NOT NULL"
    )
    found = connection.execute(others, asked).fetchone()[0]
    return None if found is None else int(found)


def _found(connection: Connection, feed_url: str, entry_id: str) -> int:
    """A new item under the id that follows from its founding entry; salted where two entries would share one."""
    salt = 0
    while True:
        row = connection.execute(
            "INSERT INTO items(public_id, published, first_seen, updated) VALUES (?, 0, 0, 0)"
            " ON CONFLICT(public_id) DO NOTHING RETURNING id",
            (public_id(feed_url, entry_id, salt),),
        ).fetchone()
        if row is not None:
            return int(row["id"])
        salt += 1


def _count_new(connection: Connection, source_id: int, new: Sequence[Entry], polled_ms: int) -> None:
    """Counts a source's new entries by the day they were published: its rate and its sparkline."""
    if not new:
        return
    published = [min(codec.to_ms(entry.published), polled_ms) for entry in new]
    connection.executemany(
        "INSERT INTO source_days(source_id, day, n) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1",
        [(source_id, moment // DAY_MS) for moment in published],
    )
    connection.execute(
        "UPDATE sources SET entries = entries + ?, last_item = max(coalesce(last_item, 0), ?) WHERE id = ?",
        (len(new), max(published), source_id),
    )
