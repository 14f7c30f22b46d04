"""Reads with feedparser what `xml_reader` cannot: ill-formed XML, and formats of another kind (CDF). Knows feedparser.

Its filters are off (`clean` does their work), it gets UTF-8 bytes only, and always the address of the document:
without that, `xml:base` leaks from one entry into the next. Its fields are read past its aliases, which answer a
question for ``updated`` with the published date.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from typing import Any

import feedparser

from aggregator.collect.parse.raw import RawContent, RawFile, RawImage
from aggregator.collect.parse.record import MAX_OF_A_KIND, Link, Record
from aggregator.errors import ParseError

__all__ = ["read_loosely"]

Fields = dict[str, Any]

#: extensions whose odd values make feedparser raise; renamed, they are elements that it does not know
_FRAGILE = re.compile(r"(</?)(georss|gml|geo|psc|cc|creativeCommons|itunes|media|podcast|slash|thr|admin|foaf)(?=:)")
#: feedparser searches these for e-mail addresses, in quadratic time
_LONG_AUTHOR = re.compile(
    r"(<(?:\w{1,20}:)?(?:author|creator|managingEditor|webMaster|name|email)\b[^>]*>[^<]{300})[^<]+"
)
_LONG_TAG = re.compile(r"<[^<>]{16384,}>")
_OPENING, _CLOSING = re.compile(r"<([\w:.-]+)(?:\s[^<>]*)?(?<!/)>"), re.compile(r"</([\w:.-]+)")
#: elements of one name that never end
_MAX_UNCLOSED = 2000
#: words of a picture, which feedparser takes for those of the entry
_MEDIA_WORDS = re.compile(r"<media:(description|title|text)\b[^>]*>[^<]*</media:\1\s*>")
#: an id that is no address: without this mark feedparser would resolve it against the feed's
_GUID = re.compile(
    r"<((?:[\w-]++:)?(?:guid|id))((?:\s+(?!is)[\w:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*>(?!\s*(?:<!\[CDATA\[)?\s*https?:)"
)
#: feedparser's name of a text → that of its element
_TEXTS = {"title": "title", "summary": "summary", "subtitle": "description"}
_VALUES = {
    "id": "guid",
    "link": "link",
    "published": "published",
    "created": "created",
    "updated": "updated",
    "language": "language",
    "ttl": "ttl",
    "feedburner_origlink": "feedburner:origlink",
    "slash_comments": "slash:comments",
    "thr_total": "thr:total",
    "sy_updateperiod": "sy:updateperiod",
    "sy_updatefrequency": "sy:updatefrequency",
    "itunes_duration": "itunes:duration",
    "itunes_episode": "itunes:episode",
    "itunes_season": "itunes:season",
    "itunes_new-feed-url": "itunes:new-feed-url",
}


def read_loosely(text: str, url: str) -> tuple[str, Record, list[Record], bool]:
    """Version, feed, entries, and whether the document is ill-formed. Raises ParseError ``parse-failed``."""
    text = _GUID.sub(r'<\1\2 isPermaLink="false">', _MEDIA_WORDS.sub("", _bounded(text)))
    try:
        parsed = _parse(text, url)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - thirteen places in feedparser raise on odd extensions; without those it reads the rest
        parsed = _parse_without_extensions(text, url)
    feed, entries = _record(_dict(parsed, "feed"), url), [_record(each, url) for each in _dicts(parsed, "entries")]
    return _text(parsed, "version"), feed, entries, bool(dict.get(parsed, "bozo"))


def _bounded(text: str) -> str:
    """Without what costs feedparser time by the square of its length (HOSTILE X3, X4, X6)."""
    text = _LONG_AUTHOR.sub(r"\1", _LONG_TAG.sub("", text))
    unclosed = Counter(_OPENING.findall(text))
    unclosed.subtract(_CLOSING.findall(text))
    for name in [name for name, count in unclosed.items() if count > _MAX_UNCLOSED]:
        text = re.sub(rf"<{re.escape(name)}\b[^<>]*>", "", text)
    return text


def _parse_without_extensions(text: str, url: str) -> Fields:
    try:
        return _parse(_FRAGILE.sub(r"\1x-\2-", text).replace("-:", "-"), url)
    except MemoryError:
        raise
    except Exception as error:  # the edge of a third-party parser fed by strangers
        raise ParseError("parse-failed", f"The feed parser gave up on this document: {error!r:.200}") from error


def _parse(text: str, url: str) -> Fields:
    parsed: Fields = feedparser.parse(
        io.BytesIO(text.encode("utf-8", "replace")),
        response_headers={"content-type": "application/xml; charset=utf-8", "content-location": url},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    return parsed


def _record(fields: Fields, url: str) -> Record:
    record = Record()
    for key, name in _TEXTS.items():
        _add_text(record, name, _dict(fields, f"{key}_detail"), _text(fields, key), url)
    for detail in _dicts(fields, "content"):
        kind = _text(detail, "type")
        if not kind or kind.startswith("text/") or kind == "application/xhtml+xml":
            _add_text(record, "content", detail, _text(detail, "value"), url)
    for key, name in _VALUES.items():
        record.add_value(name, _text(fields, key).strip())
    record.links = [
        Link(
            _text(link, "href") or _text(link, "url"),
            _text(link, "rel").lower(),
            _text(link, "type").lower(),
            _text(link, "length"),
        )
        for link in _dicts(fields, "links")[:MAX_OF_A_KIND]
    ]
    names = [_text(each, "name") for each in _dicts(fields, "authors")[:MAX_OF_A_KIND]]
    # of one author, the text as written: what feedparser makes of names with addresses is cut in the wrong places
    record.authors = names if len(names) > 1 else [_text(fields, "author") or "".join(names)]
    record.categories = [_text(tag, "label") or _text(tag, "term") for tag in _dicts(fields, "tags")[:MAX_OF_A_KIND]]
    _add_media(record, fields)
    return record


def _add_media(record: Record, fields: Fields) -> None:
    record.files = [
        RawFile(*(_text(file, key) for key in ("url", "type", "filesize", "duration", "medium", "width")))
        for file in _dicts(fields, "media_content")[:MAX_OF_A_KIND]
        if _text(file, "url")
    ]
    small = [
        RawImage(_text(each, "url"), _text(each, "width")) for each in _dicts(fields, "media_thumbnail")[:MAX_OF_A_KIND]
    ]
    pictures = [("image", RawImage(_text(_dict(fields, "image"), "href")))]
    pictures += [("media:thumbnail", image) for image in small]
    pictures += [(name, RawImage(_text(fields, name))) for name in ("logo", "icon")]
    record.images = [(name, image) for name, image in pictures if image.url]
    statistics, stars = _dict(fields, "media_statistics"), _dict(fields, "media_starrating")
    record.add_value("media:statistics views", _text(statistics, "views"))
    record.add_value("media:statistics favorites", _text(statistics, "favorites"))
    record.add_value("media:starrating count", _text(stars, "count"))


def _add_text(record: Record, name: str, detail: Fields, value: str, url: str) -> None:
    base = _text(detail, "base")
    if value:
        record.add_text(
            name,
            RawContent(
                value=value,
                html=_text(detail, "type") != "text/plain",
                base="" if base == url else base,
                language=_text(detail, "language") or None,
            ),
        )


def _text(fields: Fields, key: str) -> str:
    """The text under a key, no alias standing in for what is not there."""
    value = dict.get(fields, key)
    return value if isinstance(value, str) else ""


def _dict(fields: Fields, key: str) -> Fields:
    value = dict.get(fields, key)
    return value if isinstance(value, dict) else {}


def _dicts(fields: Fields, key: str) -> list[Fields]:
    value = dict.get(fields, key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list | tuple) else []
