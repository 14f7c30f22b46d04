"""Bytes → ParsedFeed, in a child process that can be killed.

The parent never loads feedparser or nh3: `ParseWorkers` talks to children, which run `parse_sync`; `ParseLanes` has two
kinds of them, so that slow documents keep no others waiting.
"""

from __future__ import annotations

from aggregator.collect.parse.lanes import ParseLanes
from aggregator.collect.parse.workers import ParseWorkers
from aggregator.model import Document, ParsedFeed

__all__ = ["ParseLanes", "ParseWorkers", "parse_sync"]


def parse_sync(document: Document) -> ParsedFeed:
    """`document` as a feed, parsed in this process: for the child, for tests, for tools; not for the daemon.

    Raises ParseError; its codes: empty-body, not-a-feed, bad-json, xml-entity, parse-failed.
    """
    from aggregator.collect.parse.document import parse_document

    return parse_document(document)
