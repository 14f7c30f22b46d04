from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from aggregator.daemon.refresh_loop import PAUSE_AT_MOST, SHARE, RefreshLoop, pause_s
from aggregator.errors import StoreUnavailable
from aggregator.refresh import Refresher

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize("used_s", [0.0, 0.01, 0.3, 1.0, 2.0])
def test_a_refresh_takes_a_tenth_of_a_core_at_most(used_s: float) -> None:
    assert used_s / (used_s + pause_s(used_s)) <= SHARE + 1e-9


def test_items_come_in_bursts_and_lists_do_not_wait_for_ever() -> None:
    assert pause_s(0.0) == 1.0
    assert pause_s(3600.0) == PAUSE_AT_MOST.total_seconds() == 20.0


class Idle:
    """A refresher that waits for something else, uses hardly any CPU, and fails the first time."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.ran: list[float] = []

    def load(self, now: datetime) -> int:
        return 0

    def run(self, now: datetime) -> None:
        self.ran.append(time.monotonic())
        if len(self.ran) == 1:
            raise StoreUnavailable("busy")
        time.sleep(0.5)


async def _three_runs() -> tuple[Idle, RefreshLoop]:
    idle = Idle()
    refresh_loop = RefreshLoop(cast("Refresher", idle), clock=lambda: NOON)
    refresh_loop.start()
    deadline_s = time.monotonic() + 20
    while refresh_loop.runs < 3 and time.monotonic() < deadline_s:
        refresh_loop.want()
        await asyncio.sleep(0.02)
    await refresh_loop.stop(within=timedelta(seconds=1))
    return idle, refresh_loop


def test_time_spent_waiting_is_not_work_and_a_failure_is_tried_again() -> None:
    idle, refresh_loop = asyncio.run(_three_runs())
    assert len(idle.ran) == 3
    assert idle.ran[2] - idle.ran[1] < 3, "half a second's waiting would ask for a pause of 4.5"
    assert refresh_loop.took_s >= 0.5
