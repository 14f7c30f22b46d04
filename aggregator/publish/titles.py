"""Titles and descriptions of lists. Pure."""

from __future__ import annotations

from typing import Final

from aggregator.curate.windows import the_last
from aggregator.model import ItemList

_BASIS: Final = {
    "views": "Ordered by the number of different readers, each counted once a day, who opened each item in {time}.",
    "signals": (
        "Nobody has opened an item in {time} yet, so other signals stand in: how many publishers carry the story, "
        "links to it from other sources, and what the feeds themselves report."
    ),
    "mixed": (
        "Ordered by the number of different readers, each counted once a day, who opened each item in {time}; behind "
        "those that were opened, other signals stand in: publishers carrying the story, links from other sources, "
        "what the feeds report."
    ),
}


def span(window: str) -> str:
    """A window in words: ``1d`` → "the last 24 hours", ``7d`` → "the last 7 days"; any other text as it is."""
    try:
        return the_last(window)
    except ValueError:
        return window


def window_label(name: str) -> str:
    """A ranking's window as a label: ``1 hour``, ``24 hours``, ``7 days``."""
    label = span(name).removeprefix("the last ")
    return label if label[:1].isdigit() or label == name else f"1 {label}"


def within(title: str, section: str | None) -> str:
    """A list's title, with the section it is restricted to."""
    return f"{title} · {section}" if section else title


def about_ranking(window: str, computed: ItemList | None) -> str:
    """One sentence for a ranking: by what count, over which time, and what stands in for it."""
    return _BASIS[computed.basis if computed else "signals"].format(time=span(window))


LATEST = "Items by the time they were published, one for each article, whatever the number of sources."
LATEST_OWN = "The newest items; what is most like what you have opened through your own feeds stands first."
RECOMMENDED = (
    "Worth reading now: fresh items that are opened more than is usual for their source, that many publishers carry, "
    "or whose source posts rarely, on different subjects; nothing that stands in the ranking."
)
#: of a feed of the operator's own, whose readers may not see the ranking
RECOMMENDED_OWN = RECOMMENDED.partition(";")[0] + "."
RELATED_OWN = "On the same subjects as the newest items that match, most related first; not those items themselves."
