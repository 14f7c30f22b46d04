"""Whether a file is a store of ours and of which schema; brings it up to the current one: all pending steps, or none.

``schema.sql`` is the current schema. Each change after the first release is a module here, a numbered step that runs
once, and an edit of ``schema.sql``; a released step is never edited.
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from aggregator.errors import StoreUnusable
from aggregator.store.sqlite.migrations import m0001_initial

__all__ = ["APPLICATION_ID", "SCHEMA", "check", "migrate", "steps"]

#: "AGGR", the mark of our files in SQLite's header
APPLICATION_ID = 0x41474752
#: the number of the newest step, kept in ``user_version``
SCHEMA = 1

steps = Migrations("aggregator")
steps(name="0001_initial")(m0001_initial.apply)


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
