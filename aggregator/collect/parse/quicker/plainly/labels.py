"""Rules for categories, pictures and counts, and for what nobody wants."""

from __future__ import annotations

from aggregator.collect.parse.quicker.bounds import MAX_TAGS
from aggregator.collect.parse.quicker.plainly.found import Attributes, Found, Rule, Unusual, address, stripped, top_only

__all__ = [
    "category",
    "counted",
    "itunes_category",
    "itunes_image",
    "itunes_keywords",
    "media_category",
    "media_content",
    "nothing",
    "restart_title",
    "thumbnail",
]

_ITUNES = "http://www.itunes.com/"
_MEDIA_CATEGORIES = "http://search.yahoo.com/mrss/category_schema"
Tags = list[list[str | None]]


def category(found: Found, attributes: Attributes, text: str) -> None:
    """A term, or a text, under which it is filed."""
    if attributes:
        scheme = attributes.get("scheme", attributes.get("domain"))
        _tag(found, attributes.get("term"), scheme, attributes.get("label"), text)
    else:
        _tag(found, None, None, None, text)


def media_category(found: Found, attributes: Attributes, text: str) -> None:
    """The same of Media RSS."""
    attributes.setdefault("scheme", _MEDIA_CATEGORIES)
    category(found, attributes, text)


def itunes_category(found: Found, attributes: Attributes, text: str) -> None:
    """The same of Apple's."""
    _tag(found, attributes.get("text"), _ITUNES, None, text)


def _tag(found: Found, term: str | None, scheme: str | None, label: str | None, text: str) -> None:
    """feedparser: the text is the term of the tag that was given last, if that has none."""
    tags = found.tags
    if term or scheme or label:
        _put_tag(tags, term, scheme, label)
    if not (text := stripped(text)):
        return
    if tags and not tags[-1][0]:
        tags[-1][0] = text
    else:
        _put_tag(tags, text, None, None)


def _put_tag(tags: Tags, term: str | None, scheme: str | None, label: str | None) -> None:
    if len(tags) < MAX_TAGS and (tag := [term, scheme, label]) not in tags:
        tags.append(tag)


def itunes_keywords(found: Found, attributes: Attributes, text: str) -> None:
    """Several of them, parted by commas."""
    if attributes:
        raise Unusual
    for term in stripped(text).split(","):
        if term.strip():
            _put_tag(found.tags, term.strip(), _ITUNES, None)


def media_content(found: Found, attributes: Attributes, _text: str) -> None:
    """A file that belongs to the entry; elements about it may stand in it."""
    found.media.append(attributes)


def thumbnail(found: Found, attributes: Attributes, text: str) -> None:
    """A small picture, its address an attribute or the text."""
    if text := address(found, text):
        attributes.setdefault("url", text)
    found.thumbnails.append(attributes)


def itunes_image(found: Found, attributes: Attributes, _text: str) -> None:
    """A picture."""
    found.image = attributes.get("href") or attributes.get("url") or found.image


def restart_title(found: Found, _attributes: Attributes, _text: str) -> None:
    """feedparser: behind a source or a picture another title may come."""
    found.title_seen = -1


def counted(key: str) -> Rule:
    """The rule for what an entry reports of itself under this key."""

    def count(found: Found, attributes: Attributes, text: str) -> None:
        if not attributes:
            top_only(found)
        found.reports[key] = attributes or stripped(text)

    return count


def nothing(_found: Found, _attributes: Attributes, _text: str) -> None:
    """Not wanted."""
