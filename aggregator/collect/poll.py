"""The order of things for one source; decides nothing itself.

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from aggregator.collect import cadence
from aggregator.collect.cadence import Hints, Policy
from aggregator.collect.fetch import Fetcher, NotModified, Response
from aggregator.collect.moves import adopts
from aggregator.collect.network import NetworkHealth
from aggregator.collect.parse.fingerprints import Fingerprints
from aggregator.curate.identity import entry_keys, identify, tells_alone
from aggregator.errors import AggregatorError, CollectError, FetchError, StaleLease
from aggregator.model import (
    Document,
    Entry,
    FeedInfo,
    KnownEntry,
    Lease,
    ParsedEntry,
    ParsedFeed,
    PollError,
    PollResult,
    Rhythm,
    Source,
    Verdict,
)
from aggregator.store import Stored, WorkStore

__all__ = ["Parser", "Polled", "Poller"]

_log = logging.getLogger(__name__)

#: how soon a source is tried again when the fault was our network's: it may be back any minute
_OFFLINE_RETRY = timedelta(seconds=60)
_BUSY = frozenset({429, 503})


class Parser(Protocol):
    """Whatever makes feeds of documents."""

    async def parse(self, document: Document) -> ParsedFeed:
        """The feed in `document`. Raises ParseError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """How one poll went. `stored` is None if somebody else had taken the work over meanwhile."""

    source: Source
    result: PollResult
    stored: Stored | None


