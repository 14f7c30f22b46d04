"""The syndicated copy: is another source's item the same text? Pure; by CURATE.md 3, precision before all.

A wrong merge hides an article; a missed one shows it twice. So whatever is doubtful is not a copy: short texts with
the same everyday title, the next issue of a series, texts whose figures differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

from aggregator.curate.inverted_index import Document
from aggregator.curate.overlap import containment, jaccard
from aggregator.curate.templates import (
    LEAD_WORDS,
    LONG,
    IsCommon,
    fills_in,
    has_words_exchanged,
    is_rewritten,
    titles_contradict,
)
from aggregator.curate.thresholds import DUPLICATE

__all__ = [
    "COPIED_WITHIN",
    "SHARED_TERMS",
    "Likeness",
    "Series",
    "cannot_be",
    "likeness",
    "still_alike",
]

#: copies of an agency story appear within days
COPIED_WITHIN = timedelta(days=7)
#: only items that share this many rare terms are compared at all
SHARED_TERMS = 3
#: what was merged stays so as long as it is as alike as this share of what merging takes: an outlet may correct a
#: figure and rewrite the headline of the same text, and nothing flaps
STAYS = 0.8
#: what a difference of the numbers takes off then: somebody has corrected a figure, which among strangers is a warning
NUMBERS_CORRECTED = 0.75
#: and where there is too little text to show anything, as long as the titles are this much alike
TITLE_STAYS = 0.3
#: the more word pairs the shorter text has, the less of it can be in the other by chance: what its containment weighs
#: rises from SHORT to LONG, and what is enough falls by LONG_LESS at VERY_LONG (BBC: other articles reach .51)
SHORT, VERY_LONG = 20, 300
SHORT_WEIGHT, TITLE_WEIGHT = 0.7, 0.3
LONG_LESS = 0.08
#: in a long text this share of the shorter's numbers may be other ones: a figure was corrected, one was added
OTHER_NUMBERS, REWRITTEN_NUMBERS = 0.125, 0.25
#: under another title a lead has to be this long: a shorter one may be what many sites say under many titles
OTHER_TITLE, OTHER_TITLE_WORDS = 0.15, 20
#: without a lead: how alike the titles must be in words and in their order, how long, and how close in time.
#: Stricter than for texts: two newsrooms do write the same headline over articles of their own
TITLE_LIKENESS = 0.85
TITLE_ORDER = 0.6
TITLE_WORDS = 6
#: of which so many are no function words
TITLE_TELLING = 5
TITLE_WITHIN = timedelta(hours=36)
#: what a difference of the numbers takes off
NUMBERS_DIFFER = 0.6
#: and what a template takes off that was filled in
FILLED_IN = 0.6
#: above a text that was rewritten the same title takes this much off what is enough, if it is of so many words
SAME_TITLE_LESS, SAME_TITLE_WORDS = 0.05, 4
#: and what an exchange of some words of the title takes off, as in "Stocks close higher" and "Stocks close lower": so
#: are templates filled in; who rewrites a headline does not keep its length and all other words. Of short texts only
WORDS_EXCHANGED = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How alike two texts are, and the figures it follows from."""

    score: float
    figures: Mapping[str, float]
    #: the score from which it is a copy
    least: float

    @property
    def is_copy(self) -> bool:
        """One of the two is a copy of the other."""
        return self.score >= self.least


def likeness(
    one: Document, other: Document, *, duplicate: float = DUPLICATE, is_common: IsCommon = lambda _: False
) -> Likeness:
    """How alike the texts of two items are, 0…1; the caller sees to language, source and time.

    `duplicate`: the score from which short texts are copies. `is_common`: of a term, whether it is a function word.
    """
    titles = jaccard(one.title, other.title)
    pairs = min(len(one.pairs), len(other.pairs))
    if pairs + 1 < LEAD_WORDS or (titles < OTHER_TITLE and pairs + 1 < OTHER_TITLE_WORDS):
        return _by_title(one, other, titles, duplicate, is_common)
    return _by_text(one, other, titles, duplicate, is_common)


def cannot_be(pairs: frozenset[int], other: Document, *, duplicate: float = DUPLICATE) -> bool:
    """Too little of one text stands in the other to be a copy, whatever titles and numbers say: for most, all one asks.

    `pairs`: the word pairs of the one.
    """
    fewer = min(len(pairs), len(other.pairs))
    if fewer < OTHER_TITLE_WORDS:
        return False
    contained = len(pairs.intersection(other.pairs)) / fewer
    return contained * _weight(fewer, titles=1.0) < _least(fewer, duplicate) - SAME_TITLE_LESS


def still_alike(
    one: Document, other: Document, *, duplicate: float = DUPLICATE, is_common: IsCommon = lambda _: False
) -> Likeness:
    """The same of items that were merged once: `is_copy` says whether that still holds, and holds longer."""
    titles = jaccard(one.title, other.title)
    if min(len(one.pairs), len(other.pairs)) + 1 < LEAD_WORDS:
        score = titles * (NUMBERS_CORRECTED if titles_contradict(one, other) else 1.0)
        return Likeness(score=score, figures=_rounded({"titles": titles, "score": score}), least=TITLE_STAYS)
    found = _by_text(one, other, titles, duplicate, is_common, merged=True)
    return replace(found, least=found.least * STAYS)


