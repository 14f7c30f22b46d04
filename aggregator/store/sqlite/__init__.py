"""The SQLite store: WAL, ``synchronous=FULL``, one writing thread, read-only readers.

Who lives here: `connection` (writer, readers, errors), `migrations` (the schema), `sync` `work` `health` `ingest` (the
way in), `shown` (what listings filter by), `load` `items` (the way out), `decide` `curation` (curating), `viewlog`
`audience` (views and likes), `retention`, `backup`; `codec` and `keys` are pure.
"""

from __future__ import annotations

from aggregator.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
