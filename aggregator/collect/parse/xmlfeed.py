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

import feedparser

from aggregator.collect.clean import clean_line, safe_url
from aggregator.collect.parse.fields import (
    ALTERNATE,
    MAX_IMAGES,
    Fields,
    base_of,
    count_at,
    dict_at,
    dicts_at,
    is_image,
    text_at,
    upstream_of,
    value_at,
)
from aggregator.collect.parse.normalize import language_tag, plain_words
from aggregator.collect.parse.quicker import UTF8, UnreadDate, make_quicker, read
from aggregator.collect.parse.raw import RawContent, RawDate, RawEntry
from aggregator.errors import ParseError
from aggregator.model import FeedInfo

__all__ = ["parse_xml"]

make_quicker()

#: extensions whose odd values make feedparser raise; renamed, they are elements that it does not know
_FRAGILE = re.compile(r"(</?)(georss|gml|geo|psc|cc|creativeCommons|itunes|media|podcast|slash|thr|admin|foaf)(?=:)")
#: what starts one of those below that are looked for in the text of a document: nearly none has any
_LOOKED_FOR = re.compile(r"<(?:[sS][kK][iI][pP]|image\s|link uri)")
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


def parse_xml(text: str, url: str) -> tuple[str, FeedInfo, list[RawEntry], bool]:
    """Version, feed, entries in document order, and whether the document is ill-formed."""
    looked_at = text if _LOOKED_FOR.search(text) else ""
    parsed = _feedparser(_LINK_URI.sub("<link", text) if "<link uri" in looked_at else text, url)
    entries = [
        entry if isinstance(entry, RawEntry) else _entry(entry, url) for entry in value_at(parsed, "entries") or ()
    ]
    return (
        text_at(parsed, "version"),
        _info(dict_at(parsed, "feed"), looked_at, url),
        entries,
        bool(value_at(parsed, "bozo")),
    )


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
    body = text.encode("utf-8", "replace")
    if quick := read(body, url):
        return {"version": quick.version, "feed": quick.feeddata, "entries": quick.entries}
    document = io.BytesIO(body)
    parsed: Fields = feedparser.parse(
        document, response_headers=headers, sanitize_html=False, resolve_relative_uris=False
    )
    return parsed


def _entry(fields: Fields, url: str) -> RawEntry:
    links = dicts_at(fields, "links")
    enclosures = [link for link in links if value_at(link, "rel") == "enclosure"]
    title, summary, content = _content(fields, "title", url), _content(fields, "summary", url), _body(fields, url)
    if summary and content and summary.value == content.value:
        summary = None  # feedparser's copy, which has lost its base
    return RawEntry(
        base=next((piece.base for piece in (content, summary, title) if piece and piece.base), url),
        guid=text_at(fields, "id"),
        links=_links(fields, links, enclosures),
        title=title,
        summary=summary,
        content=content,
        author=_author(fields),
        published=_date(fields, "published") or _date(fields, "created") or _date(fields, "updated"),
        updated=_date(fields, "updated"),
        language=text_at(fields, "language")
        or next((p.language for p in (content, summary, title) if p and p.language), None),
        categories=tuple([text_at(tag, "label") or text_at(tag, "term") for tag in dicts_at(fields, "tags")]),
        images=tuple(_images(fields, enclosures))[:MAX_IMAGES],
        enclosures=tuple(
            [
                (text_at(each, "href") or text_at(each, "url"), text_at(each, "type"), text_at(each, "length"))
                for each in enclosures
            ]
        ),
        upstream=upstream_of(fields),
    )


def _content(fields: Fields, key: str, url: str) -> RawContent | None:
    value = text_at(fields, key)
    return _raw(dict_at(fields, f"{key}_detail"), value, url) if value else None


