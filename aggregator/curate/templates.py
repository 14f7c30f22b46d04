"""A template filled in twice: two texts in the same words that tell of different things. Pure.

"Man arrested after robbery in Exeter", "… in Truro"; a match report, a dividend, a paywall's notice. What differs
between a text and its copy is what an editor does: a text cut, a sentence added, a headline made of the text's words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence, Set
from datetime import timedelta
from itertools import pairwise, takewhile
from operator import eq, ne

from aggregator.curate import entities, text
from aggregator.curate.inverted_index import Document, word_pairs
from aggregator.curate.overlap import containment, exchanges, jaccard

__all__ = [
    "LEAD_WORDS",
    "LONG",
    "IsCommon",
    "fills_in",
    "has_words_exchanged",
    "is_rewritten",
    "is_same_template",
    "titles_contradict",
]

#: whether a term is a function word
IsCommon = Callable[[int], bool]

#: a lead of fewer words than this proves nothing
LEAD_WORDS = 6
#: texts of so many word pairs are long
LONG = 100
#: titles are those of a template if less than this share of the words that only one of them has stands in its text
TOLD = 0.25
#: in texts of fewer pairs another name is another text; of long texts only those that agree by MOSTLY can be a template
TELLS_ONE_THING, MOSTLY = 45, 0.85
#: texts of at least that many pairs which agree by less have been rewritten: one number more or less is no sign
REWRITTEN = 0.75
#: texts are the same from this containment on; they tell of something if they have so many numbers and words of names
WHOLE, TELLING = 0.95, 3
#: no notice that stands under many titles has so many word pairs (CURATE.md 3)
NO_NOTICE = 60
#: titles that are less alike are two headlines
OTHER_HEADLINE = 0.5
#: two texts that share so many of the shorter one's word pairs may fill in one template
TEMPLATE = 0.45
#: a long text may have a name corrected; more than one exchanged is another text
NAMES_IN_LONG = 2
#: an editor exchanges words within hours; what comes later with other words in their places is the next issue
EDITED_WITHIN = timedelta(hours=12)


def fills_in(one: Document, other: Document, *, contained: float, is_common: IsCommon) -> bool:
    """Both fill in a template, as far as their titles, the words exchanged between them and the time tell.

    `contained`: the `containment` of their word pairs.
    """
    pairs = min(len(one.pairs), len(other.pairs))
    rewritten = is_rewritten(pairs, contained)
    if not rewritten and _titles_fill_in(one, other, is_common, whole=contained >= WHOLE):
        return True
    corrected = rewritten or (contained >= WHOLE and jaccard(one.title, other.title) < OTHER_HEADLINE)
    return _texts_fill_in(one, other, is_common, enough=_exchanges_enough(one, other), corrected=corrected)


def is_same_template(one: Document, other: Document, *, is_common: IsCommon = lambda _: False) -> bool:
    """Whether both fill in one template, each with something else: they tell of different events in the same words.

    Articles of two newsrooms about one event share a word pair in ten. Titles that stand alone are of one template
    where some of their words are exchanged for others, and none of them is a number.
    """
    pairs = min(len(one.pairs), len(other.pairs))
    exchanged = one.title_numbers == other.title_numbers and has_words_exchanged(one.title, other.title)
    if pairs + 1 < LEAD_WORDS:
        return exchanged
    contained = containment(one.pairs, other.pairs)
    if contained < TEMPLATE:
        return False
    if is_rewritten(pairs, contained):
        return _texts_fill_in(one, other, is_common)
    if exchanged or _of_other_days_or_letters(one, other) or _titles_fill_in(one, other, is_common):
        return True
    if contained >= WHOLE and titles_contradict(one, other):
        return True
    return _texts_fill_in(
        one, other, is_common, enough=_exchanges_enough(one, other) if one.title == other.title else 0
    )


def is_rewritten(pairs: int, contained: float) -> bool:
    """Whether texts of this length agree too little to be one template.

    Whoever rewrites a text adds numbers and leaves some out, which tells nothing of it then.
    """
    return contained < MOSTLY if pairs >= LONG else pairs >= TELLS_ONE_THING and contained < REWRITTEN


def has_words_exchanged(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether titles are as long as each other, and differ in a few places only."""
    others = sum(map(ne, one, other))
    return len(one) == len(other) and 0 < others <= len(one) // 2


def _in_one_place(one: Document, other: Document) -> bool:
    """The titles differ by an exchange: they keep their length, or where characters stand for words beginning and end.

    The name of a town has as many characters as it likes, and half of the shorter title stays.
    """
    if one.language not in text.WRITTEN_IN_PAIRS:
        return has_words_exchanged(one.title, other.title)
    fewer = min(len(one.title), len(other.title))
    begin: int = sum(takewhile(bool, map(eq, one.title, other.title)))
    end: int = sum(takewhile(bool, map(eq, reversed(one.title), reversed(other.title))))
    kept = begin + end
    return kept < fewer and 2 * kept >= fewer


def titles_contradict(one: Document, other: Document) -> bool:
    """Both titles name numbers, and one of them a number of which the other item says nothing; or letters, likewise."""
    mine, theirs = set(one.title_numbers), set(other.title_numbers)
    untold = (mine - theirs).difference(other.numbers) | (theirs - mine).difference(one.numbers)
    for kind in (True, False):
        if all(any(entities.is_letter(number) == kind for number in some) for some in (untold, mine, theirs)):
            return True
    return False


