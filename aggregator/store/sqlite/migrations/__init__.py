"""Whether a file is a store of ours and of which schema; brings it up to the current one: all pending steps, or none.

``schema.sql`` is the current schema. Each change after the first release is a module here, a numbered step that runs
once, and an edit of ``schema.sql``; a released step is never edited.
"""

from __future__ import annotations

import re
import sqlite3

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from aggregator.errors import StoreDamaged, StoreUnusable
from aggregator.store.sqlite.migrations import m0001_initial

__all__ = ["APPLICATION_ID", "SCHEMA", "check", "migrate", "steps"]

#: "AGGR", the mark of our files in SQLite's header
APPLICATION_ID = 0x41474752
#: the number of the newest step, kept in ``user_version``
SCHEMA = 1

#: in ``schema.sql``, what a statement creates; and a table's columns, a line each
_CREATED = re.compile(r"^CREATE (TABLE|VIRTUAL TABLE|INDEX|UNIQUE INDEX|TRIGGER) (\w+)", re.MULTILINE)
_COLUMN = re.compile(r"^    \"?([a-z]\w*)\"? ", re.MULTILINE)

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


def _complete(connection: sqlite3.Connection, place: str) -> None:
    """Makes indices and triggers anew that somebody has dropped.

    StoreDamaged if a table or a column is missing, or is not unique any more where it must be. What somebody has added
    is left as it is.
    """
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    query = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'"
    columns = set(map(tuple, connection.execute(query).fetchall()))
    try:
        for statement in m0001_initial.statements():
            if (found := _CREATED.search(statement)) is None:
                continue
            kind, name = found.groups()
            if "TABLE" not in kind and name not in names:
                connection.execute(statement)
            if "TABLE" in kind:
                lacking = [(name, column) for column in _COLUMN.findall(statement) if (name, column) not in columns]
                if name not in names or lacking:
                    what = f"the column {'.'.join(lacking[0])}" if name in names else f"the table {name}"
                    raise StoreDamaged(f"{place} lacks {what}: stop the daemon and restore a backup")
    except sqlite3.IntegrityError as error:
        raise StoreDamaged(f"{place} is damaged ({error}): stop the daemon and restore a backup") from error


def migrate(connection: sqlite3.Connection, place: str) -> None:
    """Brings the schema up to date: all pending steps and the version number in one transaction, or nothing."""
    check(connection, place)
    if connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA:
        _complete(connection, place)
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
