"""Bounded decompression. Servers mislabel bodies both ways, so what the bytes are counts for more than the header.

gzip and deflate are in the standard library. br and zstd are asked for where a module is installed that decodes them
piece by piece under a cap: Brotli 1.2 or newer (or brotlicffi), and compression.zstd (Python 3.14) or backports.zstd.
"""

from __future__ import annotations

import importlib
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aggregator.errors import FetchError

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = 31
_ZLIB = 15
_RAW_DEFLATE = -15
#: gzip inside gzip is seen in the wild once, not more often
_MAX_LAYERS = 3
#: each member costs a copy of what follows it
_MAX_MEMBERS = 16
#: what no document has in its first line, and one in nine of the bytes of a compressed one
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


@dataclass(frozen=True, slots=True)
class DecodedBody:
    """A body as its author wrote it; `truncated`: the compressed stream had no end."""

    body: bytes
    truncated: bool = False


#: at most so many bytes of what a compressed body says, and whether it says it to its end. Any exception: damaged
Decoder = Callable[[bytes, int], tuple[bytes, bool]]


def _installed(*modules: str) -> Any:
    for name in modules:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def _brotli() -> Decoder | None:
    module = _installed("brotli", "brotlicffi")
    if module is None or not hasattr(getattr(module, "Decompressor", None), "can_accept_more_data"):
        return None  # before 1.2 there was no way to stop it

    def decode(raw: bytes, limit: int) -> tuple[bytes, bool]:
        machine = module.Decompressor()
        body = machine.process(raw, output_buffer_limit=limit)
        while len(body) < limit and not machine.is_finished() and not machine.can_accept_more_data():
            body += machine.process(b"", output_buffer_limit=limit - len(body))
        return body, machine.is_finished()

    return decode


def _zstd() -> Decoder | None:
    module = _installed("compression.zstd", "backports.zstd")
    if module is None:
        return None

    def decode(raw: bytes, limit: int) -> tuple[bytes, bool]:
        machine = module.ZstdDecompressor()
        return machine.decompress(raw, max_length=limit), machine.eof

    return decode


def _optional() -> Mapping[str, Decoder]:
    found = {"br": _brotli(), "zstd": _zstd()}
    return {coding: decoder for coding, decoder in found.items() if decoder is not None}


_OPTIONAL = _optional()

#: what we can decode under a cap, for the Accept-Encoding header
ACCEPT_ENCODING = ", ".join(("gzip", "deflate", *_OPTIONAL))


def decode_body(raw: bytes, content_encoding: str, *, max_size_bytes: int) -> DecodedBody:
    """`raw` without its compression. Raises FetchError ``bad-encoding`` and ``too-large``."""
    result = DecodedBody(raw)
    for coding in reversed(_codings(content_encoding)):
        result = _undo(coding, result, max_size_bytes)
    for _ in range(_MAX_LAYERS):
        if not result.body.startswith(_GZIP_MAGIC):
            break
        result = _undo("gzip", result, max_size_bytes)
    return result


def is_compressed(raw: bytes, content_encoding: str) -> bool:
    """Whether `decode_body` has anything to do."""
    return raw.startswith(_GZIP_MAGIC) or bool(_codings(content_encoding))


def _codings(header: str) -> list[str]:
    named = (part.strip().lower().removeprefix("x-") for part in header.split(","))
    codings = [coding for coding in named if coding not in {"", "identity", "none", "utf-8"}]
    if len(codings) > _MAX_LAYERS:
        raise FetchError("bad-encoding", f"The answer is compressed {len(codings)} times over")
    return codings


def _undo(coding: str, given: DecodedBody, max_size_bytes: int) -> DecodedBody:
    raw = given.body
    if coding == "gzip" and raw.startswith(_GZIP_MAGIC):
        done = _members(raw, max_size_bytes)
    elif coding == "deflate" and not _is_text(raw):
        done = _member(raw, _ZLIB if _is_zlib(raw) else _RAW_DEFLATE, max_size_bytes)[0]
    elif coding in _OPTIONAL and raw and not _is_text(raw):
        done = _decoded(_OPTIONAL[coding], raw, max_size_bytes)
    elif not raw or _is_text(raw) or raw.startswith(_GZIP_MAGIC):
        done = given  # labelled as compressed, and it is not (or not like that)
    else:
        raise FetchError("bad-encoding", f"The answer says it is {coding[:40]!r}, which it is not or we cannot read")
    return DecodedBody(done.body, done.truncated or given.truncated)


def _members(raw: bytes, max_size_bytes: int) -> DecodedBody:
    """All members of a gzip file; whatever else trails is ignored, as every browser does."""
    pieces: list[bytes] = []
    left = max_size_bytes
    for _ in range(_MAX_MEMBERS):
        done, rest = _member(raw, _GZIP, left)
        pieces.append(done.body)
        left -= len(done.body)
        if done.truncated or not rest.startswith(_GZIP_MAGIC):
            return DecodedBody(b"".join(pieces), done.truncated)
        raw = rest
    raise FetchError("bad-encoding", f"The answer is a gzip file of more than {_MAX_MEMBERS} members")


def _member(raw: bytes, window: int, max_size_bytes: int) -> tuple[DecodedBody, bytes]:
    machine = zlib.decompressobj(window)
    try:
        # max_length 0 would mean "no limit": one byte more than allowed is asked for, and shows that it is too much
        body = machine.decompress(raw, max_size_bytes + 1)
    except zlib.error as error:
        raise FetchError("bad-encoding", f"The compressed answer is damaged: {error}") from error
    return _within(body, max_size_bytes, ended=machine.eof), machine.unused_data


def _decoded(decode: Decoder, raw: bytes, max_size_bytes: int) -> DecodedBody:
    try:
        body, ended = decode(raw, max_size_bytes + 1)
    except Exception as error:  # each module has exceptions of its own, and they share no base
        raise FetchError("bad-encoding", f"The compressed answer is damaged: {error}") from error
    return _within(body, max_size_bytes, ended=ended)


def _within(body: bytes, max_size_bytes: int, *, ended: bool) -> DecodedBody:
    if len(body) > max_size_bytes:
        raise FetchError("too-large", "The answer is larger than [polling] max_size when it is decompressed")
    return DecodedBody(body, not ended)


def _is_zlib(raw: bytes) -> bool:
    """The two-byte header of RFC 1950: deflate, and a multiple of 31."""
    return len(raw) >= 2 and raw[0] & 0x0F == 8 and int.from_bytes(raw[:2], "big") % 31 == 0


def _is_text(raw: bytes) -> bool:
    """Begins as documents do: markup, JSON or a byte order mark. Many a Brotli stream begins with a bracket, too."""
    begins = raw[:64].lstrip()[:1] in {b"<", b"{", b"["} and not _CONTROL.search(raw, 0, 64)
    return begins or raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
