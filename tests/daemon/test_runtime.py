"""The event loop that the daemon runs on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aggregator.daemon import runtime

uvloop = pytest.importorskip("uvloop", reason="uvloop is not made for this platform; asyncio's own loop serves")

COLLECT = Path(__file__).parents[1] / "collect"
#: whatever asyncio.run runs, runs on it
ON_UVLOOP = """
import asyncio, sys, warnings
import pytest, uvloop
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # loop factories are the future, but tests call asyncio.run
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

async def here():
    return asyncio.get_running_loop()

assert isinstance(asyncio.run(here()), uvloop.Loop)
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
"""


def test_the_daemon_runs_on_uvloop() -> None:
    async def loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    assert isinstance(runtime.run(loop()), uvloop.Loop)


def test_a_signal_to_end_is_not_swallowed() -> None:
    async def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runtime.run(fail())


def test_the_fetcher_does_the_same_on_it() -> None:
    """Its tests, which run on asyncio's own loop, on this one: connections and TLS are where the two differ most."""
    tests = [str(COLLECT / name) for name in ("test_fetch.py", "test_fetch_connections.py", "test_send.py")]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-c", ON_UVLOOP, *tests], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
