"""Answers as servers give them: what is read, what is refused, and that neither depends on how the bytes come in."""

from __future__ import annotations

import contextlib
import gzip
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aggregator.collect.fetch.http1 import (
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    HeaderFields,
    ProtocolError,
    ResponseParser,
    TruncatedBody,
)

BODY = b"<feed><title>t</title></feed>\n"
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
ZIPPED = gzip.compress(BODY, mtime=0)
WHOLE = LENGTH + b"\r\n" + BODY
CHUNKS = b"b\r\n" + BODY[:11] + b"\r\n%x\r\n" % (len(BODY) - 11) + BODY[11:] + b"\r\n0\r\n\r\n"


@dataclass(frozen=True)
class Read:
    status: int = 200
    body: bytes = BODY
    #: the connection can be used again
    reusable: bool = True
    #: the announced length was not the length
    wrong: bool = False


@dataclass(frozen=True)
class Refused:
    cut: bool = False


def read(raw: bytes, sizes: list[int] | None = None, *, bodiless: bool = False) -> tuple[Read | Refused, HeaderFields]:
    """What comes of an answer that comes in pieces of `sizes` and after which the connection ends."""
    parser = ResponseParser(bodiless=bodiless)
    body = b""
    try:
        for size in sizes or []:
            piece, raw = raw[:size], raw[size:]
            body += b"".join(parser.receive(piece)) if piece else b""
        body += b"".join(parser.receive(raw))
        reusable, wrong = parser.is_reusable, parser.is_length_wrong
        parser.end()
    except ProtocolError as error:
        return Refused(cut=isinstance(error, TruncatedBody)), HeaderFields()
    assert parser.head is not None
    assert parser.is_complete
    return Read(parser.head.status, body, reusable, wrong), parser.head.headers


CLOSED = Read(reusable=False)
NOTHING = Read(304, b"")

