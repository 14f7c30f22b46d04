"""Finished polls on their way into the store: those that end while it writes go in together.

A write takes two threads, and a commit a turn of the disk; a poll that brought nothing new is cheaper than either. One
that brought entries touches dozens of pages, most of them the same as the next one does: it waits a moment for others.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aggregator.model import Lease, PollResult
from aggregator.store import Stored, WorkStore

__all__ = ["Completions"]

#: polls that are handed over at once; each is still whole in the store, or not at all
_MOST: Final = 64
#: how long polls with entries wait for more of them, as long as there are no others
_GATHER_S: Final = 0.03


class Completions:
    """Completes polls in the store. Belongs to one event loop at a time."""

    def __init__(self, store: WorkStore) -> None:
        self._store = store
        self._waiting: list[tuple[Lease, PollResult, asyncio.Future[Stored]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def complete(self, lease: Lease, result: PollResult) -> Stored:
        """`WorkStore.complete`: returns once it is durable. Who is cancelled meanwhile does not hear of it."""
        done: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._waiting.append((lease, result, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="completions")
        return await done

    async def _write(self) -> None:
        while self._waiting:
            if len(self._waiting) < _MOST and all(result.entries for _, result, _ in self._waiting):
                await asyncio.sleep(_GATHER_S)
            some, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            polls = [(lease, result) for lease, result, _ in some]
            outcomes = await asyncio.to_thread(self._written, polls)
            for (_, _, done), outcome in zip(some, outcomes, strict=True):
                if done.done():
                    continue
                if isinstance(outcome, Stored):
                    done.set_result(outcome)
                else:
                    done.set_exception(outcome)

    def _written(self, polls: list[tuple[Lease, PollResult]]) -> list[Stored | Exception]:
        try:
            return list(self._store.complete_all(polls))
        except Exception as error:  # noqa: BLE001 - the edge of a thread: everybody who waits is told
            return [error for _ in polls]
