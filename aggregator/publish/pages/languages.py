"""The language in which a text is marked up: the declared one, unless the script of the text contradicts it. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["is_rtl", "primary", "shown_language"]

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
