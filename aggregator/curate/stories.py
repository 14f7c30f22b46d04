"""The same event? Centroid clustering in the order of time, by CURATE.md 3. Pure; knows words only as weighted terms.

A story is the items that stand in it and the 32 heaviest terms of their sum. Its id is the id of the item that
founded it and stays for good: when two stories turn out to be one, the younger becomes an alias of the older.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aggregator.curate.index import Document

__all__ = ["ALIVE", "Fit", "Stories", "Story"]

#: an item this far from all others of a story is not part of it
ALIVE = timedelta(hours=48)
#: after a day of silence about a story it takes this much more to join it
SILENCE = timedelta(hours=24)
AFTER_SILENCE = 0.10
#: that many rare terms have to be shared with a member
SHARED_TERMS = 2
#: an item that fits two stories this well, which fit each other this well, shows that they are one
UNITE = 0.5
#: a centroid keeps its heaviest terms
CENTROID_TERMS = 32


#: the least cosine with a story: at this many items in the air it is JOIN, for each doubling it is a step more
JOIN, JOIN_AT, JOIN_STEP = 0.16, 16, 0.015
JOIN_MOST = 0.32
#: while a language has fewer items than this its word counts tell little, and the least cosine is higher
YOUNG, JOIN_YOUNG = 200, 0.25


def join_from(*, alive: int, counted: int) -> float:
    """The cosine from which an item joins a story.

    The more items there are within the 48 hours, the likelier is a likeness by chance, so the floor rises with the
    logarithm of their number; a quarter fits a thousand. `counted`: the items the word counts rest on.
    """
    floor = min(JOIN_MOST, JOIN + JOIN_STEP * math.log2(max(alive, JOIN_AT) / JOIN_AT))
    return max(floor, JOIN_YOUNG) if counted < YOUNG else floor


@dataclass(slots=True, kw_only=True, eq=False)
class Story:
    """Items about one event."""

    id: str
    #: order of founding: the lower is the older
    rank: int
    first: datetime
    last: datetime
    members: list[Document] = field(default_factory=list)
    #: the sum of the members' vectors, cut to its heaviest terms, and its length; arrays, for there are many stories
    terms: array[int] = field(default_factory=lambda: array("I"))
    weights: array[float] = field(default_factory=lambda: array("f"))
    length: float = 0.0

    def cosine(self, vector: Mapping[int, float]) -> float:
        """How alike a unit vector and the centroid are, 0…1."""
        get = vector.get
        dot = sum(weight * other for term, weight in zip(self.terms, self.weights, strict=True) if (other := get(term)))
        return dot / self.length if self.length else 0.0

    @property
    def total(self) -> dict[int, float]:
        """The centroid, not of unit length."""
        return dict(zip(self.terms, self.weights, strict=True))

    @property
    def ids(self) -> frozenset[str]:
        """The items that stand in it."""
        return frozenset(member.item_id for member in self.members)

    def near(self, moment: datetime) -> bool:
        """It was alive within 48 h of this moment."""
        return self.first - ALIVE <= moment <= self.last + ALIVE

    def silent(self, moment: datetime) -> bool:
        """Nothing stood in it within a day of this moment."""
        return not self.first - SILENCE <= moment <= self.last + SILENCE

    def holds_series_of(self, document: Document) -> bool:
        """A member is another issue of the same series of the same source (same title but for its numbers)."""
        return any(
            member.series == document.series and member.source_id == document.source_id for member in self.members
        )

    def take(self, document: Document, vector: Mapping[int, float]) -> None:
        """One more member."""
        self.members.append(document)
        self.first, self.last = min(self.first, document.published), max(self.last, document.published)
        self.lean(vector)

    def lean(self, vector: Mapping[int, float]) -> None:
        """Moves the centroid by this vector."""
        total = self.total
        for term, weight in vector.items():
            total[term] = total.get(term, 0.0) + weight
        heaviest = sorted(total, key=lambda term: (-total[term], term))[:CENTROID_TERMS]
        self.terms = array("I", heaviest)
        self.weights = array("f", [total[term] for term in heaviest])
        self.length = math.sqrt(sum(weight * weight for weight in self.weights))

    def rest(self) -> None:
        """Nothing can join it any more: its centroid is let go of."""
        self.terms, self.weights, self.length = array("I"), array("f"), 0.0


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

    def __init__(self) -> None:
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

    def put(self, story: str, document: Document, vector: Mapping[int, float]) -> Story:
        """The document stands in this story, which is founded if it is not known."""
        held = self._stories.get(story)
        if held is None:
            moment = document.published
            held = self._stories[story] = Story(id=story, rank=self._founded, first=moment, last=moment)
            self._founded += 1
        held.take(document, vector)
        self._of[document.item_id] = held
        return held

    def fits(
        self,
        document: Document,
        vector: Mapping[int, float],
        near: Iterable[tuple[Document, int]],
        *,
        join: float,
    ) -> list[Fit]:
        """The stories it could join, best first.

        `near`: documents with the number of rare terms they share with it; `join`: the least cosine (`join_from`).
        """
        shared: dict[Story, int] = {}
        for other, terms in near:
            story = self._of.get(other.item_id)
            if story is not None and terms >= SHARED_TERMS:
                shared[story] = max(shared.get(story, 0), terms)
        moment = document.published
        fits = [
            Fit(story=story, cosine=story.cosine(vector), shared=terms)
            for story, terms in shared.items()
            if story.near(moment)
        ]
        good = [
            fit
            for fit in fits
            if fit.cosine >= join + AFTER_SILENCE * fit.story.silent(moment) and not fit.story.holds_series_of(document)
        ]
        return sorted(good, key=lambda fit: (-fit.cosine, fit.story.rank))

    def unites(self, best: Fit, other: Fit) -> bool:
        """The item that fits both shows that they are one story: it fits both well, and they fit each other."""
        if min(best.cosine, other.cosine) < UNITE or not best.story.length:
            return False
        one, two = best.story, other.story
        if any(two.holds_series_of(member) for member in one.members):
            return False
        return two.cosine(one.total) / one.length >= UNITE

    def unite(self, one: Story, two: Story) -> tuple[Story, Story]:
        """(kept, absorbed): the older takes over the members of the younger."""
        kept, gone = (one, two) if one.rank < two.rank else (two, one)
        for document in gone.members:
            kept.members.append(document)
            self._of[document.item_id] = kept
        kept.first, kept.last = min(kept.first, gone.first), max(kept.last, gone.last)
        kept.lean(gone.total)
        del self._stories[gone.id]
        return kept, gone

    def leave(self, item_id: str) -> None:
        """An item is gone (merged, or too old to matter); a story without members is let go of."""
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
