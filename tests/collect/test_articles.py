"""Articles that new entries link to: `full_text = "fetch"`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest
from desk import HOUR, LIMITS, START, USER_AGENT, Desk
from origin import Answer, Origin

from aggregator.collect.articles import MAX_ARTICLES, ArticleReader
from aggregator.collect.fetch import Fetcher, FetchLimits
from aggregator.collect.fetch.dialer import AddressInfo
from aggregator.collect.guard import Guard
from aggregator.collect.parse import TwoTierParsePool, parse_sync
from aggregator.collect.robots import parse_robots
from aggregator.errors import ParseError
from aggregator.model import Document, Item, ParsedFeed, Scope, Subscription

PARAGRAPHS = (
    "The new bridge across the river was opened on Monday, three years after work began on its foundations.",
    "Some four thousand people walked across it in the first hour, the city said on the same afternoon.",
    "It replaces a ferry that had run since 1911 and that carried about two hundred cars a day at most.",
)
HTML = {"Content-Type": "text/html"}


def page(*paragraphs: str, extra: str = "", charset: str = "utf-8") -> bytes:
    text = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs or PARAGRAPHS)
    return (
        f"<html><head><meta charset={charset}><title>Bridge</title></head><body><nav><a href='/'>Home</a></nav>"
        f"<article><h1>The bridge is open</h1>{text}{extra}</article><footer>All rights reserved.</footer></body>"
    ).encode(charset)


def feed(*links: str, teaser: str = "A line only.") -> Answer:
    """A feed of entries with these links, newest first, an hour apart."""
    items = "".join(
        f"<item><guid>{number}</guid><title>Entry {number}</title><link>{link}</link><description>{teaser}"
        f"</description><pubDate>{(START - number * HOUR):%a, %d %b %Y %H:%M:%S} GMT</pubDate></item>"
        for number, link in enumerate(links, 1)
    )
    return Answer(body=f"<rss version='2.0'><channel><title>A</title>{items}</channel></rss>".encode())


def reader(allowed: tuple[str, ...] = ("127.0.0.0/8",)) -> ArticleReader:
    def fetcher(limits: FetchLimits, *networks: str) -> Callable[[], Fetcher]:
        return lambda: Fetcher(limits, Guard(networks), USER_AGENT, clock=lambda: START)

    return ArticleReader(
        lambda _: True,
        public_fetcher=fetcher(LIMITS),
        own_fetcher=fetcher(replace(LIMITS, max_hops=0), *allowed),
    )


@pytest.fixture
def full(desk: Desk) -> Desk:
    desk.articles = reader()
    return desk


def items(desk: Desk) -> dict[str, Item]:
    return {item.title: item for item in desk.store.latest(Scope(), limit=0)}


def follow(desk: Desk) -> None:
    desk.follow(Subscription(url=desk.origin.url("/feed"), full_text=True))


def test_a_new_entry_gets_the_text_of_its_article(full: Desk) -> None:
    full.origin.on("/feed", feed(full.origin.url("/bridge")))
    extra = "<script>alert(1)</script><p onclick='x()'>Read <a href='/more'>more of it</a>.</p>"
    full.origin.on("/bridge", Answer(body=page(extra=extra), headers=HTML))
    follow(full)
    full.once()
    item = items(full)["Entry 1"]
    assert all(paragraph in item.content_html for paragraph in PARAGRAPHS)
    assert f'href="{full.origin.url("/more")}"' in item.content_html
    assert not any(word in item.content_html for word in ("alert", "onclick", "Home", "All rights"))
    assert item.full_text
    assert item.text == "A line only."
    (asked,) = full.origin.asked("/bridge")
    assert asked.headers["accept"].startswith("text/html")
    assert asked.headers["user-agent"] == USER_AGENT


def test_an_article_is_requested_once(full: Desk) -> None:
    link = full.origin.url("/bridge")
    full.origin.on("/feed", feed(link), feed(link, teaser="Another line."), feed(link, link + "/2"))
    full.origin.on("/bridge", Answer(body=page(), headers=HTML))
    full.origin.on("/bridge/2", Answer(status=404))
    follow(full)
    for _ in range(3):
        full.skip_to(full.once())
    assert len(full.origin.asked("/bridge")) == len(full.origin.asked("/bridge/2")) == 1
    assert PARAGRAPHS[0] in items(full)["Entry 1"].content_html  # the edit of its line has not taken it away
    assert items(full)["Entry 2"].summary_html == "A line only."


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=404),
        Answer(status=500),
        Answer(body=b"%PDF-1.7", headers={"Content-Type": "application/pdf"}),
        Answer(body=b"<html><body></body></html>", headers=HTML),
        Answer(body=page("No."), headers=HTML),
        Answer(status=302, headers={"Location": "http://10.0.0.1/"}),
    ],
    ids=["404", "500", "pdf", "empty", "shorter", "redirect-to-private"],
)
def test_where_the_article_cannot_be_read_the_feeds_own_text_stays(full: Desk, answer: Answer) -> None:
    full.origin.on("/feed", feed(full.origin.url("/a"), teaser="A line that the feed has of its own, and no more."))
    full.origin.on("/a", answer)
    follow(full)
    result = full.once()
    assert (result.error, result.warnings) == (None, ())
    item = items(full)["Entry 1"]
    assert "A line that the feed has of its own, and no more." in (item.content_html or item.summary_html)
    assert len(full.origin.asked("/a")) == 1


def test_the_newest_ten_of_a_poll(full: Desk) -> None:
    links = [full.origin.url(f"/{number}") for number in range(1, 15)]
    full.origin.on("/feed", feed(*links))
    for number in range(1, 15):
        full.origin.on(f"/{number}", Answer(body=page(), headers=HTML))
    follow(full)
    full.once()
    assert [request.path for request in full.origin.requests[1:]] == ["/robots.txt"] + [
        f"/{n}" for n in range(1, MAX_ARTICLES + 1)
    ]
    assert PARAGRAPHS[0] in items(full)["Entry 10"].content_html
    assert PARAGRAPHS[0] not in items(full)["Entry 11"].content_html


@pytest.mark.parametrize(
    ("robots", "is_read"),
    [
        (Answer(body=b"User-agent: *\nDisallow: /a/"), False),
        (Answer(body=b"User-agent: Aggregator/2\nuser-agent: x\nDisallow: /*/b$\n\nUser-agent: *\nAllow: /"), False),
        (Answer(body=b"User-agent: *\nDisallow: /\n\nUser-agent: aggregator\nDisallow:"), True),
        (Answer(body=b"User-agent: other\nDisallow: /"), True),
        (Answer(body=b"<html>not found</html>"), True),
        (Answer(status=404), True),
        (Answer(status=403), True),
        (Answer(status=500), False),
        (Answer(status=429), False),
        (Answer(raw=b"", end="reset"), False),
    ],
)
def test_the_robots_txt_of_its_server_is_obeyed(full: Desk, robots: Answer, is_read: bool) -> None:
    full.origin.on("/feed", feed(full.origin.url("/a/b")), feed(full.origin.url("/a/c"), full.origin.url("/a/b")))
    full.origin.on("/robots.txt", robots)
    full.origin.on("/a/b", Answer(body=page(), headers=HTML))
    follow(full)
    full.skip_to(full.once())
    assert bool(full.origin.asked("/a/b")) == is_read
    full.once()
    assert len(full.origin.asked("/robots.txt")) == 1, "for a day, and one that fails for an hour"


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("Disallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("Disallow: /a/b/\nAllow: /a", "/a/b/c", False),
        ("Allow: /a\nDisallow: /a", "/a", True),
        ("Disallow: /*.pdf$", "/x/y.pdf", False),
        ("Disallow: /*.pdf$", "/x/y.pdf?z", True),
        ("Disallow: /a*b*c", "/a-b-c-d", False),
        ("Disallow: /a*b*c$", "/a-c-b", True),
        ("Disallow: /ü", "/%C3%BC/x", False),
        ("Disallow: /%61", "/a", False),
        ("Disallow: /a%2Fb", "/a/b", True),
        ("Disallow: /?q=", "/?q=1", False),
        ("disallow : /x # all of it", "/x", False),
        ("Disallow: /", "/robots.txt", True),
        ("Disallow", "/", True),
        ("Disallow: /" + "*a" * 3000 + "b", "/" + "a" * 8000, True),
    ],
)
def test_rules_of_robots(rules: str, path: str, allowed: bool) -> None:
    """RFC 9309 2.2; the last one would take a backtracking matcher years."""
    robots = parse_robots(f"User-agent: *\r\n{rules}".encode())
    assert robots.allows(f"https://a.example{path}") == allowed


def test_articles_take_turns_with_feeds_at_their_address(full: Desk) -> None:
    def look_up(_: str, port: int, __: socket.AddressFamily) -> list[AddressInfo]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def run() -> None:
        first = Fetcher(LIMITS, Guard(["127.0.0.0/8"]), USER_AGENT, look_up=look_up)
        both = (first, first.beside(Guard(["127.0.0.0/8"]), max_hops=3))
        try:
            await asyncio.gather(
                *(one.get(f"http://{name}.example:{full.origin.port}/x") for one, name in zip(both, "ab", strict=True))
            )
        finally:
            await asyncio.gather(*(one.close() for one in both))

    full.origin.on("/x", Answer(body=b"x"))
    asyncio.run(run())
    one, other = full.origin.requests
    assert other.at_s - one.at_s > 0.05, "0.25 s, less what this machine does"


def test_a_server_that_asks_for_patience_is_left_alone(full: Desk) -> None:
    links = [full.origin.url(f"/{number}") for number in (1, 2)]
    full.origin.on("/feed", feed(*links), feed(full.origin.url("/3"), *links))
    full.origin.on("/1", Answer(status=429, headers={"Retry-After": "600"}))
    follow(full)
    for _ in range(2):
        result = full.once()
        assert result.error is None
        full.skip_to(result)
    assert not full.origin.asked("/2")
    assert not full.origin.asked("/3"), "at the next poll neither"


def test_a_feed_reaches_no_other_server_of_a_private_network(full: Desk) -> None:
    """Not even of one that the operator allows for feeds: what is fetched is published."""
    with Origin() as other:
        other.on("/secret", Answer(body=page(), headers=HTML))
        full.origin.on("/feed", feed(other.url("/secret"), full.origin.url("/moved")))
        full.origin.on("/moved", Answer(status=302, headers={"Location": other.url("/secret")}))
        follow(full)
        full.once()
        assert not any(PARAGRAPHS[0] in item.content_html for item in items(full).values())
        assert not other.requests
        assert full.origin.asked("/moved")


def test_other_sources_are_left_as_they_are(desk: Desk) -> None:
    desk.articles = ArticleReader(lambda _: False, public_fetcher=pytest.fail, own_fetcher=pytest.fail)
    desk.origin.on("/feed", feed(desk.origin.url("/bridge")))
    follow(desk)
    desk.once()
    assert not desk.origin.asked("/bridge")


def test_the_charset_of_a_page_and_its_picture() -> None:
    body = page("Ein Fluß, über den nun eine Brücke führt, an der drei Jahre lang gebaut worden ist.", charset="cp1252")
    extra = b"<p>Ein zweiter Absatz mit genug Worten, damit er gilt.</p><img src='/b.jpg'></article>"
    body = body.replace(b"</article>", extra)
    document = Document(body=body, url="https://a.example/x", content_type="text/html", is_article=True)
    (entry,) = parse_sync(document).entries
    assert "Brücke führt" in entry.content_html
    assert entry.image_url == "https://a.example/b.jpg"


def test_the_child_process_reads_articles_and_feeds() -> None:
    async def both() -> tuple[ParsedFeed, ParsedFeed, str]:
        pool = TwoTierParsePool(count=1)
        try:
            document = Document(body=page(), url="https://a.example/x", content_type="text/html", is_article=True)
            article = await pool.parse(document)
            with pytest.raises(ParseError) as failed:
                await pool.parse(replace(document, body=b"<html></html>"))
            return (
                article,
                await pool.parse(Document(body=feed("/x").body, url="https://a.example/")),
                failed.value.code,
            )
        finally:
            await pool.close()

    article, parsed, code = asyncio.run(both())
    assert PARAGRAPHS[1] in article.entries[0].content_html
    assert [entry.title for entry in parsed.entries] == ["Entry 1"]
    assert code == "no-article"
