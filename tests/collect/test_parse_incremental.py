"""Delta parse gives what a full parse gives, less what is known; what could make that untrue is parsed whole."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.collect.parse import parse_sync
from aggregator.collect.parse.incremental import Fingerprint, FingerprintCache, entry_spans
from aggregator.errors import ParseError
from aggregator.model import Document, ParsedFeed

URL = "https://example.org/feed.xml"


def item(number: int, *, text: str = "Text", guid: int | None = None) -> str:
    name = number if guid is None else guid
    return (
        f"<item><guid>https://example.org/{name}</guid><link>https://example.org/{number}</link>"
        f"<title>Entry {number}</title><description>{text} <![CDATA[</item>]]></description></item>\n"
    )


def rss(items: Sequence[str], *, head: str = "", root: str = "") -> str:
    return f'<rss version="2.0"{root}><channel><title>Feed</title>{head}{"".join(items)}</channel></rss>'


def parse(body: str, before: bytes | None = b"", url: str = URL) -> ParsedFeed:
    return parse_sync(Document(body=body.encode(), url=url, previous=before))


def titles(feed: ParsedFeed) -> list[str]:
    return [entry.title for entry in feed.entries]


KNOWN = rss([item(number) for number in (3, 2, 1)])


def test_only_what_is_new_is_parsed() -> None:
    first = parse(KNOWN)
    second = parse(rss([item(number) for number in (5, 4, 3, 2)]), first.fingerprint)
    assert (titles(second), second.unchanged) == (["Entry 5", "Entry 4"], 2)
    third = parse(rss([item(number) for number in (5, 4, 3, 2)]), second.fingerprint)
    assert (titles(third), third.unchanged) == ([], 4)


def test_an_edited_entry_is_new() -> None:
    edited = rss([item(3), item(2, text="Better text"), item(1)])
    assert titles(parse(edited, parse(KNOWN).fingerprint)) == ["Entry 2"]


def test_what_stands_outside_the_entries_is_read_anew() -> None:
    feed = parse(rss([item(3), item(2)], head="<ttl>90</ttl>"), parse(KNOWN).fingerprint)
    assert (feed.unchanged, feed.info.ttl is not None) == (2, True)


def test_without_being_asked_no_fingerprint_is_taken() -> None:
    assert parse(KNOWN, None).fingerprint == b""


WHOLE = {
    "another language": rss([item(4), item(3)], head="<language>fr</language>"),
    "another base": rss([item(4), item(3)], root=' xml:base="https://other.example/"'),
    "another namespace": rss([item(4), item(3)], root=' xmlns:x="urn:x"'),
    "a new entry under a known guid": rss([item(4, guid=3), item(3)]),
    "a new entry at a known address": rss([item(3, guid=9), item(3)]),
    "ill-formed": rss([item(4), item(3)], head="<b>"),
    "entities of its own": '<!DOCTYPE rss [<!ENTITY e "x">]>' + rss([item(4), item(3)]),
    "an entry within an entry": rss([item(4), item(3), f"<item>{item(5)}</item>"]),
    "cut": rss([item(4), item(3)])[:-20],
    "a character that was taken out": rss([item(4, text="\x02"), item(3)]),
    "a date that does not exist": rss([item(4).replace("</item>\n", "<pubDate>30 Feb 2026</pubDate></item>"), item(3)]),
}


@pytest.mark.parametrize("name", WHOLE)
def test_it_is_parsed_whole(name: str) -> None:
    before = parse(KNOWN).fingerprint
    assert parse(WHOLE[name], before) == parse(WHOLE[name])


def test_another_address_resolves_other_links() -> None:
    assert parse(KNOWN, parse(KNOWN).fingerprint, url="https://example.net/f").unchanged == 0


@pytest.mark.parametrize("name", ["entities of its own", "an entry within an entry", "cut", "ill-formed"])
def test_a_document_that_must_be_parsed_whole_has_no_fingerprint(name: str) -> None:
    assert parse(WHOLE[name]).fingerprint == b""


@given(
    st.lists(st.integers(0, 12), max_size=8, unique=True),
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["Text", "Other"])), max_size=8),
)
def test_any_two_documents(before: list[int], after: list[tuple[int, str]]) -> None:
    first = parse(rss([item(number) for number in before]))
    body = rss([item(number, text=text) for number, text in after])
    delta, whole = parse(body, first.fingerprint), parse(body)
    assert delta.info == whole.info
    if delta.unchanged:
        known = {f"Entry {number}" for number in before}
        assert delta.entries == tuple(e for e in whole.entries if not (e.title in known and e.text.startswith("Text")))
        assert len(delta.entries) + delta.unchanged == len(whole.entries)
    else:
        assert delta == whole


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_makes_no_difference(codec: str) -> None:
    first, second = (rss([item(number, text="“café”") for number in some]) for some in ((3, 2, 1), (4, 3, 2)))
    before = parse_sync(Document(body=first.encode(codec), url=URL, previous=b"")).fingerprint
    delta = parse_sync(Document(body=second.encode(codec) + b"\n" * (codec != "utf-16"), url=URL, previous=before))
    assert before == parse(first).fingerprint
    assert (delta.unchanged, [entry.text for entry in delta.entries]) == (2, ["“café”"])


@pytest.mark.parametrize(
    ("inside", "entries"),
    [
        ("<![CDATA[ <item> ]] > ]]]]>", 1),
        ("<!-- <item> - -- -->", 1),
        ("<!--> <item> -->", 1),
        ("<![CDATA[ ]] >", 0),
        ("<!-- -- >", 0),
        ("<item/>", 0),
        ("<x:item>", 0),
        ("<items>", 1),
    ],
)
def test_entries_that_are_plain_to_see(inside: str, entries: int) -> None:
    assert len(entry_spans(f"<rss><item>{inside}</item></rss>".encode())) == entries


@pytest.mark.parametrize("part", ["<![CDATA[", "<!--", "-", "]", "<item ", "<a", "<a:", "<![CDATA[]]>"])
def test_spans_are_found_in_linear_time(part: str) -> None:
    for start in (b"", b"<item><![CDATA[", b"<item><!--"):
        began = time.process_time()
        entry_spans(start + part.encode() * 200_000)
        assert time.process_time() - began < 10


@given(st.binary(max_size=200))
def test_a_fingerprint_from_anywhere(data: bytes) -> None:
    parse(KNOWN, data)


@given(st.text(alphabet="<>!-/[]CDATAitementry ", max_size=60))
def test_spans_of_anything(text: str) -> None:
    spans = entry_spans(text.encode())
    assert all(text[start] == "<" and text[end - 1] == ">" for start, end in spans)


@pytest.mark.data
def test_every_subset_of_every_real_document(shared_data: Path) -> None:
    dice, compared = random.Random(3), 0
    for path in sorted((shared_data / "real").rglob("*")):
        if not path.is_file():
            continue
        document = Document(body=path.read_bytes(), url=URL, previous=b"")
        try:
            whole = parse_sync(document)
        except ParseError:
            continue
        fingerprint = Fingerprint.load(whole.fingerprint)
        if fingerprint is None or len(fingerprint.entries) != len(whole.entries):
            continue
        entries = list(fingerprint.entries.items())
        known = {text: keys for text, keys in entries if dice.random() < 0.7}
        before = Fingerprint(fingerprint.context, known).dump()
        delta = parse_sync(replace(document, previous=before))
        if delta.unchanged:
            rest = [entry for entry, (text, _) in zip(whole.entries, entries, strict=True) if text not in known]
            whole = replace(whole, entries=tuple(rest), unchanged=len(known))
            compared += 1
        assert delta == whole, path.name
    assert compared > 200


def test_fingerprints_are_taken_once_and_forgotten_beyond_the_bound() -> None:
    held = FingerprintCache(max_bytes=100)
    held.put(b"a", b"1" * 40)
    held.put(b"b", b"2" * 40)
    held.put(b"c", b"3" * 40)
    assert [held.take(key) for key in (b"a", b"b", b"b", b"c", None)] == [b"", b"2" * 40, b"", b"3" * 40, b""]
    held.put(b"d", b"4" * 90)
    assert held.take(b"d") == b"4" * 90
