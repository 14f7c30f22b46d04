"""HOSTILE.md 1, rows D and N: dates and texts as strangers write them, each where it is decided."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.collect.clean import clean_guid, clean_line, is_impossible, parse_date
from aggregator.collect.parse import parse_sync
from aggregator.curate.identity import identify
from aggregator.model import Document, KnownEntry, ParsedEntry
from aggregator.store.sql.ids import search_words

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
URL = "http://evil.example/feed"

READ = {
    "D1 30 February": ("Mon, 30 Feb 2026 10:00:00 GMT", "2026-03-02T10:00:00"),
    "D3 seconds": ("1767225600", "2026-01-01T00:00:00"),
    "D3 milliseconds": ("1767225600000", "2026-01-01T00:00:00"),
    "D6 Korean": ("2026년 1월 1일", "2026-01-01T00:00:00"),
    "D8 leap second": ("Sat, 31 Dec 2016 23:59:60 GMT", "2016-12-31T23:59:59"),
    "D8 24:00": ("Mon, 23 Nov 2026 24:00:00 GMT", "2026-11-24T00:00:00"),
    "D8 no zone": ("2026-11-23 10:00:00", "2026-11-23T10:00:00"),
    "D8 EST": ("Mon, 23 Nov 2026 10:00:00 EST", "2026-11-23T15:00:00"),
    "D8 a thousand digits": ("2026-11-23T10:00:00." + "1" * 1000 + "Z", "2026-11-23T10:00:00.111111"),
    "D8 fraction": ("2026-11-23T10:00:00.123Z", "2026-11-23T10:00:00.123000"),
}
NONE = {
    "D2": "0001-01-01T00:00:00+14:00",
    "D3 short": "17672256",
    "D5 year 1": "0001-01-01T00:00:00Z",
    "D5 1899": "Sat, 30 Dec 1899 00:00:00 GMT",
    "D5 year 26": "0026-01-01T00:00:00Z",
    "D5 offset": "Mon, 23 Nov 2026 10:00:00 +99:99",
    "D6 none": "",
    "D6 yesterday": "yesterday",
}


@pytest.mark.parametrize("name", READ)
def test_dates_that_can_be_read(name: str) -> None:
    raw, moment = READ[name]
    assert parse_date(raw) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "impossible"),
    [
        ("Mon, 30 Feb 2026 10:00:00 GMT", True),
        ("2026-02-30", True),
        ("2026-02-29T10:00:00Z", True),
        ("31 April 2026", True),
        ("31.11.2026", True),
        ("Thu Feb 30 10:20:30 2026", True),
        ("29 Feb 26", True),
        ("2028-02-29", False),
        ("Sat, 31 Jan 2026 10:00:00 +0100", False),
        ("30 Smarch 2026", False),
        ("2026-00-30", False),
        ("yesterday, the 30th", False),
        ("1772150400", False),
        ("", False),
    ],
)
def test_d1_a_day_that_its_month_does_not_have(raw: str, impossible: bool) -> None:
    assert is_impossible(raw) is impossible


@given(st.text(max_size=40), st.sampled_from(["", "30 Feb ", "2026-02-30", "31 ", "29.2."]))
def test_d1_any_text_is_a_possible_date_or_not(text: str, front: str) -> None:
    assert is_impossible(front + text) in {True, False}


@pytest.mark.parametrize("name", NONE)
def test_dates_that_are_none(name: str) -> None:
    assert parse_date(NONE[name]) is None


@given(st.text(max_size=40), st.sampled_from(["", "2026-", "Mon, ", "1", "31 Feb ", "0000-00-00T", "T24:00", "+99:99"]))
def test_any_date_is_aware_and_within_reason_or_none(text: str, front: str) -> None:
    moment = parse_date(front + text)
    assert moment is None or (moment.tzinfo == UTC and moment.year >= 1900)


def entry(published: datetime | None, guid: str = "g", title: str = "One") -> ParsedEntry:
    return ParsedEntry(guid=guid, link="http://evil.example/one", title=title, published=published, content_hash=b"x")


@pytest.mark.parametrize("published", [NOW + timedelta(days=365), datetime(9999, 12, 31, tzinfo=UTC), None])
def test_d4_d6_what_lies_ahead_or_has_no_date_is_as_old_as_our_knowledge_of_it(published: datetime | None) -> None:
    (found,) = identify([entry(published)], [], source_url=URL, now=NOW).entries
    assert found.published == NOW


def test_d7_what_is_redated_on_every_poll_keeps_its_first_time() -> None:
    first = NOW - timedelta(hours=3)
    known = [
        KnownEntry(
            entry_id="g",
            guid="g",
            canonical_url="https://evil.example/one",
            title="One",
            text_key=None,
            first_seen=first,
            published=first,
        )
    ]
    (found,) = identify([entry(NOW)], known, source_url=URL, now=NOW).entries
    assert found.published == first
    assert found.published <= first, "never later than it was first seen"


# --- N --------------------------------------------------------------------------------------------------------------


def parsed(**fields: object) -> ParsedEntry:
    body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "t", "items": [{"id": "1", **fields}]})
    (one,) = parse_sync(Document(body=body.encode(), url=URL)).entries
    return one


NASTY = {
    "N1 surrogate": "a\ud83db",
    "N2 NUL": "a\0b",
    "N3 override": "a\u202eb\u2066c\u200b\u200ed",
    "N3 Zalgo": "Z" + "\u0301" * 10_000,
    "N3 tags": "a" + "".join(map(chr, range(0xE0000, 0xE0080))),
    "N5 megabyte": "x" * 1_000_000,
    "N5 emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 1000,
    "X10 controls": "".join(map(chr, range(32))) + "b" + "".join(map(chr, range(127, 160))),
}


@pytest.mark.parametrize("name", NASTY)
def test_n_texts_are_fit_to_be_stored_and_shown(name: str) -> None:
    nasty = NASTY[name]
    one = parsed(title=nasty, content_text=nasty, authors=[{"name": nasty}], tags=[nasty])
    for text in (one.title, one.text, one.author or "", *one.categories):
        assert text.encode(), "no lone surrogate"
        assert not any(unicodedata.category(char) == "Cc" for char in text)
        assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
        assert "\u0301" * 10 not in text
    assert 0 < len(one.title) <= 300 * 8


@pytest.mark.parametrize("blank", ["", "   ", "\u200d\ufe0f", "\u3164\u00a0", "\0\0"])
def test_n5_a_title_of_nothing_is_untitled(blank: str) -> None:
    assert parsed(title=blank).title == "(untitled)"


def test_n4_guids_are_compared_byte_for_byte_and_searching_is_not() -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"
    assert clean_guid(composed) != clean_guid(apart)
    assert search_words(composed) == search_words(apart)
    assert search_words("\u212a \u017f") == "K s"


def test_n6_numbers_beyond_the_store() -> None:
    attachment = {"url": "http://evil.example/a", "mime_type": "a/b", "size_in_bytes": 10**30}
    one = parsed(title="One", attachments=[attachment], id=10**40)
    assert one.enclosures[0].size_bytes is None
    assert one.guid == str(10**40)


@given(st.text())
def test_n_any_line_can_be_stored(text: str) -> None:
    line = clean_line(text)
    assert line.encode().decode() == line
    assert clean_line(line) == line
