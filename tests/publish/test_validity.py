"""The rules of RFC 4287, RSS 2.0 and JSON Feed 1.1, checked on feeds of awkward items."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from publishing import NOON, SITE, make_health, make_item, source

from aggregator.model import Enclosure, PollError
from aggregator.publish import feeds, jsonfeed
from aggregator.publish.channel import Channel, compose
from aggregator.publish.listing import Kind, Listing, Place
from aggregator.publish.status_feed import status_channel

ATOM = "{http://www.w3.org/2005/Atom}"

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


def channels() -> list[Channel]:
    kinds: list[tuple[Kind, str]] = [
        ("latest", "/section/наука/latest"),
        ("ranking", "/feeds/ranking-1d"),
        ("recommended", "/feeds/recommended"),
        ("related", "/item/item1/related"),
        ("search", "/search"),
    ]
    made = [
        compose(
            Listing(
                kind=kind,
                title="A <list> & more",
                description="",
                path=path,
                query="q=%D0%B0+b" if kind == "search" else "",
                page="/",
                window="1d" if kind == "ranking" else None,
                basis="mixed" if kind == "ranking" else None,
                places=awkward(),
            ),
            SITE,
        )
        for kind, path in kinds
    ]
    failing = PollError(code="dns-failure", message="no such host")
    healths = [
        make_health(source(1)),
        make_health(source(2), state="failing", error=failing, error_since=NOON),
        make_health(source(3), state="new", last_item=None, last_poll=None),
    ]
    return [*made, status_channel(healths, SITE)]


EVERY = pytest.mark.parametrize("channel", channels(), ids=lambda channel: channel.kind)


def is_uri(text: str) -> bool:
    """RFC 3986: a scheme, and none of the characters that no URI may contain."""
    return bool(urlsplit(text).scheme) and re.fullmatch(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", text) is not None


@EVERY
def test_atom_keeps_the_rules_of_rfc_4287(channel: Channel) -> None:
    feed = ET.fromstring(feeds.atom(channel))
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == len(channel.entries)
    assert feed.find(f"{ATOM}author") is not None, "4.1.1: entries without an author need the feed's"
    assert any(link.get("rel") == "self" for link in feed.findall(f"{ATOM}link"))
    assert max(Counter(entry.findtext(f"{ATOM}id") for entry in entries).values()) == 1
    for element in [feed, *entries]:
        counts = Counter(child.tag for child in element)
        for name in ("id", "title", "updated"):
            assert counts[ATOM + name] == 1, name
        for name in ("content", "summary", "published", "source", "subtitle", "icon", "generator"):
            assert counts[ATOM + name] <= 1, name
        assert is_uri(element.findtext(f"{ATOM}id") or "")
        assert (element.findtext(f"{ATOM}title") or "").strip()
    for element in feed.iter():
        if element.tag in (f"{ATOM}updated", f"{ATOM}published"):
            assert datetime.fromisoformat(element.text or "").tzinfo is not None
        if element.tag == f"{ATOM}link":
            assert is_uri(element.get("href", "")), element.attrib
    for entry in entries:
        alternates = [
            (link.get("type"), link.get("hreflang"))
            for link in entry.findall(f"{ATOM}link")
            if link.get("rel") == "alternate"
        ]
        assert len(alternates) == len(set(alternates)) == 1, "4.1.1: no two alternates of one type and language"


@EVERY
def test_rss_keeps_the_rules_of_rss_2(channel: Channel) -> None:
    root = ET.fromstring(feeds.rss(channel))
    assert root.get("version") == "2.0"
    head = root.find("channel")
    assert head is not None
    for name in ("title", "link", "description"):
        assert len(head.findall(name)) == 1
        assert head.findtext(name)
    items = head.findall("item")
    assert len(items) == len(channel.entries)
    assert len({item.findtext("guid") for item in items}) == len(items)
    for item in items:
        assert item.findtext("title") or item.findtext("description")
        assert is_uri(item.findtext("link") or "")
        assert parsedate_to_datetime(item.findtext("pubDate") or "").tzinfo is not None
        assert item.find("author") is None, "an RSS author is an e-mail address"
        for enclosure in item.findall("enclosure"):
            assert is_uri(enclosure.get("url", ""))
            assert enclosure.get("length", "").isdecimal()
            assert "/" in enclosure.get("type", "")


TEXT = {"type": "string", "minLength": 1}
URL = {"type": "string", "pattern": "^https?://[\\x21-\\x7e]+$"}
DATE = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$"}
AUTHORS = {"type": "array", "items": {"type": "object", "properties": {"name": TEXT}, "minProperties": 1}}

#: https://www.jsonfeed.org/version/1.1/, as far as we use it
JSON_FEED: dict[str, Any] = {
    "type": "object",
    "required": ["version", "title", "items"],
    "additionalProperties": False,
    "patternProperties": {"^_[a-zA-Z]+$": {"type": "object"}},
    "properties": {
        "version": {"const": "https://jsonfeed.org/version/1.1"},
        "title": TEXT,
        "home_page_url": URL,
        "feed_url": URL,
        "description": TEXT,
        "favicon": URL,
        "language": TEXT,
        "hubs": {"type": "array", "items": {"required": ["type", "url"]}},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id"],
                "anyOf": [{"required": ["content_html"]}, {"required": ["content_text"]}],
                "additionalProperties": False,
                "patternProperties": {"^_[a-zA-Z]+$": {"type": "object"}},
                "properties": {
                    "id": TEXT,
                    "url": URL,
                    "external_url": URL,
                    "title": TEXT,
                    "content_html": TEXT,
                    "summary": TEXT,
                    "image": URL,
                    "date_published": DATE,
                    "date_modified": DATE,
                    "authors": AUTHORS,
                    "tags": {"type": "array", "items": TEXT, "uniqueItems": True},
                    "language": TEXT,
                    "attachments": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["url", "mime_type"],
                            "properties": {"url": URL, "mime_type": TEXT, "size_in_bytes": {"type": "integer"}},
                        },
                    },
                },
            },
        },
    },
}


@EVERY
def test_json_feeds_keep_the_rules_of_version_1_1(channel: Channel) -> None:
    feed = json.loads(jsonfeed.json_feed(channel))
    jsonschema.Draft202012Validator(JSON_FEED).validate(feed)
    assert len({item["id"] for item in feed["items"]}) == len(feed["items"]) == len(channel.entries)
