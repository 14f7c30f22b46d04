"""Where a feed lives: when a permanent redirect is believed for good. Pure.

Feeds have been lost to maintenance pages and hotel networks that redirect "permanently". So a new address is taken over
only after a week in which it was named again and again, and only by a poll that brought the feed itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from aggregator.model import Source

__all__ = ["adopts", "is_downgrade"]

_CONSISTENT_FOR = timedelta(days=7)
_MIN_SIGHTINGS = 5
#: an address with such a word in it is a gate, not a feed
_GATES = (
    "login",
    "signin",
    "sign-in",
    "register",
    "landingpage",
    "captive",
    "portal",
    "solutionip",
    "lodgenet",
    "consent",
)


def adopts(source: Source, target: str | None, *, now: datetime) -> bool:
    """Whether `target`, to which this good poll was redirected permanently, becomes the address of `source`."""
    if target is None or target != source.moved_to or source.moved_since is None:
        return False
    long_enough = now - source.moved_since >= _CONSISTENT_FOR and source.moved_count + 1 >= _MIN_SIGHTINGS
    return long_enough and not _is_gate(target) and not is_downgrade(source.fetch_url, target)


def _is_gate(url: str) -> bool:
    address = url.lower()
    return any(word in address for word in _GATES)


def is_downgrade(old: str, new: str) -> bool:
    """From https to http for good: that would give up what the publisher once promised."""
    return urlsplit(old).scheme == "https" and urlsplit(new).scheme != "https"
