"""A list, ready to be rendered: the value from which feeds, pages and commands are made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from aggregator.model import Digest, Item, RelatedTier

#: stories: an entry is a story, told by one of its items · story: the reports of one story · digest: of one is an entry
Kind = Literal["latest", "ranking", "recommended", "related", "search", "stories", "story", "digest"]
#: a keyset cursor: (published, id) of the last item of the page before; the next page continues behind it
Cursor = tuple[datetime, str]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One item in its place."""

    item: Item
    score: float | None = None
    #: different readers within the listing's window; None where it counts none
    views: int | None = None
    #: short phrases for readers: ("6 sources", "41 readers today", "rising")
    reasons: tuple[str, ...] = ()
    #: its place in the same list at `Listing.compared_at`; None: it was not in it, or nothing was compared
    rank_before: int | None = None
    #: of related items: about the same subject, or alike at all
    tier: RelatedTier = "related"
    #: items on the same subject, best first; filled in for feeds only (`Lists.with_related`)
    related: tuple[Item, ...] = ()
    #: of its story, the newest item of each other source, newest first; filled in for pages only (`with_coverage`)
    others: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list in its order, saying what it holds, what it counted and over which time."""

    kind: Kind
    #: for people: "Most viewed today · World"
    title: str
    #: one sentence: what is listed, by what count, over which time
    description: str
    #: the feed's address on this site without its suffix: "/feeds/ranking-1d", "/section/world/latest"
    path: str
    #: what follows the suffix, percent-encoded: "q=climate"; "" for all but searches
    query: str = ""
    #: the token of the reader whose private list this is; "" for public lists
    reader: str = ""
    #: the page that shows the same list
    page: str
    #: the cursor behind which this part of a long list begins (`write_cursor`); "" for its beginning
    after: str = ""
    #: the place behind which the next part begins; "" where there is none
    next: str = ""
    places: tuple[Place, ...]
    window: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    #: the earlier moment at which `Place.rank_before` holds; None: movement is not known
    compared_at: datetime | None = None
    basis: Literal["views", "signals", "mixed"] | None = None
    #: what was issued, the newest first; of kind "digest" only
    digests: tuple[Digest, ...] = ()

    @property
    def updated(self) -> datetime | None:
        """When anything in it last changed, from its data alone; None if it is empty."""
        if self.kind == "digest":
            return max((digest.issued for digest in self.digests), default=None)
        return max((max(place.item.updated, place.item.first_seen) for place in self.places), default=None)


def cursor_of(item: Item) -> Cursor:
    """The cursor of the page that continues behind an item."""
    return item.published, item.id


def write_cursor(cursor: Cursor | None) -> str:
    """A cursor as it stands in an address (``1764590645000-4bqzr…``); "" for the beginning."""
    if cursor is None:
        return ""
    moment, item_id = cursor
    return f"{(moment - _EPOCH) // timedelta(milliseconds=1)}-{item_id}"


def read_cursor(text: str) -> Cursor | None:
    """The cursor that `write_cursor` wrote; None for anything else."""
    moment, _, item_id = text.partition("-")
    if not (moment.isdecimal() and moment.isascii() and len(moment) < 15 and item_id.isalnum()):
        return None
    return _EPOCH + timedelta(milliseconds=int(moment)), item_id
