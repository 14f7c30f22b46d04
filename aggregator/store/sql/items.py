"""Items for whoever shows them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from aggregator.model import (
    Activity,
    Item,
    Provenance,
    RelatedItem,
    Scope,
    SearchCounts,
    StoreStats,
    Story,
)
from aggregator.store.sql import codec, item_loader, merge_review
from aggregator.store.sql.derived_columns import generation
from aggregator.store.sql.engine import NO_LIMIT, Connection, Engine
from aggregator.store.sql.ids import decode_id, encode_id

#: how many of the latest hits of a search are put into the order of time
SEARCH_DEPTH = 2_000
_ALL = NO_LIMIT
_MANY = 1 << 31

#: hits that are counted by section and source
SEARCH_COUNTED = 1_000
#: the items of entries (JSON array) that a search has found; to be completed with conditions
_FOUND = """
FROM entries f JOIN items i ON i.id = f.item_id JOIN sources s ON s.id = f.source_id
WHERE f.id IN (SELECT CAST(value AS bigint) FROM json_each(?)) AND f.dropped IS NULL AND s.role = 'source'
"""
_EVERYTHING = Scope()
_STATS = """
SELECT (SELECT count(*) FROM sources WHERE configured) AS sources,
    (SELECT CAST(coalesce(sum(entries), 0) AS bigint) FROM sources) AS entries,
    (SELECT count(*) FROM items WHERE shown) AS items,
    (SELECT count(*) FROM stories WHERE merged_into IS NULL AND sources > 0) AS stories,
    (SELECT value FROM counters WHERE name = 'views') AS views, (SELECT count(*) FROM likes) AS likes,
    (SELECT count(*) FROM items WHERE shown AND revision <> curated) AS pending
"""
_STORIES = """
SELECT id FROM stories WHERE sources >= ? AND merged_into IS NULL ORDER BY moved_at DESC, id DESC LIMIT ?
"""
#: the best of each source: an item collects pairs from both sides, so the cap of deciding does not hold here
_RELATED_PER_SOURCE = 2
#: of all the items asked for (JSON array `items`), the `limit` best of each
_RELATED = f"""
SELECT item_id, other_id, score, tier FROM (
    SELECT item_id, other_id, score, tier, row_number() OVER (
        PARTITION BY item_id ORDER BY tier DESC, score DESC, published DESC, public_id) AS rank
    FROM (
        SELECT r.item_id, r.other_id, r.score, r.tier, i.published, i.public_id, row_number() OVER (
            PARTITION BY r.item_id, i.source_id
            ORDER BY r.tier DESC, r.score DESC, i.published DESC, i.public_id) AS place
        FROM related r JOIN items i ON i.id = r.other_id JOIN items me ON me.id = r.item_id
        WHERE r.item_id IN (SELECT CAST(value AS bigint) FROM json_each(:items)) AND i.shown
            AND coalesce(i.story_id, i.id) <> coalesce(me.story_id, me.id)) AS by_source
    WHERE place <= {_RELATED_PER_SOURCE}) AS ranked
WHERE rank <= :limit ORDER BY item_id, rank
"""
#: the shown items of stories (JSON array `stories`); an item in no story is one of its own. Either half has an index
_MEMBERS = """
SELECT story_id AS story, id, published, public_id FROM items
WHERE shown AND story_id IN (SELECT CAST(value AS bigint) FROM json_each(:stories))
UNION ALL SELECT id, id, published, public_id FROM items
WHERE shown AND story_id IS NULL AND id IN (SELECT CAST(value AS bigint) FROM json_each(:stories))
ORDER BY published, public_id
"""
#: by the source it is shown under, else by another one that carries it
_IN_LATEST = """(i.source_id NOT IN (SELECT id FROM sources WHERE NOT in_latest) OR EXISTS (
    SELECT 1 FROM entries e JOIN sources s ON s.id = e.source_id
    WHERE e.item_id = i.id AND s.in_latest AND s.role = 'source' AND e.dropped IS NULL))"""
_NEWEST_FIRST = "ORDER BY i.published DESC, i.public_id DESC LIMIT ?"
#: to be grouped by an expression: for a column SQLite would rather read its index to the end, which is in order
_RECENT = "FROM items WHERE shown AND published >= ?"
_STORIES_BY_SECTION = """
SELECT section, count(DISTINCT story) FROM (
    SELECT i.section, coalesce(i.story_id, i.id) AS story FROM items i WHERE i.shown AND i.published >= :since
    UNION ALL SELECT more.value, coalesce(i.story_id, i.id) FROM items i CROSS JOIN json_each(i.more_sections) AS more
        WHERE i.shown AND i.published >= :since AND i.more_sections <> '[]') AS every GROUP BY section
