"""Plain text made fit to be stored, compared and shown: no control characters, no surrogates, no bidi tricks.

Knows ftfy, which undoes UTF-8 that was decoded as another encoding and encoded again.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

import ftfy
import ftfy.bad_codecs  # registers the encodings named "sloppy"
from ftfy.badness import is_bad

__all__ = [
    "MAX_TEXT_CHARS",
    "MAX_TITLE_GRAPHEMES",
    "clean_guid",
    "clean_line",
    "cut_graphemes",
    "mend_encoding",
    "one_line",
    "printable",
]

#: of the plain text kept beside an entry's HTML
MAX_TEXT_CHARS = 2000
MAX_TITLE_GRAPHEMES = 300
#: marks on one letter; what any language writes stays well below
_MAX_MARKS = 6

#: C0 and C1 but tab and newline, invisible characters, bidi embeddings, overrides and isolates, noncharacters, tags
_INVISIBLE = re.compile(
    # kept: the flags of England, Scotland and Wales, which are a black flag and tags (UTS 51, annex C)
    "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)"
    "|[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\u00ad\u115f\u1160\u180e\u200b\u2028-\u202e\u2060-\u2069\u206a-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f]"
)
_BREAKS = re.compile("\r\n|[\x0b\x0c\r\x85\u2028\u2029]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARK = re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
_MARK_RUN = re.compile(rf"{_MARK.pattern}{{{_MAX_MARKS},}}")
_NON_ASCII = re.compile("[^\x00-\x7f]+")
#: encodings as which UTF-8 is misread; "sloppy" as browsers have them, with all 256 bytes (ftfy.bad_codecs)
_MISREADINGS = ("latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "sloppy-windows-1250", "mac-roman", "cp437")
_LEAD_BYTES = bytes(range(0xC2, 0xF5))
#: what the first byte of a letter in UTF-8 (RFC 3629, 3) is misread as → the encodings that read it so
_LEADS = {
    letter: tuple(encoding for encoding in _MISREADINGS if letter in codecs.decode(_LEAD_BYTES, encoding))
    for letter in sorted({letter for encoding in _MISREADINGS for letter in codecs.decode(_LEAD_BYTES, encoding)})
}
_CERTAIN_BYTES = 8
_MAX_MISREADINGS = 2
#: no repairs of single letters within a text that is sound otherwise
_WHOLE_TEXTS = ftfy.TextFixerConfig(decode_inconsistent_utf8=False, explain=False)
#: what windows-1252 has where Unicode has controls
_WINDOWS_CONTROLS = {code: letter for code in range(0x80, 0xA0) if (letter := bytes([code]).decode("cp1252", "ignore"))}
#: what of ASCII a text may have
_PLAIN_ASCII = bytes(range(0x20, 0x7F)) + b"\t\n"
#: what a title must have one of to be one
_VISIBLE_CATEGORIES = frozenset("LNPS")


def printable(text: str) -> str:
    """`text` without what cannot be stored (N1, N2), seen, or would reorder what stands beside it (N3)."""
    if _is_printable(text):
        return text
    text = _SURROGATE.sub("\ufffd", text)
    text = _INVISIBLE.sub(_kept_flag, _BREAKS.sub("\n", text))
    return _MARK_RUN.sub(lambda run: run.group()[:_MAX_MARKS], text)


def _kept_flag(found: re.Match[str]) -> str:
    return found[1] or ""


def mend_encoding(text: str) -> str:
    """`text` as it was before its UTF-8 was read as windows-1252 or the like, and encoded again: â€™ is ’.

    Only where all of the text is of that kind: one that speaks of such damage has sound letters beside it.
    """
    if text.isascii():
        return text
    for _ in range(_MAX_MISREADINGS):
        if (mended := _read_again(text)) == text:
            break
        text = mended
    # to `str` a control is not printable: nearly all texts are done with sooner than a search is
    if text.replace("\n", " ").replace("\t", " ").replace("\xa0", " ").isprintable():
        return text
    return text.translate(_WINDOWS_CONTROLS)


def _read_again(text: str) -> str:
    """`text` decoded as UTF-8, where its first letters beyond ASCII say that it is that, misread."""
    found = _NON_ASCII.search(text)
    letters = found[0] if found else ""
    is_misread = False
    for encoding in _LEADS.get(letters[0], ()) if len(letters) > 1 else ():
        try:
            letters.encode(encoding).decode()
            is_misread = True
            # to the sloppy encodings, a letter that was lost before is this control
            mended = text.encode(encoding).decode().replace("\x1a", "\ufffd")
        except UnicodeError:
            continue
        # so many letters are no valid UTF-8 by chance; of a few, ftfy knows which nobody writes
        is_certain = len("".join(_NON_ASCII.findall(mended)).encode()) >= _CERTAIN_BYTES
        return mended if is_certain or is_bad(text) else text
    # not by one encoding alone, or with a letter lost: ftfy knows the ways
    return ftfy.fix_encoding(text, _WHOLE_TEXTS) if is_misread and is_bad(text) else text


def _is_printable(text: str) -> bool:
    """Whether there is nothing to be done about a text: most have no character that `str` calls unprintable.

    In half of the time that looking for each of the characters takes: .24 instead of .46 ms for fifty entries.
    """
    if text.isascii():
        return not text.encode().translate(None, _PLAIN_ASCII)
    # by one of the same length is twice as quick as by nothing
    if not text.replace("\n", " ").replace("\t", " ").replace("\xa0", " ").isprintable():
        return False
    return not _has_fillers(text) and not _has_mark_run(text)


def _has_mark_run(text: str) -> bool:
    """Whether there are too many marks in a row: of so many, one stands at every so many-th place."""
    return bool(_MARK.search(text[_MAX_MARKS - 1 :: _MAX_MARKS]) and _MARK_RUN.search(text))


def _has_fillers(text: str) -> bool:
    """Whether there are letters by their category that are invisible all the same."""
    return "\u115f" in text or "\u1160" in text or "\u3164" in text or "\uffa0" in text


def one_line(text: str) -> str:
    """The printable words of `text`, a space between them."""
    line = " ".join(text.split())
    # no letter of another line is left that `printable` would look at on its own
    if line.isprintable() and (line.isascii() or not (_has_fillers(line) or _has_mark_run(line))):
        return line
    return " ".join(printable(text).split())


def clean_line(text: str, *, graphemes: int = MAX_TITLE_GRAPHEMES) -> str:
    """One line of plain text, at most so many graphemes; "" where nothing visible is left."""
    text = one_line(text)
    if not text[:1].isalnum() and not any(unicodedata.category(char)[0] in _VISIBLE_CATEGORIES for char in text):
        return ""
    return cut_graphemes(text, graphemes)


def cut_graphemes(text: str, limit: int) -> str:
    """The first `limit` graphemes, with an ellipsis where something was cut.

    Counts a letter with its marks, joined emoji and pairs of regional indicators as one (UAX 29, without the
    conjuncts of Indic scripts, which readers count differently anyway).
    """
    if len(text) <= limit:
        return text
    count, previous, flags = 0, "", 0
    for place, char in enumerate(text):
        flags = flags + 1 if "\U0001f1e6" <= char <= "\U0001f1ff" else 0
        if not _extends(char, previous) and not (flags and flags % 2 == 0):
            count += 1
            if count > limit:
                return text[:place].rstrip() + "…"
        previous = char
    return text


def _extends(char: str, previous: str) -> bool:
    """Whether `char` belongs to the grapheme before it."""
    if not previous or char < "\u0300":
        return False
    if previous == "\u200d" or char == "\u200d" or "\U0001f3fb" <= char <= "\U0001f3ff":
        return True
    if "\U000e0020" <= char <= "\U000e007f":  # tags of a flag
        return True
    return unicodedata.category(char).startswith("M")


def clean_guid(guid: str) -> str | None:
    """An entry's id byte for byte but for what no store can hold; None for an empty one."""
    guid = _SURROGATE.sub("\ufffd", guid).replace("\x00", "").strip()
    return guid or None
