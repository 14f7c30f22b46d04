"""The schema, as numbered steps. Each runs once, in order, all that are pending in one transaction.

Tables are STRICT, times INTEGER milliseconds since 1970 UTC, ids INTEGER, structures JSON text, keys hashes. A released
step is never edited: the next change is a new function at the end.
"""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from aggregator.store.sqlite import changes, doubts, hub, lookups, pushes
from aggregator.store.sqlite.tables import keyed

#: the number of the newest step, kept in ``user_version``
SCHEMA = 13

steps = Migrations("aggregator")


@steps(name="0001_sources")
def _sources(db: Database) -> None:
    db.table("sources").create(
        {
            "id": int,
            "url": str,
            "slug": str,
            "host": str,
            "configured": int,
            "section": str,
            "name": str,
            "interval_ms": int,
            "weight": float,
            "enabled": int,
            "full_text": int,
            "role": str,
            "fetch_url": str,
            "title": str,
            "home": str,
            "info": str,
            "etag": str,
            "last_modified": str,
            "body_hash": bytes,
            "rhythm": str,
            "due_at": int,
            "lease_token": int,
            "last_poll": int,
            "last_success": int,
            "error_count": int,
            "error_since": int,
            "error_code": str,
            "error_message": str,
            "error_permanent": int,
            "moved_to": str,
            "moved_since": int,
            "moved_count": int,
            "unstable_ids": int,
            "gone_since": int,
            "gone": int,
            "http_status": int,
            "size_bytes": int,
            "duration_ms": int,
            "warnings": str,
            "entries": int,
            "last_item": int,
        },
        pk="id",
        not_null={
            *("url", "slug", "host", "configured", "section", "weight", "enabled", "full_text", "role", "fetch_url"),
            *("title", "due_at", "error_count", "moved_count", "unstable_ids", "gone", "size_bytes", "entries"),
        },
        defaults={
            "configured": 1,
            "title": "",
            **dict.fromkeys(("error_count", "moved_count", "unstable_ids", "gone", "size_bytes", "entries"), 0),
        },
        strict=True,
    )
    db.table("sources").create_index(["url"], unique=True)
    db.table("sources").create_index(["slug"], unique=True)
    db.table("sources").create_index(["host", "due_at"])
    db.table("hosts").create(
        {"host": str, "due_at": int, "token": int, "leased_until": int, "free_at": int, "parked_until": int},
        pk="host",
        not_null={"token", "leased_until", "free_at", "parked_until"},
        defaults=dict.fromkeys(("token", "leased_until", "free_at", "parked_until"), 0),
        strict=True,
    )
    db.table("hosts").create_index(["due_at"])
    db.execute("CREATE TABLE source_days(source_id INTEGER NOT NULL, day INTEGER NOT NULL, n INTEGER NOT NULL,"
               " PRIMARY KEY(source_id, day)) STRICT, WITHOUT ROWID")  # fmt: skip


@steps(name="0002_items")
def _items(db: Database) -> None:
    db.table("items").create(
        {
            "id": int,
            "public_id": int,
            "lead_id": int,
            "source_id": int,
            "section": str,
            "published": int,
            "first_seen": int,
            "updated": int,
            "shown": int,
            "live": int,
            "merged_into": int,
            "story_id": int,
            "story_figures": str,
            "text_key": bytes,
            "revision": int,
            "curated": int,
            "sources": int,
            "citations": int,
            "boost": float,
            "pinned_until": int,
            "views": int,
            "likes": int,
        },
        pk="id",
        not_null={
            *("public_id", "published", "first_seen", "updated", "shown", "live", "revision", "curated", "sources"),
            *("citations", "boost", "views", "likes"),
        },
        defaults={
            "live": 1,
            "sources": 1,
            "boost": 1.0,
            **dict.fromkeys(("shown", "revision", "curated", "citations", "views", "likes"), 0),
        },
        strict=True,
    )
    db.table("items").create_index(["public_id"], unique=True)
    for statement in (
        "CREATE INDEX items_latest ON items(published, public_id) WHERE shown",
        "CREATE INDEX items_section ON items(section, published, public_id) WHERE shown",
        "CREATE INDEX items_seen ON items(first_seen) WHERE shown",
        "CREATE INDEX items_pending ON items(published, id) WHERE shown AND revision <> curated",
        "CREATE INDEX items_live ON items(published) WHERE live",
        "CREATE INDEX items_source ON items(source_id)",
        "CREATE INDEX items_story ON items(story_id) WHERE story_id IS NOT NULL",
        "CREATE INDEX items_merged ON items(merged_into) WHERE merged_into IS NOT NULL",
    ):
        db.execute(statement)


