"""What pages show is counted by place, for readers only, and nobody is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import isclose, log2
from pathlib import Path

import pytest
from publishing import BROWSER, NOON, MemoryStore
from test_web import Client, filled, running

from aggregator.errors import StoreUnavailable
from aggregator.publish.audience import items_of
from aggregator.publish.rendering import Rendering


class Watched(MemoryStore):
    """Takes impressions."""

    def __init__(self) -> None:
        other = filled()
        super().__init__(list(other.shown.values()))
        self.lists = other.lists
        self.impressions: list[tuple[dict[str, float], datetime]] = []

    def add_impressions(self, weights: Mapping[str, float], *, at: datetime) -> None:
        self.impressions.append((dict(weights), at))


async def opened_and_stopped(tmp_path: Path, store: Watched, *, freshness: timedelta, **headers: str) -> list[str]:
    """Opens the front page three times; what it shows."""
    async with running(tmp_path, store, freshness=freshness) as client:
        for _ in range(3):
            _, body = await client.get("/", **{**BROWSER, **headers})
        await other_requests(client)
    return list(items_of(body.decode()))


async def other_requests(client: Client) -> None:
    for path in ("/feeds/latest.atom", "/robots.txt", "/feeds.opml", "/healthz"):
        await client.get(path)
    await client.get("/", "HEAD", **BROWSER)
    await client.get("/", **{**BROWSER, "Sec-Purpose": "prefetch"})
    await client.get("/", **{**BROWSER, "User-Agent": "curl/8.0"})
    await client.get("/")


@pytest.mark.parametrize("freshness", [timedelta(0), timedelta(hours=1)], ids=["handler", "fast path"])
def test_pages_that_count_are_counted_by_place(tmp_path: Path, freshness: timedelta) -> None:
    store = Watched()
    ids = asyncio.run(opened_and_stopped(tmp_path, store, freshness=freshness))
    assert len(ids) > 3
    found: dict[str, float] = {}
    for weights, at in store.impressions:
        assert at == NOON
        for item_id, weight in weights.items():
            found[item_id] = found.get(item_id, 0) + weight
    assert set(found) == set(ids)
    for place, item_id in enumerate(ids, start=1):
        assert isclose(found[item_id], 3 / log2(1 + place)), "three times, and by nobody else"


def test_programs_are_shown_nothing(tmp_path: Path) -> None:
    store = Watched()
    asyncio.run(opened_and_stopped(tmp_path, store, freshness=timedelta(0), **{"Accept-Language": ""}))
    assert store.impressions == []


def test_the_page_of_an_item_shows_others(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path, filled()) as client:
            rendering: Rendering = client.services.rendering()
            shown = rendering.article("item9", now=NOON).shown.split()
            assert "item9" not in shown
            assert shown

    asyncio.run(run())


def test_a_store_that_cannot_write_costs_the_counts_only(tmp_path: Path) -> None:
    class Full(Watched):
        def add_impressions(self, weights: Mapping[str, float], *, at: datetime) -> None:
            raise StoreUnavailable("no space")

    asyncio.run(opened_and_stopped(tmp_path, Full(), freshness=timedelta(0)))


def test_links_in_the_text_of_an_item_are_no_places() -> None:
    html = '<a href="/item/one">1</a><a href="https://x.example/item/two">2</a><a href="/news/go/three?r=x">3</a>'
    assert items_of(html + html) == ("one", "three")