def _of_other_days_or_letters(one: Document, other: Document) -> bool:
    """Both titles name a day or a month, and no common one; or a letter, as in "Group C" and "Group D"."""
    for of_kind in (entities.is_date, entities.is_letter):
        mine, theirs = (set(filter(of_kind, document.title_numbers)) for document in (one, other))
        if mine and theirs and mine.isdisjoint(theirs):
            return True
    return False


def _exchanges_enough(one: Document, other: Document) -> int:
    """How many exchanges of any words show that one is another issue of the other; 0: no number does."""
    is_later = abs(one.published - other.published) > EDITED_WITHIN
    return 1 if is_later and min(len(one.pairs), len(other.pairs)) < LONG else 0


def _titles_fill_in(one: Document, other: Document, is_common: IsCommon, *, whole: bool = False) -> bool:
    """The titles differ by what fills in a template, whose other words prove nothing.

    - Each text names something in title and text that the other one never says; in short texts, names something at all.
    - Or hardly a word that only one of the titles has stands in the text, on either side (on one, where the titles are
      the same but for these words). A headline that was rewritten is made of the words of the text; what fills in a
      template, or stands above a paywall's notice or an author's biography, is not. Unless the `whole` text is the
      same and is about what both titles name: an editor has found other words. That is sure of longer texts, unless a
      name stands in the place of a name and the text says neither; of shorter ones where both titles begin with a word
      of the text, and no name is exchanged.
    """
    first, second = _Words(one, is_common), _Words(other, is_common)
    mine, theirs = first.title - second.title, second.title - first.title
    if (mine & first.text) - second.every and (theirs & second.text) - first.every:
        return True
    pairs = min(len(one.pairs), len(other.pairs))
    if pairs < TELLS_ONE_THING and first.names - second.every and second.names - first.every:
        return True
    if not mine or not theirs:
        return False
    told = first.told(mine, second), second.told(theirs, first)
    if whole and len(one.names) + len(one.numbers) >= TELLING:
        named = bool(mine.intersection(one.title_names) and theirs.intersection(other.title_names))
        if pairs >= NO_NOTICE and first.title & second.title & first.text:
            return named and not any(told) and has_words_exchanged(one.title, other.title)
        if _begin_alike(one, other) and one.title[0] in first.text:
            return named and max(told) < TOLD
    return (min if _in_one_place(one, other) else max)(told) < TOLD


def _texts_fill_in(
    one: Document, other: Document, is_common: IsCommon, *, enough: int = 0, corrected: bool = False
) -> bool:
    """Words of the texts are exchanged as in a template; `enough`: so many of any kind are (0: of names alone).

    Names show it: one of them; more, or one again and again, in a text that may have one `corrected`, as a long one
    may. Where letters do not tell names, texts show it that differ in nothing but exchanges, and long ones that
    exchange the same words again and again.
    """
    mine, theirs = set(one.terms).union(one.words), set(other.terms).union(other.words)
    found = exchanges(one.words, other.words, mine=mine, theirs=theirs, is_common=is_common)
    if not found.all:
        return False
    if enough and len(found.all) >= enough:
        return True
    is_long, again = corrected or min(len(one.pairs), len(other.pairs)) >= LONG, found.repeated() > 0
    if entities.tells_names(one.language):
        names = found.of(set(one.names), set(other.names))
        return names >= NAMES_IN_LONG and (again or 2 * names >= len(found.all)) if is_long else names > 0
    return (found.is_all and len(found.all) >= NAMES_IN_LONG) or again if is_long else found.is_all


def _begin_alike(one: Document, other: Document) -> bool:
    """Titles with the same subject: "Berlin hails European cinema", "Berlin celebrates …"; where letters tell names."""
    return one.title[0] == other.title[0] and entities.tells_names(one.language)


class _Words:
    """The words of a document: of its title (without function words), of its text, of both, of names in its text.

    Where two characters stand for a word, a long text has most of them, and three characters are one word here.
    """

    def __init__(self, document: Document, is_common: IsCommon) -> None:
        self.names = set(document.names)
        self._parts: dict[int, tuple[int, ...]]
        if document.language in text.WRITTEN_IN_PAIRS:
            titled = zip(word_pairs(document.title), pairwise(document.title), strict=True)
            self._parts = {word: parts for word, parts in titled if not all(map(is_common, parts))}
            self.text = set(document.pairs)
            self.every = self.text.union(word_pairs(document.title))
        else:
            counted = Counter(document.title)
            counts = zip(document.terms, document.counts, strict=True)
            self._parts = {word: (word,) for word in counted if not is_common(word)}
            self.text = {word for word, count in counts if count > text.TITLE_WEIGHT * counted[word]}
            self.every = set(document.terms)
        self.title = set(self._parts)

    def told(self, words: Set[int], other: _Words) -> float:
        """How much of these words of its title stands in the other's text, 0…1."""
        parts = {part for word in words for part in self._parts[word]}
        return len({part for word in words & other.text for part in self._parts[word]}) / len(parts)
