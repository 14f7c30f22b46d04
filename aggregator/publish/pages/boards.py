"""Lists as they stand on pages, rendered once for all pages that show them.

Ranking and Recommendation stand beside every article. While readers open items their pages are made anew each second,
and three quarters of that was rendering the same twenty rows once more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from aggregator.publish.fragments import Fragments, same_but_counts
from aggregator.publish.listing import Listing, Place

__all__ = ["Boards"]

#: in characters: about a thousand lists
_MOST: Final = 8_000_000
_PER_PLACE: Final = 500


class Boards:
    """The macros of ``parts.html`` that render a list. May be used from any thread."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._fragments = Fragments(_MOST)

    def html(self, macro: str, listing: Listing, **options: str | bool | None) -> Markup:
        """What the macro makes of the list; made again when readers would see a difference."""
        key = (macro, listing.path, listing.query, *sorted(options.items()))
        size = _PER_PLACE * len(listing.places)
        return self._fragments.get(key, listing, self._making(macro, listing, options), size=size, same=_looks_the_same)

    def _making(self, macro: str, listing: Listing, options: dict[str, str | bool | None]) -> Callable[[], Markup]:
        def make() -> Markup:
            return Markup(getattr(self._environment.get_template("parts.html").module, macro)(listing, **options))  # noqa: S704 (a template has escaped it)

        return make


def _looks_the_same(one: Listing, other: Listing) -> bool:
    """Pages show of a list its heading and its places, not when it was computed."""
    return (
        (one.title, one.window, one.basis) == (other.title, other.window, other.basis)
        and len(one.places) == len(other.places)
        and all(map(_reads_the_same, one.places, other.places))
    )


def _reads_the_same(one: Place, other: Place) -> bool:
    return (one.views, one.reasons) == (other.views, other.reasons) and same_but_counts(one.item, other.item)
