"""A step of the schema: what is looked up another way is no longer kept up with every new entry."""

from __future__ import annotations

from sqlite_utils import Database

__all__ = ["install"]

#: of the 12th step of the schema: released, not to be edited
_FEWER = (
    # each row it inserted was a statement of its own to the full-text index, which wrote out what it had gathered:
    # `ingest` inserts into both
    "DROP TRIGGER search_text_ai",
    # what is shown is live, and found by items_latest
    "DROP INDEX items_live",
    "CREATE INDEX items_unshown ON items(published) WHERE live AND NOT shown",
    # an entry tells its links itself
    "DROP INDEX idx_outlinks_entry_id",
)


def install(db: Database) -> None:
    """The 12th step of the schema."""
    for statement in _FEWER:
        db.execute(statement)
