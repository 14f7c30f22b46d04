"""A section on the front page: a handful of its newest items, and not all of them from whoever posts most."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from aggregator.publish.listing import Listing

SIZE = 5
PER_SOURCE = 2


def chosen(listing: Listing) -> Listing:
    """The newest items, at most `PER_SOURCE` of a source; more of it only where there are too few others."""
    seen: Counter[int] = Counter()
    first: list[int] = []
    spare: list[int] = []
    for number, place in enumerate(listing.places):
        source = place.item.source.id
        seen[source] += 1
        (first if seen[source] <= PER_SOURCE else spare).append(number)
    kept = sorted([*first, *spare][:SIZE])
    return replace(listing, places=tuple(listing.places[number] for number in kept))
