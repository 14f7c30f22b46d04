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
        """Returns if the writer and a reader answer; raises StoreUnavailable otherwise."""

    def backup(self, path: Path) -> None:
        """A verified, consistent copy at `path`, made while others write; replaced atomically."""

    def close(self) -> None:
        """Finishes what was begun and lets go of everything. May be called twice."""
