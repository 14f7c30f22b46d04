from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.collect.fetch import headers
from aggregator.collect.fetch.content_encoding import decode_body
from aggregator.collect.fetch.http1 import HeaderFields
from aggregator.errors import FetchError
from aggregator.model import Validators

NOON = "Mon, 23 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("answer", "minutes"),
    [
        ({"Cache-Control": "max-age=3600"}, 60),
        ({"Cache-Control": "public, Max-Age=3600, s-maxage=9"}, 60),
        ({"Cache-Control": 'max-age="3600"', "Age": "600"}, 50),
        ({"Cache-Control": "max-age='5400'"}, 90),
        ({"Cache-Control": "public; max-age=5400s"}, 90),
        ({"Cache-Control": "max-age=3600", "Age": "600, 60"}, 50),
        ({"Cache-Control": "max-age=60", "Age": "600"}, None),
        ({"Cache-Control": "no-cache, max-age=3600"}, None),
        ({"Cache-Control": "no-store"}, None),
        ({"Cache-Control": "max-age=soon"}, None),
        ({"Cache-Control": "max-age=0", "Expires": "Mon, 23 Nov 2026 13:00:00 GMT", "Date": NOON}, None),
        ({"Expires": "Mon, 23 Nov 2026 13:00:00 GMT", "Date": NOON}, 60),
        ({"Expires": "Monday, 23-Nov-26 13:00:00 GMT", "Date": NOON}, 60),
        ({"Expires": "Mon Nov 23 13:00:00 2026", "Date": NOON}, 60),
        ({"Expires": "Mon, 23 Nov 2026 13:00:00 GMT"}, None),
        ({"Expires": "0", "Date": NOON}, None),
        ({"Expires": "Thu, 19 Nov 1981 08:52:00 GMT", "Date": NOON}, None),
        ({"Cache-Control": "max-age=504576000"}, 8409600),
        ({}, None),
    ],
)
def test_how_long_an_answer_stays_fresh(answer: dict[str, str], minutes: int | None) -> None:
    cache = headers.cache_headers(HeaderFields(answer.items()), None)
    assert cache.fresh_for == (timedelta(minutes=minutes) if minutes else None)


@pytest.mark.parametrize(
    ("lines", "minutes"),
    [
        (["public", "max-age=7200"], 120),
        (["private, max-age=5400", "stale-if-error=9"], 90),
        (['no-cache="Set-Cookie", max-age=7200'], 120),
        (['max-age=7200, no-cache="Set-Cookie, X-Token"'], 120),
        (['no-cache="Set-Cookie"', "no-cache", "max-age=7200"], None),
        (["max-age=7200", "no-store"], None),
        (["max-age=3600", "max-age=60"], 60),
        (['ext="a, max-age=60", max-age=7200'], 120),
        (["max-age = 7200"], 120),
        (["max-age=" + "9" * 20], 10**9 / 60),
        (["s-maxage=9, max-age=00003600"], 60),
    ],
)
def test_cache_control_over_several_lines_and_with_arguments(lines: list[str], minutes: float | None) -> None:
    cache = headers.cache_headers(HeaderFields(("Cache-Control", line) for line in lines), None)
    assert cache.has_cache_control
    assert cache.fresh_for == (timedelta(minutes=minutes) if minutes else None)


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        ("7200, 600", 120),
        ('"600"', 10),
        ("600 seconds", 10),
        ("2026-11-23T13:00:00Z", 60),
        ("2026-11-23 13:00:00", 60),
        ("Mon, 23 Nov 2026 13:00:00 GMT", 60),
        ("Mon, 23 Nov 2026 11:00:00 GMT", None),
        ("-600", None),
        ("after lunch", None),
    ],
)
def test_retry_after_as_it_is_met(said: str, minutes: int | None) -> None:
    wait = headers.retry_after(HeaderFields([("Date", NOON), ("Retry-After", said)]))
    assert wait == (timedelta(minutes=minutes) if minutes else None)


