"""HOSTILE.md 1, rows C: what the HTML of an entry does to the page that shows it. Served, polled, stored, rendered."""

from __future__ import annotations

from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest
from publishing import SITE
from victim import START

from aggregator.collect.clean import clean_html
from aggregator.collect.parse import parse_sync
from aggregator.curate.identity import identify
from aggregator.model import Document, PollResult, Scope, Subscription
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages
from aggregator.publish.rendering import Rendering
from aggregator.store import open_store

FEED = "http://evil.example/blog/feed.xml"
CASES = {
    "C1 script": "<script>alert(1)</script><ScRiPt src=//e></sCrIpT ><script/x>alert(1)</script>",
    "C1 on": '<img src=x onerror=alert(1)><p onclick=alert(1) OnMouseOver="alert(1)">x</p><a/onfocus=alert(1)>',
    "C2 javascript": '<a href="javascript:alert(1)">x</a><a href="JaVaScRiPt&#58;alert(1)">x</a>',
    "C2 tab": '<a href="java\tscript:alert(1)">x</a><a href="&#1;javascript:x">x</a><a href="java&#10;script:x">x</a>',
    "C2 vbscript": '<a href="vbscript:x">x</a><a href="\x01javascript:x">x</a><a href=" javascript:x">x</a>',
    "C3 data": '<a href="data:text/html,<script>alert(1)</script>">x</a><img src="data:image/svg+xml,<svg onload=a>">',
    "C4 svg": "<svg><script>alert(1)</script></svg><svg onload=alert(1)><a xlink:href='javascript:x'>x</a></svg>",
    "C4 mXSS": '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    "C4 noscript": '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "C5 comments": "<!--><script>alert(1)</script>--><!--x--!><script>alert(1)</script>",
    "C5 CDATA": "<![CDATA[<script>alert(1)</script>]]><!DOCTYPE x><?php echo 1 ?>",
    "C6 forms": '<form action="/item/x/like" method=post><button formaction=javascript:x>x</button><input></form>',
    "C7 frames": '<iframe srcdoc="<script>alert(1)</script>"></iframe><object data=x></object><embed src=x><frameset>',
    "C8 style": '<p style="position:fixed;top:0">x</p><style>@import url(//e)</style><link rel=stylesheet href=//e>',
    "C9 clobbering": '<a id=content name=body class="site-header">x</a><img name=cookie><form id=x></form>',
    "C10 unclosed": "<plaintext>x<textarea>x<title>x<xmp>x<template>x<select>x",
    "C10 closing": "</div></article></main></body></html></p></section><h1>x",
    "C10 tags": '<base href="//e/"><meta http-equiv=refresh content="0;url=//e"><html onload=x><body onload=x>',
    "C11": "".join(f'<img src="/item/{number}/like"><img src="/go/{number}">' for number in range(100)),
    "C12 one line": "<p>" + "x" * 5_000_000,
    "C12 deep": "<div>" * 200_000 + "x",
    "C12 wide": "<b>x</b>" * 100_000,
    "C13 private": '<img src="//127.0.0.1/x"><img src="http://192.168.0.1/x"><img src="file:///etc/passwd">',
    "C13 pixel": '<img src="http://t.example/p.gif" width=1 height=1><img src="http://t.example/q" width="0">',
}
#: what no part of a page may hold
_LIVE = {"script", "iframe", "object", "embed", "svg", "math", "base", "frameset", "plaintext", "template", "style"}


