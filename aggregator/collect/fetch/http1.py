"""An HTTP/1 response, read as its bytes come in (RFC 9112). Pure: no sockets, no clock, no library.

    parser = ResponseParser()
    parser.receive(data) → pieces of the body      parser.head is set once the head is whole
    parser.end()                                   the connection has ended: was that the end of the body?

Lenient where curl and browsers are and nothing depends on it: blanks before a colon, lines that are no field, equal
lengths, a length beside chunks, bare line feeds. Strict where two readings are possible: unequal lengths, NUL, bare CR,
a length that is no number, a chunk without its end. An answer that needed leniency in its framing ends its connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeVar, overload

__all__ = ["Head", "HeaderFields", "ProtocolError", "ResponseParser", "TruncatedBody"]

#: some servers send hundreds of cookies; a head is held in memory once
MAX_HEAD_BYTES: Final = 1_048_576
MAX_FIELDS: Final = 1000
#: informational answers (1xx) before the answer proper; nobody asked for any
MAX_INTERIM: Final = 10
#: a chunk's size with its extensions, and all trailer fields together
MAX_CHUNK_LINE: Final = 4096
MAX_TRAILER_BYTES: Final = 65_536

_STATUS_LINE = re.compile(rb"HTTP/(\d)(?:\.(\d{1,3}))?[ \t]+(\d{3})(?!\d)", re.IGNORECASE)
_HEAD_END = re.compile(rb"\n\r?\n")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]+)[ \t]*(?:;.*)?\r?\Z", re.DOTALL)
#: a line end or two behind a body whose length was announced, which servers of old send
_LINE_ENDS = b"\r\n"
_MAX_LINE_ENDS: Final = 4
_BLANKS = " \t"
_SWITCHING = 101
_NO_CONTENT = frozenset({204, 304})

T = TypeVar("T")


class ProtocolError(Exception):
    """What came is not an HTTP response, or can be read in two ways."""


class TruncatedBody(ProtocolError):
    """The connection ended before the announced length was reached: what came is a beginning."""


class HeaderFields(Mapping[str, str]):
    """Fields by name in any case, in their order; values are Latin-1, so that every byte comes back as it was."""

    __slots__ = ("_values",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in fields:
            self._values.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        """The first value. KeyError."""
        return self._values[name.lower()][0]

    def __iter__(self) -> Iterator[str]:
        """The names, in lower case."""
        return iter(self._values)

    def __len__(self) -> int:
        """How many names there are."""
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        """Whether there is a field of this name."""
        return isinstance(name, str) and name.lower() in self._values

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str | T) -> str | T: ...
    def get(self, name: str, /, default: str | T | None = None) -> str | T | None:
        """The first value, or `default`."""
        values = self._values.get(name.lower())
        return values[0] if values else default

    def getall(self, name: str) -> list[str]:
        """Every value; empty where there is none."""
        return self._values.get(name.lower(), [])


class Head(NamedTuple):
    """Status and fields of a response; whether the connection may serve another request (RFC 9112 9.3)."""

    status: int
    headers: HeaderFields
    is_persistent: bool


class ResponseParser:
    """Takes one response apart. `bodiless`: the request was a HEAD.

    Whatever the bytes are, and however they are split, `receive` and `end` raise ProtocolError and nothing else, and
    hold no more than a head, a chunk line or a trailer section.
    """

    def __init__(self, *, bodiless: bool = False) -> None:
        self.head: Head | None = None
        #: the body has come to its end
        self.is_complete = False
        #: bytes came behind the announced end
        self.has_excess = False
        self._bodiless = bodiless
        #: what is not understood yet: a part of the head, of a chunk line or of the trailers
        self._pending = bytearray()
        self._searched = 0
        self._interim = 0
        self._behind = 0
        self._body: _UntilEnd | _Counted | _Chunked = _Counted(0)

    @property
    def is_whole_but_for_trailers(self) -> bool:
        """The last chunk has come, and only the line that ends the trailers is missing."""
        return isinstance(self._body, _Chunked) and self._body.in_trailers

    @property
    def is_length_wrong(self) -> bool:
        """More came than Content-Length had announced: what was read is not the whole."""
        return self.has_excess and isinstance(self._body, _Counted) and self._body.is_announced

    @property
    def is_reusable(self) -> bool:
        """Whether the connection can carry another request."""
        return self.is_complete and not self._behind and self.head is not None and self.head.is_persistent

    def receive(self, data: bytes) -> list[bytes]:
        """The pieces of the body within `data`. Raises ProtocolError."""
        if self.head is None:
            self._pending += data
            if not self._find_head():
                return []
            data = bytes(self._pending)
            self._pending.clear()
        pieces, end = self._body.receive(data) if not self.is_complete else ([], 0)
        self.is_complete = self._body.is_complete
        if end < len(data):
            self._behind += len(data) - end
            self.has_excess |= self._behind > _MAX_LINE_ENDS or bool(data[end:].strip(_LINE_ENDS))
        return pieces if len(pieces) < 2 else [b"".join(pieces)]

    def end(self) -> None:
        """The connection has ended. Raises TruncatedBody and, where the framing itself was broken, ProtocolError."""
        if self.is_complete:
            return
        if self.head is None:
            raise ProtocolError("the connection ended within the head" if self._pending else "no answer")
        self._body.end()
        self.is_complete = True

    def _find_head(self) -> bool:
        pending = self._pending
        while True:
            if pending.startswith((b"\r", b"\n")):
                pending[:] = pending.lstrip(_LINE_ENDS)
            if not b"HTTP/".startswith(pending[:5].upper()):
                raise ProtocolError("no status line")
            end = _HEAD_END.search(pending, max(self._searched - 3, 0))
            if end is None:
                self._searched = len(pending)
                if len(pending) > MAX_HEAD_BYTES:
                    raise ProtocolError(f"a head of more than {MAX_HEAD_BYTES} bytes")
                return False
            head = _parse_head(bytes(pending[: end.start()]))
            del pending[: end.end()]
            self._searched = 0
            if head.status >= 200 or head.status < 100 or head.status == _SWITCHING:
                break
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise ProtocolError(f"more than {MAX_INTERIM} answers before the answer")
        self.head, self._body = _framed(head, bodiless=self._bodiless)
        self.is_complete = self._body.is_complete
        return True


class _UntilEnd:
    """A body that ends with its connection."""

    is_complete = False

    @staticmethod
    def receive(data: bytes) -> tuple[list[bytes], int]:
        return ([data] if data else []), len(data)

    def end(self) -> None:
        """That is how it ends."""


class _Counted:
    """A body of a known length; `is_announced`: by Content-Length."""

    def __init__(self, length: int, *, is_announced: bool = False) -> None:
        self._left = length
        self.is_announced = is_announced
        self.is_complete = not length

    def receive(self, data: bytes) -> tuple[list[bytes], int]:
        piece = data[: self._left]
        self._left -= len(piece)
        self.is_complete = not self._left
        return ([piece] if piece else []), len(piece)

    def end(self) -> None:
        raise TruncatedBody(f"{self._left} bytes are missing")


class _Chunked:
    """A chunked body (RFC 9112 7.1); extensions and trailers are passed over."""

    def __init__(self) -> None:
        self.is_complete = self.in_trailers = False
        self._line = bytearray()
        self._left = 0
        #: behind a chunk's data its line end is due
        self._ends_chunk = False
        self._trailer_bytes = 0

    def receive(self, data: bytes) -> tuple[list[bytes], int]:
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self.is_complete:
            if self._left:
                piece = data[at : at + self._left]
                self._left -= len(piece)
                at += len(piece)
                pieces.append(piece)
                self._ends_chunk = not self._left
                continue
            end = data.find(b"\n", at)
            stop = end if end >= 0 else len(data)
            self._line += data[at:stop]
            at = min(stop + 1, len(data))
            if self._ends_chunk and not b"\r".startswith(self._line):
                raise ProtocolError("a chunk without its end")
            if len(self._line) > MAX_CHUNK_LINE:
                raise ProtocolError("a line between chunks without an end")
            if end >= 0:
                self._take_line(bytes(self._line))
                self._line.clear()
        return pieces, at

    def end(self) -> None:
        if not self.in_trailers:
            raise ProtocolError("the connection ended within a chunk")

    def _take_line(self, line: bytes) -> None:
        if self._ends_chunk:
            self._ends_chunk = False
        elif self.in_trailers:
            self._trailer_bytes += len(line)
            self.is_complete = line in {b"", b"\r"}
            if self._trailer_bytes > MAX_TRAILER_BYTES:
                raise ProtocolError(f"trailers of more than {MAX_TRAILER_BYTES} bytes")
        elif (size := _CHUNK_SIZE.match(line)) is None or len(size[1].lstrip(b"0")) > 15:
            raise ProtocolError("a chunk without a size")
        else:
            self._left = int(size[1], 16)
            self.in_trailers = not self._left


def _parse_head(raw: bytes) -> Head:
    """Status line and fields; `is_persistent` by version and Connection alone. Raises ProtocolError."""
    if b"\0" in raw:
        raise ProtocolError("a NUL in the head")
    first, *lines = raw.split(b"\n")
    status = _STATUS_LINE.match(first)
    if status is None:
        raise ProtocolError("no status line")
    if len(lines) > MAX_FIELDS:
        raise ProtocolError(f"more than {MAX_FIELDS} header lines")
    headers = HeaderFields(_fields(lines))
    options = {option.strip().lower() for line in headers.getall("Connection") for option in line.split(",")}
    version = int(status[1]), int(status[2] or b"0")
    persistent = "close" not in options and version >= (1, 1) if version != (1, 0) else "keep-alive" in options
    return Head(int(status[3]), headers, persistent and version[0] == 1)


def _fields(lines: Iterable[bytes]) -> list[tuple[str, str]]:
    """The fields; lines that are none are passed over, as curl and browsers do (`: nothing`, PHP's warnings)."""
    fields: list[tuple[str, str]] = []
    is_field = False
    for line in lines:
        text = line.removesuffix(b"\r").decode("latin-1")
        if "\r" in text:
            raise ProtocolError("a bare CR in the head")
        if text[:1] in {" ", "\t"}:  # obs-fold (RFC 9112 5.2): goes on with the value before
            if is_field:
                name, value = fields[-1]
                fields[-1] = name, f"{value} {text.strip(_BLANKS)}".strip(" ")
            continue
        name, colon, value = text.partition(":")
        name = name.rstrip(_BLANKS)
        is_field = bool(colon) and _TOKEN.fullmatch(name) is not None
        if is_field:
            fields.append((name, value.strip(_BLANKS)))
    return fields


def _framed(head: Head, *, bodiless: bool) -> tuple[Head, _UntilEnd | _Counted | _Chunked]:
    """How the body ends (RFC 9112 6.3), and the head with what that means for the connection."""
    status, headers, persistent = head
    if status == _SWITCHING:  # nobody asked for another protocol
        return Head(status, headers, is_persistent=False), _Counted(0)
    if bodiless or status in _NO_CONTENT:
        return head, _Counted(0)
    codings = [coding.strip().lower() for line in headers.getall("Transfer-Encoding") for coding in line.split(",")]
    codings = [coding for coding in codings if coding not in {"", "identity"}]
    lengths = {part.strip() for line in headers.getall("Content-Length") for part in line.split(",")} - {""}
    if codings:
        is_plain = codings == ["chunked"] and "Content-Length" not in headers
        body: _UntilEnd | _Chunked = _Chunked() if codings[-1] == "chunked" else _UntilEnd()
        return Head(status, headers, persistent and is_plain), body
    if not lengths:
        return Head(status, headers, is_persistent=False), _UntilEnd()
    if len({length.lstrip("0") for length in lengths}) > 1 or not all(
        length.isascii() and length.isdigit() and len(length.lstrip("0")) < 19 for length in lengths
    ):
        raise ProtocolError("a Content-Length that is none, or two that differ")
    return head, _Counted(int(lengths.pop()), is_announced=True)
