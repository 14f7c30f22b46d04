"""A parse child that hangs, whatever the document: it is stopped."""

from __future__ import annotations

import os
import signal

from aggregator.collect.parse import ParsePool


async def freeze(pool: ParsePool) -> int:
    """Stops the child that gets the next document; its process id."""
    await pool.start()
    process = pool._all[-1]._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    return process.pid
