from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import virtual_time

from aggregator.collect.poll import PollOutcome
from aggregator.daemon.poll_loop import PollLoop, lease_length
from aggregator.errors import ParserUnavailable, StoreUnavailable
from aggregator.model import Lease, PollResult, Source, Subscription

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def source(number: int) -> Source:
    url = f"http://h{number}.example/feed"
    return Source(id=number, slug=f"s{number}", subscription=Subscription(url=url), fetch_url=url)


class Queue:
    """The queue of a store: hands out each source once, one a host."""

    def __init__(self, count: int) -> None:
        self.due = [source(number) for number in range(count)]
        self.asked: list[int] = []
        self.broken: StoreUnavailable | None = None
        self.given_back: list[Lease] = []
        #: how long until the next source is due
        self.idle = timedelta(seconds=20)

    def claim(self, *, now: datetime, limit: int, lease: timedelta, **_: Any) -> list[Lease]:
        if self.broken:
            raise self.broken
        self.asked.append(limit)
        taken, self.due = self.due[:limit], self.due[limit:]
        return [Lease(host=one.slug, token=1, until=now + lease, sources=(one,)) for one in taken]

    def give_back(self, lease: Lease, *, now: datetime) -> None:
        self.given_back.append(lease)
        self.due += lease.sources

    def next_due(self, *, now: datetime) -> datetime:
        return now if self.due else now + self.idle


def held_up(queue: Queue) -> tuple[threading.Event, threading.Event]:
    """Set when the next claim has begun; to be set for it, and those after it, to go on."""
    claiming, go_on = threading.Event(), threading.Event()
    claim = queue.claim

    def slowly(**asked: Any) -> list[Lease]:
        claiming.set()
        assert go_on.wait(100)
        return claim(**asked)

    queue.claim = slowly  # type: ignore[method-assign]
    return claiming, go_on


