"""Keeps what is stored of an item or story beside it in step with its entries: what listings filter and sort by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aggregator.store.sql.batches import padded_batches, placeholders
from aggregator.store.sql.engine import Connection

_ENTRIES = """
SELECT e.id, e.source_id, e.published, e.first_seen, e.updated, e.section, e.boost, e.pin_ms, e.text_key, e.tombstone,
    e.dropped IS NULL AND s.role = 'source' AS visible, s.section AS source_section, s.more_sections
FROM entries e JOIN sources s ON s.id = e.source_id WHERE e.item_id = ? ORDER BY e.id
"""
#: each other source is one vote, however many of its entries link here; an entry of a signal source links to what it
#: is about as well. As far as they had by `until`
_CITATIONS = """
WITH voting AS (
    SELECT * FROM (SELECT o.source_id FROM entries e JOIN outlinks o ON o.link_key = e.link_key
        JOIN entries citing ON citing.id = o.entry_id
    WHERE e.item_id = :item AND citing.dropped IS NULL AND citing.first_seen <= :until LIMIT 1000) AS links
    UNION ALL
    SELECT * FROM (SELECT about.source_id FROM entries e JOIN entries about ON about.link_key = e.link_key
        JOIN sources s ON s.id = about.source_id
    WHERE e.item_id = :item AND s.role = 'signal' AND about.dropped IS NULL AND about.first_seen <= :until
    LIMIT 1000) AS signals)
SELECT count(DISTINCT source_id) FROM voting WHERE source_id NOT IN (
    SELECT own.source_id FROM entries own JOIN sources s ON s.id = own.source_id
    WHERE own.item_id = :item AND s.role = 'source')
"""
EVER_MS = 1 << 62
#: an address that more entries share is a home page, not an article: votes for it are not worth counting
SHARED_ADDRESS = 20
_KNOWN = """
WITH asked(key) AS (VALUES {keys})
SELECT key FROM asked WHERE (SELECT 1 FROM entries WHERE link_key = key LIMIT 1) IS NOT NULL
"""
_COLUMNS = (
    *(
        "lead_id",
        "source_id",
        "section",
        "more_sections",
        "published",
        "first_seen",
        "updated",
        "shown",
        "live",
        "text_key",
    ),
    *("sources", "citations", "boost", "pinned_until"),
)
_CURRENT = f"SELECT {', '.join(_COLUMNS)}, story_id, revision FROM items WHERE id = ?"
#: whoever calls undoes everything where this fails; see `ingest` for what `or_fail` saves
_UPDATE = f"UPDATE{{or_fail}} items SET {', '.join(f'{name} = ?' for name in _COLUMNS)}, revision = ? WHERE id = ?"


def bump(connection: Connection) -> None:
    """Something that readers see has changed."""
    connection.execute(
        "INSERT INTO counters(name, value) VALUES (?, 1) ON CONFLICT(name) DO UPDATE SET value = counters.value + 1",
        (connection.generation_counter,),
    )


def generation(connection: Connection) -> int:
    """A number that changes with every change that readers see."""
    query = "SELECT CAST(coalesce(sum(value), 0) AS bigint) FROM counters WHERE name LIKE 'generation%'"
    return int(connection.execute(query).fetchone()[0])


def recompute_item(connection: Connection, item_id: int) -> bool:
    """Recomputes an item from its entries; whether anything changed.

    Shown is its oldest entry that is neither dropped, nor a signal, nor without content. A changed text of that
    entry makes the item wait to be curated again.
    """
    if connection.row_lock:  # first, so that what others commit meanwhile is seen
        connection.execute(f"SELECT id FROM items WHERE id = ?{connection.row_lock}", (item_id,))
    entries = connection.execute(_ENTRIES, (item_id,)).fetchall()
    if not entries:
        return False
    visible = [entry for entry in entries if entry["visible"]]
    full = [entry for entry in visible if not entry["tombstone"]]
    lead = (full or visible or entries)[0]
    # an item whose first copies have lost their content to retention is as old as they were
    old = [entry["published"] for entry in visible if entry["tombstone"]]
    values = (
        lead["id"],
        lead["source_id"],
        lead["section"] or lead["source_section"],
        "[]" if lead["section"] else lead["more_sections"],
        min([lead["published"], *old]) if full else lead["published"],
        min(entry["first_seen"] for entry in entries),
        lead["updated"],
        bool(full),
        any(not entry["tombstone"] for entry in entries),
        lead["text_key"],
        len({entry["source_id"] for entry in visible}) or 1,
        citations(connection, item_id),
        lead["boost"],
        None if lead["pin_ms"] is None else lead["first_seen"] + lead["pin_ms"],
    )
    before = connection.execute(_CURRENT, (item_id,)).fetchone()
    if tuple(before)[: len(values)] == values:
        return False
    revision = before["revision"] + (before["text_key"] != lead["text_key"])
    connection.execute(_UPDATE.format(or_fail=connection.or_fail), (*values, revision, item_id))
    if before["story_id"] is not None:
        recompute_story(connection, before["story_id"])
    return True


def citations(connection: Connection, item_id: int, *, until_ms: int = EVER_MS) -> int:
    """How many other sources link to an item, as far as they had by then."""
    return int(connection.execute(_CITATIONS, {"item": item_id, "until": until_ms}).fetchone()[0])


def cited_items(connection: Connection, link_keys: Iterable[bytes]) -> set[int]:
    """The items at these addresses: their votes have changed."""
    query = f"SELECT item_id FROM entries WHERE link_key = ? AND item_id IS NOT NULL LIMIT {SHARED_ADDRESS}"
    return {row[0] for key in _known(connection, list(link_keys)) for row in connection.execute(query, (key,))}


def _known(connection: Connection, link_keys: Sequence[bytes]) -> Iterator[bytes]:
    """Those of these addresses that any entry has: few of what articles link to."""
    for some in padded_batches(link_keys):
        yield from {key for (key,) in connection.execute(_KNOWN.format(keys=placeholders(len(some), "(?)")), some)}


def recompute_story(connection: Connection, story_id: int) -> None:
    """Recomputes how many sources carry a story (syndicated copies once: `coverage`) and when it last moved."""
    coverage, moved_at = connection.execute(
        "SELECT count(DISTINCT source_id), max(first_seen) FROM items WHERE story_id = ? AND shown", (story_id,)
    ).fetchone()
    (sources,) = connection.execute(
        "SELECT count(DISTINCT e.source_id) FROM items i JOIN entries e ON e.item_id = i.id JOIN sources s"
        " ON s.id = e.source_id WHERE i.story_id = ? AND i.shown AND e.dropped IS NULL AND s.role = 'source'",
        (story_id,),
    ).fetchone()
    connection.execute(
        "INSERT INTO stories(id, moved_at, sources, coverage) VALUES (?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
        " moved_at = excluded.moved_at, sources = excluded.sources, coverage = excluded.coverage",
        (story_id, moved_at or 0, sources, coverage),
    )
