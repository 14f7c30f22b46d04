"""The sources of the configuration, taken over into the store."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.model import Subscription
from aggregator.store import SyncedSources
from aggregator.store.sql import codec, source_columns
from aggregator.store.sql.derived_columns import bump, recompute_item
from aggregator.store.sql.engine import Connection, Row
from aggregator.store.sql.ids import host_key, slug_of

#: no due time lies further ahead than the longest Retry-After with its jitter, unless the clock was wrong meanwhile
FARTHEST_MS = 8 * 86_400_000

#: a source that is overdue for longer was not polled because nothing was; caught up with at this pace
_OVERDUE_MS, _PACE_MS = 600_000, 1_000

_CONFIGURED = ("section", "more_sections", "name", "interval_ms", "weight", "enabled", "full_text", "role", "in_latest")


def _columns(one: Subscription) -> tuple[object, ...]:
    sections, interval = codec.pack(list(one.more_sections)), codec.span_ms(one.interval)
    return (
        *(one.section, sections, one.name, interval),
        *(one.weight, one.enabled, one.full_text, one.role, one.in_latest),
    )


def take_over(connection: Connection, subscriptions: Sequence[Subscription], now_ms: int) -> SyncedSources:
    """Adds, changes and retires sources so that those configured are these."""
    known = {row["url"]: row for row in connection.execute("SELECT * FROM sources")}
    wanted = {one.url: one for one in subscriptions}
    added = [url for url in wanted if url not in known or not known[url]["configured"]]
    removed = [url for url, row in known.items() if row["configured"] and url not in wanted]
    changed = [url for url in wanted if url not in added and codec.subscription(known[url]) != wanted[url]]
    slugs = {row["slug"] for row in known.values()}
    for url in added:
        _add(connection, wanted[url], known.get(url), now_ms, slugs)
    for url in changed:
        _change(connection, wanted[url], known[url])
    connection.executemany("UPDATE sources SET configured = FALSE WHERE url = ?", [(url,) for url in removed])
    if removed:
        _part(connection)
    _heal_clock(connection, now_ms)
    if added or removed or changed:
        bump(connection)
    return SyncedSources(added=tuple(added), changed=tuple(changed), removed=tuple(removed))


def spread_overdue(connection: Connection, now_ms: int) -> None:
    """Spreads what became due while nothing was polled, instead of asking everybody at once."""
    overdue = connection.execute(
        "SELECT id, due_at - last_poll FROM sources WHERE configured AND enabled AND NOT gone AND last_poll IS NOT NULL"
        " AND due_at < ? ORDER BY due_at, id",
        (now_ms - _OVERDUE_MS,),
    ).fetchall()
    connection.executemany(
        "UPDATE sources SET due_at = ? WHERE id = ?",
        [(now_ms + min(place * _PACE_MS, max(own, 0)), row) for place, (row, own) in enumerate(overdue)],
    )


def _part(connection: Connection) -> None:
    """A source that had become the same feed as another is polled again when that one has gone."""
    connection.execute(
        "UPDATE sources SET gone = FALSE WHERE gone AND error_code = ? AND NOT EXISTS (SELECT 1 FROM sources AS other"
        " WHERE other.configured AND other.fetch_url = sources.moved_to AND other.id <> sources.id)",
        (source_columns.SAME_FEED,),
    )


def move(connection: Connection, source_id: int, host: str) -> None:
    """The source is polled from another host from now on."""
    connection.execute("INSERT INTO hosts(host) VALUES (?) ON CONFLICT DO NOTHING", (host,))
    connection.execute("UPDATE sources SET host = ? WHERE id = ?", (host, source_id))


def _add(connection: Connection, one: Subscription, before: Row | None, now_ms: int, slugs: set[str]) -> None:
    """A new source is due at once; one that returns keeps its due time, so that no edit causes an extra poll."""
    if before is not None:
        connection.execute(
            "UPDATE sources SET configured = TRUE, gone = FALSE, gone_since = NULL WHERE url = ?", (one.url,)
        )
        _change(connection, one, before)
        return
    host = host_key(one.url)
    connection.execute("INSERT INTO hosts(host) VALUES (?) ON CONFLICT DO NOTHING", (host,))
    connection.execute(
        f"INSERT INTO sources(url, fetch_url, slug, host, due_at, {', '.join(_CONFIGURED)})"
        f" VALUES (?, ?, ?, ?, ?, {', '.join('?' * len(_CONFIGURED))})",
        (one.url, one.url, _free_slug(one, slugs), host, now_ms, *_columns(one)),
    )


def _free_slug(one: Subscription, taken: set[str]) -> str:
    """The wished slug, numbered where it is taken; taken from now on."""
    wish = slug_of(one.url, one.name)
    slug, number = wish, 1
    while slug in taken:
        number += 1
        slug = f"{wish}-{number}"
    taken.add(slug)
    return slug


def _change(connection: Connection, one: Subscription, before: Row) -> None:
    assignments = ", ".join(f"{name} = ?" for name in _CONFIGURED)
    connection.execute(f"UPDATE sources SET {assignments} WHERE url = ?", (*_columns(one), one.url))
    if one.interval is not None and before["last_poll"] is not None:
        sooner = before["last_poll"] + (codec.span_ms(one.interval) or 0)
        connection.execute("UPDATE sources SET due_at = least(due_at, ?) WHERE url = ?", (sooner, one.url))
    shown = one.section, codec.pack(list(one.more_sections)), one.role
    if shown != (before["section"], before["more_sections"], before["role"]):
        _refresh_items(connection, before["id"])


def _refresh_items(connection: Connection, source_id: int) -> None:
    items = connection.execute("SELECT DISTINCT item_id FROM entries WHERE source_id = ?", (source_id,)).fetchall()
    for (item_id,) in items:
        recompute_item(connection, item_id)


def _heal_clock(connection: Connection, now_ms: int) -> None:
    """Due times and leases that a wrong clock has put far ahead would silence a source for years."""
    connection.execute(
        "UPDATE sources SET due_at = :now WHERE due_at > :now + greatest(:longest, 2 * coalesce(interval_ms, 0))",
        {"now": now_ms, "longest": FARTHEST_MS},
    )
    for column in ("leased_until", "free_at", "parked_until"):
        connection.execute(f"UPDATE hosts SET {column} = 0 WHERE {column} > ?", (now_ms + FARTHEST_MS,))