class Polling:
    """A poller whose polls take until they are told to end."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self.at_once = self.most = 0
        self._work = work

    async def poll(self, lease: Lease) -> list[PollOutcome]:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self._work()
        finally:
            self.at_once -= 1
        result = PollResult(source_id=lease.sources[0].id, outcome="same", polled_at=NOW, next_poll=NOW)
        return [PollOutcome(source=lease.sources[0], result=result, stored=None)]


def poll_loop_of(
    queue: Queue,
    polling: Polling,
    done: list[PollOutcome],
    *,
    slots: int = 4,
    patience: timedelta = timedelta(minutes=1),
) -> PollLoop:
    return PollLoop(
        cast("Any", queue),
        polling,
        slots=slots,
        per_host=1,
        lease=timedelta(minutes=2),
        clock=lambda: NOW,
        on_polled=done.append,
        patience=patience,
    )


async def wait(event: asyncio.Event) -> None:
    await event.wait()


async def moment() -> None:
    await asyncio.sleep(0.001)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the poll loop has no event for what a test waits for
        await asyncio.sleep(0.005)


def test_no_more_is_claimed_than_there_are_free_slots_and_one_tick_empties_the_queue() -> None:
    queue, done = Queue(50), list[PollOutcome]()
    polling = Polling(moment)

    async def story() -> None:
        poll_loop = poll_loop_of(queue, polling, done)
        assert await poll_loop.claim_due() == 4
        await until(lambda: len(done) == 50)

    asyncio.run(story())
    assert polling.most <= 4
    assert len({polled.source.id for polled in done}) == 50


def test_a_full_poll_loop_asks_for_nothing() -> None:
    queue, done = Queue(10), list[PollOutcome]()

    async def story() -> None:
        gate = asyncio.Event()
        poll_loop = poll_loop_of(queue, Polling(gate.wait), done)  # type: ignore[arg-type] # an Event's wait gives True
        await poll_loop.claim_due()
        assert await poll_loop.claim_due() == 0
        assert queue.asked == [4]
        gate.set()
        await until(lambda: len(done) == 10)

    asyncio.run(story())


def test_a_poll_that_fails_unexpectedly_takes_nothing_else_down(caplog: pytest.LogCaptureFixture) -> None:
    queue, done = Queue(8), list[PollOutcome]()
    calls = iter(range(100))

    async def fail_once() -> None:
        if next(calls) == 2:
            raise ZeroDivisionError

    async def story() -> None:
        poll_loop = poll_loop_of(queue, Polling(fail_once), done)
        await poll_loop.claim_due()
        await until(lambda: len(done) == 7 and not poll_loop.in_flight)

    asyncio.run(story())
    assert "poll failed" in caplog.text


def test_a_store_that_cannot_write_is_told_once_and_heals(caplog: pytest.LogCaptureFixture) -> None:
    queue, done = Queue(3), list[PollOutcome]()
    queue.broken = StoreUnavailable("the disk is full")

    async def story() -> None:
        poll_loop = poll_loop_of(queue, Polling(moment), done)
        for _ in range(20):
            assert await poll_loop.claim_due() == 0
        assert poll_loop.blocked is queue.broken
        queue.broken = None
        assert await poll_loop.claim_due() == 3
        assert poll_loop.blocked is None
        await poll_loop.settled()

    asyncio.run(story())
    assert caplog.text.count("store takes no writes") == 1
    assert len(done) == 3


def test_stopping_cuts_polls_short_and_claims_no_more() -> None:
    queue, done = Queue(10), list[PollOutcome]()

    async def story() -> None:
        poll_loop = poll_loop_of(queue, Polling(lambda: asyncio.sleep(60)), done)
        await poll_loop.claim_due()
        await poll_loop.stop(within=timedelta(seconds=2))
        assert poll_loop.in_flight == 0
        assert await poll_loop.claim_due() == 0

    asyncio.run(story())
    assert not done
    assert len(queue.due) == 6


def test_stopping_polls_what_is_being_claimed() -> None:
    """Nobody else could until its lease has run out, and a poll that begins later would meet a closed store."""
    queue, done = Queue(10), list[PollOutcome]()
    claiming, go_on = held_up(queue)

    async def story() -> None:
        poll_loop = poll_loop_of(queue, Polling(moment), done)
        filling = asyncio.create_task(poll_loop.claim_due())
        assert await asyncio.to_thread(claiming.wait, 100)
        stopping = asyncio.create_task(poll_loop.stop(within=timedelta(seconds=20)))
        await asyncio.sleep(0.01)
        go_on.set()
        await stopping
        assert len(done) == 4
        assert await filling == 4

    asyncio.run(story())
    assert len(queue.due) == 6


def test_a_slot_that_becomes_free_during_a_claim_is_filled_after_it() -> None:
    queue, done = Queue(9), list[PollOutcome]()

    async def story() -> None:
        gates = [asyncio.Event() for _ in range(9)]
        opened = iter(gates)
        poll_loop = poll_loop_of(queue, Polling(lambda: wait(next(opened))), done, slots=3)
        assert await poll_loop.claim_due() == 3
        claiming, go_on = held_up(queue)
        gates[0].set()
        assert await asyncio.to_thread(claiming.wait, 100)
        gates[1].set()
        gates[2].set()
        await until(lambda: len(done) == 3)
        go_on.set()
        await until(lambda: poll_loop.in_flight == 3)
        assert queue.asked == [3, 1, 2]
        for gate in gates:
            gate.set()
        await until(lambda: len(done) == 9)

    asyncio.run(story())


def test_polls_that_end_together_are_one_claim_and_one_task() -> None:
    queue, done = Queue(16), list[PollOutcome]()
    tasks = 0

    def create(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        nonlocal tasks
        tasks += 1
        return asyncio.Task(work, loop=loop, **options)

    async def story() -> None:
        gates = [asyncio.Event(), asyncio.Event()]
        places = iter([0] * 8 + [1] * 8)
        poll_loop = poll_loop_of(queue, Polling(lambda: wait(gates[next(places)])), done, slots=8)
        assert await poll_loop.claim_due() == 8
        asyncio.get_running_loop().set_task_factory(create)
        gates[0].set()
        await until(lambda: poll_loop.in_flight == 8 and len(done) == 8)
        gates[1].set()
        await until(lambda: len(done) == 16)
        assert tasks == 8 + len(queue.asked) - 1, "one a poll, and one a claim"

    asyncio.run(story())
    assert queue.asked[:2] == [8, 8]


def test_a_lease_outlives_the_slowest_request_and_not_by_much() -> None:
    assert lease_length(timedelta(seconds=30)) == timedelta(seconds=80)
    assert lease_length(timedelta(minutes=10)) > timedelta(minutes=20)


def test_polls_that_take_long_give_their_slots_back_within_a_bound() -> None:
    """A crowd of tar pits must not keep the others waiting."""
    queue, done = Queue(100), list[PollOutcome]()

    async def run() -> None:
        over = asyncio.Event()
        polling = Polling(lambda: wait(over))
        poll_loop = poll_loop_of(queue, polling, done, slots=4, patience=timedelta(seconds=3))
        assert await poll_loop.claim_due() == 4
        assert await poll_loop.claim_due() == 0, "all slots are taken"
        for _ in range(10):
            await asyncio.sleep(4)
            await poll_loop.claim_due()
        assert poll_loop.in_flight == 4 * 5, "four times as many may be slow, and no more"
        over.set()
        await until(lambda: len(done) == 100)

    virtual_time.run(run())


def test_it_sleeps_until_something_is_due() -> None:
    queue, done = Queue(2), list[PollOutcome]()

    async def run() -> None:
        poll_loop = poll_loop_of(queue, Polling(moment), done)
        looping = asyncio.create_task(poll_loop.run())
        await asyncio.sleep(200.5)
        assert len(done) == 2
        claims = len(queue.asked)
        assert claims <= 3, "a claim writes: nothing is claimed while nothing is due"
        queue.due.append(source(9))
        poll_loop.wake()
        await asyncio.sleep(2)
        assert len(done) == 3
        looping.cancel()

    virtual_time.run(run())


def test_where_nothing_can_be_parsed_polling_waits_and_nobody_is_to_blame(caplog: pytest.LogCaptureFixture) -> None:
    queue, done = Queue(3), list[PollOutcome]()
    broken: list[ParserUnavailable] = [ParserUnavailable("no parse process can be started: no such file")]

    async def parse() -> None:
        if broken:
            raise broken[0]

    async def run() -> None:
        polling = Polling(parse)
        poll_loop = PollLoop(
            cast("Any", queue),
            polling,
            slots=4,
            per_host=1,
            lease=timedelta(minutes=2),
            clock=lambda: NOW,
            on_polled=done.append,
            probe=parse,
        )
        looping = asyncio.create_task(poll_loop.run())
        await asyncio.sleep(100)
        blocked = poll_loop.blocked
        assert isinstance(blocked, ParserUnavailable)
        assert len(queue.given_back) == 3, "what had been claimed when it was found out, and nothing after it"
        assert not done
        broken.clear()
        await asyncio.sleep(10)
        assert poll_loop.blocked is None
        assert len(done) == 3
        looping.cancel()

    virtual_time.run(run())
    assert caplog.text.count("nothing can be parsed; polling waits") == 1


def test_after_a_suspension_what_is_overdue_is_spread(caplog: pytest.LogCaptureFixture) -> None:
    queue, resumed = Queue(0), list[datetime]()
    now = [NOW]

    async def on_resume() -> None:
        resumed.append(now[0])

    async def run() -> None:
        poll_loop = PollLoop(
            cast("Any", queue),
            Polling(moment),
            slots=4,
            per_host=1,
            lease=timedelta(minutes=2),
            clock=lambda: now[0],
            on_polled=lambda _: None,
            on_resume=on_resume,
        )
        looping = asyncio.create_task(poll_loop.run())
        await asyncio.sleep(45)
        assert not resumed
        now[0] += timedelta(hours=8)
        await asyncio.sleep(45)
        assert resumed == [NOW + timedelta(hours=8)]
        looping.cancel()

    virtual_time.run(run())
