"""One list, ready to be rendered: the value from which feeds, pages and commands are all made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aggregator.model import Item

Kind = Literal["latest", "ranking", "recommended", "related", "search"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One item in its place."""

    item: Item
    score: float | None = None
    #: different readers within the listing's window; None where it counts none
    views: int | None = None
    #: short phrases for readers: ("6 sources", "41 readers today", "rising")
    reasons: tuple[str, ...] = ()
    #: items on the same subject, best first; filled in for feeds only (`Lists.with_related`)
    related: tuple[Item, ...] = ()


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
    #: the place behind which this part of a long list begins; "" for its beginning (`lists.places`)
    after: str = ""
    #: the place behind which the next part begins; "" where there is none
    next: str = ""
    places: tuple[Place, ...]
    window: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    basis: Literal["views", "signals", "mixed"] | None = None

    @property
    def updated(self) -> datetime | None:
        """When anything in it last changed, from its data alone; None if it is empty."""
        return max((place.item.updated for place in self.places), default=None)
