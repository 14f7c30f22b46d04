"""Impressions: how often items were shown on counted page views, weighted by place. Stores nothing of a reader."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import log2
from typing import Final

#: links of a page to its items, in the order in which readers meet them
_ITEM_LINK: Final = re.compile(r'href="/(?:[^":]*/)?(?:item|go)/([0-9a-z]{1,32})(?:[?#][^"]*)?"')
#: of a page; what stands further down weighs next to nothing
_MAX_PLACES: Final = 200


def items_of(html: str) -> tuple[str, ...]:
    """The ids of the items that a page links to, each once, in its order."""
    return tuple(dict.fromkeys(match[1] for match in _ITEM_LINK.finditer(html)))[:_MAX_PLACES]


@lru_cache(_MAX_PLACES)
def weight(place: int) -> float:
    """What a place, from 1, weighs: 1 / log2(1 + place), the discount of nDCG."""
    return 1 / log2(1 + place)


class Impressions:
    """What has been shown and not been handed to the store yet. May be used from any thread."""

    def __init__(self) -> None:
        self._weights: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, ids: Sequence[str]) -> None:
        """One page view, with these items in their order."""
        with self._lock:
            for place, item_id in enumerate(ids, start=1):
                self._weights[item_id] += weight(place)  # type: ignore[assignment]  # a Counter adds floats as well

    def take(self) -> dict[str, float]:
        """What has been added, which is forgotten here."""
        with self._lock:
            taken, self._weights = self._weights, Counter()
        return dict(taken)
