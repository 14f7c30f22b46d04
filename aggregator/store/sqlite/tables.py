"""Kinds of tables that sqlite-utils has no word for."""

from __future__ import annotations

from sqlite_utils import Database

__all__ = ["keyed"]


def keyed(db: Database, name: str, key: str, rest: str = "") -> None:
    """A table that is its own primary key's index (WITHOUT ROWID)."""
    columns = [f"{column} NOT NULL" for column in key.split(", ")] + ([rest] if rest else [])
    names = ", ".join(column.split()[0] for column in key.split(", "))
    db.execute(f"CREATE TABLE {name}({', '.join(columns)}, PRIMARY KEY({names})) STRICT, WITHOUT ROWID")
