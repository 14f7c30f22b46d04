"""Finished polls on their way in: what is held of all of them is read at once, and written at once.

Each is decided by itself. A statement for each of them would cost more than all that a poll without news changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aggregator.errors import StaleLease, StoreError
from aggregator.model import Lease, PollResult
from aggregator.store import PollChanges
from aggregator.store.sql import codec, hosts, source_columns, sources
from aggregator.store.sql.derived_columns import bump
from aggregator.store.sql.engine import Connection
from aggregator.store.sql.ids import host_key, request_gap
from aggregator.store.sql.ingest import store_all
from aggregator.store.sql.source_columns import SourceRow
from aggregator.store.sql.source_health import DAYS

__all__ = ["Poll", "complete"]

#: the right to it, and how it ended
Poll = tuple[Lease, PollResult]

_TOKENS = "SELECT host, token FROM hosts WHERE host IN (SELECT value FROM json_each(?)) ORDER BY host"
_HELD = (
    f"SELECT {', '.join(SourceRow._fields)} FROM sources WHERE id IN (SELECT CAST(value AS bigint) FROM json_each(?))"
)
_POLLED_FROM = "SELECT slug FROM sources WHERE fetch_url = ? AND id <> ? AND configured AND enabled AND NOT gone"
_COUNT = """
INSERT INTO poll_days(source_id, day, ok, failed) VALUES (?, ?, ?, ?)
ON CONFLICT(source_id, day) DO UPDATE SET ok = poll_days.ok + excluded.ok, failed = poll_days.failed + excluded.failed
"""
_FORGET = "DELETE FROM poll_days WHERE source_id = ? AND day <= ?"


@dataclass(frozen=True, slots=True)
class _Taken:
    """A poll that counts: what was held of its source, and the columns that change."""

    source: SourceRow
    lease: Lease
    result: PollResult
    values: Mapping[str, object]

    @property
    def polled_ms(self) -> int:
        return codec.to_ms(self.result.polled_at)


def complete(connection: Connection, polls: Sequence[Poll]) -> list[PollChanges | Exception]:
    """What each of these polls has changed, or why it has changed nothing; as if they had come one after another."""
    return [outcome for some in _independent(polls) for outcome in _completed(connection, some)]


def _independent(polls: Sequence[Poll]) -> Iterator[list[Poll]]:
    """The polls in their order, in groups of which none looks at what another one of its group changes.

    Each looks at its source; one that takes over an address looks at all sources.
    """
    group: list[Poll] = []
    seen: set[int] = set()
    for lease, result in polls:
        if group and (result.adopt_url or result.source_id in seen):
            yield group
            group, seen = [], set()
        group.append((lease, result))
        seen.add(result.source_id)
    if group:
        yield group


def _completed(connection: Connection, polls: Sequence[Poll]) -> list[PollChanges | Exception]:
    tokens, held = _read(connection, polls)
    refusals = [_refusal(poll, tokens, held) for poll in polls]
    counted = [poll for poll, refusal in zip(polls, refusals, strict=True) if refusal is None]
    stored = store_all(connection, [(held[result.source_id].url, result) for _, result in counted])
    taken = [_taken(connection, held[result.source_id], lease, result) for lease, result in counted]
    _write(connection, taken, held)
    if any(visible for _, visible in stored) or any(source_columns.is_seen(one.source, one.values) for one in taken):
        bump(connection)
    told = iter(stored)
    return [next(told)[0] if refusal is None else refusal for refusal in refusals]


def _refusal(poll: Poll, tokens: Mapping[str, int], held: Mapping[int, SourceRow]) -> PollChanges | Exception | None:
    """What becomes of a poll that changes nothing; None: it counts."""
    lease, result = poll
    if tokens.get(lease.host) != lease.token:
        return StaleLease(f"{lease.host} has been leased by another worker since; this poll is not stored")
    source = held.get(result.source_id)
    if source is None:
        return StoreError(f"there is no source {result.source_id}")
    if source.lease_token != lease.token or all(one.id != source.id for one in lease.sources):
        return PollChanges()  # completed before: the second time changes nothing
    return None


def _taken(connection: Connection, source: SourceRow, lease: Lease, result: PollResult) -> _Taken:
    other = _same_feed(connection, result) if result.adopt_url else None
    return _Taken(source, lease, result, source_columns.changes(source, result, same_feed=other))


def _read(connection: Connection, polls: Sequence[Poll]) -> tuple[dict[str, int], dict[int, SourceRow]]:
    """The tokens of the hosts, and what is stored of the sources of these leases."""
    hosts_of = json.dumps(list({lease.host for lease, _ in polls}))
    sources = {one.id for lease, _ in polls for one in lease.sources} | {result.source_id for _, result in polls}
    tokens = dict(connection.execute(_TOKENS + connection.row_lock, (hosts_of,)).fetchall())
    rows = connection.execute(_HELD, (json.dumps(list(sources)),)).fetchall()
    return tokens, {row[0]: SourceRow(*row) for row in rows}


def _same_feed(connection: Connection, result: PollResult) -> str | None:
    """The name of another source that is polled from the address that this poll takes over."""
    row = connection.execute(_POLLED_FROM, (result.moved_to, result.source_id)).fetchone()
    return row and str(row["slug"])


def _write(connection: Connection, taken: Sequence[_Taken], held: Mapping[int, SourceRow]) -> None:
    by_columns: dict[tuple[str, ...], list[tuple[object, ...]]] = {}
    for one in taken:
        by_columns.setdefault(tuple(one.values), []).append((*one.values.values(), one.source.id))
    for names, rows in by_columns.items():
        assignments = ", ".join(f"{name} = ?" for name in names)
        connection.executemany(f"UPDATE sources SET {assignments} WHERE id = ?", rows)
    _count(connection, taken)
    _release(connection, taken, held)
    for one in taken:
        _settle(connection, one)


def _count(connection: Connection, taken: Sequence[_Taken]) -> None:
    """One more poll of that day; with the first of a day, those that are no longer shown are forgotten."""
    counted, over = [], []
    for one in taken:
        if one.result.outcome == "deferred":
            continue
        day, failed = one.polled_ms // codec.DAY_MS, one.result.outcome in {"error", "gone"}
        counted.append((one.source.id, day, int(not failed), int(failed)))
        if one.source.last_poll is None or one.source.last_poll // codec.DAY_MS != day:
            over.append((one.source.id, day - DAYS))
    connection.executemany(_COUNT, counted)
    connection.executemany(_FORGET, over)


def _release(connection: Connection, taken: Sequence[_Taken], held: Mapping[int, SourceRow]) -> None:
    """Frees each host with the last source of its lease, after the pause it is owed."""
    leased = {source.id: source.lease_token for source in held.values()}
    still: list[hosts.Pause] = []
    free: list[hosts.Pause] = []
    for one in taken:
        leased[one.source.id] = None
        is_last = all(leased.get(other.id) != one.lease.token for other in one.lease.sources)
        (free if is_last else still).append(_pause(one.lease, one.result))
    hosts.pause(connection, still)
    hosts.free(connection, free)
    for one in taken:  # where a redirect led to, as far as other sources are asked for there
        host, until = _parked_host(one.lease, one.result), codec.to_ms_or_none(one.result.park_host_until)
        if until is not None and host != one.lease.host:
            hosts.pause(connection, [(host, until, 0)])
            hosts.refresh(connection, [host], one.polled_ms)


def _pause(lease: Lease, result: PollResult) -> hosts.Pause:
    again = result.polled_at + result.duration + request_gap(lease.host)
    parked = result.park_host_until if _parked_host(lease, result) == lease.host else None
    return lease.host, codec.to_ms_or_none(parked) or 0, codec.to_ms(again)


def _parked_host(lease: Lease, result: PollResult) -> str:
    return lease.host if result.parked_url is None else host_key(result.parked_url)


def _settle(connection: Connection, one: _Taken) -> None:
    """A source whose address leads to another host than before is polled from there."""
    before, host = one.source.host, host_key(str(one.values.get("fetch_url", one.source.fetch_url)))
    if host != before:
        sources.move(connection, one.source.id, host)
        hosts.refresh(connection, (before, host), one.polled_ms)
