"""JSON Feed 1.0 and 1.1 (jsonfeed.org), leniently: what is not of its type is not there."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from aggregator.collect.clean import clean_line, safe_url
from aggregator.collect.parse.normalize import language_tag
from aggregator.collect.parse.raw import RawContent, RawEntry, RawFile, RawImage
from aggregator.errors import ParseError
from aggregator.model import FeedInfo

__all__ = ["parse_json"]

#: as it should be, and as some write it
_VERSION = re.compile(r"jsonfeed\.org/version/|^1(?:\.[01])?$")

Fields = Mapping[str, Any]


def _bounded_int(digits: str) -> int | str:
    """Numbers beyond what anything stores stay text (and cost no quadratic conversion)."""
    return int(digits) if len(digits) < 19 else digits


_DECODER = json.JSONDecoder(parse_int=_bounded_int)
_ITEMS = re.compile(r'"items"\s*:\s*\[')
_ITEM = re.compile(r"\s*,?\s*(?=\{)")


def parse_json(text: str, url: str) -> tuple[str, FeedInfo, list[RawEntry], bool]:
    """Version, feed, entries, and whether the document is cut off behind them.

    Raises ParseError ``bad-json`` or ``not-a-feed``.
    """
    feed, is_truncated = _load(text)
    version = _text(feed, "version")
    if not _VERSION.search(version) or not isinstance(feed.get("items"), list):
        raise ParseError("not-a-feed", "This is JSON, but no JSON Feed: it lacks a jsonfeed.org version or its items.")
    name = "json" + version.rstrip("/").rpartition("/")[2].replace(".", "")[:4]
    authors = tuple(_authors(feed))
    return name, _info(feed, url), [_entry(item, authors) for item in _dicts(feed, "items")], is_truncated


def _load(text: str) -> tuple[Fields, bool]:
    """The document's object, and whether what is behind its last complete item was cut off."""
    try:
        try:
            value, is_truncated = _DECODER.decode(text), False
        except json.JSONDecodeError as error:
            items = _ITEMS.search(text)
            is_truncated = error.pos >= len(text) or error.msg.startswith("Unterminated string")
            if items is None or not is_truncated:
                raise
            value = _DECODER.decode(text[: _end_of_items(text, items.end())] + "]}")
    except (ValueError, RecursionError) as error:
        raise ParseError("bad-json", f"This JSON cannot be read: {str(error)[:200]}") from error
    return (value if isinstance(value, dict) else {}), is_truncated


def _end_of_items(text: str, start: int) -> int:
    """Where the last complete object of the list that begins at `start` ends."""
    end = start
    while (item := _ITEM.match(text, end)) and (end == start) != ("," in item[0]):
        try:
            end = _DECODER.raw_decode(text, item.end())[1]
        except json.JSONDecodeError:
            break
    return end


def _text(fields: Fields, key: str) -> str:
    """A string; numbers count as one, ids are often written so."""
    value = fields.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _dicts(fields: Fields, key: str) -> list[Fields]:
    value = fields.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _info(feed: Fields, url: str) -> FeedInfo:
    hubs = (safe_url(_text(hub, "url"), url) for hub in _dicts(feed, "hubs") if _text(hub, "type").lower() == "websub")
    return FeedInfo(
        title=clean_line(html.unescape(_text(feed, "title"))),
        link=safe_url(_text(feed, "home_page_url"), url),
        description=clean_line(html.unescape(_text(feed, "description"))),
        language=language_tag(_text(feed, "language")),
        image_url=safe_url(_text(feed, "icon"), url) or safe_url(_text(feed, "favicon"), url),
        self_url=safe_url(_text(feed, "feed_url"), url),
        hubs=tuple(hub for hub in hubs if hub)[:5],
    )


def _entry(item: Fields, authors: tuple[str, ...]) -> RawEntry:
    """`authors` are the feed's, for an item that names none (JSON Feed 1.1, authors)."""
    published, updated = _text(item, "date_published"), _text(item, "date_modified")
    content_html, content_text = _text(item, "content_html"), _text(item, "content_text")
    return RawEntry(
        guid=_text(item, "id"),
        links=(_text(item, "url"), _text(item, "external_url"), _id_as_link(item)),
        title=_piece(html.unescape(_text(item, "title")), markup=False),
        summary=_piece(html.unescape(_text(item, "summary")), markup=False),
        content=_piece(content_html or content_text, markup=bool(content_html)),
        authors=tuple(_authors(item)) or authors,
        published=published or updated,
        updated=updated,
        language=_text(item, "language") or None,
        categories=tuple(_tags(item)),
        images=(RawImage(_text(item, "image")), RawImage(_text(item, "banner_image"))),
        files=tuple(
            RawFile(
                _text(each, "url"),
                _text(each, "mime_type"),
                _text(each, "size_in_bytes"),
                _text(each, "duration_in_seconds"),
            )
            for each in _dicts(item, "attachments")
        ),
    )


def _tags(item: Fields) -> list[str]:
    value = item.get("tags")
    return [tag for tag in value if isinstance(tag, str)] if isinstance(value, list) else []


def _piece(value: str, *, markup: bool) -> RawContent | None:
    return RawContent(value=value, html=markup) if value else None


def _id_as_link(item: Fields) -> str:
    """An id that is a full address stands in for a missing url, as the format recommends ids to be."""
    value = _text(item, "id")
    return value if value.startswith(("http://", "https://")) else ""


def _authors(item: Fields) -> Iterator[str]:
    """Names; some write them in place of the objects that hold them."""
    several = item.get("authors")
    people = several if isinstance(several, list) and several else [item.get("author")]
    for each in people:
        name = _text(each, "name") if isinstance(each, dict) else each
        if isinstance(name, str) and name:
            yield name
