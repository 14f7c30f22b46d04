from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.schedule import Job, Schedule, _FromNow

SOON = timedelta(milliseconds=10)
#: a busy machine takes its time
PATIENCE_S = 100.0


def job(run: Callable[[], Awaitable[None]], *, name: str = "job", deadline: timedelta = timedelta(seconds=5)) -> Job:
    return Job(name=name, every=SOON, run=run, deadline=deadline)


def run_until(seen: Callable[[Schedule], bool], *jobs: Job) -> Schedule:
    async def story() -> Schedule:
        schedule = Schedule(jobs)
        schedule.start()
        async with asyncio.timeout(PATIENCE_S):
            while not seen(schedule):  # noqa: ASYNC110 - jobs tell nobody that they have ended
                await asyncio.sleep(0.005)
        await schedule.stop(within=SOON)
        return schedule

    return asyncio.run(story())


def test_a_job_runs_again_and_again() -> None:
    runs = []

    async def tick() -> None:
        runs.append(1)

    schedule = run_until(lambda _: len(runs) > 3, job(tick))
    assert schedule.progress.age_s("job") < PATIENCE_S


def test_a_job_that_fails_is_run_again_and_makes_no_progress() -> None:
    async def fail() -> None:
        raise ValueError("no")

    schedule = run_until(lambda schedule: schedule.progress.failures.get("job", 0) > 1, job(fail))
    assert schedule.progress.age_s("job") == float("inf")


def test_a_job_that_hangs_is_cancelled_and_starves_nobody() -> None:
    runs = []

    async def hang() -> None:
        await asyncio.sleep(60)

    async def tick() -> None:
        runs.append(1)

    hanging = [job(hang, name=f"hang{n}", deadline=timedelta(milliseconds=50)) for n in range(10)]
    run_until(lambda schedule: schedule.progress.failures.get("hang0", 0) > 1 and len(runs) > 3, *hanging, job(tick))


def test_no_job_runs_twice_at_a_time() -> None:
    at_once, most, ended = 0, 0, 0

    async def slow() -> None:
        nonlocal at_once, most, ended
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05)
        at_once -= 1
        ended += 1

    run_until(lambda _: ended > 3, job(slow))
    assert most == 1


def test_ten_missed_years_are_one_run() -> None:
    trigger = _FromNow(timedelta(seconds=1))
    now = datetime(2036, 1, 1, tzinfo=UTC)
    assert trigger.get_next_fire_time(datetime(2026, 1, 1, tzinfo=UTC), now) == now + timedelta(seconds=1)


def test_a_job_can_be_brought_forward() -> None:
    runs, begun = [], asyncio.Event()

    async def tick() -> None:
        runs.append(1)
        begun.set()

    async def story() -> None:
        schedule = Schedule(
            [Job(name="late", every=timedelta(hours=1), run=tick, deadline=timedelta(1), delay=timedelta(hours=1))]
        )
        schedule.start()
        schedule.soon("late")
        async with asyncio.timeout(PATIENCE_S):
            await begun.wait()
        await asyncio.sleep(0.05)
        await schedule.stop(within=SOON)

    asyncio.run(story())
    assert runs == [1]


def stop_while(run: Callable[[], Awaitable[None]], begun: asyncio.Event, *, within: timedelta) -> None:
    async def story() -> None:
        schedule = Schedule([job(run)])
        schedule.start()
        await begun.wait()
        await schedule.stop(within=within)

    asyncio.run(story())


def test_what_runs_when_the_schedule_stops_is_let_finish(caplog: pytest.LogCaptureFixture) -> None:
    begun, ends = asyncio.Event(), []

    async def slow() -> None:
        begun.set()
        await asyncio.sleep(0.1)
        ends.append(1)

    with caplog.at_level(logging.WARNING):
        stop_while(slow, begun, within=timedelta(seconds=PATIENCE_S))
    assert ends == [1], "it ran to its end, and no other began"
    assert not caplog.records


def test_what_does_not_finish_is_cut_short_without_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    begun, cut = asyncio.Event(), []

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut.append(1)
            raise

    with caplog.at_level(logging.INFO):
        stop_while(hang, begun, within=timedelta(milliseconds=50))
    assert cut == [1]
    assert [record.getMessage() for record in caplog.records if record.name == "aggregator.schedule"] == [
        "job cut short"
    ]
    assert not any(record.exc_info for record in caplog.records)
