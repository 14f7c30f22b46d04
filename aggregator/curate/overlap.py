"""How much of one text stands in another, and which words stand in the place of which others. Pure.

An editor cuts a text, adds a sentence or rewrites one. Whoever fills in a template exchanges words in their places:
"a fire at a block of flats in Hull", "… in Leeds". `exchanges` tells the two apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher

__all__ = ["Exchange", "Exchanges", "containment", "exchanges", "jaccard"]

#: an exchange of longer runs of words is a sentence that was rewritten
MAX_RUN = 5


def jaccard(one: Collection[object], other: Collection[object]) -> float:
    """The share of what both hold in what either holds."""
    first, second = set(one), set(other)
    union = len(first | second)
    return len(first & second) / union if union else 0.0


def containment(one: Collection[int], other: Collection[int]) -> float:
    """How much of the shorter text's word pairs, each named once, stands in the longer."""
    fewer = min(len(one), len(other))
    return len(set(one).intersection(other)) / fewer if fewer else 0.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """Words of one text and those that stand in their place in the other, which has none of them."""

    one: frozenset[int]
    other: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanges:
    """How two texts differ in their words."""

    #: in the order of the text
    all: tuple[Exchange, ...] = ()
    #: the texts differ in nothing else: no word was added, none taken out
    is_all: bool = False

    def repeated(self) -> int:
        """How many exchanges occur again: of a name that the text says more than once."""
        return sum(number - 1 for number in Counter(self.all).values())

    def of(self, one: Set[int], other: Set[int]) -> int:
        """How many exchange nothing but words of these sets, which are the names in each text."""
        return sum(exchange.one <= one and exchange.other <= other for exchange in self.all)


NO_EXCHANGES = Exchanges()


def exchanges(
    one: Sequence[int], other: Sequence[int], *, mine: Set[int], theirs: Set[int], is_common: Callable[[int], bool]
) -> Exchanges:
    """The words exchanged between two texts, function words (`is_common`) left aside.

    `mine`, `theirs`: all words of either item, those of its title too: what both say somewhere is not exchanged.
    """
    own, others = set(one) - theirs, set(other) - mine
    if not own or not others:
        return NO_EXCHANGES
    found, is_all = list[Exchange](), True
    for kind, start, end, other_start, other_end in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        if kind != "replace" or max(end - start, other_end - other_start) > MAX_RUN:
            is_all = False
            continue
        first = frozenset(word for word in one[start:end] if word in own and not is_common(word))
        second = frozenset(word for word in other[other_start:other_end] if word in others and not is_common(word))
        if first and second:
            found.append(Exchange(first, second))
        else:
            is_all = False
    return Exchanges(all=tuple(found), is_all=is_all and bool(found))
