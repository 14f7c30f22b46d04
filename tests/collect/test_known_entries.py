from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from aggregator.collect.poll import known_entries
from aggregator.curate.identity import identify
from aggregator.model import KnownEntry, ParsedEntry, PollResult, Source, Subscription
from aggregator.store import Store, WorkStore, open_store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FEED = "https://a.example/feed"
ENTRIES = (ParsedEntry(guid="1", title="One"), ParsedEntry(link="https://a.example/news/two", title="Two"))


class Asked:
    """A store's `known`, and how often it was asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.times = 0

    def known(self, source_id: int, *, guids: Sequence[str], links: Sequence[str]) -> list[KnownEntry]:
        self.times += 1
        return self._store.known(source_id, guids=guids, links=links)


def leased(store: Store, at: datetime) -> Source:
    """The source, polled with these entries; as it was handed out for that."""
    (lease,) = store.claim(now=at, limit=1, lease=timedelta(minutes=2), force=True)
    found = identify(ENTRIES, [], source_url=FEED, now=at)
    store.complete(
        lease,
        PollResult(source_id=lease.sources[0].id, outcome="new", polled_at=at, next_poll=at, entries=found.entries),
    )
    return lease.sources[0]


def test_a_source_is_asked_for_what_it_had_once_it_had_something(tmp_path: Path) -> None:
    with closing(open_store("sqlite:a.db", base=tmp_path)) as store:
        store.sync_sources([Subscription(url=FEED)], now=NOW)
        asked = Asked(store)
        before, after = (leased(store, NOW + timedelta(hours=hours)) for hours in (0, 1))
        assert asyncio.run(known_entries(cast("WorkStore", asked), before, ENTRIES)) == []
        assert asked.times == 0
        known = asyncio.run(known_entries(cast("WorkStore", asked), after, ENTRIES))
        assert {entry.title for entry in known} == {"One", "Two"}
        assert asked.times == 1
