"""What may stand in a list: items with all that ranking and recommending ask, as they stood at a moment.

What the `items` table keeps beside each item is true of today. For a moment in the past, what came later is taken off
again, from the records that carry a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aggregator.model import Candidate
from aggregator.store.sql import codec, source_health
from aggregator.store.sql.audience import BUCKET_MS, HOUR_MS
from aggregator.store.sql.derived_columns import citations
from aggregator.store.sql.engine import NO_LIMIT, Connection, Row
from aggregator.store.sql.ids import encode_id
from aggregator.store.sql.item_loader import LANGUAGE

_CHUNK = 500
_ALL = NO_LIMIT
#: a text of so many characters can stand below a title
_LEAD_CHARS = 40

#: what is known of each of them today; to be followed by WHERE
SELECTED = f"""
SELECT i.id, i.public_id, i.story_id, i.source_id, i.section, i.more_sections, i.published, i.first_seen, i.sources,
    i.views, i.likes, i.impressions, i.boost, i.pinned_until, e.title, {LANGUAGE} AS language,
    e.image_url IS NOT NULL AS has_image, length(e.text) >= {_LEAD_CHARS} AS has_lead, e.upstream_comments,
    e.upstream_views, e.upstream_votes, s.weight, i.citations, st.public_id AS story,
    coalesce(sto.coverage, 1) AS coverage
FROM items i JOIN entries e ON e.id = i.lead_id JOIN sources s ON s.id = i.source_id
    LEFT JOIN items st ON st.id = i.story_id LEFT JOIN stories sto ON sto.id = i.story_id
"""
_CANDIDATES = f"""
{SELECTED}
WHERE i.shown AND i.first_seen <= :now AND i.id IN (
    SELECT id FROM (SELECT id FROM items WHERE shown AND first_seen BETWEEN :since AND :now
        ORDER BY first_seen DESC, id DESC LIMIT :limit) AS newest
    UNION SELECT item_id FROM buckets WHERE bucket BETWEEN :first AND :last)
ORDER BY i.published DESC, i.public_id DESC
"""
_ANYTHING_LATER = """
SELECT EXISTS(SELECT 1 FROM items WHERE shown AND first_seen > :now)
    OR EXISTS(SELECT 1 FROM buckets WHERE bucket > :last)
"""
_VIEWS_LATER = "SELECT item_id, CAST(sum(n) AS bigint) FROM buckets WHERE bucket > ? GROUP BY item_id"
_IMPRESSIONS_LATER = "SELECT item_id, sum(weight) FROM impressions WHERE hour > ? GROUP BY item_id"
_LIKES_LATER = "SELECT item_id, count(*) FROM likes WHERE at > ? GROUP BY item_id"
_SOURCES = """
SELECT e.item_id, count(DISTINCT e.source_id) FROM entries e JOIN sources s ON s.id = e.source_id
WHERE e.item_id IN ({}) AND e.first_seen <= ? AND e.dropped IS NULL AND s.role = 'source' GROUP BY e.item_id
"""
_COVERAGE = """
SELECT story_id, count(DISTINCT source_id) FROM items
WHERE story_id IN ({}) AND first_seen <= ? AND shown GROUP BY story_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _AsOf:
    """The counts of items, by row, that were others then; and the coverage of stories."""

    views_later: Mapping[int, int]
    likes_later: Mapping[int, int]
    impressions_later: Mapping[int, float]
    sources: Mapping[int, int]
    citations: Mapping[int, int]
    coverage: Mapping[int, int]


_TODAY = _AsOf(views_later={}, likes_later={}, impressions_later={}, sources={}, citations={}, coverage={})


def read(
    connection: Connection, since_ms: int, now_ms: int, limit: int, *, with_later: bool = False
) -> list[Candidate]:
    """Shown items viewed since then, and the `limit` (0: all) newest of those first seen since then, as of `now_ms`.

    `with_later`: views, likes and copies count whenever they came.
    """
    asked = {
        "since": since_ms,
        "now": now_ms,
        "first": since_ms // BUCKET_MS,
        "last": now_ms // BUCKET_MS,
        "limit": limit or _ALL,
    }
    rows = connection.execute(_CANDIDATES, asked).fetchall()
    rates = source_health.rates(connection, now_ms)
    then = _TODAY if with_later or not _is_past(connection, now_ms) else _as_of(connection, rows, now_ms)
    return [_candidate(row, rates, then) for row in rows]


def _is_past(connection: Connection, now_ms: int) -> bool:
    """Something came after that moment: counts were others then."""
    return bool(connection.execute(_ANYTHING_LATER, {"now": now_ms, "last": now_ms // BUCKET_MS}).fetchone()[0])


def of_today(row: Row, rates: Mapping[int, float]) -> Candidate:
    """One row of `SELECTED`, as it is now; `rates`: items a day by source."""
    return _candidate(row, rates, _TODAY)


def _as_of(connection: Connection, rows: Sequence[Row], now_ms: int) -> _AsOf:
    """Looks again at those counts only that could have been smaller."""
    shared = [row["id"] for row in rows if row["sources"] > 1]
    covered = {row["story_id"] for row in rows if row["coverage"] > 1}
    return _AsOf(
        views_later=dict(map(tuple, connection.execute(_VIEWS_LATER, (now_ms // BUCKET_MS,)))),
        likes_later=dict(map(tuple, connection.execute(_LIKES_LATER, (now_ms,)))),
        impressions_later=dict(map(tuple, connection.execute(_IMPRESSIONS_LATER, (now_ms // HOUR_MS,)))),
        sources=dict(_counted(connection, _SOURCES, shared, now_ms)),
        citations={
            row["id"]: citations(connection, row["id"], until_ms=now_ms) for row in rows if row["citations"] > 0
        },
        coverage=dict(_counted(connection, _COVERAGE, sorted(covered), now_ms)),
    )


def _counted(connection: Connection, query: str, ids: Sequence[int], now_ms: int) -> Iterator[tuple[int, int]]:
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        yield from connection.execute(query.format(", ".join("?" * len(chunk))), (*chunk, now_ms))


def _candidate(row: Row, rates: Mapping[int, float], then: _AsOf) -> Candidate:
    row_id, public = row["id"], encode_id(row["public_id"])
    return Candidate(
        item_id=public,
        story=public if row["story"] is None else encode_id(row["story"]),
        source_id=row["source_id"],
        section=row["section"],
        more_sections=codec.names(row["more_sections"]),
        title=row["title"],
        language=row["language"],
        published=codec.from_ms(row["published"]),
        first_seen=codec.from_ms(row["first_seen"]),
        sources=max(then.sources.get(row_id, row["sources"]), 1),
        coverage=max(then.coverage.get(row["story_id"], row["coverage"]), 1),
        citations=then.citations.get(row_id, row["citations"]),
        upstream=codec.upstream(row),
        views=row["views"] - then.views_later.get(row_id, 0),
        likes=row["likes"] - then.likes_later.get(row_id, 0),
        impressions=max(0.0, row["impressions"] - then.impressions_later.get(row_id, 0.0)),
        weight=row["weight"],
        boost=row["boost"],
        pinned_until=codec.from_ms_or_none(row["pinned_until"]),
        source_rate=rates.get(row["source_id"], 0.0),
        has_image=bool(row["has_image"]),
        has_lead=bool(row["has_lead"]),
    )
