"""Views in a window, likes and readers, counted without keeping who they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from aggregator.errors import NotFound, StoreError
from aggregator.model import ItemText, Reader
from aggregator.store.sql import codec, item_loader
from aggregator.store.sql.derived_columns import bump
from aggregator.store.sql.engine import NO_LIMIT, Connection, Engine
from aggregator.store.sql.ids import encode_id

BUCKET_MS = 300_000
#: impressions are kept by the hour
HOUR_MS = 3_600_000
_COUNTS = """
SELECT i.public_id, CAST(sum(b.n) AS bigint) FROM buckets b JOIN items i ON i.id = b.item_id
WHERE b.bucket >= ? AND b.bucket < ? GROUP BY i.public_id
"""
_COUNT_OF = "SELECT CAST(sum(n) AS bigint) FROM buckets WHERE item_id = ? AND bucket >= ? AND bucket < ?"
_PER_HOUR = HOUR_MS // BUCKET_MS
_BY_HOUR = f"""
SELECT bucket / {_PER_HOUR} AS hour, CAST(sum(n) AS bigint) AS n FROM buckets
WHERE item_id = ? AND bucket >= ? AND bucket < ? GROUP BY 1
"""
_BY_SECTION = """
SELECT section, CAST(sum(n) AS bigint) AS n FROM (
    SELECT i.section, b.n FROM buckets b JOIN items i ON i.id = b.item_id
        WHERE b.bucket >= :since AND b.bucket < :until AND i.shown
    UNION ALL SELECT more.value, b.n FROM buckets b JOIN items i ON i.id = b.item_id
        CROSS JOIN json_each(i.more_sections) AS more
        WHERE b.bucket >= :since AND b.bucket < :until AND i.shown AND i.more_sections <> '[]') AS every
