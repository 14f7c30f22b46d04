"""The rules of RFC 4287, RSS 2.0 and JSON Feed 1.1, checked on feeds of awkward items and of anything at all."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree
from publishing import NOON, SITE, make_health, make_item, source

from aggregator.model import Enclosure, Item, PollError
from aggregator.publish import feeds
from aggregator.publish.channel import Channel, compose
from aggregator.publish.diagnostics import status_channel
from aggregator.publish.listing import Kind, Listing, Place

HERE = Path(__file__).parent
ATOM = "{http://www.w3.org/2005/Atom}"
#: as readers parse: a title of a megabyte is still a title
HUGE = etree.XMLParser(huge_tree=True)

TITLES = [
    ("Plain", "en"),
    ("<b>AT&T</b> ]]> &amp; “quotes”", "en-gb"),
    ("خبر عاجل", "ar"),
    ("中文标题", "zh-hans"),
    ("", None),
    ("x" * 5000, "xx"),
    ("bell \x07 \ud800 \ufffe", "en"),
]


def awkward() -> tuple[Place, ...]:
    media = (Enclosure(url="https://x.example/ä b.mp3", type="audio/mpeg", size_bytes=12), Enclosure(url="https://x/b"))
    items = [
        make_item(number, title=title, language=language, enclosures=media, image_url="https://bücher.example/ü.jpg")
        for number, (title, language) in enumerate(TITLES)
    ]
    bare = make_item(90, url=None, author=None, summary_html="", content_html="", text="", categories=("", "  "))
    return tuple(Place(item=item, views=1, reasons=("1 reader",), related=tuple(items[:2])) for item in [*items, bare])


def listing(kind: Kind, path: str, places: tuple[Place, ...], **changes: Any) -> Listing:
    ranked = {"window": "1d", "basis": "mixed"} if kind == "ranking" else {}
    values: dict[str, Any] = {"title": "A <list> & more", "description": "", "page": "/", **ranked, **changes}
    return Listing(kind=kind, path=path, places=places, **values)


def channels() -> list[Channel]:
    hubbed = replace(SITE, hub="https://hub.example/")
    failing = PollError(code="dns-failure", message="no such host")
    healths = [
        make_health(source(1)),
        make_health(source(2), state="failing", error=failing, error_since=NOON),
        make_health(source(3), state="new", last_item=None, last_poll=None),
    ]
    return [
        compose(listing("latest", "/section/наука/latest", awkward(), after="5-item5", next="7-item7"), hubbed),
        compose(listing("ranking", "/feeds/ranking-1d", awkward()), hubbed),
        compose(listing("recommended", "/feeds/recommended", awkward()), SITE),
        compose(listing("related", "/item/item1/related", awkward()), SITE),
        compose(listing("search", "/search", awkward(), query="q=%D0%B0+b"), SITE),
        status_channel(healths, SITE),
    ]


EVERY = pytest.mark.parametrize("channel", channels(), ids=lambda channel: channel.kind)


@EVERY
def test_elements_carry_the_prefixes_that_readers_look_for(channel: Channel) -> None:
    """sfeed and others know an element by ``content:encoded``, not by the namespace that the prefix stands for."""
    documents = [feeds.atom(channel), feeds.rss(channel)]
    assert all(not re.search(rb"\bns\d+:", document) for document in documents)
    assert b"<content:encoded>" in documents[1]


@cache
def atom_grammar() -> Any:
    return etree.RelaxNG(etree.parse(HERE / "atom.rng"))


@cache
def json_schema() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((HERE / "jsonfeed.schema.json").read_text("utf-8")))


def is_uri(text: str) -> bool:
    """RFC 3986: a scheme, and none of the characters that no URI may contain."""
    return bool(urlsplit(text).scheme) and re.fullmatch(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", text) is not None


def check_atom(document: bytes, entries: int) -> None:
    feed = etree.fromstring(document, HUGE)
    atom_grammar().assertValid(feed)
    assert feed.find(f"{ATOM}author") is not None, "4.1.1: entries without an author need the feed's"
    relations = Counter(link.get("rel") for link in feed.findall(f"{ATOM}link"))
    assert relations["self"] == relations["alternate"] == 1
    ids = [entry.findtext(f"{ATOM}id") for entry in feed.findall(f"{ATOM}entry")]
    assert len(set(ids)) == len(ids) == entries
    for entry in feed.iter(f"{ATOM}entry"):
        links = Counter((link.get("rel"), link.get("type")) for link in entry.findall(f"{ATOM}link"))
        assert links["alternate", "text/html"] == 1, "4.1.1: no two alternates of one type and language"
        assert links["related", "text/html"] <= 10


def check_rss(document: bytes, entries: int, *, with_source: bool = True) -> None:
    root = etree.fromstring(document, HUGE)
    assert (root.tag, root.get("version")) == ("rss", "2.0")
    [head] = root
    for name in ("title", "link", "description"):
        assert len(head.findall(name)) == 1
        assert (head.findtext(name) or "").strip()
    assert parsedate_to_datetime(head.findtext("lastBuildDate") or "").tzinfo is not None
    items = head.findall("item")
    assert len({item.findtext("guid") for item in items}) == len(items) == entries
    for item in items:
        assert (item.findtext("title") or "").strip()
        assert is_uri(item.findtext("link") or "")
        assert parsedate_to_datetime(item.findtext("pubDate") or "").tzinfo is not None
        assert item.find("author") is None, "an RSS author is an e-mail address"
        assert item.find("guid").get("isPermaLink") == "false"
        if with_source:
            assert is_uri(item.find("source").get("url"))
        for enclosure in item.findall("enclosure"):
            assert is_uri(enclosure.get("url", ""))
            assert enclosure.get("length", "").isdecimal()
            assert "/" in enclosure.get("type", "")


def check_json(document: bytes, entries: int) -> None:
    feed = json.loads(document)
    json_schema().validate(feed)
    assert len({item["id"] for item in feed["items"]}) == len(feed["items"]) == entries


@EVERY
def test_atom_keeps_the_rules_of_rfc_4287(channel: Channel) -> None:
    check_atom(feeds.atom(channel), len(channel.entries))


@EVERY
def test_rss_keeps_the_rules_of_rss_2(channel: Channel) -> None:
    check_rss(feeds.rss(channel), len(channel.entries))


@EVERY
def test_json_feeds_keep_the_rules_of_version_1_1(channel: Channel) -> None:
    check_json(feeds.json_feed(channel), len(channel.entries))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b"<updated>2026", b"<updated>last week"),
        (b"<id>tag:", b"<id>"),
        (b"</title>", b"</title><title>Twice</title>"),
        (b'rel="self"', b'rel="self" nonsense="1"'),
        (b"<subtitle>", b"<tagline>Atom 0.3</tagline><subtitle>"),
        (b'<link href="http://127.0.0.1:8080/go', b'<link href="/go'),
    ],
)
def test_the_grammar_knows_bad_from_good(good: bytes, bad: bytes) -> None:
    document = feeds.atom(channels()[0])
    assert good in document
    assert not atom_grammar().validate(etree.fromstring(document.replace(good, bad, 1)))


ANYTHING = st.text(st.integers(0, 0x10FFFF).map(chr), max_size=60) | st.sampled_from(
    [
        "]]>",
        "<script>",
        "<![CDATA[",
        "&amp;&#1;&nosuch;",
        "\x00\x0b",
        "\ud800",
        "\u202e\u2066",
        "\ufffe",
        "%zz%",
        "a" * 9,
    ]
)
URLS = ANYTHING.map(lambda text: f"https://x.example/{text}")
MEDIA = st.builds(Enclosure, url=URLS, type=ANYTHING, size_bytes=st.none() | st.integers(0, 1 << 62))


@st.composite
def places(draw: st.DrawFn) -> Place:
    """A place whose every text is anything; all that is asked of them is what the model promises."""
    ref = replace(source(1), name=draw(ANYTHING), url=draw(URLS), home=draw(st.none() | URLS))
    item = make_item(
        draw(st.integers(1, 9)),
        source=ref,
        title=draw(ANYTHING),
        url=draw(st.none() | URLS),
        author=draw(st.none() | ANYTHING),
        section=draw(ANYTHING),
        summary_html=draw(ANYTHING),
        content_html=draw(ANYTHING),
        text=draw(ANYTHING),
        language=draw(st.none() | ANYTHING),
        categories=tuple(draw(st.lists(ANYTHING, max_size=3))),
        image_url=draw(st.none() | URLS),
        enclosures=tuple(draw(st.lists(MEDIA, max_size=2))),
        updated=NOON + timedelta(microseconds=draw(st.integers(0, 10**12))),
    )
    copies = (replace(item.copies[0], source=ref), replace(item.copies[0], source=source(2, draw(ANYTHING))))
    related = tuple(make_item(number, title=draw(ANYTHING)) for number in range(10, 12))
    return Place(
        item=replace(item, copies=copies), views=draw(st.none() | st.integers(0, 9)), related=related,
        reasons=tuple(draw(st.lists(ANYTHING, max_size=2))),
    )  # fmt: skip


def big_title() -> Place:
    return Place(item=make_item(1, title="x" * 1_000_000))


def all_of(item: Item, text: str) -> Place:
    """The same text everywhere."""
    changes: dict[str, Any] = dict.fromkeys(("title", "author", "summary_html", "text", "language", "section"), text)
    return Place(item=replace(item, categories=(text,), **changes), reasons=(text,))


@settings(max_examples=80)
@given(place=places(), kind=st.sampled_from(["latest", "ranking"]), title=ANYTHING)
@example(place=big_title(), kind="latest", title="")
@example(place=all_of(make_item(1), "\x00\x1f\x7f\x9f\ufffe\uffff"), kind="ranking", title="\ud800\udc00")
@example(place=all_of(make_item(1), "\u202e\u2066\u200f\ufeff"), kind="latest", title="]]>")
def test_no_text_of_a_source_makes_a_feed_invalid(place: Place, kind: Kind, title: str) -> None:
    """One item that may carry anything, and one that is as it should be: both arrive."""
    both = (place, Place(item=make_item(50)))
    for content in ("summary", "full"):
        channel = compose(
            listing(kind, f"/feeds/{kind}", both, title=title), replace(SITE, title=title, content=content)
        )  # fmt: skip
        check_atom(feeds.atom(channel), 2)
        check_rss(feeds.rss(channel), 2)
        check_json(feeds.json_feed(channel), 2)


def test_every_member_of_our_own_is_described() -> None:
    page = (HERE.parents[1] / "docs" / "FEEDS.md").read_text("utf-8")
    _, of_feed, of_entry = re.split(r"^Of (?:the feed|an entry):$", page, flags=re.MULTILINE)
    schema = json.loads((HERE / "jsonfeed.schema.json").read_text("utf-8"))
    for part, owner in ((of_feed, schema), (of_entry, schema["$defs"]["item"])):
        described = set(re.findall(r"^\| `(\w+)` \|", part, flags=re.MULTILINE))
        assert described == set(owner["properties"]["_aggregator"]["properties"])
