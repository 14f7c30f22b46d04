"""One timer for a whole request and for each of its waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import virtual_time

from aggregator.collect.fetch.deadline import Deadline

A_WHILE = 0.05


def measured(use: Callable[[], Coroutine[Any, Any, object]]) -> float:
    """Virtual seconds it took."""

    async def run() -> float:
        clock = asyncio.get_running_loop().time
        began = clock()
        await use()
        return clock() - began

    return virtual_time.run(run())


@pytest.mark.parametrize("often_s", [0.01, 10])
def test_all_of_it_has_an_end(often_s: float) -> None:
    async def use() -> None:
        with pytest.raises(TimeoutError), Deadline(A_WHILE, often_s=often_s):
            await asyncio.Event().wait()

    assert A_WHILE * 0.9 < measured(use) < 1


def test_what_is_done_in_time_is_left_alone() -> None:
    async def use() -> None:
        with Deadline(A_WHILE, often_s=A_WHILE):
            await asyncio.sleep(0)
        await asyncio.sleep(3 * A_WHILE)

    measured(use)


@pytest.mark.parametrize("often_s", [0.01, 10])
def test_a_wait_has_an_end_of_its_own(often_s: float) -> None:
    async def use() -> None:
        tired = asyncio.Event()
        with Deadline(9, often_s=often_s) as deadline:
            deadline.wait(A_WHILE, tired.set)
            await tired.wait()

    assert A_WHILE * 0.9 < measured(use) < 1


def test_whoever_is_heard_is_waited_for_longer() -> None:
    async def use() -> None:
        tired = asyncio.Event()
        with Deadline(9, often_s=0.01) as deadline:
            deadline.wait(2 * A_WHILE, tired.set)
            for _ in range(4):
                await asyncio.sleep(A_WHILE)
                assert not tired.is_set()
                deadline.heard()
            await tired.wait()

    assert 6 * A_WHILE * 0.9 < measured(use) < 2


def test_what_is_settled_or_replaced_is_not_given_up() -> None:
    async def use() -> None:
        given_up: list[str] = []
        with Deadline(9, often_s=0.01) as deadline:
            deadline.wait(A_WHILE, lambda: given_up.append("first"))
            deadline.wait(2 * A_WHILE, lambda: given_up.append("second"))
            await asyncio.sleep(3 * A_WHILE)
            deadline.wait(A_WHILE, lambda: given_up.append("third"))
            deadline.settled()
            await asyncio.sleep(2 * A_WHILE)
        assert given_up == ["second"]

    measured(use)


def test_time_can_stand_still() -> None:
    async def stands_still() -> None:
        with Deadline(2 * A_WHILE, often_s=0.01) as deadline:
            left_s = deadline.pause()
            await asyncio.sleep(4 * A_WHILE)
            deadline.resume(left_s)
            await asyncio.Event().wait()

    async def use() -> None:
        with pytest.raises(TimeoutError):
            await stands_still()

    assert 6 * A_WHILE * 0.9 < measured(use) < 2


def test_who_is_cancelled_has_not_run_out_of_time() -> None:
    async def forever() -> None:
        with Deadline(9, often_s=0.01):
            await asyncio.Event().wait()

    async def use() -> None:
        task = asyncio.create_task(forever())
        await asyncio.sleep(A_WHILE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    measured(use)


def test_one_within_another() -> None:
    async def inner() -> None:
        async with asyncio.timeout(A_WHILE):
            with Deadline(9, often_s=0.01):
                await asyncio.Event().wait()

    async def use() -> None:
        with Deadline(9, often_s=0.01):
            with pytest.raises(TimeoutError):
                await inner()
            await asyncio.sleep(A_WHILE)

    measured(use)
