"""A publisher for the systemd trial: each request for /feed publishes one more numbered item; /count tells how many."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

published = 0


class Handler(BaseHTTPRequestHandler):
    """Keeps the last hundred items in its feed."""

    def do_GET(self) -> None:
        """Answers /feed and /count."""
        global published  # noqa: PLW0603 - one publisher a process
        if self.path == "/count":
            body = str(published).encode()
        else:
            published += 1
            numbers = range(published, max(published - 100, 0), -1)
            items = "".join(
                f"<item><title>Item number {n}</title><link>http://{self.headers['Host']}/{n}</link><guid>{n}</guid></item>"
                for n in numbers
            )
            head = "<title>Trial</title><link>http://publisher.example/</link><description>numbers</description>"
            body = f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{items}</channel></rss>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/rss+xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
