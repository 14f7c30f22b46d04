"""An entry as the rows of its tables. Pure."""

from __future__ import annotations

from typing import Any

from aggregator.model import Entry, Verdict
from aggregator.store.sqlite import codec
from aggregator.store.sqlite.keys import digest, search_words

#: how much of an entry's text can be searched
SEARCHED_CHARACTERS = 1_000

#: follow the entry: replaced when it was edited
CONTENT = (
    *("canonical_url", "link_key", "title", "url", "content_hash", "text_key", "dropped", "boost", "pin_ms", "section"),
    *("author", "language", "image_url", "categories", "enclosures", "outlinks", "text"),
)
UPSTREAM = ("upstream_comments", "upstream_views", "upstream_votes")
#: never change: identity and first times
FIXED = ("source_id", "entry_key", "entry_id", "id_basis", "guid", "guid_key", "published", "first_seen")
#: the columns of `entry_row`
COLUMNS = (*FIXED, *CONTENT, *UPSTREAM, "updated")
_PLACE = {name: place for place, name in enumerate(COLUMNS)}

Row = tuple[Any, ...]
Counts = tuple[int | None, int | None, int | None]


def verdict_columns(verdict: Verdict) -> tuple[str | None, float, int | None, str | None]:
    """A verdict as the columns dropped, boost, pin_ms, section."""
    return verdict.dropped, verdict.boost, codec.span_ms(verdict.pin), verdict.section


def entry_row(entry: Entry, source_id: int, polled_ms: int) -> Row:
    """An entry as its `COLUMNS`."""
    parsed = entry.parsed
    return (
        source_id,
        digest(entry.entry_id),
        entry.entry_id,
        entry.id_basis,
        parsed.guid,
        None if parsed.guid is None else digest(parsed.guid),
        min(codec.to_ms(entry.published), polled_ms),
        polled_ms,
        entry.canonical_url,
        None if entry.canonical_url is None else digest(entry.canonical_url),
        parsed.title,
        parsed.link,
        parsed.content_hash,
        digest(parsed.title, parsed.text),
        *verdict_columns(entry.verdict),
        parsed.author,
        parsed.language,
        parsed.image_url,
        codec.pack_or_none(parsed.categories),
        codec.pack_enclosures(parsed.enclosures),
        codec.pack_or_none(entry.outlinks),
        parsed.text,
        *upstream_counts(entry),
        polled_ms,
    )


def column(row: Row, name: str) -> Any:
    """One of the `COLUMNS` of a row."""
    return row[_PLACE[name]]


def upstream_counts(entry: Entry) -> Counts:
    """The feed's own counters of an entry."""
    upstream = entry.parsed.upstream
    return codec.int64(upstream.comments), codec.int64(upstream.views), codec.int64(upstream.votes)


def searched(entry: Entry) -> str:
    """The words by which an entry is found."""
    parsed = entry.parsed
    parts = (parsed.title, parsed.text[:SEARCHED_CHARACTERS], parsed.author or "", *parsed.categories)
    return search_words("\n".join(filter(None, parts)))
