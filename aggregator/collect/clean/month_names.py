"""Names of months and weekdays in many languages, from the Unicode CLDR. Knows babel.

Loaded when the first date comes that is not in English: reading the names of all these languages takes a moment.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

__all__ = ["month_of", "weekday_of"]

#: languages whose names are looked at where the feed's own does not help. Croatian is not among them: its listopad is
#: October, which is November in Polish and Czech
_LANGUAGES = (
    "de", "fr", "es", "it", "pt", "nl", "ru", "pl", "cs", "sk", "sl", "bg", "uk", "be", "mk", "sr", "ro", "hu", "fi",
    "et", "lv", "lt", "sv", "da", "nb", "nn", "is", "tr", "az", "el", "he", "ar", "fa", "hi", "bn", "ta", "id", "ms",
    "vi", "th", "ka", "hy", "kk", "sq", "ca", "eu", "gl", "cy", "ga", "af",
)  # fmt: skip
_MIN_PREFIX_CHARS = 3
#: "3 november" and "november 2026" differ in some languages
_FORMS: Final[tuple[tuple[Literal["wide", "abbreviated"], Literal["format", "stand-alone"]], ...]] = (
    ("wide", "format"),
    ("wide", "stand-alone"),
    ("abbreviated", "format"),
    ("abbreviated", "stand-alone"),
)
_ENGLISH_MONTHS = {
    **{name.casefold(): number for number, name in enumerate(calendar.month_name) if name},
    **{name.casefold(): number for number, name in enumerate(calendar.month_abbr) if name},
    "sept": 9,
}
_ENGLISH_DAYS = {
    **{name.casefold(): number for number, name in enumerate(calendar.day_name)},
    **{name.casefold(): number for number, name in enumerate(calendar.day_abbr)},
}

Kind = Literal["months", "days"]
#: name → the numbers it has, in one language or in several
Names = Mapping[str, frozenset[int]]


def month_of(word: str, language: str | None = None) -> int | None:
    """1 to 12, by the name of a month or an abbreviation; None: unknown, or several months in several languages."""
    return _number(word, language, _ENGLISH_MONTHS, "months")


def weekday_of(word: str, language: str | None = None) -> int | None:
    """0 (Monday) to 6, by the name of a weekday or an abbreviation; None as `month_of`."""
    return _number(word, language, _ENGLISH_DAYS, "days")


def _number(word: str, language: str | None, english: Mapping[str, int], kind: Kind) -> int | None:
    word = word.casefold().strip(".")
    tag = (language or "en").lower().partition("-")[0]
    if tag != "en" and (number := _only(_names(kind, (tag,)), word)) is not None:
        return number
    return english[word] if word in english else _only(_names(kind, _LANGUAGES), word)


def _only(names: Names, word: str) -> int | None:
    """The one number of a name; else of all names that begin so."""
    numbers = names.get(word)
    if numbers is None and len(word) >= _MIN_PREFIX_CHARS:
        found = [several for name, several in names.items() if name.startswith(word) and " " not in name]
        numbers = frozenset[int]().union(*found)
    return next(iter(numbers)) if numbers and len(numbers) == 1 else None


@lru_cache(maxsize=64)
def _names(kind: Kind, languages: tuple[str, ...]) -> Names:
    from babel.core import UnknownLocaleError
    from babel.dates import get_day_names, get_month_names

    read = get_month_names if kind == "months" else get_day_names
    found: dict[str, set[int]] = {}
    for language in languages:
        for width, context in _FORMS:
            try:
                names = read(width, context, language)
            except (UnknownLocaleError, ValueError, LookupError):  # a language without names
                break
            for number, name in names.items():
                plain = name.casefold().strip(".")
                if not plain.isdigit():
                    found.setdefault(plain, set()).add(number)
    return {name: frozenset(numbers) for name, numbers in found.items()}