"""
#: its first section, and its further ones
_IN_SECTION = "i.section = ?"
_ALSO_IN_SECTION = "i.more_sections <> '[]' AND EXISTS (SELECT 1 FROM json_each(i.more_sections) WHERE value = ?)"
_PLACES = """
SELECT l.key, p.key + 1 AS place, p.value FROM lists l, json_each(l.places) p
WHERE l.key NOT LIKE '%/reader/%' AND json_extract(p.value, '$[0]') = ? ORDER BY l.key, place
"""


class Items:
    """`ItemStore` on SQLite."""

    _engine: Engine
    _item_cache: item_loader.GenerationCache[int, Item]
    #: by row and limit: the rows of the related items with their scores
    _related_cache: item_loader.GenerationCache[tuple[int, int], list[item_loader.Related]]

    def resolve(self, item_id: str) -> str | None:
        """The id under which this item is shown now; None: never existed."""

        def run(connection: Connection) -> str | None:
            row_id = item_loader.resolve(connection, item_id)
            if row_id is None:
                return None
            query = "SELECT public_id FROM items WHERE id = ?"
            return encode_id(connection.execute(query, (row_id,)).fetchone()[0])

        return self._engine.read(run)

    def items(self, ids: Sequence[str]) -> list[Item]:
        """These items in this order, each once; unknown ones are left out, merged ones resolved."""

        def run(connection: Connection) -> list[Item]:
            rows = item_loader.resolve_each(connection, ids)
            return item_loader.items(connection, [row_id for row_id in rows if row_id is not None], self._item_cache)

        return self._engine.read(run)

    def latest(self, scope: Scope, *, limit: int, before: tuple[datetime, str] | None = None) -> list[Item]:
        """Newest first by (published, id); `before` continues behind that place. limit 0: all."""
        query, values = _latest_query(scope, before, limit or _ALL)

        def run(connection: Connection) -> list[Item]:
            rows = connection.execute(query, values).fetchall()
            return item_loader.items(connection, [row[0] for row in rows], self._item_cache)

        return self._engine.read(run)

    def search(
        self, words: str, *, limit: int, scope: Scope = _EVERYTHING, before: tuple[datetime, str] | None = None
    ) -> list[Item]:
        """Items that contain all the words, newest first. Any text is a valid query. limit 0: all."""
        where, values = _conditions(scope, before)
        query = f"SELECT DISTINCT i.id, i.published, i.public_id {_FOUND} AND {where} {_NEWEST_FIRST}"

        def run(connection: Connection) -> list[Item]:
            # by the index of the words, latest first: the cost of a common word does not follow the size of the store
            entries = connection.find_words(words, max(SEARCH_DEPTH, limit) if limit else _ALL)
            rows = connection.execute(query, (json.dumps(entries), *values, limit or _ALL)).fetchall()
            return item_loader.items(connection, [row[0] for row in rows], self._item_cache)

        return self._engine.read(run)

    def search_titles(self, words: str, *, limit: int, scope: Scope = _EVERYTHING) -> list[tuple[str, str]]:
        """(id, title) of what `search` finds, newest first, a row for each title that an item has: cheap for many."""
        where, values = _conditions(scope, None)
        query = f"SELECT DISTINCT i.public_id, f.title, i.published {_FOUND} AND {where} {_NEWEST_FIRST}"

        def run(connection: Connection) -> list[tuple[str, str]]:
            entries = connection.find_words(words, limit)
            rows = connection.execute(query, (json.dumps(entries), *values, limit))
            return [(encode_id(row[0]), row[1] or "") for row in rows]

        return self._engine.read(run)

    def search_counts(self, words: str, *, scope: Scope = _EVERYTHING) -> SearchCounts:
        """Where the items of `search` stand, counted among the entries that were stored last."""
        where, values = _conditions(scope, None)
        query = f"SELECT DISTINCT i.id, i.source_id, i.section, i.more_sections {_FOUND} AND {where}"

        def run(connection: Connection) -> SearchCounts:
            entries = connection.find_words(words, SEARCH_COUNTED + 1)
            rows = connection.execute(query, (json.dumps(entries[:SEARCH_COUNTED]), *values)).fetchall()
            return SearchCounts(
                items=len(rows),
                is_capped=len(entries) > SEARCH_COUNTED,
                by_section=Counter(name for row in rows for name in (row[2], *codec.names(row[3]))),
                by_source=Counter(row[1] for row in rows),
            )

        return self._engine.read(run)

    def stories(self, *, min_sources: int, limit: int) -> Iterator[Story]:
        """Stories carried by at least `min_sources` distinct sources, the most recently moved first. limit 0: all."""

        def find(connection: Connection) -> list[int]:
            return [row[0] for row in connection.execute(_STORIES, (max(min_sources, 1), limit or _ALL))]

        for story_id in self._engine.read(find):
            story: Story | None = self._engine.read(lambda connection, row=story_id: _story(connection, row))  # type: ignore[misc]
            if story is not None:
                yield story

    def story(self, story: str) -> Story | None:
        """One story; former story ids resolve. None: there is no such story, or nothing of it is shown."""

        def run(connection: Connection) -> Story | None:
            row_id = item_loader.resolve_story(connection, story)
            return None if row_id is None else _story(connection, row_id)

        return self._engine.read(run)

    def stories_each(self, stories: Sequence[str]) -> list[Story | None]:
        """`story` for each of these ids, in their order, from one snapshot."""

        def run(connection: Connection) -> list[Story | None]:
            rows = [item_loader.resolve_story(connection, story) for story in stories]
            members = _story_members(connection, [row_id for row_id in rows if row_id is not None])
            every = [member for found in members.values() for member in found]
            items = item_loader.by_row(connection, every, self._item_cache)
            return [None if row_id is None else _story_of(row_id, members, items) for row_id in rows]

        return self._engine.read(run)

    def related(self, item_id: str, *, limit: int) -> list[RelatedItem]:
        """What is related to an item, then more that is alike, best first. limit 0: all."""
        return self.related_each([item_id], limit=limit)[0]

    def related_each(self, ids: Sequence[str], *, limit: int) -> list[list[RelatedItem]]:
        """`related` for each of these ids, in their order, from one snapshot."""

        def run(connection: Connection) -> list[list[RelatedItem]]:
            rows = item_loader.resolve_each(connection, ids)
            asked = [(row_id, limit or _MANY) for row_id in rows if row_id is not None]
            pairs = self._related_cache.get(connection, asked, lambda missing: _related(connection, missing))
            others = [other for found in pairs.values() for other, _, _ in found]
            items = item_loader.by_row(connection, others, self._item_cache)
            return [
                [
                    RelatedItem(item=items[other], score=score, tier=tier)
                    for other, score, tier in pairs[row_id, limit or _MANY]
                ]
                if row_id is not None
                else []
                for row_id in rows
            ]

        return self._engine.read(run)

    def languages(self, *, since: datetime) -> dict[str, int]:
        """How many items that were published since then are shown, by language without region; "": unknown."""
        query = "SELECT coalesce(language, ''), count(*) FROM items WHERE shown AND published >= ? GROUP BY 1"
        rows = self._engine.read(lambda connection: connection.execute(query, (codec.to_ms(since),)).fetchall())
        return dict(map(tuple, rows))

    def stats(self) -> StoreStats:
        """Sizes and counts."""

        def run(connection: Connection) -> StoreStats:
            row = connection.execute(_STATS).fetchone()
            counts = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a row, not a dict
            return StoreStats(size_bytes=connection.size_bytes(), **counts)

        return self._engine.read(run)

    def activity(self, *, since: datetime) -> Activity:
        """What was published since then and is shown, counted by section and source."""
        start = (codec.to_ms(since),)

        def run(connection: Connection) -> Activity:
            stories = connection.execute(f"SELECT count(DISTINCT coalesce(story_id, id)) {_RECENT}", start).fetchone()
            by_section = connection.execute(_STORIES_BY_SECTION, {"since": start[0]}).fetchall()
            by_source = connection.execute(f"SELECT +source_id, count(*) {_RECENT} GROUP BY 1", start).fetchall()
            return Activity(
                items=sum(row[1] for row in by_source),
                stories=stories[0],
                stories_by_section={row[0]: row[1] for row in by_section},
                items_by_source={row[0]: row[1] for row in by_source},
            )

        return self._engine.read(run)

    def provenance(self, item_id: str) -> Provenance | None:
        """Why the item is what it is."""
        return self._engine.read(lambda connection: _provenance(connection, item_id))

    def generation(self) -> int:
        """A number that changes whenever anything that readers see has changed, in whichever process."""
        return self._engine.read(generation)


def _related(connection: Connection, asked: list[tuple[int, int]]) -> dict[tuple[int, int], list[item_loader.Related]]:
    """The rows related to each row, at most as many as the limit beside it, which is one for all."""
    found: dict[tuple[int, int], list[item_loader.Related]] = {key: [] for key in asked}
    rows, limit = json.dumps([row_id for row_id, _ in asked]), max(limit for _, limit in asked)
    for pair in connection.execute(_RELATED, {"items": rows, "limit": limit}):
        found[pair["item_id"], limit].append((pair["other_id"], pair["score"], pair["tier"]))
    return found


def _latest_query(scope: Scope, before: tuple[datetime, str] | None, limit: int) -> tuple[str, list[object]]:
    """Each half of a section by an index of its own: items of which it is the first, and those that stand there too."""
    if scope.section is None:
        where, values = _conditions(scope, before)
        return f"SELECT i.id FROM items i WHERE {where} {_NEWEST_FIRST}", [*values, limit]
    halves, every = [], list[object]()
    for condition in (_IN_SECTION, _ALSO_IN_SECTION):
        where, values = _conditions(replace(scope, section=None), before)
        found = f"SELECT i.id, i.published, i.public_id FROM items i WHERE {condition} AND {where} {_NEWEST_FIRST}"
        halves.append(f"SELECT * FROM ({found}) AS half")
        every += [scope.section, *values, limit]
    query = f"SELECT id FROM ({' UNION ALL '.join(halves)}) AS halves ORDER BY published DESC, public_id DESC LIMIT ?"
    return query, [*every, limit]


def _conditions(scope: Scope, before: tuple[datetime, str] | None) -> tuple[str, list[object]]:
    """What must hold of shown items in a scope and behind a place, with the values of its placeholders."""
    where, values = ["i.shown"], list[object]()
    if scope.section is not None:
        where.append(f"({_IN_SECTION} OR ({_ALSO_IN_SECTION}))")
        values += [scope.section, scope.section]
    if scope.source_slug is not None:
        where.append(
            "i.id IN (SELECT e.item_id FROM entries e JOIN sources s ON s.id = e.source_id"
            " WHERE s.slug = ? AND s.role = 'source' AND e.dropped IS NULL)"
        )
        values.append(scope.source_slug)
    if scope.language is not None:
        where.append("i.language = ?")
        values.append(scope.language)
    if scope.in_latest:
        where.append(_IN_LATEST)
    if scope.since is not None:
        where.append("i.first_seen >= ?")
        values.append(codec.to_ms(scope.since))
    if scope.published_since is not None:
        where.append("i.published >= ?")
        values.append(codec.to_ms(scope.published_since))
    if before is not None:
        where.append("(i.published, i.public_id) < (?, ?)")
        values += [codec.to_ms(before[0]), decode_id(before[1]) or 0]
    return " AND ".join(where), values


def _story_members(connection: Connection, stories: Sequence[int]) -> dict[int, list[int]]:
    """The rows of the shown items of each story, oldest first; an item in no story is one of its own."""
    asked = json.dumps(stories)
    found: dict[int, list[int]] = {}
    for row in connection.execute(_MEMBERS, {"stories": asked}):
        found.setdefault(row[0], []).append(row[1])
    return found


def _story_of(row_id: int, members: dict[int, list[int]], items: dict[int, Item]) -> Story | None:
    kept = tuple(items[member] for member in members.get(row_id, ()) if member in items)
    return Story(id=kept[0].story, items=kept) if kept else None


def _story(connection: Connection, row_id: int) -> Story | None:
    """A story with its shown items; None if there are none."""
    members = _story_members(connection, [row_id])
    return _story_of(row_id, members, item_loader.by_row(connection, members.get(row_id, [])))


def _provenance(connection: Connection, item_id: str) -> Provenance | None:
    row_id = item_loader.resolve(connection, item_id)
    found = [] if row_id is None else item_loader.items(connection, [row_id])
    if row_id is None or not found:
        return None
    item = found[0]
    former = connection.execute("SELECT public_id FROM items WHERE merged_into = ? ORDER BY id", (row_id,)).fetchall()
    joins = connection.execute(
        "SELECT public_id, story_figures FROM items WHERE shown"
        " AND story_id = (SELECT story_id FROM items WHERE id = ?) ORDER BY published, public_id",
        (row_id,),
    ).fetchall()
    places = connection.execute(_PLACES, (item.id,)).fetchall()
    return Provenance(
        item=item,
        former_ids=tuple(encode_id(row[0]) for row in former),
        story_joins=tuple((encode_id(row[0]), codec.figures(row[1])) for row in joins),
        places=tuple(_place(row["key"], row["place"], codec.unpack(row["value"])) for row in places),
        undone=merge_review.undone(connection, row_id),
    )


def _place(key: str, place: int, listed: list[object]) -> tuple[str, int, float, dict[str, float], tuple[str, ...]]:
    _, score, _, reasons, figures, _ = listed
    return key, place, score, figures, tuple(reasons)  # type: ignore[return-value, arg-type]
