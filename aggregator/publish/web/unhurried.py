"""A thread that rests between two pieces of work, so that others get in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

__all__ = ["Unhurried"]

T = TypeVar("T")


class Unhurried(ThreadPoolExecutor):
    """One thread that works for a share of the time.

    Python runs one thread at a time. When readers open many items, the pages of all of them are made anew; done in one
    go, that holds up every answer meanwhile, each time by as long as a thread may keep the interpreter.
    """

    def __init__(self, share: float, *, thread_name_prefix: str = "") -> None:
        super().__init__(1, thread_name_prefix)
        self._share = share
        self._rested_at_s = 0.0

    def submit(self, function: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:
        """Runs it when its turn has come."""
        return super().submit(self._run, partial(function, *args, **named))

    def _run(self, function: Callable[[], T]) -> T:
        time.sleep(max(0.0, self._rested_at_s - time.monotonic()))
        began_s = time.thread_time()
        try:
            return function()
        finally:
            self._rested_at_s = time.monotonic() + (time.thread_time() - began_s) * (1 / self._share - 1)
