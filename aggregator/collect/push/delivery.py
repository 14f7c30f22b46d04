"""What hubs have delivered: a bounded queue, and the way from a document into the store."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from aggregator.collect.poll import known_entries
from aggregator.curate.identity import identify
from aggregator.errors import ParseError, ParserUnavailable, StoreError
from aggregator.model import Document, ParsedEntry, ParsedFeed, PollResult, Source, Verdict
from aggregator.store import PollChanges, Store

__all__ = ["METHODS", "DeliveryQueue", "Judge", "Parser", "is_signed"]

_log = logging.getLogger(__name__)

#: deliveries that wait to be parsed; a hub is told to come back when there are more
_MAX_WAITING = 50
_MAX_WAITING_BYTES = 50_000_000
METHODS = ("sha1", "sha256", "sha384", "sha512")

Judge = Callable[[Source, ParsedEntry], Verdict]


class Parser(Protocol):
    """Whatever makes feeds of documents."""

    async def parse(self, document: Document) -> ParsedFeed:
        """The feed in `document`. Raises ParseError."""


@dataclass(frozen=True, slots=True)
class _Delivery:
    token: str
    source: Source
    document: Document


class DeliveryQueue:
    """Stores deliveries one after the other. `judge` applies the rules to an entry; `clock` gives the present."""

    def __init__(self, store: Store, parser: Parser, judge: Judge, clock: Callable[[], datetime]) -> None:
        self.judge = judge
        #: how many were stored, and how many could not be
        self.stored = self.unreadable = 0
        self._store, self._parser, self._clock = store, parser, clock
        self._queue: asyncio.Queue[_Delivery] = asyncio.Queue(_MAX_WAITING)
        #: bytes that wait or are being worked on
        self._held_bytes = 0

    def put(self, token: str, source: Source, document: Document) -> bool:
        """Queues a delivery under the subscription of this token; False: too many are waiting."""
        if self._queue.full() or self._held_bytes + len(document.body) > _MAX_WAITING_BYTES:
            return False
        self._held_bytes += len(document.body)
        self._queue.put_nowait(_Delivery(token, source, document))
        return True

    async def next(self) -> tuple[str, PollChanges | None]:
        """Takes the next delivery, waiting for one: its token and what it has changed; None: it was no feed."""
        delivery = await self._queue.get()
        try:
            return delivery.token, await self._take(delivery)
        finally:
            self._held_bytes -= len(delivery.document.body)
            self._queue.task_done()

    async def settled(self) -> None:
        """Returns when nothing is waiting any more."""
        await self._queue.join()

    async def _take(self, delivery: _Delivery) -> PollChanges | None:
        try:
            feed = await self._parser.parse(delivery.document)
            result = await self._result(delivery.source, feed)
            stored = await asyncio.to_thread(self._store.deliver, result)
        except (ParseError, ParserUnavailable, StoreError) as error:
            self.unreadable += 1
            _log.warning("delivery not stored", extra={"source": delivery.source.slug, "why": error})
            return None
        self.stored += 1
        return stored

    async def _result(self, source: Source, feed: ParsedFeed) -> PollResult:
        """A delivery as a poll that has found these entries; it is a part of the feed: what is absent says nothing."""
        now = self._clock()
        known = await known_entries(self._store, source, feed.entries)
        found = identify(
            [entry for entry in feed.entries if not entry.is_empty],
            known,
            source_url=source.subscription.url,
            now=now,
            unstable_ids=source.unstable_ids,
            is_whole=False,
        )
        return PollResult(
            source_id=source.id,
            outcome="new",
            polled_at=now,
            next_poll=now,
            entries=tuple(replace(entry, verdict=self.judge(source, entry.parsed)) for entry in found.entries),
            insert_only=feed.truncated,
        )


def is_signed(body: bytes, signature: str | None, secret: str) -> bool:
    """Whether `signature` (``X-Hub-Signature: method=hex``) is that of `body`; compared in constant time."""
    method, _, given = (signature or "").strip().partition("=")
    if method.lower() not in METHODS or not given.isascii():
        return False
    expected = hmac.new(secret.encode(), body, method.lower()).hexdigest()
    return hmac.compare_digest(expected, given.strip().lower())
