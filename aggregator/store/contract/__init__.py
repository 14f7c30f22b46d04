"""What a store can do, room by room; what it promises stands in `aggregator.store`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Protocol

from aggregator.model import StoreStats
from aggregator.store.contract.audience import AudienceStore
from aggregator.store.contract.curation import CurationStore
from aggregator.store.contract.fleet import FleetStore
from aggregator.store.contract.hubs import HubStore, PushStore
from aggregator.store.contract.items import ItemStore
from aggregator.store.contract.reading import ReadingStore
from aggregator.store.contract.transfer import TransferStore
from aggregator.store.contract.work import PollChanges, SyncedSources, WorkStore

__all__ = [
    "AudienceStore",
    "CurationStore",
    "FleetStore",
    "HubStore",
    "ItemStore",
    "PollChanges",
    "PushStore",
    "ReadingStore",
    "Store",
    "SyncedSources",
    "TransferStore",
    "WorkStore",
]


class Store(
    WorkStore,
    ItemStore,
    CurationStore,
    AudienceStore,
    HubStore,
    PushStore,
    ReadingStore,
    FleetStore,
    TransferStore,
    Protocol,
):
    """The whole contract, and the store's own life."""

    def stats(self) -> StoreStats:
        """Sizes and counts."""

    def retain(self, *, before: datetime, now: datetime) -> int:
        """Removes the content of items published before then (never their identity); how many. In small batches."""

    def ping(self) -> None:
        """Returns if the writer and a reader answer.

        Raises StoreUnavailable if not, StoreDamaged if anything has met damage since the store was opened, or if its
        file was deleted, emptied or replaced.
        """

    def enter(self, kind: str, *, now: datetime) -> int:
        """Says that this process polls from the store until `close`; how many others do.

        `kind` is ``daemon`` or ``command``. If there is no other, what processes that ended had leased is free.
        """

    def daemons(self) -> int:
        """How many other daemons poll from this store."""

    def rescue(self) -> None:
        """Writes the store back to where it was opened, after its file was deleted. StoreError: it cannot."""

    def backup(self, path: Path) -> None:
        """A verified, consistent copy at `path`, made while others write; replaced atomically."""

    def close(self) -> None:
        """Finishes what was begun and lets go of everything. May be called twice."""
