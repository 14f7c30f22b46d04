"""An item as curating keeps it: numbers instead of words, for there may be a hundred thousand of them in memory."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

__all__ = ["COUNT_WEIGHTS", "NOTHING", "Document", "numbers_of"]

#: shared by all that have none
NOTHING = array("I")
#: 1 + ln(tf), by tf as a byte
COUNT_WEIGHTS = (0.0, *(1.0 + math.log(count) for count in range(1, 256)))
_NUMBER_MASK = 0xFFFF_FFFF


@dataclass(slots=True, kw_only=True, eq=False)
class Document:
    """An item, ready to be compared."""

    item_id: str
    source_id: int
    language: str
    published: datetime
    #: since when its id stands for something here; None: not known
    first_seen: datetime | None
    #: its terms; once it is found by others, the `found_by` rarest come first
    terms: array[int]
    #: how often each stands in it, at most 255
    counts: bytes
    #: the words of the title in order, without decoration, as terms
    title: array[int]
    #: hashes of the word pairs of the text, each once
    pairs: array[int]
    #: the numbers of title and text, and those of the title; each once
    numbers: array[int]
    title_numbers: array[int]
    #: its title without numbers, at its source: what a series of a template shares
    series: int
    #: its text at its source: what an empty phrase, said under many titles, shares; None where there is none
    phrase: int | None
    #: its place in the index, and how many of its terms it is found by
    number: int = -1
    found_by: int = 0
    #: the length of its vector, and the size of its language when that was computed
    norm: float = 0.0
    norm_size: int = 0

    def put_first(self, rare: Iterable[int]) -> None:
        """From now on it is found by these of its terms."""
        counts = dict(zip(self.terms, self.counts, strict=True))
        first = {term: counts.pop(term) for term in rare}
        self.found_by = len(first)
        self.terms = array("I", [*first, *counts])
        self.counts = bytes([*first.values(), *counts.values()])

    def shrink(self) -> None:
        """It is too old to be anybody's copy: what only that is decided by is let go of."""
        self.title = self.pairs = self.numbers = self.title_numbers = NOTHING


def numbers_of(found: Iterable[str]) -> array[int]:
    """The different numbers among these strings of digits, however their parts are set apart: 1,200 is 1.200."""
    values = {int("".join(filter(str.isdigit, digits))[-20:]) & _NUMBER_MASK for digits in found}
    return array("I", sorted(values)) if values else NOTHING
