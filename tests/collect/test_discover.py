from __future__ import annotations

import asyncio
import tarfile
from pathlib import Path

import pytest
from origin import Answer, Origin, rss

from aggregator.collect.discover import FoundFeed, discover, find_feeds
from aggregator.collect.fetch import Fetcher, FetchLimits, PrefetchedResponse, Response
from aggregator.collect.fetch.types import Hop
from aggregator.collect.guard import Guard
from aggregator.errors import FetchError, ParseError
from aggregator.model import Document, FeedInfo, ParsedFeed

URL = "http://site.example/blog/"
PAGE = b"""<!DOCTYPE html><html><head>
<link rel="stylesheet" href="/a.css">
<link rel="alternate" type="application/rss+xml" title="Comments on this" href="/comments/feed">
<LINK REL='x ALTERNATE' TYPE="Application/Atom+XML; charset=utf-8" TITLE="News &amp; views" HREF="feed.atom#x">
<link rel=alternate type=application/feed+json href=//cdn.example/feed.json>
<link rel="alternate" type="application/rss+xml" href="feed:https://site.example/rss">
<link rel="alternate" type="application/atom+xml" href="feed.atom">
<link rel="alternate" type="application/json" href="/wp-json/1">
<link rel="alternate" hreflang="de" href="/de"><link rel="alternate" type="application/rss+xml">
<link rel="alternate" type="application/rss+xml" href="javascript:1">
<link rel="alternate" type="application/rss+xml" href="http://[">
<!-- <link rel="alternate" type="application/rss+xml" href="/commented-out"> -->
</head><body>Hello</body></html>"""


class FakeParser:
    """Takes whatever looks like RSS for a feed."""

    async def parse(self, document: Document) -> ParsedFeed:
        if b"<rss" not in document.body:
            raise ParseError("not-a-feed", "not a feed")
        return ParsedFeed(version="rss20", info=FeedInfo(title="A feed"), entries=())


def look(url: str) -> list[FoundFeed]:
    async def run() -> list[FoundFeed]:
        fetcher = Fetcher(FetchLimits(), Guard(["127.0.0.1/32"]), "aggregator/0.1")
        try:
            return await discover(fetcher, FakeParser(), url)
        finally:
            await fetcher.close()

    return asyncio.run(run())


@pytest.mark.parametrize("odd", [b"<![\xef?DATA[x]]>", b"<![if x]>", b"<![endif]>", b"<!x", b"<![", b"<?php"])
def test_malformed_declarations_cost_nothing_but_themselves(odd: bytes) -> None:
    page = b"<html><head>" + odd + b"\n" + PAGE
    assert len(find_feeds(page, URL)) == 4


def test_declared_feeds_in_order_each_once_comments_last() -> None:
    assert find_feeds(PAGE, URL) == [
        FoundFeed(url="http://site.example/blog/feed.atom", title="News & views", type="Atom"),
        FoundFeed(url="http://cdn.example/feed.json", type="JSON Feed"),
        FoundFeed(url="https://site.example/rss", type="RSS"),
        FoundFeed(url="http://site.example/comments/feed", title="Comments on this", type="RSS"),
    ]


def test_base_is_respected() -> None:
    page = b'<html><base href="/elsewhere/"><link rel=alternate type=application/rss+xml href=feed>'
    assert [found.url for found in find_feeds(page, URL)] == ["http://site.example/elsewhere/feed"]


@pytest.mark.parametrize(
    "junk", [b"<" * 99_999, b"<!--" * 50_000, b'<link a="' * 50_000, b"\xff\xfe\0", b"", b"&#" * 9999]
)
def test_hostile_pages(junk: bytes) -> None:
    assert find_feeds(junk, URL) == []


def test_a_feed_is_one_request() -> None:
    with Origin() as origin:
        url = origin.on("/feed", Answer(body=rss("One")))
        assert look(url) == [FoundFeed(url=url, title="A feed", type="rss20")]
        assert len(origin.requests) == 1


def test_a_page_is_one_request_too() -> None:
    with Origin() as origin:
        origin.on("/", Answer(status=302, headers={"Location": "/blog/"}))
        origin.on("/blog/", Answer(body=PAGE))
        assert look(origin.url("/"))[0].url == origin.url("/blog/feed.atom")
        assert len(origin.requests) == 2


def test_a_feed_that_moved_for_good_is_named_by_its_new_address() -> None:
    with Origin() as origin:
        origin.on("/old", Answer(status=301, headers={"Location": "/new"}))
        origin.on("/now", Answer(status=302, headers={"Location": "/new"}))
        origin.on("/new", Answer(body=rss("One")))
        assert look(origin.url("/old"))[0].url == origin.url("/new")
        assert look(origin.url("/now"))[0].url == origin.url("/now")


@pytest.mark.parametrize(
    ("typed", "moved_to", "followed"),
    [
        ("https://a.example/feed", "http://a.example/feed", "https://a.example/feed"),
        ("http://a.example/feed", "https://a.example/feed", "https://a.example/feed"),
    ],
)
def test_https_is_not_given_up_when_a_feed_is_added(typed: str, moved_to: str, followed: str) -> None:
    hops = (Hop(status=301, url=typed),)
    answer = Response(url=moved_to, body=rss("One"), hops=hops, permanent_target=moved_to)
    (found,) = asyncio.run(discover(PrefetchedResponse(answer), FakeParser(), typed))
    assert found.url == followed
    assert found.answer is not None
    assert (found.answer.permanent_target is None) == (followed == moved_to)


def test_neither_feed_nor_page() -> None:
    with Origin() as origin:
        assert look(origin.on("/page", Answer(body=b"<html>no feeds here"))) == []
        with pytest.raises(ParseError):
            look(origin.on("/text", Answer(body=b"hello")))
        with pytest.raises(FetchError, match="404"):
            look(origin.url("/nowhere"))


@pytest.mark.data
def test_the_pages_of_the_feed_validator(shared_data: Path) -> None:
    """53 pages, each with one feed that is named after it."""
    seen = 0
    with tarfile.open(shared_data / "conformance" / "feedvalidator.tar.xz") as archive:
        for member in archive:
            name = Path(member.name)
            if "feedfinder-tests" in member.name and name.name.startswith("html4-") and name.suffix == ".html":
                content = archive.extractfile(member)
                assert content is not None
                found = find_feeds(content.read(), f"http://site.example/tests/{name.name}")
                assert [Path(feed.url).name for feed in found] == [f"{name.stem}.xml"], name.name
                seen += 1
    assert seen >= 50
