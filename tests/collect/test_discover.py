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


def links_of(*links: str, header: str = "") -> list[str]:
    page = f"<!doctype html><html><head>{''.join(links)}</head></html>".encode()
    return [
        found.url.removeprefix("http://site.example/") for found in find_feeds(page, "http://site.example/", header)
    ]


@pytest.mark.parametrize(
    "link",
    [
        '<link rel="alternate" type="application/json" title="JSON Feed" href="/x">',
        '<link rel="alternate" type="application/json" href="/updates/feed.json">',
        '<link rel="alternate" type="application/xml" title="Neue Artikel (RSS)" href="/x">',
        '<link rel="alternate" type="text/xml; charset=utf-8" href="/x?format=atom">',
        '<link rel="alternate" type="application/rss&#43;xml" href="/x">',
        '<link rel="alternate" type="application/rss-xml" title="RSS" href="/x">',
        '<link rel="alternate" title="Our feed" href="/x">',
        '<link rel="feed" href="/x">',
        '<link rel="alternate" type="text/rss+xml" href="/x">',
        '<link rel="alternate" type="application/x-atom+xml" href="/x">',
        '<link rel="alternate" type="application/json+feed" href="/x">',
        '<link rel="alternate" type="application/rss+xml" href="FEED://site.example/x">',
        '<!--><link rel="alternate" type="application/rss+xml" href="/x">',
        '<!-- a --!><link rel="alternate" type="application/rss+xml" href="/x">',
        "<link rel=alternate type='application/atom+xml' href=/x>",
        "<link\nrel='home alternate'\ntype = 'application/rss+xml'\nhref = '/x' />",
    ],
)
def test_a_link_to_a_feed_is_found(link: str) -> None:
    assert len(links_of(link)) == 1


@pytest.mark.parametrize(
    "link",
    [
        '<link rel="alternate" type="application/json" title="JSON" href="/wp-json/wp/v2/posts?feed=1">',
        '<link rel="alternate" type="application/json+oembed" title="oEmbed" href="/feed">',
        '<link rel="alternate" type="text/xml" title="Feed" href="/oembed/1.0?format=xml">',
        '<link rel="alternate" type="application/xml" title="Sitemap" href="/sitemap.xml">',
        '<link rel="alternate" type="application/json" title="Send feedback" href="/feedback">',
        '<link rel="alternate" type="text/html" title="RSS feed" href="/feed">',
        '<link rel="alternate stylesheet" title="RSS" href="/rss.css">',
        '<link rel="alternate" hreflang="fr" href="/fr/">',
        '<link rel="alternate" type="application/activity+json" href="/@feed">',
        '<link rel="alternate" type="application/x-wiki" title="Edit" href="/x">',
        '<script>x = \'<link rel="alternate" type="application/rss+xml" href="/x">\'</script>',
        '<template><link rel="alternate" type="application/rss+xml" href="/x"></template>',
        '<link rel="alternate" type="application/rss+xml" href="/x"' + " a=b" * 5000 + ">",
    ],
)
def test_a_link_to_something_else_is_not(link: str) -> None:
    assert links_of(link) == []


def test_feeds_of_comments_come_last_in_many_languages() -> None:
    titles = ["Kommentar-Feed", "Flux des commentaires", "Комментарии", "Articles"]
    links = (f'<link rel=alternate type=application/rss+xml title="{title}" href="/{title}">' for title in titles)
    assert links_of(*links)[0] == "Articles"


def test_the_link_header_declares_feeds_as_well() -> None:
    header = (
        '</a.css>; rel=stylesheet, <feed.xml>; title="x, y"; rel="alternate"; type="application/atom+xml", '
        "</wp-json/>; rel=alternate; type=application/json, <https://hub.example/>; rel=hub"
    )
    assert links_of(header=header) == ["feed.xml"]
    link = '<link rel="alternate" type="application/rss+xml" href="/rss">'
    assert links_of(link, header=header) == ["feed.xml", "rss"]


def test_a_link_behind_half_a_megabyte_is_found() -> None:
    script = "<script>" + "var a = 1;" * 80_000 + "</script>"
    assert links_of(script, '<link rel="alternate" type="application/rss+xml" href="/late">') == ["late"]


def test_the_header_of_an_answer_is_read() -> None:
    with Origin() as origin:
        headers = {"Link": '</news.xml>; rel="alternate"; type="application/rss+xml"'}
        url = origin.on("/", Answer(body=b"<html><body>hello</body></html>", headers=headers))
        assert [found.url for found in look(url)] == [origin.url("/news.xml")]


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
