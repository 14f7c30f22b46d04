"""How long one request may take: in all, and until something happens. One timer for both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

_NEVER = float("inf")


class Deadline:
    """Ends what takes longer than `total_s` as `asyncio.timeout` does, and whatever is waited for within it.

    with Deadline(30) as deadline:            TimeoutError: that was too long in all
        deadline.wait(10, give_up)            ten seconds from now, `give_up` is called…
        deadline.heard()                      …but for this: ten seconds from here

    The timer is seldom set: it rings `often_s` after the beginning, and looks when it has to ring again.
    """

    def __init__(self, total_s: float, *, often_s: float) -> None:
        self._total_s, self._often_s = total_s, often_s
        self._loop = asyncio.get_running_loop()
        self._expired = False
        self._wait_s = self._due_s = _NEVER
        self._give_up: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None, "it runs within a task"  # noqa: S101
        self._task, self._cancelling = task, task.cancelling()
        self._end_s = self._loop.time() + self._total_s
        self._timer = self._loop.call_later(min(self._total_s, self._often_s), self._ring)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def wait(self, within_s: float, give_up: Callable[[], None]) -> None:
        """What is waited for from now on (and no longer what was before) may take `within_s`."""
        self._wait_s, self._give_up = within_s, give_up
        self.heard()
        if self._due_s < self._timer.when():
            self._set()

    def heard(self) -> None:
        """Something has happened: the wait begins anew."""
        self._due_s = self._loop.time() + self._wait_s

    def settled(self) -> None:
        """Nothing is waited for any more."""
        self._due_s = _NEVER

    def pause(self) -> float:
        """Time stands still, and nothing is waited for; gives what is left of it, for `resume`."""
        self._due_s = _NEVER
        left_s, self._end_s = self._end_s - self._loop.time(), _NEVER
        self._timer.cancel()
        return left_s

    def resume(self, left_s: float) -> None:
        """Time goes on, with so much of it left."""
        self._end_s = self._loop.time() + left_s
        self._set()

    def _set(self) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_at(min(self._end_s, self._due_s), self._ring)

    def _ring(self) -> None:
        now = self._loop.time()
        if now >= self._end_s:
            self._expired = True
            self._task.cancel()
            return
        if now >= self._due_s and self._give_up is not None:
            self._due_s = _NEVER
            self._give_up()
        self._set()
