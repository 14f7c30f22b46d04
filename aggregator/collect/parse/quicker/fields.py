"""Looks into feedparser's dictionaries that need none of its aliases."""

from __future__ import annotations

from typing import Any

from feedparser.util import FeedParserDict

__all__ = ["STORED", "contains", "get", "getitem", "setdefault", "setitem"]

#: alias → the key under which its value is stored
STORED = {alias: key[0] if isinstance(key, list) else key for alias, key in FeedParserDict.keymap.items()}
#: keys for which feedparser's dictionary answers with something else than what it holds
_ALIASED = frozenset({"category", "enclosures", "license", "updated", "updated_parsed", *STORED})

_get = FeedParserDict.get
_setdefault = FeedParserDict.setdefault
_contains = FeedParserDict.__contains__
_getitem = FeedParserDict.__getitem__


def get(self: FeedParserDict, key: str, default: Any = None) -> Any:
    """As the dictionary's own."""
    return _get(self, key, default) if key in _ALIASED else dict.get(self, key, default)


def setdefault(self: FeedParserDict, key: str, default: Any) -> Any:
    """As the dictionary's own."""
    return _setdefault(self, key, default) if key in _ALIASED else dict.setdefault(self, key, default)


def contains(self: FeedParserDict, key: str) -> bool:
    """As the dictionary's own."""
    return bool(_contains(self, key)) if key in _ALIASED else dict.__contains__(self, key)


def getitem(self: FeedParserDict, key: str) -> Any:
    """As the dictionary's own."""
    return _getitem(self, key) if key in _ALIASED else dict.__getitem__(self, key)


def setitem(self: FeedParserDict, key: str, value: Any) -> None:
    """As the dictionary's own."""
    dict.__setitem__(self, STORED.get(key, key), value)
