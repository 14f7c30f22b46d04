"""The queue of polls: sources taken over from the configuration, leased by host, completed under a token."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from sqlite3 import Row

from aggregator.errors import StaleLease, StoreError
from aggregator.model import KnownEntry, Lease, PollResult, Source, SourceHealth, Subscription
from aggregator.store import Stored, SyncedSources
from aggregator.store.sqlite import codec, health, sync
from aggregator.store.sqlite.connection import Connection, Engine
from aggregator.store.sqlite.ingest import store_entries
from aggregator.store.sqlite.keys import digest, host_key, request_gap
from aggregator.store.sqlite.shown import bump

#: a source that is asked at all
POLLABLE = "configured AND enabled AND NOT gone"
_CHUNK = 500

_DUE_HOSTS = """
SELECT host FROM hosts WHERE due_at <= :now AND max(leased_until, free_at, parked_until) <= :now
ORDER BY due_at LIMIT :limit
"""
#: a person asked: due times do not matter, parking and leases do; a source that is gone only if it is named
_ASKED_HOSTS = """
SELECT s.host FROM sources s JOIN hosts h ON h.host = s.host
WHERE s.configured AND s.enabled AND (NOT s.gone OR (:force AND :only IS NOT NULL)) AND (:force OR s.due_at <= :now)
    AND (:only IS NULL OR s.url IN (SELECT value FROM json_each(:only)))
    AND max(h.leased_until, h.free_at, h.parked_until) <= :now
GROUP BY s.host ORDER BY min(s.due_at), s.host LIMIT :limit
"""
#: of these hosts, in this order; of each the sources that have waited longest
_DUE_SOURCES = """
SELECT s.* FROM json_each(:hosts) asked JOIN sources s ON s.id IN (
    SELECT id FROM sources WHERE host = asked.value AND due_at <= :now AND configured AND enabled AND NOT gone
    ORDER BY due_at, id LIMIT :per_host)
ORDER BY asked.key, s.due_at, s.id
"""
_ASKED_SOURCES = """
SELECT s.* FROM json_each(:hosts) asked JOIN sources s ON s.id IN (
    SELECT id FROM sources WHERE host = asked.value AND configured AND enabled
        AND (NOT gone OR (:force AND :only IS NOT NULL)) AND (:force OR due_at <= :now)
        AND (:only IS NULL OR url IN (SELECT value FROM json_each(:only)))
    ORDER BY due_at, id LIMIT :per_host)
ORDER BY asked.key, s.due_at, s.id
"""
_LEASE = """
UPDATE hosts SET token = token + 1, leased_until = ?1, due_at = ?1 WHERE host IN (SELECT value FROM json_each(?2))
RETURNING host, token
"""
#: without the text, which is most of an entry
_KNOWN = "id, entry_id, guid, canonical_url, title, first_seen, published"
_HELD_SOURCE = "SELECT h.token AS host_token, s.* FROM hosts h LEFT JOIN sources s ON s.id = ?2 WHERE h.host = ?1"
#: the pauses that a host is owed
_PAUSES = "parked_until = max(parked_until, :parked), free_at = max(free_at, :free_at)"
#: the same, and it is nobody's any more: due with its first source, never within its pauses
_FREE = f"""
UPDATE hosts SET {_PAUSES}, leased_until = 0, due_at = (
    SELECT max(min(s.due_at), hosts.free_at, :free_at, hosts.parked_until, :parked)
    FROM sources s WHERE s.host = hosts.host AND {POLLABLE})
