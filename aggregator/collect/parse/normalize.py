"""A raw entry → a ParsedEntry: cleaned, complete, never failing for one odd field."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from aggregator.collect.clean import (
    MAX_TEXT_CHARS,
    CleanHtml,
    clean_guid,
    clean_html,
    clean_line,
    cut_graphemes,
    html_from_text,
    parse_date,
    safe_url,
)
from aggregator.collect.parse.raw import RawContent, RawDate, RawEntry
from aggregator.model import Enclosure, ParsedEntry

__all__ = ["UNTITLED", "clean_entry", "language_tag", "plain_words"]

UNTITLED = "(untitled)"
#: raised when what is hashed changes, so that stored hashes are not compared with new ones
_HASH_VERSION = b"1\0"
_SYNTHETIC_TITLE_GRAPHEMES = 80
_MAX_CATEGORIES = 64
_MAX_ENCLOSURES = 16
_MAX_GUID_CHARS = 2048
_MAX_SIZE_BYTES = 2**62
#: what is looked at of an author: finding addresses in a text takes time by the square of its length
_MAX_AUTHOR_CHARS = 500
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}")
_E_MAIL = re.compile(r"\S+@\S+\.\S+|\(?\bmailto:?\S*")


def clean_entry(raw: RawEntry, *, language: str | None = None) -> ParsedEntry:
    """The entry as it is stored; `language` is the feed's, for entries that do not say their own."""
    content, summary = _html(raw.content), _html(raw.summary)
    if content.html == summary.html:
        summary = CleanHtml()
    text = summary.text or content.text
    title = _title(raw.title, text)
    links = [link for written in raw.links if (link := safe_url(written, raw.base))]
    enclosures = tuple(_enclosures(raw)) if raw.enclosures else ()
    return ParsedEntry(
        guid=_guid(raw.guid),
        link=links[0] if links else None,
        title=title,
        summary_html=summary.html,
        content_html=content.html,
        text=_cut(text),
        author=_author(raw.author),
        published=_date(raw.published),
        updated=_date(raw.updated),
        language=language_tag(raw.language) or language,
        categories=_categories(raw.categories),
        image_url=_image(raw, content, summary),
        enclosures=enclosures,
        outlinks=tuple(dict.fromkeys([link for link in (*summary.links, *content.links) if link not in links])),
        upstream=raw.upstream,
        content_hash=_content_hash(title, summary.text, content.text, enclosures),
    )


def plain_words(piece: RawContent) -> str:
    """The words of a title or the like; markup in it goes, entities are resolved."""
    if not piece.html or not ("<" in piece.value or "&" in piece.value):
        return piece.value
    if "<" in piece.value:
        return clean_html(piece.value, base=piece.base).text
    return html.unescape(piece.value)


def language_tag(value: str | None) -> str | None:
    """A BCP 47 tag in lower case; None for what is none."""
    if not value:
        return None
    tag = value.strip().replace("_", "-").lower()
    return tag if _LANGUAGE.fullmatch(tag) and tag not in {"und", "xx"} else None


def _html(piece: RawContent | None) -> CleanHtml:
    if piece is None or not piece.value.strip():
        return CleanHtml()
    source = piece.value if piece.html else html_from_text(piece.value)
    return clean_html(source, base=piece.base)


def _title(piece: RawContent | None, text: str) -> str:
    """The title; else the first words of the text (short notes have none); never empty."""
    title = clean_line(plain_words(piece)) if piece else ""
    if title:
        return title
    words = cut_graphemes(text, _SYNTHETIC_TITLE_GRAPHEMES)
    if words != text and " " in words:
        words = words[: words.rindex(" ")].rstrip(" ,;:-") + "…"
    return clean_line(words) or UNTITLED


def _guid(guid: str) -> str | None:
    clean = clean_guid(guid)
    if clean and len(clean) > _MAX_GUID_CHARS:
        return "sha256:" + hashlib.sha256(clean.encode()).hexdigest()
    return clean


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARS:
        return text
    head = text[: MAX_TEXT_CHARS - 1]
    place = head.rfind(" ", MAX_TEXT_CHARS - 40)
    return (head[:place] if place > 0 else head) + "…"


def _author(value: str) -> str | None:
    """Names only: addresses of people are not for republishing."""
    if not value:
        return None
    name = html.unescape(value[:_MAX_AUTHOR_CHARS])
    if "@" in name or "mailto" in name:
        name = _E_MAIL.sub("", name)
    return clean_line(name, graphemes=120).strip("()<>,;: ") or None


def _date(date: RawDate | None) -> datetime | None:
    return parse_date(date.raw, date.otherwise) if date else None


def _categories(values: Iterable[str]) -> tuple[str, ...]:
    names = dict.fromkeys([clean_line(html.unescape(value[:500]), graphemes=80) for value in values])
    return tuple(filter(None, names))[:_MAX_CATEGORIES]


def _image(raw: RawEntry, content: CleanHtml, summary: CleanHtml) -> str | None:
    for written in raw.images:
        if written and (image := safe_url(written, raw.base)):
            return image
    return next(iter(content.images or summary.images), None)


def _enclosures(raw: RawEntry) -> Iterator[Enclosure]:
    seen: set[str] = set()
    for address, kind, length in raw.enclosures:
        url = safe_url(address, raw.base)
        if url and url not in seen and len(seen) < _MAX_ENCLOSURES:
            seen.add(url)
            yield Enclosure(url=url, type=clean_line(kind, graphemes=100), size_bytes=_size(length))


def _size(length: str) -> int | None:
    value = int(length) if length.strip().isdecimal() and len(length) < 20 else 0
    return value if 0 < value < _MAX_SIZE_BYTES else None


def _content_hash(title: str, summary: str, content: str, enclosures: Iterable[Enclosure]) -> bytes:
    """What a reader would call the content: words and media, without ids, dates, counters and markup."""
    parts = (title, summary, content, *[enclosure.url.partition("?")[0] for enclosure in enclosures], "")
    return hashlib.sha256(_HASH_VERSION + "\0".join(parts).encode("utf-8", "replace")).digest()
