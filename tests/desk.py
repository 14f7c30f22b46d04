"""The daemon's way in with its hands on the clock: a real store, fetcher and parser, and time that moves when told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from origin import Origin

from aggregator.collect.articles import ArticleReader
from aggregator.collect.cadence import Policy
from aggregator.collect.fetch import Fetcher, FetchLimits, OwnHeaders
from aggregator.collect.guard import Guard
from aggregator.collect.parse import parse_sync
from aggregator.collect.poll import Poller, PollOutcome
from aggregator.model import (
    Document,
    Lease,
    ParsedEntry,
    ParsedFeed,
    PollResult,
    Scope,
    Source,
    SourceHealth,
    Subscription,
    Verdict,
)
from aggregator.store import Store, WorkStore, open_store

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: a busy machine is slow to send; tests of a limit set their own
LIMITS = FetchLimits(total=timedelta(seconds=60), silence=timedelta(seconds=60))
#: for servers that say nothing, and for those that never end
SOON_SILENT = replace(LIMITS, silence=timedelta(seconds=0.5))
SOON_OVER = replace(LIMITS, total=timedelta(seconds=1))
USER_AGENT = "aggregator/0.1 (feed reader; +https://example.org/about)"
URL = "sqlite:test.db"


class InProcess:
    """The real parser, without its child process."""

    async def parse(self, document: Document) -> ParsedFeed:
        return parse_sync(document)


def keep(source: Source, entry: ParsedEntry) -> Verdict:
    return Verdict()


@dataclass
class Desk:
    """A store, a poller and a clock that moves when it is told to."""

    store: Store
    origin: Origin
    folder: Path
    now: datetime = START
    judge: Callable[[Source, ParsedEntry], Verdict] = keep
    jitter: float = 0.0
    user_agent: str = USER_AGENT
    limits: FetchLimits = LIMITS
    parser: InProcess = field(default_factory=InProcess)
    #: instead of the real store, to see the poller meet a store that fails
    completing: WorkStore | None = None
    #: how far back archives are read, and headers of the operator's own
    history: timedelta | None = None
    own_headers: Mapping[str, str] = field(default_factory=dict)
    articles: ArticleReader | None = None

    def follow(self, *subscriptions: Subscription) -> None:
        self.store.sync_sources(subscriptions, now=self.now)

    def poll(self, *, force: bool = False) -> list[PollOutcome]:
        """One round of what is due, as the daemon does it."""
        leases = self.store.claim(now=self.now, limit=100, lease=5 * MINUTE, force=force)
        return self.poll_leases(leases)

    def poll_leases(self, leases: list[Lease]) -> list[PollOutcome]:
        async def run() -> list[PollOutcome]:
            fetcher = Fetcher(self.limits, Guard(["127.0.0.0/8"]), self.user_agent, clock=lambda: self.now)
            store = self.completing or self.store
            poller = Poller(
                store,
                fetcher,
                self.parser,
                Policy(),
                self.judge,
                lambda: self.now,
                lambda: self.jitter,
                own_headers=self._own,
                history=lambda _: self.history,
                articles=self.articles,
            )
            try:
                rounds = await asyncio.gather(*(poller.poll(lease) for lease in leases))
            finally:
                await fetcher.close()
            return [polled for polleds in rounds for polled in polleds]

        return asyncio.run(run())

    def _own(self, source: Source) -> OwnHeaders | None:
        return OwnHeaders(url=source.subscription.url, fields=self.own_headers) if self.own_headers else None

    def once(self, *, force: bool = False) -> PollResult:
        (polled,) = self.poll(force=force)
        assert polled.stored is not None
        return polled.result

    def skip_to(self, result: PollResult) -> None:
        self.now = result.next_poll

    def titles(self) -> list[str]:
        return sorted(item.title for item in self.store.latest(Scope(), limit=0))

    def health(self) -> SourceHealth:
        (health,) = self.store.sources(now=self.now)
        return health

    def restart(self) -> None:
        """The daemon ends and starts again, with the same sources."""
        subscriptions = [health.subscription for health in self.store.sources(now=self.now)]
        self.store.close()
        self.store = open_store(URL, base=self.folder)
        self.store.sync_sources(subscriptions, now=self.now)

    def live(self, span: timedelta) -> list[PollResult]:
        """Follows the only source for a while: polls it whenever it is due."""
        results, end = [], self.now + span
        while (due := self.store.next_due(now=self.now)) is not None and due <= end:
            self.now = max(self.now, due)
            results += [polled.result for polled in self.poll()]
        self.now = end
        return results


@contextmanager
def open_desk(folder: Path) -> Iterator[Desk]:
    """A desk with an empty store and an origin on loopback."""
    store = open_store(URL, base=folder)
    with Origin() as origin:
        desk = Desk(store, origin, folder)
        yield desk
    desk.store.close()
