"""Rules for elements with words: titles, summaries, contents."""

from __future__ import annotations

from collections.abc import Callable

from feedparser.mixin import _FeedParserMixin

from aggregator.collect.parse.quicker.plainly.found import HTML, PLAIN, Attributes, Found, Unusual
from aggregator.collect.parse.quicker.values import mended

__all__ = ["content", "description", "encoded", "media_title", "summary", "title", "unread"]

_KINDS = {"text": PLAIN, "plain": PLAIN, "html": HTML, PLAIN: PLAIN, HTML: HTML}

_looks_like_html: Callable[[str], bool] = _FeedParserMixin.looks_like_html


def _words(found: Found, attributes: Attributes, text: str, kind: str) -> tuple[str, str]:
    """(kind, text) of an element with words."""
    if attributes:
        kind = _KINDS.get(attributes.get("type", kind).lower(), "")
        if not kind or "mode" in attributes or "src" in attributes:
            raise Unusual
    text = text.strip()
    # feedparser: what says that it is plain, and looks like HTML, is HTML; but not in Atom
    if kind == PLAIN and not found.is_atom and ("</" in text or "&" in text) and _looks_like_html(text):
        kind = HTML
    return kind, text if text.isascii() else mended(text)


def title(found: Found, attributes: Attributes, text: str) -> None:
    """feedparser: a title is not replaced by one behind it, at its depth or deeper."""
    kind, text = _words(found, attributes, text, PLAIN)
    if not -1 < found.title_seen <= found.depth:
        if found.title_depth is None or found.depth <= found.title_depth:
            found.title, found.title_depth = text, found.depth
        found.title_kind = kind
    if text:
        found.title_seen = found.depth


def media_title(found: Found, attributes: Attributes, text: str) -> None:
    """feedparser: it may become the title, but keeps no other from becoming it."""
    seen = found.title_seen
    title(found, attributes, text)
    found.title_seen = seen


def description(found: Found, attributes: Attributes, text: str) -> None:
    """feedparser: the second of them is the content."""
    if found.summary is not None and not found.has_content:
        content(found, attributes, text)
    else:
        _put_summary(found, *_words(found, attributes, text, HTML))


def summary(found: Found, attributes: Attributes, text: str) -> None:
    """The same, plain where nothing else is said."""
    if found.summary is not None and not found.has_content:
        content(found, attributes, text)
    else:
        _put_summary(found, *_words(found, attributes, text, PLAIN))


def _put_summary(found: Found, kind: str, text: str) -> None:
    if found.summary_depth is None or found.depth <= found.summary_depth:
        found.summary, found.summary_depth = text, found.depth
    found.summary_kind = kind


def content(found: Found, attributes: Attributes, text: str) -> None:
    """`content` of Atom. feedparser: it begins twice and ends once, which spoils the text of what it stands in."""
    if found.person is not None:
        raise Unusual
    _put_content(found, *_words(found, attributes, text, PLAIN))


def encoded(found: Found, attributes: Attributes, text: str) -> None:
    """Content that is HTML."""
    _put_content(found, *_words(found, attributes, text, HTML))


def _put_content(found: Found, kind: str, text: str) -> None:
    found.has_content = True
    if found.content is None or len(text) > len(found.content[1]):
        found.content = kind, text
    if found.summary is None:
        found.summary = text


def unread(found: Found, attributes: Attributes, text: str) -> None:
    """Words that nobody wants, which have to be of the usual kind all the same."""
    _words(found, attributes, text, PLAIN)
