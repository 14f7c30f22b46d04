"""The queue of polls: sources taken over from the configuration, leased by host, completed under a token."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from aggregator.model import CountedFailure, KnownEntry, Lease, PollResult, Source, SourceHealth, Subscription
from aggregator.store import PollChanges, SyncedSources
from aggregator.store.sql import codec, hosts, poll_results, source_health, sources
from aggregator.store.sql.batches import padded_batches, placeholders
from aggregator.store.sql.engine import Connection, Engine, Row
from aggregator.store.sql.ids import digest

DUE_HOSTS = """
SELECT host FROM hosts WHERE due_at <= :now AND leased_until <= :now AND free_at <= :now AND parked_until <= :now
ORDER BY due_at LIMIT :limit
"""
#: a person asked: due times do not matter, parking and leases do; a source that is gone only if it is named
_ASKED_HOSTS = """
SELECT s.host FROM sources s JOIN hosts h ON h.host = s.host
WHERE s.configured AND s.enabled AND (NOT s.gone OR (:force AND CAST(:only AS text) IS NOT NULL))
    AND (:force OR s.due_at <= :now)
    AND (CAST(:only AS text) IS NULL OR s.url IN (SELECT value FROM json_each(:only)))
    AND h.leased_until <= :now AND h.free_at <= :now AND h.parked_until <= :now
GROUP BY s.host ORDER BY min(s.due_at), s.host LIMIT :limit
"""
#: of these hosts, in this order; of each the sources that have waited longest
_DUE_SOURCES = f"""
SELECT {codec.SOURCE_COLUMNS}, s.host FROM json_each(:hosts) asked JOIN sources s ON s.id IN (
    SELECT id FROM sources WHERE host = asked.value AND due_at <= :now AND configured AND enabled AND NOT gone
    ORDER BY due_at, id LIMIT :per_host)
ORDER BY asked.key, s.due_at, s.id
"""
_ASKED_SOURCES = f"""
SELECT {codec.SOURCE_COLUMNS}, s.host FROM json_each(:hosts) asked JOIN sources s ON s.id IN (
    SELECT id FROM sources WHERE host = asked.value AND configured AND enabled
        AND (NOT gone OR (:force AND CAST(:only AS text) IS NOT NULL)) AND (:force OR due_at <= :now)
        AND (CAST(:only AS text) IS NULL OR url IN (SELECT value FROM json_each(:only)))
    ORDER BY due_at, id LIMIT :per_host)
ORDER BY asked.key, s.due_at, s.id
"""
_LEASE = """
UPDATE hosts SET token = token + 1, leased_until = :until, due_at = :until
WHERE host IN (SELECT value FROM json_each(:hosts)) AND leased_until <= :now
RETURNING host, token
"""
#: unless it has been polled again since, with a result that counted
_TAKE_BACK = """
UPDATE sources SET error_count = ?, error_since = ?, due_at = least(due_at, ?) WHERE id = ? AND error_count = ?
"""
_MAKE_DUE = """
UPDATE sources SET due_at = :now WHERE due_at > :now AND lease_token IS NULL
    AND error_code IN (SELECT value FROM json_each(:codes)) RETURNING id
