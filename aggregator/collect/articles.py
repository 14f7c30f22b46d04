"""The articles that new entries link to (``full_text = "fetch"``): requested once, politely, within bounds.

Feeds may name any address, and what is fetched here is published. So pages are requested as anybody on the internet
could: private networks that the operator allows for feeds are not reached, but for pages of the feed's own server.
A server's robots.txt is asked for first, and obeyed; it counts for a day. Who asks for silence has it, poll after poll.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from aggregator.collect.fetch import NotModified, OwnHeaders, Response
from aggregator.collect.guard import is_private_url
from aggregator.collect.robots import ALLOW_ALL, DISALLOW_ALL, Robots, parse_robots
from aggregator.errors import CollectError, FetchError
from aggregator.model import Document, Entry, KnownEntry, ParsedEntry, ParsedFeed, Source

__all__ = ["MAX_ARTICLES", "ArticleReader"]

_log = logging.getLogger(__name__)
#: the newest entries of a poll whose articles are fetched
MAX_ARTICLES = 10
#: for all articles of a poll: they have to end within its lease
_WITHIN_S = 20.0
#: between two requests to a public host
_PAUSE_S = 1.0
_ACCEPT = "text/html, application/xhtml+xml;q=0.9, */*;q=0.1"
#: how long a robots.txt counts (RFC 9309 2.4), and how soon a server that gave none for its own faults is asked again
_ROBOTS_FOR, _ROBOTS_AGAIN = timedelta(days=1), timedelta(hours=1)
_MAX_ROBOTS = 1000
#: for how long a busy server that does not say is left alone
_UNTOLD_SILENCE = timedelta(minutes=10)
_PAGES = ("text/html", "application/xhtml+xml")


class ArticleFetcher(Protocol):
    """A fetcher of its own for the articles of one poll."""

    async def get(self, url: str, *, own: OwnHeaders | None = None, accept: str = ...) -> Response | NotModified:
        """What is at `url`. Raises FetchError."""

    async def close(self) -> None:
        """Closes its connections."""


class Parser(Protocol):
    """Reads documents, articles among them, out of the daemon's process."""

    async def parse(self, document: Document) -> ParsedFeed:
        """The article of a page as the only entry. Raises ParseError."""


class ArticleReader:
    """Gives new entries the text of the articles they link to.

    `wanted`: for which sources. `public_fetcher` makes a fetcher that reaches public addresses only, `own_fetcher` one
    that reaches what feeds may, and follows no redirect: for pages of the server that the feed itself comes from.
    """

    def __init__(
        self,
        wanted: Callable[[Source], bool],
        *,
        public_fetcher: Callable[[], ArticleFetcher],
        own_fetcher: Callable[[], ArticleFetcher],
    ) -> None:
        self.is_wanted = wanted
        self._memory = _Memory()
        self._public_fetcher, self._own_fetcher = public_fetcher, own_fetcher

    async def read(
        self,
        source: Source,
        entries: Sequence[Entry],
        known: Iterable[KnownEntry],
        *,
        parser: Parser,
        own: OwnHeaders | None = None,
    ) -> tuple[Entry, ...]:
        """The entries, new ones with their article as content where it could be read; never raises CollectError.

        Entries that are stored keep what they have.
        """
        stored = {one.entry_id for one in known}
        found = {
            entry.entry_id: entry if _is_new(entry, stored) else replace(entry, keeps_content=True) for entry in entries
        }
        asked = [one for one in found.values() if not one.keeps_content and one.parsed.link and not one.verdict.dropped]
        asked = sorted(asked, key=lambda one: one.published, reverse=True)[:MAX_ARTICLES]
        if asked:
            public, private = self._public_fetcher(), self._own_fetcher()
            try:
                with contextlib.suppress(TimeoutError):  # what has come until then is kept
                    async with asyncio.timeout(_WITHIN_S):
                        await _Round(source, public, private, parser, own, self._memory).read(asked, found)
            finally:
                await asyncio.gather(public.close(), private.close())
        return tuple(found[entry.entry_id] for entry in entries)


