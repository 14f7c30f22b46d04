"""What the elements of a feed or an entry say, and what that makes of them: Record → RawEntry, FeedInfo.

A reader stores each text and value under the name of its element; the lists below say which of them become a title, a
summary, a date, best first. Both readers of XML, ours and feedparser's, fill in records, so both follow these lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

from aggregator.collect.clean import clean_line, media_type_of, safe_url
from aggregator.collect.parse.normalize import language_tag, plain_words
from aggregator.collect.parse.raw import RawContent, RawEntry, RawFile, RawImage
from aggregator.model import UNCOUNTED, FeedInfo, Upstream

__all__ = ["MAX_OF_A_KIND", "Link", "Record", "entry_of", "info_of", "new_location_of"]

#: categories, links, authors, files of one record that are kept (HOSTILE X5)
MAX_OF_A_KIND = 64

_TITLES = ("title", "dc:title", "itunes:title", "media:title")
_SUMMARIES = ("description", "summary", "dc:description", "dcterms:abstract")
_CONTENTS = ("content", "content:encoded", "body", "repeated")
#: they describe a media file or repeat the item in short: used only where the item has no words of its own
_SUBSTITUTES = ("itunes:summary", "media:description", "itunes:subtitle")
_FEED_DESCRIPTIONS = (
    "description",
    "subtitle",
    "tagline",
    "itunes:summary",
    "summary",
    "dc:description",
    "itunes:subtitle",
)
_IDS = ("guid", "id", "rdf:about", "dc:identifier")
_PUBLISHED = (
    "pubdate",
    "published",
    "issued",
    "dcterms:issued",
    "created",
    "dcterms:created",
    "dc:date",
    "dcterms:date",
)
_UPDATED = ("updated", "modified", "dcterms:modified", "dc:date", "dcterms:date", "lastbuilddate")
_LANGUAGES = ("language", "dc:language")
_COUNTS = frozenset({
    "slash:comments", "thr:total", "media:statistics views", "media:statistics favorites", "media:starrating count",
})  # fmt: skip
_FEED_IMAGES = ("itunes:image", "image", "logo", "media:thumbnail", "icon")
_HTML_TYPES = frozenset({"", "text/html", "html", "xhtml", "application/xhtml+xml"})
_ALTERNATE = frozenset({"alternate", ""})
#: media types that are players rather than files
_PLAYERS = frozenset({"application/x-shockwave-flash", "text/html"})
#: element → media type of its file; "" for the one that its address tells
_STAND_INS = {"podcast:source": "", "media:player": "text/html"}
_MAX_IMAGES = 8
_MIN_TTL, _MAX_TTL = 5, 60 * 24 * 7
_TTL = re.compile(r"(-?)\s*(\d[\d,]*)(?:\.\d*)?\s*(s|m|h|d|(?:sec|min|hour|day)[a-z]*)?\.?", re.ASCII | re.IGNORECASE)
#: in minutes
_UNITS = {"s": 1 / 60, "m": 1, "h": 60, "d": 24 * 60}
#: an hour, with its minutes perhaps; several in one element
_HOURS = re.compile(r"(?<![\d:.-])(\d{1,2})(?::00|\.0+)?(?![\d:])", re.ASCII)
_WORDS = re.compile(r"[^\W\d_]{3,}")
_FREQUENCY = re.compile(r"\d{1,4}", re.ASCII)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: the least that `sy:updatePeriod` may ask for; hourly is what WordPress writes whatever the truth is
_PERIODS = {
    "daily": timedelta(days=1),
    "weekly": timedelta(weeks=1),
    "monthly": timedelta(days=30),
    "yearly": timedelta(days=365),
}


class Link(NamedTuple):
    """An Atom link, or an RSS enclosure (rel ``enclosure``); its address is absolute."""

    href: str
    rel: str = "alternate"
    type: str = ""
    length: str = ""


class Record:
    """What one feed, entry or atom:source has said so far."""

    __slots__ = (
        "authors",
        "categories",
        "files",
        "hosts",
        "images",
        "links",
        "skip_days",
        "skip_hours",
        "source",
        "texts",
        "values",
    )

    def __init__(self) -> None:
        self.texts: dict[str, RawContent] = {}
        self.values: dict[str, str] = {}
        self.links: list[Link] = []
        self.authors: list[str] = []
        #: hosts of a podcast, and whom Media RSS credits: authors where none are named
        self.hosts: list[str] = []
        self.categories: list[str] = []
        self.files: list[RawFile] = []
        #: (element, picture)
        self.images: list[tuple[str, RawImage]] = []
        self.skip_hours: list[str] = []
        self.skip_days: list[str] = []
        self.source: Record | None = None

    def add_text(self, name: str, piece: RawContent) -> None:
        """The first text under a name; of several contents, and of what is repeated, the longest."""
        if name in self.texts and name not in _CONTENTS:
            name = "repeated"
        before = self.texts.get(name)
        if before is None or len(piece.value) > len(before.value):
            self.texts[name] = piece

    def add_value(self, name: str, value: str) -> None:
        """The first value under a name that is not empty."""
        if value and name not in self.values:
            self.values[name] = value

    def first_text(self, names: Iterable[str]) -> RawContent | None:
        """The text under the first of these names that has one."""
        texts = self.texts
        for name in names:  # a generator takes twice as long, for each of an entry's eight questions
            if name in texts:
                return texts[name]
        return None

    def first_value(self, names: Iterable[str]) -> str:
        """The value under the first of these names that has one."""
        values = self.values
        for name in names:
            if name in values:
                return values[name]
        return ""

    def images_of(self, name: str) -> list[RawImage]:
        """The pictures that elements of this name gave."""
        return [image for element, image in self.images if element == name]


def entry_of(record: Record, feed: Record) -> RawEntry:
    """The entry that `record` describes; what it inherits comes from its atom:source, then from the feed."""
    title, content = record.first_text(_TITLES), _content(record)
    summary = record.first_text(_SUMMARIES)
    if content is None:
        summary, content = _summary_and_content(record)
    values = record.values
    files = _files(record)
    pieces = [piece for piece in (content, summary, title) if piece]
    return RawEntry(
        guid=record.first_value(_IDS),
        links=_links(record, files),
        title=title,
        summary=summary,
        content=content,
        authors=_authors(record, feed),
        published=record.first_value(_PUBLISHED) or record.first_value(_UPDATED),
        updated=record.first_value(_UPDATED),
        language=record.first_value(_LANGUAGES) or next((piece.language for piece in pieces if piece.language), None),
        categories=tuple(record.categories),
        images=_images(record, files),
        show_image=_show_image(feed, files) if files or "itunes:duration" in values else "",
        files=files,
        season=record.first_value(("itunes:season", "podcast:season")),
        episode=record.first_value(("itunes:episode", "podcast:episode")),
        upstream=_upstream(values),
    )


def info_of(record: Record, url: str) -> FeedInfo:
    """What the feed in the document at `url` says about itself."""
    links = _links(record, ())
    return FeedInfo(
        title=_one_line(record.first_text(_TITLES)),
        link=next((link for each in links if (link := safe_url(each, url))), None),
        description=_one_line(record.first_text(_FEED_DESCRIPTIONS)),
        language=language_tag(record.first_value((*_LANGUAGES, "xml:lang"))),
        image_url=next((image for each in _feed_images(record) if (image := safe_url(each, url))), None),
        self_url=next(iter(_related(record, "self", url)), None),
        hubs=tuple(dict.fromkeys(_related(record, "hub", url)))[:5],
        ttl=_ttl(record.values.get("ttl", "")),
        skip_hours=_skip_hours(record.skip_hours),
        skip_days=_skip_days(record.skip_days),
        update_every=_update_every(record.values),
    )


def new_location_of(record: Record, url: str) -> str | None:
    """Where the publisher says the feed is to be found from now on; None: it does not say, or it is there already."""
    found = safe_url(record.first_value(("itunes:new-feed-url", "newlocation")), url)
    return found if found != safe_url(url) else None


def _content(record: Record) -> RawContent | None:
    """The longest of an entry's contents: alternatives in several types are the same words."""
    pieces = [piece for name in _CONTENTS if (piece := record.texts.get(name))]
    return max(pieces, key=lambda piece: len(piece.value)) if pieces else None


