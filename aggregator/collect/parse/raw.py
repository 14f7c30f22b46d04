"""An entry as its format gave it, before cleaning: what XML and JSON feeds have in common.

Nobody changes these. They are not frozen because there are hundreds in a document, and making them would take a third
longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import struct_time

from aggregator.model import Upstream

__all__ = ["RawContent", "RawDate", "RawEntry"]


@dataclass(slots=True, kw_only=True)
class RawContent:
    """A piece of text of unknown intent."""

    value: str
    html: bool = True
    #: what its relative addresses are relative to
    base: str = ""
    language: str | None = None


@dataclass(slots=True, kw_only=True)
class RawDate:
    """A date as written, and another reading of it (UTC)."""

    raw: str
    otherwise: Callable[[], struct_time | None] | None = None


@dataclass(slots=True, kw_only=True)
class RawEntry:
    """Everything unchecked."""

    base: str
    guid: str = ""
    #: candidates for its address, best first
    links: tuple[str, ...] = ()
    title: RawContent | None = None
    summary: RawContent | None = None
    content: RawContent | None = None
    author: str = ""
    published: RawDate | None = None
    updated: RawDate | None = None
    language: str | None = None
    categories: tuple[str, ...] = ()
    #: candidates for its picture, best first
    images: tuple[str, ...] = ()
    #: (address, type, size in bytes as written)
    enclosures: tuple[tuple[str, str, str], ...] = ()
    upstream: Upstream = field(default_factory=Upstream)
