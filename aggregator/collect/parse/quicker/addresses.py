"""Addresses that need no resolving, or have been resolved before."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import feedparser.urls

__all__ = ["is_plain", "make_safe_absolute_uri"]

#: longer addresses are not worth remembering
_CACHED_CHARS = 2048
#: no address is that long; ``xml:base`` within ``xml:base`` grows with each, and its time with the square of them
_LONGEST_BASE = 2048
#: addresses that come out of being resolved as they went in: nothing that is taken apart and put together otherwise
_PLAIN = re.compile(
    r"https?://[a-z0-9_-]++(?:\.[a-z0-9_-]++)*+/[A-Za-z0-9%:/@!$&'()*+,=.~_-]*+"
    r"(?:\?[A-Za-z0-9%:/@!$&'()*+,=.~_-]++)?+(?:#[A-Za-z0-9%:/@!$&'()*+,=.~_-]++)?+"
)
_cached = lru_cache(maxsize=256)(feedparser.urls.make_safe_absolute_uri)


def is_plain(url: str) -> bool:
    """Whether an address is absolute, and stays as it is wherever it is resolved."""
    return _PLAIN.fullmatch(url) is not None


def make_safe_absolute_uri(base: str, rel: str | None = None) -> Any:
    """As feedparser's, which resolves the same base against itself at every element. "" against an endless base."""
    if len(base or "") > _LONGEST_BASE:
        return ""
    short = len(base or "") + len(rel or "") <= _CACHED_CHARS
    return _cached(base, rel) if short else feedparser.urls.make_safe_absolute_uri(base, rel)
