"""Rules for what an entry is, where, when and by whom."""

from __future__ import annotations

from feedparser.mixin import _FeedParserMixin
from feedparser.util import FeedParserDict

from aggregator.collect.parse.quicker.bounds import MAX_AUTHOR_CHARS
from aggregator.collect.parse.quicker.plainly.found import (
    HTML,
    Attributes,
    Found,
    Unusual,
    address,
    stripped,
    top_only,
)
from aggregator.collect.parse.quicker.values import without_references

__all__ = ["author", "created", "enclosure", "guid", "language", "link", "name", "origlink", "published", "updated"]


def guid(found: Found, attributes: Attributes, text: str) -> None:
    """feedparser: an id that is an address is the link where there is no other."""
    top_only(found)
    if attributes.get("ispermalink", "true") != "true":
        found.guid = stripped(text)
        return
    found.guid = address(found, text)
    if found.link is None:
        found.link = found.guid


def link(found: Found, attributes: Attributes, text: str) -> None:
    """With attributes as in Atom, with text as in RSS."""
    rel = attributes.setdefault("rel", "alternate")
    kind = attributes.setdefault("type", "application/atom+xml" if rel == "self" else HTML)
    _with_href(attributes)
    found.links.append(attributes)
    if "href" in attributes:
        attributes["href"] = found.resolve(attributes["href"])
        if rel == "alternate" and kind in {HTML, "html", "xhtml", "application/xhtml+xml"}:
            found.link = attributes["href"]
        return
    found.link = without_references(address(found, text))
    if found.link:
        attributes["href"] = found.link


def _with_href(attributes: Attributes) -> None:
    """feedparser: an address may have three names."""
    href = attributes.get("url", attributes.get("uri", attributes.get("href")))
    if href:
        attributes.pop("url", None)
        attributes.pop("uri", None)
        attributes["href"] = href


def enclosure(found: Found, attributes: Attributes, _text: str) -> None:
    """A file that belongs to the entry."""
    _with_href(attributes)
    attributes["rel"] = "enclosure"
    found.links.append(attributes)


def origlink(found: Found, attributes: Attributes, text: str) -> None:
    """FeedBurner's record of the link before it was counted."""
    top_only(found)
    if attributes:
        raise Unusual
    found.origlink = stripped(text)


def published(found: Found, _attributes: Attributes, text: str) -> None:
    """When it came out."""
    top_only(found)
    found.published = stripped(text)


def created(found: Found, _attributes: Attributes, text: str) -> None:
    """When it was written."""
    top_only(found)
    found.created = stripped(text)


def updated(found: Found, _attributes: Attributes, text: str) -> None:
    """When it was changed last."""
    top_only(found)
    found.updated = stripped(text)


def language(found: Found, _attributes: Attributes, text: str) -> None:
    """What it is written in."""
    top_only(found)
    found.language = stripped(text)


def author(found: Found, _attributes: Attributes, text: str) -> None:
    """Who wrote it: a name, an address, or both."""
    top_only(found)
    found.author = stripped(text)[:MAX_AUTHOR_CHARS]
    if "@" not in found.author:
        found.authors.append(found.author)
        return
    detail = _Detail(found.author)
    detail.sync()
    found.authors.append(dict.get(detail.context["authors"][0], "name", ""))


class _Detail:
    """As much of feedparser's parser as taking the address out of an author needs."""

    def __init__(self, author: str) -> None:
        self.context = FeedParserDict(author=author, authors=[FeedParserDict()])

    def _get_context(self) -> FeedParserDict:
        return self.context

    def sync(self) -> None:
        """Parts name and address."""
        _FeedParserMixin._sync_author_detail(self)  # noqa: SLF001 - it has no public name


def name(found: Found, _attributes: Attributes, text: str) -> None:
    """The name of whoever the elements around it are about."""
    if found.person is not None:
        found.person = text.strip()
