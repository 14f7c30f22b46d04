"""Names of months and weekdays in many languages, from the Unicode CLDR. Knows babel.

Loaded when the first date comes that is not in English: reading the names of all these languages takes a moment.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from functools import cache

__all__ = ["month_of", "weekday_of"]

#: languages whose names are looked at where the feed's own does not help. Croatian is not among them: its listopad is
#: October, which is November in Polish and Czech
_LANGUAGES = (
    "de", "fr", "es", "it", "pt", "nl", "ru", "pl", "cs", "sk", "sl", "bg", "uk", "be", "mk", "sr", "ro", "hu", "fi",
    "et", "lv", "lt", "sv", "da", "nb", "nn", "is", "tr", "az", "el", "he", "ar", "fa", "hi", "bn", "ta", "id", "ms",
    "vi", "th", "ka", "hy", "kk", "sq", "ca", "eu", "gl", "cy", "ga", "af",
)  # fmt: skip
_MIN_PREFIX_CHARS = 3
_ENGLISH_MONTHS = {
    **{name.casefold(): number for number, name in enumerate(calendar.month_name) if name},
    **{name.casefold(): number for number, name in enumerate(calendar.month_abbr) if name},
    "sept": 9,
}
_ENGLISH_DAYS = {
    **{name.casefold(): number for number, name in enumerate(calendar.day_name)},
    **{name.casefold(): number for number, name in enumerate(calendar.day_abbr)},
}

#: name → the numbers it has, in one language or in several
Names = Mapping[str, frozenset[int]]


def month_of(word: str, language: str | None = None) -> int | None:
    """1 to 12, by the name of a month or its usual abbreviation; None: unknown, or another month in another language."""
    return _number(word, language, _ENGLISH_MONTHS, _months)


def weekday_of(word: str, language: str | None = None) -> int | None:
    """0 (Monday) to 6, by the name of a weekday or its usual abbreviation; None as `month_of`."""
    return _number(word, language, _ENGLISH_DAYS, _days)


def _number(word: str, language: str | None, english: Mapping[str, int], names: _Loader) -> int | None:
    word = word.casefold().strip(".")
    tag = (language or "").lower().partition("-")[0]
    if tag in {"", "en"} and word in english:
        return english[word]
    if tag and (found := _only(names((tag,)), word)):
        return found.number
    if word in english:
        return english[word]
    found = _only(names(_LANGUAGES), word)
    return found.number if found else None


class _Found:
    """A number that may be 0."""

    def __init__(self, number: int) -> None:
        self.number = number


def _only(names: Names, word: str) -> _Found | None:
    """The one number of a name; else of all names that begin so."""
    numbers = names.get(word)
    if numbers is None and len(word) >= _MIN_PREFIX_CHARS:
        numbers = frozenset(number for name, several in names.items() if name.startswith(word) for number in several)
    return _Found(next(iter(numbers))) if numbers and len(numbers) == 1 else None


class _Loader:
    """Reads names of one kind; remembers them."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @cache  # noqa: B019 - there are two of these, which live as long as the process
    def __call__(self, languages: tuple[str, ...]) -> Names:
        from babel.core import UnknownLocaleError
        from babel.dates import get_day_names, get_month_names

        read = get_month_names if self._kind == "months" else get_day_names
        found: dict[str, set[int]] = {}
        for language in languages:
            for width in ("wide", "abbreviated"):
                for context in ("format", "stand-alone"):
                    try:
                        names = read(width, context, language)  # type: ignore[arg-type] # of these words
                    except (UnknownLocaleError, ValueError, LookupError):
                        continue
                    _add(found, names.items())
        return {name: frozenset(numbers) for name, numbers in found.items()}


def _add(found: dict[str, set[int]], names: Iterable[tuple[int, str]]) -> None:
    for number, name in names:
        plain = name.casefold().strip(".")
        if not plain.isdigit():
            found.setdefault(plain, set()).add(number)


_months, _days = _Loader("months"), _Loader("days")
