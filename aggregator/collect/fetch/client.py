"""The request, its redirects and its body.

    get(url) → for each hop: guard → a turn at its address → connect → headers
               3xx → next hop · 304 → NotModified · 2xx → read, inflate → Response
               anything else, at any point → FetchError

One wall clock runs around all of it but the wait for the first turn; a server that trickles cannot stop it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import aiohttp
from yarl import URL

from aggregator.collect.fetch import failures, headers
from aggregator.collect.fetch.address import MAX_URL, Chain, Redirect, address
from aggregator.collect.fetch.answers import REPLY_BYTES, FetchLimits, Hop, NotModified, Reply, Response
from aggregator.collect.fetch.dial import GuardedConnector, GuardedResolver, LookUp
from aggregator.collect.fetch.inflate import ACCEPT_ENCODING, Inflated, inflate, is_compressed
from aggregator.collect.fetch.turns import Turns
from aggregator.collect.guard import Guard, is_private
from aggregator.errors import FetchError
from aggregator.model import Validators

#: feeds before other XML, and the rest rather than nothing
ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, */*;q=0.1"
)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: with a body that is the resource; 203: by way of a proxy; 226: a part of it (RFC 3229)
_DELTA = 226
_USABLE = frozenset({200, 203, _DELTA})
#: one header line; long enough to read the 60 KB entity tags that are then dropped
_MAX_FIELD_BYTES = 66_000
_MAX_HEADERS = 256
#: a redirect that asks to wait no longer is followed at once
_AT_ONCE = timedelta(seconds=10)
#: from here on inflating is worth a thread: it would hold up the loop for milliseconds
_THREAD_FROM_BYTES = 65_536


T = TypeVar("T")


class Fetcher:
    """Fetches; holds the connections that are kept alive between requests. To be used within one event loop.

    No cookies, no referrer, no credentials but those in the URL itself, no proxy of the environment. `clock` gives the
    date of answers that carry none, `look_up` resolves names in place of the system.
    """

    def __init__(
        self,
        limits: FetchLimits,
        guard: Guard,
        user_agent: str,
        *,
        clock: Callable[[], datetime] | None = None,
        look_up: LookUp | None = None,
    ) -> None:
        self._limits = limits
        self._guard = guard
        self._user_agent = user_agent
        self._clock = clock
        self._look_up = look_up
        self._turns = Turns(longest=limits.total)
        self._session: aiohttp.ClientSession | None = None
        self._resolver: GuardedResolver | None = None

    async def get(
        self, url: str, *, validators: Validators | None = None, accept: str = ACCEPT
    ) -> Response | NotModified:
        """What is at `url`, following redirects; conditional if there are `validators`. Raises FetchError."""
        request = {"Accept": accept, "Accept-Encoding": ACCEPT_ENCODING} | headers.conditional(validators)
        sent = validators or Validators()
        return await self._in_time(lambda clock: self._follow(address(url), request, sent, clock))

    async def send(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request as it is and what the server says to it: any status, no redirects. Raises FetchError."""
        request = {"Accept-Encoding": "identity", **(headers or {})}
        return await self._in_time(lambda _: self._converse(method, address(url), body, request))

    async def close(self) -> None:
        """Closes every connection. May be called twice; a later `get` opens new ones."""
        session, self._session = self._session, None
        resolver, self._resolver = self._resolver, None
        if session is not None:
            await session.close()
        if resolver is not None:
            await resolver.close()

    async def _in_time(self, work: Callable[[asyncio.Timeout], Coroutine[None, None, T]]) -> T:
        try:
            async with asyncio.timeout(self._limits.total.total_seconds()) as clock:
                return await work(clock)
        except TimeoutError:
            limit = self._limits.total.total_seconds()
            raise FetchError("timeout-total", f"The answer was not complete after {limit:g} s") from None

    async def _converse(self, method: str, url: URL, body: bytes, request: dict[str, str]) -> Reply:
        self._guard.check_port(url.port or 0)
        sending = self._opened().request(method, url, data=body or None, headers=request, allow_redirects=False)
        try:
            async with sending as answer:
                return Reply(
                    status=answer.status,
                    body=await _beginning(answer),
                    retry_after=headers.retry_after(self._head(answer)),
                    location=headers.plain(answer.headers.get("Location"), longest=MAX_URL),
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise failures.classify(error, str(url.host)) from error

    async def _follow(
        self, url: URL, request: dict[str, str], sent: Validators, clock: asyncio.Timeout
    ) -> Response | NotModified:
        time = asyncio.get_running_loop().time
        started = time()
        chain = Chain(url, max_hops=self._limits.max_hops)
        while isinstance(
            answer := await self._ask(chain.url, request | chain.cookies(), sent, None if chain.hops else clock),
            Redirect,
        ):
            chain.follow(answer)
        took = timedelta(seconds=time() - started)
        return replace(answer, hops=tuple(chain.hops), permanent_target=chain.permanent_target, duration=took)

    async def _ask(
        self, url: URL, request: dict[str, str], sent: Validators, clock: asyncio.Timeout | None
    ) -> Response | NotModified | Redirect:
        self._guard.check_port(url.port or 0)
        host = str(url.host)
        session = self._opened()
        try:
            name = host.rstrip(".")  # its final dot is no part of it
            turn = nullcontext() if is_private(name) else self._turn(name, url.port or 0, clock)
            async with turn, session.get(url, headers=request, allow_redirects=False) as answer:
                return await self._take(answer, url, sent)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise failures.classify(error, host) from error

    @asynccontextmanager
    async def _turn(self, host: str, port: int, clock: asyncio.Timeout | None) -> AsyncIterator[None]:
        """A turn at the address of `host`, of a public one; `clock` stands still while we wait for it."""
        assert self._resolver is not None, "there is a session"  # noqa: S101
        (found, *_) = await self._resolver.resolve(host, port)
        due_s = clock.when() if clock else None
        began_s = asyncio.get_running_loop().time()
        if clock:
            clock.reschedule(None)
        async with self._turns.at(found["host"]):
            if clock and due_s is not None:
                clock.reschedule(due_s + asyncio.get_running_loop().time() - began_s)
            yield

    async def _take(
        self, answer: aiohttp.ClientResponse, url: URL, sent: Validators
    ) -> Response | NotModified | Redirect:
        status, head = answer.status, self._head(answer)
        if status in _REDIRECTS and "Location" in head:
            answer.close()
            return _redirect(answer, head, url)
        if status == 304 and headers.conditional(sent):
            answer.close()  # some send a body behind it, which the next request would take for its answer
            return NotModified(
                url=str(url), validators=headers.refreshed(sent, head), fresh_for=headers.fresh_for(head)
            )
        if status not in _USABLE or failures.is_challenge(head):
            answer.close()
            raise failures.status_error(status, head, str(url.host))
        return await self._whole(answer, url)

    async def _whole(self, answer: aiohttp.ClientResponse, url: URL) -> Response:
        head = answer.headers
        raw, cut = await self._read(answer, str(url.host))
        content = await self._inflate(raw, head.get("Content-Encoding", ""))
        return Response(
            url=str(url.with_fragment(None).with_user(None)),
            status=answer.status,
            delta=answer.status == _DELTA,
            body=content.body,
            content_type=headers.plain(head.get("Content-Type")),
            content_language=headers.plain(head.get("Content-Language")),
            validators=headers.validators(head),
            fresh_for=headers.fresh_for(self._head(answer)),
            link=headers.plain(", ".join(head.getall("Link", [])), longest=MAX_URL),
            truncated=cut or content.truncated,
        )

    async def _read(self, answer: aiohttp.ClientResponse, host: str) -> tuple[bytes, bool]:
        """The body as sent, and whether the connection was closed before its announced end."""
        body = bytearray()
        try:
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > self._limits.max_size_bytes:
                    answer.close()
                    raise FetchError("too-large", f"The answer of {host} is larger than [polling] max_size")
        except (aiohttp.ClientError, OSError) as error:
            if _closed_early(error):
                return bytes(body), True
            raise failures.reading(error, host) from error
        return bytes(body), False

    async def _inflate(self, raw: bytes, content_encoding: str) -> Inflated:
        limit = self._limits.max_size_bytes
        if len(raw) < _THREAD_FROM_BYTES or not is_compressed(raw, content_encoding):
            return inflate(raw, content_encoding, max_size_bytes=limit)
        return await asyncio.to_thread(inflate, raw, content_encoding, max_size_bytes=limit)

    def _head(self, answer: aiohttp.ClientResponse) -> headers.Headers:
        return headers.dated(answer.headers, self._clock() if self._clock else None)

    def _opened(self) -> aiohttp.ClientSession:
        """The session; made here because it belongs to the running loop."""
        if self._session is None:
            within_s = self._limits.resolve.total_seconds()
            self._resolver = GuardedResolver(self._guard, timeout_s=within_s, look_up=self._look_up)
            self._session = aiohttp.ClientSession(
                connector=GuardedConnector(self._guard, self._resolver),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self._user_agent},
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=self._limits.connect.total_seconds(),
                    sock_read=self._limits.silence.total_seconds(),
                ),
                max_line_size=MAX_URL * 2,
                max_field_size=_MAX_FIELD_BYTES,
                max_headers=_MAX_HEADERS,
            )
        return self._session


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    said = bytearray()
    async for piece in answer.content.iter_any():
        said += piece
        if len(said) > REPLY_BYTES:
            answer.close()
            break
    return bytes(said[:REPLY_BYTES])


def _redirect(answer: aiohttp.ClientResponse, head: headers.Headers, url: URL) -> Redirect:
    """Where the answer sends us on. FetchError if it asks to wait for long before that (RFC 9110 10.2.3)."""
    if (headers.asked_wait(head) or timedelta(0)) > _AT_ONCE:
        raise failures.status_error(answer.status, head, str(url.host))
    cookies = (line.partition(";")[0].strip() for line in answer.headers.getall("Set-Cookie", []))
    return Redirect(
        hop=Hop(status=answer.status, url=str(url)),
        location=answer.headers["Location"],
        cookies=tuple(cookie for cookie in cookies if "=" in cookie and cookie.isprintable()),
    )


def _closed_early(error: Exception) -> bool:
    """An orderly close before Content-Length was reached: what came is usable in part.

    A cut chunk is not: there the framing itself is broken. aiohttp tells the cases apart in its message only.
    """
    if not isinstance(error, aiohttp.ClientPayloadError):
        return False
    return "ContentLengthError" in str(error) and not failures.is_reset(error)