#: name → the answer, and what is made of it
ANSWERS: dict[str, tuple[bytes, Read | Refused]] = {
    # --- heads that are odd and plain all the same
    "as it should be": (OK + WHOLE, Read()),
    "a blank before the colon": (OK + b"X-Generator : Drupal\r\n" + WHOLE, Read()),
    "a tab before the colon of a length": (OK + LENGTH.replace(b":", b"\t:") + b"\r\n" + BODY, Read()),
    "a line without a name": (OK + b": x\r\n" + WHOLE, Read()),
    "a line without a colon": (OK + b"Warning\r\n" + WHOLE, Read()),
    "a notice of PHP": (OK + b"<b>Notice</b>: Undefined index in <b>/f.php</b>\r\n" + WHOLE, Read()),
    "a name with a blank": (OK + b"X Served By: cache\r\n" + WHOLE, Read()),
    "a name with brackets": (OK + b"X{Id}: 1\r\n" + WHOLE, Read()),
    "a name that is not ASCII": (OK + "Éditeur: x\r\n".encode() + WHOLE, Read()),
    "a value that goes on": (OK + b"X-A: one\r\n\ttwo\r\n" + WHOLE, Read()),
    "a first line that goes on": (OK + b"  lost\r\n" + WHOLE, Read()),
    "a continued line that is none": (OK + b"no field\r\n  Content-Length: 3\r\n" + WHOLE, Read()),
    "line feeds alone": ((OK + LENGTH + b"\r\n").replace(b"\r\n", b"\n") + BODY, Read()),
    "an end of CRLF and LF": (OK + LENGTH + b"\n" + BODY, Read()),
    "an end of LF and CRLF": (OK + LENGTH.replace(b"\r\n", b"\n") + b"\r\n" + BODY, Read()),
    "no reason": (b"HTTP/1.1 200\r\n" + WHOLE, Read()),
    "a reason of UTF-8": ("HTTP/1.1 200 Très bien\r\n".encode() + WHOLE, Read()),
    "two blanks in the status line": (b"HTTP/1.1  200  OK\r\n" + WHOLE, Read()),
    "a status line in lower case": (b"http/1.1 200 ok\r\n" + WHOLE, Read()),
    "version 1.2": (b"HTTP/1.2 200 OK\r\n" + WHOLE, Read()),
    "version 2": (b"HTTP/2 200\r\n" + WHOLE, CLOSED),
    "version 1.0": (b"HTTP/1.0 200 OK\r\n" + WHOLE, CLOSED),
    "version 1.0, kept": (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + WHOLE, Read()),
    "blank lines first": (b"\r\n\n" + OK + WHOLE, Read()),
    "a head of 200 KB": (OK + b"X-Blob: " + b"z" * 200_000 + b"\r\n" + WHOLE, Read()),
    "600 fields": (OK + b"Set-Cookie: a=b\r\n" * 600 + WHOLE, Read()),
    "a control character": (OK + b"X-Esc: \x1b[0m\r\n" + WHOLE, Read()),
    "no header at all": (OK + b"\r\n" + BODY, CLOSED),
    # --- lengths
    "two equal lengths": (OK + LENGTH + WHOLE, Read()),
    "one length, twice": (OK + LENGTH.replace(b"\r\n", b", %d\r\n" % len(BODY)) + b"\r\n" + BODY, Read()),
    "a length with zeros before it": (OK + b"Content-Length: 000%d\r\n\r\n" % len(BODY) + BODY, Read()),
    "an empty length": (OK + b"Content-Length: \r\n\r\n" + BODY, CLOSED),
    "an empty length beside one": (OK + b"Content-Length:\r\n" + WHOLE, Read()),
    "a length that is too small": (OK + b"Content-Length: 7\r\n\r\n" + BODY, Read(200, BODY[:7], False, True)),
    "a length of 0": (OK + b"Content-Length: 0\r\n\r\n" + BODY, Read(200, b"", False, True)),
    "a length without the last line end": (OK + b"Content-Length: 29\r\n\r\n" + BODY, Read(200, BODY[:29], False)),
    "line ends behind the end": (OK + WHOLE + b"\r\n\r\n", CLOSED),
    "more line ends than that": (OK + WHOLE + b"\r\n" * 3, Read(reusable=False, wrong=True)),
    "a second answer behind the end": (OK + WHOLE + OK + WHOLE, Read(reusable=False, wrong=True)),
    # --- chunks
    "chunks": (OK + CHUNKED + CHUNKS, Read()),
    "chunks, in capitals": (OK + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n1E\r\n" + BODY + b"\r\n0\r\n\r\n", Read()),
    "a length beside chunks": (OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, CLOSED),
    "a length behind chunks": (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNKS, CLOSED),
    "chunks of 1.0": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, CLOSED),
    "chunked twice": (OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n" + CHUNKS, CLOSED),
    "identity": (OK + b"Transfer-Encoding: identity\r\n" + WHOLE, Read()),
    "an extension": (OK + CHUNKED + b'1e;name="v"\r\n' + BODY + b"\r\n0;x\r\n\r\n", Read()),
    "a size with blanks": (OK + CHUNKED + b" 1e  \r\n" + BODY + b"\r\n0 \r\n\r\n", Read()),
    "a size with zeros": (
        OK + CHUNKED + b"0" * 40 + b"1e\r\n" + BODY + b"\r\n000\r\n\r\n",
        Read(),
    ),
    "chunks with line feeds": (OK + CHUNKED + b"1e\n" + BODY + b"\n0\n\n", Read()),
    "trailers": (
        OK + CHUNKED + b"1e\r\n" + BODY + b"\r\n0\r\nX-Sum: 1\r\nX: 2\r\n\r\n",
        Read(),
    ),
    "no line behind the last chunk": (OK + CHUNKED + b"1e\r\n" + BODY + b"\r\n0\r\n", CLOSED),
    "something behind the last chunk": (
        OK + CHUNKED + CHUNKS + b"<!-- 0.1 s -->",
        CLOSED,
    ),
    "another coding alone": (
        OK + b"Transfer-Encoding: gzip\r\n\r\n" + gzip.compress(BODY),
        Read(200, gzip.compress(BODY), False),
    ),
    # --- answers without a body, and before the answer
    "304": (b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n', NOTHING),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\n" + LENGTH + b"\r\n", NOTHING),
    "304 with a body": (b"HTTP/1.1 304 Not Modified\r\n" + WHOLE, Read(304, b"", False)),
    "304 with chunks": (b"HTTP/1.1 304 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Read(304, b"", False)),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", Read(204, b"")),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n" + OK + WHOLE, Read()),
    "ten of them": (b"HTTP/1.1 100 Continue\r\n\r\n" * 10 + OK + WHOLE, Read()),
    "switching protocols": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        Read(101, b"", reusable=False),
    ),
    "a status of another world": (b"HTTP/1.1 999 Request denied\r\n" + WHOLE, Read(999)),
    "status 000": (b"HTTP/1.1 000 \r\n" + WHOLE, Read(0)),
    # --- refused: two readings, or none
    "two unequal lengths": (OK + b"Content-Length: 9\r\n" + WHOLE, Refused()),
    "two lengths in one": (OK + b"Content-Length: 30, 31\r\n\r\n" + BODY, Refused()),
    "a length that goes on": (OK + b"Content-Length: 3\r\n 0\r\n\r\n" + BODY, Refused()),
    "a negative length": (OK + b"Content-Length: -30\r\n\r\n" + BODY, Refused()),
    "a length with a sign": (OK + b"Content-Length: +30\r\n\r\n" + BODY, Refused()),
    "a length in hexadecimal": (OK + b"Content-Length: 0x1e\r\n\r\n" + BODY, Refused()),
    "a length with a unit": (OK + b"Content-Length: 30B\r\n\r\n" + BODY, Refused()),
    "a length in other digits": (OK + "Content-Length: ３０\r\n\r\n".encode() + BODY, Refused()),
    "a length of 20 digits": (OK + b"Content-Length: 99999999999999999999\r\n\r\n" + BODY, Refused()),
    "a bare CR": (OK + b"X: a\rContent-Length: 3\r\n" + WHOLE, Refused()),
    "a CR too many": (OK + b"X: a\r\r\n" + WHOLE, Refused()),
    "a NUL": (OK + b"X: a\0b\r\n" + WHOLE, Refused()),
    "a NUL in the status line": (b"HTTP/1.1 200 O\0K\r\n" + WHOLE, Refused()),
    "shoutcast": (b"ICY 200 OK\r\n" + WHOLE, Refused()),
    "HTTP/0.9": (BODY, Refused()),
    "another protocol": (b"220 mail.example ESMTP\r\n", Refused()),
    "a status of two digits": (b"HTTP/1.1 20 OK\r\n" + WHOLE, Refused()),
    "a status of four": (b"HTTP/1.1 2000 OK\r\n" + WHOLE, Refused()),
    "no blank before the status": (b"HTTP/1.1200 OK\r\n" + WHOLE, Refused()),
    "a head that is too long": (OK + b"X: " + b"y" * (MAX_HEAD_BYTES + 1), Refused()),
    "too many fields": (OK + b"X: y\r\n" * (MAX_FIELDS + 1) + WHOLE, Refused()),
    "eleven continues": (b"HTTP/1.1 100 Continue\r\n\r\n" * 11 + OK + WHOLE, Refused()),
    "chunked, and it is not": (OK + CHUNKED + BODY, Refused()),
    "a size with a prefix": (OK + CHUNKED + b"0x1e\r\n" + BODY + b"\r\n0\r\n\r\n", Refused()),
    "a negative size": (OK + CHUNKED + b"-1\r\n" + BODY, Refused()),
    "an empty size": (OK + CHUNKED + b"\r\n" + BODY, Refused()),
    "a size beyond all measure": (OK + CHUNKED + b"f" * 17 + b"\r\n" + BODY, Refused()),
    "a chunk that is longer": (OK + CHUNKED + b"1d\r\n" + BODY + b"\r\n0\r\n\r\n", Refused()),
    "a chunk that is cut": (OK + CHUNKED + b"1e\r\n" + BODY[:20], Refused()),
    "no last chunk": (OK + CHUNKED + b"1e\r\n" + BODY + b"\r\n", Refused()),
    "an extension without an end": (OK + CHUNKED + b"1e;" + b"x" * 9000, Refused()),
    "trailers without an end": (OK + CHUNKED + b"0\r\n" + b"X: y\r\n" * 20_000, Refused()),
    "a head that is cut": (OK + LENGTH, Refused()),
    "nothing": (b"", Refused()),
    "an early end": (OK + b"Content-Length: 2000\r\n\r\n" + BODY[:14], Refused(cut=True)),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_odd_answer(name: str) -> None:
    raw, expected = ANSWERS[name]
    assert read(raw)[0] == expected


@pytest.mark.parametrize("name", [name for name, (raw, _) in ANSWERS.items() if len(raw) < 2000])
def test_an_odd_answer_byte_by_byte(name: str) -> None:
    raw, expected = ANSWERS[name]
    assert read(raw, [1] * len(raw))[0] == expected


@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(1, 400), max_size=30))
def test_no_split_changes_anything(name: str, sizes: list[int]) -> None:
    raw, expected = ANSWERS[name]
    assert read(raw, sizes)[0] == expected