def _summary_and_content(record: Record) -> tuple[RawContent | None, RawContent | None]:
    """Of an entry without a content: the longer of two summaries is one; words of its media stand in for none."""
    pieces = sorted(
        [piece for name in _SUMMARIES if (piece := record.texts.get(name))], key=lambda piece: len(piece.value)
    )
    if len(pieces) > 1:
        return pieces[0], pieces[-1]
    return (pieces[0] if pieces else record.first_text(_SUBSTITUTES)), None


def _links(record: Record, files: tuple[RawFile, ...]) -> tuple[str, ...]:
    """FeedBurner's record of the original, the entry's link, its id if that is one, and at last its media file."""
    values, alternates = record.values, [link for link in record.links if link.rel in _ALTERNATE]
    original = values.get("feedburner:origlink")
    return tuple(
        filter(
            None,
            (
                original if original and "://" in original else None,  # some write a guid there
                values.get("link"),
                *[link.href for link in alternates if link.type in _HTML_TYPES],
                values.get("permalink"),
                *[link.href for link in alternates],
                *[file.url for file in files],
            ),
        )
    )


def _files(record: Record) -> tuple[RawFile, ...]:
    """Enclosures, then what Media RSS lists; itunes:duration is that of the first sound or film.

    Where there are none: another form of an episode, or the page that plays it.
    """
    if not (record.files or record.links) and record.values.keys().isdisjoint(_STAND_INS):
        return ()
    files = [
        RawFile(link.href, link.type, link.length) for link in record.links if link.rel == "enclosure" and link.href
    ]
    files += [file for file in record.files if file.type.lower() not in _PLAYERS]
    if not files:
        files = [RawFile(url, kind) for name, kind in _STAND_INS.items() if (url := record.values.get(name))][:1]
    duration = record.values.get("itunes:duration", "")
    if duration and files and not files[0].duration and not files[0].is_image:
        files[0] = files[0]._replace(duration=duration)
    return tuple(files)


