"""The SQLite store: WAL, ``synchronous=FULL``, one writing thread, read-only readers.

`connection` opens the file, `threads` and `engine` read and write through it, `schema.sql` and `migrations` are its
tables, `view_log` and `views` record and count views, `backup` copies and restores. The statements are those of
`aggregator.store.sql`.
"""

from __future__ import annotations

from aggregator.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
