"""What a source says in one item after another: "Subscribe to our channel", "We may earn a commission". Pure.

Such a sentence tells nothing about an item, and would make one story of all that its source posts. The sentences of
each source are counted as items come; one that several of its items share is left out of what is compared.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import replace

from aggregator.model import ItemText

__all__ = ["Boilerplate"]

#: a sentence in so many items of its source is boilerplate
REPEATED = 3
#: shorter parts of a text are not counted
MIN_CHARS = 8
#: of a source, the hashes of its newest sentences and of its boilerplate: 1 KB at most
RECENT, KNOWN = 192, 64
_PARTS = re.compile(r"(?<=[.!?…。！？])\s+|\n+|\s{2,}|\s(?=https?://)|(?<=[。！？])|\s[|•·►▶]\s")
_HASH = 0xFFFF_FFFF


class Boilerplate:
    """Counts the sentences of each source, every item's once."""

    def __init__(self) -> None:
        self._recent: dict[int, array[int]] = {}
        self._known: dict[int, array[int]] = {}

    def count(self, item: ItemText) -> None:
        """A new item: its sentences are said once more. All items of a batch come before the first is stripped."""
        said = dict.fromkeys(hash(part) & _HASH for part in _parts(item.text))
        if not said:
            return
        recent = self._recent.setdefault(item.source_id, array("I"))
        known = self._known.get(item.source_id, array("I"))
        for sentence in said:
            if sentence in known:
                known.remove(sentence)
                known.append(sentence)
            elif recent.count(sentence) + 1 >= REPEATED:
                known = self._known[item.source_id] = known[-(KNOWN - 1) :]
                known.append(sentence)
            else:
                recent.append(sentence)
        del recent[:-RECENT]

    def strip(self, item: ItemText) -> ItemText:
        """The item without what its source says again and again; the very same item where there is nothing of it."""
        known = self._known.get(item.source_id)
        if not known:
            return item
        parts = list(_parts(item.text))
        kept = [part for part in parts if hash(part) & _HASH not in known]
        return item if len(kept) == len(parts) else replace(item, text=" ".join(kept))


def _parts(text: str) -> Iterator[str]:
    """The sentences of a text; also what stands on a line, or before an address."""
    return (part for part in _PARTS.split(text) if part and len(part) >= MIN_CHARS)
