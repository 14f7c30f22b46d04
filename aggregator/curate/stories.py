"""The same event? Centroid clustering in the order of time, by CURATE.md 3. Pure; knows words only as weighted terms.

A story is the items that stand in it and the heaviest terms of their sum; one of a single item is as good as that
item. Its id is the id of the item that founded it and stays for good: when two stories turn out to be one, the
younger becomes an alias of the older.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import repeat
from operator import mul

from aggregator.curate.duplicates import Likeness
from aggregator.curate.inverted_index import NOTHING, Document, InvertedIndex, Probe
from aggregator.curate.templates import is_same_template
from aggregator.curate.thresholds import Thresholds
from aggregator.model import Curation, ItemText, Merge, RelatedPair, StoryJoin, StoryMerge

__all__ = ["CurationBuilder", "Fit", "Stories", "Story"]

NO_WEIGHTS = array("f")

DAY = timedelta(days=1)
#: after a day of silence about a story it takes this much more to join it
SILENCE = timedelta(hours=24)
AFTER_SILENCE = 0.10
#: a story ends: for each day of its life beyond LIFE it takes this much more to join, and of more than FEW members one
#: of the last RECENT has to be as alike as joining takes
LIFE, PER_DAY = timedelta(days=2), 0.02
FEW, RECENT, LOOKED_AT = 3, timedelta(hours=48), 24
#: that many rare terms have to be shared with a member
SHARED_TERMS = 2
#: an item that fits two stories this well shows that they are one, if they fit each other this well; as the other
#: cosines here with the usual `Thresholds.similarity`
FITS_BOTH, UNITE = 0.3, 0.4
#: weights below this are what rounding leaves
TINY = 1e-6
#: a centroid keeps its heaviest terms (B³ on ECB+ .83 with 32, .85 with 48, no better with 64)
CENTROID_TERMS = 48

#: the least cosine with a story: at this many items in the air it is JOIN, for each doubling it is a step more, for
#: each halving down to ALIVE_LEAST a step less (B³ of a site of 30 items a year .935 with 16 as the least, .947 with 4;
#: of H11 .897, .899; with 2 unrelated items join at a site of one a day)
JOIN, JOIN_AT, JOIN_STEP = 0.17, 16, 0.012
JOIN_MOST, ALIVE_LEAST = 0.32, 4
#: while a language has fewer items than this its word counts tell little, and the least cosine is higher
YOUNG, JOIN_YOUNG = 200, 0.25


def join_from(*, alive: int, counted: int, strictness: float = 1.0) -> float:
    """The cosine from which an item joins a story.

    The more items there are within the window, the likelier is a likeness by chance, so the floor rises with the
    logarithm of their number; a quarter fits a thousand. `counted`: the items the word counts rest on.
    """
    floor = min(JOIN_MOST, JOIN + JOIN_STEP * math.log2(max(alive, ALIVE_LEAST) / JOIN_AT))
    return strictness * (max(floor, JOIN_YOUNG) if counted < YOUNG else floor)


@dataclass(slots=True, kw_only=True, eq=False)
class Story:
    """Items about one event."""

    id: str
    #: order of founding: the lower is the older
    rank: int
    first: datetime
    last: datetime
    members: list[Document] = field(default_factory=list)
    #: the sum of the members' vectors, cut to its heaviest terms, and its length; empty while there is one member
    terms: array[int] = field(default_factory=lambda: NOTHING)
    weights: array[float] = field(default_factory=lambda: NO_WEIGHTS)
    length: float = 0.0

    def cosine(self, vector: Mapping[int, float]) -> float:
        """How alike a unit vector and the centroid are, 0…1."""
        shared = map(vector.get, self.terms, repeat(0.0))
        return float(sum(map(mul, self.weights, shared))) / self.length if self.length else 0.0

    @property
    def total(self) -> dict[int, float]:
        """The centroid, not of unit length."""
        return dict(zip(self.terms, self.weights, strict=True))

    @property
    def ids(self) -> frozenset[str]:
        """The items that stand in it."""
        return frozenset(member.item_id for member in self.members)

    def near(self, moment: datetime, window: timedelta) -> bool:
        """It was alive within so long of this moment."""
        return self.first - window <= moment <= self.last + window

    @property
    def comparable(self) -> bool:
        """What is told of it tells how well an item fits; of what ended long ago only the items are known."""
        return bool(self.length) or len(self.members) == 1

    def silent(self, moment: datetime) -> bool:
        """Nothing stood in it within a day of this moment."""
        return not self.first - SILENCE <= moment <= self.last + SILENCE

    def holds_series_of(self, document: Document) -> bool:
        """A member is another issue of the same series of the same source (same title but for its numbers)."""
        return any(
            member.series == document.series and member.source_id == document.source_id for member in self.members
        )

    def take(self, document: Document) -> None:
        """One more member; the centroid stays (`lean`)."""
        self.members.append(document)
        self.first, self.last = min(self.first, document.published), max(self.last, document.published)

    def lean(self, *vectors: Mapping[int, float]) -> None:
        """Moves the centroid by these vectors."""
        total = self.total
        for vector in vectors:
            for term, weight in vector.items():
                total[term] = total.get(term, 0.0) + weight
        heaviest = sorted(total, key=lambda term: (-total[term], term))[:CENTROID_TERMS]
        self.terms = array("I", heaviest)
        self.weights = array("f", [total[term] for term in heaviest])
        self.length = math.hypot(*self.weights)

    def lose(self, document: Document, vector: Mapping[int, float]) -> None:
        """The opposite of taking and leaning: one member less, and its vector no longer counts."""
        self.members = [member for member in self.members if member is not document]
        if self.members:
            published = [member.published for member in self.members]
            self.first, self.last = min(published), max(published)
        if len(self.members) < 2:
            self.rest()
        elif self.length:
            left = self.without(vector)
            self.terms, self.weights = NOTHING, NO_WEIGHTS
            self.lean(left)

    def without(self, vector: Mapping[int, float]) -> dict[int, float]:
        """The centroid as it would be if that vector had not moved it, not of unit length."""
        return {term: left for term, weight in self.total.items() if (left := weight - vector.get(term, 0.0)) > TINY}

    def rest(self) -> None:
        """Nothing can join it any more: its centroid is let go of."""
        self.terms, self.weights, self.length = NOTHING, NO_WEIGHTS, 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How well an item fits a story."""

    story: Story
    cosine: float
    #: the most rare terms shared with one member
    shared: int

    @property
    def figures(self) -> dict[str, float]:
        """For `explain`."""
        return {"cosine": round(self.cosine, 3), "shared_terms": float(self.shared), "items": len(self.story.members)}


