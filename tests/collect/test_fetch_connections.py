"""What goes over the wire: connections that are kept, broken off, refused and encrypted."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from aggregator.collect.fetch import Fetcher, FetchLimits, NotModified, Response
from aggregator.collect.fetch.connections import Connections, Origin
from aggregator.collect.fetch.deadline import Deadline
from aggregator.collect.fetch.dialer import AddressInfo, Dialer, GuardedResolver
from aggregator.collect.fetch.errors import classify
from aggregator.collect.guard import Guard
from aggregator.errors import FetchError
from aggregator.model import Validators

T = TypeVar("T")
LIMITS = FetchLimits(total=timedelta(seconds=4), connect=timedelta(seconds=1), silence=timedelta(seconds=1))
GUARD = Guard(["127.0.0.0/8"])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'
HELD = Validators(etag='"a"')
CLOSE, HANG = b"close", b"hang"


class Talker:
    """A server that answers with scripted bytes, connection by connection; the last script is repeated.

    `CLOSE` closes at that point, `HANG` says nothing more; a piece after another of the same answer comes by itself.
    """

    def __init__(self, *scripts: list[list[bytes]]) -> None:
        self.scripts = list(scripts)
        #: the requests of each connection
        self.heard: list[list[bytes]] = []
        self.ended = 0
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listening(self, host: str = "127.0.0.1") -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, host, 0)
        self.port = int(server.sockets[0].getsockname()[1])
        try:
            yield f"http://127.0.0.1:{self.port}/feed"
        finally:
            server.close()
            await asyncio.gather(*self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        script = self.scripts[min(len(self.heard), len(self.scripts) - 1)]
        requests: list[bytes] = []
        self.heard.append(requests)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            for pieces in script:
                requests.append(await _request(reader))
                for piece in pieces[: pieces.index(CLOSE) if CLOSE in pieces else None]:
                    writer.write(b"" if piece == HANG else piece)
                    await asyncio.sleep(0.01)
                if CLOSE in pieces:
                    break
            else:
                await reader.read()
        self.ended += 1
        await _closed(writer)


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
    return head + await reader.readexactly(length)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def talk(talker: Talker, use: Callable[[Fetcher, str], Awaitable[T]], limits: FetchLimits = LIMITS) -> T:
    async def run() -> T:
        async with talker.listening() as url:
            fetcher = Fetcher(limits, GUARD, "test")
            try:
                return await use(fetcher, url)
            finally:
                await fetcher.close()

    return asyncio.run(run())


async def twice(fetcher: Fetcher, url: str) -> list[Response | NotModified]:
    first = await fetcher.get(url, validators=HELD)
    for _ in range(10):  # each is a turn of the loop in which what the server says by itself is heard
        await asyncio.sleep(0.005)
    return [first, await fetcher.get(url, validators=HELD)]


async def failing(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(FetchError) as caught:
        await fetcher.get(url, validators=HELD)
    return caught.value.code


# --- what is sent ---------------------------------------------------------------------------------------------------


def test_a_get_is_these_bytes() -> None:
    talker = Talker([[OK]])
    talk(talker, lambda fetcher, url: fetcher.get(url + "?a=%2F", validators=HELD, accept="text/xml"))
    [[request]] = talker.heard
    lines = [line for line in request.decode().split("\r\n") if not line.startswith("Accept-Encoding: gzip, deflate")]
    expected = ["GET /feed?a=%2F HTTP/1.1", f"Host: 127.0.0.1:{talker.port}", "User-Agent: test", "Accept: text/xml"]
    assert lines == [*expected, 'If-None-Match: "a"', "A-IM: feed", "", ""]


def test_a_name_of_other_letters_is_sent_as_dns_writes_it() -> None:
    def look_up(host: str, port: int, _: socket.AddressFamily) -> list[AddressInfo]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def run() -> None:
        async with talker.listening():
            fetcher = Fetcher(LIMITS, GUARD, "test", look_up=look_up)
            await fetcher.get(f"http://münchen.example:{talker.port}/")
            await fetcher.close()

    asked: list[str] = []
    talker = Talker([[OK]])
    asyncio.run(run())
    assert asked == ["xn--mnchen-3ya.example"]
    assert f"\r\nHost: xn--mnchen-3ya.example:{talker.port}\r\n".encode() in talker.heard[0][0]


@pytest.mark.parametrize(("body", "length"), [(b"", b"0"), (b"a=1", b"3"), (b"x" * 3_000_000, b"3000000")])
def test_a_body_is_announced(body: bytes, length: bytes) -> None:
    talker = Talker([[OK]])
    reply = talk(talker, lambda fetcher, url: fetcher.send("POST", url, body=body))
    assert reply.body == b"ok"
    head, _, sent = talker.heard[0][0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /feed HTTP/1.1\r\n")
    assert b"\r\nContent-Length: " + length in head
    assert sent == body


def test_no_header_smuggles_another() -> None:
    talker = Talker([[OK]])

    async def use(fetcher: Fetcher, url: str) -> None:
        with pytest.raises(FetchError):
            await fetcher.send("GET", url, headers={"X-One": "1\r\nX-Two: 2"})

    talk(talker, use)
    assert talker.heard == []


# --- connections that are kept --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        NOT_MODIFIED,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_the_next_request_goes_the_same_way(answer: bytes) -> None:
    talker = Talker([[answer], [OK]])
    talk(talker, twice)
    assert [len(requests) for requests in talker.heard] == [2]


@pytest.mark.parametrize(
    "answer",
    [
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"],
        [b"HTTP/1.1 200 OK\r\n\r\nok", CLOSE],
        [OK + OK],
        [OK, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"],
        [NOT_MODIFIED, b"hello"],
        [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"],
        [OK, CLOSE],
    ],
)
def test_the_next_request_goes_another_way(answer: list[bytes]) -> None:
    """The server does not allow it, has said more than it was asked, or has closed meanwhile."""
    talker = Talker([answer], [[OK]])
    _, second = talk(talker, twice)
    assert isinstance(second, Response)
    assert second.body == b"ok"
    assert [len(requests) for requests in talker.heard] == [1, 1]


def test_an_answer_that_is_not_read_to_its_end_ends_the_connection() -> None:
    long = b"HTTP/1.1 404 Not Found\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000
    talker = Talker([[long]], [[OK]])

    async def use(fetcher: Fetcher, url: str) -> str:
        code = await failing(fetcher, url)
        await fetcher.get(url)
        return code

    assert talk(talker, use) == "http-404"
    assert [len(requests) for requests in talker.heard] == [1, 1]


def test_a_kept_connection_that_dies_when_it_is_used_is_no_failure() -> None:
    talker = Talker([[OK], [CLOSE]], [[OK]])
    first, second = talk(talker, twice)
    assert isinstance(first, Response)
    assert isinstance(second, Response)
    assert [len(requests) for requests in talker.heard] == [2, 1]


def test_what_an_earlier_answer_has_left_on_a_kept_connection_is_no_failure() -> None:
    talker = Talker([[OK], [b"hello"]], [[OK]])
    _, second = talk(talker, twice)
    assert isinstance(second, Response)
    assert [len(requests) for requests in talker.heard] == [2, 1]


@pytest.mark.parametrize(
    ("scripts", "heard"),
    [
        (([[CLOSE]],), [1]),
        (([[OK], [b"HTTP/1.1 200", CLOSE]],), [2]),
        (([[OK], [CLOSE]], [[CLOSE]]), [2, 1]),
    ],
    ids=["a new connection", "a beginning of an answer", "twice"],
)
def test_nothing_is_asked_more_than_once_more(scripts: tuple[list[list[bytes]], ...], heard: list[int]) -> None:
    async def use(fetcher: Fetcher, url: str) -> str:
        if len(scripts[0]) > 1:
            await fetcher.get(url)
            await asyncio.sleep(0.05)
        return await failing(fetcher, url)

    talker = Talker(*scripts)
    assert talk(talker, use) == "connection-reset"
    assert [len(requests) for requests in talker.heard] == heard


def test_what_is_no_get_is_not_asked_again() -> None:
    async def use(fetcher: Fetcher, url: str) -> str:
        await fetcher.send("POST", url, body=b"1")
        with pytest.raises(FetchError) as caught:
            await fetcher.send("POST", url, body=b"2")
        return caught.value.code

    talker = Talker([[OK], [CLOSE]], [[OK]])
    assert talk(talker, use) == "connection-reset"
    assert len(talker.heard) == 1


def test_a_silent_kept_connection_is_not_asked_again_elsewhere() -> None:
    async def use(fetcher: Fetcher, url: str) -> str:
        await fetcher.get(url)
        return await failing(fetcher, url)

    talker = Talker([[OK], [HANG]], [[OK]])
    assert talk(talker, use) == "timeout-first-byte"
    assert len(talker.heard) == 1


def test_connections_are_not_kept_for_ever() -> None:
    async def run() -> None:
        async with talker.listening():
            place = Origin(secure=False, host="127.0.0.1", port=talker.port)
            connections = Connections(dialer(), within_s=1, kept_s=0.1)
            with Deadline(5, often_s=1) as deadline:
                first = await connections.opened(place, deadline)
                connections.let_go(first)
                assert connections.kept(place) is first
                connections.let_go(first)
                while not talker.ended:  # noqa: ASYNC110 - what is waited for has no event
                    await asyncio.sleep(0.01)
            assert connections.kept(place) is None
            await connections.close()

    talker = Talker([])
    asyncio.run(run())


def dialer() -> Dialer:
    return Dialer(GUARD, GuardedResolver(GUARD, timeout_s=1))


# --- the end --------------------------------------------------------------------------------------------------------


def sockets() -> int:
    """How many this process has open."""
    links = list(Path("/proc/self/fd").iterdir())
    return sum(link.is_symlink() and str(link.readlink()).startswith("socket:") for link in links)


def test_closing_ends_what_is_under_way() -> None:
    """Nobody takes what has come so far for an answer, and nobody tries again."""

    async def use(fetcher: Fetcher, url: str) -> list[str]:
        await fetcher.get(url)
        asking = [asyncio.create_task(failing(fetcher, url)) for _ in range(3)]
        await asyncio.sleep(0.1)
        await fetcher.close()
        return await asyncio.gather(*asking)

    before = sockets()
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nbegun"
    talker = Talker([[OK], [HANG]], [[begun, HANG]])
    codes = talk(talker, use)
    assert sorted(codes) == ["connection-failed", "connection-reset", "connection-reset"]
    assert len(talker.heard) == talker.ended == 3
    assert sockets() == before


@pytest.mark.parametrize("said", [[HANG], [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nbegun", HANG]])
def test_who_gives_up_hangs_up(said: list[bytes]) -> None:
    async def use(fetcher: Fetcher, url: str) -> None:
        asking = asyncio.create_task(fetcher.get(url))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        async with asyncio.timeout(400):
            while not talker.ended:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)

    talker = Talker([said])
    talk(talker, use)


def test_a_head_may_come_letter_by_letter() -> None:
    head = b'HTTP/1.1 304 Not Modified\r\nETag: "b"\r\n\r\n'
    talker = Talker([[head[at : at + 1] for at in range(len(head))]])
    answer = talk(talker, lambda fetcher, url: fetcher.get(url, validators=HELD))
    assert isinstance(answer, NotModified)
    assert answer.validators.etag == '"b"'


# --- several addresses ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def full(address: str, port: int) -> Iterator[None]:
    """A host that does not accept connections."""
    with contextlib.ExitStack() as held:
        listening = held.enter_context(socket.socket())
        listening.bind((address, port))
        listening.listen(0)
        for _ in range(4):
            client = held.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
        yield


class RecordingGuard(Guard):
    """Remembers which addresses were asked about: first all of a name, then each as it is dialled."""

    def __init__(self) -> None:
        super().__init__(["127.0.0.0/8", "::1"])
        self.asked: list[str] = []

    def refuses(self, address: str) -> str | None:
        self.asked.append(address)
        return super().refuses(address)


def ask_one_of(
    addresses: list[str], talker: Talker, *, connect_s: float, host: str = "127.0.0.1"
) -> tuple[str, list[str], float]:
    """What came of asking a name with these addresses, of which `host` answers; those dialled; the seconds it took."""
    guard = RecordingGuard()

    def look_up(_: str, port: int, __: socket.AddressFamily) -> list[AddressInfo]:
        kinds = [(socket.AF_INET6 if ":" in one else socket.AF_INET, one) for one in addresses]
        return [(kind, socket.SOCK_STREAM, 6, "", (one, port)) for kind, one in kinds]

    async def run() -> tuple[str, list[str], float]:
        async with talker.listening(host):
            with full("127.0.0.7", talker.port), full("127.0.0.8", talker.port):
                limits = replace(LIMITS, total=timedelta(seconds=60), connect=timedelta(seconds=connect_s))
                fetcher = Fetcher(limits, guard, "test", look_up=look_up)
                began = asyncio.get_running_loop().time()
                try:
                    await fetcher.get(f"http://several:{talker.port}/feed")
                    code = "200"
                except FetchError as error:
                    code = error.code
                finally:
                    await fetcher.close()
                return code, guard.asked[len(addresses) :], asyncio.get_running_loop().time() - began

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("addresses", "code", "at_least_s"),
    [
        (["127.0.0.1", "127.0.0.9"], "200", 0),
        (["127.0.0.9", "127.0.0.1"], "200", 0),
        (["127.0.0.7", "127.0.0.1"], "200", 0.2),
        (["::1", "127.0.0.1"], "200", 0),
        (["127.0.0.7", "127.0.0.8", "127.0.0.1"], "200", 0.45),
        (["127.0.0.9", "127.0.0.10"], "connection-refused", 0),
        (["127.0.0.7", "127.0.0.8"], "timeout-connect", 0.9),
        (["127.0.0.7"], "timeout-connect", 0.9),
    ],
)
def test_addresses_of_a_name(addresses: list[str], code: str, at_least_s: float) -> None:
    """RFC 8305: the next one when the one before fails, or has said nothing for a quarter of a second.

    Whoever waits for one address to the end has no time left for the next.
    """
    before = sockets()
    talker = Talker([[OK]])
    found, _, took_s = ask_one_of(addresses, talker, connect_s=1 if code == "timeout-connect" else 20)
    assert found == code
    assert took_s >= at_least_s
    assert len(talker.heard) == (code == "200"), "one request, whatever was tried"
    assert sockets() == before


def test_families_take_turns() -> None:
    """RFC 8305 4: four addresses that swallow connections cost a quarter of a second, not four."""
    addresses = ["127.0.0.7", "127.0.0.8", "127.0.0.7", "127.0.0.8", "::1"]
    code, dialled, took_s = ask_one_of(addresses, Talker([[OK]]), connect_s=20, host="::1")
    assert code == "200"
    assert dialled[:2] == ["127.0.0.7", "::1"]
    assert took_s > 0.2


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ECONNREFUSED, "connection-refused"),
        (errno.ECONNRESET, "connection-reset"),
        (errno.ENETUNREACH, "network-unreachable"),
        (errno.EADDRNOTAVAIL, "network-unreachable"),
        (errno.EHOSTUNREACH, "host-unreachable"),
        (errno.ETIMEDOUT, "timeout-connect"),
        (errno.EMFILE, "out-of-files"),
        (errno.EPROTO, "connection-failed"),
    ],
)
def test_what_the_system_says_of_a_connection(number: int, code: str) -> None:
    assert classify(OSError(number, os.strerror(number)), "a.example").code == code


# --- encrypted ------------------------------------------------------------------------------------------------------

POLLS = """
import asyncio, socket, sys
from aggregator.collect.fetch import Fetcher, FetchLimits
from aggregator.collect.guard import Guard
from aggregator.errors import FetchError
from aggregator.model import Validators

