"""Numbers, days and names that a text mentions: two texts that mention different ones are not one text.

Days of the week, months and number words count as numbers ("Oil slips on Monday", "part two"), in the languages listed
here; other languages have their digits. So does what tells the members of a series apart in any language: a letter that
stands alone ("Vitamin D", "Group C"), a Roman numeral, the grade of a model behind its number ("X 5 Pro"). Pure.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterator
from itertools import product

__all__ = ["DATE_WORDS", "is_date", "is_letter", "names", "numbers", "tells_names"]

#: a version, an amount and a share are one number each: 4.1.1 is not 4.1
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_NUMBER_MASK = 0xFFFF_FFFF
#: where days and months begin, far from what texts count
_DAY, _MONTH = 4_000_000_001, 4_000_000_101
#: where letters begin, which are told by their code point, and grades of models
_LETTER, _GRADE = 4_100_000_000, 4_200_000_000

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
_TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
    "fr": "vingt trente quarante cinquante soixante",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "it": "venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
    "nl": "twintig dertig veertig vijftig zestig zeventig tachtig negentig",
    "ru": "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто",
}
#: where they are one word
_HUNDREDS = {
    "de": "hundert zweihundert dreihundert vierhundert fünfhundert sechshundert siebenhundert achthundert neunhundert",
    "es": "cien doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos",
    "it": "cento duecento trecento quattrocento cinquecento seicento settecento ottocento novecento",
    "nl": "honderd tweehonderd driehonderd vierhonderd vijfhonderd zeshonderd zevenhonderd achthonderd negenhonderd",
    "ru": "сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот",
}
#: a capital that stands alone behind a word; an initial has a point or, within a text, a surname behind it
_LETTER_BEHIND_WORD = re.compile(
    r"\w (?=([A-ZΑ-ΩА-Я])(?![\w.&'’/+-]| &)( [^\W\d_a-zа-яё])?)|[^\W\d_]{3}-([A-Z])\b(?!['’.])"
)
#: in scripts without spaces a Latin capital, in those without case a letter of their own; without words of one letter
_LETTER_IN_UNSPACED = re.compile(r"(?<![A-Za-z0-9.&-])[A-ZＡ-Ｚ](?![A-Za-z0-9.&'’-])")
_LETTER_WITHOUT_CASE = re.compile(r"(?<= )[א-תء-نهيअ-धप-रलश-ह](?![\w.\u0900-\u0903\u093a-\u094f])")
_ROMAN = re.compile(r"\b[IVX]{2,6}\b")
_ROMAN_VALUES = {
    tens + ones: 10 * ten + one
    for (ten, tens), (one, ones) in product(
        enumerate(("", "X", "XX", "XXX")), enumerate(("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"))
    )
}
_GRADES = ("pro", "max", "plus", "ultra", "mini", "lite", "neo", "turbo", "air", "slim", "fe", "gt", "se", "xl")
#: behind the number of a model, the name of which is written large: "X 5 Pro", not "les 10 plus grands"
_GRADED = re.compile(rf"\d[ ]?((?:[ ]?(?:{'|'.join(f'{g.title()}|{g.upper()}' for g in _GRADES)}|mini)(?![A-Za-z]))+)")
#: what a capital letter begins: names, in languages that write other words small
_CAPITAL = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĘĚĞĢĪĮİĶĹĽŁŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŲŹŻŽΑ-ΩА-ЯЁЄІЇҐ"
_NAME = re.compile(rf"(?<=[^\W\d_][ ,;:])[ ]?((?:[{_CAPITAL}][\w’'-]+[ ]?)+)")
#: every noun is written large, or no letter is
_NO_CASE = frozenset(
    {"am", "ar", "bn", "de", "fa", "he", "hi", "ja", "km", "ko", "lb", "lo", "my", "ta", "th", "ur", "zh"}
)


def _words() -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    tables = ((_DAYS, _DAY, 1), (_MONTHS, _MONTH, 1), (_CARDINALS, 2, 1), (_ORDINALS, 1, 1))
    for table, first, step in (*tables, (_TENS, 20, 10), (_HUNDREDS, 100, 100)):
        for language, words in table.items():
            places = {word: first + place * step for place, word in enumerate(words.split()) if word != "-"}
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


def numbers(text: str, language: str, *, is_title: bool = False) -> array[int]:
    """The different numbers in a text, each once, in order; 1,200 is 1.200, "seven" is 7, a day has one of its own.

    `is_title`: it may write all words large, and no initial of a name is expected.
    """
    found = {int("".join(filter(str.isdigit, digits))[-20:]) & _NUMBER_MASK for digits in _DIGITS.findall(text)}
    if values := _VALUES.get(language):
        words = _UNSPACED.get(language, _WORD).findall(text.lower())
        found.update(values[word] for word in values.keys() & words)
    found.update(_ROMAN_VALUES[numeral] for numeral in _ROMAN.findall(text) if numeral in _ROMAN_VALUES)
    found.update(_GRADE + _GRADES.index(word) for grades in _GRADED.findall(text) for word in grades.lower().split())
    found.update(_LETTER + ord(letter) for letter in _letters(text, language, is_title=is_title))
    return array("I", sorted(found))


def _letters(text: str, language: str, *, is_title: bool) -> Iterator[str]:
    """The letters that stand alone; none in what is written in capitals throughout."""
    if not text.isupper():
        for letter, surname, joined in _LETTER_BEHIND_WORD.findall(text):
            is_word = letter == "I" and language == "en"
            if joined or (letter and not is_word and not (surname and (not is_title or letter == "A"))):
                yield joined or letter
    if not text.isascii():
        if language in _NO_CASE:
            yield from (unicodedata.normalize("NFKC", letter) for letter in _LETTER_IN_UNSPACED.findall(text))
        yield from _LETTER_WITHOUT_CASE.findall(text)


def is_date(number: int) -> bool:
    """Whether one of the `numbers` of a text is a day of the week or a month."""
    return _DAY <= number < _MONTH + 12


def is_letter(number: int) -> bool:
    """Whether one of the `numbers` of a text is a letter that stands alone."""
    return _LETTER <= number < _GRADE


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
