"""Is the file ours, and from when? And up to the current schema: all pending steps, or none."""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database

from aggregator.errors import StoreUnusable
from aggregator.store.sqlite.schema import SCHEMA, steps

__all__ = ["APPLICATION_ID", "SCHEMA", "check", "migrate", "steps"]

#: "AGGR": how a file says that it is ours
APPLICATION_ID = 0x41474752


def check(connection: sqlite3.Connection, place: str) -> None:
    """Raises StoreUnusable if the file is somebody else's or from a newer version of this program."""
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if owner != APPLICATION_ID and (owner or version or tables):
        raise StoreUnusable(f"{place} is a SQLite file of another program; set [store] url to a path of its own")
    if version > SCHEMA:
        raise StoreUnusable(
            f"{place} has schema {version}, this version knows {SCHEMA}: upgrade aggregator, or restore a backup"
        )


def migrate(connection: sqlite3.Connection, place: str) -> None:
    """Brings the schema up to date: all pending steps and the version number in one transaction, or nothing."""
    check(connection, place)
    if connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA:
        return
    connection.execute("BEGIN IMMEDIATE")  # also: of two processes that start, one migrates and the other waits
    try:
        check(connection, place)
        steps.apply(Database(connection, execute_plugins=False))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
