"""Entries that are read without feedparser are as feedparser would have them: made-up ones, odd ones and real ones."""

from __future__ import annotations

import tarfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_parse_quicker import ODD

from aggregator.collect.parse import xmlfeed
from aggregator.collect.parse.charset import decode
from aggregator.collect.parse.quicker import read
from aggregator.collect.parse.raw import RawDate, RawEntry
from aggregator.collect.parse.repair import repair
from aggregator.errors import ParseError

URL = "http://example.org/feeds/one.xml"
NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "media": "http://search.yahoo.com/mrss/",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
    "thr": "http://purl.org/rss/1.0/modules/threading/",
    "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
    "psc": "http://podlove.org/simple-chapters",
    "cc": "http://web.resource.org/cc/",
    "x": "urn:x",
}
DECLARED = "".join(f' xmlns:{prefix}="{name}"' for prefix, name in NAMESPACES.items())


def outcome(text: str) -> Any:
    """All that is read of a document, or what is raised, to be compared."""
    try:
        version, info, entries, ill_formed = xmlfeed.parse_xml(text, URL)
    except Exception as error:  # noqa: BLE001 - what it raises is what it says
        return repr(error)
    return (
        version,
        info,
        [[plain(getattr(entry, each.name)) for each in fields(entry)] for entry in entries],
        ill_formed,
    )


def plain(value: Any) -> Any:
    """A date with what else may be read of it."""
    return (value.raw, str(getattr(value.otherwise, "__self__", ""))) if isinstance(value, RawDate) else value


def by_feedparser(text: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xmlfeed, "read", lambda _body, _url: None)
        return outcome(text)


def differing(documents: dict[str, bytes]) -> list[str]:
    """Documents that are read otherwise than by feedparser alone."""
    found = []
    for name, body in documents.items():
        try:
            text = repair(decode(body)[0].strip("\ufeff \t\r\n\x00")).text
        except ParseError:
            continue
        if outcome(text) != by_feedparser(text):
            found.append(name)
    return found


def read_plainly(documents: dict[str, bytes]) -> float:
    """The part of the entries that feedparser had nothing to do with."""
    parsers = filter(None, (read(repair(decode(body)[0]).text.encode(), URL) for body in documents.values()))
    entries = [entry for parser in parsers for entry in parser.entries]
    return sum(isinstance(entry, RawEntry) for entry in entries) / len(entries)


def test_odd_documents() -> None:
    assert differing({name: text.encode() for name, text in ODD.items()}) == []


@pytest.mark.parametrize(
    "inside",
    [
        '<dc:creator xmlns:dc="http://purl.org/dc/elements/1.1/">A</dc:creator>',
        '<post-id xmlns="com-wordpress:feed-additions:1">1</post-id>',
        "<author>a@b.example</author>",
    ],
)
def test_what_some_write_in_each_entry_needs_no_feedparser(inside: str) -> None:
    items = "".join(f"<item><title>T{n}</title>{inside}</item>" for n in range(5))
    assert read_plainly({"": f'<rss version="2.0"{DECLARED}><channel>{items}</channel></rss>'.encode()}) == 1.0


@pytest.mark.data
def test_real_documents(shared_data: Path) -> None:
    documents = {str(path): path.read_bytes() for path in (shared_data / "real").rglob("*.xml")}
    assert differing(documents) == []
    assert read_plainly(documents) > 0.75


@pytest.mark.data
@pytest.mark.parametrize("suite", ["feedparser", "feedvalidator"])
def test_conformance_documents(shared_data: Path, suite: str) -> None:
    with tarfile.open(shared_data / f"conformance/{suite}.tar.xz") as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        documents = {name: file.read() for name, file in files.items() if file is not None}
    assert differing(documents) == []


