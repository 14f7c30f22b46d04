"""How common each word is, learnt from the items themselves: one vocabulary per language.

Words become small integers, numbered across all languages, so that items of different languages share none and are
never compared. Pure; the figures follow from the items in the order in which they came.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from aggregator.curate.stopword_priors import commonest
from aggregator.curate.text import american

__all__ = ["BORN_WITH", "COMMON_SHARE", "HALVED_EVERY", "HALVED_FROM", "Vocabulary"]

#: a language whose commonest words are known starts as if it had this many items already
BORN_WITH = 300

#: document frequencies are halved this often, so that yesterday's rare word may become today's common one …
HALVED_EVERY = timedelta(days=30)
#: … in a language with so many items: a quiet one that is halved always forgets which words are common
HALVED_FROM = 500
#: a word in more than this share of a language's items says nothing about the subject (CURATE.md 4)
COMMON_SHARE = 0.02
#: with few items a share means little: this many occurrences are never "common" … (nDCG@10 .84 with 20, .87 with 50)
RARE_AT_MOST = 50
#: function words stand in more than this share of a language's items
FUNCTION_SHARE = 0.03
#: … unless it is this share of all, which keeps function words out of a young site
YOUNG_SHARE = 0.25


class _Words(dict[str, int]):
    """The words of a language, numbered when they are first asked for; one number for both spellings of English."""

    def __init__(self, number: Callable[[], int], known: Iterable[tuple[str, int]] = (), *, language: str = "") -> None:
        super().__init__(known)
        self._number = number
        self._spelling = american if language == "en" else str

    def __missing__(self, word: str) -> int:
        usual = self._spelling(word)
        number = self[word] = self._number() if usual == word else self[usual]
        return number


class Vocabulary:
    """Words as integers, with the number of items each stands in; `size` of a language counts its items."""

    def __init__(self) -> None:
        self._ids: dict[str, _Words] = {}
        self._sizes: dict[str, int] = {}
        self._spread = array("I")
        self._halved: datetime | None = None

    def size(self, language: str) -> int:
        """How many items of this language have been counted."""
        return self._sizes.get(language, 0)

    def ids(self, language: str, words: Iterable[str]) -> list[int]:
        """The numbers of these words; unknown words get one."""
        known = self._ids.get(language)
        if known is None:
            known = self._begin(language)
        return list(map(known.__getitem__, words))

    def _begin(self, language: str) -> _Words:
        """A language nobody has written in yet: what is known of its commonest words beforehand."""
        known = self._ids[language] = _Words(self._number, language=language)
        for word, share in commonest(language):
            self._spread[known[word]] = round(share * BORN_WITH)
            self._sizes[language] = BORN_WITH
        return known

    def _number(self) -> int:
        """One that no word has."""
        self._spread.append(0)
        return len(self._spread) - 1

    def count(self, language: str, terms: Iterable[int], *, at: datetime) -> None:
        """One more item of this language, holding these terms (each named once)."""
        self._age(at)
        self._sizes[language] = self.size(language) + 1
        for term in terms:
            self._spread[term] += 1

    def uncount(self, language: str, terms: Iterable[int]) -> None:
        """The opposite: an item's text is about to be replaced."""
        self._sizes[language] = max(0, self.size(language) - 1)
        for term in terms:
            self._spread[term] -= self._spread[term] > 0

    def idf(self, term: int, size: int) -> float:
        """How telling a term is among `size` items: 0.7 for one that stands in all of them."""
        return math.log(1.0 + size / max(1, self._spread[term]))

    def idfs(self, terms: Iterable[int], size: int) -> list[float]:
        """`idf` of many terms."""
        spread, log = self._spread, math.log
        return [log(1.0 + size / (spread[term] or 1)) for term in terms]

    def ceiling(self, language: str, *, share: float = COMMON_SHARE) -> float:
        """A term that stands in more items than this, about `share` of all, is too common to search by."""
        size = self.size(language)
        return max(share * size, min(RARE_AT_MOST, max(2.0, YOUNG_SHARE * size)))

    def spreads(self, terms: Iterable[int]) -> Iterator[int]:
        """How many items hold each of these terms."""
        return map(self._spread.__getitem__, terms)

    def is_common(self, language: str, term: int) -> bool:
        """Whether a term tells nothing: a function word. Never in a language of which too little is known."""
        size = self.size(language)
        return size >= BORN_WITH and self._spread[term] > FUNCTION_SHARE * size

    def weigh(self, language: str, counts: Mapping[int, float]) -> dict[int, float]:
        """The unit vector of an item: (1 + ln tf) · idf of each of its terms."""
        size = self.size(language)
        weights = {term: (1.0 + math.log(tf)) * self.idf(term, size) for term, tf in counts.items() if tf > 0}
        norm = math.hypot(*weights.values())
        return {term: weight / norm for term, weight in weights.items()} if norm else {}

    def _age(self, at: datetime) -> None:
        if self._halved is None:
            self._halved = at
        while at - self._halved >= HALVED_EVERY:
            self._halved += HALVED_EVERY
            for language, size in self._sizes.items():
                if size >= HALVED_FROM:
                    self._sizes[language] = size // 2
                    self._halve(self._ids[language], language)

    def _halve(self, known: _Words, language: str) -> None:
        """Words nobody uses any more lose their name; their numbers are never given to others."""
        for term in set(known.values()):
            self._spread[term] //= 2
        used = ((word, term) for word, term in known.items() if self._spread[term])
        self._ids[language] = _Words(self._number, used, language=language)
