"""HOSTILE.md 1, rows U, H4, H15 to H18: where strangers would have us connect to. A listener counts the connections."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin import Answer, Origin, rss
from victim import AGENT, LIMITS

from aggregator.collect.clean import safe_url
from aggregator.collect.decision.outage import OutageDetector
from aggregator.collect.discover import discover, find_feeds
from aggregator.collect.fetch import Fetcher, Response
from aggregator.collect.fetch.dialer import AddressInfo, LookUp
from aggregator.collect.guard import Guard
from aggregator.collect.parse import parse_sync
from aggregator.curate.identity import canonical_url
from aggregator.errors import FetchError
from aggregator.model import Document, ParsedFeed
from aggregator.publish import opml

T = TypeVar("T")
#: one address may be dialled, as the operator said; 127.0.0.9 and all others may not
ALLOWED = ("127.0.0.1/32",)
BLOCKED = {"blocked-address", "blocked-port", "bad-url", "bad-redirect"}

#: every kind of address that is not globally routable, and IPv4 inside IPv6
SPECIAL = [
    *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.9", "169.254.169.254", "172.16.0.1", "192.0.0.8", "192.0.2.1"),
    *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "[::]", "[::1]", "[::ffff:7f00:9]", "[::7f00:9]", "[64:ff9b::7f00:9]", "[64:ff9b:1::1]"),
    *("[2002:7f00:9::]", "[2001:0:7f00:9::1]", "[2001:db8::1]", "[3fff::1]", "[100::1]", "[fc00::1]", "[fe80::1]"),
    *("[fec0::1]", "[ff02::1]", "[5f00::1]"),
]
#: other spellings of addresses of this machine (U2)
SPELLINGS = [
    *("127.9", "127.0.9", "0x7f000009", "2130706441", "017700000011", "0x7f.0.0.9", "127。0。0。9", "①②⑦.⓪.⓪.⑨"),
    *("[::ffff:127.0.0.9]", "[0:0:0:0:0:ffff:7f00:9]", "0", "00", "127.0.0.9."),
]


class Listener:
    """Counts connections to any address of this machine, by IPv4 and IPv6."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = int(self._socket.getsockname()[1])
        self.seen = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.seen += 1
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as running:
        yield running


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


class InProcess:
    async def parse(self, document: Document) -> ParsedFeed:
        return parse_sync(document)


def with_fetcher(use: Callable[[Fetcher], Awaitable[T]]) -> T:
    async def run() -> T:
        fetcher = Fetcher(LIMITS, Guard(ALLOWED), AGENT)
        try:
            return await use(fetcher)
        finally:
            await fetcher.close()

    return asyncio.run(run())


def refused(use: Callable[[Fetcher], Awaitable[object]]) -> str:
    with pytest.raises(FetchError) as caught:
        with_fetcher(use)
    return caught.value.code


def redirect(to: str) -> Answer:
    return Answer(raw=b"HTTP/1.1 301 Moved\r\nLocation: " + to.encode() + b"\r\nContent-Length: 0\r\n\r\n")


def targets(port: int) -> list[str]:
    return [f"http://{host}:{port}/feed" for host in [*SPECIAL, *SPELLINGS]]


def test_the_listener_hears_what_is_dialled(listener: Listener) -> None:
    for host in ("127.0.0.9", "127.0.0.1", "::1"):
        socket.create_connection((host, listener.port)).close()
    threading.Event().wait(0.05)
    assert listener.seen == 3


# --- U1, U2: every address by every way in ---------------------------------------------------------------------------


def test_u1_as_the_address_of_a_feed(listener: Listener) -> None:
    for url in targets(listener.port):
        assert refused(lambda fetcher, url=url: fetcher.get(url)) in BLOCKED, url  # type: ignore[misc]
    assert listener.seen == 0


