"""Finished polls go into the store together, and each hears of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
import virtual_time

from aggregator.collect.group_commit import GroupCommit
from aggregator.errors import StaleLease, StoreUnavailable
from aggregator.model import Entry, Lease, Outcome, ParsedEntry, PollResult
from aggregator.store import PollChanges, WorkStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE = Lease(host="a.example", token=1, until=NOW + timedelta(minutes=2), sources=())
ENTRY = Entry(
    entry_id="1",
    id_basis="guid",
    parsed=ParsedEntry(guid="1", link=None, title="One", content_hash=b"1"),
    canonical_url=None,
    published=NOW,
)


def result_of(number: int, *, brings: bool = False) -> PollResult:
    entries = (ENTRY,) if brings else ()
    outcome: Outcome = "new" if brings else "not-modified"
    later = NOW + timedelta(hours=1)
    return PollResult(source_id=number, outcome=outcome, polled_at=NOW, next_poll=later, entries=entries)


class SlowStore:
    """Writes when it is told to; the poll of source 3 is stale."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_write = threading.Event()

    def complete_all(self, polls: Sequence[tuple[Lease, PollResult]]) -> list[PollChanges | Exception]:
        numbers = [result.source_id for _, result in polls]
        self.batches.append(numbers)
        self.may_write.wait(400)
        return [StaleLease("late") if number == 3 else PollChanges(new_entries=number) for number in numbers]


class BrokenStore:
    """Raises instead of giving errors."""

    def complete_all(self, polls: Sequence[tuple[Lease, PollResult]]) -> list[PollChanges | Exception]:
        raise StoreUnavailable("closed")


def test_what_ends_while_the_store_writes_is_written_together() -> None:
    store = SlowStore()

    async def run() -> list[PollChanges | BaseException]:
        completions = GroupCommit(cast("WorkStore", store))
        first = asyncio.create_task(completions.complete(LEASE, result_of(1)))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(completions.complete(LEASE, result_of(number))) for number in range(2, 6)]
        await asyncio.sleep(0.05)
        others[2].cancel()
        store.may_write.set()
        return await asyncio.gather(first, *others, return_exceptions=True)

    outcomes = asyncio.run(run())
    assert store.batches == [[1], [2, 3, 4, 5]]
    assert [type(outcome) for outcome in outcomes] == [
        PollChanges,
        PollChanges,
        StaleLease,
        asyncio.CancelledError,
        PollChanges,
    ]
    assert outcomes[4] == PollChanges(new_entries=5)


def test_a_like_does_not_wait_for_more_than_a_few_thousand_entries() -> None:
    store = SlowStore()
    store.may_write.set()
    sizes = [900, 900, 900, 5000, 10, 0]

    async def run() -> None:
        completions = GroupCommit(cast("WorkStore", store))
        results = (replace(result_of(n, brings=True), entries=(ENTRY,) * size) for n, size in enumerate(sizes, 10))
        await asyncio.gather(*(completions.complete(LEASE, result) for result in results))

    asyncio.run(run())
    assert store.batches == [[10, 11], [12], [13], [14, 15]]


@pytest.mark.parametrize(("brings", "batches"), [(True, [[1, 2]]), (False, [[1], [2]])])
def test_polls_with_entries_wait_a_moment_for_each_other(brings: bool, batches: list[list[int]]) -> None:
    store = SlowStore()
    store.may_write.set()

    async def run() -> None:
        completions = GroupCommit(cast("WorkStore", store))
        first = asyncio.create_task(completions.complete(LEASE, result_of(1, brings=brings)))
        await asyncio.sleep(0 if brings else 0.01)
        second = asyncio.create_task(completions.complete(LEASE, result_of(2, brings=brings)))
        await asyncio.gather(first, second)

    asyncio.run(run())
    assert store.batches == batches


def written_of(ends_after_s: dict[int, float], *, others: int = 0) -> tuple[list[list[int]], float]:
    """What is written together of polls that have all begun, with others that never end; and the seconds it takes."""
    store = SlowStore()
    store.may_write.set()

    async def poll(completions: GroupCommit, number: int, ends_after_s: float) -> None:
        await asyncio.sleep(ends_after_s)
        completions.end()
        await completions.complete(LEASE, result_of(number))

    async def run() -> float:
        completions = GroupCommit(cast("WorkStore", store))
        began_s = asyncio.get_running_loop().time()
        for _ in range(len(ends_after_s) + others):
            completions.begin()
        await asyncio.gather(*(poll(completions, number, after_s) for number, after_s in ends_after_s.items()))
        return asyncio.get_running_loop().time() - began_s

    took_s = virtual_time.run(run())
    return store.batches, took_s


def test_who_has_ended_waits_a_moment_for_those_that_are_under_way() -> None:
    assert written_of({1: 0, 2: 0.005, 4: 0.01})[0] == [[1, 2, 4]]
    assert written_of({1: 0, 2: 0.005}, others=1)[0] == [[1, 2]], "no longer than a moment"
    assert written_of({1: 0, 2: 0.5})[0] == [[1], [2]]


def test_many_wait_for_nobody() -> None:
    numbers = [number for number in range(50) if number != 3][:40]
    ends_after_s = dict.fromkeys(numbers[:20], 0.0) | dict.fromkeys(numbers[20:], 0.002)
    batches, took_s = written_of(ends_after_s, others=1)
    assert len(batches[0]) >= 32
    assert sorted(number for batch in batches for number in batch) == numbers
    assert took_s < 0.03


def test_no_more_go_in_together_than_share_a_commit() -> None:
    assert [len(batch) for batch in written_of(dict.fromkeys(range(4, 104), 0.0))[0]] == [64, 36]


def test_a_poll_that_is_never_completed_is_not_waited_for() -> None:
    store = SlowStore()
    store.may_write.set()

    async def took_s() -> float:
        completions = GroupCommit(cast("WorkStore", store))
        completions.begin()
        written = asyncio.create_task(completions.complete(LEASE, result_of(1)))
        await asyncio.sleep(0.001)
        began_s = asyncio.get_running_loop().time()
        completions.end()
        await written
        return asyncio.get_running_loop().time() - began_s

    assert virtual_time.run(took_s()) < 0.02
    assert store.batches == [[1]]


def test_one_loop_after_another() -> None:
    store = SlowStore()
    store.may_write.set()
    completions = GroupCommit(cast("WorkStore", store))

    async def run(number: int) -> None:
        completions.begin()
        written = asyncio.create_task(completions.complete(LEASE, result_of(number)))
        await asyncio.sleep(0.001)
        completions.end()
        await written

    for number in (1, 2):
        asyncio.run(run(number))
    assert store.batches == [[1], [2]]


def test_a_store_that_raises_is_told_to_all() -> None:
    async def run() -> list[PollChanges | BaseException]:
        completions = GroupCommit(cast("WorkStore", BrokenStore()))
        polls = (completions.complete(LEASE, result_of(number)) for number in range(3))
        return await asyncio.gather(*polls, return_exceptions=True)

    assert [type(outcome) for outcome in asyncio.run(run())] == [StoreUnavailable] * 3


def test_one_is_completed_after_another() -> None:
    store = SlowStore()
    store.may_write.set()

    async def run() -> None:
        completions = GroupCommit(cast("WorkStore", store))
        for number in (1, 2):
            assert (await completions.complete(LEASE, result_of(number))).new_entries == number
        with pytest.raises(StaleLease):
            await completions.complete(LEASE, result_of(3))

    asyncio.run(run())
    assert store.batches == [[1], [2], [3]]
