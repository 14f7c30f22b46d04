"""Requests to one address, whatever the names: a few at a time, not in bursts (FRB035)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise

import pytest
import virtual_time

from aggregator.collect.fetch.throttle import AddressThrottle
from aggregator.errors import FetchError

HERE, THERE = "192.0.2.1", "192.0.2.2"
MS = timedelta(milliseconds=1)
LONG = timedelta(seconds=60)


class Visits:
    """Visits at addresses, and when each began."""

    def __init__(self, throttle: AddressThrottle, until: Callable[[], Awaitable[object]]) -> None:
        self.throttle, self.until = throttle, until
        self.now = self.most = 0
        self.began: list[float] = []
        self.crowded = 0

    async def at(self, address: str) -> None:
        try:
            async with self.throttle.slot(address) as slot:
                slot.sent()
                self.began.append(asyncio.get_running_loop().time())
                self.now += 1
                self.most = max(self.most, self.now)
                try:
                    await self.until()
                finally:
                    self.now -= 1
        except FetchError as error:
            self.crowded += error.code == "crowded"


async def soon() -> None:
    await asyncio.sleep(0.001)


def test_one_address_is_asked_a_few_times_at_once_and_with_gaps() -> None:
    async def run() -> Visits:
        visits = Visits(AddressThrottle(longest=LONG, at_once=2, gap=20 * MS), lambda: asyncio.sleep(0.1))
        await asyncio.gather(*(visits.at(HERE) for _ in range(10)))
        return visits

    visits = virtual_time.run(run())
    assert len(visits.began) == 10
    assert visits.most == 2
    # timers may be early by the clock's resolution, never more
    assert min(after - before for before, after in zip(visits.began, visits.began[1:], strict=False)) > 0.018


def test_addresses_do_not_wait_for_each_other() -> None:
    async def run() -> Visits:
        both = asyncio.Barrier(2)
        visits = Visits(AddressThrottle(longest=LONG, at_once=1, gap=LONG), both.wait)
        async with asyncio.timeout(400):
            await asyncio.gather(visits.at(HERE), visits.at(THERE))
        return visits

    assert virtual_time.run(run()).most == 2


def test_what_takes_long_leaves_its_place() -> None:
    async def run() -> Visits:
        never = asyncio.Event()
        visits = Visits(AddressThrottle(longest=LONG, at_once=2, gap=MS, quick=10 * MS), never.wait)
        asked = [asyncio.create_task(visits.at(HERE)) for _ in range(5)]
        async with asyncio.timeout(400):
            while visits.now < 5:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.005)
        never.set()
        await asyncio.gather(*asked)
        visits.until = soon
        visits.most = 0
        await asyncio.gather(*(visits.at(HERE) for _ in range(10)))
        return visits

    assert virtual_time.run(run()).most <= 2, "a place that was left early is not left twice"


def test_a_queue_has_an_end() -> None:
    async def run() -> Visits:
        visits = Visits(AddressThrottle(longest=10 * MS, at_once=2, gap=MS, quick=LONG), asyncio.Event().wait)
        held = [asyncio.create_task(visits.at(HERE)) for _ in range(2)]
        await asyncio.sleep(0)
        await asyncio.gather(*(visits.at(HERE) for _ in range(30)))
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        return visits

    assert virtual_time.run(run()).crowded == 30


def test_nothing_is_kept_of_an_address_and_nothing_is_lost_when_a_visit_is_cut_short() -> None:
    async def run() -> None:
        throttle = AddressThrottle(longest=LONG, at_once=1, gap=20 * MS)
        visits = Visits(throttle, soon)
        for _ in range(5):
            waiting = [asyncio.create_task(visits.at(HERE)) for _ in range(3)]
            await asyncio.sleep(0.005)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        with pytest.raises(ZeroDivisionError):
            async with throttle.slot(HERE):
                raise ZeroDivisionError
        async with asyncio.timeout(400):
            await visits.at(HERE)
            while throttle.addresses:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.005)

    virtual_time.run(run())


def test_the_gap_lies_between_requests_that_are_sent() -> None:
    """A slow handshake shortens no gap: what counts is when the request goes out."""

    async def run() -> list[float]:
        throttle, sent = AddressThrottle(longest=LONG, at_once=4, gap=20 * MS), list[float]()

        async def visit(handshake_s: float) -> None:
            async with throttle.slot(HERE) as slot:
                await asyncio.sleep(handshake_s)
                time.sleep(handshake_s / 2)  # noqa: ASYNC251 - the loop is held up, as by a garbage collection
                slot.sent()
                sent.append(asyncio.get_running_loop().time())

        await asyncio.gather(*(visit(handshake_s) for handshake_s in (0.03, 0.0, 0.015, 0.0, 0.0)))
        return sent

    sent = virtual_time.run(run())
    assert min(after - before for before, after in pairwise(sent)) > 0.018


def test_a_handshake_that_hangs_holds_up_nobody_for_long() -> None:
    async def run() -> int:
        throttle, never, others = AddressThrottle(longest=LONG, at_once=2, gap=MS), asyncio.Event(), list[int]()

        async def hang() -> None:
            async with throttle.slot(HERE):
                await never.wait()

        async def visit(number: int) -> None:
            async with throttle.slot(HERE) as slot:
                slot.sent()
                others.append(number)

        hanging = asyncio.create_task(hang())
        async with asyncio.timeout(400):
            await asyncio.gather(*(visit(number) for number in range(5)))
        never.set()
        await hanging
        return len(others)

    assert virtual_time.run(run()) == 5
