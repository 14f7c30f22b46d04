"""What one reader likes to read, learnt from what they opened through their own feed address (CURATE.md 5). Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aggregator.model import ItemText

__all__ = ["LIKENESS_MOST", "Profile", "Vector", "dot", "learn"]

#: the terms of a text by weight
Vector = Mapping[int, float]
#: what was opened a week ago counts half
HALF_LIFE = timedelta(days=7)
#: a taste is so many terms …
TERMS = 64
#: … that recur in what was opened: the words of one story tell of that story alone
RECURS = 2
#: below so many openings there is no taste to speak of
READS = 5
#: an item is at most so much more like what was opened than what was opened is among itself
LIKENESS_MOST = 2.0
#: … and openings are taken to be at least this alike, lest chance be taken for likeness
LEAST_TYPICAL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A reader's taste."""

    #: unit vector of the heaviest terms
    terms: Mapping[int, float] = field(default_factory=dict)
    #: 0…1 by source: 1 for the one opened most
    sources: Mapping[int, float] = field(default_factory=dict)
    #: the stories that were opened
    stories: frozenset[str] = frozenset()
    reads: int = 0
    #: the usual cosine of these terms and one opened item, as the others' terms would have it
    typical: float = 1.0

    @property
    def speaks(self) -> bool:
        """Enough has been read to go by it."""
        return self.reads >= READS

    def likes(self, vector: Vector) -> float:
        """How alike a text and what was opened are: 1 for as alike as that is among itself, 0 for not at all."""
        return min(LIKENESS_MOST, dot(self.terms, vector) / self.typical)


def learn(
    opened: Iterable[tuple[ItemText, datetime]], *, weigh: Callable[[ItemText], Vector], now: datetime
) -> Profile:
    """The taste that shows in what was opened; `weigh` gives the terms of a text."""
    read = [(item, weigh(item), 0.5 ** max(0.0, (now - at) / HALF_LIFE)) for item, at in opened]
    sources: dict[int, float] = defaultdict(float)
    for item, _, worth in read:
        sources[item.source_id] += worth
    most = max(sources.values(), default=1.0)
    told = _told(read)
    total: dict[int, float] = defaultdict(float)
    for _, vector, worth in read:
        for term, weight in vector.items():
            total[term] += worth * weight
    recurring = {term: weight for term, weight in total.items() if told[term] >= RECURS}
    terms = _unit(recurring or total)
    return Profile(
        terms=terms,
        sources={source: worth / most for source, worth in sources.items()},
        stories=frozenset(item.story or item.item_id for item, _, _ in read),
        reads=len(read),
        typical=max(LEAST_TYPICAL, _typical(terms, read)),
    )


_Read = Sequence[tuple[ItemText, Vector, float]]


def _told(read: _Read) -> Counter[int]:
    """In how many stories each term stands."""
    stories: dict[str, set[int]] = defaultdict(set)
    for item, vector, _ in read:
        stories[item.story or item.item_id].update(vector)
    return Counter(term for words in stories.values() for term in words)


def _typical(terms: Vector, read: _Read) -> float:
    worths = sum(worth for _, _, worth in read)
    return sum(worth * dot(terms, vector) for _, vector, worth in read) / worths if worths else 1.0


def _unit(total: Mapping[int, float]) -> dict[int, float]:
    heaviest = sorted(total, key=lambda term: (-total[term], term))[:TERMS]
    length = math.sqrt(sum(total[term] ** 2 for term in heaviest))
    return {term: total[term] / length for term in heaviest} if length else {}


def dot(one: Vector, other: Vector) -> float:
    """The cosine of two unit vectors, 0…1."""
    if len(one) > len(other):
        one, other = other, one
    return sum(weight * other[term] for term, weight in one.items() if term in other)
