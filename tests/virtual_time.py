"""An event loop whose clock jumps to the next timer instead of waiting for it: hours pass in milliseconds, exactly.

    result = virtual_time.run(story())     # as asyncio.run

For what waits on timers only: what `asyncio.to_thread` calls is called at once, in the thread of the loop. A socket is
waited for where no timer is pending; a timer that races it would win.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Reports what is ready; where nothing is, lets the clock jump."""

    jumped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return list(super().select(None))
        self.jumped_s += timeout
        return ready


class _Inline(ThreadPoolExecutor):
    """Calls at once, and takes no virtual time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
            done.set_exception(error)
        return done


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on virtual time, which begins at 1000 s."""

    def __init__(self) -> None:
        self.jumping = _JumpingSelector()
        super().__init__(self.jumping)
        self.set_default_executor(_Inline())

    def time(self) -> float:
        """The virtual clock."""
        return 1000.0 + self.jumping.jumped_s


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
