"""What a store can do, room by room; what it promises stands in `aggregator.store`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from aggregator.model import (
    Candidate,
    Curation,
    Doubt,
    HubSubscriber,
    Item,
    ItemList,
    ItemText,
    KnownEntry,
    Lease,
    ListKey,
    Mark,
    Movement,
    PollResult,
    Population,
    Provenance,
    Push,
    Reader,
    Scope,
    Source,
    SourceHealth,
    StoreStats,
    Subscription,
    Verdict,
    View,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedSources:
    """What changed when the sources of the configuration were taken over (addresses of the feeds)."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    #: no longer configured: polled no more, their items stay until retention
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
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
        """

    def known(self, source_id: int, *, guids: Sequence[str], links: Sequence[str]) -> list[KnownEntry]:
        """What is remembered of these guids and canonical links of this source, tombstones included."""

    def complete(self, lease: Lease, result: PollResult) -> Stored:
        """Commits everything one poll changes: entries, validators, rhythm, error state, next poll.

        The last source of a lease frees the host, which is next due when its first source is, never before
        `lease` asks for its gap. Raises StaleLease when the host has been claimed by somebody else since.

        Entries become items here as far as that is certain: a known entry is updated in place (its `published` and
        first-seen time stay), the same canonical address at another source joins that source's item (unless several
        entries of one source share it: a home page says nothing), anything else founds an item.
        """

    def complete_all(self, polls: Sequence[tuple[Lease, PollResult]]) -> Sequence[Stored | Exception]:
        """`complete` for polls that have ended: what each gave, or why it failed; each whole or not at all.

        Returns once all are durable, which costs one turn of the disk instead of many.
        """

    def next_due(self, *, now: datetime) -> datetime | None:
        """When the next poll is due; in the past if one waits already; None if there is nothing to poll."""

    def followed(self) -> list[Source]:
        """Every source that is polled now and then: configured, enabled, not gone."""

    def sources(self, *, now: datetime, slug: str | None = None) -> list[SourceHealth]:
        """The health of every configured source, or of the one with that slug, by section and name."""

    def states(self, *, now: datetime) -> Mapping[str, int]:
        """How many configured sources are in each state (`SourceHealth.state`); cheap."""


class ItemStore(Protocol):
    """Items, for whoever shows them. Dropped items and those of signal sources are in no listing."""

    def resolve(self, item_id: str) -> str | None:
        """The id under which this item is shown now (itself, or the one it was merged into); None: never existed."""

    def items(self, ids: Sequence[str]) -> list[Item]:
        """These items in this order; ids that are unknown or no longer shown are left out, merged ones resolved."""

    def latest(self, scope: Scope, *, limit: int, before: tuple[datetime, str] | None = None) -> list[Item]:
        """Newest first by (published, id); `before` continues behind that place. limit 0: all."""

    def search(self, words: str, *, limit: int) -> list[Item]:
        """Items that contain all the words, newest first. Any text is a valid query."""

    def stories(self, *, min_sources: int, limit: int) -> Iterator[tuple[str, list[Item]]]:
        """Stories carried by at least `min_sources` distinct sources, the most recently moved first. limit 0: all."""

    def story(self, story: str) -> list[Item]:
        """The items of one story, oldest first; former story ids resolve."""

    def related(self, item_id: str, *, limit: int) -> list[tuple[Item, float]]:
        """Items on the same subject with their scores, best first; never the item itself or its story's items."""

    def related_each(self, ids: Sequence[str], *, limit: int) -> list[list[tuple[Item, float]]]:
        """`related` for each of these ids, in their order: what a list of many items asks once."""

    def provenance(self, item_id: str) -> Provenance | None:
        """Why the item is what it is."""

    def generation(self) -> int:
        """A number that changes whenever anything that readers see has changed, in whichever process.

        Of the health of sources it follows names and states, not the times of polls.
        """


class CurationStore(Protocol):
    """The loop store → curate → store."""

    def pending(self, *, limit: int) -> list[ItemText]:
        """Items that are new or whose text changed since they were curated, oldest first."""

    def history(
        self, *, since: datetime, before: datetime | None = None, newest: int | None = None
    ) -> Iterator[ItemText]:
        """Curated items published since then, oldest first: what an index in memory is rebuilt from.

        With `before` only those published earlier than that; with `newest` only so many, the newest of them.
        """

    def doubted(self, *, limit: int) -> list[Doubt]:
        """Items that absorbed others for their texts (never by address) of which one has been edited since."""

    def put_curation(self, curation: Curation, *, now: datetime) -> None:
        """Commits a batch of decisions. Merged items keep every entry, view and like; absorbed ids redirect.

        A merge that is undone (`splits`) gives the absorbed id an item again, with the entries it had; what was seen
        and liked stays with the item that had absorbed it. Both wait to be curated.
        """

    def candidates(self, *, since: datetime, now: datetime, limit: int = 0) -> list[Candidate]:
        """Shown items viewed since then, and the `limit` (0: all) newest of those first seen since then.

        As they stood at `now`: sources, links, views and likes that came later are not counted. What carries no time
        (the counts that feeds report, what rules say, what was merged) is as it is today.
        """

    def movement(self, population: Population, *, after: Mark | None, now: datetime) -> Movement:
        """What has changed of the candidates since a mark, by whichever process; everything if there is no mark.

        Together, all movements since one that was `whole` give what `candidates` gives, and `view_counts` of each
        window. They hold for `mark.at`: `now`, or a little later where the store has seen something meanwhile. Where a
        mark cannot be followed (another population, a clock that went back), everything is given anew.
        """

    def put_lists(self, lists: Iterable[ItemList]) -> None:
        """Replaces these lists. A list that did not change is not written."""

    def get_list(self, key: ListKey) -> ItemList | None:
        """The list as it was last computed."""

    def entries_since(self, since: datetime) -> Iterator[tuple[int, str, ItemText, tuple[str, ...], str]]:
        """(source id, entry id, text, categories, author or "") of stored entries: for re-applying rules."""

    def put_verdicts(self, verdicts: Mapping[tuple[int, str], Verdict]) -> int:
        """Replaces the verdicts of these entries (source id, entry id); how many changed."""


