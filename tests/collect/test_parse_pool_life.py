"""How parse processes begin and end: where none can be started, no document is to blame; idle ones are ended."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from aggregator.collect.parse import ParsePool, TwoTierParsePool, parse_sync
from aggregator.errors import ParserUnavailable
from aggregator.model import Document

GOOD = Document(body=b"<rss version='2.0'><channel><title>F</title></channel></rss>", url="https://example.org/feed")
NOW = timedelta(0)


def with_pool(act: Callable[[ParsePool], Awaitable[None]], *, count: int = 1) -> None:
    async def main() -> None:
        pool = ParsePool(count=count)
        try:
            await act(pool)
        finally:
            await pool.close()

    asyncio.run(main())


def use_command(pool: ParsePool, *command: str) -> None:
    for child in pool._all:
        child._command = list(command)


@pytest.fixture
def not_executable(tmp_path: Path) -> str:
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o600)
    return str(path)


def test_what_cannot_be_started_is_no_fault_of_a_document(not_executable: str) -> None:
    """ENOENT (an upgrade has moved the interpreter), EACCES, and a child that dies while it imports."""
    commands = {
        "No such file": ("/nowhere/python",),
        "Permission denied": (not_executable,),
        "before it was ready": (sys.executable, "-c", "raise ImportError('half an upgrade')"),
    }

    async def act(pool: ParsePool) -> None:
        good = list(pool._all[0]._command)
        for why, command in commands.items():
            use_command(pool, *command)
            with pytest.raises(ParserUnavailable, match=why):
                await pool.parse(GOOD)
            with pytest.raises(ParserUnavailable, match=why):
                await pool.probe()
        use_command(pool, *good)
        await pool.probe()
        assert await pool.parse(GOOD) == parse_sync(GOOD)

    with_pool(act)


def test_without_descriptors_none_can_be_started_and_later_one_can() -> None:
    """EMFILE."""

    async def act(pool: ParsePool) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, hard))  # noqa: PTH208
        try:
            with pytest.raises(ParserUnavailable, match="Too many open files"):
                await pool.parse(GOOD)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert await pool.parse(GOOD) == parse_sync(GOOD)

    with_pool(act)


def test_a_priority_that_is_refused_is_done_without() -> None:
    """A service whose system call filter forbids setpriority (strace refuses it as systemd's filter does)."""
    code = (
        "import asyncio\n"
        "from aggregator.collect.parse import ParsePool\n"
        "from aggregator.model import Document\n"
        f"document = Document(body={GOOD.body!r}, url='https://example.org/feed')\n"
        "async def main():\n"
        "    pool = ParsePool(niceness=5)\n"
        "    print((await pool.parse(document)).info.title)\n"
        "    await pool.close()\n"
        "asyncio.run(main())\n"
    )
    trace = ("strace", "-f", "-qq", "-o", "/dev/null", "-einject=setpriority:error=EPERM", "-etrace=setpriority")
    try:
        done = subprocess.run([*trace, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs strace")
    if "PTRACE" in done.stderr:
        pytest.skip("processes may not be traced here")
    assert (done.stdout.strip(), done.stderr) == ("F", "")


def test_idle_children_are_ended_and_started_again_when_needed() -> None:
    async def main() -> None:
        pool = TwoTierParsePool(count=2)
        try:
            await pool.start()
            await pool.parse(GOOD)
            assert await pool.end_idle(after=timedelta(hours=1)) == 0, "they have been used of late"
            assert await pool.end_idle(after=NOW) == 2
            assert await pool.end_idle(after=NOW) == 0
            assert await pool.parse(GOOD) == parse_sync(GOOD)
            assert pool.restarts == 0, "an end for idleness is no failure"
        finally:
            await pool.close()

    asyncio.run(main())


def test_a_child_at_work_is_not_idle() -> None:
    async def act(pool: ParsePool) -> None:
        work = asyncio.create_task(pool.parse(GOOD))
        await asyncio.sleep(0)
        assert await pool.end_idle(after=NOW) == 0
        assert await work == parse_sync(GOOD)

    with_pool(act)
