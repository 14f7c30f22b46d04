"""One store copied to another, whatever their engines: every row, compared afterwards. Can be resumed."""

from __future__ import annotations

from collections.abc import Callable

from aggregator.errors import StoreError
from aggregator.store.contract import Store
from aggregator.store.sql.transfer import TABLES

__all__ = ["copy", "rows_of"]


def rows_of(store: Store) -> int:
    """How many rows there are to copy."""
    return sum(map(store.row_count, TABLES))


def copy(source: Store, target: Store, *, progress: Callable[[int, int], None] = lambda _, __: None) -> int:
    """Copies everything; how many rows the target has then. `progress` is told the rows that are done, of how many.

    Goes on where an earlier, interrupted copy ended. Raises StoreError if a table of the target differs afterwards,
    as it does when somebody writes to one of the two meanwhile.
    """
    source.fold_views()
    done, total = 0, rows_of(source)
    for table in TABLES:
        after = target.last_imported(table)
        done += target.row_count(table)
        while True:
            rows, last = source.export_rows(table, after)
            if last is None:
                break
            target.import_rows(table, rows)
            after, done = last, done + len(rows)
            progress(done, total)
    for table in TABLES:
        if source.digest_of(table) != target.digest_of(table):
            counts = f"{source.row_count(table)} rows here, {target.row_count(table)} there"
            raise StoreError(
                f"table {table} differs ({counts}): stop every process on both stores and copy to an empty one"
            )
    target.finish_import()
    return done
