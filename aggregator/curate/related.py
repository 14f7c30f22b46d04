"""Alike? The items about the same subject, by CURATE.md 4. Pure.

A score is the cosine of the two texts, fading with the days between them. Below the floor there is nothing, which is
better than noise. Where sentence vectors are at hand (`Embeddings`), the best are reordered by both.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice

from aggregator.curate.embeddings import Embeddings
from aggregator.curate.inverted_index import Document, Hit, InvertedIndex, Probe
from aggregator.curate.text import WRITTEN_IN_PAIRS
from aggregator.model import RelatedPair, RelatedTier

__all__ = ["FLOOR", "LOOKS_BACK", "most_alike"]

#: how far back the search goes, and how fast likeness fades with the time between two items
LOOKS_BACK = timedelta(days=30)
#: below this there is nothing; while a language has few items its word counts tell little, and more is asked
FLOOR, FLOOR_YOUNG = 0.10, 0.12
YOUNG = 500
#: where pairs of characters stand for words, a text has more of them, and a likeness is less for it
FLOOR_PAIRS = 0.08
#: the second tier fills the places of a page that the first leaves empty, from this score on, from so many candidates
PLACES, FLOOR_MORE, FLOOR_MORE_PAIRS, COMPARED_MORE = 10, 0.03, 0.02, 30
PER_SOURCE = 2
#: pairs of one new item
MOST = 20
#: this many of the best candidates are compared exactly
COMPARED = 30
#: so many of the best by their words are put in a new order, in which words count this much and what is said the rest
REORDERED, BY_WORDS = 12, 0.6


def score(cosine: float, apart: timedelta) -> float:
    """Likeness faded by the time between the two items, 0…1."""
    return cosine * math.exp(-abs(apart) / LOOKS_BACK)


def floor_of(language: str, *, counted: int) -> float:
    """The least score in a language; `counted`: the items its word counts rest on."""
    if counted < YOUNG:
        return FLOOR_YOUNG
    return FLOOR_PAIRS if language in WRITTEN_IN_PAIRS else FLOOR


def most_alike(
    document: Document,
    probe: Probe,
    hits: Iterable[Hit],
    *,
    index: InvertedIndex,
    siblings: frozenset[str],
    embeddings: Embeddings | None = None,
    wider: Callable[[], Iterable[Hit]] | None = None,
) -> list[RelatedPair]:
    """The items most alike to this one, best first; `siblings` (its story, its copies) are left out.

    `wider`: a search that finds more, made only where places stay empty; what it adds is of the second tier.
    """
    floor = floor_of(document.language, counted=index.vocabulary.size(document.language))
    compared = [hit for hit in hits if hit.document.item_id not in siblings][:COMPARED]
    scored = [
        (score(cosine, document.published - hit.document.published), hit.document)
        for hit in compared
        if (cosine := index.cosine(probe, hit.document)) >= floor
    ]
    scored.sort(key=lambda pair: (-pair[0], pair[1].item_id))
    best = list(_of_many_sources(pair for pair in scored if pair[0] >= floor))
    if embeddings is not None:
        best = _rerank(document, best, embeddings)
    pairs = [_pair(document, other, value, "related") for value, other in best]
    if wider is not None and len(best) < PLACES:
        least = FLOOR_MORE_PAIRS if document.language in WRITTEN_IN_PAIRS else FLOOR_MORE
        known = siblings.union(other.item_id for _, other in best)
        more = [
            (value, hit.document)
            for hit in islice(wider(), COMPARED_MORE)
            if hit.document.item_id not in known
            and (value := score(index.cosine(probe, hit.document), document.published - hit.document.published))
            >= least
        ]
        more.sort(key=lambda pair: (-pair[0], pair[1].item_id))
        filling = islice(_of_many_sources(more), PLACES - len(best))
        pairs += [_pair(document, other, value, "more") for value, other in filling]
    return pairs


def _pair(document: Document, other: Document, value: float, tier: RelatedTier) -> RelatedPair:
    return RelatedPair(item_id=document.item_id, other_id=other.item_id, score=round(min(1.0, value), 4), tier=tier)


def _of_many_sources(scored: Iterable[tuple[float, Document]]) -> Iterator[tuple[float, Document]]:
    """The first MOST of them, PER_SOURCE of a source."""
    taken: Counter[int] = Counter()
    for value, other in scored:
        if sum(taken.values()) == MOST:
            return
        if taken[other.source_id] < PER_SOURCE:
            taken[other.source_id] += 1
            yield value, other


def _rerank(
    document: Document, best: Sequence[tuple[float, Document]], embeddings: Embeddings
) -> list[tuple[float, Document]]:
    """The first REORDERED in the order of words and meaning together; the others stay behind them."""
    mixed = []
    for value, other in best[:REORDERED]:
        said = embeddings.likeness(document.item_id, other.item_id)
        if said is None:
            mixed.append((value, other))
        else:
            faded = score(said, document.published - other.published)
            mixed.append((BY_WORDS * value + (1.0 - BY_WORDS) * faded, other))
    mixed.sort(key=lambda pair: (-pair[0], pair[1].item_id))
    return [*mixed, *best[REORDERED:]]