def test_a_head_says_what_it_says() -> None:
    raw = (
        OK
        + b'ETag: "caf\xe9"\r\nX-Fold: one \r\n   two\r\nx-fold: three\r\nnone\r\n  lost\r\nEmpty:\r\n'
        + "Location: /æ\r\n".encode()
        + WHOLE
    )
    headers = read(raw)[1]
    assert headers["etag"].encode("latin-1") == b'"caf\xe9"'
    assert headers.getall("X-FOLD") == ["one two", "three"]
    assert headers.get("Empty") == ""
    assert headers["location"].encode("latin-1").decode() == "/æ"
    assert "none" not in headers
    assert headers.get("absent", "default") == "default"
    assert len(headers) == len(list(headers)) == 5


def test_an_answer_to_head_has_no_body() -> None:
    found, headers = read(OK + LENGTH + b"\r\n", bodiless=True)
    assert found == Read(200, b"")
    assert headers["content-length"] == str(len(BODY))


def test_whoever_says_close_means_it() -> None:
    for line in (
        b"Connection: close\r\n",
        b"Connection: x, Close\r\n",
        b"Connection: keep-alive\r\nConnection: close\r\n",
    ):
        assert read(OK + line + WHOLE)[0] == CLOSED


def test_the_last_chunk_is_known_before_its_trailers_end() -> None:
    parser, states = ResponseParser(), []
    for data in (OK + CHUNKED + b"1e\r\n" + BODY + b"\r\n", b"0\r\n", b"\r\n"):
        parser.receive(data)
        states.append((parser.is_whole_but_for_trailers, parser.is_complete))
    assert states == [(False, False), (True, False), (True, True)]


