from __future__ import annotations

import asyncio
import errno
import threading
from concurrent.futures import wait

import pytest

from aggregator.collect.fetch.dialer import GuardedResolver
from aggregator.collect.fetch.errors import classify
from aggregator.collect.guard import Guard
from aggregator.threads import ReadyThreads


def refuse_threads(monkeypatch: pytest.MonkeyPatch, *, after: int = 0) -> None:
    """From now on only `after` threads can be started, as with TasksMax= or RLIMIT_NPROC."""
    start, left = threading.Thread.start, [None] * after

    def refused(thread: threading.Thread) -> None:
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)


def test_a_pool_needs_no_new_thread_once_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with ReadyThreads(5, "trial") as pool:
        refuse_threads(monkeypatch)
        together = threading.Barrier(5)  # passed by five calls at once only
        done = [pool.submit(together.wait, 100) for _ in range(5)]
        assert sorted(call.result(100) for call in done) == [0, 1, 2, 3, 4]


def test_a_pool_works_with_the_threads_that_could_be_started(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refuse_threads(monkeypatch, after=2)
    with ReadyThreads(5, "trial") as pool:
        monkeypatch.undo()
        assert "fewer threads than wanted" in caplog.text
        done = [pool.submit(threading.get_ident) for _ in range(20)]
        assert not wait(done, 100).not_done


def test_a_name_that_no_thread_can_resolve_is_no_fault_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        resolver = GuardedResolver(Guard(), timeout_s=100)
        refuse_threads(monkeypatch)
        for _ in range(100):  # more than may be resolved at once: each gives its place back
            with pytest.raises(OSError, match="can't start new thread") as failed:
                await resolver.resolve("feeds.example", 443)
            assert failed.value.errno == errno.EAGAIN
        assert classify(failed.value, "feeds.example").code == "out-of-threads"

    asyncio.run(run())
