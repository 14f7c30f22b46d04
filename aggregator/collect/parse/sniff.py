"""What a document is that is no feed, in words that help whoever subscribed to it."""

from __future__ import annotations

import html
import re
from typing import Literal, NoReturn

from aggregator.collect.clean import clean_line, safe_url
from aggregator.errors import ParseError

__all__ = ["embedded_feed", "kind_of", "refuse"]

Kind = Literal["xml", "json", "html", "empty", "other"]

_HTML = re.compile(
    r"\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html|head|body|meta|title|script)\b", re.IGNORECASE | re.DOTALL
)
_FEED_START = re.compile(r"<(?:[\w-]{1,20}:)?(?:rss|rdf|feed|channel)[\s>]", re.IGNORECASE)
#: a feed's own start tag in a page; RDF is not looked for, as pages hold it in comments for other purposes
_EMBEDDED = re.compile(r"<(feed|rss)\s(?=[^<>]*(?:http://www\.w3\.org/2005/Atom|\bversion\s*=))[^<>]*>")
_LINK = re.compile(r"<link\b[^>]{0,1000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-z]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)
_FEED_TYPE = re.compile(r"application/(?:rss|atom|rdf)\+xml|application/(?:feed\+)?json", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]{0,200}>(.{0,300}?)</title", re.IGNORECASE | re.DOTALL)
#: of a page that is searched for its feeds
_LOOK_CHARS = 256 * 1024


def kind_of(text: str) -> Kind:
    """What `text` starts like; ``xml`` says nothing about being a feed."""
    start = text[:4096].lstrip("\ufeff \t\r\n")
    if not start:
        return "empty" if not text.strip("\ufeff \t\r\n\x00") else "other"
    if start[0] in "{[":
        return "json"
    if _HTML.match(start) and not _FEED_START.search(text[:_LOOK_CHARS]):
        return "html"
    return "xml" if text.find("<", 0, 65536) >= 0 else "other"


def embedded_feed(text: str) -> str | None:
    """The feed that stands inside a web page: what is left when a site puts its feed through its page templates."""
    found = _EMBEDDED.search(text)
    if found is None:
        return None
    end_tag = f"</{found[1]}>"
    end = text.rfind(end_tag)
    return text[found.start() : end + len(end_tag)] if end > found.end() else None


def refuse(text: str, url: str, *, root: str = "") -> NoReturn:
    """Raises the ParseError that says what came instead of a feed, and where one may be."""
    if kind_of(text) == "empty":
        raise ParseError("empty-body", "The answer is empty.")
    if root == "opml":
        raise ParseError("not-a-feed", "This is an OPML list of feeds; `aggregator import` takes its feeds over.")
    if root in {"urlset", "sitemapindex"}:
        raise ParseError("not-a-feed", "This is a sitemap for search engines, not a feed.")
    page = kind_of(text) == "html" or root in {"html", "head", "body"}
    raise ParseError("not-a-feed", _about_page(text, url) if page else _about_other(text, root))


def _about_page(text: str, url: str) -> str:
    title = _TITLE.search(text[:_LOOK_CHARS])
    name = clean_line(html.unescape(title[1]), graphemes=80) if title else ""
    said = f"This is a web page ({name}), not a feed." if name else "This is a web page, not a feed."
    feed = _advertised(text, url)
    return f"{said} It names a feed: {feed}" if feed else said


def _about_other(text: str, root: str) -> str:
    if root:
        return f"This is XML with the root element <{root[:40]}>, which is no feed format."
    return f"This is no feed; it starts with {text.lstrip()[:40]!r}."


def _advertised(text: str, url: str) -> str | None:
    """The first feed that a page names in its head."""
    for link in _LINK.findall(text[:_LOOK_CHARS]):
        attributes = {name.lower(): html.unescape(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(link)}
        rel = attributes.get("rel", "").lower().split()
        is_feed = "alternate" in rel and _FEED_TYPE.match(attributes.get("type", ""))
        if is_feed and (feed := safe_url(attributes.get("href"), url)):
            return feed[:300]
    return None