def test_u1_h15_as_a_redirect_and_as_a_second_redirect(listener: Listener, origin: Origin) -> None:
    for number, url in enumerate(targets(listener.port)):
        origin.on(f"/{number}", redirect(url))
        for first in (origin.url(f"/{number}"), origin.on(f"/again/{number}", redirect(f"/{number}"))):
            assert refused(lambda fetcher, first=first: fetcher.get(first)) in BLOCKED, url  # type: ignore[misc]
    assert listener.seen == 0


def test_u1_as_a_feed_that_a_page_names(listener: Listener, origin: Origin) -> None:
    links = "".join(f'<link rel="alternate" type="application/rss+xml" href="{url}">' for url in targets(listener.port))
    page = f"<html><head>{links}</head></html>".encode()
    url = origin.on("/page", Answer(body=page, headers={"Content-Type": "text/html"}))
    found = with_fetcher(lambda fetcher: discover(fetcher, InProcess(), url))
    assert found == find_feeds(page, url)
    assert len(found) > 20
    for feed in found:
        assert refused(lambda fetcher, feed=feed: fetcher.get(feed.url)) in BLOCKED, feed.url  # type: ignore[misc]
    assert listener.seen == 0


def test_u1_as_a_feed_of_an_opml_list(listener: Listener) -> None:
    outlines = "".join(f'<outline type="rss" xmlUrl="{url}"/>' for url in targets(listener.port))
    for outline in opml.parse(f'<opml version="2.0"><body>{outlines}</body></opml>'.encode()).feeds:
        assert refused(lambda fetcher, outline=outline: fetcher.get(outline.url)) in BLOCKED  # type: ignore[misc]
    assert listener.seen == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_u1_as_a_hub_or_a_callback(listener: Listener, method: str) -> None:
    for url in targets(listener.port):
        code = refused(lambda fetcher, url=url: fetcher.send(method, url, body=b"hub.mode=subscribe"))  # type: ignore[misc]
        assert code in BLOCKED, url
    assert listener.seen == 0


