"""Which document holds the older entries of a feed: RFC 5005 archives and pages, JSON Feed's `next_url`. Pure."""

from __future__ import annotations

import json
import re
from itertools import islice
from urllib.parse import urljoin, urlsplit

from aggregator.collect.discover import MAX_LINKS, find_tag, tag_attributes

__all__ = ["older_document"]

#: a link before the first entry (or behind the last): where it stands in an entry, it is about something else
_LINK = re.compile(r"<(?:[A-Za-z][\w.-]{0,30}:)?link\b")
_ENTRY = re.compile(r"<(/?)(?:[A-Za-z][\w.-]{0,30}:)?(?:entry|item)\b")
#: archives before pages: an archive never changes (RFC 5005 4), a page shifts with each new entry (3)
_RELATIONS = ("prev-archive", "next")
_MAX_HEAD_CHARS = 200_000


def older_document(body: bytes, url: str) -> str | None:
    """The address that the document at `url` names for the entries before its own; None: it names none."""
    if body.lstrip()[:1] == b"{":
        return _absolute(url, _next_url(body))
    head = _without_entries(body.decode("utf-8", "replace"))
    tags = (find_tag(head, link.end()) for link in islice(_LINK.finditer(head), MAX_LINKS))
    links = [tag_attributes(tag) for tag in tags if tag is not None]
    for relation in _RELATIONS:
        for link in links:
            if relation in link.get("rel", "").lower().split():
                return _absolute(url, link.get("href"))
    return None


def _without_entries(text: str) -> str:
    tags = list(_ENTRY.finditer(text))
    start = next((tag.start() for tag in tags if not tag[1]), len(text))
    end = next((tag.end() for tag in reversed(tags) if tag[1]), start)
    return text[:start][:_MAX_HEAD_CHARS] + text[max(start, end) :][:_MAX_HEAD_CHARS]


def _next_url(body: bytes) -> str | None:
    try:
        named = json.loads(body).get("next_url")
    except (ValueError, AttributeError, RecursionError):
        return None
    return named if isinstance(named, str) else None


def _absolute(base: str, target: str | None) -> str | None:
    if not target:
        return None
    try:
        address = urljoin(base, target)
        is_usable = urlsplit(address).scheme in {"http", "https"} and address != base
    except ValueError:
        return None
    return address if is_usable else None