def _images(record: Record, files: tuple[RawFile, ...]) -> tuple[RawImage, ...]:
    if not (record.images or files):
        return ()
    images = [RawImage(file.url, file.width) for file in record.files if file.is_image]
    images += record.images_of("media:thumbnail")
    images += [RawImage(file.url, file.width) for file in files if file.is_image]
    images += [image for name, image in record.images if name != "media:thumbnail"]
    return tuple(images[:_MAX_IMAGES])


def _show_image(feed: Record, files: tuple[RawFile, ...]) -> str:
    """The picture of a podcast; that of any other feed is its logo, and no picture of what has a sound or film."""
    is_episode = any((file.type or media_type_of(file.url)).startswith(("audio/", "video/")) for file in files)
    names = ("itunes:image", "image", "logo") if is_episode else ("itunes:image",)
    return next((image.url for name in names for image in feed.images_of(name)), "")


def _authors(record: Record, feed: Record) -> tuple[str, ...]:
    """RFC 4287, 4.2.1: those of the entry, else of its source, else of the feed. Hosts and credits stand in."""
    source = record.source
    authors = record.authors or record.hosts or (source.authors if source else ())
    return tuple(authors or feed.authors or feed.hosts)


def _upstream(values: Mapping[str, str]) -> Upstream:
    """What an entry reports of itself."""
    if values.keys().isdisjoint(_COUNTS):
        return UNCOUNTED
    comments = _most(values, ("slash:comments", "thr:total"))
    views = _most(values, ("media:statistics views",))
    votes = _most(values, ("media:starrating count", "media:statistics favorites"))
    return Upstream(comments=comments, views=views, votes=votes)


def _most(values: Mapping[str, str], names: Iterable[str]) -> int | None:
    return max((count for name in names if (count := _count(values.get(name, ""))) is not None), default=None)


def _count(value: str) -> int | None:
    value = value.strip()
    return int(value) if value.isdecimal() and len(value) < 16 else None


def _one_line(piece: RawContent | None) -> str:
    return clean_line(plain_words(piece)) if piece else ""


def _feed_images(record: Record) -> list[str]:
    named = [each.url for name in _FEED_IMAGES for each in record.images_of(name)]
    return named + [file.url for file in record.files if file.is_image]


def _related(record: Record, rel: str, url: str) -> list[str]:
    found = (safe_url(link.href, url) for link in record.links if rel in link.rel.split())
    return [link for link in found if link]


def _ttl(written: str) -> timedelta | None:
    """Minutes, as they should be, or with another unit behind them; of any number of digits."""
    found = _TTL.fullmatch(written.strip())
    if found is None or found[1] == "-":
        return None
    minutes = int(found[2].replace(",", "")[:9]) * _UNITS[(found[3] or "m")[0].lower()]
    return timedelta(minutes=min(minutes, _MAX_TTL)) if minutes >= _MIN_TTL else None


def _skip_hours(written: Iterable[str]) -> frozenset[int]:
    """Hours, UTC; 24 is midnight in RSS 0.91. A feed that names all of them asks for nothing."""
    numbers = [int(hour) for text in written for hour in _HOURS.findall(text)]
    hours = frozenset(hour % 24 for hour in numbers if hour <= 24)
    return hours if len(hours) < 24 else frozenset()


def _skip_days(written: Iterable[str]) -> frozenset[int]:
    """Days by their English names, or the beginnings of them."""
    named = {word[:3].lower() for text in written for word in _WORDS.findall(text)}
    days = frozenset(number for number, day in enumerate(_DAYS) if day[:3] in named)
    return days if len(days) < 7 else frozenset()


def _update_every(values: Mapping[str, str]) -> timedelta | None:
    """So often in a period, which is a day where none is named (RSS 1.0, mod_syndication)."""
    written = values.get("sy:updatefrequency", "").strip()
    frequency = int(found[0]) if (found := _FREQUENCY.match(written)) else 0
    named = values.get("sy:updateperiod", "").strip().lower()
    period = _PERIODS.get(named) if named or not frequency else _PERIODS["daily"]
    return period / (frequency or 1) if period else None
