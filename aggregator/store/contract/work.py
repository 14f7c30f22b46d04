"""The queue of polls, and what one of them changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from aggregator.model import CountedFailure, KnownEntry, Lease, PollResult, Source, SourceHealth, Subscription

__all__ = ["PollChanges", "SyncedSources", "WorkStore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedSources:
    """What changed when the sources of the configuration were taken over (addresses of the feeds)."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    #: no longer configured: polled no more, their items stay until retention
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PollChanges:
    """What one poll changed."""

    #: entries never seen before, those among them that made a new item, entries edited in place
    new_entries: int = 0
    new_items: int = 0
    updated: int = 0
    #: when the oldest of the new entries was published
    oldest_new: datetime | None = field(default=None, compare=False)


class WorkStore(Protocol):
    """The queue of polls: leased by host, fenced by token."""

    def sync_sources(
        self, subscriptions: Sequence[Subscription], *, now: datetime, catch_up: bool = False
    ) -> SyncedSources:
        """Makes the followed sources those of the configuration. New ones are due at once.

        `catch_up`: nothing was polled for a while. What is long overdue is spread, one source a second, the longest
        overdue first, none later than its own interval from now.
        """

    def claim(
        self,
        *,
        now: datetime,
        limit: int,
        lease: timedelta,
        per_host: int = 1,
        force: bool = False,
        only: frozenset[str] | None = None,
    ) -> list[Lease]:
        """At most `limit` sources in all, grouped by host, oldest due first; a host under lease is not handed out.

        `force` ignores due times (never parking or leases); `only` restricts to these feed addresses. A claimed
        source's due time moves behind its lease, so that a poison source cannot be handed out again at once.

        A claim outlives its process at once, and a power cut when anything has been written after it: whoever would
        complete what was handed out has gone with the power, and it is due again.
        """

    def give_back(self, lease: Lease, *, now: datetime) -> None:
        """Ends a lease; what was not completed of it is due at once. Nothing if it belongs to somebody else by now."""

    def known(
        self,
        source_id: int,
        *,
        guids: Sequence[str] = (),
        links: Sequence[str] = (),
        titles: Sequence[str] = (),
        numbers: Sequence[str] = (),
    ) -> list[KnownEntry]:
        """What is remembered of these guids, canonical links, titles and numbers of this source, tombstones included.

        `titles` and `numbers` as `curate.identity.title_key` and `number_key` give them: for entries that have moved.
        """

    def complete(self, lease: Lease, result: PollResult) -> PollChanges:
        """Commits everything one poll changes: entries, validators, posting rate, error state, next poll.

        The last source of a lease frees the host, which is next due when its first source is, never before
        `lease` asks for its gap. Raises StaleLease when the host has been claimed by somebody else since.

        Entries become items here as far as that is certain: a known entry is updated in place (its `published` and
        first-seen time stay), the same canonical address at another source joins that source's item (unless several
        entries of one source share it: a home page says nothing), anything else founds an item.
        """

    def complete_all(self, polls: Sequence[tuple[Lease, PollResult]]) -> Sequence[PollChanges | Exception]:
        """`complete` for polls that have ended: what each gave, or why it failed; each whole or not at all.

        Returns once all are durable, which costs one turn of the disk instead of many.
        """

    def take_back(self, failures: Sequence[CountedFailure], *, due: datetime) -> int:
        """Undoes failures that were counted against sources, which are then due at `due`; how many.

        Not of a source that has been polled with another result since.
        """

    def make_due(self, error_codes: Collection[str], *, now: datetime) -> int:
        """Makes sources whose last error has one of these codes due at once; how many."""

    def next_due(self, *, now: datetime) -> datetime | None:
        """When the next poll is due; in the past if one waits already; None if there is nothing to poll."""

    def followed(self) -> list[Source]:
        """Every source that is polled now and then: configured, enabled, not gone."""

    def sources(self, *, now: datetime, slug: str | None = None) -> list[SourceHealth]:
        """The health of every configured source, or of the one with that slug, by section and name."""

    def states(self, *, now: datetime) -> Mapping[str, int]:
        """How many configured sources are in each state (`SourceHealth.state`); cheap."""
