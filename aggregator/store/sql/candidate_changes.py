"""What has changed of the candidates since a cursor: the cost of asking follows what changed, not what is stored.

Every change of what a candidate is made of is logged in `changes` (`change_triggers`). Beside that, time itself moves
things: old views leave the windows, old items the newest, and what a clock saw that was ahead comes in when its time
has come. Both are read here, from one snapshot; whatever cannot be followed (another population, a clock that went
back, a log that was cut off in between) is answered with everything anew. Views and likes of an item count whenever
they came: those that a wrong clock recorded are as good as others, and nothing has to be read anew for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from aggregator.model import CandidateChanges, ChangeCursor, Population
from aggregator.store.sql import candidates, codec, source_health
from aggregator.store.sql.audience import BUCKET_MS
from aggregator.store.sql.engine import Connection, Row
from aggregator.store.sql.ids import encode_id

#: what the store has seen up to this much after `now` has been seen: the clock went back, by an hour or to another time
#: zone. What is later than that was seen by a clock that was wrong.
AHEAD_MS = 25 * 3_600_000
#: after more changes than this, reading everything anew costs less than looking at each
FOLLOWED = 20_000
_CHUNK = 500
#: so many changes are kept (transactions, on an engine that numbers those); whoever has seen fewer reads everything
KEPT = 100_000

_NEWEST = "SELECT max(first_seen) FROM items WHERE shown AND first_seen <= ?"
_NEWEST_VIEW = "SELECT max(bucket) FROM buckets WHERE bucket <= ?"
_FLOOR = """
SELECT first_seen, id FROM items WHERE shown AND first_seen BETWEEN ? AND ?
ORDER BY first_seen DESC, id DESC LIMIT 1 OFFSET ?
"""
_BETWEEN = "SELECT id FROM items WHERE shown AND (first_seen, id) >= (?, ?) AND (first_seen, id) < (?, ?)"
_CANDIDATES_OF = f"""
{candidates.SELECTED}
WHERE i.shown AND i.first_seen <= ? AND ((i.first_seen, i.id) >= (?, ?)
    OR EXISTS (SELECT 1 FROM buckets b WHERE b.item_id = i.id AND b.bucket BETWEEN ? AND ?)) AND i.id IN ({{}})
