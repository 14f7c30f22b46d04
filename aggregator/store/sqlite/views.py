"""Views: appended to the log beside the database, and folded into the counts exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from aggregator.model import View
from aggregator.store.sql import codec, item_loader
from aggregator.store.sql.audience import BUCKET_MS
from aggregator.store.sql.derived_columns import bump
from aggregator.store.sql.engine import Connection
from aggregator.store.sql.ids import decode_id, encode_id
from aggregator.store.sqlite.engine import Engine
from aggregator.store.sqlite.view_log import Record, ViewLog

#: a folded log beyond this size is emptied
LOG_BYTES = 1 << 20

#: views that one statement takes: four values each, of 32,766 that SQLite allows
_AT_ONCE = 250
#: the views that are being counted, the first of each visitor; in memory, gone with the transaction
_BATCH = """
CREATE TEMP TABLE IF NOT EXISTS batch(day INTEGER, item_id INTEGER, visitor BLOB, at INTEGER,
    PRIMARY KEY(day, item_id, visitor)) WITHOUT ROWID
"""
_GATHER = "INSERT OR IGNORE INTO temp.batch(day, item_id, visitor, at) VALUES"
_FORGET_KNOWN = """
DELETE FROM temp.batch WHERE EXISTS (SELECT 1 FROM visitors v
    WHERE v.day = batch.day AND v.item_id = batch.item_id AND v.visitor = batch.visitor)
"""
_COUNTED = (
    "INSERT INTO visitors(day, item_id, visitor, at) SELECT day, item_id, visitor, at FROM temp.batch",
    f"""INSERT INTO buckets(bucket, item_id, n) SELECT at / {BUCKET_MS}, item_id, count(*) FROM temp.batch
    WHERE true GROUP BY 1, 2 ON CONFLICT DO UPDATE SET n = n + excluded.n""",
    """UPDATE items SET views = views + counted.n
    FROM (SELECT item_id, count(*) AS n FROM temp.batch GROUP BY item_id) AS counted
    WHERE items.id = counted.item_id""",
)


class Views:
    """The part of `AudienceStore` that records and counts views."""

    _engine: Engine
    _log: ViewLog

    def record_views(self, views: Sequence[View]) -> None:
        """Appends views; they survive ``kill -9`` when this returns and a power cut a second later."""
        records = list(_records(views))
        if records:
            self._log.append(records)

    def visitors(self, day_start: datetime) -> set[tuple[str, bytes]]:
        """(item id, visitor) of the views recorded since then, folded or not."""
        since = codec.to_ms(day_start)
        known = self._engine.read(_folded)
        _, _, waiting = self._log.read(known)  # before the table: folding moves views from here to there
        query = "SELECT i.public_id, v.visitor FROM visitors v JOIN items i ON i.id = v.item_id WHERE v.at >= ?"
        rows = self._engine.read(lambda connection: connection.execute(query, (since,)).fetchall())
        found = {(encode_id(row[0]), bytes(row[1])) for row in rows}
        return found | {(encode_id(number), visitor) for number, at, visitor in waiting if at >= since}

    def fold_views(self) -> int:
        """Moves what `record_views` appended into the counts, exactly once; how many views were counted."""

        def run(connection: Connection) -> tuple[bytes, int, int]:
            log_id, end, records = self._log.read(_folded(connection))
            if not records:
                return log_id, end, 0
            counted = _count(connection, records)
            connection.execute("DELETE FROM folded WHERE log_id <> ?", (log_id,))
            connection.execute(
                "INSERT INTO folded(log_id, offset) VALUES (?, ?) ON CONFLICT DO UPDATE SET offset = excluded.offset",
                (log_id, end),
            )
            return log_id, end, counted

        log_id, end, counted = self._engine.write(run)
        if end > LOG_BYTES:
            self._log.empty(log_id, end)
        return counted

    def forget_visitors(self, before: datetime) -> None:
        """Destroys every visitor hash older than that, in the log and the journal too; the counts stay."""
        self.fold_views()
        limit = codec.to_ms(before)
        self._engine.write(lambda connection: connection.execute("DELETE FROM visitors WHERE at < ?", (limit,)))
        log_id, end, waiting = self._log.read(self._engine.read(_folded))
        if not waiting:
            self._log.empty(log_id, end)
        self._engine.truncate_journal()

    def count_once(self, mark: str, views: Sequence[View]) -> int:
        """Records views of an imported log; a second call with the same `mark` counts nothing. How many counted."""

        def run(connection: Connection) -> int:
            done = connection.execute(
                "INSERT INTO marks(mark, n) VALUES (?, ?) ON CONFLICT DO NOTHING", (mark, len(views))
            )
            return _count(connection, _records(views)) if done.rowcount else 0

        return self._engine.write(run)


def _records(views: Sequence[View]) -> Iterable[Record]:
    """Views of ids that may exist; anything else is nobody's."""
    for view in views:
        number = decode_id(view.item_id)
        if number is not None:
            yield number, codec.to_ms(view.at), view.visitor


def _folded(connection: Connection) -> tuple[bytes, int] | None:
    row = connection.execute("SELECT log_id, offset FROM folded").fetchone()
    return None if row is None else (bytes(row["log_id"]), row["offset"])


def _count(connection: Connection, records: Iterable[Record]) -> int:
    """Counts each (item, visitor, day) once; views of items that do not exist are dropped.

    In a few statements over the whole batch: one for each view would be as many moments at which this thread asks for
    the interpreter while another answers a reader.
    """
    rows: dict[int, int | None] = {}
    found = list[object]()
    for number, at, visitor in records:
        if number not in rows:
            rows[number] = item_loader.resolve(connection, encode_id(number))
        if (row_id := rows[number]) is not None:
            found += (at // codec.DAY_MS, row_id, visitor, at)
    connection.execute(_BATCH)
    for start in range(0, len(found), 4 * _AT_ONCE):
        some = found[start : start + 4 * _AT_ONCE]
        connection.execute(f"{_GATHER} {', '.join(['(?, ?, ?, ?)'] * (len(some) // 4))}", some)
    connection.execute(_FORGET_KNOWN)
    counted = int(connection.execute("SELECT count(*) FROM temp.batch").fetchone()[0])
    if counted:
        for statement in _COUNTED:
            connection.execute(statement)
        connection.execute("UPDATE counters SET value = value + ? WHERE name = 'views'", (counted,))
        bump(connection)
    connection.execute("DELETE FROM temp.batch")
    return counted