class _Memory:
    """What servers have said that holds beyond a poll. Times are on the loop's clock."""

    def __init__(self) -> None:
        #: by address: the rules, and until when they count; the oldest first
        self._robots: OrderedDict[str, tuple[Robots, float]] = OrderedDict()
        #: by server
        self._silent_until_s: dict[str, float] = {}

    def robots(self, where: str) -> Robots | None:
        """The rules at this address; None: not known."""
        robots, until_s = self._robots.get(where, (None, 0.0))
        return robots if until_s > asyncio.get_running_loop().time() else None

    def put_robots(self, where: str, robots: Robots, counts: timedelta) -> None:
        """Keeps the rules for so long."""
        self._robots[where] = robots, asyncio.get_running_loop().time() + counts.total_seconds()
        self._robots.move_to_end(where)
        if len(self._robots) > _MAX_ROBOTS:
            self._robots.popitem(last=False)

    def silence(self, url: str, wait: timedelta) -> None:
        """The server of `url` has asked to be left alone for so long."""
        now_s = asyncio.get_running_loop().time()
        self._silent_until_s = {server: until for server, until in self._silent_until_s.items() if until > now_s}
        self._silent_until_s[_server(url)] = now_s + wait.total_seconds()

    def is_silent(self, url: str) -> bool:
        """Whether that time is not over."""
        return self._silent_until_s.get(_server(url), 0.0) > asyncio.get_running_loop().time()


class _Round:
    """The articles of one poll."""

    def __init__(  # noqa: PLR0917 - its parts
        self,
        source: Source,
        public: ArticleFetcher,
        private: ArticleFetcher,
        parser: Parser,
        own: OwnHeaders | None,
        memory: _Memory,
    ) -> None:
        self._source, self._public, self._private, self._parser, self._own = source, public, private, parser, own
        self._memory = memory

    async def read(self, asked: Sequence[Entry], found: dict[str, Entry]) -> None:
        """Puts each entry whose article could be read into `found`, one after the other."""
        for entry in asked:
            url = entry.parsed.link or ""
            if self._memory.is_silent(url):
                continue
            try:
                if not (await self._robots_of(url)).allows(url):
                    raise FetchError("robots", "its server's robots.txt asks us not to")
                await _pause(url)
                parsed = await self._article(url)
            except CollectError as error:
                extra = {"source": self._source.slug, "url": url, "code": error.code}
                _log.info("article not read", extra=extra)
                if error.retry_after is None and not error.is_busy:
                    continue
                self._memory.silence(error.url or url, error.retry_after or _UNTOLD_SILENCE)
                return
            # a shorter text than the feed's own is a notice or a wall, not the article
            if parsed is not None and len(parsed.content_html) > len(_own_text(entry.parsed)):
                shown = entry.parsed if entry.parsed.image_url else parsed
                article = replace(
                    entry.parsed,
                    content_html=parsed.content_html,
                    image_url=shown.image_url,
                    image_width=shown.image_width,
                )
                found[entry.entry_id] = replace(entry, parsed=article)

    async def _robots_of(self, url: str) -> Robots:
        """The rules of the server of `url`. Raises FetchError where it asks for silence."""
        where = urlunsplit((urlsplit(url).scheme, _server(url), "/robots.txt", "", ""))
        robots = self._memory.robots(where)
        if robots is None:
            await _pause(url)
            robots, counts = await self._asked_robots(where)
            self._memory.put_robots(where, robots, counts)
        return robots

    async def _asked_robots(self, where: str) -> tuple[Robots, timedelta]:
        """The rules at `where`, and for how long: none is leave, a server that cannot say is not (RFC 9309 2.3.1)."""
        try:
            answer = await self._get(where)
        except FetchError as error:
            if error.retry_after is not None or error.permanent:
                raise
            has_none = error.status is not None and 400 <= error.status < 500 and error.status != 429
            return (ALLOW_ALL, _ROBOTS_FOR) if has_none else (DISALLOW_ALL, _ROBOTS_AGAIN)
        return (parse_robots(answer.body) if answer else ALLOW_ALL), _ROBOTS_FOR

    async def _article(self, url: str) -> ParsedEntry | None:
        answer = await self._get(url)
        kind = (answer.content_type or "").partition(";")[0].strip().lower() if answer else ""
        if answer is None or kind not in _PAGES or answer.truncated:
            return None
        feed = await self._parser.parse(replace(answer.document, is_article=True))
        return next(iter(feed.entries), None)

    async def _get(self, url: str) -> Response | None:
        try:
            answer = await self._public.get(url, own=self._own, accept=_ACCEPT)
        except FetchError as error:
            if error.code != "blocked-address" or _server(url) != _server(self._source.fetch_url):
                raise
            answer = await self._private.get(url, own=self._own, accept=_ACCEPT)
        return answer if isinstance(answer, Response) else None


async def _pause(url: str) -> None:
    """Between two requests to a public host."""
    if not is_private_url(url):
        await asyncio.sleep(_PAUSE_S)


def _is_new(entry: Entry, stored: set[str]) -> bool:
    return entry.entry_id not in stored and entry.replaces is None


def _own_text(parsed: ParsedEntry) -> str:
    return parsed.content_html or parsed.summary_html


def _server(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()
