"""RSS 0.9x–2.0, RDF, Atom 0.3 and 1.0, CDF. Knows feedparser, and nothing else does.

Its filters are off (`clean` does their work), it gets UTF-8 bytes only, and always the address of the document:
without that, `xml:base` leaks from one entry into the next. Fields are read past its aliases, which answer a
question for ``updated`` with the published date.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any

import feedparser

from aggregator.collect.clean import clean_line, safe_url
from aggregator.collect.parse.entries import language_tag, plain_words
from aggregator.collect.parse.quicker import UTF8, UnreadDate, make_quicker
from aggregator.collect.parse.raw import RawContent, RawDate, RawEntry
from aggregator.errors import ParseError
from aggregator.model import FeedInfo, Upstream

__all__ = ["parse_xml"]

make_quicker()

#: extensions whose odd values make feedparser raise; renamed, they are elements that it does not know
_FRAGILE = re.compile(r"(</?)(georss|gml|geo|psc|cc|creativeCommons|itunes|media|podcast|slash|thr|admin|foaf)(?=:)")
#: feedparser takes the attribute for the link, whatever its scheme
_LINK_URI = re.compile(r"<link\s+uri\s*=\s*(?:\"[^\"]*\"|'[^']*')")
#: the picture of an RDF feed, which feedparser does not read
_RDF_IMAGE = re.compile(
    r"<image\s[^>]{0,500}rdf:about[^>]{0,500}>[^<]{0,500}(?:<(?!/image|url)[^>]*>[^<]{0,500}){0,9}<url>\s*([^<\s]{1,2048})"
)
_SKIP_HOURS = re.compile(r"<skipHours\b[^>]*>(.{0,3000}?)</skipHours", re.IGNORECASE | re.DOTALL)
_SKIP_DAYS = re.compile(r"<skipDays\b[^>]*>(.{0,1000}?)</skipDays", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"\b\d{1,2}\b")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: the least that `sy:updatePeriod` may ask for; hourly is what WordPress writes whatever the truth is
_PERIODS = {
    "daily": timedelta(days=1),
    "weekly": timedelta(weeks=1),
    "monthly": timedelta(days=30),
    "yearly": timedelta(days=365),
}
_MIN_TTL, _MAX_TTL = 5, 60 * 24 * 7
_MAX_IMAGES = 8
_ALTERNATE = frozenset({"alternate", ""})
#: what an entry may report of itself
_REPORTS = frozenset({"media_statistics", "media_starrating", "slash_comments", "thr_total"})
_NO_REPORT = Upstream()

#: feedparser's dictionaries, which are only ever read by `_value`
Fields = dict[str, Any]


def parse_xml(text: str, url: str) -> tuple[str, FeedInfo, list[RawEntry], bool]:
    """Version, feed, entries in document order, and whether the document is ill-formed."""
    parsed = _feedparser(text, url)
    entries = [_entry(entry, url) for entry in _dicts(parsed, "entries")]
    return _text(parsed, "version"), _info(_dict(parsed, "feed"), text, url), entries, bool(_value(parsed, "bozo"))


def _feedparser(text: str, url: str) -> Fields:
    try:
        return _run(text, url)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - thirteen places in feedparser raise on odd extensions; without those it reads the rest
        return _run_plainly(text, url)


def _run_plainly(text: str, url: str) -> Fields:
    try:
        return _run(_FRAGILE.sub(r"\1x-\2-", text).replace("-:", "-"), url)
    except MemoryError:
        raise
    except Exception as error:  # the edge of a third-party parser fed by strangers
        raise ParseError("parse-failed", f"The feed parser gave up on this document: {error!r:.200}") from error


def _run(text: str, url: str) -> Fields:
    headers = {"content-type": UTF8, "content-location": url}
    if "<link uri" in text:
        text = _LINK_URI.sub("<link", text)
    document = io.BytesIO(text.encode("utf-8", "replace"))
    parsed: Fields = feedparser.parse(
        document, response_headers=headers, sanitize_html=False, resolve_relative_uris=False
    )
    return parsed


def _value(fields: Fields, key: str) -> Any:
    """What is stored under a key: no alias stands in for what is not there."""
    return dict.get(fields, key)


def _text(fields: Fields, key: str) -> str:
    value = dict.get(fields, key)
    return value if isinstance(value, str) else ""


def _dict(fields: Fields, key: str) -> Fields:
    value = dict.get(fields, key)
    return value if isinstance(value, dict) else {}


def _dicts(fields: Fields, key: str) -> list[Fields]:
    value = dict.get(fields, key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list | tuple) else []


def _entry(fields: Fields, url: str) -> RawEntry:
    links = _dicts(fields, "links")
    enclosures = [link for link in links if _value(link, "rel") == "enclosure"]
    title, summary, content = _content(fields, "title", url), _content(fields, "summary", url), _body(fields, url)
    if summary and content and summary.value == content.value:
        summary = None  # feedparser's copy, which has lost its base
    return RawEntry(
        base=next((piece.base for piece in (content, summary, title) if piece and piece.base), url),
        guid=_text(fields, "id"),
        links=_links(fields, links, enclosures),
        title=title,
        summary=summary,
        content=content,
        author=_author(fields),
        published=_date(fields, "published") or _date(fields, "created") or _date(fields, "updated"),
        updated=_date(fields, "updated"),
        language=_text(fields, "language")
        or next((p.language for p in (content, summary, title) if p and p.language), None),
        categories=tuple([_text(tag, "label") or _text(tag, "term") for tag in _dicts(fields, "tags")]),
        images=tuple(_images(fields, enclosures))[:_MAX_IMAGES],
        enclosures=tuple(
            [
                (_text(each, "href") or _text(each, "url"), _text(each, "type"), _text(each, "length"))
                for each in enclosures
            ]
        ),
        upstream=_upstream(fields),
    )


def _content(fields: Fields, key: str, url: str) -> RawContent | None:
    value = _text(fields, key)
    return _raw(_dict(fields, f"{key}_detail"), value, url) if value else None


def _body(fields: Fields, url: str) -> RawContent | None:
    """The longest of an entry's contents that is text: alternatives in several types are the same words."""
    pieces = [_raw(each, _text(each, "value"), url) for each in _dicts(fields, "content") if _is_text(each)]
    return max(pieces, key=lambda piece: len(piece.value), default=None)


