from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest

from aggregator.daemon.notices import Notices, read_notices
from aggregator.daemon.refresh_loop import (
    BACKLOG_INTERVAL,
    INTERVAL,
    PAUSE_AT_MOST,
    SHARE,
    RefreshLoop,
    idle_s,
    pause_s,
)
from aggregator.errors import StoreUnavailable
from aggregator.refresh import Refreshed, Refresher

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize("used_s", [0.0, 0.01, 0.3, 1.0, 2.0])
def test_a_refresh_takes_a_tenth_of_a_core_at_most(used_s: float) -> None:
    assert used_s / (used_s + pause_s(used_s)) <= SHARE + 1e-9


def test_items_come_in_bursts_and_lists_do_not_wait_for_ever() -> None:
    assert pause_s(0.0) == INTERVAL.total_seconds()
    assert pause_s(3600.0) == PAUSE_AT_MOST.total_seconds() == 20.0


class Importing:
    """A refresher behind which some steps of old items wait; each step, and each making of lists, takes its time."""

    STEP_S, LISTS_S = 0.125, 0.25

    def __init__(self, *, steps: int, failing: frozenset[int] = frozenset()) -> None:
        self.stop = threading.Event()
        self.now_s = 0.0
        #: when a step, or the making of lists, began; by the clock of the story
        self.decided: list[float] = []
        self.listed: list[float] = []
        self._left, self._failing = steps, failing

    def load(self, now: datetime) -> int:
        return 0

    def decide(self, now: datetime) -> Refreshed:
        self.decided.append(self.now_s)
        if len(self.decided) in self._failing:
            raise StoreUnavailable("busy")
        self.now_s += self.STEP_S
        self._left -= 1
        return Refreshed(curated=200, waiting=self._left > 0, cut_to=timedelta(hours=30))

    def make_lists(self, now: datetime) -> int:
        self.listed.append(self.now_s)
        self.now_s += self.LISTS_S
        return 30


@dataclass
class Story:
    """What the loop did until nothing waited, by a clock that only work and pauses move."""

    loop: RefreshLoop
    refresher: Importing
    took: list[float]
    pauses: list[float]


def tell(*, steps: int, news: Iterable[float] = (), failing: frozenset[int] = frozenset()) -> Story:
    """Runs the loop over an import of so many steps; `news` come in the pauses after these moments."""
    coming, took, pauses = sorted(news), list[float](), list[float]()
    refresher = Importing(steps=steps, failing=failing)

    async def run() -> RefreshLoop:
        enough = asyncio.Event()

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            refresher.now_s += seconds
            while coming and coming[0] <= refresher.now_s:
                del coming[0]
                loop.want()
            if len(refresher.decided) >= steps + len(failing):
                enough.set()
                await asyncio.Event().wait()
            await asyncio.sleep(0)

        loop = RefreshLoop(
            cast("Refresher", refresher),
            clock=lambda: NOON,
            observe=took.append,
            pause=pause,
            monotonic_s=lambda: refresher.now_s,
            cpu_s=lambda: refresher.now_s,
        )
        loop.start()
        loop.want()
        await enough.wait()
        await loop.stop(within=timedelta(minutes=10))
        return loop

    return Story(loop=asyncio.run(run()), refresher=refresher, took=took, pauses=pauses)


def test_news_have_their_lists_within_seconds_whatever_waits() -> None:
    news = [2.0, 7.3, 20.0, 20.5, 33.3]
    told = tell(steps=200, news=news)
    for at in news:
        decided = min(moment for moment in told.refresher.decided if moment >= at)
        listed = min(moment for moment in told.refresher.listed if moment > decided)
        assert listed + Importing.LISTS_S - at <= 2.5
    # old items alone are no reason for making lists again and again
    assert len(told.refresher.listed) <= len(told.refresher.decided) / 8
    gaps = [later - earlier for earlier, later in pairwise(told.refresher.listed)]
    assert max(gaps) <= BACKLOG_INTERVAL.total_seconds() + 1


def test_steady_news_leave_most_of_the_time_to_the_backlog() -> None:
    told = tell(steps=200, news=[second / 4 for second in range(400)])
    assert len(told.refresher.listed) * Importing.LISTS_S < len(told.refresher.decided) * Importing.STEP_S * 0.8


def test_while_items_wait_it_goes_on_with_half_a_core() -> None:
    told = tell(steps=3)
    assert told.pauses == [0.375, 0.125, 3.375]
    assert told.took == [0.375, 0.125, 0.375]
    assert told.loop.compared == timedelta(hours=30)


def test_a_failure_is_tried_again() -> None:
    told = tell(steps=2, news=[3.0], failing=frozenset({1}))
    assert len(told.refresher.decided) == 3
    assert told.refresher.listed, "what was decided before is listed"


def test_time_spent_waiting_is_not_work() -> None:
    """By default it is the processor time of the refresher's thread that counts."""
    pauses = list[float]()

    async def run() -> None:
        enough = asyncio.Event()

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            enough.set()
            await asyncio.Event().wait()

        waiting = Importing(steps=1)
        waiting.make_lists = lambda now: threading.Event().wait(0.4) or 30  # type: ignore[method-assign]
        loop = RefreshLoop(cast("Refresher", waiting), clock=lambda: NOON, observe=lambda _: None, pause=pause)
        loop.start()
        await enough.wait()
        await loop.stop(within=timedelta(minutes=10))

    asyncio.run(run())
    # if it were work: .4 s of it would ask for a pause of 3.6
    assert pauses == [INTERVAL.total_seconds()]


def test_operators_are_told_where_two_days_are_too_many_items(tmp_path: Path) -> None:
    loop = tell(steps=1).loop
    notices = Notices(tmp_path, now=NOON, on_change=lambda _: None)
    notices.hold("too-many-items", loop.shortage, now=NOON)
    (told,) = read_notices(tmp_path)
    assert "30 hours only, not of 48" in told.message
    loop.cut_to = None
    notices.hold("too-many-items", loop.shortage, now=NOON)
    assert read_notices(tmp_path) == ()


def test_lists_of_a_quiet_site_are_made_again_within_minutes() -> None:
    assert idle_s(0.0) == 60
    assert idle_s(0.1) == 200
    assert idle_s(30.0) == 300
