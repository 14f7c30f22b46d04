"""Merges that may be wrong: which items are doubted, what they were made of, and taking them apart again.

An entry of an item that absorbed others keeps the item it had before (`home_id`), whether texts or addresses were the
reason; NULL is the item it stands in, which is most of them. An edit of any of their texts is a doubt, noted by a
trigger, so that it is as durable as the edit; an address that a source comes to share is one as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from aggregator.errors import StoreError
from aggregator.model import Doubt, ItemText, Split, Undone
from aggregator.store.sql import codec, item_loader
from aggregator.store.sql.batches import padded_batches, placeholders
from aggregator.store.sql.derived_columns import recompute_item
from aggregator.store.sql.engine import Connection, Row
from aggregator.store.sql.ids import decode_id, encode_id

#: why an entry stands in its item: it founded it, or its address is the same; else by "near-duplicate"
FIRST, BY_ADDRESS = "first", "canonical-url"

_PARTS = f"""
SELECT e.id AS entry_row, coalesce(e.home_id, e.item_id) AS home, e.link_key, e.tombstone,
    e.dropped IS NULL AND s.role = 'source' AS visible, h.public_id, NULL AS story, e.published, e.first_seen, e.title,
    e.text, e.language, e.canonical_url, e.outlinks, {codec.REF_COLUMNS}
FROM entries e JOIN items h ON h.id = coalesce(e.home_id, e.item_id) JOIN sources s ON s.id = e.source_id
WHERE e.item_id = ? ORDER BY e.id
"""
#: which of these addresses a source has given to several of its entries
_SHARED = """
SELECT DISTINCT link_key FROM (
    SELECT link_key FROM entries WHERE link_key IN ({}) GROUP BY link_key, source_id HAVING count(*) > 1) shared