class AudienceStore(Protocol):
    """Who opened what, without knowing who."""

    def record_views(self, views: Sequence[View]) -> None:
        """Appends views; they survive ``kill -9`` when this returns and a power cut a second later.

        Cheap enough to be called for every request. A repeated (item, visitor, day) is the caller's to avoid
        (`visitors`), but harmless: folding counts it once. A visitor has at most 32 bytes.
        """

    def visitors(self, day_start: datetime) -> set[tuple[str, bytes]]:
        """(item id, visitor) of the views recorded since then, folded or not: who has been counted today."""

    def fold_views(self) -> int:
        """Moves what `record_views` appended into the counts, exactly once; how many views were counted."""

    def forget_visitors(self, before: datetime) -> None:
        """Destroys every visitor hash older than that; the counts stay."""

    def view_counts(self, *, since: datetime, until: datetime, ids: Sequence[str] | None = None) -> dict[str, int]:
        """Views by item with since ≤ time < until, exact to the 5-minute bucket; items without views are absent."""

    def like(self, item_id: str, *, visitor: bytes, now: datetime) -> bool:
        """Records a like, durably; False if this visitor has liked it before. Raises NotFound."""

    def count_once(self, mark: str, views: Sequence[View]) -> int:
        """Records views of an imported log; a second call with the same `mark` counts nothing. How many counted."""

    def add_reader(self, name: str, token: str, *, now: datetime) -> Reader:
        """A reader with a private address; StoreError if the name is taken."""

    def remove_reader(self, name: str) -> bool:
        """Forgets a reader and all that was learnt; False if there was none."""

    def readers(self) -> list[Reader]:
        """All readers, by name."""

    def record_opened(self, token: str, item_id: str, *, now: datetime) -> bool:
        """A reader opened an item through their own feed; False if the token or the item is unknown."""

    def opened(self, token: str, *, limit: int) -> list[tuple[ItemText, datetime]]:
        """What a reader opened, newest first."""


class HubStore(Protocol):
    """Who is told when a feed of ours changes (WebSub)."""

    def hub_subscribers(self) -> list[HubSubscriber]:
        """All of them, lapsed leases included, by topic and callback."""

    def put_hub_subscriber(self, *subscribers: HubSubscriber) -> None:
        """New subscribers, or the new lease and secret of those that are known, whose `told` stays as it is."""

    def note_told(self, subscriber: HubSubscriber) -> None:
        """Keeps `told`, `failures` and `retry_at`; nothing if it has unsubscribed meanwhile."""

    def remove_hub_subscriber(self, *, topic: str, callback: str) -> bool:
        """Forgets one; False if there was none."""

    def source_marks(self) -> Mapping[str, str]:
        """The slug of every configured source, with a text that changes when it has brought something new; cheap."""


class PushStore(Protocol):
    """Who tells us when a source has changed (WebSub)."""

    def subscribable(self) -> list[Source]:
        """Sources that are polled and whose documents name a hub and themselves."""

    def pushes(self) -> list[Push]:
        """All subscriptions at hubs, of whatever state, by token."""

    def put_push(self, push: Push) -> None:
        """Keeps this subscription, in the place of the one with its token."""

    def remove_push(self, token: str) -> bool:
        """Forgets one; False if there was none."""

    def deliver(self, result: PollResult) -> Stored:
        """Stores what a hub has delivered as `WorkStore.complete` stores what a poll has found: without a lease.

        Only entries, `insert_only` and the time count; when the source is polled next, and how, stays as it is.
        """


class Store(WorkStore, ItemStore, CurationStore, AudienceStore, HubStore, PushStore, Protocol):
    """The whole contract, and the store's own life."""

    def stats(self) -> StoreStats:
        """Sizes and counts."""

    def retain(self, *, before: datetime, now: datetime) -> int:
        """Removes the content of items published before then (never their identity); how many. In small batches."""

    def ping(self) -> None:
        """Returns if the writer and a reader answer; raises StoreUnavailable otherwise."""

    def backup(self, path: Path) -> None:
        """A verified, consistent copy at `path`, made while others write; replaced atomically."""

    def close(self) -> None:
        """Finishes what was begun and lets go of everything. May be called twice."""
