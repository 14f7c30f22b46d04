"""Alike in what is said, not in the words alone: sentence vectors of the items that are compared. Pure.

Texts are kept as they come; a vector is made when an item is first compared, for it takes milliseconds, and kept for
the next time. Both are bounded: what was not needed for longest goes first.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from operator import mul

from aggregator.curate.sentences import Encoder
from aggregator.curate.text import strip_lead, strip_title
from aggregator.curate.vocabulary import tongue
from aggregator.model import ItemText

__all__ = ["Meaning"]

#: the model knows this language well; in others words alone do better (CURATE.md 1)
LANGUAGE = "en"
#: how much of the lead is read: the time a vector takes grows with it
READ_CHARS = 300
#: about 0.5 KB each
TEXTS_AT_MOST = 100_000
#: 1.5 KB each
VECTORS_AT_MOST = 20_000


class Meaning:
    """How alike two items are in what they say, as far as their texts are known. For one thread at a time."""

    def __init__(self, encode: Encoder, *, texts: int = TEXTS_AT_MOST, vectors: int = VECTORS_AT_MOST) -> None:
        self._encode = encode
        self._texts_at_most, self._vectors_at_most = texts, vectors
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._vectors: OrderedDict[str, array[float]] = OrderedDict()

    def note(self, item: ItemText) -> None:
        """Remembers what an item says, in the place of what it said before; of English items only."""
        self._vectors.pop(item.item_id, None)
        self._texts.pop(item.item_id, None)
        if tongue(item.language) != LANGUAGE:
            return
        title = strip_title(item.title, source_name=item.source_name)
        self._texts[item.item_id] = f"{title}. {strip_lead(item.text[: READ_CHARS * 2])[:READ_CHARS]}"
        if len(self._texts) > self._texts_at_most:
            self._vectors.pop(self._texts.popitem(last=False)[0], None)

    def likeness(self, one: str, other: str) -> float | None:
        """0…1, the cosine of what two items say; None where one of them is not known."""
        first, second = self._vector(one), self._vector(other)
        if first is None or second is None:
            return None
        return min(1.0, max(0.0, float(sum(map(mul, first, second)))))

    def _vector(self, item_id: str) -> array[float] | None:
        found = self._vectors.get(item_id)
        if found is None:
            if item_id not in self._texts:
                return None
            found = self._vectors[item_id] = array("f", self._encode(self._texts[item_id]))
            if len(self._vectors) > self._vectors_at_most:
                self._vectors.popitem(last=False)
        else:
            self._vectors.move_to_end(item_id)
        return found
