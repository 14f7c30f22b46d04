"""Alike? The items about the same subject, by CURATE.md 4. Pure.

A score is the cosine of the two texts, fading with the days between them. Below the floor there is nothing, which is
better than noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta

from aggregator.curate.document import Document
from aggregator.curate.index import Hit, Index, Probe
from aggregator.model import RelatedPair

__all__ = ["FLOOR", "LOOKS_BACK", "most_alike"]

#: how far back the search goes, and how fast likeness fades with the time between two items
LOOKS_BACK = timedelta(days=30)
#: below this there is nothing; while a language has few items its word counts tell little, and more is asked
FLOOR, FLOOR_YOUNG = 0.08, 0.12
YOUNG = 500
PER_SOURCE = 2
#: pairs of one new item
MOST = 20
#: this many of the best candidates are compared exactly
COMPARED = 40


def score(cosine: float, apart: timedelta) -> float:
    """Likeness faded by the time between the two items, 0…1."""
    return cosine * math.exp(-abs(apart) / LOOKS_BACK)


def most_alike(
    document: Document,
    probe: Probe,
    hits: Iterable[Hit],
    *,
    index: Index,
    siblings: frozenset[str],
) -> list[RelatedPair]:
    """The items most alike to this one, best first; `siblings` (its story, its copies) are left out."""
    floor = FLOOR if index.lexicon.size(document.language) >= YOUNG else FLOOR_YOUNG
    compared = [hit for hit in hits if hit.document.item_id not in siblings][:COMPARED]
    scored = [
        (score(cosine, document.published - hit.document.published), hit.document)
        for hit in compared
        if (cosine := index.cosine(probe, hit.document)) >= floor
    ]
    scored.sort(key=lambda pair: (-pair[0], pair[1].item_id))
    taken: dict[int, int] = {}
    pairs: list[RelatedPair] = []
    for value, other in scored:
        if value < floor or len(pairs) == MOST:
            break
        if taken.get(other.source_id, 0) < PER_SOURCE:
            taken[other.source_id] = taken.get(other.source_id, 0) + 1
            pairs.append(RelatedPair(item_id=document.item_id, other_id=other.item_id, score=round(min(1.0, value), 4)))
    return pairs
