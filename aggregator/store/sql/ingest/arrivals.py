"""Polls on their way in: whose entries came when, as rows; and which of them can be stored together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aggregator.model import Entry, PollResult
from aggregator.store.sql import codec
from aggregator.store.sql.batches import padded_batches, placeholders
from aggregator.store.sql.engine import Connection
from aggregator.store.sql.ingest.entry_rows import EntryRow, entry_row

__all__ = ["Arrival", "arrivals", "independent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a poll has brought."""

    feed_url: str
    source_id: int
    polled_ms: int
    role: str
    section: str
    #: JSON
    more_sections: str
    #: a part of a document: new entries count, edits do not
    insert_only: bool
    entries: Sequence[tuple[Entry, EntryRow]]


def arrivals(connection: Connection, polls: Sequence[tuple[str, PollResult]]) -> list[Arrival]:
    """Polls of feeds (by their address)."""
    found: dict[int, tuple[str, str, str]] = {}
    for some in padded_batches([result.source_id for _, result in polls]):
        query = f"SELECT id, role, section, more_sections FROM sources WHERE id IN ({placeholders(len(some))})"
        found |= {row_id: (role, first, more) for row_id, role, first, more in connection.execute(query, some)}
    return [_arrival(feed_url, result, *found[result.source_id]) for feed_url, result in polls]


def _arrival(feed_url: str, result: PollResult, role: str, section: str, more_sections: str) -> Arrival:
    polled_ms = codec.to_ms(result.polled_at)
    return Arrival(
        feed_url=feed_url,
        source_id=result.source_id,
        polled_ms=polled_ms,
        role=role,
        section=section,
        more_sections=more_sections,
        insert_only=result.insert_only,
        entries=[(entry, entry_row(entry, result.source_id, polled_ms)) for entry in _oldest_first(result.entries)],
    )


def _oldest_first(entries: Sequence[Entry]) -> list[Entry]:
    """In the order of time, so that row ids follow it where a feed is read for the first time.

    An entry that stands in a document twice counts as it stands first; else it would be edited at every poll.
    """
    distinct = {entry.entry_id: entry for entry in reversed(entries)}
    return sorted(distinct.values(), key=lambda entry: entry.published)


def independent(found: Sequence[Arrival]) -> Iterator[list[Arrival]]:
    """In their order, in groups of which none depends on what another one of its group changes.

    An arrival looks at its source, and for other entries at the addresses of its own.
    """
    group: list[Arrival] = []
    seen = set[object]()
    for arrival in found:
        looked_at: set[object] = {row.link_key for _, row in arrival.entries if row.link_key is not None}
        looked_at.add(arrival.source_id)
        if not seen.isdisjoint(looked_at):
            yield group
            group, seen = [], set()
        group.append(arrival)
        seen |= looked_at
    if group:
        yield group