"""
#: items at these addresses that others were merged into
_DOUBT = """
INSERT INTO doubts(item_id, n) SELECT DISTINCT item_id, 1 FROM entries WHERE link_key IN ({}) AND home_id IS NOT NULL
ON CONFLICT(item_id) DO UPDATE SET n = doubts.n + 1
"""
_UNDONE = """
SELECT k.public_id AS kept, r.public_id AS restored, u.merged, u.figures, u.at
FROM undone u JOIN items k ON k.id = u.item_id JOIN items r ON r.id = u.restored
WHERE u.item_id = :item OR u.restored = :item ORDER BY u.at, r.id
"""


# --- what is doubted ----------------------------------------------------------------------
def doubted(connection: Connection, limit: int) -> list[tuple[Doubt, int]]:
    """Items whose texts have changed since they were merged, and how often they have."""
    rows = connection.execute(
        "SELECT d.item_id, d.n, i.public_id FROM doubts d JOIN items i ON i.id = d.item_id ORDER BY d.item_id LIMIT ?",
        (limit,),
    ).fetchall()
    return [
        (Doubt(item_id=encode_id(row["public_id"]), parts=_texts(connection, row["item_id"])), row["n"]) for row in rows
    ]


def shared_addresses(connection: Connection, link_keys: Iterable[bytes | None]) -> set[bytes]:
    """Those of the addresses that one source has given to several entries: landing pages, which say nothing alone."""
    keys = [key for key in dict.fromkeys(link_keys) if key is not None]
    return {
        bytes(key)
        for some in padded_batches(keys)
        for (key,) in connection.execute(_SHARED.format(placeholders(len(some))), some)
    }


def doubt_addresses(connection: Connection, link_keys: Iterable[bytes | None]) -> None:
    """Items that were merged by these addresses are to be looked at: a source has come to share them."""
    for some in padded_batches([key for key in dict.fromkeys(link_keys) if key is not None]):
        connection.execute(_DOUBT.format(placeholders(len(some))), some)


def _parts(connection: Connection, item: int) -> Mapping[int, Sequence[Row]]:
    """The entries of an item, by the items that they would be on their own, oldest first."""
    parts: dict[int, list[Row]] = {}
    for row in connection.execute(_PARTS, (item,)).fetchall():
        parts.setdefault(row["home"], []).append(row)
    return dict(sorted(parts.items()))


def _texts(connection: Connection, item: int) -> tuple[ItemText, ...]:
    parts = _parts(connection, item)
    shared = shared_addresses(connection, [row["link_key"] for rows in parts.values() for row in rows])
    texts = []
    for rows in parts.values():
        full = [row for row in rows if not row["tombstone"]]
        if full:
            lead = next((row for row in full if row["visible"]), full[0])
            text = replace(item_loader.text_of(lead), item_id=encode_id(rows[0]["public_id"]))
            is_shared = lead["link_key"] is not None and bytes(lead["link_key"]) in shared
            texts.append(replace(text, canonical_url=None) if is_shared else text)
    return tuple(texts)


def settle(connection: Connection, item_ids: Iterable[str], handed: Mapping[str, int]) -> None:
    """These have been looked at; what was edited since it was handed out stays doubted."""
    for item_id in item_ids:
        connection.execute(
            "DELETE FROM doubts WHERE item_id = (SELECT id FROM items WHERE public_id = ?) AND n <= coalesce(?, n)",
            (decode_id(item_id), handed.get(item_id)),
        )


# --- merging and its opposite ---------------------------------------------------------------
def remember_home(connection: Connection, absorb: int, keep: int) -> None:
    """Entries of the item that is about to be absorbed will know where they came from; so do doubts about it."""
    connection.execute("UPDATE entries SET home_id = coalesce(home_id, item_id) WHERE item_id = ?", (absorb,))
    pass_on(connection, absorb, keep)


def pass_on(connection: Connection, absorb: int, keep: int) -> None:
    """Doubts about an item become doubts about the one that absorbs it."""
    if connection.execute("DELETE FROM doubts WHERE item_id = ?", (absorb,)).rowcount:
        connection.execute(
            "INSERT INTO doubts(item_id, n) VALUES (?, 1) ON CONFLICT(item_id) DO UPDATE SET n = doubts.n + 1", (keep,)
        )


def undo(connection: Connection, split: Split, now_ms: int) -> None:
    """Gives an absorbed id its item and its entries back; nothing if that has been done. Both are to be curated."""
    keep, restored = item_loader.resolve(connection, split.item_id), decode_id(split.restore)
    row = connection.execute("SELECT id, merged_into FROM items WHERE public_id = ?", (restored,)).fetchone()
    if keep is None or row is None:
        raise StoreError(f"there is no item {split.item_id!r} that {split.restore!r} could be split from")
    own = [entry["entry_row"] for entry in _parts(connection, keep).get(row["id"], ())]
    if row["merged_into"] != keep or not own:
        return
    merged = connection.execute(
        "SELECT figures FROM entries WHERE item_id = ? AND home_id = ? AND rule <> ? ORDER BY id",
        (keep, row["id"], FIRST),
    ).fetchone()
    connection.executemany(
        "UPDATE entries SET item_id = ?, home_id = NULL, figures = NULL, rule = ? WHERE id = ?",
        [(row["id"], FIRST, entry) for entry in own],
    )
    connection.execute(
        "UPDATE items SET merged_into = NULL, curated = 0, story_id = NULL, story_figures = NULL WHERE id = ?",
        (row["id"],),
    )
    connection.execute("UPDATE items SET revision = revision + 1 WHERE id = ?", (keep,))
    connection.execute(
        "INSERT INTO undone(item_id, restored, merged, figures, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT(item_id, restored) DO UPDATE"
        " SET merged = excluded.merged, figures = excluded.figures, at = excluded.at",
        (keep, row["id"], merged and merged["figures"], codec.pack_or_none(dict(split.figures)), now_ms),
    )
    recompute_item(connection, row["id"])
    recompute_item(connection, keep)


def undone(connection: Connection, row_id: int) -> tuple[Undone, ...]:
    """The merges of an item that were undone, from either side, oldest first."""
    return tuple(
        Undone(
            item_id=encode_id(row["kept"]),
            restored=encode_id(row["restored"]),
            merged=codec.figures(row["merged"]),
            figures=codec.figures(row["figures"]),
            at=codec.from_ms(row["at"]),
        )
        for row in connection.execute(_UNDONE, {"item": row_id})
    )
