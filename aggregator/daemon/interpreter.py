"""The interpreter, set for a daemon of many threads. Only module that knows uvloop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from aggregator.daemon.garbage import short_collections

new_event_loop: Callable[[], asyncio.AbstractEventLoop]
try:
    from uvloop import new_event_loop
except ImportError:  # not made for this platform: slower, otherwise the same
    from asyncio import new_event_loop

T = TypeVar("T")

#: how long a thread may keep the interpreter to itself while others wait: curating burns processor time in one, pages
#: are answered in another, and must not wait 5 ms for each turn
SWITCH_S: Final = 0.001


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` under these settings."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        with short_collections(), asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(main)
    finally:
        sys.setswitchinterval(before_s)