@steps(name="0003_entries")
def _entries(db: Database) -> None:
    db.table("entries").create(
        {
            "id": int,
            "source_id": int,
            "entry_key": bytes,
            "item_id": int,
            "entry_id": str,
            "id_basis": str,
            "guid": str,
            "guid_key": bytes,
            "canonical_url": str,
            "link_key": bytes,
            "title": str,
            "url": str,
            "published": int,
            "first_seen": int,
            "updated": int,
            "revision": int,
            "content_hash": bytes,
            "text_key": bytes,
            "tombstone": int,
            "rule": str,
            "figures": str,
            "dropped": str,
            "boost": float,
            "pin_ms": int,
            "section": str,
            "author": str,
            "language": str,
            "image_url": str,
            "categories": str,
            "enclosures": str,
            "outlinks": str,
            "upstream_comments": int,
            "upstream_views": int,
            "upstream_votes": int,
            "text": str,
        },
        pk="id",
        foreign_keys=[("source_id", "sources", "id"), ("item_id", "items", "id")],
        not_null={
            *("source_id", "entry_key", "entry_id", "id_basis", "title", "published", "first_seen", "updated"),
            *("revision", "content_hash", "tombstone", "rule", "boost", "text"),
        },
        defaults={"revision": 0, "tombstone": 0, "rule": "first", "boost": 1.0, "text": ""},
        strict=True,
    )
    db.table("entries").create_index(["source_id", "entry_key"], unique=True)
    for statement in (
        "CREATE INDEX entries_item ON entries(item_id)",
        "CREATE INDEX entries_link ON entries(link_key, source_id) WHERE link_key IS NOT NULL",
        "CREATE INDEX entries_guid ON entries(source_id, guid_key) WHERE guid_key IS NOT NULL",
    ):
        db.execute(statement)
    keyed(db, "outlinks", "link_key BLOB, source_id INTEGER, entry_id INTEGER")
    db.table("outlinks").create_index(["entry_id"])
    # large texts apart, so that listings do not read past them
    db.table("bodies").create(
        {"entry_id": int, "summary_html": str, "content_html": str},
        pk="entry_id",
        not_null={"summary_html", "content_html"},
        strict=True,
    )
    search = db.table("search_text")
    search.create({"id": int, "words": str}, pk="id", not_null={"words"}, strict=True)
    search.enable_fts(["words"], create_triggers=True, tokenize="unicode61 remove_diacritics 2")


@steps(name="0004_curation")
def _curation(db: Database) -> None:
    db.table("stories").create(
        {"id": int, "moved_at": int, "sources": int, "coverage": int, "merged_into": int},
        pk="id",
        not_null={"moved_at", "sources", "coverage"},
        strict=True,
    )
    db.table("stories").create_index(["moved_at"])
    db.execute("CREATE TABLE related(item_id INTEGER NOT NULL, other_id INTEGER NOT NULL, score REAL NOT NULL,"
               " PRIMARY KEY(item_id, other_id)) STRICT, WITHOUT ROWID")  # fmt: skip
    db.table("lists").create(
        {"key": str, "computed_at": int, "since": int, "until": int, "basis": str, "places": str},
        pk="key",
        not_null={"computed_at", "basis", "places"},
        strict=True,
    )
    db.table("counters").create({"name": str, "value": int}, pk="name", not_null={"value"}, strict=True)
    db.execute("INSERT INTO counters(name, value) VALUES ('generation', 1), ('views', 0)")


@steps(name="0005_audience")
def _audience(db: Database) -> None:
    keyed(db, "buckets", "bucket INTEGER, item_id INTEGER", "n INTEGER NOT NULL")
    db.table("buckets").create_index(["item_id", "bucket", "n"])
    keyed(db, "visitors", "day INTEGER, item_id INTEGER, visitor BLOB", "at INTEGER NOT NULL")
    db.table("visitors").create_index(["item_id"])
    keyed(db, "likes", "item_id INTEGER, visitor BLOB", "at INTEGER NOT NULL")
    keyed(db, "marks", "mark TEXT", "n INTEGER NOT NULL")
    keyed(db, "opened", "reader_id INTEGER, item_id INTEGER", "at INTEGER NOT NULL")
    db.table("opened").create_index(["item_id"])
    db.table("readers").create(
        {"id": int, "name": str, "token": str, "created": int},
        pk="id",
        not_null={"name", "token", "created"},
        strict=True,
    )
    db.table("readers").create_index(["name"], unique=True)
    db.table("readers").create_index(["token"], unique=True)
    # how far the log of views has been folded into the counts
    db.table("folded").create({"log_id": bytes, "offset": int}, pk="log_id", not_null={"offset"}, strict=True)


steps(name="0006_hub")(hub.install)


@steps(name="0007_revalidation")
def _revalidation(db: Database) -> None:
    db.table("sources").add_column("revalidation", str)


steps(name="0008_pushes")(pushes.install)


@steps(name="0009_poll_days")
def _poll_days(db: Database) -> None:
    keyed(db, "poll_days", "source_id INTEGER, day INTEGER", "ok INTEGER NOT NULL, failed INTEGER NOT NULL")


steps(name="0010_changes")(changes.install)
steps(name="0011_doubts")(doubts.install)
steps(name="0012_lookups")(lookups.install)
steps(name="0013_edits")(changes.tell_edits)
