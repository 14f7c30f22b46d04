"""Polls the sources of a lease: fetches, parses, stores. What follows from what it sees is for `decision` to say.

    decision.validators_to_send             → which validators
    fetch.get(address, validators)          → Response | NotModified | FetchError
    parser.parse(document)                  → ParsedFeed | ParseError    only what is new beside the last one, if known
    store.known(ids) → identify → judge     → entries
    decision.not_new | success | failure    → PollResult
    store.complete(lease, result)           → one transaction

A failure walks the same road: it becomes a `PollResult` with a back-off. What is held stays as it is then: entries,
validators, title.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from aggregator.collect import decision
from aggregator.collect.archives import older_document
from aggregator.collect.articles import ArticleReader
from aggregator.collect.cadence import Policy
from aggregator.collect.fetch import NotModified, OwnHeaders, Response, SupportsGet
from aggregator.collect.group_commit import GroupCommit
from aggregator.collect.guard import is_private
from aggregator.collect.parse.incremental import FingerprintCache
from aggregator.curate.identity import (
    Identified,
    entry_keys,
    identify,
    is_partial_document_enough,
    number_key,
    title_key,
    unknown_entries,
)
from aggregator.errors import AggregatorError, CollectError, FetchError, ParseError, StaleLease
from aggregator.model import (
    Document,
    Entry,
    KnownEntry,
    Lease,
    ParsedEntry,
    ParsedFeed,
    PollResult,
    Source,
    Validators,
    Verdict,
)
from aggregator.store import PollChanges, WorkStore

__all__ = ["Parser", "PollOutcome", "Poller", "known_entries"]

_log = logging.getLogger(__name__)
_THREAD_FROM_BYTES = 256 * 1024
#: bounds of a first poll that reads archives; its lease must not run out, and it is one transaction
_MAX_ARCHIVES, _MAX_OLDER_ENTRIES, _HISTORY_WITHIN_S = 20, 2000, 40.0
#: between two requests to one public host
_ARCHIVE_PAUSE_S = 1.0


class Parser(Protocol):
    """Whatever makes feeds of documents."""

    async def parse(self, document: Document) -> ParsedFeed:
        """The feed in `document`. Raises ParseError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOutcome:
    """How one poll went. `stored` is None if somebody else had taken the work over meanwhile."""

    source: Source
    result: PollResult
    stored: PollChanges | None


class _Read(NamedTuple):
    feed: ParsedFeed
    found: Identified
    result: PollResult


class _Asked:
    """A poll that is under way: whom it asks, and with which validators."""

    def __init__(self, poller: Poller, source: Source, sent: Validators) -> None:
        self.source, self.sent = source, sent
        self._poller = poller
        self._began_s = time.monotonic()

    def ended(self) -> decision.Poll:
        """The poll, which ends now."""
        return self._poller.ended(self.source, self.sent, timedelta(seconds=time.monotonic() - self._began_s))


