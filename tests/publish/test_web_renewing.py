"""An answer is given once more while it is made anew: to whom, and for how long at most."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from publishing import MemoryStore, make_item
from test_web import SAME_ORIGIN, Client, play

from aggregator.model import Item, Scope
from aggregator.publish.web.response_cache import DutyCycleExecutor

#: answers may be given once more for eight times as long
FRESHNESS = timedelta(seconds=0.25)
GRACE_S = 2.0
#: a busy machine takes its time; nothing is made while the store is held up, however long one waits
PATIENCE_S = 100.0


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def passes(self, seconds: float) -> None:
        """So many seconds later."""
        self.now_s += seconds


class Gated(MemoryStore):
    """A store whose lists can be held up."""

    def __init__(self) -> None:
        super().__init__([make_item(9)])
        self.gate = threading.Event()
        self.gate.set()

    def latest(self, scope: Scope, *, limit: int, before: tuple[datetime, str] | None = None) -> list[Item]:
        assert self.gate.wait(PATIENCE_S)
        return super().latest(scope, limit=limit, before=before)

    def edit(self, title: str) -> None:
        """Readers see a change from now on."""
        self.shown["item9"] = replace(self.shown["item9"], title=title)
        self.number += 1

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Nothing can be made within."""
        self.gate.clear()
        try:
            yield
        finally:
            self.gate.set()


async def shown(client: Client, title: str) -> None:
    """Returns once the front page has it."""
    async with asyncio.timeout(PATIENCE_S):
        while title.encode() not in (await client.get("/"))[1]:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)


async def at_once(client: Client) -> bytes:
    """The front page, of a server that makes nothing meanwhile."""
    async with asyncio.timeout(PATIENCE_S):
        return (await client.get("/"))[1]


def test_a_page_that_is_asked_for_all_the_time_keeps_nobody_waiting(tmp_path: Path) -> None:
    store, clock = Gated(), Clock()

    async def story(client: Client) -> None:
        await client.get("/")
        before = "Title 9"
        for version in range(12):
            store.edit(f"Version {version}")
            clock.passes(FRESHNESS.total_seconds())
            with store.held_up():
                bodies = [await at_once(client) for _ in range(3)]
            assert all(before.encode() in body for body in bodies), "what was right when it was asked for last"
            before = f"Version {version}"
            await shown(client, before)

    play(tmp_path, story, store=store, freshness=FRESHNESS, monotonic=clock)


def test_what_was_right_too_long_ago_is_not_given(tmp_path: Path) -> None:
    store, clock = Gated(), Clock()

    async def story(client: Client) -> None:
        await client.get("/")
        store.edit("Edited")
        clock.passes(GRACE_S)
        with store.held_up(), pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get("/"), 0.3)
        assert b"Edited" in (await client.get("/"))[1]

    play(tmp_path, story, store=store, freshness=FRESHNESS, monotonic=clock)


def test_a_renewal_that_began_before_a_like_is_not_taken_for_right(tmp_path: Path) -> None:
    store, clock = Gated(), Clock()

    async def story(client: Client) -> None:
        await client.get("/")
        store.edit("Before the like")
        clock.passes(FRESHNESS.total_seconds())
        with store.held_up():
            await at_once(client)
            await client.get("/item/item9/like", "POST", **SAME_ORIGIN)
            store.edit("With the like")
        assert b"With the like" in (await client.get("/"))[1]

    play(tmp_path, story, store=store, freshness=FRESHNESS, monotonic=clock)


def test_what_nobody_waits_for_takes_a_share_of_the_time() -> None:
    def work() -> float:
        began = time.thread_time()
        while time.thread_time() - began < 0.01:
            pass
        return time.monotonic()

    pool = DutyCycleExecutor(0.2)
    first, second, third = (done.result() for done in [pool.submit(work) for _ in range(3)])
    pool.shutdown()
    assert second - first >= 0.049
    assert third - second >= 0.049


def test_one_that_fails_is_followed_by_the_next() -> None:
    pool = DutyCycleExecutor(0.2)
    failing, next_one = pool.submit(lambda: 1 // 0), pool.submit(lambda: 7)
    assert isinstance(failing.exception(), ZeroDivisionError)
    assert next_one.result() == 7
    pool.shutdown()


def test_a_page_in_a_long_line_is_given_until_its_turn_comes(tmp_path: Path) -> None:
    store, clock = Gated(), Clock()

    async def story(client: Client) -> None:
        await client.get("/")
        store.edit("Edited")
        clock.passes(FRESHNESS.total_seconds())
        with store.held_up():
            await at_once(client)
            clock.passes(GRACE_S)
            assert b"Title 9" in await at_once(client)
        await shown(client, "Edited")

    play(tmp_path, story, store=store, freshness=FRESHNESS, monotonic=clock)
