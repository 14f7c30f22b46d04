"""The latest items with runs of one source folded: who posts forty items at once does not fill the page. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from aggregator.model import Item
from aggregator.publish.listing import Place

__all__ = ["Run", "runs"]

#: items of a run that are shown; a run is folded where more than one would be hidden
SHOWN: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One line of the stream; the last of a run that is folded has the others behind it."""

    place: Place
    folded: tuple[Place, ...] = ()

    @property
    def last(self) -> Item:
        """The oldest item of the line."""
        return (self.folded[-1] if self.folded else self.place).item


def runs(places: Iterable[Place], *, day_of: Callable[[Item], object]) -> Iterator[Run]:
    """The places in their order; of more than three in a row of one source and day two, and the rest folded."""
    for _, group in groupby(places, key=lambda place: (place.item.source.id, day_of(place.item))):
        members = list(group)
        shown, folded = (members, []) if len(members) <= SHOWN + 1 else (members[:SHOWN], members[SHOWN:])
        for place in shown[:-1]:
            yield Run(place=place)
        yield Run(place=shown[-1], folded=tuple(folded))
