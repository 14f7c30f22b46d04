"""The schema on PostgreSQL: created whole, or brought up to date by numbered steps, under a lock."""

from __future__ import annotations

from importlib.resources import files

from aggregator.errors import StoreUnusable
from aggregator.store.postgres.connection import Connection
from aggregator.store.postgres.engine import Engine
from aggregator.store.sql import change_triggers

__all__ = ["SCHEMA", "migrate"]

#: the number of the schema in ``schema.sql``
SCHEMA = 1
#: of two processes that start, one migrates and the other waits
_LOCK = "SELECT pg_advisory_xact_lock(hashtext(?))"
_VERSION = "SELECT value FROM counters WHERE name = 'schema'"


def migrate(engine: Engine, *, create: bool) -> None:
    """Creates the schema where there is none. StoreUnusable: none and not `create`, or one of a newer version."""

    def run(connection: Connection) -> None:
        connection.execute(_LOCK, (engine.schema,)).fetchone()
        there = connection.execute("SELECT to_regclass(?)", (f"{engine.schema}.counters",)).fetchone()[0]
        if there is None:
            if not create:
                raise StoreUnusable("the database holds no store yet: start the daemon or run `aggregator poll` once")
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {engine.schema}")
            connection.execute_script(files("aggregator.store.postgres").joinpath("schema.sql").read_text("utf-8"))
            connection.execute_script(change_triggers.postgresql())
            connection.execute("INSERT INTO counters(name, value) VALUES ('schema', ?)", (SCHEMA,))
        version = connection.execute(_VERSION).fetchone()[0]
        if version > SCHEMA:
            raise StoreUnusable(f"the database has schema {version}, this version knows {SCHEMA}: upgrade aggregator")

    engine.write(run)
