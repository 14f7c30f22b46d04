"""Values on the way out: from the store to feeds, pages and commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from aggregator.model.collecting import PollError, Subscription
from aggregator.model.curating import RelatedTier
from aggregator.model.documents import Enclosure, Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRef:
    """A source, as far as a reader of one of its items wants to know."""

    id: int
    slug: str
    name: str
    #: the feed
    url: str
    #: the site's web page
    home: str | None = None
    #: its name stands in config.toml; else it is the title of the feed, which says more than the name of the site
    is_named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """An item as one of its sources carries it ("also at")."""

    source: SourceRef
    #: identity within the source
    entry_id: str
    title: str
    url: str | None
    published: datetime
    first_seen: datetime
    #: what joined it to the item: first | canonical-url | near-duplicate, with the figures
    rule: str = "first"
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What readers see: one article, whatever the number of feeds that carry it."""

    id: str
    title: str
    #: the original; None where no entry has a safe link
    url: str | None
    source: SourceRef
    #: the first of its sections
    section: str
    author: str | None
    published: datetime
    first_seen: datetime
    #: when its content last changed: as the source says, else `published`; from the first edit on when we saw it
    updated: datetime
    summary_html: str
    content_html: str
    #: plain text lead
    text: str
    language: str | None
    categories: tuple[str, ...]
    image_url: str | None
    enclosures: tuple[Enclosure, ...]
    upstream: Upstream
    #: every source that carries it, the one shown first
    copies: tuple[Copy, ...]
    story: str
    views: int
    likes: int
    #: its source is configured to show the whole content
    full_text: bool = False
    #: of the picture, in pixels, as its source declares it
    image_width: int | None = None
    pinned_until: datetime | None = None
    #: further sections in which it stands
    more_sections: tuple[str, ...] = ()

    @property
    def sections(self) -> tuple[str, ...]:
        """All sections in which it stands, the first one first."""
        return (self.section, *self.more_sections)

    @property
    def sources(self) -> int:
        """How many distinct sources carry it."""
        return len({copy.source.id for copy in self.copies})


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One event, as several publishers report it. Its id is permanent; ids of merged stories resolve to it."""

    id: str
    #: oldest first by (published, id); never empty
    items: tuple[Item, ...]

    @property
    def first(self) -> datetime:
        """When the first report was published."""
        return self.items[0].published

    @property
    def newest(self) -> datetime:
        """When the newest report was published."""
        return self.items[-1].published

    @property
    def updated(self) -> datetime:
        """When a report was last added here."""
        return max(item.first_seen for item in self.items)

    @property
    def sources(self) -> tuple[SourceRef, ...]:
        """The publishers that carry it, each once, in the order in which they came."""
        found = {copy.source.id: copy.source for item in self.items for copy in item.copies}
        return tuple(found.values())

    @property
    def publishers(self) -> int:
        """How many distinct sources carry it."""
        return len(self.sources)

    @property
    def by_source(self) -> Mapping[int, tuple[Item, ...]]:
        """Its items by source id, oldest first; an item that several sources carry stands with each."""
        found: dict[int, list[Item]] = {source.id: [] for source in self.sources}
        for item in self.items:
            for source_id in dict.fromkeys(copy.source.id for copy in item.copies):
                found[source_id].append(item)
        return {source_id: tuple(items) for source_id, items in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedItem:
    """An item beside another one, and how alike they are."""

    item: Item
    #: 0…1
    score: float
    #: related: about the same subject; more: alike at all
    tier: RelatedTier = "related"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which items a listing looks at. The default: all that are shown."""

    section: str | None = None
    source_slug: str | None = None
    #: a language without region ("de"); detected ones count
    language: str | None = None
    #: only items that a source with `in_latest` carries
    in_latest: bool = False
    #: only items first seen at or after
    since: datetime | None = None
    #: only items published at or after
    published_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A reader opened an item. `visitor` is a keyed hash that means nothing the next day."""

    item_id: str
    at: datetime
    visitor: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody with a private feed address."""

    name: str
    token: str
    created: datetime
    opened: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """What a reader has made of an item."""

    read: bool
    starred: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """A merge that an edit has shown to be wrong."""

    #: the item that had absorbed the other, and the other, which is an item again
    item_id: str
    restored: str
    #: the figures by which they were merged, and those by which they were taken apart
    merged: Mapping[str, float]
    figures: Mapping[str, float]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Why an item is what it is: for `explain`."""

    item: Item
    #: former ids that redirect to it
    former_ids: tuple[str, ...]
    #: other items of its story, and the figures with which each joined
    story_joins: tuple[tuple[str, Mapping[str, float]], ...]
    #: lists it stands in now: (list key as text, place from 1, score, figures, reasons); never a reader's own
    places: tuple[tuple[str, int, float, Mapping[str, float], tuple[str, ...]], ...] = ()
    #: merges that it was part of and that were undone, oldest first
    undone: tuple[Undone, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """How one source is doing: enough for `status`, the status page and its feed."""

    ref: SourceRef
    subscription: Subscription
    state: Literal["new", "ok", "quiet", "failing", "gone", "disabled"]
    last_poll: datetime | None
    last_success: datetime | None
    next_poll: datetime | None
    #: items a day over the last 30 days
    items_per_day: float
    items: int
    last_item: datetime | None
    http_status: int | None
    error: PollError | None
    error_since: datetime | None
    error_count: int
    warnings: tuple[str, ...] = ()
    unstable_ids: bool = False
    #: where it is asked, if that is no longer the subscribed address
    moved_to: str | None = None
    #: items by day, oldest first, the last 30 days: for a sparkline
    daily: tuple[int, ...] = ()
    #: polls by day, likewise: all of them, and those among them that failed
    daily_polls: tuple[int, ...] = ()
    daily_failures: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats:
    """Sizes, for metrics and `status`."""

    sources: int
    entries: int
    items: int
    stories: int
    views: int
    likes: int
    size_bytes: int
    pending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a digest held when it was issued. It never changes afterwards."""

    #: the name of its ``[[feeds]]``
    feed: str
    #: the day on which it was due, in the time zone of the site: 2026-12-01
    period: str
    issued: datetime
    title: str
    #: its body, for feeds and mail
    html: str
    text: str
    #: the items in it, in their order; none: there was nothing to tell, and it is neither shown nor sent
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something about this installation that its readers or its operator should know, e.g. that the network is down."""

    #: stable: network-down, store-restored, store-replaced, second-daemon, polling-waits,
    #: digest-not-sent, too-many-items
    code: str
    #: one sentence for a person
    message: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What was published in some time and is shown, counted."""

    items: int = 0
    stories: int = 0
    #: by section: the stories in it
    stories_by_section: Mapping[str, int] = field(default_factory=dict)
    #: by source id: the items shown under its name
    items_by_source: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCounts:
    """Where the hits of a search stand; counted among the newest of them where there are very many."""

    items: int = 0
    #: there are more than were counted
    is_capped: bool = False
    by_section: Mapping[str, int] = field(default_factory=dict)
    #: by source id
    by_source: Mapping[int, int] = field(default_factory=dict)
