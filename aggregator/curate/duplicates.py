"""The syndicated copy: is another source's item the same text? Pure; by CURATE.md 3, precision before all.

A wrong merge hides an article; a missed one shows it twice. So whatever is doubtful is not a copy: short texts with
the same everyday title, the next issue of a series, texts whose figures differ.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from aggregator.curate.index import Document

__all__ = ["COPIED_WITHIN", "DUPLICATE", "SHARED_TERMS", "Likeness", "likeness"]

#: copies of an agency story appear within days
COPIED_WITHIN = timedelta(days=7)
#: only items that share this many rare terms are compared at all
SHARED_TERMS = 3
#: from here on it is a copy
DUPLICATE = 0.65
#: a lead of fewer words than this proves nothing
LEAD_WORDS = 6
#: under another title a lead has to be this long: a shorter one may be what many sites say under many titles
OTHER_TITLE, OTHER_TITLE_WORDS = 0.15, 20
#: without a lead: how alike the titles must be in words and in their order, how long, and how close in time.
#: Stricter than for texts: two newsrooms do write the same headline over articles of their own
TITLE_LIKENESS = 0.85
TITLE_ORDER = 0.6
TITLE_WORDS = 6
TITLE_WITHIN = timedelta(hours=36)
#: what a difference of the numbers takes off
NUMBERS_DIFFER = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How alike two texts are, and the figures it follows from."""

    score: float
    figures: Mapping[str, float]

    @property
    def is_copy(self) -> bool:
        """One of the two is a copy of the other."""
        return self.score >= DUPLICATE


def likeness(one: Document, other: Document) -> Likeness:
    """How alike the texts of two items are, 0…1; the caller sees to language, source and time."""
    titles = jaccard(set(one.title), set(other.title))
    same_numbers = _agree(one, other)
    shorter = min(len(one.pairs), len(other.pairs)) + 1
    if shorter < LEAD_WORDS or (titles < OTHER_TITLE and shorter < OTHER_TITLE_WORDS):
        return _by_title(one, other, titles, same_numbers)
    contained = containment(one.pairs, other.pairs)
    score = contained * (0.7 + 0.3 * titles) * (1.0 if same_numbers else NUMBERS_DIFFER)
    figures = {"containment": contained, "titles": titles, "same_numbers": float(same_numbers), "score": score}
    return Likeness(score=score, figures={name: round(value, 3) for name, value in figures.items()})


def _by_title(one: Document, other: Document, titles: float, same_numbers: bool) -> Likeness:
    """Without two leads to compare only long titles count that say the same in the same order and at the same time."""
    order = jaccard(set(pairwise(one.title)), set(pairwise(other.title)))
    proven = (
        same_numbers
        and min(len(one.title), len(other.title)) >= TITLE_WORDS
        and titles >= TITLE_LIKENESS
        and order >= TITLE_ORDER
        and abs(one.published - other.published) <= TITLE_WITHIN
    )
    score = titles if proven else 0.0
    return Likeness(
        score=score, figures={"titles": round(titles, 3), "order": round(order, 3), "score": round(score, 3)}
    )


def jaccard(one: Collection[object], other: Collection[object]) -> float:
    """The share of what both hold in what either holds."""
    first, second = set(one), set(other)
    union = len(first | second)
    return len(first & second) / union if union else 0.0


def containment(one: Collection[int], other: Collection[int]) -> float:
    """How much of the shorter text's word pairs stands in the longer."""
    shorter, longer = sorted((set(one), set(other)), key=len)
    return len(shorter & longer) / len(shorter) if shorter else 0.0


def _agree(one: Document, other: Document) -> bool:
    """The titles name the same numbers, and all numbers of one text stand in the other.

    One text may be the cut version of the other; a different death toll, score or version makes it another text.
    """
    return one.title_numbers == other.title_numbers and (one.numbers <= other.numbers or other.numbers <= one.numbers)
