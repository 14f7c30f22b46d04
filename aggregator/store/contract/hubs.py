"""WebSub, both ways: who is told by us, and who tells us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from aggregator.model import HubSubscriber, PollResult, Push, Source
from aggregator.store.contract.work import PollChanges

__all__ = ["HubStore", "PushStore"]


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

    def push(self, token: str) -> Push | None:
        """The subscription with this token; None if there is none."""

    def put_push(self, push: Push) -> None:
        """Keeps this subscription, in the place of the one with its token."""

    def remove_push(self, token: str) -> bool:
        """Forgets one; False if there was none."""

    def deliver(self, result: PollResult) -> PollChanges:
        """Stores what a hub has delivered as `WorkStore.complete` stores what a poll has found: without a lease.

        Only entries, `insert_only` and the time count; when the source is polled next, and how, stays as it is.
        """
