"""glibc's allocator, told to give memory back: it keeps what a peak has taken, in one arena a thread.

Measured on a store of 30,000 items (13 threads): resident memory 312 → 220 MB after loading, 327 → 269 MB after every
page and feed had been asked for.
"""

from __future__ import annotations

import ctypes
from typing import Final

#: parameters of mallopt(3) and what they are set to: threads share two arenas, large blocks are mapped for themselves
#: and unmapped when freed, and a free top of the heap is returned
_OPTIONS: Final = (
    (-8, 2),  # M_ARENA_MAX
    (-3, 64 * 1024),  # M_MMAP_THRESHOLD
    (-1, 128 * 1024),  # M_TRIM_THRESHOLD
)


def give_back_early() -> bool:
    """Sets the options; to be called before the first thread is started. False where the C library has no mallopt."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    done = [mallopt(option, value) for option, value in _OPTIONS]
    return done == [1] * len(done)