"""
_DAYS_OF = "SELECT day, n FROM source_days WHERE source_id = ? AND day BETWEEN ? AND ?"


def read(connection: Connection, population: Population, cursor: ChangeCursor | None, now_ms: int) -> CandidateChanges:
    """Everything that has changed since the cursor, as of `now_ms` or of what was seen just after it."""
    at_ms = _moment(connection, now_ms)
    last, forgotten = connection.last_change(), _forgotten(connection)
    following = _Following(connection, population, at_ms)
    if cursor is None or not _follows(cursor, population, at_ms, (forgotten, last)):
        return following.everything(last)
    return following.since(cursor, last)


def prune(connection: Connection) -> None:
    """Forgets old changes, never the last one, whose number must not be given again."""
    limit = connection.last_change() - KEPT
    if limit > _forgotten(connection):
        connection.execute("DELETE FROM changes WHERE seq <= ?", (limit,))
        _forget(connection, limit)


def start_anew(connection: Connection) -> None:
    """Forgets every change: of a store that has been copied, nobody has seen any."""
    connection.execute("DELETE FROM changes")
    _forget(connection, connection.last_change())


def _forget(connection: Connection, change: int) -> None:
    connection.execute(
        "INSERT INTO counters(name, value) VALUES ('changes_forgotten', ?)"
        " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
        (change,),
    )


def _forgotten(connection: Connection) -> int:
    """The number up to which changes have been forgotten."""
    row = connection.execute("SELECT value FROM counters WHERE name = 'changes_forgotten'").fetchone()
    return 0 if row is None else int(row[0])


def _moment(connection: Connection, now_ms: int) -> int:
    """`now`, or the last moment that the store has seen: lists do not go back with the clock."""
    latest_ms = now_ms + AHEAD_MS
    seen = connection.execute(_NEWEST, (latest_ms,)).fetchone()[0]
    bucket = connection.execute(_NEWEST_VIEW, (latest_ms // BUCKET_MS,)).fetchone()[0]
    return max(now_ms, seen or 0, (bucket or 0) * BUCKET_MS)


def _follows(cursor: ChangeCursor, population: Population, at_ms: int, changes: tuple[int, int]) -> bool:
    """Whether the cursor leads here by changes that are still known."""
    forgotten, last = changes
    return (
        cursor.population == population
        and forgotten <= cursor.change <= last <= cursor.change + FOLLOWED
        and codec.to_ms(cursor.at) <= at_ms
    )


class _Following:
    """One snapshot at one moment."""

    def __init__(self, connection: Connection, population: Population, at_ms: int) -> None:
        self._connection = connection
        self._population = population
        self._at_ms = at_ms
        self._since_ms = _until(at_ms) - _ms(population.reach)
        self._floor = self._oldest_of_the_newest()

    def _oldest_of_the_newest(self) -> tuple[int, int]:
        asked = (self._since_ms, self._at_ms, self._population.newest - 1)
        row = self._connection.execute(_FLOOR, asked).fetchone() if self._population.newest else None
        return (self._since_ms, 0) if row is None else (row["first_seen"], row["id"])

    def _cursor(self, change: int) -> ChangeCursor:
        return ChangeCursor(
            population=self._population, at=codec.from_ms(self._at_ms), change=change, floor=self._floor
        )

    def everything(self, last: int) -> CandidateChanges:
        """All candidates, all counts."""
        newest = self._population.newest
        found = candidates.read(self._connection, self._since_ms, self._at_ms, newest, with_later=True)
        counts = {name: self._counted(self._first(span, self._at_ms)) for name, span in self._windows()}
        rates = {item.source_id: item.source_rate for item in found}
        return CandidateChanges(
            cursor=self._cursor(last),
            whole=True,
            candidates=found,
            gone=frozenset(),
            edited=frozenset(),
            rates=rates,
            counts=counts,
        )

    def since(self, cursor: ChangeCursor, last: int) -> CandidateChanges:
        """What has changed, and what has left."""
        execute = self._connection.execute
        items = {
            row[0] for row in execute("SELECT item_id FROM changes WHERE seq > ? AND item_id > 0", (cursor.change,))
        }
        sources = {
            row[0] for row in execute("SELECT source_id FROM changes WHERE seq > ? AND source_id > 0", (cursor.change,))
        }
        edited = {row[0] for row in execute("SELECT item_id FROM changes WHERE seq > ? AND edited", (cursor.change,))}
        then_ms = codec.to_ms(cursor.at)
        moved = {*self._left(then_ms), *self._entered(then_ms)}
        examined = sorted(items | moved | {*self._between(cursor.floor), *self._arrived(then_ms)})
        rows = list(self._rows(examined))
        rates = self._rates(sources | {row["source_id"] for row in rows}, then_ms)
        ids = dict(self._public(examined))
        return CandidateChanges(
            cursor=self._cursor(last),
            whole=False,
            candidates=[candidates.of_today(row, rates) for row in rows],
            gone=frozenset(ids[row_id] for row_id in set(examined) - {row["id"] for row in rows} if row_id in ids),
            edited=frozenset(ids[row_id] for row_id in edited if row_id in ids),
            rates=rates,
            counts=self._counts_of({row_id: ids[row_id] for row_id in items | moved if row_id in ids}),
        )

    def _windows(self) -> Iterator[tuple[str, timedelta]]:
        yield from self._population.windows.items()

    @staticmethod
    def _first(span: timedelta, at_ms: int) -> int:
        """The first bucket of a window."""
        return (_until(at_ms) - _ms(span)) // BUCKET_MS

    def _left(self, then_ms: int) -> Iterator[int]:
        """Items with views that were in a window then, and are in it no more."""
        for span in {self._population.reach, *self._population.windows.values()}:
            bounds = self._first(span, then_ms), self._first(span, self._at_ms)
            query = "SELECT DISTINCT item_id FROM buckets WHERE bucket >= ? AND bucket < ?"
            yield from (row[0] for row in self._connection.execute(query, bounds))

    def _entered(self, then_ms: int) -> Iterator[int]:
        """Items with views that were recorded ahead of then, and are in the windows now."""
        bounds = then_ms // BUCKET_MS, self._at_ms // BUCKET_MS
        query = "SELECT DISTINCT item_id FROM buckets WHERE bucket > ? AND bucket <= ?"
        yield from (row[0] for row in self._connection.execute(query, bounds))

    def _arrived(self, then_ms: int) -> Iterator[int]:
        """Items that are seen now and were not then."""
        query = "SELECT id FROM items WHERE shown AND first_seen > ? AND first_seen <= ?"
        yield from (row[0] for row in self._connection.execute(query, (then_ms, self._at_ms)))

    def _between(self, floor: tuple[int, int]) -> Iterator[int]:
        """Items that have become, or are no more, one of the newest."""
        low, high = sorted((floor, self._floor))
        yield from (row[0] for row in self._connection.execute(_BETWEEN, (*low, *high)))

    def _rows(self, row_ids: Sequence[int]) -> Iterator[Row]:
        """Those among the items that are candidates."""
        viewed = (self._first(self._population.reach, self._at_ms), self._at_ms // BUCKET_MS)
        for chunk in _chunks(row_ids):
            query = _CANDIDATES_OF.format(", ".join("?" * len(chunk)))
            yield from self._connection.execute(query, (self._at_ms, *self._floor, *viewed, *chunk))

    def _public(self, row_ids: Sequence[int]) -> Iterator[tuple[int, str]]:
        for chunk in _chunks(row_ids):
            query = f"SELECT id, public_id FROM items WHERE id IN ({', '.join('?' * len(chunk))})"
            yield from ((row[0], encode_id(row[1])) for row in self._connection.execute(query, chunk))

    def _rates(self, sources: Iterable[int], then_ms: int) -> dict[int, float]:
        """Items a day of these sources; of all of them on a new day, when the first of the thirty has gone."""
        today = self._at_ms // codec.DAY_MS
        if then_ms // codec.DAY_MS != today:
            known = source_health.rates(self._connection, self._at_ms)
            return {source: known.get(source, 0.0) for source in self._all_sources()}
        return {source: self._rate(source, today) for source in sources}

    def _all_sources(self) -> Iterator[int]:
        yield from (row[0] for row in self._connection.execute("SELECT id FROM sources"))

    def _rate(self, source: int, today: int) -> float:
        first, daily = today - source_health.DAYS + 1, [0] * source_health.DAYS
        for day, n in self._connection.execute(_DAYS_OF, (source, first, today)):
            daily[day - first] = n
        return source_health.rate(daily)

    def _counted(self, first: int) -> dict[str, int]:
        query = (
            "SELECT i.public_id, CAST(sum(b.n) AS bigint) FROM buckets b JOIN items i ON i.id = b.item_id"
            " WHERE b.bucket BETWEEN ? AND ? GROUP BY i.public_id"
        )
        rows = self._connection.execute(query, (first, self._at_ms // BUCKET_MS))
        return {encode_id(public): n for public, n in rows}

    def _counts_of(self, items: Mapping[int, str]) -> dict[str, dict[str, int]]:
        """By window, the readers of these items."""
        firsts = {name: self._first(span, self._at_ms) for name, span in self._windows()}
        if not firsts:
            return {}
        sums = ", ".join(
            f"CAST(coalesce(sum(n) FILTER (WHERE bucket >= {first}), 0) AS bigint)" for first in firsts.values()
        )
        query = f"SELECT {sums} FROM buckets WHERE item_id = ? AND bucket BETWEEN ? AND ?"
        bounds = (min(firsts.values()), self._at_ms // BUCKET_MS)
        counts: dict[str, dict[str, int]] = {name: {} for name in firsts}
        for row_id, item_id in items.items():
            row = self._connection.execute(query, (row_id, *bounds)).fetchone()
            for name, n in zip(firsts, row, strict=True):
                counts[name][item_id] = n
        return counts


def _until(at_ms: int) -> int:
    """Where every window ends: behind the bucket that is being filled."""
    return (at_ms // BUCKET_MS + 1) * BUCKET_MS


def _ms(span: timedelta) -> int:
    return codec.span_ms(span) or 0


def _chunks(row_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(row_ids), _CHUNK):
        yield row_ids[start : start + _CHUNK]
