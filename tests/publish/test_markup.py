from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import lxml.html
import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.publish.markup import (
    address,
    direction,
    heading,
    inert,
    is_wide,
    language_tag,
    legal,
    link,
    links_block,
    media_type,
    one_line,
    picture_size,
    shorten,
    without_images,
)

ANYTHING = st.text(st.integers(0, 0x10FFFF).map(chr), max_size=400)


@given(ANYTHING)
def test_legal_text_can_be_encoded_and_holds_no_control_characters(text: str) -> None:
    cleaned = legal(text)
    cleaned.encode()
    assert not any(ord(letter) < 32 and letter not in "\t\r\n" for letter in cleaned)
    assert legal(cleaned) == cleaned


@given(ANYTHING)
def test_a_title_is_one_line_and_never_empty(text: str) -> None:
    title = one_line(text)
    assert title.strip() == title
    assert title
    assert "\n" not in title


@given(ANYTHING, st.integers(1, 50))
def test_shortened_text_is_short(text: str, limit: int) -> None:
    assert len(shorten(text, limit)) <= limit + 1


def test_shortening_cuts_between_words() -> None:
    assert shorten("one two three four", 12) == "one two…"
    assert shorten("一二三四五六七八九十", 4) == "一二三四…"
    assert shorten("short", 12) == "short"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ('http://x/a b"<é>', "http://x/a%20b%22%3C%C3%A9%3E"),
        ("https://bücher.example:8080/ü?q=ü#ü", "https://xn--bcher-kva.example:8080/%C3%BC?q=%C3%BC#%C3%BC"),
        ("http://x/%20?a=b&c=[1]", "http://x/%20?a=b&c=[1]"),
        ("/section/наука/latest", "/section/%D0%BD%D0%B0%D1%83%D0%BA%D0%B0/latest"),
        ("http://[é/", "http://[%C3%A9/"),
    ],
)
def test_addresses_hold_nothing_that_no_address_may_hold(url: str, expected: str) -> None:
    assert address(url) == expected


@given(ANYTHING)
def test_addresses_are_ascii_and_stay_what_they_are(text: str) -> None:
    once = address("http://x.example/" + text)
    assert once.isascii()
    assert address(once) == once


def test_pictures_can_be_left_out() -> None:
    assert without_images('<p>a<img src="x" alt="a > b">b<IMG src=y></p>') == "<p>ab</p>"


@pytest.mark.parametrize(
    ("language", "expected"), [("ar", "rtl"), ("fa-IR", "rtl"), ("en", "ltr"), (None, "ltr"), ("arn", "ltr")]
)
def test_direction_of_languages(language: str | None, expected: str) -> None:
    assert direction(language) == expected


def test_links_are_escaped() -> None:
    assert link('http://x/?a=1&b="', "<b>") == '<a href="http://x/?a=1&amp;b=%22">&lt;b&gt;</a>'
    assert links_block("Related", []) == ""
    assert links_block("Related", [("http://x/", "X")]) == (
        '<h4>Related</h4><ul><li><a href="http://x/">X</a></li></ul>'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b > c & d <3", "a < b > c & d <3"),
        ("The <b> element &amp;lt;i&gt;", "The ‹b› element ‹i›"),
        ("AT&amp;T &copy &#8217; &nosuch;", "AT&T &copy ’ &nosuch;"),
        ("<!-- x --> </p>\n<?php", "‹!-- x --› ‹/p› ‹?php"),
        ("&#1;&#xD800;", "�"),
        ("", "(untitled)"),
    ],
)
def test_titles_read_the_same_whether_they_are_taken_for_html_or_not(text: str, expected: str) -> None:
    assert heading(text) == expected


@pytest.mark.parametrize(
    ("url", "size"),
    [
        ("https://x.example/a/boat-150x100.jpg", (150, 100)),
        ("https://x.example/img/1280x720/boat.webp", (1280, 720)),
        ("https://x.example/boat.jpg?resize=770%2C513&quality=80", (770, 513)),
        ("https://x.example/boat.jpg?fit=770,513", (770, 513)),
        ("https://x.example/boat.jpg?quality=85&width=140", (140, None)),
        ("https://ichef.bbci.co.uk/ace/standard/240/cpsprodpb/1/boat.jpg", (240, None)),
        ("https://x.example/2026/1200/boat.jpg", (None, None)),
        ("https://x.example/boat-0x90210.jpg", (None, None)),
        ("https://x.example/boat.jpg?w=00", (None, None)),
    ],
)
def test_the_size_of_a_picture_is_read_from_its_address(url: str, size: tuple[int | None, int | None]) -> None:
    assert picture_size(url) == size