class Frame(HTMLParser):
    """The skeleton of a page, and whatever is alive in it."""

    def __init__(self) -> None:
        super().__init__()
        self.skeleton: list[str] = []
        self.live: list[str] = []
        self.images: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: (value or "").strip().lower() for name, value in attrs}
        # a block of data that no browser runs; more than our own one would show in the skeleton
        is_data = tag == "script" and values.get("type") == "application/ld+json"
        if is_data or tag in {"header", "main", "footer", "nav", "article", "html", "body"}:
            self.skeleton.append(tag)
        bad = [name for name in values if name.startswith("on") or name in {"style", "srcdoc", "formaction"}]
        bad += [value for name, value in values.items() if name in {"href", "src", "action"} and is_live(value)]
        self.live += [f"{tag} {what}" for what in bad] + ([tag] if tag in _LIVE and not is_data else [])
        if tag == "img":
            self.images.append(values.get("src", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"header", "main", "footer", "nav", "article", "html", "body"}:
            self.skeleton.append("/" + tag)


def is_live(address: str) -> bool:
    plain = "".join(char for char in address if char > " ")
    return plain.startswith(("javascript:", "vbscript:", "data:text", "file:"))


def frame_of(page: str) -> Frame:
    frame = Frame()
    frame.feed(page)
    frame.close()
    return frame


def article(directory: Path, html: str) -> str:
    """The page of an entry with this content, as a visitor gets it."""
    escaped = html.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    body = (
        f'<rss version="2.0"><channel><title>Evil</title><item><title>{escaped[:200]}</title><link>http://evil.example/1'
        f"</link><description>{escaped}</description></item></channel></rss>"
    ).encode("utf-8", "replace")
    feed = parse_sync(Document(body=body, url=FEED))
    with closing(open_store("sqlite:x.db", base=directory)) as store:
        store.sync_sources([Subscription(url=FEED)], now=START)
        (lease,) = store.claim(now=START, limit=1, lease=START - START.replace(hour=1))
        found = identify(feed.entries, [], source_url=FEED, now=START)
        result = PollResult(
            source_id=lease.sources[0].id, outcome="new", polled_at=START, next_poll=START, entries=found.entries
        )
        store.complete(lease, result)
        (item,) = store.latest(Scope(), limit=0)
        rendering = Rendering(store=store, site=SITE, lists=Lists(store, SITE), pages=Pages(SITE))
        return rendering.article(item.id, now=START).body.decode()


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    frame = frame_of(article(tmp_path_factory.mktemp("plain"), "<p>Nothing special</p>"))
    assert not frame.live
    return frame.skeleton


@pytest.mark.parametrize("name", CASES)
def test_the_page_stays_whole_and_nothing_in_it_lives(tmp_path: Path, skeleton: list[str], name: str) -> None:
    frame = frame_of(article(tmp_path, CASES[name]))
    assert frame.live == []
    assert frame.skeleton == skeleton


def test_c11_no_picture_leads_to_our_own_addresses(tmp_path: Path) -> None:
    images = frame_of(article(tmp_path, CASES["C11"])).images
    assert images
    assert all(image.startswith("http://evil.example/") for image in images), "relative to the feed, never to us"


@pytest.mark.parametrize("name", ["C12 one line", "C12 deep", "C12 wide"])
def test_c12_content_is_cut_and_balanced(name: str) -> None:
    clean = clean_html(CASES[name], base=FEED).html
    assert 0 < len(clean) <= 256 * 1024
    assert all(clean.count(f"<{tag}>") == clean.count(f"</{tag}>") for tag in ("p", "b", "div"))


@pytest.mark.parametrize("name", ["C13 private", "C13 pixel"])
def test_c13_pictures_that_would_ask_a_private_network_or_count_readers_go(tmp_path: Path, name: str) -> None:
    assert frame_of(article(tmp_path, CASES[name])).images == []


@pytest.mark.parametrize(
    ("href", "absolute"),
    [
        ("../x", "http://evil.example/x"),
        ("//host.example/x", "http://host.example/x"),
        ("?q", "http://evil.example/blog/feed.xml?q"),
        ("#f", "http://evil.example/blog/feed.xml#f"),
        ("/x", "http://evil.example/x"),
    ],
)
def test_c14_relative_links_are_resolved_against_the_final_address(href: str, absolute: str) -> None:
    assert clean_html(f'<a href="{href}">x</a>', base=FEED).links == (absolute,)


def test_c14_bases_of_entries_do_not_leak_into_the_next() -> None:
    entries = "".join(
        f'<entry{base}><id>{number}</id><content type="html">&lt;a href="x"&gt;x&lt;/a&gt;</content></entry>'
        for number, base in enumerate([' xml:base="http://one.example/a/"', "", ' xml:base="../b/"'])
    )
    body = (
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://feed.example/f/"><title>t</title>{entries}</feed>'
    )
    feed = parse_sync(Document(body=body.encode(), url=FEED))
    links = [entry.outlinks for entry in feed.entries]
    assert links == [("http://one.example/a/x",), ("http://feed.example/f/x",), ("http://feed.example/b/x",)]
