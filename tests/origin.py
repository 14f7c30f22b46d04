"""A scripted web server on loopback: what publishers do, well and badly, and a record of what they were asked.

    with Origin() as origin:
        origin.on("/feed", Answer(body=rss("One", "Two")))                 # the same for ever
        origin.on("/busy", Answer(status=503), Answer(body=rss("One")))    # in turn; the last one is repeated
        origin.on("/echo", lambda request: Answer(body=request.path.encode()))
        ... origin.url("/feed") ... origin.requests ...

It is plain sockets and threads, so that it can also say what no HTTP library would, and serves processes under test
as well as tests that run an event loop.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One response. `raw` replaces status line, headers and body by exactly these bytes."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    #: answer 304 to a request that carries this body's ETag or the Last-Modified of `headers`
    conditional: bool = False
    raw: bytes | None = None
    #: seconds of silence before the first byte
    delay_s: float = 0.0
    #: seconds between pieces of `piece_bytes`; 0: everything at once
    drip_s: float = 0.0
    piece_bytes: int = 1
    #: what happens after the last byte: an orderly close, a reset, or silence until the origin stops
    end: Literal["close", "reset", "hang"] = "close"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked. Header names are in lower case; `at_s` is on the monotonic clock."""

    method: str
    path: str
    headers: Mapping[str, str]
    at_s: float
    body: bytes = b""


Script = Callable[[Request], Answer]


class Origin:
    """The server; a context manager. Every address of 127.0.0.0/8 can be its host."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.requests: list[Request] = []
        #: the most requests that were in flight at one time
        self.most_at_once = 0
        self._scripts: dict[str, Script] = {}
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._in_flight = 0
        origin = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                origin._serve(self.request)

        self._server = _Server((host, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def host(self) -> str:
        return str(self._server.server_address[0])

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}:{self.port}{path}"

    def on(self, path: str, *answers: Answer | Script) -> str:
        """Sets what `path` (without its query) answers, in turn, the last one for ever; gives its URL."""
        left: list[Answer | Script] = list(answers)
        lock = threading.Lock()

        def script(request: Request) -> Answer:
            with lock:
                answer = left.pop(0) if len(left) > 1 else left[0]
            return answer if isinstance(answer, Answer) else answer(request)

        self._scripts[path] = script
        return self.url(path)

    def asked(self, path: str) -> list[Request]:
        """The requests for `path`, oldest first."""
        return [request for request in list(self.requests) if urlsplit(request.path).path == path]

    def _serve(self, connection: socket.socket) -> None:
        # A client that goes away is what many tests are about.
        with contextlib.suppress(OSError):
            request = _read_request(connection)
            if request is None:
                return
            self._answer(connection, request)

    @contextlib.contextmanager
    def _counted(self, request: Request) -> Iterator[None]:
        """Until the last piece of the answer goes out: whoever has it may ask again before this thread runs."""
        with self._lock:
            self.requests.append(request)
            self._in_flight += 1
            self.most_at_once = max(self.most_at_once, self._in_flight)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    def _answer(self, connection: socket.socket, request: Request) -> None:
        with self._counted(request):
            script = self._scripts.get(urlsplit(request.path).path)
            answer = script(request) if script else Answer(status=404, body=b"nothing here")
            if self._stopping.wait(answer.delay_s):
                return
            *pieces, last = _pieces(_encode(answer, request), answer)
            for piece in pieces:
                connection.sendall(piece)
                if answer.drip_s and self._stopping.wait(answer.drip_s):
                    return
        connection.sendall(last)
        if answer.end == "hang":
            self._stopping.wait()
        elif answer.end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def shutdown_request(self, request: Any) -> None:
        # Without the half-close of the base class, so that SO_LINGER makes a reset of a close.
        self.close_request(request)


def _read_request(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    start, body = data.split(b"\r\n\r\n", 1)
    head, *lines = start.decode("latin-1").split("\r\n")
    method, path, _ = head.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        if not (piece := connection.recv(65536)):
            return None
        body += piece
    return Request(method=method, path=path, headers=headers, at_s=time.monotonic(), body=body)


def _encode(answer: Answer, request: Request) -> bytes:
    if answer.raw is not None:
        return answer.raw
    headers = {"Content-Type": "application/xml"} | dict(answer.headers)
    status, body = answer.status, answer.body
    if answer.conditional:
        headers.setdefault("ETag", f'"{hashlib.sha256(body).hexdigest()[:16]}"')
        if _matches(request, headers):
            status, body = 304, b""
    if status != 304:
        headers.setdefault("Content-Length", str(len(body)))
    headers.setdefault("Connection", "close")
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode("latin-1") + (b"" if request.method == "HEAD" else body)


def _matches(request: Request, headers: Mapping[str, str]) -> bool:
    if "if-none-match" in request.headers:
        return request.headers["if-none-match"] == headers["ETag"]
    since = request.headers.get("if-modified-since")
    return since is not None and since == headers.get("Last-Modified")


def _pieces(data: bytes, answer: Answer) -> Sequence[bytes]:
    if not answer.drip_s:
        return [data]
    return [data[at : at + answer.piece_bytes] for at in range(0, len(data), answer.piece_bytes)]


def rss(*titles: str, feed: str = "A feed", site: str = "http://origin.example", extra: str = "") -> bytes:
    """An RSS 2.0 document with one item a title; the item's link and guid are made of the title. No dates.

    `extra` is put into the channel as it is (``<ttl>60</ttl>``).
    """
    items = "".join(_item(title, site) for title in titles)
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel><title>{escape(feed)}</title>'
        f"<link>{site}/</link><description>Written for a test</description>{extra}{items}</channel></rss>\n"
    ).encode()


def _item(title: str, site: str) -> str:
    slug = "".join(c if c.isalnum() else "-" for c in title.lower())
    return (
        f"<item><title>{escape(title)}</title><link>{site}/{slug}</link><guid>{site}/{slug}</guid>"
        f"<description>{escape(f'What is to be said about {title}.')}</description></item>"
    )
