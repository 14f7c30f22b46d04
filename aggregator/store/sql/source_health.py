"""How all sources are doing."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from aggregator.model import SourceHealth
from aggregator.store.sql import codec
from aggregator.store.sql.engine import Connection, Row

#: over which rates are counted; a source without any item in it is quiet
DAYS = 30
#: a source at a time, along the tables' keys
_DAYS = (
    "SELECT source_id, day, {1} FROM {0} WHERE source_id IN (SELECT id FROM sources WHERE configured"
    " AND (CAST(:slug AS text) IS NULL OR slug = :slug)) AND day BETWEEN :first AND :last"
)
#: by what a state depends on: a handful of rows for any number of sources
_STATES = """
SELECT enabled, gone, error_count > 0 AS error_count, max(last_success) AS last_success, count(*) AS n,
    EXISTS(SELECT 1 FROM source_days WHERE source_id = s.id AND day BETWEEN ? AND ?) AS posts
FROM sources s WHERE configured GROUP BY enabled, gone, error_count > 0, last_success IS NULL, posts
"""
State = Literal["new", "ok", "quiet", "failing", "gone", "disabled"]


def _daily(connection: Connection, now_ms: int, slug: str | None = None) -> dict[int, list[int]]:
    """Items of each source by day, oldest first, the last 30 days."""
    first = now_ms // codec.DAY_MS - DAYS + 1
    days: dict[int, list[int]] = {}
    for source_id, day, n in connection.execute(
        _DAYS.format("source_days", "n"), {"first": first, "last": now_ms // codec.DAY_MS, "slug": slug}
    ):
        days.setdefault(source_id, [0] * DAYS)[day - first] = n
    return days


def _polled(connection: Connection, now_ms: int, slug: str | None) -> dict[int, tuple[list[int], list[int]]]:
    """Polls of each source by day, all and those that failed, oldest first, the last 30 days."""
    first = now_ms // codec.DAY_MS - DAYS + 1
    days: dict[int, tuple[list[int], list[int]]] = {}
    for source_id, day, ok, failed in connection.execute(
        _DAYS.format("poll_days", "ok, failed"), {"first": first, "last": now_ms // codec.DAY_MS, "slug": slug}
    ):
        polls, failures = days.setdefault(source_id, ([0] * DAYS, [0] * DAYS))
        polls[day - first], failures[day - first] = ok + failed, failed
    return days


def rate(daily: list[int]) -> float:
    """Items a day, since the first day of the 30 that had any."""
    posted = [index for index, n in enumerate(daily) if n]
    return sum(daily) / (len(daily) - posted[0]) if posted else 0.0


def rates(connection: Connection, now_ms: int) -> dict[int, float]:
    """Items a day of every source that had any in the last 30 days."""
    return {source_id: rate(daily) for source_id, daily in _daily(connection, now_ms).items()}


def _state(row: Row, *, posts: bool) -> State:
    if not row["enabled"]:
        return "disabled"
    if row["gone"]:
        return "gone"
    if row["error_count"]:
        return "failing"
    if row["last_success"] is None:
        return "new"
    return "ok" if posts else "quiet"


def states(connection: Connection, now_ms: int) -> Counter[str]:
    """How many configured sources are in each state; counted by the engine, which keeps no other thread waiting."""
    counted: Counter[str] = Counter()
    for row in connection.execute(_STATES, (now_ms // codec.DAY_MS - DAYS + 1, now_ms // codec.DAY_MS)):
        counted[_state(row, posts=bool(row["posts"]))] += row["n"]
    return counted


def of_all(connection: Connection, now_ms: int, slug: str | None = None) -> list[SourceHealth]:
    """The health of every configured source (or of the one with that slug), by section and name."""
    items, polled = _daily(connection, now_ms, slug), _polled(connection, now_ms, slug)
    rows = connection.execute(
        f"SELECT s.*, {codec.REF_COLUMNS} FROM sources s WHERE s.configured"
        " AND (CAST(:slug AS text) IS NULL OR s.slug = :slug)"
        " ORDER BY s.section, lower(COALESCE(s.name, NULLIF(s.title, ''), s.url)), s.id",
        {"slug": slug},
    ).fetchall()
    none = [0] * DAYS
    return [_health(row, items.get(row["id"], none), *polled.get(row["id"], (none, none))) for row in rows]


def _health(row: Row, daily: list[int], polls: list[int], failures: list[int]) -> SourceHealth:
    state = _state(row, posts=any(daily))
    return SourceHealth(
        ref=codec.source_ref(row),
        subscription=codec.subscription(row),
        state=state,
        last_poll=codec.from_ms_or_none(row["last_poll"]),
        last_success=codec.from_ms_or_none(row["last_success"]),
        next_poll=None if state in {"gone", "disabled"} else codec.from_ms(row["due_at"]),
        items_per_day=rate(daily),
        items=row["entries"],
        last_item=codec.from_ms_or_none(row["last_item"]),
        http_status=row["http_status"],
        error=codec.poll_error(row),
        error_since=codec.from_ms_or_none(row["error_since"]),
        error_count=row["error_count"],
        warnings=tuple(codec.unpack(row["warnings"]) or ()),
        unstable_ids=bool(row["unstable_ids"]),
        moved_to=row["fetch_url"] if row["fetch_url"] != row["url"] else None,
        daily=tuple(daily),
        daily_polls=tuple(polls),
        daily_failures=tuple(failures),
    )
