from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.collect.clean import (
    clean_guid,
    clean_html,
    clean_line,
    cut_graphemes,
    dates,
    html_from_text,
    parse_date,
    safe_url,
    urls,
)
from aggregator.collect.clean.html import MAX_HTML_CHARS
from aggregator.collect.clean.text import printable

BASE = "https://example.org/a/b?c=d"


def cleaned(source: str) -> str:
    return clean_html(source, base=BASE).html


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a<object data='data:x'> rest", "a rest"),
        ("a<IFRAME src='file:x'/> <b>rest</b> <iframe src='data:y'></iframe>.", "a <b>rest</b> ."),
        ("a<video src='data:x' /><p>rest</p>", "a<p>rest</p>"),
        ("a<form action='/x'>rest<input name=q>", "arest"),
        ("a<object>fallback</object> rest", "a rest"),
        ("a<ifr<iframe>ame srcdoc='x'>rest", "arest"),
        ("a<ifr<iframe/>ame srcdoc='x'>rest</iframe>", "a"),
        ("a<iframe srcdoc='<script>alert(1)</script>'>rest", "arest"),
        ("a<object <script>alert(1)</script> rest", "a rest"),
        ("a<script>alert(1)", "a"),
        ("a<style>p {} rest", "a"),
    ],
)
def test_what_is_dropped_takes_no_more_with_it_than_what_is_inside(source: str, expected: str) -> None:
    assert cleaned(source) == expected


# --- HTML ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<p onclick=alert(1)>x</p>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href='jav\tascript:alert(1)'>x</a>",
        "<a href='&#106;avascript:alert(1)'>x</a>",
        "<a href=' \x01javascript:alert(1)'>x</a>",
        "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
        "<svg><style><img src=x onerror=alert(1)></style></svg>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
        "<!--><img src=x onerror=alert(1)>-->",
        "<!--!><script>alert(1)</script>",
        "<![CDATA[><script>alert(1)</script>]]>",
        "<form action=/x><button formaction='javascript:alert(1)'>x</button></form>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe><object data=x></object><embed src=x>",
        "<p style='position:fixed;background:url(javascript:x)'>x</p>",
        "<style>@import 'x'</style><link rel=stylesheet href=x><meta http-equiv=refresh content=0>",
        "<p id=location class=nav name=cookie>x</p>",
        "<base href=//evil.example/>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "</div></body></html><plaintext>",
        "<a href='vbscript:x' xlink:href='javascript:x' ping=x target=_blank download>x</a>",
    ],
)
def test_nothing_live_comes_through(source: str) -> None:
    result = cleaned(source)
    assert not re.search(
        r"<(script|style|svg|math|form|button|iframe|object|embed|link|meta|base|plaintext)|\son\w+=|javascript:"
        r"|vbscript:|data:|style=|srcdoc|\sid=|class=|\sname=|target=|ping=|<!--",
        result,
        re.IGNORECASE,
    )


class _Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"br", "hr", "img", "wbr", "col"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@given(st.text(alphabet="<>/abdipv !-'\"=&;x\n", max_size=120))
def test_the_page_around_it_stays_whole(source: str) -> None:
    balance = _Balance()
    balance.feed(cleaned(source))
    balance.close()
    assert balance.open == []


def test_what_readers_want_is_kept() -> None:
    source = (
        '<h2>T</h2><p lang="de">a <em>b</em> <a href="../x?y=1&amp;z=2">c</a></p><ul><li>d</li></ul>'
        '<figure><img src="p.jpg" alt="q" width="640"></figure><blockquote>e</blockquote><pre><code>f</code></pre>'
    )
    result = clean_html(source, base=BASE)
    assert 'href="https://example.org/x?y=1&amp;z=2"' in result.html
    assert '<img src="https://example.org/a/p.jpg" alt="q" width="640">' in result.html
    assert result.text == "T a b c d e f"
    assert result.links == ("https://example.org/x?y=1&z=2",)
    assert result.images == ("https://example.org/a/p.jpg",)


@pytest.mark.parametrize(
    "image",
    [
        '<img src="/p.gif" width="1" height="1">',
        '<img src="https://pixel.wp.com/b.gif?x">',
        '<img src="https://feeds.feedburner.com/~r/x/~4/y" height="1">',
        '<img src="//127.0.0.1/like">',
        '<img src="http://10.0.0.1/admin">',
        '<img src="http://[::1]/">',
        '<img src="http://0x7f000001/">',
        '<img src="http://localhost:8080/item/1/like">',
        '<img src="file:///etc/passwd">',
        "<img>",
    ],
)
def test_pictures_that_are_none(image: str) -> None:
    assert cleaned(f"<p>a{image}</p>") == "<p>a</p>"


