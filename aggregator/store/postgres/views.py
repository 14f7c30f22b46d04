"""Views on PostgreSQL: recorded in a table that any server writes, folded into the counts exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from aggregator.errors import StoreError
from aggregator.model import View
from aggregator.store.postgres.engine import Engine
from aggregator.store.postgres.view_spool import Row, ViewSpool
from aggregator.store.sql import codec
from aggregator.store.sql.audience import BUCKET_MS
from aggregator.store.sql.derived_columns import bump
from aggregator.store.sql.engine import Connection
from aggregator.store.sql.ids import decode_id, encode_id

__all__ = ["Views"]

#: the longest visitor hash
VISITOR_BYTES = 32

_RECORD = "INSERT INTO pending_views(public_id, at, visitor) VALUES (?, ?, ?)"
#: takes what is pending, counts each (day, item, visitor) once, and says how many were counted. Whoever folds at the
#: same time takes other rows, or waits for these and finds them gone.
_FOLD = f"""
WITH taken AS (DELETE FROM pending_views RETURNING id, public_id, at, visitor),
resolved AS (
    SELECT DISTINCT ON (day, item_id, visitor) at / {codec.DAY_MS} AS day, coalesce(i.merged_into, i.id) AS item_id,
        t.visitor, t.at
    FROM taken t JOIN items i ON i.public_id = t.public_id ORDER BY day, item_id, visitor, t.id),
counted AS (
    INSERT INTO visitors(day, item_id, visitor, at) SELECT day, item_id, visitor, at FROM resolved
    ON CONFLICT DO NOTHING RETURNING item_id, at),
bucketed AS (
    INSERT INTO buckets(bucket, item_id, n) SELECT at / {BUCKET_MS}, item_id, count(*) FROM counted GROUP BY 1, 2
    ON CONFLICT (bucket, item_id) DO UPDATE SET n = buckets.n + excluded.n RETURNING 1),
totalled AS (
    UPDATE items SET views = views + c.n FROM (SELECT item_id, count(*) AS n FROM counted GROUP BY item_id) AS c
    WHERE items.id = c.item_id RETURNING 1)
SELECT (SELECT count(*) FROM counted), (SELECT count(*) FROM bucketed), (SELECT count(*) FROM totalled)
"""


class Views:
    """The part of `AudienceStore` that records and counts views."""

    _engine: Engine
    _spool: ViewSpool

    def record_views(self, views: Sequence[View]) -> None:
        """Records views: neither ``kill -9`` of this process nor a crash of the server loses one."""
        if rows := list(_rows(views)):
            self._spool.append(rows)

    def _record(self, rows: Sequence[Row]) -> None:
        """What the spool sends."""
        self._engine.write(lambda connection: connection.executemany(_RECORD, rows))

    def visitors(self, day_start: datetime) -> set[tuple[str, bytes]]:
        """(item id, visitor) of the views recorded since then, folded or not."""
        self._spool.flush()
        query = (
            "SELECT i.public_id, v.visitor FROM visitors v JOIN items i ON i.id = v.item_id WHERE v.at >= :since"
            " UNION SELECT public_id, visitor FROM pending_views WHERE at >= :since"
        )
        since = {"since": codec.to_ms(day_start)}
        rows = self._engine.read(lambda connection: connection.execute(query, since).fetchall())
        return {(encode_id(row[0]), bytes(row[1])) for row in rows}

    def fold_views(self) -> int:
        """Moves what `record_views` recorded into the counts, exactly once; how many views were counted."""
        self._spool.flush()
        return self._engine.write(_fold)

    def forget_visitors(self, before: datetime) -> None:
        """Destroys every visitor hash older than that; the counts stay."""
        self.fold_views()
        limit = (codec.to_ms(before),)
        self._engine.write(lambda connection: connection.execute("DELETE FROM visitors WHERE at < ?", limit))

    def count_once(self, mark: str, views: Sequence[View]) -> int:
        """Records views of an imported log; a second call with the same `mark` counts nothing. How many counted."""
        rows = list(_rows(views))

        def run(connection: Connection) -> int:
            done = connection.execute(
                "INSERT INTO marks(mark, n) VALUES (?, ?) ON CONFLICT DO NOTHING", (mark, len(views))
            )
            if not done.rowcount:
                return 0
            _fold(connection)  # those of others do not count as this log's
            connection.executemany(_RECORD, rows)
            return _fold(connection)

        return self._engine.write(run)


def _rows(views: Sequence[View]) -> Iterable[tuple[int, int, bytes]]:
    """Views of ids that may exist, as rows; anything else is nobody's. Raises StoreError for a visitor too long."""
    for view in views:
        if len(view.visitor) > VISITOR_BYTES:
            raise StoreError(f"a visitor of {len(view.visitor)} bytes: at most {VISITOR_BYTES} are kept")
        number = decode_id(view.item_id)
        if number is not None:
            yield number, codec.to_ms(view.at), view.visitor


def _fold(connection: Connection) -> int:
    counted = int(connection.execute(_FOLD).fetchone()[0])
    if counted:
        connection.execute("UPDATE counters SET value = value + ? WHERE name = 'views'", (counted,))
        bump(connection)
    return counted
