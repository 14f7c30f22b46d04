from __future__ import annotations

import asyncio
import gzip
import os
import socket
import ssl
import zlib
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import pytest
from origin import Answer, Origin, rss

from aggregator.collect.clean import safe_url
from aggregator.collect.fetch import Fetcher, FetchLimits, NotModified, Response
from aggregator.collect.fetch.content_encoding import ACCEPT_ENCODING
from aggregator.collect.fetch.dialer import AddressInfo, GuardedResolver, LookUp, RefusedAddress
from aggregator.collect.guard import Guard
from aggregator.errors import FetchError
from aggregator.model import Freshness, Validators

FEED = rss("One", "Two")
LOOPBACK = ("127.0.0.1/32",)
#: a busy machine is slow to send; tests of a limit set their own
LIMITS = FetchLimits(total=timedelta(seconds=60), silence=timedelta(seconds=60), max_size_bytes=1_000_000)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"

T = TypeVar("T")


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


def with_fetcher(
    use: Callable[[Fetcher], Awaitable[T]], limits: FetchLimits = LIMITS, allow: tuple[str, ...] = LOOPBACK
) -> T:
    async def run() -> T:
        fetcher = Fetcher(limits, Guard(allow), "aggregator/0.1 (+https://example.org/about)")
        try:
            return await use(fetcher)
        finally:
            await fetcher.close()

    return asyncio.run(run())


def fetch(url: str, limits: FetchLimits = LIMITS, validators: Validators | None = None) -> Response | NotModified:
    return with_fetcher(lambda fetcher: fetcher.get(url, validators=validators), limits)


def body_of(url: str) -> Response:
    answer = fetch(url)
    assert isinstance(answer, Response)
    return answer


def failure(url: str, limits: FetchLimits = LIMITS) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(url, limits)
    return caught.value


# --- what is asked -------------------------------------------------------------------------------------------------


def test_a_request_says_who_asks_and_nothing_it_should_not(origin: Origin) -> None:
    fetch(origin.on("/feed", Answer(body=FEED)))
    (request,) = origin.requests
    assert request.method == "GET"
    assert request.headers["user-agent"] == "aggregator/0.1 (+https://example.org/about)"
    assert request.headers["accept-encoding"] == ACCEPT_ENCODING
    assert ACCEPT_ENCODING.startswith("gzip, deflate")
    assert "application/atom+xml" in request.headers["accept"]
    assert not request.headers.keys() & {"cookie", "referer", "if-none-match", "if-modified-since", "cache-control"}


def test_urls_are_asked_for_as_they_were_written(origin: Origin) -> None:
    origin.on("/f", Answer(body=FEED))
    fetch(origin.url("/f?a=%2F&b=~%7E&c=+%20&utm_source=x#part"))
    assert origin.requests[0].path == "/f?a=%2F&b=~%7E&c=+%20&utm_source=x"


def test_validators_go_back_byte_for_byte(origin: Origin) -> None:
    odd = {"ETag": 'W/"a-gzip, b"', "Last-Modified": "yesterday, I think"}
    url = origin.on("/feed", Answer(body=FEED, headers=odd))
    answer = body_of(url)
    assert answer.validators == Validators(etag=odd["ETag"], last_modified=odd["Last-Modified"])
    fetch(url, validators=answer.validators)
    sent = origin.requests[-1].headers
    assert (sent["if-none-match"], sent["if-modified-since"]) == (odd["ETag"], odd["Last-Modified"])


@pytest.mark.parametrize("etag", ['"' + "x" * 60_000 + '"', "*", '"a\x01b"', ""])
def test_validators_that_cannot_be_echoed_are_dropped(origin: Origin, etag: str) -> None:
    url = origin.on("/feed", Answer(body=FEED, headers={"ETag": etag, "Last-Modified": "Mon"}))
    assert body_of(url).validators == Validators(last_modified="Mon")


