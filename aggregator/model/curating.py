"""Values between the store and `curate`: what is compared, what was decided, what stands in a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Literal

from aggregator.model.documents import Upstream

#: latest: only of a reader, the newest items in their order
ListOrder = Literal["ranking", "recommended", "latest"]
#: related: about the same subject; more: alike at all, shown apart where places would stay empty
RelatedTier = Literal["related", "more"]
ListScope = Literal["site", "section", "language", "feed", "reader"]
#: views: counted readers only · signals: coverage, citations and upstream counts stand in · mixed: both
Basis = Literal["views", "signals", "mixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFeed:
    """One ``[[feeds]]`` table of config.toml: an output feed of the operator's own."""

    name: str
    title: str
    #: latest | ranking:<window> | recommended | related
    order: str = "latest"
    #: an expression of the match language (`curate.rules`); None: everything
    match: str | None = None
    size: int = 20
    max_per_source: int | None = None
    #: it is a digest, of whole days; None: it is the list as it is now
    every: timedelta | None = None
    #: when a digest is issued, in the time zone of the site
    at: time = time(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemText:
    """What comparing needs to know of an item."""

    item_id: str
    source_id: int
    source_name: str
    title: str
    #: plain text, first 2,000 characters of the summary or content
    text: str
    language: str | None
    #: clamped: never in the future
    published: datetime
    canonical_url: str | None
    #: canonical targets of the links it contains
    outlinks: tuple[str, ...] = ()
    #: the story it is in; None before it is curated
    story: str | None = None
    #: since when its id stands for something here; None: not known, who was decided first counts as the older
    first_seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Two items are the same article; the older id (`keep`) wins, the younger redirects to it."""

    keep: str
    absorb: str
    #: canonical-url | near-duplicate
    rule: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """An item that others were merged into because they were copies, and of whose texts one has been edited since."""

    item_id: str
    #: the items it was made of as they would be on their own, oldest first, those alone that still have their content;
    #: each under the id that it had
    parts: tuple[ItemText, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A merge is undone, for the texts show that it was wrong: what was absorbed is an item again, under its own id.

    Its entries return to it; views and likes stay where they were counted.
    """

    item_id: str
    restore: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryJoin:
    """An item stands in a story. A story's id is the id of the item that founded it, and no alias of another then."""

    item_id: str
    story: str
    #: what brought it there; empty: as before
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryMerge:
    """Two stories turned out to be one; the older id stays and the younger becomes an alias."""

    keep: str
    absorb: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedPair:
    """Two items about the same subject; symmetric."""

    item_id: str
    other_id: str
    #: 0…1
    score: float
    tier: RelatedTier = "related"


@dataclass(frozen=True, slots=True, kw_only=True)
class Curation:
    """What was decided about a batch of items; committed whole, and only then do they count as curated.

    Carried out in this order: splits, merges, merges of stories, joins, which say where items stand in the end.
    """

    curated: tuple[str, ...]
    #: doubted items that were looked at, whatever came of it
    settled: tuple[str, ...] = ()
    splits: tuple[Split, ...] = ()
    merges: tuple[Merge, ...] = ()
    story_merges: tuple[StoryMerge, ...] = ()
    joins: tuple[StoryJoin, ...] = ()
    related: tuple[RelatedPair, ...] = ()
    #: by curated item, its language without region: declared or detected; "": none that is known
    languages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What ranking and recommending need to know of an item. Counts are as of the moment asked for."""

    item_id: str
    story: str
    source_id: int
    #: names or slugs are not needed to decide; the section is, for the lists of a section
    section: str
    title: str
    language: str | None
    published: datetime
    first_seen: datetime
    #: distinct sources carrying the same item
    sources: int
    #: distinct sources carrying the story, syndicated copies counted once
    coverage: int
    #: distinct other sources that link to it: from their items, or, signal sources, as what an entry is about
    citations: int
    upstream: Upstream
    #: all views ever, and likes
    views: int
    likes: int
    weight: float = 1.0
    boost: float = 1.0
    #: pinned until then by a rule
    pinned_until: datetime | None = None
    #: items a day of its source, over the last 30 days
    source_rate: float = 1.0
    #: there is a picture to show beside it
    has_image: bool = False
    #: and a text to show below its title
    has_lead: bool = False
    #: how often it was shown to readers, each time weighted by its place
    impressions: float = 0.0
    #: further sections in whose lists it may stand
    more_sections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Whose candidates are followed (`CurationStore.candidate_changes`)."""

    #: how far back items are looked at: new within it, or viewed within it
    reach: timedelta
    #: of those that nobody has opened, so many of the newest; 0: all
    newest: int
    #: the windows in which readers are counted, by name
    windows: Mapping[str, timedelta]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCursor:
    """Up to where changes of the candidates are known; given back to ask for what has changed since."""

    population: Population
    at: datetime
    #: the last change that has been seen
    change: int
    #: (first seen, row) of the oldest of the newest
    floor: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateChanges:
    """What has changed of the candidates since a cursor: what is new, edited, opened; what has left a window."""

    cursor: ChangeCursor
    #: these are all there are: nothing that was known before counts
    whole: bool
    #: as they are now
    candidates: Sequence[Candidate]
    #: ids of items that are candidates no more, or never were
    gone: frozenset[str]
    #: ids of items, gone or not, of whose words, address, author, section or source any may have become another
    edited: frozenset[str]
    #: items a day of sources whose rate may have changed
    rates: Mapping[int, float]
    #: by window, the readers of items whose number may have changed: 0 for none
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKey:
    """Names one list that is computed and kept: its order, its window, and whose it is."""

    order: ListOrder
    #: 1h, 1d, 7d, 30d …; None where nothing is counted
    window: str | None = None
    scope: ListScope = "site"
    #: the section's name, the language, the feed's name, the reader's token; "" for the site
    name: str = ""

    def __str__(self) -> str:
        """One line that is unique: ``ranking:1d/section/World``."""
        order = f"{self.order}:{self.window}" if self.window else self.order
        return f"{order}/{self.scope}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One place in a list."""

    item_id: str
    score: float
    #: different readers within the list's window; None where the list counts none
    views: int | None = None
    #: its place in the same list at `ItemList.compared_at`; None: it was not in it, or nothing was compared
    rank_before: int | None = None
    #: short phrases for readers: ("6 sources", "41 readers today", "rising")
    reasons: tuple[str, ...] = ()
    #: the terms of the score, for `explain`
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemList:
    """A list in its order, with what it counted and over which time."""

    key: ListKey
    computed_at: datetime
    #: the time it looked at; both None for lists without a window
    since: datetime | None
    until: datetime | None
    basis: Basis
    places: tuple[Listed, ...]
    #: the earlier moment at which `Listed.rank_before` holds; None: movement is not known (only rankings by views)
    compared_at: datetime | None = None