def test_link_parameters_in_quotes_of_any_kind() -> None:
    line = '</f>; title="say \\"b; rel=no\\""; rel=self, <h>; REL=\'hub\', </x>; rel="alternate"; crossorigin'
    found = [(link.target, link.relations) for link in headers.link_values(line)]
    assert found == [("/f", ["self"]), ("h", ["hub"]), ("/x", ["alternate"])]


def test_the_longest_of_several_retry_after_counts() -> None:
    answer = HeaderFields([("Retry-After", "120"), ("retry-after", "soon"), ("Retry-After", "3600")])
    assert headers.retry_after(answer) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("value", "date", "expected"),
    [
        ("Mon, 23 Nov 2026 13:00:00 GMT", NOON, timedelta(hours=1)),
        ("Mon, 23 Nov 2026 12:00:10 GMT", NOON, timedelta(minutes=1)),
        ("Mon, 23 Nov 2099 12:00:00 GMT", NOON, timedelta(days=7)),
        ("Mon, 23 Nov 2026 11:00:00 GMT", NOON, None),
        ("Mon, 23 Nov 2026 13:00:00 GMT", None, None),
        ("٣", NOON, None),
        ("", NOON, None),
    ],
)
def test_retry_after_as_a_date(value: str, date: str | None, expected: timedelta | None) -> None:
    answer = {"Retry-After": value} | ({"Date": date} if date else {})
    assert headers.retry_after(HeaderFields(answer.items())) == expected


def test_an_answer_without_a_date_is_of_the_time_of_its_receipt() -> None:
    """RFC 9110 6.6.1; the server's own date counts for more than our clock, which may be wrong."""
    received = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
    answer = {"Retry-After": "Mon, 23 Nov 2026 13:00:00 GMT"}
    dated = answer | {"Date": NOON}
    assert headers.retry_after(HeaderFields(answer.items()), received) == timedelta(minutes=30)
    assert headers.retry_after(HeaderFields(dated.items()), received) == timedelta(hours=1)
    assert headers.retry_after(HeaderFields(answer.items()), None) is None
    expires = HeaderFields([("Expires", "Mon, 23 Nov 2026 14:30:00 GMT")])
    assert headers.cache_headers(expires, received).freshness.expires_in == timedelta(hours=2)


@given(st.dictionaries(st.sampled_from(["Cache-Control", "Age", "Expires", "Date", "Retry-After", "ETag"]), st.text()))
def test_no_header_makes_anything_raise(answer: dict[str, str]) -> None:
    fields = HeaderFields(answer.items())
    cache, wait = headers.cache_headers(fields, None), headers.retry_after(fields)
    fresh = cache.fresh_for
    assert fresh is None or fresh > timedelta(0)
    assert wait is None or timedelta(minutes=1) <= wait <= timedelta(days=7)
    etag = headers.validators(fields, origin="").etag
    assert etag is None or etag == answer["ETag"]


@given(st.integers(0, 4_000_000_000))
def test_http_dates_round_trip(seconds: int) -> None:
    exact = datetime.fromtimestamp(seconds, UTC)
    assert headers.http_date(exact.strftime("%a, %d %b %Y %H:%M:%S GMT")) == exact


def test_validators_are_one_pair() -> None:
    sent = Validators(etag='"a"', last_modified="Mon")
    assert headers.conditional(sent) == {"If-None-Match": '"a"', "If-Modified-Since": "Mon", "A-IM": "feed"}
    assert headers.conditional(Validators(last_modified="Mon")) == {"If-Modified-Since": "Mon"}
    assert headers.conditional(Validators()) == {}
    assert headers.validators(HeaderFields([("ETag", '"b"')]), origin="") == Validators(etag='"b"')
    assert headers.refreshed(sent, HeaderFields(), origin="") == sent


@given(st.binary(max_size=200), st.sampled_from(["", "gzip", "deflate", "gzip, deflate", "br", "gzip,gzip,gzip,gzip"]))
def test_inflating_anything_ends_within_the_limit_or_says_why(raw: bytes, coding: str) -> None:
    try:
        result = decode_body(raw, coding, max_size_bytes=1000)
    except FetchError as error:
        assert error.code in {"bad-encoding", "too-large"}  # noqa: PT017 - either way is fine
    else:
        assert len(result.body) <= 1000
