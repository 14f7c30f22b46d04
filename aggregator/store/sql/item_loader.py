"""Rows of items made into the values of the model; shared by every room that hands items out."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Hashable, Sequence
from itertools import groupby
from typing import Generic, TypeVar

from aggregator.model import Copy, Item, ItemText, RelatedTier
from aggregator.store.sql import codec, derived_columns
from aggregator.store.sql.engine import Connection, Row
from aggregator.store.sql.ids import decode_id

_CHUNK = 500
#: row, score and tier of what is related to an item
Related = tuple[int, float, RelatedTier]
#: how much of the items that were read last is kept, and how many lists of related ones
_CACHED_BYTES = 8_000_000
_CACHED_PAIRS = 1_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: the language of an item: as declared, region included, unless another one was detected ('': none that is known)
LANGUAGE = """CASE WHEN i.language IS NULL OR e.language = i.language OR e.language LIKE i.language || '-%'
    THEN e.language ELSE nullif(i.language, '') END"""
_ITEMS = f"""
SELECT i.id AS row_id, i.public_id, i.section, i.more_sections, i.published, i.first_seen, i.updated, i.views, i.likes,
    i.pinned_until, e.title, e.url, e.author, e.text, {LANGUAGE} AS language, e.categories, e.image_url, e.image_width,
    e.enclosures,
    e.upstream_comments, e.upstream_views, e.upstream_votes, s.full_text, {codec.REF_COLUMNS}, b.html,
    st.public_id AS story
FROM items i JOIN entries e ON e.id = i.lead_id JOIN sources s ON s.id = e.source_id
    LEFT JOIN bodies b ON b.entry_id = e.id LEFT JOIN items st ON st.id = i.story_id
WHERE i.shown AND i.id IN
"""
_COPIES = f"""
SELECT e.item_id, e.entry_id, e.title, e.url, e.published, e.first_seen, e.rule, e.figures, {codec.REF_COLUMNS}
FROM entries e JOIN sources s ON s.id = e.source_id JOIN items i ON i.id = e.item_id
WHERE e.dropped IS NULL AND s.role = 'source' AND e.item_id IN ({{}})
ORDER BY e.item_id, e.id <> i.lead_id, e.id
"""
#: the lead entry of an item as text to compare; to be followed by WHERE
ITEM_TEXTS = f"""
SELECT i.id AS row_id, i.public_id, i.revision, i.published, i.first_seen, e.title, e.text, e.language,
    e.canonical_url, e.outlinks, st.public_id AS story, {codec.REF_COLUMNS}
FROM items i JOIN entries e ON e.id = i.lead_id JOIN sources s ON s.id = e.source_id
    LEFT JOIN items st ON st.id = i.story_id
"""


def items(
    connection: Connection, row_ids: Sequence[int], cache: GenerationCache[int, Item] | None = None
) -> list[Item]:
    """The shown ones among these items, in this order, each once."""
    found = by_row(connection, row_ids, cache)
    return [found[row_id] for row_id in dict.fromkeys(row_ids) if row_id in found]


def by_row(
    connection: Connection, row_ids: Sequence[int], cache: GenerationCache[int, Item] | None = None
) -> dict[int, Item]:
    """The shown ones among these items, by their rows."""
    if cache is not None:
        return cache.get(connection, row_ids, lambda missing: by_row(connection, missing))
    found: dict[int, Item] = {}
    distinct = list(dict.fromkeys(row_ids))
    for start in range(0, len(distinct), _CHUNK):
        found |= _load(connection, distinct[start : start + _CHUNK])
    return found


def _load(connection: Connection, row_ids: Sequence[int]) -> dict[int, Item]:
    places = ", ".join("?" * len(row_ids))
    copies = {
        row_id: tuple(map(codec.copy, rows))
        for row_id, rows in groupby(connection.execute(_COPIES.format(places), row_ids), lambda row: row["item_id"])
    }
    rows = connection.execute(f"{_ITEMS} ({places})", row_ids)
    return {row["row_id"]: codec.item(row, copies.get(row["row_id"], ())) for row in rows}


class GenerationCache(Generic[K, V]):
    """What was read last, as it is in one state of the store: lists and pages hold the same. For any thread."""

    def __init__(self, most: int, *, size: Callable[[V], int] = lambda _: 1) -> None:
        self._most, self._size_of, self._size = most, size, 0
        self._lock = threading.Lock()
        self._generation = -1
        self._kept: dict[K, V] = {}

    def get(self, connection: Connection, keys: Sequence[K], read: Callable[[list[K]], dict[K, V]]) -> dict[K, V]:
        """What stands under these keys; `read` gives what is not on the cache.

        The generation is read in the same snapshot, so that nothing of another state is given.
        """
        generation = derived_columns.generation(connection)
        with self._lock:
            if generation > self._generation:
                self._generation, self._kept, self._size = generation, {}, 0
            known = self._kept if generation == self._generation else {}
            found = {key: known[key] for key in keys if key in known}
        if missing := [key for key in dict.fromkeys(keys) if key not in found]:
            more = read(missing)
            self._put(generation, more)
            found |= more
        return found

    def _put(self, generation: int, more: dict[K, V]) -> None:
        size = sum(map(self._size_of, more.values()))
        with self._lock:
            if generation == self._generation and self._size + size <= self._most:
                self._kept |= more
                self._size += size


def caches() -> tuple[GenerationCache[int, Item], GenerationCache[tuple[int, int], list[Related]]]:
    """Caches of the items that were read last, and of lists of related ones, for a store to keep."""
    return GenerationCache(_CACHED_BYTES, size=_size_of), GenerationCache(_CACHED_PAIRS)


def _size_of(item: Item) -> int:
    """About how many bytes an item takes."""
    return 2_000 + len(item.content_html) + len(item.summary_html) + len(item.text)


def copies_of(connection: Connection, row_id: int) -> tuple[Copy, ...]:
    """Every visible copy of an item, the one shown first."""
    return tuple(map(codec.copy, connection.execute(_COPIES.format("?"), (row_id,))))


def text_of(row: Row) -> ItemText:
    """One row of `ITEM_TEXTS`."""
    return codec.item_text(row, tuple(codec.unpack(row["outlinks"]) or ()))


def resolve(connection: Connection, item_id: str) -> int | None:
    """The row of the item that this id, or the id it was merged into, stands for; None: there never was one."""
    number = decode_id(item_id)
    if number is None:
        return None
    query = "SELECT coalesce(merged_into, id) FROM items WHERE public_id = ?"
    row = connection.execute(query, (number,)).fetchone()
    return None if row is None else int(row[0])


def resolve_each(connection: Connection, ids: Sequence[str]) -> list[int | None]:
    """`resolve` for each of these ids, in their order."""
    numbers = list(map(decode_id, ids))
    query = (
        "SELECT public_id, coalesce(merged_into, id) FROM items"
        " WHERE public_id IN (SELECT CAST(value AS bigint) FROM json_each(?))"
    )
    asked = json.dumps([number for number in numbers if number is not None])
    rows: dict[int | None, int] = dict(connection.execute(query, (asked,)).fetchall())
    return [rows.get(number) for number in numbers]


def resolve_story(connection: Connection, story: str) -> int | None:
    """The row of a story, by its id or a former one; None: there never was one."""
    number = decode_id(story)
    if number is None:
        return None
    row = connection.execute(
        "SELECT i.id, s.merged_into FROM items i LEFT JOIN stories s ON s.id = i.id WHERE i.public_id = ?", (number,)
    ).fetchone()
    return None if row is None else int(row["merged_into"] or row["id"])
