"""A request, its redirects and what the answers mean.

    get(url) → for each hop: guard → a slot at its address → exchange
               3xx → next hop · 304 → NotModified · 2xx → read, decode → Response
               anything else, at any point → FetchError

One wall clock runs around all of it but the wait for the first turn; a server that trickles cannot stop it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from yarl import URL

from aggregator.collect.fetch import errors, headers
from aggregator.collect.fetch.connections import Answer, Connections, Origin, Request, request
from aggregator.collect.fetch.content_encoding import ACCEPT_ENCODING, DecodedBody, decode_body, is_compressed
from aggregator.collect.fetch.deadline import Deadline
from aggregator.collect.fetch.dialer import Dialer, GuardedResolver, LookUp
from aggregator.collect.fetch.http1 import HeaderFields, TruncatedBody
from aggregator.collect.fetch.throttle import AddressThrottle, SharedSlots, Slot
from aggregator.collect.fetch.types import REPLY_BYTES, FetchLimits, Hop, NotModified, OwnHeaders, Reply, Response
from aggregator.collect.fetch.urls import MAX_URL, Redirect, RedirectChain, address, origin
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
#: a redirect that asks to wait no longer is followed at once
_AT_ONCE = timedelta(seconds=10)
#: from here on inflating is worth a thread: it would hold up the loop for milliseconds
_THREAD_FROM_BYTES = 65_536


class _Question(NamedTuple):
    """What is asked for along a chain of redirects, and what goes to one origin only."""

    fields: Mapping[str, str]
    validators: Validators
    own: OwnHeaders | None

    def at(self, chain: RedirectChain) -> tuple[Mapping[str, str], Validators]:
        """The headers of the next request of `chain`, and the validators among them."""
        fields, here = dict(self.fields), origin(chain.url)
        sent = self.validators if here == (self.validators.origin or chain.first_origin) else Validators()
        fields |= headers.conditional(sent)
        if self.own is not None and here == origin(address(self.own.url)):
            names = {name.lower() for name in self.own.fields}
            fields = {name: value for name, value in fields.items() if name.lower() not in names}
            fields |= {name: value.encode().decode("latin-1") for name, value in self.own.fields.items()}
        return chain.with_cookies(fields), sent


class Fetcher:
    """Fetches; holds the connections that are kept alive between requests. To be used within one event loop.

    No cookies, no referrer, no credentials but those in the URL itself, no proxy of the environment. `clock` gives the
    date of answers that carry none, `look_up` resolves names in place of the system. With `slots`, requests to one
    address take turns among all processes that share them.
    """

    def __init__(
        self,
        limits: FetchLimits,
        guard: Guard,
        user_agent: str,
        *,
        clock: Callable[[], datetime] | None = None,
        look_up: LookUp | None = None,
        slots: SharedSlots | None = None,
    ) -> None:
        self._limits = limits
        self._total_s = limits.total.total_seconds()
        self._silence_s = limits.silence.total_seconds()
        self._soonest_s = min(self._silence_s, limits.connect.total_seconds())
        self._guard = guard
        self._user_agent = user_agent
        self._clock = clock
        self._look_up = look_up
        self._throttle = AddressThrottle(longest=limits.total, shared=slots)
        self._connections: Connections | None = None

    async def get(
        self, url: str, *, validators: Validators | None = None, own: OwnHeaders | None = None, accept: str = ACCEPT
    ) -> Response | NotModified:
        """What is at `url`, following redirects; conditional if there are `validators`. Raises FetchError.

        Validators go to the origin that gave them only, and `own` headers to the origin they were written for.
        """
        fields = {"User-Agent": self._user_agent, "Accept": accept, "Accept-Encoding": ACCEPT_ENCODING}
        began_s = asyncio.get_running_loop().time()
        chain = RedirectChain(address(url), max_hops=self._limits.max_hops, began_s=began_s)
        try:
            with self._deadline() as deadline:
                return await self._follow(chain, _Question(fields, validators or Validators(), own), deadline)
        except TimeoutError:
            raise self._too_late() from None
        except FetchError as error:
            if chain.hops:
                error.url = str(chain.url)
                if error.status is not None:  # the next redirect may lead elsewhere
                    error.permanent &= chain.permanent_target is not None
            raise

    async def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        takes_turns: bool = False,
    ) -> Reply:
        """One request as it is and what the server says to it: any status, no redirects. Raises FetchError.

        `takes_turns`: with all other requests to its address, as those of `get` do.
        """
        fields = {"User-Agent": self._user_agent, "Accept": "*/*", "Accept-Encoding": "identity", **(headers or {})}
        try:
            with self._deadline() as deadline:
                return await self._converse(method, address(url), fields, body, deadline, takes_turns=takes_turns)
        except TimeoutError:
            raise self._too_late() from None

    def beside(self, guard: Guard, *, max_hops: int) -> Fetcher:
        """A fetcher with a guard and connections of its own, whose requests take turns with those of this one."""
        other = Fetcher(
            replace(self._limits, max_hops=max_hops), guard, self._user_agent, clock=self._clock, look_up=self._look_up
        )
        other._throttle = self._throttle
        return other

    async def close(self) -> None:
        """Closes every connection. May be called twice; a later `get` opens new ones."""
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close()

    async def _converse(
        self,
        method: str,
        url: URL,
        fields: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
        *,
        takes_turns: bool,
    ) -> Reply:
        self._guard.check_port(url.port or 0)
        try:
            asked = request(method, url, fields, body)
            if not takes_turns or is_private(asked.origin.host):
                return await self._reply(asked, deadline)
            async with self._turn(asked.origin, deadline, counts=False) as slot:
                return await self._reply(asked, deadline, slot)
        except errors.TRANSPORT_ERRORS as error:
            raise errors.classify(error, str(url.host)) from error

    async def _reply(self, asked: Request, deadline: Deadline, turn: Slot | None = None) -> Reply:
        answer = await self._opened().exchange(asked, deadline, silence_s=self._silence_s, turn=turn)
        try:
            return Reply(
                status=answer.status,
                body=await _beginning(answer),
                retry_after=headers.retry_after(answer.headers, self._clock() if self._clock else None),
                location=headers.plain(answer.headers.get("Location"), longest=MAX_URL),
            )
        finally:
            answer.end()

    async def _follow(self, chain: RedirectChain, question: _Question, deadline: Deadline) -> Response | NotModified:
        while isinstance(answer := await self._ask(chain, question, deadline), Redirect):
            chain.follow(answer)
        return answer

    async def _ask(
        self, chain: RedirectChain, question: _Question, deadline: Deadline
    ) -> Response | NotModified | Redirect:
        self._guard.check_port(chain.url.port or 0)
        try:
            fields, sent = question.at(chain)
            asked = request("GET", chain.url, fields)
            if is_private(asked.origin.host):
                return await self._visit(asked, chain, sent, deadline)
            async with self._turn(asked.origin, deadline, counts=bool(chain.hops)) as slot:
                return await self._visit(asked, chain, sent, deadline, turn=slot)
        except errors.TRANSPORT_ERRORS as error:
            raise errors.classify(error, str(chain.url.host)) from error

    async def _visit(
        self,
        asked: Request,
        chain: RedirectChain,
        sent: Validators,
        deadline: Deadline,
        turn: Slot | None = None,
    ) -> Response | NotModified | Redirect:
        answer = await self._opened().exchange(asked, deadline, silence_s=self._silence_s, turn=turn)
        try:
            return await self._take(answer, chain, sent)
        finally:
            answer.end()

    @asynccontextmanager
    async def _turn(self, origin: Origin, deadline: Deadline, *, counts: bool) -> AsyncIterator[Slot]:
        """A turn at the address of a public host; whether the wait for it counts as part of the request."""
        (found, *_) = await self._opened().addresses(origin.host, origin.port)
        left_s = None if counts else deadline.pause()
        async with self._throttle.slot(found.host) as slot:
            if left_s is not None:
                deadline.resume(left_s)
            yield slot

    async def _take(self, answer: Answer, chain: RedirectChain, sent: Validators) -> Response | NotModified | Redirect:
        status, head, received = answer.status, answer.headers, self._clock() if self._clock else None
        if status in _REDIRECTS and "Location" in head:
            return _redirect(answer, chain.url, received)
        if status == 304 and sent.is_usable:
            return NotModified(
                url=str(chain.url),
                validators=headers.refreshed(sent, head, origin=origin(chain.url)),
                cache=headers.cache_headers(head, received),
                retry_after=headers.retry_after(head, received),
                hops=tuple(chain.hops),
                permanent_target=chain.permanent_target,
                duration=_since(chain.began_s),
            )
        if status not in _USABLE or errors.is_challenge(head):
            raise errors.status_error(status, head, str(chain.url.host), received=received)
        return await self._whole(answer, chain, received)

    async def _whole(self, answer: Answer, chain: RedirectChain, received: datetime | None) -> Response:
        head = answer.headers
        raw, cut = await self._read(answer, chain.url)
        answer.end()  # the rest may take its time
        content = await self._decode_body(raw, ", ".join(head.getall("Content-Encoding")))
        return Response(
            url=str(chain.url.with_fragment(None).with_user(None)),
            status=answer.status,
            delta=answer.status == _DELTA,
            body=content.body,
            content_type=headers.plain(head.get("Content-Type")),
            content_language=headers.plain(head.get("Content-Language")),
            validators=headers.validators(head, origin=origin(chain.url)),
            cache=headers.cache_headers(head, received),
            retry_after=headers.retry_after(head, received),
            link=_link(head),
            truncated=cut or content.truncated,
            hops=tuple(chain.hops),
            permanent_target=chain.permanent_target,
            duration=_since(chain.began_s),
        )

    async def _read(self, answer: Answer, url: URL) -> tuple[bytes, bool]:
        """The body as sent, and whether it has another length than was announced."""
        pieces: list[bytes] = []
        size_bytes = 0
        try:
            while piece := await answer.piece():
                pieces.append(piece)
                size_bytes += len(piece)
                if size_bytes > self._limits.max_size_bytes:
                    raise FetchError("too-large", f"The answer of {url.host} is larger than [polling] max_size")
        except TruncatedBody:
            return b"".join(pieces), True
        except errors.TRANSPORT_ERRORS as error:
            raise errors.reading(error, str(url.host)) from error
        return b"".join(pieces), answer.is_length_wrong

    async def _decode_body(self, raw: bytes, content_encoding: str) -> DecodedBody:
        limit = self._limits.max_size_bytes
        if len(raw) < _THREAD_FROM_BYTES or not is_compressed(raw, content_encoding):
            return decode_body(raw, content_encoding, max_size_bytes=limit)
        return await asyncio.to_thread(decode_body, raw, content_encoding, max_size_bytes=limit)

    def _opened(self) -> Connections:
        """The connections; made here because they belong to the running loop."""
        if self._connections is None:
            within_s = self._limits.resolve.total_seconds()
            resolver = GuardedResolver(self._guard, timeout_s=within_s, look_up=self._look_up)
            connect_s = self._limits.connect.total_seconds()
            self._connections = Connections(Dialer(self._guard, resolver), within_s=connect_s)
        return self._connections

    def _deadline(self) -> Deadline:
        return Deadline(self._total_s, often_s=self._soonest_s)

    def _too_late(self) -> FetchError:
        return FetchError("timeout-total", f"The answer was not complete after {self._total_s:g} s")


async def _beginning(answer: Answer) -> bytes:
    said = bytearray()
    while len(said) <= REPLY_BYTES and (piece := await answer.piece()):
        said += piece
    return bytes(said[:REPLY_BYTES])


def _redirect(answer: Answer, url: URL, received: datetime | None) -> Redirect:
    """Where the answer sends us on. FetchError if it asks to wait for long before that (RFC 9110 10.2.3)."""
    if (headers.asked_wait(answer.headers, received) or timedelta(0)) > _AT_ONCE:
        raise errors.status_error(answer.status, answer.headers, str(url.host), received=received)
    cookies = (line.partition(";")[0].strip() for line in answer.headers.getall("Set-Cookie"))
    return Redirect(
        hop=Hop(status=answer.status, url=str(url)),
        location=headers.as_text(answer.headers["Location"]),
        cookies=tuple(cookie for cookie in cookies if "=" in cookie and cookie.isascii() and cookie.isprintable()),
    )


def _link(head: HeaderFields) -> str | None:
    """The ``Link`` headers as one, without what is no printable text."""
    lines = (headers.as_text(line) for line in head.getall("Link"))
    return ", ".join(line for line in lines if line.isprintable())[:MAX_URL] or None


def _since(began_s: float) -> timedelta:
    return timedelta(seconds=asyncio.get_running_loop().time() - began_s)
