"""The log of what has changed of items and sources: written by triggers, so by whoever writes, read by `movement`."""

from __future__ import annotations

from sqlite_utils import Database

from aggregator.store.sqlite.connection import Connection

__all__ = ["install", "prune", "tell_edits"]

#: so many changes are kept; whoever has seen fewer reads everything anew
KEPT = 100_000

_NOTED = "INSERT INTO changes(item_id, source_id)"
#: of the 10th step of the schema: released, not to be edited
_LOGGED = (
    "CREATE TABLE changes(seq INTEGER PRIMARY KEY, item_id INTEGER, source_id INTEGER) STRICT",
    f"CREATE TRIGGER changes_item_new AFTER INSERT ON items WHEN new.shown BEGIN {_NOTED} VALUES (new.id, NULL); END",
    f"""CREATE TRIGGER changes_item AFTER UPDATE OF lead_id, source_id, section, published, first_seen, shown, sources,
        citations, boost, pinned_until, story_id, views, likes ON items
    WHEN (old.shown OR new.shown) AND (old.lead_id, old.source_id, old.section, old.published, old.first_seen,
        old.shown, old.sources, old.citations, old.boost, old.pinned_until, old.story_id, old.views, old.likes)
        IS NOT (new.lead_id, new.source_id, new.section, new.published, new.first_seen,
        new.shown, new.sources, new.citations, new.boost, new.pinned_until, new.story_id, new.views, new.likes)
    BEGIN {_NOTED} VALUES (new.id, NULL); END""",
    f"""CREATE TRIGGER changes_entry AFTER UPDATE OF title, language, image_url, upstream_comments, upstream_views,
        upstream_votes ON entries
    WHEN (old.title, old.language, old.image_url, old.upstream_comments, old.upstream_views, old.upstream_votes)
        IS NOT (new.title, new.language, new.image_url, new.upstream_comments, new.upstream_views, new.upstream_votes)
    BEGIN {_NOTED} SELECT id, NULL FROM items WHERE id = new.item_id AND lead_id = new.id; END""",
    f"""CREATE TRIGGER changes_story_new AFTER INSERT ON stories WHEN new.coverage > 1
    BEGIN {_NOTED} SELECT id, NULL FROM items WHERE story_id = new.id AND shown; END""",
    f"""CREATE TRIGGER changes_story AFTER UPDATE OF coverage ON stories WHEN old.coverage <> new.coverage
    BEGIN {_NOTED} SELECT id, NULL FROM items WHERE story_id = new.id AND shown; END""",
    f"""CREATE TRIGGER changes_source AFTER UPDATE OF weight ON sources WHEN old.weight <> new.weight
    BEGIN {_NOTED} SELECT id, NULL FROM items WHERE source_id = new.id AND shown; END""",
    f"CREATE TRIGGER changes_day_new AFTER INSERT ON source_days BEGIN {_NOTED} VALUES (NULL, new.source_id); END",
    f"CREATE TRIGGER changes_day AFTER UPDATE ON source_days BEGIN {_NOTED} VALUES (NULL, new.source_id); END",
)
_NOTED_EDIT = "INSERT INTO changes(item_id, source_id, edited)"
#: of the 13th step: a change that rules could answer otherwise says so. The item shows another entry, or this one has
#: been edited, or its source goes by another name, which before its first poll that worked no item has been asked for
_TOLD = (
    "ALTER TABLE changes ADD COLUMN edited INTEGER NOT NULL DEFAULT 0",
    "DROP TRIGGER changes_item",
    f"""CREATE TRIGGER changes_item AFTER UPDATE OF lead_id, source_id, section, published, first_seen, shown, sources,
        citations, boost, pinned_until, story_id, views, likes ON items
    WHEN (old.shown OR new.shown) AND (old.lead_id, old.source_id, old.section, old.published, old.first_seen,
        old.shown, old.sources, old.citations, old.boost, old.pinned_until, old.story_id, old.views, old.likes)
        IS NOT (new.lead_id, new.source_id, new.section, new.published, new.first_seen,
        new.shown, new.sources, new.citations, new.boost, new.pinned_until, new.story_id, new.views, new.likes)
    BEGIN {_NOTED_EDIT} VALUES (new.id, NULL,
        (old.lead_id, old.source_id, old.section) IS NOT (new.lead_id, new.source_id, new.section)); END""",
    "DROP TRIGGER changes_entry",
    f"""CREATE TRIGGER changes_entry AFTER UPDATE OF revision, image_url, upstream_comments, upstream_views,
        upstream_votes ON entries
    WHEN (old.revision, old.image_url, old.upstream_comments, old.upstream_views, old.upstream_votes)
        IS NOT (new.revision, new.image_url, new.upstream_comments, new.upstream_views, new.upstream_votes)
    BEGIN {_NOTED_EDIT} SELECT id, NULL, old.revision <> new.revision FROM items
        WHERE id = new.item_id AND lead_id = new.id; END""",
    f"""CREATE TRIGGER changes_source_name AFTER UPDATE OF name, title ON sources
    WHEN old.last_success IS NOT NULL
        AND coalesce(old.name, nullif(old.title, '')) IS NOT coalesce(new.name, nullif(new.title, ''))
    BEGIN {_NOTED_EDIT} SELECT id, NULL, 1 FROM items WHERE source_id = new.id AND shown; END""",
)


def install(db: Database) -> None:
    """The 10th step of the schema."""
    for statement in _LOGGED:
        db.execute(statement)


def tell_edits(db: Database) -> None:
    """The 13th step of the schema."""
    for statement in _TOLD:
        db.execute(statement)


def prune(connection: Connection) -> None:
    """Forgets old changes, never the last one, whose number must not be given again."""
    connection.execute("DELETE FROM changes WHERE seq <= (SELECT max(seq) FROM changes) - ?", (KEPT,))
