"""Lists as they stand on pages, rendered once for all pages that show them.

Ranking and Recommendation stand beside every article. While readers open items their pages are made anew each second,
and three quarters of that was rendering the same twenty rows once more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from aggregator.publish.listing import Listing, Place
from aggregator.publish.render_cache import RenderCache, same_but_counts

__all__ = ["ListBlocks"]

#: in characters: of summaries about two hundred lists, of whole articles a dozen
_MOST: Final = 4_000_000
#: what a place takes beside the texts of its item, which are kept to be compared
_PER_PLACE: Final = 1_500


class ListBlocks:
    """The macros of ``parts.html`` that render a list. May be used from any thread."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._fragments = RenderCache(_MOST)

    def html(self, macro: str, listing: Listing, *, without: str = "", **options: str | bool | None) -> Markup:
        """What the macro makes of the list; made again when readers would see a difference.

        `without` is the id of the item whose page it is, which is not advised there.
        """
        others = tuple(place for place in listing.places if place.item.id != without)
        if len(others) == len(listing.places):
            without = ""
        else:
            listing = replace(listing, places=others)
        key = (macro, listing.path, listing.query, without, *sorted(options.items()))

        def make() -> Markup:
            parts = self._environment.get_template("parts.html").module
            return Markup(getattr(parts, macro)(listing, **options))  # noqa: S704 - a template has escaped it

        return self._fragments.get(key, listing, make, size=sum(map(_size, listing.places)), same=_looks_the_same)


def _size(place: Place) -> int:
    item = place.item
    return _PER_PLACE + len(item.content_html) + len(item.summary_html) + len(item.text)


def _looks_the_same(one: Listing, other: Listing) -> bool:
    """Pages show of a list its heading and its places, not when it was computed."""
    return (
        (one.title, one.window, one.basis) == (other.title, other.window, other.basis)
        and len(one.places) == len(other.places)
        and all(map(_reads_the_same, one.places, other.places))
    )


def _reads_the_same(one: Place, other: Place) -> bool:
    return (one.views, one.reasons) == (other.views, other.reasons) and same_but_counts(one.item, other.item)
