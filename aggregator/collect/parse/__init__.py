"""Bytes → ParsedFeed, in a child process that can be killed.

The parent never loads feedparser or nh3: `ParsePool` talks to children, which run `parse_sync`; `TwoTierParsePool` has
two kinds of them, so that slow documents do not delay the others.
"""

from __future__ import annotations

from aggregator.collect.parse.pool import ParsePool, TwoTierParsePool
from aggregator.model import Document, ParsedFeed

__all__ = ["ParsePool", "TwoTierParsePool", "parse_sync"]


def parse_sync(document: Document) -> ParsedFeed:
    """`document` as a feed, parsed in this process: for the child, for tests, for tools; not for the daemon.

    A page (`is_article`) becomes a feed whose only entry is its article; ParseError: no-article, no-extractor. Else
    raises ParseError; its codes: empty-body, not-a-feed, bad-json, xml-entity, parse-failed.
    """
    if document.is_article:
        from aggregator.collect.parse.article import parse_article

        return parse_article(document)
    from aggregator.collect.parse.document import parse_document

    return parse_document(document)
