"""What a poll says of its source, and how all sources are doing."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Literal

from aggregator.model import PollResult, SourceHealth
from aggregator.store.sqlite import codec
from aggregator.store.sqlite.connection import Connection

DAY_MS = 86_400_000
#: over which rates are counted; a source without any item in it is quiet
DAYS = 30
#: why a source is polled no more: its address leads for good to a feed that another source is polled from
SAME_FEED = "same-feed"
#: a source at a time, along the tables' keys
_DAYS = (
    "SELECT source_id, day, {1} FROM {0} WHERE source_id IN (SELECT id FROM sources WHERE configured"
    " AND (?3 IS NULL OR slug = ?3)) AND day BETWEEN ?1 AND ?2"
)
#: by what a state depends on: a handful of rows for any number of sources
_STATES = """
SELECT enabled, gone, error_count > 0 AS error_count, max(last_poll) AS last_poll, count(*) AS n,
    EXISTS(SELECT 1 FROM source_days WHERE source_id = s.id AND day BETWEEN ?1 AND ?2) AS posts
FROM sources s WHERE configured GROUP BY enabled, gone, error_count > 0, last_poll IS NULL, posts
"""
State = Literal["new", "ok", "quiet", "failing", "gone", "disabled"]


def record_poll(connection: Connection, source: sqlite3.Row, result: PollResult) -> bool:
    """Stores the outcome of a poll and when the next one is; whether readers see a change (name, state).

    What a result does not say is kept: validators, rhythm and feed title outlive errors.
    """
    polled = codec.to_ms(result.polled_at)
    values: dict[str, object] = {
        "lease_token": None,
        "due_at": codec.to_ms(result.next_poll),
        "last_poll": polled,
        "http_status": result.status,
        "size_bytes": result.size_bytes,
        "duration_ms": codec.span_ms(result.duration),
        "warnings": codec.pack_or_none(result.warnings) if result.outcome in {"new", "error"} else source["warnings"],
        "unstable_ids": int(bool(source["unstable_ids"]) or result.unstable_ids),
        "gone": int(result.outcome == "gone"),
        **_learnt(result),
        **_moved(source, result, polled),
        **(_failed(source, result, polled) if result.outcome in {"error", "gone"} else _succeeded(polled)),
    }
    if result.adopt_url and (other := _polled_from(connection, source, result.moved_to)):
        values |= _merged(source, result, other)
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    connection.execute(f"UPDATE sources SET {assignments} WHERE id = :id", {**values, "id": source["id"]})
    _count_poll(connection, source["id"], polled // DAY_MS, failed=result.outcome in {"error", "gone"})
    before = (source["title"], source["home"], bool(source["error_count"]), source["gone"], source["last_poll"] is None)
    after = (
        values.get("title", source["title"]),
        values.get("home", source["home"]),
        bool(values["error_count"]),
        values["gone"],
        False,
    )
    return before != after


def _count_poll(connection: Connection, source_id: int, day: int, *, failed: bool) -> None:
    """One more poll of that day; those that are no longer shown are forgotten."""
    connection.execute(
        "INSERT INTO poll_days(source_id, day, ok, failed) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET ok = ok + excluded.ok, failed = failed + excluded.failed",
        (source_id, day, not failed, failed),
    )
    connection.execute("DELETE FROM poll_days WHERE source_id = ? AND day <= ?", (source_id, day - DAYS))


def _learnt(result: PollResult) -> dict[str, object]:
    values: dict[str, object] = {}
    if result.validators is not None:
        values |= {"etag": result.validators.etag, "last_modified": result.validators.last_modified}
    if result.body_hash is not None:
        values["body_hash"] = result.body_hash
    if result.revalidation is not None:
        values["revalidation"] = codec.pack_revalidation(result.revalidation)
    if result.rhythm is not None:
        values["rhythm"] = codec.pack_rhythm(result.rhythm)
    if result.info is not None:
        values |= {"title": result.info.title, "home": result.info.link, "info": codec.pack_info(result.info)}
    return values


def _moved(source: sqlite3.Row, result: PollResult, polled: int) -> dict[str, object]:
    """A permanent redirect counts only while it is seen in a row; a failed poll saw nothing."""
    if result.moved_to is None:
        return {} if result.outcome == "error" else {"moved_to": None, "moved_since": None, "moved_count": 0}
    if result.adopt_url:
        return {"fetch_url": result.moved_to, "moved_to": None, "moved_since": None, "moved_count": 0}
    if result.moved_to == source["moved_to"]:
        return {"moved_count": source["moved_count"] + 1}
    return {"moved_to": result.moved_to, "moved_since": polled, "moved_count": 1}


def _polled_from(connection: Connection, source: sqlite3.Row, url: str | None) -> str | None:
    """The name of another source that is polled from `url`."""
    row = connection.execute(
        "SELECT slug FROM sources WHERE fetch_url = ? AND id <> ? AND configured AND enabled AND NOT gone",
        (url, source["id"]),
    ).fetchone()
    return row and str(row["slug"])


def _merged(source: sqlite3.Row, result: PollResult, other: str) -> dict[str, object]:
    """Two addresses, one feed (FRB137): it is asked for once. What this source has brought stays."""
    return {
        "gone": 1,
        "fetch_url": source["fetch_url"],
        "moved_to": result.moved_to,
        "error_code": SAME_FEED,
        "error_message": f"Its address leads to the feed of {other} for good; one of the two can be removed",
        "error_permanent": 1,
    }


def _failed(source: sqlite3.Row, result: PollResult, polled: int) -> dict[str, object]:
    counts = int(result.counts_as_error)
    values: dict[str, object] = {"error_count": source["error_count"] + counts}
    if result.error is not None:
        values |= {
            "error_code": result.error.code,
            "error_message": result.error.message,
            "error_permanent": int(result.error.permanent),
        }
    if source["error_since"] is None and counts:
        values["error_since"] = polled
    if result.status == 410 and source["gone_since"] is None:
        values["gone_since"] = polled
    return values


def _succeeded(polled: int) -> dict[str, object]:
    return {
        "last_success": polled,
        "error_count": 0,
        "error_since": None,
        "error_code": None,
        "error_message": None,
        "error_permanent": None,
        "gone_since": None,
    }


def _daily(connection: Connection, now_ms: int, slug: str | None = None) -> dict[int, list[int]]:
    """Items of each source by day, oldest first, the last 30 days."""
    first = now_ms // DAY_MS - DAYS + 1
    days: dict[int, list[int]] = {}
    for source_id, day, n in connection.execute(_DAYS.format("source_days", "n"), (first, now_ms // DAY_MS, slug)):
        days.setdefault(source_id, [0] * DAYS)[day - first] = n
    return days


def _polled(connection: Connection, now_ms: int, slug: str | None) -> dict[int, tuple[list[int], list[int]]]:
    """Polls of each source by day, all and those that failed, oldest first, the last 30 days."""
    first = now_ms // DAY_MS - DAYS + 1
    days: dict[int, tuple[list[int], list[int]]] = {}
    for source_id, day, ok, failed in connection.execute(
        _DAYS.format("poll_days", "ok, failed"), (first, now_ms // DAY_MS, slug)
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


def _state(row: sqlite3.Row, *, posts: bool) -> State:
    if not row["enabled"]:
        return "disabled"
    if row["gone"]:
        return "gone"
    if row["error_count"]:
        return "failing"
    if row["last_poll"] is None:
        return "new"
    return "ok" if posts else "quiet"


def states(connection: Connection, now_ms: int) -> Counter[str]:
    """How many configured sources are in each state; counted by the engine, which keeps no other thread waiting."""
    counted: Counter[str] = Counter()
    for row in connection.execute(_STATES, (now_ms // DAY_MS - DAYS + 1, now_ms // DAY_MS)):
        counted[_state(row, posts=bool(row["posts"]))] += row["n"]
    return counted


def of_all(connection: Connection, now_ms: int, slug: str | None = None) -> list[SourceHealth]:
    """The health of every configured source (or of the one with that slug), by section and name."""
    items, polled = _daily(connection, now_ms, slug), _polled(connection, now_ms, slug)
    rows = connection.execute(
        f"SELECT s.*, {codec.REF_COLUMNS} FROM sources s WHERE s.configured AND (?1 IS NULL OR s.slug = ?1)"
        " ORDER BY s.section, source_name COLLATE NOCASE, s.id",
        (slug,),
    ).fetchall()
    none = [0] * DAYS
    return [_health(row, items.get(row["id"], none), *polled.get(row["id"], (none, none))) for row in rows]


def _health(row: sqlite3.Row, daily: list[int], polls: list[int], failures: list[int]) -> SourceHealth:
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
        daily=tuple(daily),
        daily_polls=tuple(polls),
        daily_failures=tuple(failures),
    )