def _is_text(detail: Fields) -> bool:
    kind = _text(detail, "type")
    return not kind or kind.startswith("text/") or kind == "application/xhtml+xml"


def _raw(detail: Fields, value: str, url: str) -> RawContent:
    return RawContent(
        value=value,
        html=_text(detail, "type") != "text/plain",
        base=_base(_text(detail, "base"), url),
        language=_text(detail, "language") or None,
    )


@lru_cache(maxsize=64)  # nearly always the document's own
def _base(base: str, url: str) -> str:
    return safe_url(base, url) or url


def _date(fields: Fields, key: str) -> RawDate | None:
    raw = _text(fields, key)
    unread = _value(fields, f"{key}_parsed")
    return RawDate(raw=raw, otherwise=unread.read if isinstance(unread, UnreadDate) else None) if raw else None


def _links(fields: Fields, links: Sequence[Fields], enclosures: Sequence[Fields]) -> tuple[str, ...]:
    """FeedBurner's record of the original, the entry's link, other alternates, and at last its media file."""
    own = (_text(fields, "feedburner_origlink"), _text(fields, "link"))
    alternates = [_text(link, "href") for link in links if _text(link, "rel") in _ALTERNATE]
    return (*own, *alternates, *[_text(link, "href") for link in enclosures])


def _author(fields: Fields) -> str:
    detail = _dict(fields, "author_detail")
    names = [_text(each, "name") for each in _dicts(fields, "authors")]
    return ", ".join(dict.fromkeys(filter(None, names))) or _text(detail, "name") or _text(fields, "author")


