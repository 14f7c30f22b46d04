"""Numbers, days and names that a text mentions: two texts that mention different ones are not one text.

Days of the week, months and number words count as numbers ("Oil slips on Monday", "part two"), in the languages listed
here; other languages have their digits. Pure.
"""

from __future__ import annotations

import re
from array import array

__all__ = ["DATE_WORDS", "is_date", "names", "numbers", "tells_names"]

#: a version, an amount and a share are one number each: 4.1.1 is not 4.1
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_NUMBER_MASK = 0xFFFF_FFFF
#: where days and months begin, far from what texts count
_DAY, _MONTH = 4_000_000_001, 4_000_000_101

#: from Monday; in the case that follows "on"
_DAYS = {
    "en": "monday tuesday wednesday thursday friday saturday sunday",
    "de": "montag dienstag mittwoch donnerstag freitag samstag sonntag",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
    "it": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "nl": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    "pl": "poniedziałek wtorek środę czwartek piątek sobotę niedzielę",
    "ru": "понедельник вторник среду четверг пятницу субботу воскресенье",
    "uk": "понеділок вівторок середу четвер п'ятницю суботу неділю",
    "ja": "月曜 火曜 水曜 木曜 金曜 土曜 日曜",
    "zh": "周一 周二 周三 周四 周五 周六 周日",
}
#: from January; without those that are other words as well (May, March, mai, agosto is none)
_MONTHS = {
    "en": "january february - april - june july august september october november december",
    "de": "januar februar märz april - juni juli august september oktober november dezember",
    "fr": "janvier février - avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "uk": "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
}
#: from two, and from first; "-" where the word means something else more often
_CARDINALS = {
    "en": "two three four five six seven eight nine ten eleven twelve",
    "de": "zwei drei vier fünf sechs sieben - neun zehn elf zwölf",
    "fr": "deux trois quatre cinq six sept huit - dix onze douze",
    "es": "dos tres cuatro cinco seis siete ocho nueve diez - doce",
    "it": "due tre quattro cinque - sette otto nove dieci undici dodici",
    "nl": "twee drie vier vijf zes zeven acht negen tien elf twaalf",
    "ru": "два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать",
}
_ORDINALS = {
    "en": "first second third fourth fifth sixth seventh eighth ninth tenth",
    "de": "erste zweite dritte vierte fünfte sechste siebte achte neunte zehnte",
    "fr": "première deuxième troisième quatrième cinquième sixième septième huitième neuvième dixième",
    "es": "primera segunda tercera cuarta quinta sexta séptima octava novena décima",
    "it": "- seconda terza quarta quinta sesta settima ottava nona decima",
    "nl": "eerste tweede derde vierde vijfde zesde zevende achtste negende tiende",
}
#: what a capital letter begins: names, in languages that write other words small
_CAPITAL = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĘĚĞĢĪĮİĶĹĽŁŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŲŹŻŽΑ-ΩА-ЯЁЄІЇҐ"
_NAME = re.compile(rf"(?<=[^\W\d_][ ,;])[ ]?((?:[{_CAPITAL}][\w’'-]+[ ]?)+)")
#: every noun is written large, or no letter is
_NO_CASE = frozenset(
    {"am", "ar", "bn", "de", "fa", "he", "hi", "ja", "km", "ko", "lb", "lo", "my", "ta", "th", "ur", "zh"}
)


def _words() -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for table, first in ((_DAYS, _DAY), (_MONTHS, _MONTH), (_CARDINALS, 2), (_ORDINALS, 1)):
        for language, words in table.items():
            places = {word: first + place for place, word in enumerate(words.split()) if word != "-"}
            if language == "de" and table is _ORDINALS:
                places |= {word + ending: place for word, place in places.items() for ending in "mnrs"}
            found.setdefault(language, {}).update(places)
    return found


_VALUES = _words()
#: days and months in all these languages
DATE_WORDS = frozenset(word for words in _VALUES.values() for word, value in words.items() if value >= _DAY)
#: "Mr Blair" is "Tony Blair"
_FORMS_OF_ADDRESS = (
    "mr mrs ms miss dr sir dame lord lady president prime minister mme monsieur madame señor señora don doña sig "
    "signor signora dhr mevrouw pan pani господин госпожа президент"
)
_TITLES = frozenset(_FORMS_OF_ADDRESS.split())
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
#: written without spaces: looked for within what is written
_UNSPACED = {language: re.compile("|".join(_VALUES[language])) for language in ("ja", "zh")}


def numbers(text: str, language: str) -> array[int]:
    """The different numbers in a text, each once, in order; 1,200 is 1.200, "seven" is 7, a day has one of its own."""
    found = {int("".join(filter(str.isdigit, digits))[-20:]) & _NUMBER_MASK for digits in _DIGITS.findall(text)}
    if values := _VALUES.get(language):
        words = _UNSPACED.get(language, _WORD).findall(text.lower())
        found.update(values[word] for word in values.keys() & words)
    return array("I", sorted(found))


def is_date(number: int) -> bool:
    """Whether one of the `numbers` of a text is a day of the week or a month."""
    return _DAY <= number < _MONTH + 12


def tells_names(language: str) -> bool:
    """Whether capital letters tell names in a language (`names`)."""
    return language not in _NO_CASE


def names(text: str, language: str) -> list[str]:
    """The words of names within the sentences of a text; none where capital letters do not tell them.

    Days and months are numbers, not names, and forms of address stand in the place of first names.
    """
    if language in _NO_CASE:
        return []
    spelled = _VALUES.get(language, {})
    words = (word for name in _NAME.findall(text) for word in name.split())
    return [word for word in words if word.lower() not in spelled and word.lower() not in _TITLES]