def test_a_source_on_a_private_network_may_show_its_own_pictures() -> None:
    result = clean_html('<img src="/p.jpg">', base="http://127.0.0.1:8000/feed")
    assert result.images == ("http://127.0.0.1:8000/p.jpg",)


def test_each_text_has_its_own_base() -> None:
    def addresses(number: int) -> set[str]:
        base = f"https://{number}.example/"
        return {clean_html('<a href="x y">z</a>', base=base).links[0] for _ in range(50)}

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(addresses, range(20))) == [{f"https://{n}.example/x%20y"} for n in range(20)]


def test_tags_that_break_lines_part_words() -> None:
    source = '<p>a<b>b</b>c<br>d</p><ul><li>e<li title="&lt;br&gt; &quot;>">f</ul><h1>g</h1><i>h</i><hr/>j &amp; k'
    assert clean_html(source, base=BASE).text == "abc d e f g h j & k"


def test_empty_elements_go() -> None:
    assert cleaned("<p>a</p><p><b> </b></p><div><p>&nbsp;<br></p></div><p></p>") == "<p>a</p>"


@pytest.mark.parametrize(
    "source", ["<div>" * 200_000, "<b>" * 100_000 + "x", "<p>" + "word " * 400_000, "<p>x</p>" * 90_000]
)
def test_size_and_depth_are_capped(source: str) -> None:
    result = cleaned(source)
    assert len(result) <= MAX_HTML_CHARS
    balance = _Balance()
    balance.feed(result)
    assert balance.open == []


def test_plain_text_as_html() -> None:
    assert html_from_text("a <b>\nc\n\n\nd & e\n") == "<p>a &lt;b&gt;<br>c</p><p>d &amp; e</p>"


# --- text ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  a\n\tb  ", "a b"),
        ("a\x00b\x0bc\x1bd", "ab cd"),
        ("a\ud800b", "a�b"),
        ("\u202eabc\u2066", "abc"),
        ("a\u200bb\ufeff", "ab"),
        ("می‌خواهم", "می‌خواهم"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("\u200d\u200d", ""),
        ("e" + "\u0301" * 10_000, "e" + "\u0301" * 6),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_lines(text: str, clean: str) -> None:
    assert clean_line(text) == clean


def test_graphemes_are_not_torn() -> None:
    assert cut_graphemes("👩‍👩‍👧" * 5, 2) == "👩‍👩‍👧" * 2 + "…"
    assert cut_graphemes("🇦🇹🇩🇪🇫🇷", 2) == "🇦🇹🇩🇪…"
    assert cut_graphemes("e\u0301e\u0301e\u0301", 2) == "e\u0301e\u0301…"
    assert cut_graphemes("abc", 3) == "abc"


@given(st.text(max_size=400), st.integers(1, 50))
def test_lines_can_be_stored_and_stay_the_same(text: str, limit: int) -> None:
    once = clean_line(text + "\ud800\x00", graphemes=limit)
    once.encode()
    assert "\x00" not in once
    assert "\n" not in once


def test_guids_stay_byte_for_byte() -> None:
    assert clean_guid(" Tag:K\u212a,ſ ") == "Tag:K\u212a,ſ"
    assert clean_guid("\x00 ") is None


# --- addresses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("x", "https://example.org/a/x"),
        ("../x", "https://example.org/x"),
        ("//host.example/x", "https://host.example/x"),
        ("?q", "https://example.org/a/b?q"),
        ("#f", "https://example.org/a/b?c=d#f"),
        (" http://host.example/a b ", "http://host.example/a%20b"),
        ("http://host.example/a\n/b", "http://host.example/a/b"),
        ("http://bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC"),
        ("http://host.example/%41?a=%2F", "http://host.example/%41?a=%2F"),
        ("http://127.0.0.1:8000/x", "http://127.0.0.1:8000/x"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("javascript:alert(1)", None),
        ("mailto:a@b.example", None),
        ("ftp://host.example/", None),
        ("http://good\\@evil.example/", None),
        ("http://good@evil.example/", None),
        ("http://host.example:99999/", None),
        ("http:///x", None),
        ("http://[::1", None),
        ("http://host.example/\x00x", None),
        ("http://host.example/" + "a" * 3000, None),
        ("", None),
        (None, None),
    ],
)
def test_addresses(url: str | None, safe: str | None) -> None:
    assert safe_url(url, BASE) == safe


