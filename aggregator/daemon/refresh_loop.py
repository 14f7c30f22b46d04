"""Decides when lists are refreshed: soon after new items, and at intervals because time passes.

A step decides about a few of the newest items. Where more wait, as after an import, the next step follows soon, and
again with the newest: the backlog yields to news. Lists are made as soon as news are decided, else now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from aggregator.assemble import Judge
from aggregator.curate.curator import YOUNG
from aggregator.errors import StoreError
from aggregator.refresh import Refresher
from aggregator.threads import ReadyThreads

log = logging.getLogger(__name__)

T = TypeVar("T")

#: lists grow old by themselves: windows move on
EVERY = timedelta(seconds=60)
#: where nothing is new: so much of a core for keeping up with the time, and how old lists may grow for it
IDLE_SHARE = 0.0005
IDLE_AT_MOST = timedelta(minutes=5)
#: readers do not see lists change more often than this, however fast items come
INTERVAL = timedelta(seconds=3)
#: while items wait to be decided about: news have their lists after the second time at most, whatever waits behind
#: them, and old items after the first
BACKLOG_INTERVAL, NEWS_INTERVAL = timedelta(seconds=5), timedelta(seconds=1)
#: refreshing may take at most this share of a core, unless that would make lists wait for longer than the time; while
#: items wait to be decided about it may take more
SHARE, BACKLOG_SHARE = 0.10, 0.5
PAUSE_AT_MOST = timedelta(seconds=20)


class RefreshLoop:
    """Runs the refresher in one thread of its own, a step at a time; `observe` is told how many seconds each took."""

    def __init__(
        self,
        refresher: Refresher,
        *,
        clock: Callable[[], datetime],
        observe: Callable[[float], None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic_s: Callable[[], float] = time.monotonic,
        cpu_s: Callable[[], float] = time.thread_time,
    ) -> None:
        self.refresher = refresher
        self._clock = clock
        self._thread = ReadyThreads(1, "refresh")
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._judging: tuple[Judge, Callable[[], None]] | None = None
        self._observe, self._pause, self._monotonic_s, self._cpu_s = observe, pause, monotonic_s, cpu_s
        self._waiting = False
        #: something has come since the lists were made, and when that was
        self._news = False
        self._listed_s: float | None = None
        #: how far back items are compared, where there are too many of the last two days; None: all of them are
        self.cut_to: timedelta | None = None

    def start(self) -> None:
        """Loads what is in the store, then refreshes until stopped."""
        self._task = asyncio.create_task(self._loop(), name="refresh")

    def want(self) -> None:
        """There is something new."""
        self._wanted.set()

    def judge_anew(self, judge: Judge, *, then: Callable[[], None]) -> None:
        """Applies changed rules to what is stored, before the next refresh; calls `then` when it is done."""
        self._judging = judge, then
        self.want()

    async def call(self, function: Callable[[], T]) -> T:
        """Runs something of the refresher's in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def stop(self, *, within: timedelta) -> None:
        """Ends after the batch in hand, or after `within`."""
        self.refresher.stop.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=within.total_seconds())
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _loop(self) -> None:
        await self._attempt(self.refresher.load)
        while True:
            used_s = await self._step()
            if self._waiting:
                await self._pause(backlog_pause_s(used_s))
                continue
            await self._pause(pause_s(used_s))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(idle_s(used_s)):  # `wait_for` of Python 3.11 loses a cancellation here
                    await self._wanted.wait()

    async def _step(self) -> float:
        """Decides about the newest items, makes the lists if they are due; the CPU seconds that took."""
        self._news = self._news or self._wanted.is_set()
        self._wanted.clear()
        await self._attempt(self._judge)
        began_s = self._monotonic_s()
        used_s = await self._attempt(self._decide)
        if self._lists_due():
            used_s += await self._attempt(self.refresher.make_lists)
            self._news, self._listed_s = False, self._monotonic_s()
        self._observe(self._monotonic_s() - began_s)
        return used_s

    def _lists_due(self) -> bool:
        """At once where nothing waits; else soon after news, which are decided first, and at intervals."""
        if not self._waiting or self._listed_s is None:
            return True
        interval = NEWS_INTERVAL if self._news else BACKLOG_INTERVAL
        return self._monotonic_s() - self._listed_s >= interval.total_seconds()

    def _decide(self, now: datetime) -> None:
        self._waiting = False
        done = self.refresher.decide(now)
        if done.cut_to is not None and self.cut_to is None:
            log.warning("too many items to compare all of two days", extra={"hours": done.cut_to / timedelta(hours=1)})
        self._waiting, self.cut_to = done.waiting, done.cut_to

    @property
    def compared(self) -> timedelta:
        """How far back new items are compared at least."""
        return self.cut_to or YOUNG

    @property
    def shortage(self) -> str | None:
        """For operators: there are too many items for comparing all of the last two days; None: all are compared."""
        if self.cut_to is None:
            return None
        hours, whole = self.cut_to / timedelta(hours=1), YOUNG / timedelta(hours=1)
        return (
            f"Too many items: new ones are compared with those of the last {hours:.0f} hours only, not of {whole:.0f}; "
            "stories that are older may be told twice."
        )

    def _judge(self, now: datetime) -> None:
        judging = self._judging
        if judging is not None:
            judge, then = judging
            changed = self.refresher.apply_rules(judge, now=now)
            log.info("rules applied to what is stored", extra={"entries_changed": changed})
            then()
            # unless they have changed once more meanwhile
            self._judging = None if self._judging is judging else self._judging

    async def _attempt(self, step: Callable[[datetime], object]) -> float:
        """One step, and the CPU seconds it took; one that fails is tried again with the next refresh."""
        try:
            return await self.call(lambda: self._used_s(step, self._clock()))
        except StoreError as error:
            log.warning("refresh put off", extra={"why": error})
        except Exception:
            # The edge of a job: lists that cannot be made anew must not end those that are there.
            log.exception("refresh failed")
        return 0.0

    def _used_s(self, step: Callable[[datetime], object], now: datetime) -> float:
        began_s = self._cpu_s()
        step(now)
        return self._cpu_s() - began_s


def pause_s(used_s: float) -> float:
    """Seconds to wait after a step that took so many of a core."""
    return min(PAUSE_AT_MOST.total_seconds(), max(INTERVAL.total_seconds(), used_s * (1 / SHARE - 1)))


def backlog_pause_s(used_s: float) -> float:
    """The same while items wait to be decided about."""
    return min(PAUSE_AT_MOST.total_seconds(), used_s * (1 / BACKLOG_SHARE - 1))


def idle_s(used_s: float) -> float:
    """How long to wait for something new after a refresh that took so much of a core."""
    return min(IDLE_AT_MOST.total_seconds(), max(EVERY.total_seconds(), used_s / IDLE_SHARE))
