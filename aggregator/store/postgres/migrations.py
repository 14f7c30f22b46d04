"""The schema on PostgreSQL: created whole, or brought up to date by numbered steps, under a lock."""

from __future__ import annotations

import re
from importlib.resources import files

from aggregator.errors import StoreMissing, StoreUnusable
from aggregator.store.postgres.connection import Connection
from aggregator.store.postgres.engine import Engine
from aggregator.store.sql import change_triggers

__all__ = ["SCHEMA", "migrate"]

#: the number of the schema in ``schema.sql``
SCHEMA = 1
#: of two processes that start, one migrates and the other waits
_LOCK = "SELECT pg_advisory_xact_lock(hashtext(?))"
_VERSION = "SELECT value FROM counters WHERE name = 'schema'"
_COLUMNS = """
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = to_regnamespace(?) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
#: a table that this user may not write
_CLOSED = """
SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(?) AND relkind = 'r' AND NOT (
    has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
    AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
ORDER BY relname LIMIT 1
"""
_MAY_CREATE = """
SELECT to_regnamespace(:schema) IS NOT NULL, CASE WHEN to_regnamespace(:schema) IS NULL
    THEN has_database_privilege(current_database(), 'CREATE') ELSE has_schema_privilege(:schema, 'CREATE') END
"""
#: in ``schema.sql``, a table and its columns, a line each
_TABLE = re.compile(r"^CREATE TABLE (\w+) \(\n(.*?)^\)", re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(r"^    \"?([a-z]\w*)\"? ", re.MULTILINE)


def migrate(engine: Engine, *, create: bool) -> None:
    """Creates the schema where there is none.

    StoreUnusable: there is none and not `create`, it is another program's, not whole, not to be written, or of a newer
    version.
    """
    script = files("aggregator.store.postgres").joinpath("schema.sql").read_text("utf-8")

    def run(connection: Connection) -> None:
        connection.execute(_LOCK, (engine.schema,)).fetchone()
        found = set(connection.execute(_COLUMNS, (engine.schema,)).fetchall())
        if not found:
            if not create:
                raise StoreMissing(f"{engine.place} holds no store yet: start the daemon or run `aggregator poll` once")
            _create(connection, engine, script)
            return
        if ("counters", "value") not in found:
            raise StoreUnusable(
                f"the schema {engine.schema} of {engine.place} is another program's: create a database of its own"
            )
        _check(connection, engine)
        for table, columns in _TABLE.findall(script):
            for column in _COLUMN.findall(columns):
                if (table, column) not in found:
                    raise StoreUnusable(f"{engine.place} lacks {table}.{column}: restore a backup with pg_restore")

    engine.write(run)


def _create(connection: Connection, engine: Engine, script: str) -> None:
    there, may = connection.execute(_MAY_CREATE, {"schema": engine.schema}).fetchone()
    if not may:
        what = f"SCHEMA {engine.schema}" if there else "DATABASE …"
        raise StoreUnusable(
            f"the user of {engine.place} may not create tables there: as its owner, GRANT CREATE ON {what} TO the user"
        )
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {engine.schema}")
    connection.execute_script(script)
    connection.execute_script(change_triggers.postgresql())
    connection.execute("INSERT INTO counters(name, value) VALUES ('schema', ?)", (SCHEMA,))


def _check(connection: Connection, engine: Engine) -> None:
    """StoreUnusable if this user may not write a table, or the schema is of a newer version."""
    closed = connection.execute(_CLOSED, (engine.schema,)).fetchone()
    if closed is not None:
        raise StoreUnusable(
            f"the user of {engine.place} may not write table {closed[0]}: connect as its owner, or"
            f" GRANT ALL ON ALL TABLES, and USAGE ON ALL SEQUENCES, IN SCHEMA {engine.schema} TO the user"
        )
    row = connection.execute(_VERSION).fetchone()
    if row is None:
        raise StoreUnusable(f"{engine.place} has lost the version of its schema: restore a backup with pg_restore")
    if row[0] > SCHEMA:
        raise StoreUnusable(
            f"{engine.place} has schema {row[0]}, this version knows {SCHEMA}: upgrade aggregator, or restore a backup"
        )
