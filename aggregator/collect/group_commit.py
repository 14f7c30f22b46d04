"""Finished polls on their way into the store: those that end together go in together.

A write takes two threads, and a commit a turn of the disk; a poll that brought nothing new is cheaper than either. One
that brought entries touches dozens of pages, most of them the same as the next one does. So whoever has ended waits a
moment for those that are still under way.
"""

from __future__ import annotations

import asyncio
from itertools import accumulate
from typing import Final

from aggregator.model import Lease, PollResult
from aggregator.store import PollChanges, WorkStore

__all__ = ["GroupCommit"]

#: polls that are handed over at once; each is still whole in the store, or not at all
_MAX_POLLS: Final = 64
#: … and their entries, at a tenth of a millisecond each: a like that is given meanwhile waits for all of them
_MAX_ENTRIES: Final = 2000
#: how long polls with entries wait for more of them, as long as there are no others; and how long others wait, while
#: polls are under way that may end meanwhile, for so many
_GATHER_S: Final = 0.03
_MIN_GATHERED: Final = 32


class GroupCommit:
    """Completes polls in the store. Belongs to one event loop at a time."""

    def __init__(self, store: WorkStore) -> None:
        self._store = store
        self._waiting: list[tuple[Lease, PollResult, asyncio.Future[PollChanges]]] = []
        self._writing: asyncio.Task[None] | None = None
        #: polls that have begun and not ended
        self._under_way = 0
        #: who gathers has waited for enough; a new one each time, as an event belongs to one loop for ever
        self._enough = asyncio.Event()

    def begin(self) -> None:
        """A poll is under way."""
        self._under_way += 1

    def end(self) -> None:
        """It has ended; it is completed at once, or never."""
        self._under_way -= 1
        if not self._under_way:
            self._enough.set()

    async def complete(self, lease: Lease, result: PollResult) -> PollChanges:
        """`WorkStore.complete`: returns once it is durable. Who is cancelled meanwhile does not hear of it."""
        done: asyncio.Future[PollChanges] = asyncio.get_running_loop().create_future()
        self._waiting.append((lease, result, done))
        if len(self._waiting) >= _MIN_GATHERED:
            self._enough.set()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="completions")
        return await done

    async def _write(self) -> None:
        while self._waiting:
            await self._gather()
            count = self._count()
            some, self._waiting = self._waiting[:count], self._waiting[count:]
            polls = [(lease, result) for lease, result, _ in some]
            outcomes = await asyncio.to_thread(self._written, polls)
            for (_, _, done), outcome in zip(some, outcomes, strict=True):
                if done.done():
                    continue
                if isinstance(outcome, PollChanges):
                    done.set_result(outcome)
                else:
                    done.set_exception(outcome)

    def _count(self) -> int:
        """How many of those that wait are handed over together: one at least."""
        entries = accumulate(len(result.entries) for _, result, _ in self._waiting[:_MAX_POLLS])
        return max(1, sum(so_far <= _MAX_ENTRIES for so_far in entries))

    async def _gather(self) -> None:
        if len(self._waiting) < _MAX_POLLS and all(result.entries for _, result, _ in self._waiting):
            await asyncio.sleep(_GATHER_S)
        elif len(self._waiting) < _MIN_GATHERED and self._under_way:
            self._enough = asyncio.Event()
            over = asyncio.get_running_loop().call_later(_GATHER_S, self._enough.set)
            await self._enough.wait()
            over.cancel()

    def _written(self, polls: list[tuple[Lease, PollResult]]) -> list[PollChanges | Exception]:
        try:
            return list(self._store.complete_all(polls))
        except Exception as error:  # noqa: BLE001 - the edge of a thread: everybody who waits is told
            return [error for _ in polls]
