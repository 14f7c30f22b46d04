"""Settings of the interpreter for a daemon with many threads. The only module that imports uvloop.

**Garbage collection.** A full collection looks at every container in memory while all threads wait: 0.2 s with 25,000
items in the index of curating, every ten seconds while news comes in, although nearly all of them stay for days. So
what has survived a collection that took long is frozen (`gc.freeze`), and the next ones look at newer objects only.
Frozen objects are freed as usual when their reference count drops to zero; cycles among them are found once an hour.
The youngest generation is collected less often than Python would: a poll makes thousands of containers, and hardly a
cycle.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from aggregator import malloc

new_event_loop: Callable[[], asyncio.AbstractEventLoop]
try:
    from uvloop import new_event_loop
except ImportError:  # not made for this platform: slower, otherwise the same
    from asyncio import new_event_loop

T = TypeVar("T")

#: how long a thread may keep the interpreter to itself while others wait: curating burns processor time in one, pages
#: are answered in another, and must not wait 5 ms for each turn
SWITCH_S: Final = 0.001
#: processor time of a full collection from which on it keeps pages waiting
LONG_S: Final = 0.01
#: how long a cycle may go unnoticed
THOROUGH_S: Final = 3600.0
#: so many new containers bring a collection of the youngest; with Python's 700 a 304 takes a seventh more time
YOUNG: Final = 10_000


class Collector:
    """Decides what the collector looks at; called by it, in whichever thread it runs."""

    def __init__(self, *, long_s: float = LONG_S, thorough_s: float = THOROUGH_S) -> None:
        self._long_s, self._thorough_s = long_s, thorough_s
        self._began_s = 0.0
        self._thorough_at_s = time.monotonic() + thorough_s

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        """One of `gc.callbacks`."""
        if info["generation"] < 2:
            return
        if phase == "start":
            if time.monotonic() >= self._thorough_at_s:
                self._thorough_at_s = time.monotonic() + self._thorough_s
                gc.unfreeze()
            self._began_s = time.thread_time()
        elif time.thread_time() - self._began_s >= self._long_s:
            gc.freeze()


@contextmanager
def short_collections(collector: Collector | None = None) -> Iterator[None]:
    """Within, full collections look at what is new, and those of the youngest come seldom."""
    collector, (before, *older) = collector or Collector(), gc.get_threshold()
    gc.set_threshold(YOUNG, *older)
    gc.callbacks.append(collector)
    try:
        yield
    finally:
        gc.callbacks.remove(collector)
        gc.set_threshold(before, *older)
        gc.unfreeze()


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` under these settings."""
    malloc.give_back_early()
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        with short_collections(), asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(main)
    finally:
        sys.setswitchinterval(before_s)


class Signals:
    """What SIGTERM and SIGINT (stop) and SIGHUP (reload) bring about, from the start on. Belongs to one event loop."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self._reload: Callable[[], None] | None = None
        self._reload_wanted = False
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._on_reload)

    def reload_by(self, reload: Callable[[], None]) -> None:
        """Who reloads from now on; at once if somebody has asked already."""
        self._reload = reload
        if self._reload_wanted:
            self._reload_wanted = False
            reload()

    def ignore(self) -> None:
        """It is stopping already: a second signal would only cut short what is being stored."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    def _on_reload(self) -> None:
        if self._reload is None:
            self._reload_wanted = True
        else:
            self._reload()