@pytest.mark.parametrize("etag", ['"café-naïve"'.encode(), b'"\xe9t\xe9"', b'W/"' + b"0123456789" * 790 + b'"'])
def test_odd_and_long_entity_tags_go_back_byte_for_byte(origin: Origin, etag: bytes) -> None:
    raw = OK + b"ETag: " + etag + b"\r\nContent-Length: %d\r\n\r\n" % len(FEED) + FEED
    url = origin.on("/feed", Answer(raw=raw))
    fetch(url, validators=body_of(url).validators)
    assert origin.requests[-1].headers["if-none-match"].encode("latin-1") == etag


def test_cookies_are_not_kept(origin: Origin) -> None:
    url = origin.on("/feed", Answer(body=FEED, headers={"Set-Cookie": "a=b"}))

    async def twice(fetcher: Fetcher) -> None:
        await fetcher.get(url)
        await fetcher.get(url)

    with_fetcher(twice)
    assert "cookie" not in origin.requests[-1].headers


def test_credentials_of_the_url_are_sent_and_not_shown(origin: Origin) -> None:
    origin.on("/feed", Answer(status=301, headers={"Location": "/moved"}))
    origin.on("/moved", Answer(body=FEED))
    answer = body_of(origin.url("/feed").replace("//", "//me:secret@"))
    assert [request.headers["authorization"] for request in origin.requests] == ["Basic bWU6c2VjcmV0"] * 2
    assert answer.url == origin.url("/moved")


def test_credentials_do_not_follow_to_another_host(origin: Origin) -> None:
    with Origin("127.0.0.2") as other:
        origin.on("/feed", Answer(status=301, headers={"Location": other.on("/feed", Answer(body=FEED))}))
        url = origin.url("/feed").replace("//", "//me:secret@")
        with_fetcher(lambda fetcher: fetcher.get(url), allow=("127.0.0.0/8",))
        assert "authorization" not in other.requests[0].headers


# --- what comes back ------------------------------------------------------------------------------------------------


def test_a_document_with_all_that_the_parser_needs(origin: Origin) -> None:
    headers = {"Content-Type": "text/html; charset=utf8", "Content-Language": "de", "Cache-Control": "max-age=600"}
    answer = body_of(origin.on("/feed", Answer(body=FEED, headers=headers)))
    assert (answer.status, answer.body, answer.truncated) == (200, FEED, False)
    assert answer.document.content_type == "text/html; charset=utf8"
    assert answer.document.content_language == "de"
    assert answer.document.url == origin.url("/feed")
    assert answer.cache.freshness == Freshness(max_age=timedelta(minutes=10))
    assert timedelta(0) <= answer.duration < timedelta(seconds=2)


def test_not_modified_adopts_the_validators_it_brings(origin: Origin) -> None:
    brought = {"ETag": '"new"', "Cache-Control": "max-age=3600", "Connection": "close"}
    url = origin.on("/feed", Answer(status=304, headers=brought))
    answer = fetch(url, validators=Validators(etag='"old"', last_modified="Mon"))
    assert isinstance(answer, NotModified)
    assert answer.validators == Validators(etag='"new"', last_modified="Mon")
    assert answer.cache.freshness == Freshness(max_age=timedelta(hours=1))


def test_not_modified_with_a_body_is_not_modified(origin: Origin) -> None:
    raw = b'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "n"\r\n\r\nhello'
    url = origin.on("/feed", Answer(raw=raw))
    assert isinstance(fetch(url, validators=Validators(etag='"n"')), NotModified)


def test_not_modified_without_a_condition_is_an_error(origin: Origin) -> None:
    assert failure(origin.on("/feed", Answer(status=304))).code == "http-304"


