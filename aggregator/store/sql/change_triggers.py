"""The columns of items and entries that candidates are made of: the change log's triggers on them follow from here.

A change is noted by the engine, so by whoever writes; what is not a column here is not noticed by `candidate_changes`.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ENTRY_COLUMNS", "ITEM_COLUMNS", "RULE_COLUMNS", "postgresql", "sqlite"]

#: columns of an item that rules look at, or that tell what they look at
RULE_COLUMNS = ("lead_id", "source_id", "section", "more_sections", "language")
#: every column of an item that a candidate is made of
ITEM_COLUMNS = (
    *RULE_COLUMNS,
    *("published", "first_seen", "shown", "sources", "citations", "boost", "pinned_until", "story_id"),
    *("views", "likes", "impressions"),
)
#: the same of the entry that an item is shown by; `revision` rises with every edit of what rules look at
ENTRY_COLUMNS = ("revision", "image_url", "upstream_comments", "upstream_views", "upstream_votes")

_ITEM_WHEN = "(old.shown OR new.shown) AND {}"
_NOTE_ITEM = "INSERT INTO changes(item_id, edited) VALUES (new.id, {});"
_NOTE_ENTRY = (
    "INSERT INTO changes(item_id, edited)"
    " SELECT id, old.revision <> new.revision FROM items WHERE id = new.item_id AND lead_id = new.id;"
)


def sqlite() -> list[str]:
    """The statements that create the triggers in SQLite."""
    return [
        f"CREATE TRIGGER {name} AFTER UPDATE OF {', '.join(columns)} ON {table} WHEN {when} BEGIN {note} END;"
        for name, table, columns, when, note in _triggers()
    ]


def postgresql() -> str:
    """The script that creates the triggers, and a function for each, in PostgreSQL."""
    return "\n".join(
        f"CREATE FUNCTION note_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {note} RETURN NULL; END $$;\n"
        f"CREATE TRIGGER {name} AFTER UPDATE OF {', '.join(columns)} ON {table} FOR EACH ROW"
        f" WHEN ({when}) EXECUTE FUNCTION note_{name}();"
        for name, table, columns, when, note in _triggers()
    )


def _triggers() -> list[tuple[str, str, Sequence[str], str, str]]:
    """Name, table, columns, condition and what is done."""
    item_when = _ITEM_WHEN.format(_differ(ITEM_COLUMNS))
    return [
        ("changes_item", "items", ITEM_COLUMNS, item_when, _NOTE_ITEM.format(_differ(RULE_COLUMNS))),
        ("changes_entry", "entries", ENTRY_COLUMNS, _differ(ENTRY_COLUMNS), _NOTE_ENTRY),
    ]


def _differ(columns: Sequence[str]) -> str:
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("old", "new"))
    return f"({old}) IS DISTINCT FROM ({new})"
