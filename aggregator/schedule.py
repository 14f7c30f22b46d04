"""The timed jobs: a handful of ticks, each with its own deadline. Only module that knows APScheduler.

What is due is written in the store; a tick only looks. So nothing here is remembered over a restart, and a missed tick
is not made up for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from aggregator.clock import wall

log = logging.getLogger(__name__)

#: how often the wall clock is compared with the monotonic one
CLOCK_CHECK = timedelta(seconds=15)
#: a wall clock that goes back by more than this stops every timer that is based on it
CLOCK_STEP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing that is done again and again."""

    name: str
    every: timedelta
    run: Callable[[], Awaitable[None]]
    #: wall-clock limit of one run; a job that exceeds it is cancelled and named in the log
    deadline: timedelta
    #: the first run, after the start
    delay: timedelta = timedelta(0)
    #: errors that say all there is to say: one line, without a traceback
    expected: tuple[type[Exception], ...] = ()


@dataclass(slots=True)
class Progress:
    """When each job last ended well, on the monotonic clock: what the watchdog asks for."""

    finished_s: dict[str, float] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    def age_s(self, name: str) -> float:
        """Seconds since the job last ended well; infinite if it never did."""
        at = self.finished_s.get(name)
        return float("inf") if at is None else time.monotonic() - at


class _FromNow(BaseTrigger):  # type: ignore[misc] # apscheduler is untyped
    """The next run is `every` from now, whatever the last was due.

    APScheduler's own interval trigger lists every run that was missed: a wall clock that goes forward by ten years
    makes that a gigabyte.
    """

    def __init__(self, every: timedelta) -> None:
        self._every = every

    def get_next_fire_time(self, _: datetime | None, now: datetime) -> datetime:
        return now + self._every


class Schedule:
    """Runs jobs until it is stopped. Build and use it inside a running event loop."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.progress = Progress()
        self._scheduler: Any = AsyncIOScheduler(
            timezone="UTC",
            executors={"default": AsyncIOExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        for job in jobs:
            self._add(job)
        self._clock_watch: asyncio.Task[None] | None = None
        #: runs that are under way
        self._running: set[asyncio.Task[Any]] = set()
        self._stopping = False

    def _add(self, job: Job) -> None:
        self._scheduler.add_job(
            self._run, _FromNow(job.every), args=[job], id=job.name, name=job.name, next_run_time=wall() + job.delay
        )

    def start(self) -> None:
        """Begins to tick."""
        self._scheduler.start()
        self._clock_watch = asyncio.create_task(self._watch_clock(), name="clock-watch")

    async def stop(self, *, within: timedelta) -> None:
        """Ticks no more. What runs is let finish for as long as `within`, then cancelled: its thread may go on.

        APScheduler alone would cancel at once: hosts that were being claimed would be leased to nobody.
        """
        self._stopping = True
        if self._clock_watch is not None:
            self._clock_watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._clock_watch
        if self._scheduler.running:
            self._scheduler.pause()
            await self._finish(within)
            self._scheduler.shutdown(wait=False)

    def soon(self, name: str) -> None:
        """Runs a job at the next opportunity instead of at its time."""
        if self._scheduler.running:
            self._scheduler.modify_job(name, next_run_time=wall())

    async def _finish(self, within: timedelta) -> None:
        if not self._running:
            return
        _, late = await asyncio.wait(list(self._running), timeout=within.total_seconds())
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _run(self, job: Job) -> None:
        if task := asyncio.current_task():
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        try:
            await self._once(job)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            log.info("job cut short", extra={"job": job.name})

    async def _once(self, job: Job) -> None:
        try:
            async with asyncio.timeout(job.deadline.total_seconds()):
                await job.run()
        except TimeoutError:
            self._failed(job, "job took too long", limit_s=job.deadline.total_seconds())
        except job.expected as error:
            self._failed(job, "job put off", why=error)
        except Exception:  # noqa: BLE001 - the edge of a job: one that fails must not end those that follow it
            self._failed(job, "job failed", exc_info=True)
        else:
            self.progress.finished_s[job.name] = time.monotonic()

    def _failed(self, job: Job, event: str, *, exc_info: bool = False, **figures: object) -> None:
        self.progress.failures[job.name] = self.progress.failures.get(job.name, 0) + 1
        log.error(event, exc_info=exc_info, extra={"job": job.name, **figures})

    async def _watch_clock(self) -> None:
        """A wall clock that goes back by an hour would silence APScheduler for that hour: start every job anew."""
        offset_s = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(CLOCK_CHECK.total_seconds())
            step_s = time.time() - time.monotonic() - offset_s
            if abs(step_s) > CLOCK_STEP_S:
                offset_s += step_s
                log.warning("wall clock jumped", extra={"by_s": round(step_s, 1)})
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=wall())