WHERE host = :host
"""


def refresh_host(connection: Connection, host: str) -> None:
    """When a host that nobody has leased is next due: with its first source, never within its pauses."""
    connection.execute(
        f"UPDATE hosts SET leased_until = 0, due_at = (SELECT max(min(s.due_at), hosts.free_at, hosts.parked_until)"
        f" FROM sources s WHERE s.host = hosts.host AND {POLLABLE}) WHERE host = ?",
        (host,),
    )


class Work:
    """`WorkStore` on SQLite."""

    _engine: Engine

    def sync_sources(
        self, subscriptions: Sequence[Subscription], *, now: datetime, catch_up: bool = False
    ) -> SyncedSources:
        """Makes the followed sources those of the configuration. New ones are due at once."""

        def run(connection: Connection) -> SyncedSources:
            synced = sync.take_over(connection, subscriptions, codec.to_ms(now))
            if catch_up:
                sync.spread_overdue(connection, codec.to_ms(now))
            idle = connection.execute("SELECT host FROM hosts WHERE leased_until <= ?", (codec.to_ms(now),)).fetchall()
            for (host,) in idle:
                refresh_host(connection, host)
            return synced

        return self._engine.write(run)

    def claim(
        self,
        *,
        now: datetime,
        limit: int,
        lease: timedelta,
        per_host: int = 1,
        force: bool = False,
        only: frozenset[str] | None = None,
    ) -> list[Lease]:
        """At most `limit` sources in all, grouped by host, oldest due first; leased hosts are left out."""
        asked = {
            "now": codec.to_ms(now),
            "limit": limit,
            "per_host": per_host,
            "force": force,
            "only": None if only is None else json.dumps(sorted(only)),
        }
        until = codec.to_ms(now + lease)
        queries = (_ASKED_HOSTS, _ASKED_SOURCES) if force or only is not None else (_DUE_HOSTS, _DUE_SOURCES)

        def run(connection: Connection) -> list[Lease]:
            hosts_of, sources_of = queries
            hosts = [host for (host,) in connection.execute(hosts_of, asked)]
            rows = connection.execute(sources_of, {**asked, "hosts": json.dumps(hosts)}).fetchall() if hosts else []
            for host in set(hosts).difference(row["host"] for row in rows):
                refresh_host(connection, host)
            return _leased(connection, rows[:limit], until)

        return self._engine.write(run) if limit > 0 else []

    def known(self, source_id: int, *, guids: Sequence[str], links: Sequence[str]) -> list[KnownEntry]:
        """What is remembered of these guids and canonical links of this source, tombstones included."""

        def run(connection: Connection) -> list[KnownEntry]:
            found: dict[int, KnownEntry] = {}
            for column, texts in (("guid_key", guids), ("link_key", links)):
                for keys in _chunks([digest(text) for text in dict.fromkeys(texts)]):
                    marks = ", ".join("?" * len(keys))
                    query = f"SELECT {_KNOWN} FROM entries WHERE {column} IN ({marks}) AND source_id = ?"
                    for row in connection.execute(query, (*keys, source_id)):
                        found[row["id"]] = KnownEntry(
                            entry_id=row["entry_id"],
                            guid=row["guid"],
                            canonical_url=row["canonical_url"],
                            title=row["title"],
                            first_seen=codec.from_ms(row["first_seen"]),
                            published=codec.from_ms(row["published"]),
                        )
            return [found[row_id] for row_id in sorted(found)]

        return self._engine.read(run)

    def complete(self, lease: Lease, result: PollResult) -> Stored:
        """Commits everything one poll changes, or raises StaleLease and changes nothing."""
        (outcome,) = self.complete_all([(lease, result)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def complete_all(self, polls: Sequence[tuple[Lease, PollResult]]) -> list[Stored | Exception]:
        """Commits what each of these polls changes, or gives why it is not."""
        return self._engine.write_all([partial(_complete, lease=lease, result=result) for lease, result in polls])

    def next_due(self, *, now: datetime) -> datetime | None:  # noqa: ARG002 - an engine with its own clock needs it
        """When the next poll is due; in the past if one waits already; None if there is nothing to poll."""
        query = "SELECT min(due_at) FROM hosts"
        return codec.from_ms_or_none(self._engine.read(lambda connection: connection.execute(query).fetchone()[0]))

    def followed(self) -> list[Source]:
        """Every source that is polled now and then: configured, enabled, not gone."""
        query = f"SELECT * FROM sources WHERE {POLLABLE} ORDER BY id"
        return self._engine.read(lambda connection: [codec.source(row) for row in connection.execute(query)])

    def sources(self, *, now: datetime, slug: str | None = None) -> list[SourceHealth]:
        """The health of every configured source, or of the one with that slug, by section and name."""
        return self._engine.read(lambda connection: health.of_all(connection, codec.to_ms(now), slug))

    def states(self, *, now: datetime) -> Mapping[str, int]:
        """How many configured sources are in each state."""
        return self._engine.read(lambda connection: health.states(connection, codec.to_ms(now)))


def _chunks(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]


def _leased(connection: Connection, rows: Sequence[Row], until: int) -> list[Lease]:
    """Takes the hosts of these sources, in their order; the due times of both move behind the lease."""
    by_host: dict[str, list[Row]] = {}
    for row in rows:
        by_host.setdefault(row["host"], []).append(row)
    tokens = dict(connection.execute(_LEASE, (until, json.dumps(list(by_host)))).fetchall())
    connection.executemany(
        "UPDATE sources SET due_at = max(due_at, ?1), lease_token = ?2 WHERE id = ?3",
        [(until, tokens[row["host"]], row["id"]) for row in rows],
    )
    return [
        Lease(
            host=host,
            token=tokens[host],
            until=codec.from_ms(until),
            sources=tuple(codec.source(row) for row in own),
        )
        for host, own in by_host.items()
    ]


def _complete(connection: Connection, lease: Lease, result: PollResult) -> Stored:
    source = connection.execute(_HELD_SOURCE, (lease.host, result.source_id)).fetchone()
    if source is None or source["host_token"] != lease.token:
        raise StaleLease(f"{lease.host} has been leased by another worker since; this poll is not stored")
    if source["id"] is None:
        raise StoreError(f"there is no source {result.source_id}")
    if source["lease_token"] != lease.token or all(one.id != result.source_id for one in lease.sources):
        return Stored()  # completed before: the second time changes nothing
    stored, visible = store_entries(connection, source["url"], result)
    if health.record_poll(connection, source, result) or visible:
        bump(connection)
    _release(connection, lease, result)
    _settle(connection, source, lease, result)
    return stored


def _release(connection: Connection, lease: Lease, result: PollResult) -> None:
    """Frees the host with the last source of its lease, after the pause it is owed."""
    pauses = {
        "host": lease.host,
        "parked": codec.to_ms_or_none(result.park_host_until) or 0,
        "free_at": codec.to_ms(result.polled_at + result.duration + request_gap(lease.host)),
    }
    others = [source.id for source in lease.sources if source.id != result.source_id]
    waiting = (
        others
        and connection.execute(
            "SELECT 1 FROM sources WHERE id IN (SELECT value FROM json_each(?)) AND lease_token = ?",
            (json.dumps(others), lease.token),
        ).fetchone()
    )
    connection.execute(f"UPDATE hosts SET {_PAUSES} WHERE host = :host" if waiting else _FREE, pauses)


def _settle(connection: Connection, source: Row, lease: Lease, result: PollResult) -> None:
    """A source whose address leads to another host than before is polled from there."""
    address = source["fetch_url"]
    if result.adopt_url:
        (address,) = connection.execute("SELECT fetch_url FROM sources WHERE id = ?", (source["id"],)).fetchone()
    host = host_key(address)
    if host != source["host"]:
        sync.move(connection, source["id"], host)
        refresh_host(connection, lease.host)
        refresh_host(connection, host)
