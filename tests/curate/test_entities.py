from __future__ import annotations

import pytest

from aggregator.curate.entities import names, numbers


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("1,200 people", "1.200 people", "en"),
        ("Seven climbers", "7 climbers", "en"),
        ("on MONDAY", "monday", "en"),
        ("am zweiten Tag", "am 2. Tag", "de"),
        ("le douze juin", "le 12 juin", "fr"),
    ],
)
def test_the_same_numbers(one: str, other: str, language: str) -> None:
    assert numbers(one, language) == numbers(other, language)


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("version 4.1.1", "version 4.1", "en"),
        ("Part two", "Part three", "en"),
        ("on Monday", "on Tuesday", "en"),
        ("in June", "in July", "en"),
        ("am Montag", "am Dienstag", "de"),
        ("lundi soir", "mardi soir", "fr"),
        ("el jueves", "el viernes", "es"),
        ("mercoledì sera", "giovedì sera", "it"),
        ("zaterdag", "zondag", "nl"),
        ("w środę", "we czwartek", "pl"),
        ("в пятницу", "в субботу", "ru"),
        ("у п'ятницю", "у суботу", "uk"),
        ("火曜に", "水曜に", "ja"),
        ("周一晚", "周二晚", "zh"),
    ],
)
def test_other_numbers(one: str, other: str, language: str) -> None:
    assert numbers(one, language) != numbers(other, language)


def test_a_day_is_no_number_of_another_kind() -> None:
    assert not set(numbers("Monday in June", "en")) & set(numbers("1 2 3 4 5 6 7 101 106", "en"))


def test_names_are_words_with_a_capital_within_a_sentence() -> None:
    text = "The mayor of Porto, Rosa Valdez, said on Monday in June that Ann O'Neil won. Nobody else ran."
    assert names(text, "en") == ["Porto", "Rosa", "Valdez", "Ann", "O'Neil"]


@pytest.mark.parametrize(
    ("text", "language"), [("Der Bürgermeister von Porto und die Stadt", "de"), ("東京で雨", "ja")]
)
def test_names_are_not_told_by_capitals_everywhere(text: str, language: str) -> None:
    assert names(text, language) == []
