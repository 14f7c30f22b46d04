"""The papers' web servers: one loopback address each (127.0.1.1, 127.0.1.2 …), so that each is a host of its own."""

from __future__ import annotations

import hashlib
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from aggregator.demo.newsroom import Newsroom, Paper
from aggregator.demo.print_feeds import CONTENT_TYPES, render_paper

Clock = Callable[[], datetime]

#: how long the slow paper takes for one answer, in seconds, and in how many drops it comes
_SLOW_S, _SLOW_DROPS = 3.0, 30


class Press:
    """Serves all papers until closed. Raises OSError where the system has no loopback addresses beside 127.0.0.1."""

    def __init__(self, newsroom: Newsroom, clock: Clock) -> None:
        self._servers = [
            _PaperServer(newsroom, paper, f"127.0.1.{number}", clock) for number, paper in enumerate(newsroom.papers, 1)
        ]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True, name=f"press-{server.paper.key}").start()

    def feeds(self) -> list[tuple[Paper, str]]:
        """Each paper with the address of its feed."""
        return [(server.paper, f"{server.base}/feed") for server in self._servers]

    def close(self) -> None:
        """Stops all servers."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _PaperServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, newsroom: Newsroom, paper: Paper, address: str, clock: Clock) -> None:
        super().__init__((address, 0), _Handler)
        self.newsroom, self.paper, self.clock = newsroom, paper, clock
        self.base = f"http://{address}:{self.server_address[1]}"
        self.mishaps: Iterator[str] = itertools.cycle(("half", "page", "nothing", "", ""))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Reports an error as the base class does, unless the client has hung up."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _PaperServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """A feed, a picture or an article."""
        if self.path == "/feed":
            self._feed()
        elif self.path.startswith("/picture/"):
            self._picture(self.path.removeprefix("/picture/"))
        else:
            self._article()

    def _feed(self) -> None:
        server = self.server
        body = render_paper(server.newsroom, server.paper, base=server.base, now=server.clock())
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        mishap = next(server.mishaps) if server.paper.behaviour == "broken" else ""
        if mishap == "page":
            self._answer(b"<!doctype html><title>Oops</title><p>We are moving the printing press.", "text/html")
        elif mishap:
            self._answer(body[: len(body) // 2] if mishap == "half" else b"", "application/rss+xml")
        elif self.headers.get("If-None-Match") == etag:
            self._answer(b"", None, status=304, etag=etag)
        else:
            self._answer(body, CONTENT_TYPES[server.paper.format], etag=etag)

    def _picture(self, name: str) -> None:
        known = {article.picture for article in self.server.newsroom.articles}
        if name.removesuffix(".svg") in known:
            self._answer((resources.files("aggregator.demo") / "pictures" / name).read_bytes(), "image/svg+xml")
        else:
            self._answer(b"No such picture.", "text/plain", status=404)

    def _article(self) -> None:
        wanted = self.path.strip("/")
        article = next((a for a in self.server.newsroom.articles if str(a.id) == wanted), None)
        title = escape(article.title if article else self.server.paper.title)
        text = escape(article.text if article else "An invented paper.")
        page = f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><p>{text}"
        self._answer(page.encode(), "text/html; charset=utf-8")

    def _answer(self, body: bytes, content_type: str | None, *, status: int = 200, etag: str | None = None) -> None:
        self.send_response(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        if etag:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.paper.behaviour == "slow" and self.path == "/feed":
            self._drip(body)
        else:
            self.wfile.write(body)

    def _drip(self, body: bytes) -> None:
        step = len(body) // _SLOW_DROPS + 1
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            time.sleep(_SLOW_S / _SLOW_DROPS)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
        """The papers keep no access log."""