COMPRESSED = {
    "gzip": (gzip.compress(FEED), "gzip"),
    "x-gzip, upper case": (gzip.compress(FEED), "X-GZIP"),
    "zlib": (zlib.compress(FEED), "deflate"),
    "raw deflate": (zlib.compress(FEED)[2:-4], "deflate"),
    "gzip that nobody mentions": (gzip.compress(FEED), ""),
    "gzip twice, mentioned once": (gzip.compress(gzip.compress(FEED)), "gzip"),
    "two members": (gzip.compress(FEED[:100]) + gzip.compress(FEED[100:]), "gzip"),
    "trailing rubbish": (gzip.compress(FEED) + b"\0\0\0rubbish", "gzip"),
    "plain text under the name of gzip": (FEED, "gzip"),
    "plain text under the name of br": (FEED, "br"),
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_compression(origin: Origin, name: str) -> None:
    raw, coding = COMPRESSED[name]
    headers = {"Content-Encoding": coding} if coding else {}
    answer = body_of(origin.on("/feed", Answer(body=raw, headers=headers)))
    assert (answer.body, answer.truncated) == (FEED, False)


def test_a_cut_gzip_gives_what_there_is(origin: Origin) -> None:
    whole = FEED[:-20] + os.urandom(3000)
    answer = body_of(origin.on("/feed", Answer(body=gzip.compress(whole)[:2500], headers={"Content-Encoding": "gzip"})))
    assert answer.truncated
    assert whole.startswith(answer.body)
    assert len(answer.body) > 1000


def test_a_connection_closed_before_content_length_gives_what_there_is(origin: Origin) -> None:
    answer = body_of(origin.on("/feed", Answer(raw=OK + b"Content-Length: 9999\r\n\r\n" + FEED)))
    assert (answer.body, answer.truncated) == (FEED, True)


# --- redirects ------------------------------------------------------------------------------------------------------


def redirect(status: int, to: str) -> Answer:
    return Answer(status=status, headers={"Location": to})


@pytest.mark.parametrize(("first", "second", "permanent"), [(301, 308, True), (301, 302, False), (307, 301, False)])
def test_redirects_are_followed_and_remembered(origin: Origin, first: int, second: int, permanent: bool) -> None:
    origin.on("/a", redirect(first, "/b"))
    origin.on("/b", redirect(second, "feed?x=%2F"))
    origin.on("/feed", Answer(body=FEED))
    answer = body_of(origin.url("/a"))
    assert answer.url == origin.url("/feed?x=%2F")
    assert [(hop.status, hop.url) for hop in answer.hops] == [
        (first, origin.url("/a")),
        (second, origin.url("/b")),
    ]
    assert answer.permanent_target == (answer.url if permanent else None)


def test_redirect_loops_and_long_chains_end(origin: Origin) -> None:
    error = failure(origin.on("/self", redirect(302, "/self")))
    assert (error.code, "in a circle" in str(error)) == ("redirect-loop", True)
    for number in range(11):
        origin.on(f"/{number}", redirect(301, f"/{number + 1}"))
    origin.on("/11", Answer(body=FEED))
    error = failure(origin.url("/0"))
    assert (error.code, "more than 10 times" in str(error)) == ("redirect-loop", True)
    assert isinstance(fetch(origin.url("/1")), Response)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "file:///etc/passwd",
        "javascript:1",
        "gopher://x",
        "ftp://x",
        "http://[::1",
        "http://x[::1]@/",
        "http:///x",
        "h\\x",
        "/" + "x" * 9000,
    ],
)
def test_redirects_to_what_cannot_be_fetched(origin: Origin, location: str) -> None:
    assert failure(origin.on("/feed", redirect(302, location))).code == "bad-redirect"


