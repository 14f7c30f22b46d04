from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from aggregator.daemon.notices import Notices, read_notices
from aggregator.daemon.refresh_loop import PAUSE_AT_MOST, SHARE, RefreshLoop, backlog_pause_s, idle_s, pause_s
from aggregator.errors import StoreUnavailable
from aggregator.refresh import Refreshed, Refresher

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize("used_s", [0.0, 0.01, 0.3, 1.0, 2.0])
def test_a_refresh_takes_a_tenth_of_a_core_at_most(used_s: float) -> None:
    assert used_s / (used_s + pause_s(used_s)) <= SHARE + 1e-9


def test_items_come_in_bursts_and_lists_do_not_wait_for_ever() -> None:
    assert pause_s(0.0) == 4.0
    assert pause_s(3600.0) == PAUSE_AT_MOST.total_seconds() == 20.0


class Idle:
    """A refresher that waits for something else, uses hardly any CPU, and fails the first time."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.ran: list[float] = []

    def load(self, now: datetime) -> int:
        return 0

    def run(self, now: datetime) -> Refreshed:
        self.ran.append(time.monotonic())
        if len(self.ran) == 1:
            raise StoreUnavailable("busy")
        time.sleep(0.5)
        return Refreshed(waiting=len(self.ran) == 3, cut_to=timedelta(hours=30))


async def _some_runs() -> tuple[RefreshLoop, list[float], list[float]]:
    """The loop, how long its runs took, and the pauses after them; more items wait after the third."""
    idle, took, pauses = Idle(), list[float](), list[float]()
    enough = asyncio.Event()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            enough.set()

    refresh_loop = RefreshLoop(cast("Refresher", idle), clock=lambda: NOON, observe=took.append, pause=pause)
    refresh_loop.start()
    while not enough.is_set():
        refresh_loop.want()
        await asyncio.sleep(0)
    began_s = time.monotonic()
    await refresh_loop.stop(within=timedelta(minutes=10))
    assert time.monotonic() - began_s < 300, "it ends with the run in hand, whatever is wanted at that moment"
    assert len(idle.ran) >= 4
    return refresh_loop, took, pauses


def test_time_spent_waiting_is_not_work_and_a_failure_is_tried_again() -> None:
    _, took, pauses = asyncio.run(_some_runs())
    assert took[1] >= 0.5
    # half a second of work would ask for a pause of 4.5 s; the processor time of the thread is what counts
    assert pauses[1] < 0.5 * (1 / SHARE - 1)


def test_while_items_wait_it_goes_on_with_half_a_core() -> None:
    loop, _, pauses = asyncio.run(_some_runs())
    assert pauses[2] < pauses[1] == pauses[3] == 4.0
    assert backlog_pause_s(1.5) == 1.5
    assert loop.compared == timedelta(hours=30)


def test_operators_are_told_where_two_days_are_too_many_items(tmp_path: Path) -> None:
    loop, _, _ = asyncio.run(_some_runs())
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
