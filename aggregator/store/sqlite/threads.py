"""The thread that owns the only writing connection, and the connections that readers share."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aggregator.errors import StoreUnavailable
from aggregator.store.sqlite.connection import BUSY_S, Connection, connect_reader

One = TypeVar("One")
T = TypeVar("T")

READERS = 4
#: how many waiting writes share one commit (each still whole or not at all)
GROUP = 64
STOP_S = 1.0

#: of items what has become of each; raises where that cannot be told of each
Run = Callable[[Connection, Sequence[Any]], Sequence[Any]]


@dataclass(slots=True)
class _Job:
    """Work on some items, in one transaction if possible."""

    run: Run
    items: Sequence[Any]
    #: it is to survive a power cut, not only the end of the process
    lasting: bool
    done: Future[list[Any]] = field(default_factory=Future)
    #: of each item what `run` gave, or its error
    outcomes: list[Any] = field(default_factory=list)

    def fail(self, error: BaseException) -> None:
        """Nothing of it is in the file."""
        self.outcomes = [error] * len(self.items)

    def apart(self) -> list[_Job]:
        """The same, an item at a time."""
        return [_Job(self.run, [item], self.lasting) for item in self.items]


class Writer:
    """The thread that owns the only writing connection; writes that wait together share a commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._flushes = True
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    def submit(
        self,
        items: Sequence[One],
        run: Callable[[Connection, Sequence[One]], Sequence[T | Exception]],
        *,
        lasting: bool = True,
    ) -> Future[list[T | Exception]]:
        """Queues work: of each item what `run` gives, or the error for which it has changed nothing.

        All of them in one transaction; each in one of its own where `run` fails half-way. What is not `lasting` is in
        the file at once, and on the disk with the next write that is.
        """
        job = _Job(run, items, lasting)
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
        self._run(group)
        for job in group:
            job.done.set_result(job.outcomes)  # only now: what was written is durable

    def _run(self, group: list[_Job]) -> None:
        """One transaction for all of them; one for each, in the end for each item, where one fails half-way.

        Savepoints would do, but while one is open SQLite copies every page before it changes it: a seventh of what a
        document of fifty new entries costs.
        """
        if self._together(group):
            return
        parts = group if len(group) > 1 else group[0].apart()
        for part in parts:
            self._run([part])
        if len(group) == 1:
            group[0].outcomes = [outcome for part in parts for outcome in part.outcomes]

    def _together(self, group: list[_Job]) -> bool:
        """Runs jobs in one transaction, or undoes all; False if they are to be run again, without the one that failed.

        Where the commit itself fails nothing of the group is in the file, and each caller hears it.
        """
        try:
            self._flush(any(job.lasting for job in group))
            self._connection.execute("BEGIN IMMEDIATE")
            if not all(map(self._try, group)):
                self._undo()
                return len(group) == len(group[0].items) == 1
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            for job in group:
                job.fail(error)
        return True

    def _try(self, job: _Job) -> bool:
        """Runs one job; False if its error leaves something to be undone, has undone more, or is not all items'."""
        before = self._connection.total_changes
        try:
            job.outcomes = list(job.run(self._connection, job.items))
        except BaseException as error:  # noqa: BLE001 - the edge of a job: whoever asked for it gets the error
            job.fail(error)
            unchanged = self._connection.in_transaction and self._connection.total_changes == before
            return unchanged and len(job.items) == 1
        return True

    def _flush(self, wanted: bool) -> None:
        """Whether commits wait for the disk from now on."""
        if wanted != self._flushes:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if wanted else 'NORMAL'}")
            self._flushes = wanted

    def _undo(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


class Readers:
    """Read-only connections, opened at the start so that running out of descriptors cannot stop reading."""

    def __init__(self, path: Path, count: int = READERS) -> None:
        self._all: list[Connection] = []
        with contextlib.ExitStack() as undo:
            for _ in range(count):
                self._all.append(undo.enter_context(contextlib.closing(connect_reader(path))))
            undo.pop_all()
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

    def apart(self, run: Callable[[Connection], object]) -> None:
        """Runs `run` outside a transaction, on a connection of ours."""
        connection = self._free.get(timeout=BUSY_S)
        try:
            connection.execute("PRAGMA query_only = OFF")
            run(connection)
        finally:
            connection.execute("PRAGMA query_only = ON")
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
