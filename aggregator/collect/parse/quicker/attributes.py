"""Attributes of an element as feedparser's methods want them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["plain_attributes"]

_LOWERED = frozenset({"rel", "type"})
#: attributes by which the addresses and words of all elements inside are read
_SCOPED = frozenset({"base", "lang"})


def plain_attributes(attributes: Mapping[str, str]) -> dict[str, str] | None:
    """In lower case; None where there is more to them than names and values."""
    plain: dict[str, str] = {}
    for given, value in attributes.items():
        name = given.lower()
        if " " in name or name in _SCOPED:
            return None
        plain[name] = value.lower() if name in _LOWERED else value
    return plain