NAMES = [
    "title", "dc:title", "media:title", "description", "dc:description", "media:description", "summary",
    "itunes:summary", "content", "content:encoded", "fullitem", "guid", "id", "link", "enclosure",
    "feedburner:origLink", "published", "issued", "pubDate", "dcterms:issued", "created", "dcterms:created",
    "updated", "modified", "lastBuildDate", "dc:date", "dcterms:modified", "language", "dc:language", "author",
    "dc:creator", "dc:author", "itunes:author", "name", "category", "keywords", "dc:subject", "media:category",
    "itunes:category", "itunes:keywords", "media:content", "media:group", "media:thumbnail", "itunes:image",
    "source", "image", "slash:comments", "thr:total", "media:statistics", "media:starRating", "contributor",
    "rights", "copyright", "dc:rights", "subtitle", "itunes:subtitle", "uri", "url", "homepage", "email",
    "webMaster", "dc:publisher", "dc:contributor", "media:credit", "media:player", "media:rating",
    "media:restriction", "itunes:explicit", "itunes:block", "expirationDate", "links", "tags", "date", "issue",
    "x:title", "x:y", "comments", "generator", "psc:chapters", "cc:license", "itunes:owner", "textInput", "body",
    "svg",
]  # fmt: skip
TEXTS = [
    "", " ", "words", " two words ", "12", "a@b.example (A B)", "A <a@b.example>", "a@b.example", "relative/address",
    "http://a.example/b",
    "http://a.example/?a=1&b=2&c;=3", "Mon, 01 Jan 2024 00:00:00 GMT", "<b>x</b> &amp; y", "<unheard>x</unheard>",
    "one, two,,three", "caf\xc3\xa9 \x93", "\u20ac \u3000", "http://[bad", "yes", "A" * 310, "a" * 290 + "@b.example",
]  # fmt: skip
VALUES = {
    "type": ["text", "html", "text/html", "TEXT/PLAIN", "xhtml", "image/png", "application/octet-stream", ""],
    "rel": ["alternate", "self", "enclosure", "related", "", "ALTERNATE"],
    "href": ["y", "http://a.example/c", ""],
    "url": ["z", "http://a.example/d.png", ""],
    "uri": ["w"],
    "isPermaLink": ["true", "false", "True"],
    "term": ["t", ""],
    "domain": ["d"],
    "label": ["l"],
    "scheme": ["s"],
    "text": ["Technology"],
    "medium": ["image", "video"],
    "length": ["17"],
    "count": ["7", "many"],
    "views": ["1000"],
    "mode": ["base64", "xml"],
    "src": ["elsewhere"],
    "xml:lang": ["de", ""],
    "xml:base": ["http://b.example/"],
    "lang": ["fr_CA"],
    "x:a": ["1"],
}
attributes = st.lists(st.sampled_from(sorted(VALUES)), max_size=3, unique=True).flatmap(
    lambda names: st.tuples(*(st.tuples(st.just(name), st.sampled_from(VALUES[name])) for name in names))
)


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def tag(name: str, given: tuple[tuple[str, str], ...], inside: str) -> str:
    written = "".join(f' {key}="{escaped(value)}"' for key, value in given)
    return f"<{name}{written}>{inside}</{name}>"


texts = st.sampled_from(TEXTS).flatmap(
    lambda text: st.sampled_from([escaped(text), f"<![CDATA[{text}]]>", f"{escaped(text)}<!-- -->{escaped(text)}"])
)
plain_elements = st.builds(tag, st.sampled_from(NAMES), st.just(()), texts)
elements = st.recursive(
    st.builds(tag, st.sampled_from(NAMES), attributes, texts),
    lambda inner: st.builds(tag, st.sampled_from(NAMES), attributes, st.lists(inner, max_size=3).map("\n".join)),
    max_leaves=4,
)
entries = st.lists(st.one_of(plain_elements, plain_elements, elements), max_size=8).map("".join)


@settings(max_examples=400)
@given(st.lists(entries, min_size=1, max_size=3), st.booleans(), st.sampled_from(["", ' xml:lang="en_GB"']))
def test_any_entries(inside: list[str], atom: bool, about: str) -> None:
    if atom:
        items = "".join(f"<entry>{each}</entry>" for each in inside)
        text = f'<feed xmlns="http://www.w3.org/2005/Atom"{DECLARED}{about}><title>T</title>{items}</feed>'
    else:
        items = "".join(f"<item>{each}</item>" for each in inside)
        text = f'<rss version="2.0"{DECLARED}{about}><channel><title>T</title>{items}</channel></rss>'
    text = '<?xml version="1.0" encoding="utf-8"?>' + text
    assert outcome(text) == by_feedparser(text)