class Stories:
    """All stories that have a member in the index."""

    def __init__(self, index: InvertedIndex) -> None:
        self.thresholds = Thresholds()
        self._index = index
        self._stories: dict[str, Story] = {}
        self._of: dict[str, Story] = {}
        self._founded = 0

    def __len__(self) -> int:
        """How many stories are held."""
        return len(self._stories)

    def __iter__(self) -> Iterator[Story]:
        """All stories, in no promised order."""
        return iter(self._stories.values())

    def get(self, story: str) -> Story | None:
        """The story with this id, if it is held."""
        return self._stories.get(story)

    def of(self, item_id: str) -> Story | None:
        """The story an item stands in."""
        return self._of.get(item_id)

    def put(self, story: str, document: Document) -> Story:
        """The document stands in this story, which is founded if it is not known."""
        held = self._stories.get(story)
        if held is None:
            moment = document.published
            held = self._stories[story] = Story(id=story, rank=self._founded, first=moment, last=moment)
            self._founded += 1
        elif held.length:
            held.lean(self._index.vector(document))
        else:
            held.lean(*map(self._index.vector, [*held.members, document]))
        held.take(document)
        self._of[document.item_id] = held
        return held

    def fits(self, document: Document, probe: Probe, near: Iterable[tuple[Document, int]], *, join: float) -> list[Fit]:
        """The stories it could join, best first.

        `near`: documents with the number of rare terms they share with it; `join`: the least cosine (`join_from`).
        """
        shared: dict[str, int] = {}
        for other, terms in near:
            story = self._of.get(other.item_id)
            if story is not None and terms >= SHARED_TERMS:
                shared[story.id] = max(shared.get(story.id, 0), terms)
        moment, window = document.published, self.thresholds.window
        alive = {story: terms for name, terms in shared.items() if (story := self._stories[name]).near(moment, window)}
        found = [self.fits_one(story, document, self.fit(story, probe), n, join=join) for story, n in alive.items()]
        return sorted(filter(None, found), key=lambda fit: (-fit.cosine, fit.story.rank))

    def fits_one(self, story: Story, document: Document, cosine: float, shared: int, *, join: float) -> Fit | None:
        """How well it fits this story, if it may join it. `cosine`: with the story."""
        moment = document.published
        join += PER_DAY * max(0.0, (max(moment, story.last) - min(moment, story.first) - LIFE) / DAY)
        if shared < SHARED_TERMS or cosine < join + AFTER_SILENCE * story.silent(moment):
            return None
        if not story.near(moment, self.thresholds.window) or story.holds_series_of(document):
            return None
        if len(story.members) > FEW and not self._is_like_a_member(story, document, join):
            return None
        if self._fills_in_a_template_of(story, document, join):
            return None
        return Fit(story=story, cosine=cosine, shared=shared)

    def _is_like_a_member(self, story: Story, document: Document, least: float) -> bool:
        """One of its newest members of about that time is that much like it."""
        probe = self._index.probe(document)
        recent = (m for m in story.members[-LOOKED_AT:] if abs(m.published - document.published) <= RECENT)
        return any(self._index.cosine(probe, member) >= least for member in recent)

    def _fills_in_a_template_of(self, story: Story, document: Document, least: float) -> bool:
        """The document and the story are alike by a template only, which each fills in differently."""
        is_common = partial(self._index.vocabulary.is_common, document.language)
        recent = story.members[-LOOKED_AT:]
        others = [member for member in recent if not is_same_template(document, member, is_common=is_common)]
        if len(others) == len(recent):
            return False
        probe = self._index.probe(document)
        return not any(self._index.cosine(probe, member) >= least for member in others)

    def probe(self, story: Story) -> Probe:
        """Its centroid, ready for being compared with many items."""
        total, length = self._centroid(story)
        vector = {term: weight / length for term, weight in total.items()}
        return self._index.probe_of(vector, story.members[0].language)

    def fit(self, story: Story, probe: Probe) -> float:
        """The cosine of an item with a story that it does not stand in."""
        if story.length:
            return story.cosine(probe.vector)
        return self._index.cosine(probe, story.members[0])

    def fit_without(self, story: Story, document: Document, probe: Probe) -> float:
        """The cosine of a member with the others; 0 where there are none."""
        others = [member for member in story.members if member is not document]
        if len(others) < 2:
            return self._index.cosine(probe, others[0]) if others else 0.0
        left = story.without(probe.vector)
        length = math.hypot(*left.values())
        return sum(weight * left.get(term, 0.0) for term, weight in probe.vector.items()) / length if length else 0.0

    def _centroid(self, story: Story) -> tuple[dict[int, float], float]:
        """The sum of its members' vectors and its length."""
        return (story.total, story.length) if story.length else (self._index.vector(story.members[0]), 1.0)

    def unites(self, best: Fit, other: Fit) -> bool:
        """The item that fits both shows that they are one story: it fits both well, and they fit each other."""
        well = min(best.cosine, other.cosine) >= FITS_BOTH * self.thresholds.strictness
        return well and self.alike(best.story, other.story)

    def alike(self, one: Story, two: Story) -> bool:
        """As much as stories are that are one."""
        if any(two.holds_series_of(member) for member in one.members):
            return False
        (first, length), (second, other_length) = self._centroid(one), self._centroid(two)
        dot = sum(weight * second.get(term, 0.0) for term, weight in first.items())
        return dot / (length * other_length) >= UNITE * self.thresholds.strictness

    def unite(self, one: Story, two: Story) -> tuple[Story, Story]:
        """(kept, absorbed): the older takes over the members of the younger."""
        kept, gone = (one, two) if one.rank < two.rank else (two, one)
        vectors = [self._centroid(story)[0] for story in (kept, gone) if story is gone or not story.length]
        kept.lean(*vectors)
        for document in gone.members:
            kept.take(document)
            self._of[document.item_id] = kept
        del self._stories[gone.id]
        return kept, gone

    def take_out(self, document: Document) -> None:
        """An item stands in its story no more, which goes on as if it never had; one without members is let go of."""
        story = self._of.pop(document.item_id, None)
        if story is not None:
            story.lose(document, self._index.vector(document))
            if not story.members:
                self._stories.pop(story.id, None)

    def rename(self, story: Story, new: str) -> None:
        """From now on it goes by this id."""
        del self._stories[story.id]
        story.id = new
        self._stories[new] = story

    def leave(self, item_id: str) -> None:
        """An item is too old to matter; a story without members is let go of."""
        story = self._of.pop(item_id, None)
        if story is not None:
            story.members = [member for member in story.members if member.item_id != item_id]
            if not story.members:
                self._stories.pop(story.id, None)

    def rest(self, before: datetime) -> None:
        """Stories that ended before then are only remembered, not compared any more."""
        for story in self._stories.values():
            if story.last < before and story.length:
                story.rest()