def _images(fields: Fields, enclosures: Sequence[Fields]) -> Iterator[str]:
    yield from _media_images(fields)
    yield from (_text(each, "href") for each in enclosures if _is_image(each))
    yield _text(_dict(fields, "image"), "href")


def _media_images(fields: Fields) -> Iterator[str]:
    yield from (_text(each, "url") for each in _dicts(fields, "media_content") if _is_image(each))
    yield from (_text(each, "url") for each in _dicts(fields, "media_thumbnail"))


def _is_image(media: Fields) -> bool:
    return _text(media, "medium") == "image" or _text(media, "type").startswith("image/")


def _upstream(fields: Fields) -> Upstream:
    if _REPORTS.isdisjoint(fields):  # nearly always
        return _NO_REPORT
    statistics, stars = _dict(fields, "media_statistics"), _dict(fields, "media_starrating")
    comments = [_count(fields, "slash_comments"), _count(fields, "thr_total")]
    votes = [_count(stars, "count"), _count(statistics, "favorites")]
    return Upstream(
        comments=max((n for n in comments if n is not None), default=None),
        views=_count(statistics, "views"),
        votes=max((n for n in votes if n is not None), default=None),
    )


def _count(fields: Fields, key: str) -> int | None:
    value = _text(fields, key).strip()
    return int(value) if value.isdecimal() and len(value) < 16 else None


def _info(feed: Fields, text: str, url: str) -> FeedInfo:
    links = _dicts(feed, "links")
    return FeedInfo(
        title=_one_line(_content(feed, "title", url)),
        link=safe_url(_text(feed, "link"), url) or next(iter(_related(links, "alternate", url)), None),
        description=_one_line(_content(feed, "subtitle", url) or _content(feed, "summary", url)),
        language=language_tag(_text(feed, "language")),
        image_url=next(filter(None, (safe_url(image, url) for image in _feed_images(feed, text))), None),
        self_url=next(iter(_related(links, "self", url)), None),
        hubs=tuple(dict.fromkeys(_related(links, "hub", url)))[:5],
        ttl=_ttl(_text(feed, "ttl")),
        skip_hours=_skip_hours(text),
        skip_days=_skip_days(text),
        update_every=_update_every(feed),
    )


def _one_line(piece: RawContent | None) -> str:
    return clean_line(plain_words(piece)) if piece else ""


def _feed_images(feed: Fields, text: str) -> Iterator[str]:
    yield _text(_dict(feed, "image"), "href")
    yield _text(feed, "logo")
    yield from _media_images(feed)
    if rdf := _RDF_IMAGE.search(text):
        yield html.unescape(rdf[1])
    yield _text(feed, "icon")


def _related(links: list[Fields], rel: str, url: str) -> list[str]:
    found = (safe_url(_text(link, "href"), url) for link in links if _text(link, "rel") == rel)
    return [link for link in found if link]


def _ttl(minutes: str) -> timedelta | None:
    value = int(minutes) if minutes.strip().isdecimal() and len(minutes) < 9 else 0
    return timedelta(minutes=min(value, _MAX_TTL)) if value >= _MIN_TTL else None


def _skip_hours(text: str) -> frozenset[int]:
    """Hours, UTC; 24 is midnight in RSS 0.91. A feed that names all of them asks for nothing."""
    found = _SKIP_HOURS.search(text)
    named = map(int, _NUMBER.findall(found[1])) if found else ()
    hours = frozenset(hour % 24 for hour in named if hour <= 24)
    return hours if len(hours) < 24 else frozenset()


def _skip_days(text: str) -> frozenset[int]:
    found = _SKIP_DAYS.search(text)
    named = found[1].lower() if found else ""
    days = frozenset(number for number, day in enumerate(_DAYS) if day in named)
    return days if len(days) < 7 else frozenset()


def _update_every(feed: Fields) -> timedelta | None:
    period = _PERIODS.get(_text(feed, "sy_updateperiod").strip().lower())
    frequency = _count(feed, "sy_updatefrequency") or 1
    return period / frequency if period else None
