"""The order of things for one source; decides nothing itself.

    decision.validators_to_send                  → which validators
    fetch.get(address, validators)        → Response | NotModified | FetchError
      NotModified, or the body we had     → nothing new; the validators it brought are kept
      parser.parse(document)              → ParsedFeed | ParseError    only what is new beside the last one, if known
      store.known(ids) → identify → judge → entries
    cadence                               → when next
    store.complete(lease, result)         → one transaction

A failure walks the same road: it becomes a `PollResult` with a back-off. What is held stays as it is then: entries,
validators, title.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from aggregator.collect import decision
from aggregator.collect.cadence import Hints, Policy
from aggregator.collect.decision import OutageDetector, conditional
from aggregator.collect.fetch import NotModified, Response, SupportsGet
from aggregator.collect.group_commit import GroupCommit
from aggregator.collect.parse.incremental import FingerprintCache
from aggregator.curate.identity import entry_keys, identify, is_partial_document_enough
from aggregator.errors import AggregatorError, CollectError, FetchError, StaleLease
from aggregator.model import (
    ConditionalState,
    Document,
    Entry,
    KnownEntry,
    Lease,
    Outcome,
    ParsedEntry,
    ParsedFeed,
    PollResult,
    PostingRate,
    Source,
    Validators,
    Verdict,
)
from aggregator.store import PollChanges, WorkStore

__all__ = ["Parser", "PollOutcome", "Poller", "known_entries"]

_log = logging.getLogger(__name__)
_THREAD_FROM_BYTES = 256 * 1024


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


class _Asked:
    """A request that is under way: whom it asks, and with which validators."""

    __slots__ = ("_began_s", "sent", "source")

    def __init__(self, source: Source, sent: Validators) -> None:
        self.source, self.sent = source, sent
        self._began_s = time.monotonic()

    @property
    def duration(self) -> timedelta:
        """Since it began."""
        return timedelta(seconds=time.monotonic() - self._began_s)


class Poller:
    """Polls the sources of a lease. One for the whole process: it remembers whether our network works.

    `judge` applies the rules to an entry; `clock` gives the present, in UTC; `jitter` numbers in [0, 1).
    `relax` may put off the next poll of a source that tells us itself what is new.
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
        #: whether our own network is down; failures counted too early are taken back by whoever watches it
        self.outage = OutageDetector()
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
            result = self._relax(source, await self._outcome(source))
        finally:
            self._group_commit.end()
        try:
            stored = await self._group_commit.complete(lease, result)
        except StaleLease:
            _log.warning("%s took longer than its lease; somebody else has polled it", source.slug)
            return PollOutcome(source=source, result=result, stored=None)
        return PollOutcome(source=source, result=result, stored=stored)

    async def _outcome(self, source: Source) -> PollResult:
        asked = _Asked(source, decision.validators_to_send(source, now=self._clock()))
        try:
            answer = await self._fetch(source, asked.sent)
            return await self._taken(asked, answer)
        except CollectError as error:
            return self._failed(asked, error)
        except AggregatorError:
            raise
        except Exception as error:  # noqa: BLE001 - logged with its trace, and recorded
            # The edge of a job. What makes our own code trip over a document must not come back at the next tick: it
            # is recorded like any other failure, backs off, and is loud in the log.
            _log.exception("%s: unexpected, please report", source.slug)
            return self._failed(asked, CollectError("internal-error", f"{type(error).__name__}: {error}"))

    async def _fetch(self, source: Source, sent: Validators) -> Response | NotModified:
        host = _host(source.fetch_url)
        try:
            answer = await self._fetcher.get(source.fetch_url, validators=sent)
        except FetchError as error:
            self.outage.note(host, error.code, now=self._clock(), source=source)
            raise
        self.outage.note(host, None, now=self._clock())
        return answer

    async def _taken(self, asked: _Asked, answer: Response | NotModified) -> PollResult:
        source, now = asked.source, self._clock()
        known = conditional.noted(source, asked.sent, now=now)
        if isinstance(answer, NotModified):
            known = conditional.after_not_modified(known, now=now, fresh_for=answer.fresh_for)
            return self._unchanged(asked, answer, known, "not-modified")
        digest = await _digest(answer.body)
        same = digest == source.body_hash
        known = conditional.after_body(
            known, same=same and asked.sent != Validators(), now=now, fresh_for=answer.fresh_for
        )
        if same:
            return self._unchanged(asked, answer, known, "same", size_bytes=len(answer.body))
        feed, held = await self._read(source, answer.document)
        if not answer.truncated and not answer.delta:
            self._fingerprints.put(digest, feed.fingerprint)
        return self._parsed(asked, answer, feed, held, known, digest)

    async def _read(self, source: Source, document: Document) -> tuple[ParsedFeed, list[KnownEntry]]:
        """What is new in a document, and what is remembered of it. All of it where only the whole tells who is who."""
        previous = b"" if source.unstable_ids else self._fingerprints.take(source.body_hash)
        feed = await self._parser.parse(replace(document, previous=previous))
        known = await known_entries(self._store, source, feed.entries)
        if feed.unchanged and not is_partial_document_enough(feed.entries, known):
            feed = await self._parser.parse(replace(document, previous=b""))
            known = await known_entries(self._store, source, feed.entries)
        return feed, known

    def _unchanged(
        self,
        asked: _Asked,
        answer: Response | NotModified,
        revalidates: ConditionalState,
        outcome: Outcome,
        *,
        size_bytes: int = 0,
    ) -> PollResult:
        """A 304, or a 200 with the very body that was parsed last time: in both cases the new validators count."""
        source = asked.source
        hints = decision.publisher_hints(source.info, answer)
        return self._good(
            asked, answer, source.posting_rate, hints, revalidates, outcome=outcome, size_bytes=size_bytes
        )

    def _parsed(  # noqa: PLR0917 - what is known of a source and of its document
        self,
        asked: _Asked,
        answer: Response,
        feed: ParsedFeed,
        known: Sequence[KnownEntry],
        revalidates: ConditionalState,
        digest: bytes,
    ) -> PollResult:
        source, now = asked.source, self._clock()
        found = identify(
            feed.entries,
            known,
            source_url=source.subscription.url,
            now=now,
            unstable_ids=source.unstable_ids,
        )
        posting_rate = decision.update_posting_rate(
            source, found.entries, known, now, unchanged=feed.unchanged, delta=answer.delta
        )
        hints = decision.publisher_hints(feed.info, answer)
        truncated = answer.truncated or feed.truncated
        entries = tuple(self._judged(source, entry) for entry in found.entries)
        return replace(
            self._good(asked, answer, posting_rate, hints, revalidates, outcome="new", size_bytes=len(answer.body)),
            entries=entries,
            info=None if feed.truncated else decision.with_hub_links(feed.info, answer.link),
            # half a document must be asked for again in full
            validators=None if truncated else decision.next_validators(source, answer),
            body_hash=None if truncated or answer.delta else digest,
            posting_rate=posting_rate,
            insert_only=feed.truncated,
            warnings=decision.poll_warnings(source, answer, feed, found.warnings),
            unstable_ids=found.unstable_ids,
        )

    def _judged(self, source: Source, entry: Entry) -> Entry:
        verdict = self._judge(source, entry.parsed)
        return entry if verdict == entry.verdict else replace(entry, verdict=verdict)

    def _good(
        self,
        asked: _Asked,
        answer: Response | NotModified,
        posting_rate: PostingRate,
        hints: Hints,
        revalidates: ConditionalState,
        *,
        outcome: Outcome,
        size_bytes: int,
    ) -> PollResult:
        """What all polls that worked have in common."""
        return decision.success(
            asked.source,
            answer,
            posting_rate,
            hints,
            revalidates,
            now=self._clock(),
            policy=self.policy,
            jitter=self._jitter(),
            outcome=outcome,
            size_bytes=size_bytes,
            duration=asked.duration,
        )

    def _failed(self, asked: _Asked, error: CollectError) -> PollResult:
        now = self._clock()
        result = decision.failure(
            asked.source,
            error,
            now=now,
            policy=self.policy,
            jitter=self._jitter(),
            our_fault=self.outage.is_local_fault(error.code),
            known=conditional.noted(asked.source, asked.sent, now=now),
        )
        return replace(result, duration=asked.duration)


async def known_entries(store: WorkStore, source: Source, entries: Sequence[ParsedEntry]) -> list[KnownEntry]:
    """Stored entries that may equal those of a document, by guid or canonical URL; none before the first good poll."""
    if source.last_success is None:
        return []
    keys = [entry_keys(entry) for entry in entries]
    guids = [guid for guid, _ in keys if guid is not None]
    links = [link for _, link in keys if link is not None]
    return await asyncio.to_thread(store.known, source.id, guids=guids, links=links) if guids or links else []


@lru_cache(maxsize=4096)  # the same ones, poll after poll
def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


async def _digest(body: bytes) -> bytes:
    """In a thread only where that is quicker than to wake one."""
    digest = hashlib.sha256(body) if len(body) < _THREAD_FROM_BYTES else await asyncio.to_thread(hashlib.sha256, body)
    return digest.digest()