class Poller:
    """Polls the sources of a lease. One for the whole process: it remembers whether our network works.

    `judge` applies the rules to an entry; `clock` gives the present, in UTC; `jitter` numbers in [0, 1).
    `relax` may put off the next poll of a source that tells us itself what is new; `own_headers` are what the operator
    has written for a source, `history` how far back its archives are read at its first poll; None for most. `articles`
    reads the pages that new entries of some sources link to.
    """

    def __init__(  # noqa: PLR0917 - its parts, in the order in which they act
        self,
        store: WorkStore,
        fetcher: SupportsGet,
        parser: Parser,
        policy: Policy,
        judge: Callable[[Source, ParsedEntry], Verdict],
        clock: Callable[[], datetime],
        jitter: Callable[[], float] = random.random,
        relax: Callable[[Source, PollResult], PollResult] = lambda _, result: result,
        own_headers: Callable[[Source], OwnHeaders | None] = lambda _: None,
        history: Callable[[Source], timedelta | None] = lambda _: None,
        articles: ArticleReader | None = None,
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._parser = parser
        #: may be replaced between two polls
        self.policy = policy
        self._judge = judge
        self._clock = clock
        self._jitter = jitter
        self._relax = relax
        self._own_headers = own_headers
        self._history = history
        self._articles = articles
        #: whether our own network is down; failures counted too early are taken back by whoever watches it
        self.outage = decision.OutageDetector()
        self._fingerprints = FingerprintCache()
        self._group_commit = GroupCommit(store)

    async def poll(self, lease: Lease) -> list[PollOutcome]:
        """Polls every source of the lease, at once: a lease holds no more than may be in flight to its host.

        A bad feed raises nothing; StoreError only, when what happened cannot be recorded.
        """
        if len(lease.sources) == 1:  # as nearly always: a task less
            return [await self._poll_one(lease, lease.sources[0])]
        return list(await asyncio.gather(*(self._poll_one(lease, source) for source in lease.sources)))

    async def _poll_one(self, lease: Lease, source: Source) -> PollOutcome:
        self._group_commit.begin()
        try:
            result = await self._outcome(source)
            result = result if result.outcome == "deferred" else self._relax(source, result)
        finally:
            self._group_commit.end()
        try:
            stored = await self._group_commit.complete(lease, result)
        except StaleLease:
            _log.warning("%s took longer than its lease; somebody else has polled it", source.slug)
            return PollOutcome(source=source, result=result, stored=None)
        return PollOutcome(source=source, result=result, stored=stored)

    def ended(self, source: Source, sent: Validators, duration: timedelta) -> decision.Poll:
        """A poll of `source` that ends now."""
        return decision.Poll(
            source=source,
            sent=sent,
            now=self._clock(),
            policy=self.policy,
            jitter=self._jitter(),
            duration=duration,
        )

    async def _outcome(self, source: Source) -> PollResult:
        now = self._clock()
        if (due := decision.not_before(source, now=now)) > now:  # it was due before, and comes late
            return decision.deferred(source, now=now, due=due)
        asked = _Asked(self, source, decision.validators_to_send(source, now=now))
        try:
            if (target := decision.location_to_try(source, now=now)) is not None:
                moved = await self._tried(asked, target)
                return moved or replace(await self._polled(asked), moved_to=None)
            return await self._polled(asked)
        except CollectError as error:
            return decision.failure(asked.ended(), error, our_fault=self.outage.is_local_fault(error.code))
        except AggregatorError:
            raise
        except Exception as error:  # noqa: BLE001 - logged with its trace, and recorded
            # The edge of a job. What makes our own code trip over a document must not come back at the next tick: it
            # is recorded like any other failure, backs off, and is loud in the log.
            _log.exception("%s: unexpected, please report", source.slug)
            unexpected = CollectError("internal-error", f"{type(error).__name__}: {error}")
            return decision.failure(asked.ended(), unexpected, our_fault=False)

    async def _polled(self, asked: _Asked) -> PollResult:
        source = asked.source
        answer = await self._fetch(source, source.fetch_url, asked.sent)
        if isinstance(answer, NotModified) or (read := await self._read(asked, answer)) is None:
            return decision.not_new(asked.ended(), answer)
        target = read.feed.new_location
        if target and target != source.fetch_url and not (read.found.entries or read.feed.unchanged):
            # a document that says nothing but where the feed is now: followed as a redirect is
            return await self._at(asked, target)
        return read.result

    async def _tried(self, asked: _Asked, target: str) -> PollResult | None:
        """The result of polling `target` instead, if the same feed is there; None: it is not."""
        try:
            result = await self._at(asked, target)
        except CollectError:
            return None
        return result if result.adopt_url else None

    async def _at(self, asked: _Asked, target: str) -> PollResult:
        """The result of polling `target` as if a permanent redirect had led there."""
        answer = await self._fetch(asked.source, target, asked.sent)
        if isinstance(answer, NotModified):
            return decision.not_new(asked.ended(), decision.as_moved(answer, asked.source, target))
        answer = decision.as_moved(answer, asked.source, target)
        read = await self._read(asked, answer)
        return decision.not_new(asked.ended(), answer) if read is None else read.result

    async def _fetch(self, source: Source, url: str, sent: Validators) -> Response | NotModified:
        host = _host(url)
        try:
            answer = await self._fetcher.get(url, validators=sent, own=self._own_headers(source))
        except FetchError as error:
            self.outage.note(host, error.code, now=self._clock(), source=source)
            raise
        self.outage.note(host, None, now=self._clock())
        return answer

    async def _read(self, asked: _Asked, answer: Response) -> _Read | None:
        """What stands in a body; None: it is the one that was parsed last time. Raises ParseError, FetchError."""
        source = asked.source
        digest = await _digest(answer.body)
        if digest == source.body_hash:
            return None
        try:
            feed, known = await self._parsed(source, answer.document)
        except ParseError as error:
            error.retry_after, error.fresh_for = answer.retry_after, answer.cache.fresh_for
            error.url = answer.url if answer.hops else None
            raise
        if not answer.truncated and not answer.delta:
            self._fingerprints.put(digest, feed.fingerprint)
        older = await self._older(source, answer) if source.last_success is None else []
        poll = asked.ended()
        found = identify(
            [entry for entry in (*feed.entries, *older) if not entry.is_empty],
            known,
            source_url=source.subscription.url,
            now=poll.now,
            unstable_ids=source.unstable_ids,
            is_whole=not (answer.delta or answer.truncated or feed.truncated),
        )
        found = replace(found, entries=tuple(self._judged(source, entry) for entry in found.entries))
        if self._articles is not None and self._articles.is_wanted(source):
            own = self._own_headers(source)
            entries = await self._articles.read(source, found.entries, known, parser=self._parser, own=own)
            found = replace(found, entries=entries)
        return _Read(feed, found, decision.success(poll, answer, feed, found, known, digest))

    async def _older(self, source: Source, answer: Response) -> list[ParsedEntry]:
        """The entries of the archives that a new feed names (RFC 5005), as far back as its `history`, within bounds."""
        history = self._history(source)
        if history is None or answer.truncated:
            return []
        oldest, entries = self._clock() - history, list[ParsedEntry]()
        seen, document = {answer.url}, answer
        with contextlib.suppress(CollectError, TimeoutError):  # what has come until then is kept
            async with asyncio.timeout(_HISTORY_WITHIN_S):
                for _ in range(_MAX_ARCHIVES):
                    url = await asyncio.to_thread(older_document, document.body, document.url)
                    if url is None or url in seen or len(entries) > _MAX_OLDER_ENTRIES:
                        break
                    seen.add(url)
                    await asyncio.sleep(0 if is_private(_host(url)) else _ARCHIVE_PAUSE_S)
                    fetched = await self._fetch(source, url, Validators())
                    if isinstance(fetched, NotModified):
                        break
                    document = fetched
                    feed = await self._parser.parse(document.document)
                    entries += feed.entries
                    dates = [entry.published for entry in feed.entries if entry.published is not None]
                    if dates and max(dates) < oldest:
                        break
        return [entry for entry in entries if entry.published is not None and entry.published >= oldest]

    async def _parsed(self, source: Source, document: Document) -> tuple[ParsedFeed, list[KnownEntry]]:
        """What is new in a document, and the stored entries it is compared with.

        All of the document where only the whole tells which entry is which.
        """
        previous = b"" if source.unstable_ids else self._fingerprints.take(source.body_hash)
        feed = await self._parser.parse(replace(document, previous=previous))
        known = await known_entries(self._store, source, feed.entries)
        if feed.unchanged and not is_partial_document_enough(feed.entries, known):
            feed = await self._parser.parse(replace(document, previous=b""))
            known = await known_entries(self._store, source, feed.entries)
        return feed, known

    def _judged(self, source: Source, entry: Entry) -> Entry:
        verdict = self._judge(source, entry.parsed)
        return entry if verdict == entry.verdict else replace(entry, verdict=verdict)


async def known_entries(store: WorkStore, source: Source, entries: Sequence[ParsedEntry]) -> list[KnownEntry]:
    """Stored entries that may equal those of a document, by guid or canonical URL; none before the first good poll.

    For entries that are unknown by both, those of the same title or number: guid and address may have moved together.
    """
    if source.last_success is None or not entries:
        return []
    return await asyncio.to_thread(_known_entries, store, source.id, entries)


def _known_entries(store: WorkStore, source_id: int, entries: Sequence[ParsedEntry]) -> list[KnownEntry]:
    keys = [entry_keys(entry) for entry in entries]
    guids = [guid for guid, _ in keys if guid is not None]
    links = [link for _, link in keys if link is not None]
    found = {entry.entry_id: entry for entry in store.known(source_id, guids=guids, links=links)}
    unknown = unknown_entries(entries, list(found.values()))
    titles = [key for entry in unknown if (key := title_key(entry.title)) is not None]
    numbers = [key for entry in unknown if (key := number_key(entry_keys(entry)[1])) is not None]
    if titles or numbers:
        moved = store.known(source_id, titles=titles, numbers=numbers)
        found |= {entry.entry_id: entry for entry in moved}
    return list(found.values())


@lru_cache(maxsize=4096)  # the same ones, poll after poll
def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


async def _digest(body: bytes) -> bytes:
    """In a thread only where that is quicker than to wake one."""
    digest = hashlib.sha256(body) if len(body) < _THREAD_FROM_BYTES else await asyncio.to_thread(hashlib.sha256, body)
    return digest.digest()