@given(st.text(max_size=100))
def test_addresses_are_plain_or_none(url: str) -> None:
    for candidate in (url, "http://" + url, "http://host.example/" + url):
        safe = safe_url(candidate, BASE)
        assert safe is None or (safe.isascii() and safe.startswith(("http://", "https://")) and " " not in safe)
        assert safe is None or safe_url(safe) == safe


# --- dates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        ("Tue, 03 Mar 2026 10:00:00 +0100", "2026-03-03T09:00:00"),
        ("Tue, 3 Mar 26 10:00:00 EST", "2026-03-03T15:00:00"),
        ("Tue, 03 Mar 2026 10:00:00 CEST", "2026-03-03T08:00:00"),
        ("Tue, 03 Mar 2026 10:00:00", "2026-03-03T10:00:00"),
        ("Tue, 03 Mar 2026 10:00:00 ()", "2026-03-03T10:00:00"),
        ("3 March 2026 10:00 [", "2026-03-03T10:00:00"),
        ("Tue, 03 Mar 2026 24:00:00 GMT", "2026-03-04T00:00:00"),
        ("Wed, 31 Dec 2025 23:59:60 GMT", "2025-12-31T23:59:59"),
        ("2026-03-03T10:00:00.123456789Z", "2026-03-03T10:00:00.123456"),
        ("2026-03-03", "2026-03-03T00:00:00"),
        ("2026-02-30", "2026-03-02T00:00:00"),
        ("1767225600", "2026-01-01T00:00:00"),
        ("1767225600000", "2026-01-01T00:00:00"),
        ("Thu Mar  5 10:20:30 2026", "2026-03-05T10:20:30"),
        ("March 3, 2026 10:00 PM EST", "2026-03-04T03:00:00"),
        ("Di, 3. März 2026 10:00", "2026-03-03T10:00:00"),
        ("3 de março de 2026", "2026-03-03T00:00:00"),
        ("03.03.2026 10:00", "2026-03-03T10:00:00"),
        ("3 марта 2026 10:00", "2026-03-03T10:00:00"),
        ("2026년 1월 1일", "2026-01-01T00:00:00"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59"),
    ],
)
def test_dates(raw: str, moment: str) -> None:
    assert parse_date(raw) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    ["", "yesterday", "0001-01-01T00:00:00+14:00", "1899-12-30", "2026-03-03T10:00:00+99:99", "0", None],
)
def test_dates_that_are_none(raw: str | None) -> None:
    assert parse_date(raw) is None


@given(st.from_regex(dates._USUAL, fullmatch=True))
def test_usual_dates_are_read_as_written_out_ones(raw: str) -> None:
    usual = dates._usual(raw)
    assert usual is None or usual == dates._written(raw, None)


@given(st.text(alphabet="0123456789:-+TZ /.,JanFebMarGMT", max_size=40))
def test_any_date_is_answered(raw: str) -> None:
    moment = parse_date(raw)
    assert moment is None or moment.tzinfo is UTC


@given(st.from_regex(urls._PLAIN, fullmatch=True))
def test_addresses_that_need_nothing_done_come_out_as_they_are(url: str) -> None:
    base = "https://example.org/feed/"
    assert safe_url(url, base) == urls._ascii(urljoin(base, url)) == url


def test_what_is_taken_for_printable_at_a_glance_has_nothing_to_be_taken_out() -> None:
    """A character that none is printable with comes out as it does behind one that makes the long way necessary."""
    marks = "\u0301" * 5
    for code in (*range(0x10000), *range(0xE0000, 0xE0200), sys.maxunicode):
        char = chr(code)
        usual, thorough = printable(f"a{char}b{marks}"), printable(f"\x00a{char}b{marks}")
        assert usual == thorough, hex(code)
    for code in range(0x80):
        assert printable(f"a{chr(code)}b") == printable(f"\x00a{chr(code)}b"), hex(code)


def test_runs_of_marks_are_cut_wherever_they_stand() -> None:
    assert printable("a\nb" + "\u0301" * 9 + "\n") == "a\nb" + "\u0301" * 6 + "\n"
    assert printable("\u0301" * 6) == "\u0301" * 6
    for before in range(8):
        for behind in range(8):
            assert printable("a" * before + "\u0301" * 7 + "a" * behind) == "a" * before + "\u0301" * 6 + "a" * behind


def test_nesting_is_found_whatever_ends_without_having_begun() -> None:
    assert clean_html("</i>" * 1000 + "<div>" * 500 + "x", base="").html == "<p>x</p>"
    assert clean_html("<div></div>" * 5000 + "<p>x</p>", base="").html == "<p>x</p>"
