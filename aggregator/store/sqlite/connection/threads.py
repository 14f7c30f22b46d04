"""The thread that owns the only writing connection, and the connections that readers share."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aggregator.errors import StoreUnavailable
from aggregator.store.sqlite.connection.opening import BUSY_S, Connection, connect_reader

T = TypeVar("T")

READERS = 4
#: how many waiting writes share one commit (each still whole or not at all)
GROUP = 64
STOP_S = 1.0


@dataclass(slots=True)
class _Job:
    run: Callable[[Connection], Any]
    done: Future[Any]
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Tells the waiting thread; only called once what was written is durable."""
        if self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(self.result)


class Writer:
    """The thread that owns the only writing connection; writes that wait together share a commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, run: Callable[[Connection], T]) -> Future[T]:
        """Queues one transaction."""
        job = _Job(run, Future())
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._jobs.put(job)
        return job.done

    def close(self) -> None:
        """Finishes what is queued, then ends the thread and the connection."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
        self._connection.close()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            last = False
            with contextlib.suppress(queue.Empty):
                while len(group) < GROUP and not last:
                    more = self._jobs.get_nowait()
                    last = more is None
                    group += [] if more is None else [more]
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[_Job]) -> None:
        """One transaction for all of them; one for each where a job fails that has changed something already.

        Savepoints would do, but while one is open SQLite copies every page before it changes it: a seventh of what a
        document of fifty new entries costs.
        """
        if not self._together(group):
            for job in group:
                self._together([job])
        for job in group:
            job.settle()

    def _together(self, group: list[_Job]) -> bool:
        """Runs jobs in one transaction, or undoes all; False if they are to be run again, without the one that failed.

        Where the commit itself fails nothing of the group is in the file, and each caller hears it.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            if not all(map(self._try, group)):
                self._undo()
                return len(group) == 1
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            for job in group:
                job.error = job.error or error
        return True

    def _try(self, job: _Job) -> bool:
        """Runs one job; False if its error leaves something to be undone, or has undone more than the job."""
        before = self._connection.total_changes
        try:
            job.error, job.result = None, job.run(self._connection)
        except BaseException as error:  # noqa: BLE001 - the edge of a job: whoever asked for it gets the error
            job.error = error
            return self._connection.in_transaction and self._connection.total_changes == before
        return True

    def _undo(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


class Readers:
    """Read-only connections, opened at the start so that running out of descriptors cannot stop reading."""

    def __init__(self, path: Path, count: int = READERS) -> None:
        self._all = [connect_reader(path) for _ in range(count)]
        self._free: queue.LifoQueue[Connection] = queue.LifoQueue()
        self._closed = False
        for connection in self._all:
            self._free.put(connection)

    def read(self, run: Callable[[Connection], T]) -> T:
        """Runs `run` on one consistent snapshot; waits for a free connection."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            connection = self._free.get(timeout=BUSY_S)
        except queue.Empty:
            raise StoreUnavailable(f"no reader was free for {BUSY_S:.0f} s") from None
        try:
            connection.execute("BEGIN")
            return run(connection)
        finally:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            self._free.put(connection)

    def close(self) -> None:
        """Closes them as they become free; those that still read after a second are interrupted."""
        self._closed = True
        deadline_s = time.monotonic() + STOP_S
        with contextlib.suppress(queue.Empty):
            for _ in self._all:
                self._free.get(timeout=max(deadline_s - time.monotonic(), 0)).close()
        for connection in self._all:
            with contextlib.suppress(sqlite3.Error):  # those that are closed
                connection.interrupt()