class Poller:
    """Polls the sources of a lease. One for the whole process: it remembers whether our network works.

    `judge` applies the rules to an entry; `clock` gives the present, in UTC; `jitter` numbers in [0, 1).
    """

    def __init__(  # noqa: PLR0917 - its parts, in the order in which they act
        self,
        store: WorkStore,
        fetcher: Fetcher,
        parser: Parser,
        policy: Policy,
        judge: Callable[[Source, ParsedEntry], Verdict],
        clock: Callable[[], datetime],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._parser = parser
        self._policy = policy
        self._judge = judge
        self._clock = clock
        self._jitter = jitter
        self._network = NetworkHealth()
        self._fingerprints = Fingerprints()

    async def poll(self, lease: Lease) -> list[Polled]:
        """Polls every source of the lease, at once: a lease holds no more than may be in flight to its host.

        A bad feed raises nothing; StoreError only, when what happened cannot be recorded.
        """
        return list(await asyncio.gather(*(self._poll_one(lease, source) for source in lease.sources)))

    async def _poll_one(self, lease: Lease, source: Source) -> Polled:
        loop = asyncio.get_running_loop()
        started = loop.time()
        result = replace(await self._outcome(source), duration=timedelta(seconds=loop.time() - started))
        try:
            stored = await asyncio.to_thread(self._store.complete, lease, result)
        except StaleLease:
            _log.warning("%s took longer than its lease; somebody else has polled it", source.slug)
            return Polled(source=source, result=result, stored=None)
        return Polled(source=source, result=result, stored=stored)

    async def _outcome(self, source: Source) -> PollResult:
        try:
            answer = await self._fetch(source)
            return await self._taken(source, answer)
        except CollectError as error:
            return self._failed(source, error)
        except AggregatorError:
            raise
        except Exception as error:  # noqa: BLE001 - logged with its trace, and recorded
            # The edge of a job. What makes our own code trip over a document must not come back at the next tick: it
            # is recorded like any other failure, backs off, and is loud in the log.
            _log.exception("%s: unexpected, please report", source.slug)
            return self._failed(source, CollectError("internal-error", f"{type(error).__name__}: {error}"))

    async def _fetch(self, source: Source) -> Response | NotModified:
        host = urlsplit(source.fetch_url).hostname or ""
        try:
            answer = await self._fetcher.get(source.fetch_url, validators=source.validators)
        except FetchError as error:
            self._network.note(host, error.code)
            raise
        self._network.note(host, None)
        return answer

    async def _taken(self, source: Source, answer: Response | NotModified) -> PollResult:
        if isinstance(answer, NotModified):
            return self._unchanged(source, answer)
        digest = await asyncio.to_thread(_digest, answer.body)
        if digest == source.body_hash:
            return self._unchanged(source, answer)
        feed, known = await self._read(source, answer.document)
        if not answer.truncated:
            self._fingerprints.put(digest, feed.fingerprint)
        return self._parsed(source, answer, feed, known, digest)

    async def _read(self, source: Source, document: Document) -> tuple[ParsedFeed, list[KnownEntry]]:
        """What is new in a document, and what is remembered of it. All of it where only the whole tells who is who."""
        before = b"" if source.unstable_ids else self._fingerprints.take(source.body_hash)
        feed = await self._parser.parse(replace(document, before=before))
        known = await self._known(source, feed)
        if feed.unchanged and not tells_alone(feed.entries, known):
            feed = await self._parser.parse(replace(document, before=b""))
            known = await self._known(source, feed)
        return feed, known

    def _unchanged(self, source: Source, answer: Response | NotModified) -> PollResult:
        """A 304, or a 200 with the very body that was parsed last time: in both cases the new validators count."""
        hints = _hints(source.info, answer)
        base = self._good(source, answer, source.rhythm, hints)
        same = isinstance(answer, Response)
        size = len(answer.body) if isinstance(answer, Response) else 0
        return replace(base, outcome="same" if same else "not-modified", size_bytes=size)

    def _parsed(
        self, source: Source, answer: Response, feed: ParsedFeed, known: Sequence[KnownEntry], digest: bytes
    ) -> PollResult:
        now = self._clock()
        found = identify(
            feed.entries,
            known,
            source_url=source.subscription.url,
            now=now,
            unstable_ids=source.unstable_ids,
        )
        rhythm = _observed(source, found.entries, known, now, unchanged=feed.unchanged)
        hints = _hints(feed.info, answer)
        partial = answer.truncated or feed.truncated
        return replace(
            self._good(source, answer, rhythm, hints),
            outcome="new",
            entries=tuple(self._judged(source, entry) for entry in found.entries),
            info=None if feed.truncated else feed.info,
            # half a document must be asked for again in full
            validators=None if partial else answer.validators,
            body_hash=None if partial else digest,
            rhythm=rhythm,
            insert_only=feed.truncated,
            warnings=_warnings(answer, feed, found.warnings),
            unstable_ids=found.unstable_ids,
            size_bytes=len(answer.body),
        )

    async def _known(self, source: Source, feed: ParsedFeed) -> list[KnownEntry]:
        keys = [entry_keys(entry) for entry in feed.entries]
        guids = [guid for guid, _ in keys if guid is not None]
        links = [link for _, link in keys if link is not None]
        if not guids and not links:
            return []
        return await asyncio.to_thread(self._store.known, source.id, guids=guids, links=links)

    def _judged(self, source: Source, entry: Entry) -> Entry:
        return replace(entry, verdict=self._judge(source, entry.parsed))

    def _good(self, source: Source, answer: Response | NotModified, rhythm: Rhythm, hints: Hints) -> PollResult:
        """What all polls that worked have in common."""
        now = self._clock()
        return PollResult(
            source_id=source.id,
            outcome="new",
            polled_at=now,
            next_poll=cadence.next_poll(
                rhythm,
                now=now,
                policy=self._policy,
                hints=hints,
                jitter=self._jitter(),
                fixed=source.subscription.interval,
                weight=source.subscription.weight,
            ),
            validators=answer.validators,
            unstable_ids=source.unstable_ids,
            moved_to=answer.permanent_target,
            adopt_url=rhythm.overlapped and adopts(source, answer.permanent_target, now=now),
            status=answer.status,
        )

    def _failed(self, source: Source, error: CollectError) -> PollResult:
        now = self._clock()
        result = PollResult(
            source_id=source.id,
            outcome="error",
            polled_at=now,
            next_poll=now,
            error=PollError(code=error.code, message=str(error), permanent=error.permanent),
            unstable_ids=source.unstable_ids,
            status=error.status,
        )
        if error.status == 410:
            gone, again = cadence.confirm_gone(source.gone_since, now=now, jitter=self._jitter())
            return replace(result, outcome="gone" if gone else "error", next_poll=again)
        if self._network.explains(error.code):
            soon = now + _OFFLINE_RETRY * (1 + self._jitter())
            return replace(result, next_poll=soon, counts_as_error=False)
        again = self._backed_off(source, error, now)
        return replace(result, next_poll=again, park_host_until=_parked(source, error, now))

    def _backed_off(self, source: Source, error: CollectError, now: datetime) -> datetime:
        fixed = source.subscription.interval
        return cadence.after_error(
            now=now,
            base=fixed
            or cadence.interval(source.rhythm, now=now, policy=self._policy, weight=source.subscription.weight),
            error_count=source.error_count + 1,
            error_since=source.error_since,
            jitter=self._jitter(),
            retry_after=error.retry_after,
            busy=error.status in _BUSY,
            permanent=error.permanent,
        )


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _hints(info: FeedInfo, answer: Response | NotModified) -> Hints:
    conditional = bool(answer.validators.etag or answer.validators.last_modified)
    return cadence.hints_of(info, fresh_for=answer.fresh_for, has_validators=conditional)


def _observed(
    source: Source, entries: Sequence[Entry], known: Sequence[KnownEntry], now: datetime, *, unchanged: int
) -> Rhythm:
    """The rhythm with what this document adds. A first document overlaps with nothing and has lost nothing."""
    held = {entry.entry_id for entry in known}
    new = [entry for entry in entries if entry.entry_id not in held and entry.replaces is None]
    return cadence.observe(
        source.rhythm,
        published=[entry.parsed.published for entry in new],
        now=now,
        previous_poll=source.last_success,
        window_entries=len(entries) + unchanged,
        overlapped=unchanged > 0 or len(new) < len(entries) or not entries or source.last_success is None,
    )


def _warnings(answer: Response, feed: ParsedFeed, found: Sequence[str]) -> tuple[str, ...]:
    cut = ("truncated",) if answer.truncated or feed.truncated else ()
    return tuple(dict.fromkeys((*feed.warnings, *found, *cut)))


def _parked(source: Source, error: CollectError, now: datetime) -> datetime | None:
    """Until when a 429 silences the whole host. On a private network it is one service among many on an address."""
    host = urlsplit(source.fetch_url).hostname or ""
    if error.status != 429 or _is_private(host):
        return None
    return now + (error.retry_after or timedelta(minutes=10))


def _is_private(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return host == "localhost" or "." not in host