"""
#: without the text, which is most of an entry
_KNOWN = "id, entry_id, guid, canonical_url, title, text_key, first_seen, published"


class Work:
    """`WorkStore`."""

    _engine: Engine
    #: of `DUE_HOSTS` and the sources of these hosts, what an engine runs best
    _due_hosts = DUE_HOSTS
    _due_sources = _DUE_SOURCES
    #: whether a claim must outlive a crash of the engine: not where that ends whoever has claimed as well
    _claims_last = False

    def sync_sources(
        self, subscriptions: Sequence[Subscription], *, now: datetime, catch_up: bool = False
    ) -> SyncedSources:
        """Makes the followed sources those of the configuration. New ones are due at once."""

        def run(connection: Connection) -> SyncedSources:
            synced = sources.take_over(connection, subscriptions, codec.to_ms(now))
            if catch_up:
                sources.spread_overdue(connection, codec.to_ms(now))
            every = connection.execute("SELECT host FROM hosts").fetchall()
            hosts.refresh(connection, [host for (host,) in every], codec.to_ms(now))
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
        now_ms = codec.to_ms(now)
        asked = {
            "now": now_ms,
            "limit": limit,
            "per_host": per_host,
            "force": force,
            "only": None if only is None else json.dumps(sorted(only)),
        }
        until = codec.to_ms(now + lease)
        queries = (_ASKED_HOSTS, _ASKED_SOURCES) if force or only is not None else (self._due_hosts, self._due_sources)

        def run(connection: Connection) -> list[Lease]:
            hosts_of, sources_of = queries
            due = [host for (host,) in connection.execute(hosts_of, asked)]
            rows = connection.execute(sources_of, {**asked, "hosts": json.dumps(due)}).fetchall() if due else []
            hosts.refresh(connection, set(due).difference(row["host"] for row in rows), now_ms)
            return _leased(connection, rows[:limit], until, now_ms)

        # a disk that turns for each claim would have all slots wait for it
        return self._engine.write(run, lasting=self._claims_last) if limit > 0 else []

    def give_back(self, lease: Lease, *, now: datetime) -> None:
        """Ends a lease; what was not completed of it is due at once."""
        leases = [(lease.host, lease.token)]
        self._engine.write(lambda connection: hosts.give_back(connection, leases, codec.to_ms(now)))

    def known(
        self,
        source_id: int,
        *,
        guids: Sequence[str] = (),
        links: Sequence[str] = (),
        titles: Sequence[str] = (),
        numbers: Sequence[str] = (),
    ) -> list[KnownEntry]:
        """Entries of this source with these guids, canonical links, titles or numbers, tombstones included."""
        asked = (("guid_key", guids), ("link_key", links), ("title_key", titles), ("number_key", numbers))

        def run(connection: Connection) -> list[KnownEntry]:
            found: dict[int, KnownEntry] = {}
            for column, texts in asked:
                for keys in padded_batches([digest(text) for text in dict.fromkeys(texts)]):
                    query = (
                        f"SELECT {_KNOWN} FROM entries WHERE {column} IN ({placeholders(len(keys))}) AND source_id = ?"
                    )
                    for row in connection.execute(query, (*keys, source_id)):
                        found[row["id"]] = KnownEntry(
                            entry_id=row["entry_id"],
                            guid=row["guid"],
                            canonical_url=row["canonical_url"],
                            title=row["title"],
                            text_key=row["text_key"],
                            first_seen=codec.from_ms(row["first_seen"]),
                            published=codec.from_ms(row["published"]),
                        )
            return [found[row_id] for row_id in sorted(found)]

        return self._engine.read(run)

    def complete(self, lease: Lease, result: PollResult) -> PollChanges:
        """Commits everything one poll changes, or raises StaleLease and changes nothing."""
        (outcome,) = self.complete_all([(lease, result)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def complete_all(self, polls: Sequence[tuple[Lease, PollResult]]) -> list[PollChanges | Exception]:
        """Commits what each of these polls changes, or gives why it is not."""
        return self._engine.write_all(polls, poll_results.complete) if polls else []

    def take_back(self, failures: Sequence[CountedFailure], *, due: datetime) -> int:
        """Undoes failures that were counted against sources, which are then due at `due`; how many."""
        due_ms = codec.to_ms(due)

        def run(connection: Connection) -> int:
            taken = 0
            for one in failures:
                since = codec.to_ms_or_none(one.error_since)
                values = (one.error_count, since, due_ms, one.source_id, one.error_count + 1)
                taken += connection.execute(_TAKE_BACK, values).rowcount
            _refresh_hosts_of(connection, [one.source_id for one in failures], due_ms)
            return taken

        return self._engine.write(run) if failures else 0

    def make_due(self, error_codes: Collection[str], *, now: datetime) -> int:
        """Makes sources whose last error has one of these codes due at once; how many."""
        now_ms = codec.to_ms(now)

        def run(connection: Connection) -> int:
            rows = connection.execute(_MAKE_DUE, {"codes": json.dumps(sorted(error_codes)), "now": now_ms}).fetchall()
            _refresh_hosts_of(connection, [source_id for (source_id,) in rows], now_ms)
            return len(rows)

        return self._engine.write(run) if error_codes else 0

    def next_due(self, *, now: datetime) -> datetime | None:  # noqa: ARG002 - an engine with its own clock needs it
        """When the next poll is due; in the past if one waits already; None if there is nothing to poll."""
        query = "SELECT min(due_at) FROM hosts"
        return codec.from_ms_or_none(self._engine.read(lambda connection: connection.execute(query).fetchone()[0]))

    def followed(self) -> list[Source]:
        """Every source that is polled now and then: configured, enabled, not gone."""
        query = f"SELECT {codec.SOURCE_COLUMNS} FROM sources s WHERE {hosts.POLLABLE} ORDER BY id"
        return self._engine.read(lambda connection: [codec.source(row) for row in connection.execute(query)])

    def sources(self, *, now: datetime, slug: str | None = None) -> list[SourceHealth]:
        """The health of every configured source, or of the one with that slug, by section and name."""
        return self._engine.read(lambda connection: source_health.of_all(connection, codec.to_ms(now), slug))

    def states(self, *, now: datetime) -> Mapping[str, int]:
        """How many configured sources are in each state."""
        return self._engine.read(lambda connection: source_health.states(connection, codec.to_ms(now)))


def _refresh_hosts_of(connection: Connection, source_ids: Sequence[int], now_ms: int) -> None:
    """When the hosts of these sources are next due."""
    query = "SELECT DISTINCT host FROM sources WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"
    rows = connection.execute(query, (json.dumps(source_ids),)).fetchall()
    hosts.refresh(connection, [host for (host,) in rows], now_ms)


def _leased(connection: Connection, rows: Sequence[Row], until: int, now_ms: int) -> list[Lease]:
    """Takes the hosts of these sources that nobody has taken meanwhile; the due times of both move behind the lease."""
    by_host: dict[str, list[Row]] = {}
    for row in rows:
        by_host.setdefault(row["host"], []).append(row)
    tokens = dict(
        connection.execute(_LEASE, {"until": until, "hosts": json.dumps(list(by_host)), "now": now_ms}).fetchall()
    )
    connection.executemany(
        "UPDATE sources SET due_at = greatest(due_at, ?), lease_token = ? WHERE id = ?",
        [(until, tokens[row["host"]], row["id"]) for row in rows if row["host"] in tokens],
    )
    return [
        Lease(
            host=host,
            token=tokens[host],
            until=codec.from_ms(until),
            sources=tuple(codec.source(row) for row in own),
        )
        for host, own in by_host.items()
        if host in tokens
    ]
