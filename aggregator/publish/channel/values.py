"""The values that a feed is made of, before it becomes Atom, RSS or JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aggregator.model import Enclosure


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an entry came from (``atom:source``, RSS ``source``)."""

    name: str
    #: the feed it came from
    feed: str
    home: str | None
    updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelEntry:
    """One entry, in the words that all three formats share."""

    id: str
    title: str
    #: where a reader's click leads
    url: str
    #: the article at its publisher; None where no source has a safe link
    original: str | None
    published: datetime
    updated: datetime
    author: str | None
    categories: tuple[str, ...]
    language: str | None
    #: plain text
    summary: str
    #: sanitised HTML
    html: str
    origin: Origin | None = None
    image_url: str | None = None
    enclosures: tuple[Enclosure, ...] = ()
    #: (address, title)
    related: tuple[tuple[str, str], ...] = ()
    item_id: str | None = None
    story: str | None = None
    views: int | None = None
    #: its place from 1, in feeds whose order means something
    rank: int | None = None
    reasons: tuple[str, ...] = ()
    #: names of all sources that carry it
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One feed, or one part of a long one (RFC 5005, 3); `self_url` gives its address in each format."""

    id: str
    title: str
    description: str
    #: absolute, without suffix and query
    address: str
    query: str = ""
    #: the web page that shows the same
    page: str
    language: str
    updated: datetime
    entries: tuple[ChannelEntry, ...]
    icon: str
    #: WebSub hub; "" for none
    hub: str = ""
    version: str = ""
    kind: str = "latest"
    window: str | None = None
    basis: str | None = None
    #: it holds all that there is: what is in it no longer has left the list (RFC 5005, 2)
    complete: bool = False
    #: where this part begins and where the next one does; "" for the beginning and for none
    after: str = ""
    next: str = ""

    def self_url(self, suffix: str) -> str:
        """The document's own address in the format that `suffix` (atom, rss, json) names."""
        return self._url(suffix, self.after)

    def first_url(self, suffix: str) -> str:
        """The address of the feed's beginning."""
        return self._url(suffix, "")

    def next_url(self, suffix: str) -> str | None:
        """The address of the part with the older entries; None if there is none."""
        return self._url(suffix, self.next) if self.next else None

    def _url(self, suffix: str, after: str) -> str:
        query = "&".join(part for part in (self.query, f"before={after}" if after else "") if part)
        return f"{self.address}.{suffix}{'?' if query else ''}{query}"