@dataclass(slots=True)
class CurationBuilder:
    """Collects decisions; `curation` is what they come to."""

    merges: list[Merge] = field(default_factory=list)
    story_merges: list[StoryMerge] = field(default_factory=list)
    related: list[RelatedPair] = field(default_factory=list)
    #: by item, its language without region
    languages: Mapping[str, str] = field(default_factory=dict)
    #: by item, the figures of its place in a story
    _joins: dict[str, Mapping[str, float]] = field(default_factory=dict)
    #: by id of a story, the one in which its items stand now
    _moved: dict[str, str] = field(default_factory=dict)
    #: ids of stories that began as a part of another
    _parted: set[str] = field(default_factory=set)

    def merge(self, *, keep: Document, absorb: Document, found: Likeness) -> None:
        """Two items are one."""
        self.merges.append(
            Merge(keep=keep.item_id, absorb=absorb.item_id, rule="near-duplicate", figures=found.figures)
        )
        self._joins.pop(absorb.item_id, None)

    def join(self, item_id: str, figures: Mapping[str, float] | None = None) -> None:
        """An item stands in a story, which one will be seen in the end; without figures those stay that brought it."""
        self._joins[item_id] = figures or {}

    def merge_stories(self, *, keep: Story, absorb: str, figures: Mapping[str, float]) -> None:
        """A story is an alias from now on.

        Of a story that was parted from another in this batch nobody knows yet: its items are told of one by one.
        """
        if keep.id == absorb:
            return
        self._moved.setdefault(absorb, keep.id)
        if self._parted.isdisjoint({keep.id, absorb}):
            self.story_merges.append(StoryMerge(keep=keep.id, absorb=absorb, figures=figures))
        else:
            self.part(keep)

    def part(self, story: Story) -> None:
        """All its items are told of: it was parted from another, or joined one that was."""
        self._parted.add(story.id)
        for member in story.members:
            if member.item_id not in self._joins:
                self.join(member.item_id)

    def renamed(self, story: str, new: str) -> None:
        """The items of a story go on under another id; its own follows the item that founded it."""
        self._moved[story] = new

    def present(self, document: Document, story: str | None) -> str | None:
        """The story that goes on where this one, in which the item stood when the batch began, has gone."""
        seen = {story}
        while story is not None and (new := self._moved.get(story, story)) not in seen:
            self.join(document.item_id)
            seen.add(new)
            story = new
        return story

    def curation(self, batch: Sequence[ItemText], stories: Stories) -> Curation:
        """A merge settles the item that is absorbed: its id means the other one from now on."""
        absorbed = {merge.absorb for merge in self.merges}
        placed = {item_id: own.id for item_id in self._joins if (own := stories.of(item_id)) is not None}
        return Curation(
            curated=tuple(item.item_id for item in batch if item.item_id not in absorbed),
            merges=tuple(self.merges),
            story_merges=tuple(self.story_merges),
            joins=tuple(
                StoryJoin(item_id=item_id, story=story, figures=self._joins[item_id])
                for item_id, story in placed.items()
            ),
            related=tuple(self.related),
            languages=self.languages,
        )
