"""A web page → its feeds. One request in all: what was fetched to look at is what is parsed.

Only what a page declares counts (``<link rel="alternate">``, the ``Link`` header); no paths are guessed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import unescape
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from aggregator.collect.decision import is_downgrade
from aggregator.collect.fetch import NotModified, Response, SupportsGet
from aggregator.collect.fetch.headers import link_values
from aggregator.errors import FetchError, ParseError
from aggregator.model import Document, ParsedFeed

__all__ = ["FoundFeed", "discover", "find_feeds", "find_tag", "tag_attributes"]

_TYPES = {
    "application/atom+xml": "Atom",
    "application/rss+xml": "RSS",
    "application/rdf+xml": "RSS",
    "application/feed+json": "JSON Feed",
}
#: types that are none, and that only feeds are given: text/rss+xml, application/x-atom, application/json+feed
_MISTYPED = re.compile(r"(?:application|text)/(?:x[.-])?[\w.-]*?(rss|atom|rdf|json[+.-]feed|feed[+.-]json)[\w.+-]*")
_NAMED = {"rss": "RSS", "rdf": "RSS", "atom": "Atom"}
#: types of anything, and none: their links are feeds where title or address says so
_LOOSE_TYPES = {
    "application/json": "JSON Feed",
    "application/xml": "XML",
    "text/xml": "XML",
    "": "feed",
}
_SAYS_FEED = re.compile(r"feed(?!back)|rss|atom(?!ic)|\brdf\b", re.IGNORECASE)
#: WordPress declares its programming interface with a feed's address in it
_NO_FEED = re.compile(r"wp-json|oembed", re.IGNORECASE)
_COMMENTS = re.compile(
    r"comment|komment|coment|комментар|コメント|评论|評論|댓글|yorum|reacties|kommentit|komentar", re.IGNORECASE
)
_MAX_FEEDS = 50
#: what matters of a page; within comments and scripts nothing is declared
_MARKUP = re.compile(r"<(!--|(?:script|style|textarea|template|title)\b|(?:link|base)\b)", re.IGNORECASE)
_NICKNAME = re.compile(r"feed:(?://)?", re.IGNORECASE)
_COMMENT_END = re.compile("--!?>")
#: a tag that is longer is none
_MAX_TAG_CHARS = 8192
#: tags that could declare a feed; a page with more is made to be slow
MAX_LINKS = 2000
_TAG_END = re.compile(r"""(?:[^<>"']++|"[^"]*+"|'[^']*+')*+>""")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>`]+)))?""")


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
        found = await asyncio.to_thread(find_feeds, answer.body, answer.url, answer.link or "")
        if found or _is_page(answer.body):
            return found
        raise
    moved_to = answer.permanent_target
    found_at = moved_to if moved_to and not is_downgrade(url, moved_to) else url
    answer = replace(answer, hops=(), permanent_target=None) if found_at == moved_to else answer
    return [FoundFeed(url=found_at, title=feed.info.title, type=feed.version, answer=answer)]


def find_feeds(html: bytes, url: str, link_header: str = "") -> list[FoundFeed]:
    """The feeds that the page at `url` declares, in its order, those of its header first and of comments last."""
    headers = ({**link.parameters, "href": link.target} for link in link_values(link_header))
    unique: dict[str, FoundFeed] = {}
    for found in (*_declared(headers, url), *_declared(_links(_text(html)), url)):
        unique.setdefault(found.url, found)
    return sorted(unique.values(), key=_is_comments)[:_MAX_FEEDS]


def _text(html: bytes) -> str:
    """Good enough for markup, which is ASCII in all encodings but UTF-16."""
    if html.startswith((b"\xff\xfe", b"\xfe\xff")):
        return html.decode("utf-16", "replace")
    zeros = html[:4].find(b"\0")  # none in what is ASCII by the byte
    return html.decode("utf-8" if zeros < 0 else "utf-16-le" if zeros % 2 else "utf-16-be", "replace")


def _links(html: str) -> Iterator[dict[str, str]]:
    """The attributes of each ``<link>`` and ``<base>``. Linear in the length of the page, whatever stands in it."""
    at = links = 0
    while links < MAX_LINKS and (found := _MARKUP.search(html, at)) is not None:
        name, at = found[1].lower(), found.end()
        links += name in {"link", "base"}
        if name == "!--":
            end = _COMMENT_END.search(html, at - 2)  # <!--> is a whole one
            at = end.end() if end else -1
        elif name not in {"link", "base"}:
            end = re.compile(f"</{name}", re.IGNORECASE).search(html, at)
            at = end.end() if end else -1
        elif (tag := find_tag(html, at)) is not None:
            at += len(tag)
            yield {"": name, **tag_attributes(tag)}
        if at < 0:
            return


def find_tag(text: str, at: int) -> str | None:
    """The rest of the tag whose name ends at `at`; None: it has no end, or is so long that it is none."""
    found = _TAG_END.match(text, at, at + _MAX_TAG_CHARS)
    return None if found is None else found[0]


def tag_attributes(tag: str) -> dict[str, str]:
    """The attributes of a tag, their names in lower case; of two of a name the first."""
    values: dict[str, str] = {}
    for name, *quoted in _ATTRIBUTE.findall(tag):
        values.setdefault(name.lower(), unescape("".join(quoted)).strip())
    return values


def _declared(links: Iterator[dict[str, str]], base: str) -> Iterator[FoundFeed]:
    """The links that are feeds, resolved against ``<base>``."""
    for link in links:
        address = _joined(base, link.get("href", ""))
        if address is None:
            continue
        if link.get("") == "base":
            base = address
            continue
        kind = _kind(link, address)
        if kind is not None:
            yield FoundFeed(url=address, title=link.get("title", ""), type=kind)


def _kind(link: dict[str, str], address: str) -> str | None:
    """What kind of feed a link leads to; None: to something else."""
    relations = link.get("rel", "").lower().split()
    if not {"alternate", "feed"} & set(relations) or "stylesheet" in relations:
        return None
    declared = link.get("type", "").partition(";")[0].strip().lower()
    if declared in _TYPES:
        return _TYPES[declared]
    if (named := _MISTYPED.fullmatch(declared)) is not None:
        return _NAMED.get(named[1], "JSON Feed")
    if declared not in _LOOSE_TYPES or _NO_FEED.search(address):
        return None
    parts = urlsplit(address)
    says_feed = _SAYS_FEED.search(link.get("title", "")) or _SAYS_FEED.search(f"{parts.path}?{parts.query}")
    return _LOOSE_TYPES[declared] if says_feed or "feed" in relations else None


def _joined(base: str, href: str) -> str | None:
    """`href` as an absolute http address; None: it is none. ``feed:`` is a nickname that browsers once knew."""
    if (nickname := _NICKNAME.match(href)) is not None:
        href = href[nickname.end() :]
        href = href if href.lower().startswith(("http:", "https:")) else f"http://{href}"
    try:
        address = urljoin(base, href)
        usable = urlsplit(address).scheme in {"http", "https"} and urlsplit(address).hostname
    except ValueError:
        return None
    return address.partition("#")[0] if href and usable else None


def _is_comments(found: FoundFeed) -> bool:
    return bool(_COMMENTS.search(found.title) or "/comments/" in urlsplit(found.url).path)


def _is_page(body: bytes) -> bool:
    start = _text(body[:4096]).lower()
    return "<html" in start or "<!doctype html" in start
