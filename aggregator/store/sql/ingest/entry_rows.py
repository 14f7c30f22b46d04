"""An entry as the rows of its tables. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import NamedTuple

from aggregator.curate.identity import number_key, title_key
from aggregator.model import Entry, Verdict
from aggregator.store.sql import codec
from aggregator.store.sql.ids import digest, search_words

__all__ = ["CONTENT", "UPSTREAM", "EntryRow", "entry_row", "indexed_words", "upstream_counts", "verdict_columns"]

#: how much of an entry's text can be searched
SEARCHED_CHARACTERS = 1_000

#: follow the entry: replaced when it was edited
CONTENT = (
    *(
        "canonical_url",
        "link_key",
        "title_key",
        "number_key",
        "title",
        "url",
        "content_hash",
        "text_key",
        "dropped",
        "boost",
        "pin_ms",
        "section",
    ),
    *("author", "language", "image_url", "image_width", "categories", "enclosures", "outlinks", "text"),
)
UPSTREAM = ("upstream_comments", "upstream_views", "upstream_votes")

Counts = tuple[int | None, int | None, int | None]


class EntryRow(NamedTuple):
    """An entry as columns of its table: who it is and its first times, its `CONTENT`, its `UPSTREAM`."""

    source_id: int
    entry_key: bytes
    entry_id: str
    id_basis: str
    guid: str | None
    guid_key: bytes | None
    published: int
    first_seen: int
    canonical_url: str | None
    link_key: bytes | None
    title_key: bytes | None
    number_key: bytes | None
    title: str
    url: str | None
    content_hash: bytes
    text_key: bytes
    dropped: str | None
    boost: float
    pin_ms: int | None
    section: str | None
    author: str | None
    language: str | None
    image_url: str | None
    image_width: int | None
    categories: str | None
    enclosures: str | None
    outlinks: str | None
    text: str
    upstream_comments: int | None
    upstream_views: int | None
    upstream_votes: int | None
    updated: int

    @property
    def words(self) -> str:
        """By which it is found."""
        return indexed_words(self.title, self.text, self.author, self.categories)

    @property
    def key(self) -> tuple[int, bytes]:
        """Under which it is stored once."""
        return self.source_id, self.entry_key


#: what rules decide about an entry
VERDICT = ("dropped", "boost", "pin_ms", "section")


def verdict_columns(verdict: Verdict) -> tuple[str | None, float, int | None, str | None]:
    """A verdict as the columns `VERDICT`."""
    return verdict.dropped, verdict.boost, codec.span_ms(verdict.pin), verdict.section


def entry_row(entry: Entry, source_id: int, polled_ms: int) -> EntryRow:
    """An entry as its columns."""
    parsed = entry.parsed
    published_ms = min(codec.to_ms(entry.published), polled_ms)
    entry_key = digest(entry.entry_id)
    return EntryRow(
        source_id,
        entry_key,
        entry.entry_id,
        entry.id_basis,
        parsed.guid,
        entry_key if parsed.guid == entry.entry_id else _key(parsed.guid),
        published_ms,
        polled_ms,
        entry.canonical_url,
        _key(entry.canonical_url),
        _key(title_key(parsed.title)),
        _key(number_key(entry.canonical_url)),
        parsed.title,
        parsed.link,
        parsed.content_hash,
        parsed.text_key,
        *verdict_columns(entry.verdict),
        parsed.author,
        parsed.language,
        parsed.image_url,
        parsed.image_width,
        _array(parsed.categories),
        codec.pack_enclosures(parsed.enclosures),
        _array(entry.outlinks),
        parsed.text,
        *upstream_counts(entry),
        _updated_ms(entry, published_ms, polled_ms),
    )


def _updated_ms(entry: Entry, published_ms: int, polled_ms: int) -> int:
    """When the source says that it has last changed the entry, clamped to its life so far; else when it appeared."""
    claimed = entry.parsed.updated
    return published_ms if claimed is None else min(max(codec.to_ms(claimed), published_ms), polled_ms)


def _key(text: str | None) -> bytes | None:
    return None if text is None else digest(text)


def _array(texts: Sequence[str]) -> str | None:
    """Texts as `codec.pack_or_none` would pack them: nearly every entry has some."""
    return f"[{','.join(map(encode_basestring, texts))}]" if texts else None


def upstream_counts(entry: Entry) -> Counts:
    """The feed's own counters of an entry."""
    upstream = entry.parsed.upstream
    return codec.int64(upstream.comments), codec.int64(upstream.views), codec.int64(upstream.votes)


def indexed_words(title: str, text: str, author: str | None, categories: str | None) -> str:
    """The words by which an entry is found, from its columns: the index keeps no copy and is told them again."""
    parts = (title, text[:SEARCHED_CHARACTERS], author or "", *(codec.unpack(categories) or ()))
    return search_words("\n".join(filter(None, parts)))
