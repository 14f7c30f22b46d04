"""Which hub and which name of its own an answer names: headers before the document (WebSub 4). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from aggregator.model import FeedInfo

__all__ = ["link_headers", "with_links"]

_MAX_CHARS = 8192
_MAX_HUBS = 5
#: <address>; parameters (RFC 8288, 3); within quotes anything may stand
_LINK = re.compile(r"<([^<>]{1,2048})>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s\";,]+))?)*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\";,]+))", re.IGNORECASE)


def with_links(info: FeedInfo, header: str | None) -> FeedInfo:
    """What the document says of its feed, with hubs and own address of the ``Link`` headers where they name a hub."""
    named = list(link_headers(header or ""))
    hubs = tuple(dict.fromkeys(address for address, rels in named if "hub" in rels))[:_MAX_HUBS]
    if not hubs:
        return info
    own = next((address for address, rels in named if "self" in rels), info.self_url)
    return replace(info, hubs=hubs, self_url=own)


def link_headers(header: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Absolute http(s) addresses and their relations, in order."""
    for link in _LINK.finditer(header[:_MAX_CHARS]):
        address = link[1].strip()
        rel = _REL.search(link[2])
        if rel and address.lower().startswith(("http://", "https://")) and address.isprintable():
            yield address, frozenset((rel[1] or rel[2] or "").lower().split())
