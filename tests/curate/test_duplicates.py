from __future__ import annotations

import pytest
from curating import text
from hypothesis import given
from hypothesis import strategies as st

from aggregator.curate.duplicates import Likeness, cannot_be, likeness
from aggregator.curate.inverted_index import InvertedIndex

#: 130 different words, and as many others
LONG = " ".join(f"alpha{chr(97 + n // 26)}{chr(97 + n % 26)}"[::-1] for n in range(130))
OTHER = " ".join(f"bravo{chr(97 + n // 26)}{chr(97 + n % 26)}"[::-1] for n in range(130))
SHORT = (
    "Tugs pull at the grain freighter that lies across the channel, and pilots say the fog will lift before the tide."
)


def compare(one: tuple[str, str], other: tuple[str, str]) -> Likeness:
    index = InvertedIndex()
    return likeness(*(index.compared(text(name, *words)) for name, words in zip("ab", (one, other), strict=True)))


def test_a_report_of_a_match_is_the_same_under_a_title_with_the_score() -> None:
    report = (
        "Ireland scored two tries in the last ten minutes to beat a brave Italy in Rome on Sunday, after the hosts had "
        "led for most of the second half through the boot of their captain Luca Moretti."
    )
    assert compare(("Italy 17-28 Ireland", report), ("Late try saves Irish blushes", report)).is_copy


def test_titles_that_name_different_numbers_are_of_different_texts() -> None:
    assert not compare(("Quill 4.1 is out", LONG), ("Quill 4.2 is out", LONG)).is_copy


def test_of_long_texts_less_has_to_be_the_same() -> None:
    words, others = LONG.split(), OTHER.split()
    mostly = " ".join(words[:95] + others[:35])
    half = " ".join(words[:65] + others[:65])
    assert compare(("One title", LONG), ("Quite another", mostly)).is_copy
    assert not compare(("One title", LONG), ("Quite another", half)).is_copy


@pytest.mark.parametrize("figures", [("900 people", "1200 people"), ("12 ships", "14 ships")])
def test_a_short_text_with_another_figure_is_another_text(figures: tuple[str, str]) -> None:
    one, other = (f"{figure} were counted. {SHORT}" for figure in figures)
    assert not compare(("Freighter aground", one), ("Freighter aground", other)).is_copy


def test_one_corrected_figure_of_many_leaves_a_long_text_the_same() -> None:
    numbers = " ".join(str(n * 37) for n in range(1, 17))
    assert compare(("One title", f"{LONG} {numbers} 5"), ("One title", f"{LONG} {numbers} 7")).is_copy


@given(kept=st.integers(0, 130), size=st.integers(1, 130), title=st.sampled_from(["One title", "Quite another"]))
def test_what_is_not_even_compared_would_not_have_been_a_copy(kept: int, size: int, title: str) -> None:
    index = InvertedIndex()
    words, others = LONG.split()[:size], OTHER.split()[:size]
    one = index.compared(text("a", "One title", " ".join(words)))
    other = index.compared(text("b", title, " ".join([*words[:kept], *others[kept:]])))
    passed_over = cannot_be(frozenset(one.pairs), other)
    assert not (passed_over and likeness(one, other).is_copy)
    assert passed_over or kept * 3 > size or size <= 20, "a third of a text is not enough"
