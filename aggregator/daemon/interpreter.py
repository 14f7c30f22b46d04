"""The interpreter, set for a daemon of many threads."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aggregator.daemon.garbage import short_collections

T = TypeVar("T")

#: how long a thread may keep the interpreter to itself while others wait: curating burns processor time in one, pages
#: are answered in another, and must not wait 5 ms for each turn
SWITCH_S: Final = 0.001


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` under these settings."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        with short_collections():
            return asyncio.run(main)
    finally:
        sys.setswitchinterval(before_s)
