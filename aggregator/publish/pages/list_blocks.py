"""HTML blocks of lists, rendered once for all pages that show the same list.

Ranking and Recommendation stand beside every article. While readers open items their pages are made anew each second,
and three quarters of that was rendering the same twenty rows once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from aggregator.publish.listing import Listing, Place
from aggregator.publish.pages.wording import Ages
from aggregator.publish.render_cache import RenderCache, same_but_counts

__all__ = ["ListBlocks"]

#: in characters: of summaries about two hundred lists, of whole articles a dozen
_MAX_SIZE: Final = 4_000_000
#: what a place takes beside the texts of its item, which are kept to be compared
_PER_PLACE: Final = 1_500

Ranked = Sequence[tuple[int, Place]]


@dataclass(slots=True)
class _Block:
    """What a block shows, at which moment, and until when its words hold."""

    listing: Listing
    now: datetime
    expires: datetime | None = None


class ListBlocks:
    """The blocks of ``parts.html`` that stand on many pages. May be used from any thread."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._cache = RenderCache(_MAX_SIZE)

    def ranking(self, ranked: Ranked, listing: Listing, ages: Ages, *, root: str, switch: bool) -> Markup:
        """The ranking with bars and movement; `ranked` are (place in the list, place)."""
        shown = tuple(place for _, place in ranked)
        numbers = tuple(number for number, _ in ranked)
        kept = replace(listing, places=(*listing.places[:1], *shown))
        return self._block("ranking", (root, switch, numbers), kept, ages, (ranked, listing, root, switch))

    def recommendation(self, places: Sequence[Place], listing: Listing, ages: Ages) -> Markup:
        """The recommendations, the first with picture and lead."""
        kept = replace(listing, places=tuple(places))
        return self._block("recommendation", tuple(place.item.id for place in places), kept, ages, (places,))

    def _block(self, macro: str, key: object, shown: Listing, ages: Ages, arguments: tuple[object, ...]) -> Markup:
        block = _Block(shown, ages.now)

        def make() -> Markup:
            own = type(ages)(ages.now, ages.wording)
            parts = self._environment.get_template("parts.html").make_module({"ages": own})
            html = Markup(getattr(parts, macro)(*arguments))  # noqa: S704 - a template has escaped it
            block.expires = own.expires
            return html

        size = sum(map(_size, shown.places))
        html = self._cache.get((macro, shown.path, key), block, make, size=lambda _: size, same=_looks_the_same)
        ages.limit(block.expires)
        return html


def _size(place: Place) -> int:
    item = place.item
    return _PER_PLACE + len(item.content_html) + len(item.summary_html) + len(item.text)


def _looks_the_same(kept: _Block, asked: _Block) -> bool:
    """Pages show of a list its heading and its places, and how old they are; not when it was computed."""
    one, other = kept.listing, asked.listing
    is_same = (
        (kept.expires is None or asked.now < kept.expires)
        and (one.window, one.basis, one.compared_at is None) == (other.window, other.basis, other.compared_at is None)
        and len(one.places) == len(other.places)
        and all(map(_reads_the_same, one.places, other.places))
    )
    if is_same:
        asked.expires = kept.expires
    return is_same


def _reads_the_same(one: Place, other: Place) -> bool:
    return (
        (one.views, one.rank_before) == (other.views, other.rank_before)
        and len(one.others) == len(other.others)
        and same_but_counts(one.item, other.item)
    )
