"""The schema of the first release: ``schema.sql`` and the triggers, edited in place until then, frozen afterwards."""

from __future__ import annotations

import sqlite3
from importlib.resources import files

from sqlite_utils import Database

from aggregator.store.sql import change_triggers

__all__ = ["apply", "statements"]


def statements() -> list[str]:
    """The statements of ``schema.sql``, in order, then the triggers that follow from columns."""
    found, statement = [], ""
    for line in files("aggregator.store.sqlite").joinpath("schema.sql").read_text("utf-8").splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ""
    return found + change_triggers.sqlite()


def apply(db: Database) -> None:
    """Creates every table, index and trigger; not `executescript`, which would commit the caller's transaction."""
    for statement in statements():
        db.execute(statement)
