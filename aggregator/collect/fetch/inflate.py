"""Bounded decompression. Servers mislabel bodies both ways, so what the bytes are counts for more than the header.

Only gzip and deflate are asked for: they are in the standard library and can be decoded piece by piece under a cap.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from aggregator.errors import FetchError

#: what we can decode under a cap, for the Accept-Encoding header
ACCEPT_ENCODING = "gzip, deflate"

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = 31
_ZLIB = 15
_RAW_DEFLATE = -15
#: gzip inside gzip is seen in the wild once, not more often
_MAX_LAYERS = 3
#: each member costs a copy of what follows it
_MAX_MEMBERS = 16


@dataclass(frozen=True, slots=True)
class Inflated:
    """A body as its author wrote it; `truncated`: the compressed stream had no end."""

    body: bytes
    truncated: bool = False


def inflate(raw: bytes, content_encoding: str, *, max_size_bytes: int) -> Inflated:
    """`raw` without its compression. Raises FetchError ``bad-encoding`` and ``too-large``."""
    result = Inflated(raw)
    for coding in reversed(_codings(content_encoding)):
        result = _undo(coding, result, max_size_bytes)
    for _ in range(_MAX_LAYERS):
        if not result.body.startswith(_GZIP_MAGIC):
            break
        result = _undo("gzip", result, max_size_bytes)
    return result


def _codings(header: str) -> list[str]:
    named = (part.strip().lower().removeprefix("x-") for part in header.split(","))
    codings = [coding for coding in named if coding not in {"", "identity", "none", "utf-8"}]
    if len(codings) > _MAX_LAYERS:
        raise FetchError("bad-encoding", f"The answer is compressed {len(codings)} times over")
    return codings


def _undo(coding: str, given: Inflated, max_size_bytes: int) -> Inflated:
    raw = given.body
    if coding == "gzip" and raw.startswith(_GZIP_MAGIC):
        done = _members(raw, max_size_bytes)
    elif coding == "deflate" and not _is_text(raw):
        done = _member(raw, _ZLIB if _is_zlib(raw) else _RAW_DEFLATE, max_size_bytes)[0]
    elif not raw or _is_text(raw) or raw.startswith(_GZIP_MAGIC):
        done = given  # labelled as compressed, and it is not (or not like that)
    else:
        raise FetchError("bad-encoding", f"The answer says it is {coding[:40]!r}, which it is not or we cannot read")
    return Inflated(done.body, done.truncated or given.truncated)


def _members(raw: bytes, max_size_bytes: int) -> Inflated:
    """All members of a gzip file; whatever else trails is ignored, as every browser does."""
    pieces: list[bytes] = []
    left = max_size_bytes
    for _ in range(_MAX_MEMBERS):
        done, rest = _member(raw, _GZIP, left)
        pieces.append(done.body)
        left -= len(done.body)
        if done.truncated or not rest.startswith(_GZIP_MAGIC):
            return Inflated(b"".join(pieces), done.truncated)
        raw = rest
    raise FetchError("bad-encoding", f"The answer is a gzip file of more than {_MAX_MEMBERS} members")


def _member(raw: bytes, window: int, max_size_bytes: int) -> tuple[Inflated, bytes]:
    machine = zlib.decompressobj(window)
    try:
        # max_length 0 would mean "no limit": one byte more than allowed is asked for, and shows that it is too much
        body = machine.decompress(raw, max_size_bytes + 1)
    except zlib.error as error:
        raise FetchError("bad-encoding", f"The compressed answer is damaged: {error}") from error
    if len(body) > max_size_bytes:
        raise FetchError("too-large", "The answer is larger than [polling] max_size when it is decompressed")
    return Inflated(body, not machine.eof), machine.unused_data


def _is_zlib(raw: bytes) -> bool:
    """The two-byte header of RFC 1950: deflate, and a multiple of 31."""
    return len(raw) >= 2 and raw[0] & 0x0F == 8 and int.from_bytes(raw[:2], "big") % 31 == 0


def _is_text(raw: bytes) -> bool:
    """Begins as documents do: markup, JSON or a byte order mark."""
    return raw[:64].lstrip()[:1] in {b"<", b"{", b"["} or raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
