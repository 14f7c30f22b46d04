"""HOSTILE.md 1, rows H: what servers do to whoever asks them."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zlib
from datetime import timedelta

import pytest
from origin import Answer, Origin, Request, rss
from victim import HEALTHY, START, Row, Suffered, check, kept, site, suffer

from aggregator.collect.fetch import FetchLimits

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
REDIRECT = b"HTTP/1.1 302 Found\r\n"


def brings(row_id: str, title: str = "new", **headers: str) -> Answer:
    """A good feed with a third entry."""
    return Answer(body=feed(row_id, title), headers=headers)


def feed(row_id: str, title: str = "new") -> bytes:
    return rss(*kept(row_id), f"{row_id} {title}", site=site(row_id))


def redirect(to: str) -> Answer:
    return Answer(raw=REDIRECT + b"Location: " + to.encode() + b"\r\nContent-Length: 0\r\n\r\n")


def busy(status: int, wait: str) -> Answer:
    return Answer(status=status, headers={"Retry-After": wait, "Date": "Mon, 23 Nov 2026 20:00:00 GMT"})


def gzip_bomb(megabytes: int = 1000) -> bytes:
    """A gigabyte of zeros in less than one megabyte: one compressed block, again and again."""
    machine = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = machine.compress(bytes(1_000_000)) + machine.flush(zlib.Z_FULL_FLUSH)
    block = machine.compress(bytes(10_000_000)) + machine.flush(zlib.Z_FULL_FLUSH)
    return head + block * (megabytes // 10)


def cut_gzip(row_id: str) -> bytes:
    """A feed whose compressed form ends in the middle of its last entry."""
    whole = feed(row_id)
    machine = zlib.compressobj(9, zlib.DEFLATED, 31)
    cut = whole.rindex(b"<description>")
    return machine.compress(whole[:cut]) + machine.flush(zlib.Z_SYNC_FLUSH)


def cookie_bomb() -> bytes:
    cookies = b"".join(b"Set-Cookie: c%d=%s\r\n" % (number, b"x" * 3000) for number in range(200))
    body = feed("H27")
    more = b'Refresh: 0; url=http://127.0.0.9/\r\nLink: <http://127.0.0.9:81/hub>; rel="hub"\r\n'
    return OK + cookies + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def not_modified(request: Request) -> Answer:
    body = feed("H21 with a body")
    assert "if-none-match" in request.headers
    return Answer(raw=b"HTTP/1.1 304 Not Modified\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


GZIP = {"Content-Encoding": "gzip"}
LOGIN = b"<!DOCTYPE html><html><head><title>Sign in to the hotel</title></head><body><form></form></body></html>"
ROWS = [
    Row(id="H1", answer=Answer(body=feed("H1") * 99, drip_s=0.2), code="timeout-total"),
    Row(id="H2", answer=Answer(raw=OK + b"X: y\r\n" * 9999, drip_s=0.2, piece_bytes=6), code="timeout-total"),
    Row(id="H3", answer=Answer(delay_s=60), code="timeout-first-byte"),
    Row(id="H5 at once", answer=Answer(raw=b"", end="reset"), code="connection-reset"),
    Row(
        id="H5 in the body",
        answer=Answer(raw=OK + b"Content-Length: 9999\r\n\r\n<rss>", end="reset"),
        code="connection-reset",
    ),
    Row(id="H6", answer=Answer(body=gzip_bomb(), headers=GZIP), code="too-large"),
    Row(
        id="H7",
        answer=Answer(body=cut_gzip("H7"), headers={**GZIP, "ETag": '"half"'}),
        warnings=frozenset({"truncated"}),
        never=("H7 new",),
    ),
    Row(id="H8", answer=Answer(body=gzip.compress(feed("H8"))[:60] + b"no" * 99, headers=GZIP), code="bad-encoding"),
    Row(
        id="H9 body shorter than its length",
        answer=Answer(raw=OK + b"Content-Length: 99999\r\n\r\n" + feed("H9 body shorter than its length")[:-60]),
        warnings=frozenset({"truncated"}),
    ),
    Row(
        id="H9 two lengths",
        answer=Answer(raw=OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        code="protocol-error",
    ),
    Row(id="H9 negative", answer=Answer(raw=OK + b"Content-Length: -1\r\n\r\nab"), code="protocol-error"),
    Row(
        id="H10 bad header",
        answer=Answer(raw=OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab"),
        code="protocol-error",
    ),
    Row(id="H10 cut", answer=Answer(raw=OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\n<rss"), code="protocol-error"),
    Row(id="H11", answer=Answer(raw=OK + b"X: y\r\n" * 200_000 + b"\r\n"), code="protocol-error"),
    Row(id="H12 status 999", answer=Answer(status=999), code="http-999"),
    Row(
        id="H12 status 000",
        answer=Answer(raw=b"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n"),
        code="http-000",
    ),
    Row(
        id="H12 continues for ever",
        answer=Answer(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 999, drip_s=0.2, piece_bytes=25),
        code="protocol-error",
    ),
    Row(
        id="H12 five thousand continues",
        answer=Answer(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 5000 + OK + b"\r\n" + feed("H12 five thousand continues")),
        code="protocol-error",
    ),
    Row(
        id="H12 ten continues",
        answer=Answer(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 10 + OK + b"\r\n" + feed("H12 ten continues")),
        new=("H12 ten continues new",),
    ),
    Row(id="H13 loop", answer=redirect("/H13-loop"), code="redirect-loop"),
    *(
        Row(id=f"H14 {number}", answer=redirect(to), code="bad-redirect")
        for number, to in enumerate(
            [
                "file:///etc/passwd",
                "javascript:alert(1)",
                "gopher://x/",
                "ftp://x/",
                "",
                "http://[::1",
                "/" + "x" * 65_000,
            ]
        )
    ),
    *(
        Row(id=f"H15 {number}", answer=redirect(f"http://{to}/latest/meta-data/"), code="blocked-address")
        for number, to in enumerate(
            [
                "169.254.169.254",
                "[64:ff9b::a9fe:a9fe]",
                "[2002:a9fe:a9fe::1]",
                "[::ffff:169.254.169.254]",
                "127.0.0.9:8080",
            ]
        )
    ),
    *(
        Row(id=f"H19 {status} {number}", answer=busy(status, wait), code=f"http-{status}")
        for status in (429, 503)
        for number, wait in enumerate(
            ["3600", "Mon, 23 Nov 2099 12:00:00 GMT", "-1", "1e9", "1000000000", "soon, I promise", "1"]
        )
    ),
    Row(id="H21 with a body", answer=not_modified),
    Row(id="H21 unasked", answer=Answer(status=304), code="http-304", conditional=False),
    Row(
        id="H22 long",
        answer=brings("H22 long", ETag='"' + "x" * 60_000 + '"', **{"Last-Modified": "x" * 9000}),
        new=("H22 long new",),
    ),
    Row(id="H22 letters", answer=brings("H22 letters", ETag='"h\xe4h"'), new=("H22 letters new",)),
    Row(
        id="H22 two lines",
        answer=brings("H22 two lines", ETag='"a"\r\nX-Injected: yes', **{"Last-Modified": "next year"}),
        new=("H22 two lines new",),
    ),
    *(
        Row(id=f"H23 {number}", answer=brings(f"H23 {number}", **{"Content-Type": kind}), new=(f"H23 {number} new",))
        for number, kind in enumerate(["text/html", "image/png", "application/octet-stream", "", "a/b; c"])
    ),
    *(
        Row(
            id=f"H24 {number}",
            answer=brings(f"H24 {number}", **{"Content-Type": f"text/xml; charset={charset}"}),
            new=(f"H24 {number} new",),
        )
        for number, charset in enumerate(["punycode", "undefined", "idna", "unicode_escape", "base64", '"', "x" * 5000])
    ),
    Row(id="H24 NUL", answer=brings("H24 NUL", **{"Content-Type": "text/xml; charset=a\0b"}), code="protocol-error"),
    Row(id="H25", answer=Answer(body=LOGIN, headers={"Content-Type": "text/html"}), code="not-a-feed"),
    Row(id="H26 nothing", answer=Answer(body=b""), code="empty-body"),
    Row(id="H26 blanks", answer=Answer(body=b" \r\n" * 99), code="empty-body"),
    Row(id="H27", answer=Answer(raw=cookie_bomb()), new=("H27 new",)),
    Row(id="H28 0.9", answer=Answer(raw=b"<rss>hello</rss>"), code="protocol-error"),
    Row(id="H28 echo", answer=Answer(raw=b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"), code="protocol-error"),
]


@pytest.fixture(scope="module")
def suffered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Suffered]:
    return suffer(tmp_path_factory.mktemp("http"), ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_server_does(suffered: dict[str, Suffered], row: Row) -> None:
    check(row, suffered[row.id])


def test_the_healthy_source_amid_them_is_on_time(suffered: dict[str, Suffered]) -> None:
    healthy = suffered[HEALTHY]
    assert "healthy and new" in healthy.titles
    assert healthy.second.error is None
    assert healthy.second.duration < timedelta(seconds=10)


def test_h1_h2_h3_h4_within_the_limits_of_the_daemon() -> None:
    limits = FetchLimits()
    assert limits.total == timedelta(seconds=30)
    assert limits.silence == timedelta(seconds=15)
    assert limits.connect == timedelta(seconds=10)
    assert limits.max_hops == 10
    assert limits.max_size_bytes == 10_000_000


@pytest.mark.parametrize("row_id", ["H1", "H2", "H3"])
def test_h1_h2_h3_end_before_the_server_would(suffered: dict[str, Suffered], row_id: str) -> None:
    assert suffered[row_id].second.duration < timedelta(seconds=55)


def test_h7_validators_of_half_a_document_are_not_kept(suffered: dict[str, Suffered]) -> None:
    assert suffered["H7"].second.validators is None
    assert suffered["H7"].second.insert_only


@pytest.mark.parametrize("status", [429, 503])
def test_h19_retry_after_is_obeyed_within_a_minute_and_a_week(suffered: dict[str, Suffered], status: int) -> None:
    waits = [suffered[f"H19 {status} {number}"].second.next_poll - START - timedelta(hours=8) for number in range(7)]
    hour, far, *_, huge, _, tiny = waits
    assert hour >= timedelta(hours=1)
    assert far == huge == timedelta(days=7), "never longer than a week"
    assert all(wait >= timedelta(minutes=1) for wait in waits)
    assert tiny >= timedelta(minutes=1)


def test_h22_validators_that_cannot_be_echoed_are_dropped(suffered: dict[str, Suffered]) -> None:
    long = suffered["H22 long"].second.validators
    assert long is not None
    assert (long.etag, long.last_modified) == (None, None)
    letters = suffered["H22 letters"].second.validators
    assert letters is not None
    assert letters.etag is not None, "opaque, whatever its letters"
    injected = suffered["H22 two lines"].second.validators
    assert injected is not None
    assert injected.etag == '"a"'


def test_h26_nothing_is_wiped_by_an_empty_answer(suffered: dict[str, Suffered]) -> None:
    assert len(suffered["H26 nothing"].items) == 2


MEASURE = """
import asyncio, resource, sys
from datetime import timedelta
from aggregator.collect.fetch import Fetcher, FetchLimits
from aggregator.collect.guard import Guard
from aggregator.errors import FetchError

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

async def run():
    fetcher = Fetcher(FetchLimits(), Guard(["127.0.0.1/32"]), "aggregator")
    await fetcher.get(sys.argv[1])
    before = peak_mb()
    try:
        await fetcher.get(sys.argv[2])
    except FetchError as error:
        print(error.code, peak_mb() - before)
    await fetcher.close()

asyncio.run(run())
"""


def test_h6_a_gigabyte_in_gzip_costs_no_memory() -> None:
    with Origin() as origin:
        small = origin.on("/small", Answer(body=feed("H6")))
        bomb = origin.on("/bomb", Answer(body=gzip_bomb(), headers=GZIP))
        command = [sys.executable, "-c", MEASURE, small, bomb]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=400)
    code, grown_mb = done.stdout.split()
    assert code == "too-large"
    assert float(grown_mb) < 32