def answer(*addresses: str) -> list[AddressInfo]:
    kinds = [(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in addresses]
    return [(kind, socket.SOCK_STREAM, 6, "", (address, 0)) for kind, address in kinds]


def ask(look_up: LookUp, url: str) -> bytes | FetchError:
    """What is at `url`, names being resolved by `look_up`."""

    async def run() -> bytes | FetchError:
        limits = replace(LIMITS, resolve=dt.timedelta(seconds=0.5))
        fetcher = Fetcher(limits, Guard(ALLOWED), AGENT, look_up=look_up)
        try:
            answer = await fetcher.get(url)
        except FetchError as error:
            return error
        finally:
            await fetcher.close()
        assert isinstance(answer, Response)
        return answer.body

    return asyncio.run(run())


def failure(look_up: LookUp, url: str = "http://name.example:8080/") -> str:
    found = ask(look_up, url)
    assert isinstance(found, FetchError)
    return found.code


@pytest.mark.parametrize("address", [one.strip("[]") for one in SPECIAL])
def test_u1_as_the_answer_of_a_name_server(listener: Listener, address: str) -> None:
    url = f"http://name.example:{listener.port}/"
    assert failure(lambda *_: answer(address), url) == "blocked-address"
    assert listener.seen == 0


def test_h16_a_name_is_resolved_once_and_what_was_checked_is_dialled(listener: Listener) -> None:
    """A name server that says 127.0.0.1 (allowed) when asked first, and 127.0.0.9 from then on."""
    asked: list[str] = []

    def rebinding(host: str, *_: object) -> list[AddressInfo]:
        asked.append(host)
        return answer("127.0.0.1" if len(asked) == 1 else "127.0.0.9")

    with Origin() as origin:
        origin.on("/", Answer(body=rss("One")))
        assert ask(rebinding, f"http://name.example:{origin.port}/") == rss("One")
        assert asked == ["name.example"]
        assert failure(rebinding, f"http://name.example:{listener.port}/") == "blocked-address"
    assert listener.seen == 0


def test_h16_of_several_addresses_only_the_allowed_are_dialled(listener: Listener) -> None:
    """The allowed one refuses the connection: the next in the answer is no way round the guard."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with socket.create_server(("127.0.0.9", port)) as forbidden:
            forbidden.settimeout(0.2)
            mixed = lambda *_: answer("127.0.0.9", "127.0.0.1", "::1")  # noqa: E731 - a name server
            assert failure(mixed, f"http://name.example:{port}/") == "connection-refused"
            with pytest.raises(TimeoutError):
                forbidden.accept()


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no such name"), "dns-not-found"),
        (socket.gaierror(socket.EAI_AGAIN, "temporary failure"), "dns-failure"),
        (socket.gaierror(socket.EAI_FAIL, "failure"), "dns-failure"),
        ([], "dns-not-found"),
    ],
)
def test_h17_name_servers_that_say_no(found: list[AddressInfo] | OSError, code: str) -> None:
    assert failure(lambda *_: found) == code


def test_h17_a_name_server_that_says_nothing() -> None:
    silent = threading.Event()

    def never(*_: object) -> list[AddressInfo]:
        silent.wait(400)
        return []

    assert failure(never) == "dns-timeout"
    silent.set()


def test_h17_when_most_names_fail_it_is_us() -> None:
    network = OutageDetector()
    for number in range(20):
        network.note(f"host{number}.example", None, now=dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    for number in range(30):
        network.note(f"other{number}.example", "dns-failure", now=dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    assert network.is_down
    assert network.is_local_fault("dns-failure")
    assert not network.is_local_fault("http-500")


# --- U3: tricks with what an address is -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        *("http://good.example\\@127.0.0.9/", "http://good@127.0.0.9/", "http://good.example@127.0.0.9/"),
        *("http://127.0.0.9#@good.example/", "http://127.0.0.9?@good.example/", "http://a:99999/", "http://a:-1/"),
        *("http:///x", "http:host", "http://", "//x/", "http://[::1/", "http://a b/", "http://%31%32%37.0.0.9/"),
        *("http://127.0.0.9%00.good.example/", "http://good.example\r\nHost: evil/", "HTTP://127.0.0.9/"),
    ],
)
def test_u3_tricks(url: str) -> None:
    assert refused(lambda fetcher: fetcher.get(url)) in BLOCKED | {"dns-not-found", "dns-failure"}


@pytest.mark.parametrize("port", [0, 7, 19, 21, 22, 23, 25, 110, 143, 445, 587, 993, 3306, 5432, 6379, 11211, 27017])
def test_u3_ports_of_other_services(port: int) -> None:
    assert refused(lambda fetcher: fetcher.get(f"http://127.0.0.1:{port}/")) in {"blocked-port", "bad-url"}


# --- U4, U5, U6: addresses within entries -----------------------------------------------------------------------------

LINKS = [
    *(
        "javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "http://a.example/\\x",
        "http://a.\0example/",
    ),
    *(
        "http://user:pass@a.example/",
        "http://",
        "http://[",
        "vbscript:x",
        "file:///etc/passwd",
        "http://a.example:99999/",
    ),
    "http://a.example/" + "x" * 100_000,
]


@pytest.mark.parametrize("link", LINKS)
def test_u4_u5_an_entry_with_an_unsafe_link_is_an_entry_without_one(link: str) -> None:
    entry = {"id": "1", "url": link, "external_url": link, "title": "One", "image": link}
    body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "t", "items": [entry]}).encode()
    (parsed,) = parse_sync(Document(body=body, url="http://feed.example/")).entries
    assert (parsed.title, parsed.link, parsed.image_url) == ("One", None, None)


def test_u5_a_look_alike_shows_its_punycode() -> None:
    assert safe_url("http://аррӏе.com/") == "http://xn--80ak6aa92e.com/"
    assert len(safe_url("http://a.example/?" + "&".join(f"p{n}=x" for n in range(150))) or "") < 2048
    assert safe_url("http://a.example/?" + "&".join(f"p{n}=x" for n in range(1000))) is None


@given(st.text(max_size=60), st.sampled_from(["http://", "https://", "//", "", "http:", "//a@", "http://[", "\t"]))
def test_u_any_text_is_a_safe_address_or_none(text: str, front: str) -> None:
    url = safe_url(front + text, "http://base.example/x/")
    if url is not None:
        assert url.startswith(("http://", "https://"))
        assert url.isascii()
        assert url.isprintable()
        assert not set(url) & set('\\ "<>')
        assert safe_url(url) == url, "idempotent"


@given(st.text(max_size=60), st.sampled_from(["http://", "https://a.example/", "http://a.example/?"]))
def test_u_canonical_addresses_are_idempotent(text: str, front: str) -> None:
    url = canonical_url(front + text)
    assert url is None or canonical_url(url) == url


# --- H4, H18: connections ---------------------------------------------------------------------------------------------

OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
TLS = """
import asyncio, sys
from aggregator.collect.fetch import Fetcher, FetchLimits
from aggregator.collect.guard import Guard
from aggregator.errors import FetchError

async def run():
    fetcher = Fetcher(FetchLimits(), Guard(["127.0.0.1/32"]), "aggregator")
    for url in sys.argv[1:]:
        try:
            print((await fetcher.get(url)).status)
        except FetchError as error:
            print(error.code)
    await fetcher.close()

asyncio.run(run())
"""


def certificate(directory: Path, name: str, *, host: str, days: tuple[int, int]) -> Path:
    """A certificate of our own authority, valid from so many days ahead until so many."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    now = dt.datetime.now(dt.UTC)
    start, end = ((now + dt.timedelta(days=ahead)).strftime("%y%m%d%H%M%SZ") for ahead in days)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    if not (directory / "ca.pem").exists():
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Test CA")
        (directory / "index.txt").touch()
        (directory / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\n"
            "policy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n"
        )
    san = f"subjectAltName={host}"
    openssl(
        "req", "-new", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", "-addext", san
    )
    openssl(
        *("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", f"{name}.csr"),
        *("-out", f"{name}.crt", "-startdate", start, "-enddate", end, "-notext"),
    )
    pem = directory / f"{name}.pem"
    pem.write_text((directory / f"{name}.crt").read_text() + (directory / f"{name}.key").read_text())
    return pem


def ancient(pem: Path) -> int:
    """The port of a server that speaks nothing newer than TLS 1.0."""
    context = new_tls(pem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    listening = socket.create_server(("127.0.0.1", 0))

    def shake_hands_once() -> None:
        connection, _ = listening.accept()
        with listening, connection, contextlib.suppress(OSError):
            context.wrap_socket(connection, server_side=True)

    threading.Thread(target=shake_hands_once, daemon=True).start()
    return int(listening.getsockname()[1])


def new_tls(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@OPENSSL
def test_h18_certificates(tmp_path: Path) -> None:
    ours = "IP:127.0.0.1"
    contexts = {
        "200": new_tls(certificate(tmp_path, "good", host=ours, days=(-1, 9))),
        "tls-expired": new_tls(certificate(tmp_path, "old", host=ours, days=(-9, -1))),
        "tls-wrong-host": new_tls(certificate(tmp_path, "other", host="DNS:other.example", days=(-1, 9))),
        "tls-untrusted": new_tls(Path(__file__).parents[1] / "collect" / "self-signed.pem"),
    }
    plain: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plain.append(await reader.read(1000))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        writer.close()

    async def run() -> list[str]:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # handshakes that fail are the point
        servers = [await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) for context in contexts.values()]
        urls = [f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/" for server in servers]
        urls.append(f"https://127.0.0.1:{ancient(tmp_path / 'good.pem')}/")
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", TLS, *urls),
            stdout=asyncio.subprocess.PIPE,
            env={"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        out, _ = await child.communicate()
        for server in servers:
            server.close()
        return out.decode().split()

    assert asyncio.run(run()) == [*contexts, "tls-failure"]
    assert len(plain) == 1, "http is never tried instead"


def test_h4_a_host_that_swallows_connections() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        assert refused(lambda fetcher: fetcher.get(f"http://127.0.0.1:{full.getsockname()[1]}/")) == "timeout-connect"
        for client in waiting:
            client.close()