@pytest.mark.parametrize(
    "target",
    ["169.254.169.254", "10.0.0.1", "[::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "127.0.0.2", "0x7f000002"],
)
def test_redirects_into_private_networks_are_blocked(origin: Origin, target: str) -> None:
    error = failure(origin.on("/feed", redirect(302, f"http://{target}:8080/latest/meta-data")))
    assert (error.code, error.permanent) == ("blocked-address", True)


# --- what goes wrong ------------------------------------------------------------------------------------------------

FAULTS = {
    "silence": (Answer(delay_s=9), "timeout-first-byte"),
    "a trickling body": (Answer(body=FEED, drip_s=0.1), "timeout-total"),
    "trickling headers": (Answer(raw=OK + b"X: y\r\n" * 999, drip_s=0.1, piece_bytes=6), "timeout-total"),
    "silence in the body": (Answer(raw=OK + b"Content-Length: 999\r\n\r\n<rss>", end="hang"), "timeout-read"),
    "reset at once": (Answer(raw=b"", end="reset"), "connection-reset"),
    "closed at once": (Answer(raw=b""), "connection-reset"),
    "reset in the body": (Answer(raw=OK + b"Content-Length: 999\r\n\r\n<rss>", end="reset"), "connection-reset"),
    "gzip bomb": (Answer(body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"}), "too-large"),
    "too long": (Answer(body=bytes(1_000_001)), "too-large"),
    "damaged gzip": (Answer(body=gzip.compress(FEED)[:40] + b"rubbish" * 20), "bad-encoding"),
    "a coding we did not ask for": (
        Answer(body=b"\x0b\x02\x80hi\x03", headers={"Content-Encoding": "compress"}),
        "bad-encoding",
    ),
    "two lengths": (Answer(raw=OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "protocol-error"),
    "a negative length": (Answer(raw=OK + b"Content-Length: -1\r\n\r\nab"), "protocol-error"),
    "a bad chunk": (Answer(raw=OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab"), "protocol-error"),
    "a cut chunk": (Answer(raw=OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\nab"), "protocol-error"),
    "no last chunk": (Answer(raw=OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"), "protocol-error"),
    "200,000 headers": (Answer(raw=OK + b"X: y\r\n" * 200_000 + b"\r\n"), "protocol-error"),
    "HTTP/0.9": (Answer(raw=b"<rss>hello</rss>"), "protocol-error"),
    "an echo": (Answer(raw=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "protocol-error"),
    "a status of its own": (Answer(status=999), "http-999"),
    "status zero": (Answer(raw=b"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n"), "http-000"),
    "accepted, not answered": (Answer(status=202), "http-202"),
    "redirect to nowhere": (Answer(status=302), "http-302"),
    "not found": (Answer(status=404), "http-404"),
    "gone": (Answer(status=410), "http-410"),
    "server error": (Answer(status=500), "http-500"),
}


#: the one limit that ends the request
LIMITED = {
    "timeout-first-byte": replace(LIMITS, silence=timedelta(seconds=0.5)),
    "timeout-read": replace(LIMITS, silence=timedelta(seconds=4)),
    "timeout-total": replace(LIMITS, total=timedelta(seconds=1)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_have_stable_codes(origin: Origin, name: str) -> None:
    answer, code = FAULTS[name]
    error = failure(origin.on("/feed", answer), LIMITED.get(code, LIMITS))
    assert error.code == code
    assert len(str(error)) > 20
    assert "\n" not in str(error)


@pytest.mark.parametrize("times", [1, 10])
def test_a_few_continues_are_skipped(origin: Origin, times: int) -> None:
    raw = b"HTTP/1.1 100 Continue\r\n\r\n" * times + OK + b"Content-Length: 3\r\n\r\nabc"
    assert body_of(origin.on("/feed", Answer(raw=raw))).body == b"abc"


@pytest.mark.parametrize("times", [11, 5000])
def test_more_continues_are_no_answer(origin: Origin, times: int) -> None:
    raw = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * times + OK + b"Content-Length: 3\r\n\r\nabc"
    assert failure(origin.on("/feed", Answer(raw=raw))).code == "protocol-error"


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [
        *((429, "3600", 3600), (503, "3600", 3600), (429, "1", 60), (429, "1000000000", 604800)),
        *((429, "-1", None), (429, "soon", None), (429, "1e9", None), (429, "9" * 30, 604800)),
        *((404, "3600", 3600), (500, "7200", 7200), (403, "90", 90), (412, "60.9", 60), (451, "0", 60)),
    ],
)
def test_retry_after(origin: Origin, status: int, value: str, seconds: int | None) -> None:
    error = failure(origin.on("/feed", Answer(status=status, headers={"Retry-After": value})))
    assert error.status == status
    assert error.retry_after == (timedelta(seconds=seconds) if seconds else None)


@pytest.mark.parametrize(("value", "followed"), [("0", True), ("9", True), ("11", False), ("soon", True)])
def test_a_redirect_may_ask_to_wait(origin: Origin, value: str, followed: bool) -> None:
    origin.on("/new", Answer(body=FEED))
    url = origin.on("/feed", Answer(status=302, headers={"Location": "/new", "Retry-After": value}))
    if followed:
        assert body_of(url).body == FEED
    else:
        assert failure(url).retry_after == timedelta(seconds=60)
    assert len(origin.requests) == 1 + followed


def test_a_bot_wall_is_named(origin: Origin) -> None:
    error = failure(origin.on("/feed", Answer(status=403, headers={"cf-mitigated": "challenge"})))
    assert "bot protection" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        *("", "feed", "javascript:1", "file:///etc/passwd", "http:", "http:///x", "http:host", "http://a:99999/"),
        *(
            "http://good\\@evil/",
            "http://a/\r\nX: y",
            "http://a/\0",
            "http://[::1",
            "http://x[::1]@/",
            "http://127.1/",
            "http://2852039166/",
        ),
        "http://a/" + "x" * 100_000,
    ],
)
def test_what_is_no_address(url: str) -> None:
    error = failure(url)
    assert (error.code, error.permanent) == ("bad-url", True)


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "127.0.0.2", "[::ffff:127.0.0.1]", "[::1]", "0x7f000002", "127。0。0。2", "①②⑦.0.0.2", "x@127.0.0.2"],
)
def test_private_addresses_are_blocked_in_every_spelling(host: str) -> None:
    assert failure(f"http://{host}:8080/").code == "blocked-address"


def test_a_name_that_leads_home_is_blocked() -> None:
    with pytest.raises(FetchError) as caught:
        with_fetcher(lambda fetcher: fetcher.get("http://localhost:8080/"), allow=())
    assert caught.value.code == "blocked-address"


def test_ports_of_other_services_are_blocked() -> None:
    assert failure("http://127.0.0.1:25/").code == "blocked-port"


def test_nobody_listens(origin: Origin) -> None:
    origin.__exit__(None, None, None)
    assert failure(origin.url("/feed")).code == "connection-refused"


def test_a_host_that_does_not_accept_connections() -> None:
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for client in waiting:
        client.setblocking(False)
        client.connect_ex(full.getsockname())
    try:
        limits = replace(LIMITS, connect=timedelta(seconds=0.3))
        assert failure(f"http://127.0.0.1:{full.getsockname()[1]}/", limits).code == "timeout-connect"
    finally:
        for each in (full, *waiting):
            each.close()


def test_a_name_server_that_does_not_answer(origin: Origin) -> None:
    limits = replace(LIMITS, resolve=timedelta(microseconds=1))
    assert failure(origin.url("/").replace("127.0.0.1", "localhost"), limits).code == "dns-timeout"


def test_only_the_allowed_addresses_of_a_name_are_dialled() -> None:
    async def run(guard: Guard) -> list[str]:
        found = await GuardedResolver(guard, timeout_s=2).resolve("localhost", 8080)
        return [address.host for address in found]

    assert set(asyncio.run(run(Guard(["127.0.0.1/32"])))) == {"127.0.0.1"}
    with pytest.raises(RefusedAddress):
        asyncio.run(run(Guard()))


def test_twenty_dead_names_delay_no_other(origin: Origin) -> None:
    url = origin.on("/feed", Answer(body=FEED)).replace("127.0.0.1", "localhost")

    async def run(fetcher: Fetcher) -> list[BaseException | Response | NotModified]:
        dead = [f"http://no-such-host-{number}.invalid/" for number in range(20)]
        return await asyncio.gather(*(fetcher.get(each) for each in [*dead, url]), return_exceptions=True)

    *errors, answer = with_fetcher(run)
    assert isinstance(answer, Response)
    assert all(isinstance(failed, FetchError) and failed.code.startswith("dns-") for failed in errors)


def test_no_such_host() -> None:
    assert failure("http://no-such-host.invalid/").code.startswith("dns-")


def test_secrets_of_the_url_are_in_no_message(origin: Origin) -> None:
    origin.on("/feed", FAULTS["two lengths"][0])
    assert "secret" not in str(failure(origin.url("/feed?token=secret").replace("//", "//me:secret@")))


def test_a_certificate_nobody_signed_is_refused_and_http_is_not_tried() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("self-signed.pem"))

    async def run() -> FetchError:
        server = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0, ssl=context)
        fetcher = Fetcher(LIMITS, Guard(LOOPBACK), "aggregator/0.1")
        async with server:
            with pytest.raises(FetchError) as caught:
                await fetcher.get(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await fetcher.close()
        return caught.value

    assert asyncio.run(run()).code == "tls-untrusted"


# --- many at once ---------------------------------------------------------------------------------------------------


def test_the_wait_for_a_turn_is_not_held_against_a_server(origin: Origin) -> None:
    """Ten names at one address are asked a quarter of a second apart: longer in all than one request may take."""
    origin.on("/feed", Answer(body=FEED))
    look_up: LookUp = lambda _, port, __: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]  # noqa: E731

    async def run() -> list[Response | NotModified | BaseException]:
        limits = replace(LIMITS, total=timedelta(seconds=1.5))
        fetcher = Fetcher(limits, Guard(LOOPBACK), "test", look_up=look_up)
        urls = [f"http://name{number}.example:{origin.port}/feed" for number in range(10)]
        try:
            return await asyncio.gather(*(fetcher.get(url) for url in urls), return_exceptions=True)
        finally:
            await fetcher.close()

    answers = asyncio.run(run())
    refused = [answer.code for answer in answers if isinstance(answer, FetchError)]
    assert sum(isinstance(answer, Response) for answer in answers) >= 7
    assert set(refused) <= {"crowded"}, "whoever would wait longer than a request may take comes back later"


def test_a_name_is_resolved_once_a_request(origin: Origin) -> None:
    asked = []

    def look_up(host: str, port: int, _: socket.AddressFamily) -> list[AddressInfo]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def run() -> None:
        fetcher = Fetcher(LIMITS, Guard(LOOPBACK), "test", look_up=look_up)
        await fetcher.get(origin.on("/feed", Answer(body=FEED)).replace("127.0.0.1", "name.example"))
        await fetcher.close()

    asyncio.run(run())
    assert asked == ["name.example"]


@pytest.mark.parametrize("name", ["feeds", "feeds."])
def test_on_ones_own_network_nobody_takes_throttle(origin: Origin, name: str) -> None:
    def look_up(_: str, port: int, __: socket.AddressFamily) -> list[AddressInfo]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def run() -> None:
        fetcher = Fetcher(LIMITS, Guard(LOOPBACK), "test", look_up=look_up)
        url = origin.on("/feed", Answer(body=FEED, delay_s=0.3)).replace("127.0.0.1", name)
        await asyncio.gather(*(fetcher.get(url) for _ in range(8)))
        await fetcher.close()

    asyncio.run(run())
    assert origin.most_at_once > 4, "four at a time is for the addresses of others"


def test_fifty_at_once_while_ten_are_silent(origin: Origin) -> None:
    origin.on("/good", Answer(body=FEED))
    origin.on("/bad", Answer(delay_s=60))

    async def run(fetcher: Fetcher) -> list[Response | NotModified | BaseException]:
        urls = [origin.url("/bad")] * 10 + [origin.url("/good")] * 40
        return await asyncio.gather(*(fetcher.get(url) for url in urls), return_exceptions=True)

    answers = with_fetcher(run, replace(LIMITS, silence=timedelta(seconds=3)))
    assert sum(isinstance(answer, Response) for answer in answers) == 40
    assert sum(isinstance(answer, FetchError) for answer in answers) == 10


def test_a_closed_fetcher_can_be_used_again(origin: Origin) -> None:
    url = origin.on("/feed", Answer(body=FEED)).replace("127.0.0.1", "localhost")

    async def run(fetcher: Fetcher) -> None:
        await fetcher.get(url)
        await fetcher.close()
        await fetcher.close()
        await fetcher.get(url)

    with_fetcher(run, allow=("127.0.0.0/8",))


# --- names and credentials as people write them -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("gruß.example", "xn--gru-7ka.example"),
        ("GRÜSSE.example", "xn--" + "grüsse".encode("punycode").decode() + ".example"),
        ("می\u200cخواهم.example", "xn--" + "می\u200cخواهم".encode("punycode").decode() + ".example"),
        ("λόγος.example", "xn--" + "λόγος".encode("punycode").decode() + ".example"),
        ("日本。example", "xn--" + "日本".encode("punycode").decode() + ".example"),
    ],
)
def test_hosts_are_asked_for_by_idna_2008(origin: Origin, host: str, asked: str) -> None:
    """In the address, in a redirect, and as a link of an item would have it: one and the same host."""
    resolved = []

    def look_up(name: str, port: int, _: socket.AddressFamily) -> list[AddressInfo]:
        resolved.append(name)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    origin.on("/feed", Answer(body=FEED))
    location = f"http://{host}:{origin.port}/feed".encode().decode("latin-1")
    raw = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    origin.on("/moved", Answer(raw=raw))

    async def run() -> None:
        fetcher = Fetcher(LIMITS, Guard(LOOPBACK), "test", look_up=look_up)
        try:
            await fetcher.get(f"http://{host}:{origin.port}/feed")
            await fetcher.get(f"http://name.example:{origin.port}/moved")
        finally:
            await fetcher.close()

    asyncio.run(run())
    assert [name for name in resolved if name != "name.example"] == [asked] * (len(resolved) - 1)
    assert origin.requests[0].headers["host"] == origin.requests[-1].headers["host"] == f"{asked}:{origin.port}"
    assert safe_url(f"https://{host}/x") == f"https://{asked}/x"


@pytest.mark.parametrize(("name", "password"), [("jürgen", "geheim"), ("имя", "пароль€"), ("a", "p:w ü"), ("名", "")])
def test_credentials_are_sent_in_utf_8(origin: Origin, name: str, password: str) -> None:
    """RFC 7617 with charset UTF-8, which every browser assumes."""
    url = origin.on("/feed", Answer(body=FEED)).replace("//", f"//{name}:{quote(password)}@")
    body_of(url)
    _, _, given = origin.requests[-1].headers["authorization"].partition(" ")
    assert b64decode(given).decode() == f"{name}:{password}"


def test_credentials_that_are_no_utf_8_are_sent_byte_for_byte(origin: Origin) -> None:
    body_of(origin.on("/feed", Answer(body=FEED)).replace("//", "//j%FCrgen:%E9t%E9@"))
    _, _, given = origin.requests[-1].headers["authorization"].partition(" ")
    assert b64decode(given) == "jürgen:été".encode("latin-1")


@pytest.mark.parametrize("lines", [["gzip", "deflate"], ["gzip", "identity"], ["", "gzip"]])
def test_content_encodings_over_several_lines(origin: Origin, lines: list[str]) -> None:
    body = FEED
    for coding in lines:
        body = gzip.compress(body) if coding == "gzip" else zlib.compress(body) if coding == "deflate" else body
    head = "".join(f"Content-Encoding: {line}\r\n" for line in lines)
    raw = OK + f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    assert body_of(origin.on("/feed", Answer(raw=raw))).body == FEED


def test_where_a_redirect_had_led_is_said_of_a_failure(origin: Origin) -> None:
    target = origin.on("/busy", Answer(status=429))
    assert failure(origin.on("/feed", Answer(status=302, headers={"Location": "/busy"}))).url == target
    assert failure(target).url is None
