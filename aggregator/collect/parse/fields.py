"""Looks into the dictionaries that an XML feed is read into: what is there in its type, or nothing of that type."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from aggregator.collect.clean import safe_url
from aggregator.model import Upstream

__all__ = [
    "ALTERNATE",
    "MAX_IMAGES",
    "REPORTS",
    "Fields",
    "base_of",
    "count_at",
    "dict_at",
    "dicts_at",
    "is_image",
    "text_at",
    "upstream_of",
    "value_at",
]

#: feedparser's dictionaries, which are only ever read by `value_at`
Fields = dict[str, Any]

#: candidates for an entry's picture that are looked at
MAX_IMAGES = 8
#: relations of links that lead to what an entry is about
ALTERNATE = frozenset({"alternate", ""})
#: what an entry may report of itself
REPORTS = frozenset({"media_statistics", "media_starrating", "slash_comments", "thr_total"})
_NO_REPORT = Upstream()


def value_at(fields: Fields, key: str) -> Any:
    """What is stored under a key: no alias stands in for what is not there."""
    return dict.get(fields, key)


def text_at(fields: Fields, key: str) -> str:
    """The text under a key."""
    value = dict.get(fields, key)
    return value if isinstance(value, str) else ""


def dict_at(fields: Fields, key: str) -> Fields:
    """The dictionary under a key."""
    value = dict.get(fields, key)
    return value if isinstance(value, dict) else {}


def dicts_at(fields: Fields, key: str) -> list[Fields]:
    """The dictionaries under a key."""
    value = dict.get(fields, key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list | tuple) else []


def count_at(fields: Fields, key: str) -> int | None:
    """The number under a key, if it is one that can be believed."""
    value = text_at(fields, key).strip()
    return int(value) if value.isdecimal() and len(value) < 16 else None


def upstream_of(fields: Fields) -> Upstream:
    """What the entry of these fields reports of itself."""
    if REPORTS.isdisjoint(fields):  # nearly always
        return _NO_REPORT
    statistics, stars = dict_at(fields, "media_statistics"), dict_at(fields, "media_starrating")
    comments = [count_at(fields, "slash_comments"), count_at(fields, "thr_total")]
    votes = [count_at(stars, "count"), count_at(statistics, "favorites")]
    return Upstream(
        comments=max((n for n in comments if n is not None), default=None),
        views=count_at(statistics, "views"),
        votes=max((n for n in votes if n is not None), default=None),
    )


def is_image(media: Mapping[str, Any]) -> bool:
    """Whether a link, or what Media RSS describes, is a picture."""
    return media.get("medium") == "image" or str(media.get("type") or "").startswith("image/")


@lru_cache(maxsize=64)  # nearly always the document's own
def base_of(base: str, url: str) -> str:
    """The address that addresses in a text are relative to: `base` as written in the document at `url`."""
    return safe_url(base, url) or url
