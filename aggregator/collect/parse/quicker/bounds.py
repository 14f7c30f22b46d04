"""Where feedparser's time grows with the square of what a stranger sends, what it looks at has an end (HOSTILE X3-X5).

No feed that is meant to be read comes near these bounds; of one that goes beyond, the entries are read all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from feedparser.mixin import _FeedParserMixin

__all__ = ["MAX_AUTHOR_CHARS", "MAX_TAGS", "bounded", "set_bounds"]

#: of what an author element says: an e-mail address is searched for in it, from each of its characters
MAX_AUTHOR_CHARS = 300
#: categories of an entry, each of which is compared with all before it; and of the feed, which there is one of
MAX_TAGS, _MAX_FEED_TAGS = 64, 1000
#: attributes of an element: each is looked for among all
_MAX_ATTRIBUTES = 256

_sync_author_detail = _FeedParserMixin._sync_author_detail  # noqa: SLF001 - what is bounded has no public name
_add_tag = _FeedParserMixin._add_tag  # noqa: SLF001


def set_bounds() -> None:
    """Puts the bounds in. May be called twice."""
    _FeedParserMixin._sync_author_detail = _short_author  # noqa: SLF001
    _FeedParserMixin._add_tag = _few_tags  # noqa: SLF001


def bounded(attributes: Mapping[str, str]) -> Mapping[str, str]:
    """The first of an element's attributes; nearly always all of them."""
    return attributes if len(attributes) <= _MAX_ATTRIBUTES else dict(islice(attributes.items(), _MAX_ATTRIBUTES))


def _short_author(parser: Any, key: str = "author") -> None:
    context = parser._get_context()  # noqa: SLF001
    author = dict.get(context, key)
    if author and len(author) > MAX_AUTHOR_CHARS:
        context[key] = author[:MAX_AUTHOR_CHARS]
    _sync_author_detail(parser, key)


def _few_tags(parser: Any, term: Any, scheme: Any, label: Any) -> None:
    most = MAX_TAGS if parser.inentry else _MAX_FEED_TAGS
    if len(dict.get(parser._get_context(), "tags") or ()) < most:  # noqa: SLF001
        _add_tag(parser, term, scheme, label)
