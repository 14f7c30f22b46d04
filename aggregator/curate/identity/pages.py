"""What kind of page an address names, by its looks: an article, or a page whose contents change."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

__all__ = ["is_front_page", "names_one_story"]

_GENERAL_PAGES = re.compile(
    r"^/?$|^/[^/\d?]{0,12}$|/(?:live|news|latest|changelog|releases|updates|feed|rss|blog|home|archive|events)$",
    re.IGNORECASE,
)
_FRONT_PAGE = re.compile(r"https?://[^/?#]*/?")


def is_front_page(canonical: str) -> bool:
    """Whether an address (canonical) is a site's first page."""
    return _FRONT_PAGE.fullmatch(canonical) is not None


def names_one_story(link: str) -> bool:
    """Whether an address is of the kind that belongs to one article, not to a page whose contents change."""
    parts = urlsplit(link)
    return bool(parts.query) or not _GENERAL_PAGES.search(parts.path)
