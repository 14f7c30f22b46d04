"""Pools of threads that are all started at once.

`ThreadPoolExecutor` starts a thread when a call finds none idle. In a daemon that may be the moment at which the
machine starts no more of them (TasksMax, RLIMIT_NPROC, no memory): what was asked for fails.
An idle thread takes 20 kB.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

log = logging.getLogger(__name__)


class ReadyThreads(ThreadPoolExecutor):
    """A pool whose threads run when this returns, or as many of them as can be started."""

    def __init__(self, count: int, thread_name_prefix: str) -> None:
        super().__init__(count, thread_name_prefix)
        all_run = threading.Event()
        try:
            for _ in range(count):
                ThreadPoolExecutor.submit(self, all_run.wait)  # not what a pool of its own kind makes of it
        except RuntimeError as error:
            log.warning("fewer threads than wanted", extra={"pool": thread_name_prefix, "why": error})
        finally:
            all_run.set()
