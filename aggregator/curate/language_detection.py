"""The language of a text by its function words, where the feed declares none or the wrong one. Pure.

The share of a text's words that are among the 60 commonest of a language says which it is: of English news the
hundredth with the least has .14, Tagalog has 0 (CURATE.md 2). About 30 µs a text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain, islice

from aggregator.curate.stopword_priors import commonest

__all__ = ["UNKNOWN", "detect", "primary_subtag"]

#: a language that is none of those declared or known here; its items are compared with each other only
UNKNOWN = "und"
#: so many of the commonest words of a language are its function words
FUNCTION_WORDS = 60
#: texts of fewer words are not judged
MIN_WORDS = 20
#: the least share of function words: of a text without a declared language, and of one that another is declared for
SHARE, SHARE_AGAINST_DECLARED = 0.15, 0.2
#: the next likely language has at most this share of the likeliest's
MAX_NEXT = 0.5
#: a text with a smaller share than this is not in the declared language, if that is one of these: their function
#: words stand alone, and news in any other has next to none of them
FOREIGN = 0.05
CHECKED = frozenset({"de", "en", "es", "fr", "it", "pt", "vi"})
#: what feeds write for "unknown", "several", "none"
_UNDECLARED = frozenset({"und", "mul", "zxx"})
_KNOWN = ("ar", "de", "en", "es", "fr", "hi", "it", "ja", "ko", "pt", "ru", "tr", "uk", "vi", "zh")
#: by word, the languages whose function word it is
_FUNCTION: dict[str, tuple[str, ...]] = {}
for _language in _KNOWN:
    for _word, _ in islice(commonest(_language), FUNCTION_WORDS):
        _FUNCTION[_word] = (*_FUNCTION.get(_word, ()), _language)


def primary_subtag(language: str | None) -> str:
    """The language without its region (RFC 5646 2.2.1): "en" for "en-GB"; "" where none is declared."""
    subtag = (language or "").partition("-")[0].lower()
    return "" if subtag in _UNDECLARED else subtag


def detect(declared: str, words: Sequence[str]) -> str:
    """The language of a text by its words (`text.tokens`), where that is plain; else what is declared ("": nothing).

    `UNKNOWN` where the text is plainly not in the declared language, and in no other that is known here.
    """
    if len(words) < MIN_WORDS or (declared and declared not in CHECKED):
        return declared
    held = Counter(chain.from_iterable([_FUNCTION[word] for word in words if word in _FUNCTION]))
    shares = {language: held[language] / len(words) for language in _KNOWN}
    own = shares.get(declared, 0.0)
    if declared and own >= FOREIGN:
        return declared
    (most, language), (following, _) = sorted(((share, name) for name, share in shares.items()), reverse=True)[:2]
    if most >= (SHARE_AGAINST_DECLARED if declared else SHARE) and max(following, own) <= MAX_NEXT * most:
        return language
    return UNKNOWN if declared else ""
