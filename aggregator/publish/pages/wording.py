"""The words of the pages in one language, and the language that a text from outside is marked with.

Messages are those of `publish.messages`, numbers and dates are Babel's (CLDR).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates, numbers

from aggregator.publish.messages import SOURCE_LANGUAGE, catalogues, messages

__all__ = ["DAY", "HOUR", "MINUTE", "Ages", "Clock", "Wording", "is_rtl", "primary", "shown_language"]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: from here on an age says nothing: the month does
_AGED = 60 * DAY
#: the region whose dates a language takes where none is said
_LOCALES = {"en": "en_GB"}
WORDS_A_MINUTE = 230
#: (unit, from so many of it on): 47 hours, then 2 days
_STEPS = ((DAY, 2), (HOUR, 2), (HOUR, 1), (MINUTE, 1))


class Wording:
    """UI text in the language of a site, or in English where there is no catalogue. May be used from any thread."""

    #: of the UI words, as it stands in ``lang`` attributes
    language: str

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        primary = language.partition("-")[0].lower()
        self.language = language if primary == SOURCE_LANGUAGE or primary in catalogues() else SOURCE_LANGUAGE
        self.zone = zone
        self.locale = _locale(self.language)
        translations = messages(self.language)
        self.gettext: Callable[[str], str] = translations.gettext
        self.ngettext: Callable[[str, str, int], str] = translations.ngettext

    def number(self, number: float) -> str:
        """``1,234``; ``0.4`` where it is no whole number."""
        return numbers.format_decimal(number if float(number).is_integer() else round(number, 1), locale=self.locale)

    def plural(self, one: str, many: str, number: int) -> str:
        """A message with its number, in the plural form that goes with it: ``1,204 readers``."""
        return self.ngettext(one, many, number) % {"num": self.number(number)}

    def local(self, moment: datetime) -> datetime:
        """The moment on the clocks of the site."""
        return moment.astimezone(self.zone)

    def long_date(self, day: dt.date) -> str:
        """``Monday, 23 November 2026``."""
        return dates.format_date(day, "full", locale=self.locale)

    def date(self, moment: datetime) -> str:
        """``23 November 2026``."""
        return dates.format_date(self.local(moment).date(), "long", locale=self.locale)

    def short_date(self, day: dt.date) -> str:
        """``23 Nov``."""
        return dates.format_skeleton("MMMd", day, locale=self.locale)

    def short(self, moment: datetime) -> str:
        """``23 Nov, 14:05``."""
        local = self.local(moment)
        return f"{self.short_date(local.date())}, {local:%H:%M}"

    def weekday_time(self, moment: datetime) -> str:
        """``Mon 14:05``."""
        local = self.local(moment)
        return f"{dates.format_date(local.date(), 'EEE', locale=self.locale)} {local:%H:%M}"

    def clock(self, moment: datetime) -> str:
        """``14:05``."""
        return f"{self.local(moment):%H:%M}"

    def full(self, moment: datetime) -> str:
        """``2026-11-23 14:05:09``: the model page's form, the same in every language."""
        return f"{self.local(moment):%Y-%m-%d %H:%M:%S}"

    def duration(self, length: timedelta) -> str:
        """One unit is enough: ``12 minutes``, ``3 hours``, ``2 days``."""
        if length < MINUTE:
            return self.gettext("moments")
        if length < HOUR:
            return self.plural("%(num)s minute", "%(num)s minutes", length // MINUTE)
        if length < 2 * DAY:
            return self.plural("%(num)s hour", "%(num)s hours", length // HOUR)
        return self.plural("%(num)s day", "%(num)s days", length // DAY)

    def ago(self, moment: datetime | None, now: datetime) -> str:
        """``12 minutes ago``, ``in 3 hours``, ``never``; in the case that the language asks for."""
        if moment is None:
            return self.gettext("never")
        length, sign = abs(now - moment), 1 if moment > now else -1
        if length < MINUTE:
            return self.gettext("just now") if moment <= now else self.gettext("in a moment")
        unit, least = next(step for step in _STEPS if length >= step[0] * step[1])
        told: str = dates.format_timedelta(
            sign * (length // unit) * unit, threshold=least, add_direction=True, locale=self.locale
        )
        return told

    def window(self, length: timedelta) -> str:
        """A ranking's window: ``1 hour``, ``24 hours``, ``7 days``."""
        if length % DAY == timedelta() and length > DAY:
            return self.plural("%(num)s day", "%(num)s days", length // DAY)
        if length % HOUR == timedelta():
            return self.plural("%(num)s hour", "%(num)s hours", length // HOUR)
        return self.plural("%(num)s minute", "%(num)s minutes", length // MINUTE)

    def short_window(self, length: timedelta) -> str:
        """The same where there is little room: ``1 h``, ``24 h``, ``7 d``."""
        if length % DAY == timedelta() and length > DAY:
            return self.gettext("%(num)s d") % {"num": length // DAY}
        if length % HOUR == timedelta():
            return self.gettext("%(num)s h") % {"num": length // HOUR}
        return self.gettext("%(num)s min") % {"num": length // MINUTE}

    def language_name(self, code: str, *, own: bool = False) -> str:
        """The name of a language (BCP 47), in the language of the site or in its `own`; the code where it has none."""
        try:
            named = Locale.parse(code, sep="-")
        except (ValueError, UnknownLocaleError):
            return code
        name = named.get_language_name(named if own else self.locale) or code
        return name[:1].upper() + name[1:]

    def reading(self, text: str) -> str:
        """``4 min read`` for what takes longer than a minute, else ""."""
        minutes = round(len(text.split()) / WORDS_A_MINUTE)
        return self.gettext("%(num)s min read") % {"num": minutes} if minutes > 1 else ""


class Ages:
    """How old things are at one moment, in few letters: ``5m``, ``2h``, ``3d``, ``Jan 2017``."""

    def __init__(self, now: datetime, wording: Wording) -> None:
        self.now = now
        self.wording = wording
        #: when the first of the ages that have been said will be another; None while none will
        self.expires: datetime | None = None

    def short(self, moment: datetime) -> str:
        """The age of something that was published at this moment."""
        age = max(self.now - moment, timedelta())
        if age >= _AGED:
            local = self.wording.local(moment)
            return dates.format_skeleton("yMMM", local, locale=self.wording.locale)
        unit = MINUTE if age < HOUR else HOUR if age < DAY else DAY
        self.limit(max(moment, self.now - age) + (age // unit + 1) * unit)
        if age < MINUTE:
            return self.wording.gettext("now")
        message = {
            MINUTE: self.wording.gettext("%(num)sm"),
            HOUR: self.wording.gettext("%(num)sh"),
            DAY: self.wording.gettext("%(num)sd"),
        }[unit]
        return message % {"num": age // unit}

    def limit(self, moment: datetime | None) -> None:
        """Something else that is shown will be another at that moment."""
        if moment is not None:
            self.expires = moment if self.expires is None else min(self.expires, moment)


class Clock(Ages):
    """The same for files that are read later: the time or the day, which stay right."""

    def short(self, moment: datetime) -> str:
        """``14:05`` today, else ``23 Nov``, from two months on ``Jan 2017``."""
        local, today = self.wording.local(moment), self.wording.local(self.now)
        if self.now - moment >= _AGED:
            return dates.format_skeleton("yMMM", local, locale=self.wording.locale)
        return f"{local:%H:%M}" if local.date() == today.date() else self.wording.short_date(local.date())


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(_LOCALES.get(language, language), sep="_" if language in _LOCALES else "-")
    except (ValueError, UnknownLocaleError):
        primary = language.partition("-")[0].lower()
        return Locale.parse(_LOCALES.get(primary, primary))


#: languages that are written from right to left (BCP 47 primary subtags)
RIGHT_TO_LEFT: Final = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "iw", "ps", "sd", "ug", "ur", "yi"})
#: languages by the script that alone tells them, with all that are written in it
_SCRIPTS: Final = (
    ("bn", frozenset({"bn", "as", "mni"}), re.compile(r"[ঀ-৿]")),
    ("hi", frozenset({"hi", "mr", "ne", "sa", "bho", "mai", "kok"}), re.compile(r"[ऀ-ॿ]")),
    ("ar", frozenset({"ar", "fa", "ur", "ps", "sd", "ug", "ckb", "arc"}), re.compile(r"[؀-ۿݐ-ݿ]")),
    ("ja", frozenset({"ja"}), re.compile(r"[぀-ヿ]")),
    ("ko", frozenset({"ko"}), re.compile(r"[가-힯ᄀ-ᇿ]")),
    ("zh", frozenset({"zh", "yue", "ja", "ko"}), re.compile(r"[一-鿿㐀-䶿]")),
    ("ru", frozenset({"ru", "uk", "bg", "sr", "mk", "be", "kk", "ky", "mn", "tg", "tt"}), re.compile(r"[Ѐ-ӿ]")),
    ("el", frozenset({"el", "grc"}), re.compile(r"[Ͱ-Ͽ]")),
    ("he", frozenset({"he", "iw", "yi"}), re.compile(r"[֐-׿]")),
    ("th", frozenset({"th"}), re.compile(r"[฀-๿]")),
    ("ta", frozenset({"ta"}), re.compile(r"[஀-௿]")),
)
_LETTER: Final = re.compile(r"[^\W\d_]")
#: of the letters of a text, for the script to be that of the text and not of a name in it
_SHARE: Final = 0.5
#: languages that are written in none of these scripts: the letters of their texts say nothing about them
_OTHER: Final = frozenset().union(*(languages for _, languages, _ in _SCRIPTS))


def primary(language: str | None) -> str:
    """The primary subtag, lower case: ``de`` of ``de-AT``; "" for none."""
    return (language or "").replace("_", "-").partition("-")[0].lower()


def is_rtl(language: str | None) -> bool:
    """Whether a language is written from right to left."""
    return primary(language) in RIGHT_TO_LEFT


@lru_cache(4096)
def shown_language(text: str, declared: str | None) -> str | None:
    """The language (BCP 47) that a text is marked with: `declared`, unless it is not written in that script.

    A Hindi title in a feed that says ``en`` is Hindi; an English one in a feed that says ``ar`` is of no known
    language, which is None.
    """
    letters = len(_LETTER.findall(text))
    for language, written, script in _SCRIPTS:
        if letters and len(script.findall(text)) >= _SHARE * letters:
            return declared if primary(declared) in written else language
    return None if letters and primary(declared) in _OTHER else declared
