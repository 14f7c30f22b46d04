"""Where one item stands among all that could be listed: what `explain` tells of the lists it is not in as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aggregator.curate.recommend import weigh
from aggregator.curate.shelf import Shelf
from aggregator.curate.stock import SITE, section_of
from aggregator.model import Listed, ListKey
from aggregator.refresh.listing import Maker

__all__ = ["Standing", "standings_by_views", "standings_by_worth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One item's place before a list is cut to its size."""

    key: ListKey
    #: from 1; None: it has nothing by which this list could place it
    place: int | None
    #: how many could be listed
    of: int
    listed: Listed | None


def standings_by_views(maker: Maker, item_id: str, windows: Sequence[str]) -> Iterator[Standing]:
    """Its place in the full rankings of these windows."""
    for scope, shelf in _scopes(maker, item_id):
        for window in windows:
            ranking = maker.ranking(shelf, window, scope=scope, size=0)
            yield _standing(ranking.key, item_id, ranking.places)


def standings_by_worth(maker: Maker, item_id: str) -> Iterator[Standing]:
    """Its place by what recommending finds it worth, whatever else is chosen."""
    for key, shelf in _scopes(maker, item_id):
        yield _standing(key, item_id, weigh(shelf, field=maker.snapshot.field))


def _scopes(maker: Maker, item_id: str) -> Iterator[tuple[ListKey, Shelf]]:
    """The site, and the item's own section."""
    stock = maker.snapshot.stock
    yield ListKey(order="recommended"), stock.shelf(SITE)
    item = stock.crowd.items.get(item_id)
    if item is not None:
        yield ListKey(order="recommended", scope="section", name=item.section), stock.shelf(section_of(item.section))


def _standing(key: ListKey, item_id: str, places: Sequence[Listed]) -> Standing:
    place = next((number for number, one in enumerate(places, 1) if one.item_id == item_id), None)
    return Standing(key=key, place=place, of=len(places), listed=places[place - 1] if place else None)