def _by_text(
    one: Document, other: Document, titles: float, duplicate: float, is_common: IsCommon, *, merged: bool = False
) -> Likeness:
    """`merged`: the two are one item already, of which somebody may have corrected a figure or rewritten the title."""
    pairs = min(len(one.pairs), len(other.pairs))
    contained = containment(one.pairs, other.pairs)
    same_numbers = _agree(one, other, tolerated=_tolerated(pairs, contained))
    figures = {"containment": contained, "titles": titles, "same_numbers": float(same_numbers)}
    score = min(1.0, contained * _weight(pairs, titles=titles))
    least = _least(pairs, duplicate)
    if is_rewritten(pairs, contained) and one.title == other.title and len(one.title) >= SAME_TITLE_WORDS:
        least -= SAME_TITLE_LESS
    if not same_numbers:
        score *= NUMBERS_CORRECTED if merged else NUMBERS_DIFFER
    if score >= least * STAYS and fills_in(one, other, contained=contained, is_common=is_common):
        score *= WORDS_EXCHANGED if merged else FILLED_IN
        figures["filled_in"] = 1.0
    elif pairs < LONG and has_words_exchanged(one.title, other.title):
        score *= WORDS_EXCHANGED
        figures["exchanged"] = 1.0
    figures["score"] = score
    return Likeness(score=score, figures=_rounded(figures), least=least)


def _weight(pairs: int, *, titles: float) -> float:
    """What containment counts, by the word pairs of the shorter text and the likeness of the titles."""
    return SHORT_WEIGHT + (1.0 - SHORT_WEIGHT) * _between(SHORT, pairs, LONG) + TITLE_WEIGHT * titles


def _least(pairs: int, duplicate: float) -> float:
    return duplicate - LONG_LESS * _between(LONG, pairs, VERY_LONG)


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in figures.items()}


def _between(low: int, value: int, high: int) -> float:
    """How far on the way from `low` to `high` a value is, 0…1."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _by_title(one: Document, other: Document, titles: float, duplicate: float, is_common: IsCommon) -> Likeness:
    """Without two leads to compare only long titles count that say the same in the same order and at the same time.

    And that tell of something: "In pictures: the week around the world" is the title of many a gallery. Where each has
    a word of its own, something was filled in: "Will it rain in Manchester", "… in Birmingham".
    """
    order = jaccard(set(pairwise(one.title)), set(pairwise(other.title)))
    proven = (
        one.title_numbers == other.title_numbers
        and _agree(one, other)
        and min(len(one.title), len(other.title)) >= TITLE_WORDS
        and titles >= TITLE_LIKENESS
        and min(len(_tells(doc, is_common)) for doc in (one, other)) >= TITLE_TELLING
        and order >= TITLE_ORDER
        and not (_tells(one, is_common) - set(other.title) and _tells(other, is_common) - set(one.title))
        and abs(one.published - other.published) <= TITLE_WITHIN
    )
    score = titles if proven else 0.0
    return Likeness(score=score, figures=_rounded({"titles": titles, "order": order, "score": score}), least=duplicate)


def _tolerated(pairs: int, contained: float) -> Callable[[int], float]:
    """How many of so many numbers may be other ones."""
    rewritten = is_rewritten(pairs, contained)
    if pairs >= LONG:
        return lambda numbers: (REWRITTEN_NUMBERS if rewritten else OTHER_NUMBERS) * numbers
    return lambda _: float(rewritten)


def _agree(one: Document, other: Document, *, tolerated: Callable[[int], float] = lambda _: 0.0) -> bool:
    """All numbers of one text stand in the other (but for those `tolerated`), and no title contradicts the other.

    One text may be the cut version of the other, one title may leave the score out; a different death toll, score or
    version makes it another text.
    """
    fewer, more = sorted((set(one.numbers), set(other.numbers)), key=len)
    return not titles_contradict(one, other) and len(fewer - more) <= tolerated(len(fewer))


def _tells(document: Document, is_common: IsCommon) -> set[int]:
    """The words of its title that are no function words."""
    return {word for word in document.title if not is_common(word)}


class Series:
    """What a source says again and again: its "Letters", its weather, its "listen to the latest bulletin".

    A text of which its own source has another with the same title (but for numbers) or the very same lead is an issue
    of a series, and no source's issue is a copy of anything.
    """

    def __init__(self) -> None:
        #: the first item with a mark, and the others; few have any
        self._first: dict[int, str] = {}
        self._others: dict[int, set[str]] = {}

    def recurs(self, document: Document) -> bool:
        """Its source has another item like it."""
        return any(
            self._first.get(mark, document.item_id) != document.item_id or self._others.get(mark)
            for mark in _marks(document)
        )

    def note(self, document: Document) -> None:
        """The item exists."""
        for mark in _marks(document):
            if self._first.setdefault(mark, document.item_id) != document.item_id:
                self._others.setdefault(mark, set()).add(document.item_id)

    def forget(self, document: Document) -> None:
        """The item is not known any more."""
        for mark in _marks(document):
            others = self._others.get(mark, set())
            others.discard(document.item_id)
            if self._first.get(mark) == document.item_id:
                del self._first[mark]
                if others:
                    self._first[mark] = others.pop()
            if not others:
                self._others.pop(mark, None)


def _marks(document: Document) -> tuple[int, ...]:
    return (document.series,) if document.phrase is None else (document.series, document.phrase)
