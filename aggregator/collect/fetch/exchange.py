"""One request and its answer, over a connection that is opened for it or was kept.

    head → bytes · a kept connection, or a new one → send → (1xx, a few)* → status, headers · body, piece by piece

What was kept may have been closed meanwhile: a GET that got not a byte in answer is sent once more, over a new one.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
from aiohttp.http import HttpProcessingError, RawResponseMessage
from yarl import URL

from aggregator.collect.fetch.connections import Connection, Connections, Origin
from aggregator.collect.fetch.deadline import Deadline
from aggregator.collect.fetch.urls import MAX_URL

#: one header line; long enough to read the 60 KB entity tags that are then dropped
_MAX_FIELD_BYTES = 66_000
_MAX_HEADERS = 256
#: "100 Continue" and the like before the answer proper; nobody asked for any
_MAX_INTERIM = 10
_SWITCHING = 101


class Request(NamedTuple):
    """What is asked of whom: `head` and `body` as they are sent."""

    origin: Origin
    method: str
    head: bytes
    body: bytes


class Answer:
    """Status, headers and body. `end` must be called, and may be twice."""

    def __init__(
        self,
        message: RawResponseMessage,
        body: aiohttp.StreamReader,
        connection: Connection,
        connections: Connections,
    ) -> None:
        self.status = message.code
        self.headers = message.headers
        self._body = body
        self._connection = connection
        self._connections = connections
        self._ended = False

    async def piece(self) -> bytes:
        """The next piece of the body, as it has come in; empty: there is no more."""
        self._connection.reads(self._body)
        return await self._body.readany()

    def end(self) -> None:
        """Lets the connection go; it is not used again if there is more of the body."""
        if not self._ended:
            self._ended = True
            self._connections.let_go(self._connection)


def request(method: str, url: URL, fields: Mapping[str, str], body: bytes = b"") -> Request:
    """The request as it is sent: `fields`, what HTTP needs beside them, and nothing else. ValueError."""
    lines = [f"{method} {url.raw_path_qs} HTTP/1.1", f"Host: {url.host_port_subcomponent}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if url.raw_user is not None or url.raw_password is not None:
        lines.append(f"Authorization: {_basic(url)}")
    if body or method not in {"GET", "HEAD"}:
        lines.append(f"Content-Length: {len(body)}")
    if not "".join(lines).isprintable():
        raise ValueError("a header with a control character in it")
    return Request(_origin(url), method, "\r\n".join([*lines, "\r\n"]).encode(), body)


async def exchange(asked: Request, connections: Connections, deadline: Deadline, *, silence_s: float) -> Answer:
    """The head of the answer to `asked`. Whatever goes wrong is an OSError, ClientError or HttpProcessingError."""
    if (connection := connections.kept(asked.origin)) is not None:
        try:
            return await _answer(asked, connection, connections, deadline, silence_s)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            if connection.answered or asked.method != "GET":
                raise
    connection = await connections.opened(asked.origin, deadline)
    return await _answer(asked, connection, connections, deadline, silence_s)


async def _answer(
    asked: Request, connection: Connection, connections: Connections, deadline: Deadline, silence_s: float
) -> Answer:
    connection.set_response_params(
        skip_payload=asked.method == "HEAD",
        read_until_eof=True,
        auto_decompress=False,
        max_line_size=MAX_URL * 2,
        max_field_size=_MAX_FIELD_BYTES,
        max_headers=_MAX_HEADERS,
    )
    try:
        connection.ask(asked.head + asked.body, deadline, silence_s=silence_s)
        for _ in range(_MAX_INTERIM + 1):
            message, body = await connection.read()
            if message.code >= 200 or message.code < 100 or message.code == _SWITCHING:
                return Answer(message, body, connection, connections)
        raise HttpProcessingError(message=f"more than {_MAX_INTERIM} answers before the answer")  # noqa: TRY301 - closed
    except BaseException:
        connection.break_off()
        raise


def _origin(url: URL) -> Origin:
    host = str(url.raw_host)
    if host.endswith(".."):
        host = host.rstrip(".") + "."
    return Origin(url.scheme == "https", host, url.port or 0)


def _basic(url: URL) -> str:
    """RFC 7617, of the credentials in an address."""
    return "Basic " + b64encode(f"{url.user or ''}:{url.password or ''}".encode("latin-1")).decode()