def look_up(host, port, family):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in sys.argv[2].split(",")]

async def run():
    asyncio.get_running_loop().slow_callback_duration = 60  # how busy the machine is says nothing of us
    fetcher = Fetcher(FetchLimits(), Guard(["127.0.0.0/8"]), "test", look_up=look_up)
    for path in ("feed", "feed", "long", "feed"):
        try:
            answer = await fetcher.get(sys.argv[1] + path, validators=Validators(etag='"a"'))
            print(answer.status, len(getattr(answer, "body", b"")))
        except FetchError as error:
            print(error.code, 0)
    await fetcher.close()

asyncio.run(run())
"""


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
@pytest.mark.parametrize("addresses", ["127.0.0.1", "127.0.0.9,127.0.0.1", "127.0.0.2,127.0.0.1"])
def test_encrypted_connections_are_kept_too(tmp_path: Path, addresses: str) -> None:
    """Four answers over one connection, to the name that was asked for; the certificate is for it without its dot.

    Nobody listens at 127.0.0.9, and at 127.0.0.2 nobody shakes hands: the next address may be another machine.
    """
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem")
    name = ("-subj", "/CN=test", "-addext", "subjectAltName=DNS:name.example")
    command = ["openssl", "req", "-x509", *key, *name, "-out", "ca.pem", "-days", "9"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    named: list[str | None] = []
    context.sni_callback = lambda _, server_name, __: named.append(server_name)
    talks: list[str | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                body = bytes(3_000_000)
                long = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
                writer.write(long if b"/long" in request else NOT_MODIFIED)
                await writer.drain()
        await _closed(writer)

    async def run() -> list[str]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        broken = await asyncio.start_server(lambda _, writer: writer.transport.abort(), "127.0.0.2", port)
        url = f"https://name.example.:{port}/"
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-X", "dev", "-c", POLLS, url, addresses),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        out, complaints = await child.communicate()
        server.close()
        broken.close()
        assert complaints == b""
        return out.decode().splitlines()

    assert asyncio.run(run()) == ["304 0", "304 0", "200 3000000", "304 0"]
    assert named == ["name.example"]
    assert talks == ["http/1.1"]


def test_a_server_that_does_not_shake_hands() -> None:
    talker = Talker([[HANG]])

    async def use(fetcher: Fetcher, url: str) -> str:
        return await failing(fetcher, url.replace("http:", "https:"))

    assert talk(talker, use, replace(LIMITS, connect=timedelta(seconds=0.3))) == "timeout-connect"


@pytest.mark.parametrize("listens", [True, False])
def test_a_server_that_hangs_up_instead_of_shaking_hands(listens: bool) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if listens:
            await reader.read(10_000)
        await _closed(writer)

    async def run() -> str:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        fetcher = Fetcher(LIMITS, GUARD, "test")
        async with server:
            code = await failing(fetcher, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await fetcher.close()
        return code

    assert asyncio.run(run()) == "connection-reset"
