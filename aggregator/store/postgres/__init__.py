"""The store on PostgreSQL 15 or newer: the shared statements over psycopg, for more than one process or machine.

`engine` runs transactions on a pool, `connection` translates statements and rows, `schema.sql` and `migrations` are the
tables, `views` and `search` what PostgreSQL does in its own way.
"""

from __future__ import annotations

from aggregator.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
