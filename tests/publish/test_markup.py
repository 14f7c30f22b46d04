from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.publish.markup import (
    address,
    direction,
    heading,
    language_tag,
    legal,
    link,
    links_block,
    media_type,
    one_line,
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
        ("<!-- x --> </p>\n<?php", "‹!-- x --› ‹/p› <?php"),
        ("&#1;&#xD800;", "�"),
        ("", "(untitled)"),
    ],
)
def test_titles_read_the_same_whether_they_are_taken_for_html_or_not(text: str, expected: str) -> None:
    assert heading(text) == expected


def test_what_is_no_media_type_and_no_language_is_not_passed_on() -> None:
    assert media_type("audio/mpeg; codecs=x") == "audio/mpeg; codecs=x"
    assert media_type("mp3") == media_type("a/b\n") == media_type("") == "application/octet-stream"
    assert language_tag("zh-hans") == "zh-hans"
    assert language_tag("english please") is language_tag("") is language_tag(None) is None
