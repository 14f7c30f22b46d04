"""Names of sources, languages of texts, excerpts of a search: pure, on titles as feeds have them."""

from __future__ import annotations

from dataclasses import replace

import page_samples as samples
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.publish.listing import Place
from aggregator.publish.pages.search_page import SearchRequest, best_first, best_titles, marked, query, snippet, terms
from aggregator.publish.pages.source_names import HUES, label
from aggregator.publish.pages.wording import shown_language


@pytest.mark.parametrize(
    ("title", "home", "expected"),
    [
        ("The Morning Star - RSS Channel", "https://www.morning-star.example/", "The Morning Star"),
        ("STAR > Top Stories", "https://star.example/", "STAR"),
        ("World – The Daily Bugle", "https://bugle.example/", "The Daily Bugle"),
        ("Home | Evening Mail", "https://mail.example/", "Evening Mail"),
        ("Gazette latest articles", "https://gz.example/", "Gazette"),
        (
            "Wellness: Health, Fitness & More - The Lakeside Post",
            "https://www.lakesidepost.example/w",
            "The Lakeside Post",
        ),
        ("Kurier - Nachrichten", "https://kurier.example/", "Kurier"),
        ("Quotidien : A la Une", "https://quotidien.example/", "Quotidien"),
        ("Nevada", "https://www.reviewpaper.example/nevada", "reviewpaper.example"),
        ("Technology", "https://www.gadgets.example/tech", "gadgets.example"),
        ("Oregon", "https://www.reviewpaper.example/oregon/rss2.0.xml", "reviewpaper.example"),
        ("South Coast", "https://reviewpaper.example/south-coast/feed", "reviewpaper.example"),
        ("Tidepool", "https://blogs.example/tidepool.xml", "Tidepool"),
        ("shopnews.com - RSS", "https://shopnews.com/", "shopnews"),
        ("Notes from the Harbour", "https://n.example/", "Notes from the Harbour"),
        ("Science: a weblog", "https://s.example/", "a weblog"),
        ("একাত্তর", "https://e.example/", "একাত্তর"),
        ("   ", "https://blank.example/", "blank.example"),
    ],
)
def test_a_title_of_a_feed_becomes_the_name_of_its_source(title: str, home: str, expected: str) -> None:
    assert label(replace(samples.SOURCES[0], name=title, home=home)).name == expected


def test_a_name_of_the_operators_is_left_alone() -> None:
    assert label(replace(samples.SOURCES[0], name="World - Top Stories", is_named=True)).name == "World - Top Stories"


@given(st.text(max_size=80), st.text(max_size=40))
def test_every_source_has_a_name_an_initial_and_a_hue(title: str, home: str) -> None:
    made = label(replace(samples.SOURCES[0], name=title, home=home))
    assert made.name.strip() or not (title.strip() or home)
    assert len(made.initial) == 1
    assert 0 <= made.hue < HUES


@pytest.mark.parametrize(
    ("text", "declared", "expected"),
    [
        ("Ein Satz auf Deutsch", "de", "de"),
        ("ট্রাম্পের দাবির পর", "en", "bn"),
        ("ট্রাম্পের দাবির পর", "bn-bd", "bn-bd"),
        ("सोना हुआ सस्ता", None, "hi"),
        ("मराठी बातम्या", "mr", "mr"),
        ("خبر عاجل", "fa", "fa"),
        ("海峡重新开放", "ja", "ja"),
        ("ニュースです", "en", "ja"),
        ("Новости дня", "uk", "uk"),
        ("An English title", "ar", None),
        ("An English title", None, None),
        ("2026: 100 %", "ar", "ar"),
        ("BBC বাংলা বিভাগের খবর", "en", "bn"),
    ],
)
def test_the_script_of_a_text_corrects_what_was_declared(text: str, declared: str | None, expected: str | None) -> None:
    assert shown_language(text, declared) == expected


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("Coronavirus: Virus test", "virus", "Corona<mark>virus</mark>: <mark>Virus</mark> test"),
        ("Ein Café in Zürich", "cafe zurich", "Ein <mark>Café</mark> in <mark>Zürich</mark>"),
        ("<b>1 & 2</b>", "b", "&lt;<mark>b</mark>&gt;1 &amp; 2&lt;/<mark>b</mark>&gt;"),
        ("aaaa", "aa aaa", "<mark>aaaa</mark>"),
        ("nothing here", "x'y\"", "nothing here"),
        ("STRASSE und Straße", "straße", "<mark>STRASSE</mark> und <mark>Straße</mark>"),
    ],
)
def test_words_are_marked_however_they_are_written(text: str, words: str, expected: str) -> None:
    assert marked(text, terms(words)) == expected


def test_an_excerpt_stands_round_the_first_hit() -> None:
    text = f"{'before ' * 40}needle {'behind ' * 40}"
    cut = snippet(text, terms("needle"))
    assert cut.startswith("…before")
    assert "<mark>needle</mark>" in cut
    assert cut.endswith("behind…")
    assert len(cut) < 230
    assert snippet("short text", terms("absent")) == "short text"


@given(st.text(max_size=300), st.text(max_size=30))
def test_marking_changes_no_letter(text: str, words: str) -> None:
    from html import unescape

    plain = unescape(marked(text, terms(words)).replace("<mark>", "").replace("</mark>", ""))
    assert plain == unescape(str(marked(text, ())))


def test_the_best_match_has_the_words_in_its_title() -> None:
    def found(number: int, title: str, text: str) -> Place:
        return Place(item=replace(samples.item(number), title=title, text=text))

    places = [found(1, "Other", "tide tide"), found(2, "The tide", "x"), found(3, "Else", "tide " + "long " * 200)]
    assert [place.item.id for place in best_first(places, "tide")] == ["k0002", "k0001", "k0003"]


def test_the_titles_of_all_hits_are_compared_however_old_they_are() -> None:
    hits = [(f"new{n}", "The Tide went out") for n in range(600)]
    hits += [("old", "TIDE gauges of 1890"), ("old", "Another title of it"), ("older", "Tide gauge")]
    assert best_titles(hits, "gauge tide")[:3] == ["old", "older", "new0"]
    assert len(best_titles(hits, "gauge tide")) == 602
    assert best_titles([], "x") == []


def test_a_search_is_narrowed_by_its_address() -> None:
    asked = SearchRequest(words="a&b", section="world")
    assert query(asked, source="s1") == "q=a%26b&section=world&source=s1"
    assert query(asked, section="") == "q=a%26b"
