"""Bytes → text, whatever the labels say. Never raises, never runs a codec that is not on the list.

Order: byte order mark, then UTF-8 if the bytes are that (nothing else looks like it by chance), then the charset of
the Content-Type, then the XML declaration (RFC 7303, 3), then windows-1252, which can read anything.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Decoded", "decode"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: labels, without punctuation, and the codec that reads what is sent under them (WHATWG Encoding, 4.2)
_CODECS = {
    "utf8": "utf-8", "unicode11utf8": "utf-8", "utf16": "utf-16", "utf16le": "utf-16-le", "utf16be": "utf-16-be",
    "utf32": "utf-32", "ucs2": "utf-16", "usascii": "cp1252", "ascii": "cp1252", "iso88591": "cp1252",
    "latin1": "cp1252", "iso885915": "iso8859-15", "iso88599": "cp1254", "latin5": "cp1254", "tis620": "cp874",
    "windows874": "cp874", "gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "hzgb2312": "hz",
    "big5": "big5hkscs", "big5hkscs": "big5hkscs", "shiftjis": "cp932", "sjis": "cp932", "xsjis": "cp932",
    "windows31j": "cp932", "eucjp": "euc-jp", "xeucjp": "euc-jp", "iso2022jp": "iso2022-jp", "euckr": "cp949",
    "ksc56011987": "cp949", "windows949": "cp949", "uhc": "cp949", "koi8r": "koi8-r", "koi8u": "koi8-u",
    "ibm866": "cp866", "cp866": "cp866", "macintosh": "mac-roman", "iso88598i": "iso8859-8",
    **{f"iso8859{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 16)},
    **{f"windows{page}": f"cp{page}" for page in range(1250, 1259)},
    **{f"cp{page}": f"cp{page}" for page in range(1250, 1259)},
}  # fmt: skip
#: written with ASCII bytes only, so that being valid UTF-8 proves nothing
_SEVEN_BIT = frozenset({"iso2022-jp", "hz"})
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:+-]+)", re.IGNORECASE)
_DECLARED = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']\s*([\w.:+-]{1,40})", re.IGNORECASE)
#: a letter in UTF-8, which no text in another encoding holds but by chance
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_BEYOND_ASCII = bytes(range(0x80, 0x100))
#: bytes beyond ASCII for each place that the labelled encoding cannot read, if the label is right
_MIN_SOUND = 5
#: `<?` or `<r` in UTF-16 without a mark
_BARE_UTF16 = ((re.compile(rb"<\x00[?!a-zA-Z]\x00"), "utf-16-le"), (re.compile(rb"\x00<\x00[?!a-zA-Z]"), "utf-16-be"))


class Decoded(NamedTuple):
    """The text of a body."""

    text: str
    #: ``encoding-overridden`` when a label lied, ``bad-bytes`` when bytes were lost
    warnings: tuple[str, ...] = ()
    #: the body, where it is the text as UTF-8
    body: bytes | None = None

    @property
    def utf8(self) -> bytes:
        """The text as UTF-8."""
        return self.text.encode() if self.body is None else self.body


def decode(body: bytes, content_type: str | None = None) -> Decoded:
    """The text of `body`."""
    for mark, codec in _BOMS:
        if body.startswith(mark):
            return Decoded(*_whole(body[len(mark) :], codec))
    for pattern, codec in _BARE_UTF16:
        if pattern.match(body):
            return Decoded(*_whole(body, codec))
    labels = list(_labels(body, content_type))
    candidates = [known for known in map(_codec, labels) if known]
    seven_bit = None if _SEVEN_BIT.isdisjoint(candidates) else _strict(body, candidates[0])
    if seven_bit is not None:
        return Decoded(seven_bit)
    utf8 = _strict(body, "utf-8")
    if utf8 is not None:
        return Decoded(utf8, _overridden(labels) if not body.isascii() else (), body)
    return Decoded(*_by_label(body, candidates))


def _whole(body: bytes, codec: str) -> tuple[str, tuple[str, ...]]:
    text = _strict(body, codec)
    return (text, ()) if text is not None else (body.decode(codec, "replace"), ("bad-bytes",))


def _by_label(body: bytes, candidates: list[str]) -> tuple[str, tuple[str, ...]]:
    """Bytes that are not UTF-8 as a whole."""
    loosely = body.decode("utf-8", "replace")
    lost = loosely.count("\ufffd")
    letters = len(_MULTIBYTE.findall(body))
    # UTF-8 with a few broken places, such as the cut at its end; where that is all that is said, one letter is enough
    # (what XML is in that does not say, too)
    if letters > 10 * lost or (letters >= lost and set(candidates) <= {"utf-8"}):
        return loosely, ("bad-bytes",)
    others = [codec for codec in candidates if codec != "utf-8"]
    for codec in others:
        if (text := _strict(body, codec)) is not None:
            return text, ("encoding-overridden",) if codec != candidates[0] else ()
    beyond_ascii = len(body) - len(body.translate(None, _BEYOND_ASCII))
    for codec in others:
        text = body.decode(codec, "replace")
        if _MIN_SOUND * text.count("\ufffd") < beyond_ascii:
            return text, ("bad-bytes",)
    return body.decode("cp1252", "replace"), ("encoding-overridden",)


def _labels(body: bytes, content_type: str | None) -> Iterator[str]:
    if content_type and (found := _CHARSET.search(content_type)):
        yield found[1]
    if declared := _DECLARED.match(body[:500]):
        yield declared[1].decode("ascii")


def _codec(label: str) -> str | None:
    return _CODECS.get(re.sub(r"[^a-z0-9]", "", label.lower()))


def _overridden(labels: list[str]) -> tuple[str, ...]:
    return ("encoding-overridden",) if labels and _codec(labels[0]) != "utf-8" else ()


def _strict(body: bytes, codec: str) -> str | None:
    try:
        return body.decode(codec)
    except UnicodeError:
        return None
