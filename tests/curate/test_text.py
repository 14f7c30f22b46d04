from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.curate.text import american, normalise, strip_lead, strip_title, terms, tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Storms batter the coast", ["storms", "batter", "the", "coast"]),
        ("a I C++ 5", []),
        ("Überraschung STRASSE Straße", ["überra", "strass", "strass"]),
        ("Ｆｕｌｌ ｗｉｄｔｈ ﬁne \u212a9", ["full", "width", "fine", "k9"]),
        ("хорошие новости", ["хороши", "новост"]),
        ("東京都 の AI2026", ["東京", "京都", "の", "ai2026"]),
        ("한국어", ["한국", "국어"]),
        ("สวัสดี", ["สว", "วั", "ัส", "สด", "ดี"]),
        ("हिन्दी समाचार", ["हिन्दी", "समाचार"]),
        ("العَرَبِيَّة العربية", ["العربي", "العربي"]),
        ("שָׁלוֹם שלום", ["שלום", "שלום"]),
        ("cafe\u0301 café", ["café", "café"]),
        ("snake_case", ["snake", "case"]),
    ],
)
def test_tokens(text: str, words: list[str]) -> None:
    assert tokens(text) == words


@given(st.text(max_size=200))
def test_tokens_of_any_text(text: str) -> None:
    for word in tokens(text):
        assert 1 <= len(word) <= 6
        assert not word.isspace()


@given(st.text(max_size=200))
def test_case_does_not_matter(text: str) -> None:
    assert tokens(text.casefold()) == tokens(text)


def test_normalise() -> None:
    assert normalise("  <b>Rock</b> &amp;\n Roll ") == "rock & roll"
    assert normalise("a < b > c") == "a < b > c"


@pytest.mark.parametrize(
    ("title", "source", "stripped"),
    [
        ("UPDATE 2-Oil rises", "", "Oil rises"),
        ("Minister quits over ferries (AP)", "", "Minister quits over ferries"),
        ("Glacier collapse buries hut | Reuters", "", "Glacier collapse buries hut"),
        ("A talk with Reuters", "", "A talk with Reuters"),
        ("(AP)", "", "(AP)"),
        ("Live: Storm hits coast", "", "Storm hits coast"),
        ("BREAKING NEWS: Storm", "", "Storm"),
        ("Live", "", "Live"),
        ("Livestock prices: up", "", "Livestock prices: up"),
        ("Oil rises - Reuters", "Reuters", "Oil rises"),
        ("Oil rises | BBC News", "BBC News - World", "Oil rises"),
        ("Oil – rises — The Guardian", "The Guardian", "Oil – rises"),
        ("Oil rises - again", "Reuters", "Oil rises - again"),
        ("Reuters - Oil rises", "Reuters", "Oil rises"),
        ("Reuters", "Reuters", "Reuters"),
    ],
)
def test_titles(title: str, source: str, stripped: str) -> None:
    assert strip_title(title, source_name=source) == stripped


@pytest.mark.parametrize(
    ("lead", "stripped"),
    [
        ("MOSCOW (AP) — It rained.", "It rained."),
        ("LONDON, March 3 (Reuters) - Oil fell.", "Oil fell."),
        ("Berlin (dpa) - Es regnet.", "Es regnet."),
        ("WASHINGTON — The vote.", "The vote."),
        ("The man said (on Tuesday) - well.", "The man said (on Tuesday) - well."),
        ("It rained. The post It rained appeared first on Weather Blog.", "It rained."),
        ("It rained. Read more...", "It rained."),
        ("It rained […]", "It rained"),
        ("She appeared in court.", "She appeared in court."),
        ("", ""),
    ],
)
def test_leads(lead: str, stripped: str) -> None:
    assert strip_lead(lead) == stripped


def test_terms_count_the_title_twice() -> None:
    found = terms("Oil rises - Reuters", "LONDON (Reuters) - Oil, oil everywhere", source_name="Reuters")
    assert found == {"oil": 4.0, "rises": 2.0, "everyw": 1.0}


def test_only_the_first_words_of_the_lead_count() -> None:
    assert "late" not in terms("", "early " * 80 + "late " * 200)


@pytest.mark.parametrize(
    ("british", "usual"),
    [
        ("labour", "labor"),
        ("colourful", "colorful"),
        ("centre", "center"),
        ("theatre", "theater"),
        ("defence", "defense"),
        ("realise", "realize"),
        ("analyse", "analyze"),
        ("colours", "colors"),
        ("organise", "organize"),
    ],
)
def test_both_spellings_of_english_are_one_word(british: str, usual: str) -> None:
    one, other = (american(tokens(word)[0]) for word in (british, usual))
    assert one == other


@given(st.sampled_from(["hour", "four", "our", "tour", "course", "acre", "entire", "fire", "here", "analysis"]))
def test_words_with_one_spelling_stay_apart_from_others(word: str) -> None:
    assert american(word[:6]) not in {"for", "or", "her", "far"}