GROUP BY section
"""


_SHOWN = """
INSERT INTO impressions(hour, item_id, weight) VALUES (?, ?, ?)
ON CONFLICT(hour, item_id) DO UPDATE SET weight = impressions.weight + excluded.weight
"""


class Audience:
    """The part of `AudienceStore` that every engine shares: windows of views, likes, readers."""

    _engine: Engine

    def view_counts(self, *, since: datetime, until: datetime, ids: Sequence[str] | None = None) -> dict[str, int]:
        """Views by item in the 5-minute buckets from that of `since` to the last that began before `until`."""
        window = (codec.to_ms(since) // BUCKET_MS, -(-codec.to_ms(until) // BUCKET_MS))

        def run(connection: Connection) -> dict[str, int]:
            if ids is None:
                return {encode_id(public): n for public, n in connection.execute(_COUNTS, window)}
            counts = {}
            for item_id in ids:
                row = connection.execute(_COUNT_OF, (item_loader.resolve(connection, item_id), *window)).fetchone()
                if row[0]:
                    counts[item_id] = row[0]
            return counts

        return self._engine.read(run)

    def views_by_hour(self, item_id: str, *, since: datetime, until: datetime) -> list[int]:
        """Views of one item in each hour (UTC) from that of `since` to the last that began before `until`."""
        first, last = codec.to_ms(since) // HOUR_MS, -(-codec.to_ms(until) // HOUR_MS)

        def run(connection: Connection) -> list[int]:
            row_id = item_loader.resolve(connection, item_id)
            rows = connection.execute(_BY_HOUR, (row_id, first * _PER_HOUR, last * _PER_HOUR)).fetchall()
            found = {row["hour"]: row["n"] for row in rows}
            return [found.get(hour, 0) for hour in range(first, last)]

        return self._engine.read(run)

    def views_by_section(self, *, since: datetime, until: datetime) -> dict[str, int]:
        """Views in that time of shown items, by section (each of an item's); exact to the 5-minute bucket."""
        window = {"since": codec.to_ms(since) // BUCKET_MS, "until": -(-codec.to_ms(until) // BUCKET_MS)}
        rows = self._engine.read(lambda connection: connection.execute(_BY_SECTION, window).fetchall())
        return {row["section"]: row["n"] for row in rows}

    def add_impressions(self, weights: Mapping[str, float], *, at: datetime) -> None:
        """Adds to how often these items were shown, in the hour of `at`; ids that do not exist are dropped."""
        hour = codec.to_ms(at) // HOUR_MS

        def run(connection: Connection) -> None:
            rows = zip(item_loader.resolve_each(connection, list(weights)), weights.values(), strict=True)
            added = [(row_id, weight) for row_id, weight in rows if row_id is not None and weight > 0]
            connection.executemany(_SHOWN, [(hour, row_id, weight) for row_id, weight in added])
            connection.executemany(
                "UPDATE items SET impressions = impressions + ? WHERE id = ?",
                [(weight, row_id) for row_id, weight in added],
            )

        self._engine.write(run)

    def like(self, item_id: str, *, visitor: bytes, now: datetime) -> bool:
        """Records a like, durably; False if this visitor has liked it before. Raises NotFound."""

        def run(connection: Connection) -> bool:
            row_id = item_loader.resolve(connection, item_id)
            if row_id is None:
                raise NotFound(f"there is no item {item_id!r}")
            done = connection.execute(
                "INSERT INTO likes(item_id, visitor, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (row_id, visitor, codec.to_ms(now)),
            )
            if done.rowcount:
                connection.execute("UPDATE items SET likes = likes + 1 WHERE id = ?", (row_id,))
                bump(connection)
            return done.rowcount > 0

        return self._engine.write(run)

    def add_reader(self, name: str, token: str, *, now: datetime) -> Reader:
        """A reader with a private address; StoreError if the name is taken."""
        created = codec.to_ms(now)

        def run(connection: Connection) -> None:
            done = connection.execute(
                "INSERT INTO readers(name, token, created) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (name, token, created),
            )
            if not done.rowcount:
                raise StoreError(f"there is a reader {name!r} already, or one with this token")

        self._engine.write(run)
        return Reader(name=name, token=token, created=codec.from_ms(created))

    def remove_reader(self, name: str) -> bool:
        """Forgets a reader and all that was learnt; False if there was none."""

        def run(connection: Connection) -> bool:
            row = connection.execute("DELETE FROM readers WHERE name = ? RETURNING id, token", (name,)).fetchone()
            if row is None:
                return False
            for table in ("opened", "reader_states"):
                connection.execute(f"DELETE FROM {table} WHERE reader_id = ?", (row["id"],))
            own = [
                (key,)
                for (key,) in connection.execute("SELECT key FROM lists WHERE key LIKE '%/reader/%'")
                if key.endswith(f"/reader/{row['token']}")
            ]
            connection.executemany("DELETE FROM lists WHERE key = ?", own)
            return True

        return self._engine.write(run)

    def readers(self) -> list[Reader]:
        """All readers, by name."""
        query = (
            "SELECT r.name, r.token, r.created, (SELECT count(*) FROM opened WHERE reader_id = r.id) AS opened"
            " FROM readers r ORDER BY r.name"
        )
        rows = self._engine.read(lambda connection: connection.execute(query).fetchall())
        return [
            Reader(name=row["name"], token=row["token"], created=codec.from_ms(row["created"]), opened=row["opened"])
            for row in rows
        ]

    def record_opened(self, token: str, item_id: str, *, now: datetime) -> bool:
        """A reader opened an item through their own feed; False if the token or the item is unknown."""

        def run(connection: Connection) -> bool:
            reader = connection.execute("SELECT id FROM readers WHERE token = ?", (token,)).fetchone()
            row_id = item_loader.resolve(connection, item_id)
            if reader is None or row_id is None:
                return False
            connection.execute(
                "INSERT INTO opened(reader_id, item_id, at) VALUES (?, ?, ?)"
                " ON CONFLICT(reader_id, item_id) DO UPDATE SET at = greatest(opened.at, excluded.at)",
                (reader["id"], row_id, codec.to_ms(now)),
            )
            return True

        return self._engine.write(run)

    def opened(self, token: str, *, limit: int) -> list[tuple[ItemText, datetime]]:
        """What a reader opened, newest first. limit 0: all."""
        query = (
            f"SELECT texts.*, o.at FROM ({item_loader.ITEM_TEXTS}) texts JOIN opened o ON o.item_id = texts.row_id"
            " JOIN readers r ON r.id = o.reader_id WHERE r.token = ? ORDER BY o.at DESC, o.item_id DESC LIMIT ?"
        )
        rows = self._engine.read(lambda connection: connection.execute(query, (token, limit or NO_LIMIT)).fetchall())
        return [(item_loader.text_of(row), codec.from_ms(row["at"])) for row in rows]
