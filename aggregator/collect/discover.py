"""A web page → its feeds. One request in all: what was fetched to look at is what is parsed.

Only what a page declares counts (``<link rel="alternate">``); no paths are guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from aggregator.collect.decision import is_downgrade
from aggregator.collect.fetch import NotModified, Response, SupportsGet
from aggregator.errors import FetchError, ParseError
from aggregator.model import Document, ParsedFeed

__all__ = ["FoundFeed", "discover", "find_feeds"]

_TYPES = {
    "application/atom+xml": "Atom",
    "application/rss+xml": "RSS",
    "application/rdf+xml": "RSS",
    "application/feed+json": "JSON Feed",
}
#: links stand in the head; pages are strangers' work, and the parser's effort grows with what it is given
_MAX_PAGE_BYTES = 512 * 1024
_MAX_FEEDS = 50


class Parser(Protocol):
    """Whatever makes feeds of documents."""

    async def parse(self, document: Document) -> ParsedFeed:
        """The feed in `document`. Raises ParseError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFeed:
    """A feed that can be subscribed to."""

    url: str
    title: str = ""
    #: Atom, RSS, JSON Feed, or the version the parser names
    type: str = ""
    #: what was fetched, if that was this feed; None: it was a page that declares it
    answer: Response | None = field(default=None, compare=False, repr=False)


async def discover(fetcher: SupportsGet, parser: Parser, url: str) -> list[FoundFeed]:
    """The feed at `url`, or the feeds that the page there declares, best first; none: the page declares none.

    Raises FetchError, and ParseError if there is neither a feed nor a page.
    """
    answer = await fetcher.get(url)
    if isinstance(answer, NotModified):  # nothing was held, so nothing can be current
        raise FetchError("http-304", f"{urlsplit(url).hostname} says “not modified” to a first request", status=304)
    try:
        feed = await parser.parse(answer.document)
    except ParseError:
        found = await asyncio.to_thread(find_feeds, answer.body, answer.url)
        if found or _is_page(answer.body):
            return found
        raise
    moved_to = answer.permanent_target
    found_at = moved_to if moved_to and not is_downgrade(url, moved_to) else url
    answer = replace(answer, hops=(), permanent_target=None) if found_at == moved_to else answer
    return [FoundFeed(url=found_at, title=feed.info.title, type=feed.version, answer=answer)]


def find_feeds(html: bytes, url: str) -> list[FoundFeed]:
    """The feeds that the page at `url` declares, in its order, feeds of comments last."""
    links = _Links(url)
    links.feed(_text(html[:_MAX_PAGE_BYTES]))
    unique: dict[str, FoundFeed] = {}
    for found in links.found:
        unique.setdefault(found.url, found)
    return sorted(unique.values(), key=_is_comments)[:_MAX_FEEDS]


def _text(html: bytes) -> str:
    """Good enough for markup, which is ASCII in all encodings but UTF-16."""
    is_wide = html.startswith((b"\xff\xfe", b"\xfe\xff"))
    return html.decode("utf-16" if is_wide else "utf-8", "replace")


class _Links(HTMLParser):
    """Collects ``<link rel="alternate" type="a feed's">``, resolved against ``<base>``."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._base = url
        self.found: list[FoundFeed] = []

    def parse_marked_section(self, i: int, report: bool = True) -> int:  # noqa: ARG002 - as inherited
        """Skips ``<![…>``, which holds no link; the inherited reading of malformed ones raises."""
        end = self.rawdata.find(">", i)
        return end + 1 if end >= 0 else -1

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Called by the parser for each opening tag."""
        values = {name: (value or "").strip() for name, value in attrs}
        if tag == "base" and "href" in values:
            self._base = _joined(self._base, values["href"]) or self._base
        elif tag == "link" and "alternate" in values.get("rel", "").lower().split():
            self._take(values)

    def _take(self, values: dict[str, str]) -> None:
        kind = _TYPES.get(values.get("type", "").partition(";")[0].strip().lower())
        address = _joined(self._base, values.get("href", ""))
        if kind and address:
            self.found.append(FoundFeed(url=address, title=values.get("title", ""), type=kind))


def _joined(base: str, href: str) -> str | None:
    """`href` as an absolute http address; None: it is none. ``feed:`` is a nickname that browsers once knew."""
    for nickname in ("feed://", "feed:"):
        if href.startswith(nickname):
            href = href.removeprefix(nickname)
            href = href if href.startswith("http") else f"http://{href}"
    try:
        address = urljoin(base, href)
        usable = urlsplit(address).scheme in {"http", "https"} and urlsplit(address).hostname
    except ValueError:
        return None
    return address.partition("#")[0] if href and usable else None


def _is_comments(found: FoundFeed) -> bool:
    return "comment" in found.title.lower() or "/comments/" in urlsplit(found.url).path


def _is_page(body: bytes) -> bool:
    start = _text(body[:4096]).lower()
    return "<html" in start or "<!doctype html" in start
