"""Documents: what the web sent, and what the parser made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A media file that belongs to an entry (RSS 2.0 enclosure, Atom ``rel=enclosure``, JSON Feed attachment)."""

    url: str
    type: str = ""
    size_bytes: int | None = None
    #: of audio and video (itunes:duration, media:content duration, JSON Feed duration_in_seconds)
    duration_s: int | None = None
    #: of a podcast's episode (itunes:season, itunes:episode)
    season: int | None = None
    episode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What a feed itself reports of an entry's popularity; None: it does not."""

    #: slash:comments, thr:total
    comments: int | None = None
    #: media:statistics views
    views: int | None = None
    #: media:starRating count, media:statistics favorites
    votes: int | None = None


#: of most entries
UNCOUNTED = Upstream()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Bytes that came from the web, with what the parser has to know about them."""

    body: bytes
    #: after redirects: what relative links are resolved against
    url: str
    content_type: str | None = None
    content_language: str | None = None
    #: fingerprint of the previous document of this feed: entries unchanged since then are left out and counted.
    #: b"": there is none, but one is wanted; None: not even that
    previous: bytes | None = None
    #: a web page whose article is wanted, not a feed
    is_article: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedInfo:
    """What a document says about its feed."""

    title: str = ""
    #: the web page of the site
    link: str | None = None
    description: str = ""
    language: str | None = None
    image_url: str | None = None
    self_url: str | None = None
    hubs: tuple[str, ...] = ()
    ttl: timedelta | None = None
    #: hours of the day, UTC, and weekdays (0 = Monday) in which the publisher asks not to be polled
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()
    #: the slowest rate sy:updatePeriod and sy:updateFrequency ask for
    update_every: timedelta | None = None
    #: `ParsedFeed.new_location` of the last whole document: it holds through 304s as well
    new_location: str | None = None


#: the title of an entry that has nothing to be called by
UNTITLED = "(untitled)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedEntry:
    """One entry of a document, already clean: text without control characters, HTML sanitised, URLs absolute.

    Dates are what the source claims; clamping them is the time policy's business (`curate.identity`).
    """

    #: byte for byte as published; None where there is none
    guid: str | None = None
    #: http(s), at most 2 KB; None where there is none that is safe
    link: str | None = None
    #: plain text, never empty, at most 300 graphemes
    title: str = UNTITLED
    #: sanitised HTML, "" where there is none
    summary_html: str = ""
    content_html: str = ""
    #: the plain text of the summary (else of the content), at most 2,000 characters
    text: str = ""
    author: str | None = None
    published: datetime | None = None
    updated: datetime | None = None
    #: BCP 47, lower case; None: unknown
    language: str | None = None
    categories: tuple[str, ...] = ()
    image_url: str | None = None
    #: of the picture, in pixels, as declared
    image_width: int | None = None
    enclosures: tuple[Enclosure, ...] = ()
    #: absolute targets of the links in its HTML
    outlinks: tuple[str, ...] = ()
    upstream: Upstream = UNCOUNTED
    #: SHA-256 over what a reader would call the content (no ids, dates or counters), versioned
    content_hash: bytes = b""

    @property
    def text_key(self) -> bytes:
        """16 bytes that stand for title and plain text."""
        return sha256(f"{self.title}\0{self.text}".encode("utf-8", "surrogatepass")).digest()[:16]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show: neither title, text, address, picture nor file."""
        return not (self.title != UNTITLED or self.text or self.link or self.image_url or self.enclosures)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFeed:
    """A document, parsed and cleaned."""

    #: rss20, atom10, json11 …; never empty
    version: str
    info: FeedInfo
    entries: tuple[ParsedEntry, ...]
    #: where the publisher says the feed has moved for good (itunes:new-feed-url, newLocation)
    new_location: str | None = None
    #: the end is missing: only complete entries are in `entries`, and they may be inserted but not update anything
    truncated: bool = False
    #: stable codes of what was odd: ill-formed, encoding-overridden, item-cap …
    warnings: tuple[str, ...] = ()
    #: entries left out because they stand alike in the document before this one
    unchanged: int = 0
    #: what the next document may be compared with; b"": it must be parsed whole
    fingerprint: bytes = b""
