"""What the store remembers of a document's entries: what identity is decided by."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aggregator.curate.identity import entry_keys
from aggregator.model import KnownEntry, ParsedEntry, Source
from aggregator.store import WorkStore

__all__ = ["remembered"]


async def remembered(store: WorkStore, source: Source, entries: Sequence[ParsedEntry]) -> list[KnownEntry]:
    """The entries of this source that have a guid or an address of these; none before its first good poll."""
    if source.last_success is None:
        return []
    keys = [entry_keys(entry) for entry in entries]
    guids = [guid for guid, _ in keys if guid is not None]
    links = [link for _, link in keys if link is not None]
    return await asyncio.to_thread(store.known, source.id, guids=guids, links=links) if guids or links else []