def test_a_picture_counts_as_wide_unless_it_is_known_to_be_narrow() -> None:
    assert is_wide("https://x.example/boat.jpg", 640)
    assert is_wide("https://x.example/boat-640x360.jpg", 640)
    assert not is_wide("https://x.example/boat-639x360.jpg", 640)
    assert not is_wide("https://x.example/boat.jpg", 640, 240)
    assert is_wide("https://x.example/boat.jpg", 640, 640)
    assert is_wide("https://x.example/boat-640x360.jpg", 640, 75), "what a server scales to is what comes"
    assert not is_wide(None, 1)
    assert not is_wide("", 1)


def test_what_is_no_media_type_and_no_language_is_not_passed_on() -> None:
    assert media_type("audio/mpeg; codecs=x") == "audio/mpeg; codecs=x"
    assert media_type("mp3") == media_type("a/b\n") == media_type("") == "application/octet-stream"
    assert language_tag("zh-hans") == "zh-hans"
    assert language_tag("english please") is language_tag("") is language_tag(None) is None


#: (text, whether a reader of a newspaper could have meant it)
ATTACKS = [
    '<a title="<b>" href="javascript:alert(1)">x</a>',
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<img src=x onerror=alert(1)//",
    "<svg/onload=alert(1)",
    "<svg><script>alert(1)</script",
    "</title><script>alert(1)</script>",
    "<!--><img src=x onerror=alert(1)>",
    "<?php echo 1 ?><script>alert(1)</script>",
    "<!DOCTYPE html><body onload=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&amp;lt;img src=x onerror=alert(1)&amp;gt;",
    "&amp;amp;amp;amp;amp;lt;img src=x onerror=alert(1)//",
    "&#60;img src=x onerror=alert(1)&#62;",
    "&#x3C;img src=x onerror=alert(1)",
    "&#0000060img src=x onerror=alert(1)//",
    "&ltimg src=x onerror=alert(1)//",
    "&LT;img src=x onerror=alert(1)//",
    "&amp;ltimg src=x onerror=alert(1)//",
    "&amplt;img src=x onerror=alert(1)//",
    "&#38lt;img src=x onerror=alert(1)//",
    "&#x26;#x3c;img src=x onerror=alert(1)//",
    "a < b <\x00script>alert(1)</script>",
    "<\ud800script>alert(1)</script>",
    "<<script>alert(1)//<</script>",
    "<a<a<a href=javascript:alert(1)>",
    "x<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<plaintext>",
    "<<<<<img src=x onerror=alert(1)>>>>>",
    '"><img src=x onerror=alert(1)>',
    "' <x onclick=alert(1)>click",
    "&NewLine;<a&Tab;href=javascript:alert(1)>",
    "&lt;&lt;img src=x onerror=alert(1)//",
    "&lt;&sol;title&gt;<script>alert(1)</script>",
    "&ampamp;lt;script>alert(1)//",
    "&" * 40 + "lt;script>alert(1)</script>",
    "&amp" * 40 + "lt;img src=x onerror=alert(1)>",
    "&nvlt;script>alert(1)</script>",
    "<%2fscript><3 <b",
]


def readings(text: str) -> Iterator[str]:
    """The text as readers take it that decode it as HTML once, twice, or however often."""
    for _ in range(8):
        yield text
        text = unescape(text)


@pytest.mark.parametrize("text", ATTACKS)
def test_no_text_holds_a_tag_for_readers_that_take_it_for_html(text: str) -> None:
    for shown in (heading(text), inert(text), heading(f"Latest · {text} – Site")):
        for read in readings(shown):
            assert not lxml.html.fragment_fromstring(read, create_parent="div").xpath("//*[not(self::div)]"), read
            assert not nh3.is_html(read) or nh3.clean(read, tags=set()) == nh3.clean_text(read), read


@given(st.lists(st.sampled_from(["<", "&lt;", "&#60", "&amp;", "&amp", "lt;", ">", "script", " ", "/", "!", "?", "é"])))
def test_no_composition_of_tags_and_references_holds_a_tag(parts: list[str]) -> None:
    for read in readings(heading("".join(parts))):
        assert not re.search("<[a-zA-Z/!?]", read)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("AT&T wins, R&D loses", "AT&T wins, R&D loses"),
        ("1 < 2 and x<3", "1 < 2 and x<3"),
        ("I <3 you", "I <3 you"),
        ("Using <b>bold</b>", "Using ‹b›bold‹/b›"),
        ("Vec<u8> or List<String", "Vec‹u8› or List‹String"),
        ("Q&amp;A", "Q&A"),
        ("<速報> x <- y, a<=b", "‹速報› x <- y, a<=b"),
        ("http://x.example/?a=1&copy=2&lt=3", "http://x.example/?a=1&copy=2&lt=3"),
    ],
)
def test_what_people_write_stays_as_they_write_it(text: str, shown: str) -> None:
    assert heading(text) == shown