SALT = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b":", b" ", b"\0", b"0\r\n\r\n", b"Content-Length: 1\r\n", OK, b"\r\n\r\n"]
)


@given(st.lists(st.one_of(st.binary(max_size=20), SALT), max_size=20), st.booleans())
@example([OK, b"Transfer-Encoding: chunked", b"\r\n\r\n", b"1\r\n", b"xx"], False)
def test_whatever_comes_only_its_own_error_is_raised(pieces: list[bytes], starts_well: bool) -> None:
    parser = ResponseParser()
    passed = 0
    whole = [OK, *pieces] if starts_well else pieces
    with contextlib.suppress(ProtocolError):
        for piece in whole:
            passed += sum(map(len, parser.receive(piece)))
        parser.end()
    assert passed <= sum(map(len, whole))


@given(st.integers(0, 60), st.lists(st.integers(1, 7), max_size=40), st.binary(min_size=1, max_size=3), st.data())
def test_a_damaged_answer_is_the_same_however_it_is_split(
    at: int, sizes: list[int], damage: bytes, data: st.DataObject
) -> None:
    raw, _ = ANSWERS[data.draw(st.sampled_from(["as it should be", "chunks", "trailers", "304", "early hints"]))]
    damaged = raw[:at] + damage + raw[at + len(damage) :]
    assert read(damaged, sizes)[0] == read(damaged)[0]


def test_nothing_is_held_of_a_long_body() -> None:
    """A body passes through: what the parser keeps is a head, a line of chunks or of trailers."""
    for head, block in (
        (b"Content-Length: 100000000\r\n\r\n", b"x" * 65_536),
        (CHUNKED, b"8000\r\n" + b"x" * 32_768 + b"\r\n"),
        (b"\r\n", b"x" * 65_536),
    ):
        parser = ResponseParser()
        parser.receive(OK + head)
        passed = sum(len(piece) for _ in range(100) for piece in parser.receive(block))
        assert passed >= 100 * 32_768


def test_h11_reads_the_same_where_it_reads() -> None:
    """A parser of another school, strict: whatever it takes, we take, and to the same end."""
    h11 = pytest.importorskip("h11", reason="h11 is not installed")
    agreed = 0
    for name, (raw, expected) in ANSWERS.items():
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a.example")]))
        connection.send(h11.EndOfMessage())
        status, body = None, b""
        try:
            connection.receive_data(raw)
            connection.receive_data(b"")
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                status = event.status_code if isinstance(event, h11.Response) else status
                body += bytes(event.data) if isinstance(event, h11.Data) else b""
        except h11.RemoteProtocolError:
            continue
        if isinstance(expected, Read):
            assert (status, body) == (expected.status, expected.body), name
            agreed += 1
    assert agreed > 20