def _body(fields: Fields, url: str) -> RawContent | None:
    """The longest of an entry's contents that is text: alternatives in several types are the same words."""
    pieces = [_raw(each, text_at(each, "value"), url) for each in dicts_at(fields, "content") if _is_text(each)]
    return max(pieces, key=lambda piece: len(piece.value), default=None)


def _is_text(detail: Fields) -> bool:
    kind = text_at(detail, "type")
    return not kind or kind.startswith("text/") or kind == "application/xhtml+xml"


def _raw(detail: Fields, value: str, url: str) -> RawContent:
    return RawContent(
        value=value,
        html=text_at(detail, "type") != "text/plain",
        base=base_of(text_at(detail, "base"), url),
        language=text_at(detail, "language") or None,
    )


def _date(fields: Fields, key: str) -> RawDate | None:
    raw = text_at(fields, key)
    unread = value_at(fields, f"{key}_parsed")
    return RawDate(raw=raw, otherwise=unread.read if isinstance(unread, UnreadDate) else None) if raw else None


def _links(fields: Fields, links: Sequence[Fields], enclosures: Sequence[Fields]) -> tuple[str, ...]:
    """FeedBurner's record of the original, the entry's link, other alternates, and at last its media file."""
    own = (text_at(fields, "feedburner_origlink"), text_at(fields, "link"))
    alternates = [text_at(link, "href") for link in links if text_at(link, "rel") in ALTERNATE]
    return (*own, *alternates, *[text_at(link, "href") for link in enclosures])


def _author(fields: Fields) -> str:
    detail = dict_at(fields, "author_detail")
    names = [text_at(each, "name") for each in dicts_at(fields, "authors")]
    return ", ".join(dict.fromkeys(filter(None, names))) or text_at(detail, "name") or text_at(fields, "author")


def _images(fields: Fields, enclosures: Sequence[Fields]) -> Iterator[str]:
    yield from _media_images(fields)
    yield from (text_at(each, "href") for each in enclosures if is_image(each))
    yield text_at(dict_at(fields, "image"), "href")


def _media_images(fields: Fields) -> Iterator[str]:
    yield from (text_at(each, "url") for each in dicts_at(fields, "media_content") if is_image(each))
    yield from (text_at(each, "url") for each in dicts_at(fields, "media_thumbnail"))


def _info(feed: Fields, text: str, url: str) -> FeedInfo:
    links = dicts_at(feed, "links")
    return FeedInfo(
        title=_one_line(_content(feed, "title", url)),
        link=safe_url(text_at(feed, "link"), url) or next(iter(_related(links, "alternate", url)), None),
        description=_one_line(_content(feed, "subtitle", url) or _content(feed, "summary", url)),
        language=language_tag(text_at(feed, "language")),
        image_url=next(filter(None, (safe_url(image, url) for image in _feed_images(feed, text))), None),
        self_url=next(iter(_related(links, "self", url)), None),
        hubs=tuple(dict.fromkeys(_related(links, "hub", url)))[:5],
        ttl=_ttl(text_at(feed, "ttl")),
        skip_hours=_skip_hours(text),
        skip_days=_skip_days(text),
        update_every=_update_every(feed),
    )


def _one_line(piece: RawContent | None) -> str:
    return clean_line(plain_words(piece)) if piece else ""


def _feed_images(feed: Fields, text: str) -> Iterator[str]:
    yield text_at(dict_at(feed, "image"), "href")
    yield text_at(feed, "logo")
    yield from _media_images(feed)
    if rdf := _RDF_IMAGE.search(text):
        yield html.unescape(rdf[1])
    yield text_at(feed, "icon")


def _related(links: list[Fields], rel: str, url: str) -> list[str]:
    found = (safe_url(text_at(link, "href"), url) for link in links if text_at(link, "rel") == rel)
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
    period = _PERIODS.get(text_at(feed, "sy_updateperiod").strip().lower())
    frequency = count_at(feed, "sy_updatefrequency") or 1
    return period / frequency if period else None
