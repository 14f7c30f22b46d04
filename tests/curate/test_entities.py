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
        ("dreihundert Gäste", "300 Gäste", "de"),
        ("doscientos vecinos", "200 vecinos", "es"),
        ("Part II", "Part 2", "en"),
        ("a book about Kennedy", "a book about John F. Kennedy", "en"),
        ("les plus grands", "les plus beaux", "fr"),
        ("A STAR IS BORN IN A BARN", "STARS ARE BORN IN BARNS", "en"),
        ("he said I may go", "he said we may go", "en"),
        ("B&B in the hills", "inn in the hills", "en"),
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
        ("Vitamin A in food", "Vitamin K in food", "en"),
        ("Die Hepatitis-A-Impfung", "Die Hepatitis-B-Impfung", "de"),
        ("Le groupe E en direct", "Le groupe F en direct", "fr"),
        ("Группа А: итоги", "Группа Б: итоги", "ru"),
        ("维生素C的作用", "维生素E的作用", "zh"),
        ("Bグループの順位", "Cグループの順位", "ja"),
        ("المجموعة أ في كأس", "المجموعة ب في كأس", "ar"),
        ("קבוצה א בגביע", "קבוצה ב בגביע", "he"),
        ("समूह ए का मैच", "समूह ई का मैच", "hi"),
        ("Alder 9 reviewed", "Alder 9 Pro reviewed", "en"),
        ("Alder 9 Pro reviewed", "Alder 9 Pro Max reviewed", "en"),
        ("山猫12评测", "山猫12 Ultra评测", "zh"),
        ("Louis XIV", "Louis XVI", "fr"),
    ],
)
def test_other_numbers(one: str, other: str, language: str) -> None:
    assert numbers(one, language) != numbers(other, language)


def test_a_title_may_write_every_word_large() -> None:
    assert numbers("Vitamin K Deficiency Explained", "en", is_title=True) != numbers(
        "Vitamin E Deficiency Explained", "en", is_title=True
    )
    assert not numbers("Once Upon A Time", "en", is_title=True)


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
