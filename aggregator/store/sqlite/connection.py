"""One writing connection in a thread of its own, several reading ones, and errors of the engine in our words."""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aggregator.errors import AggregatorError, StoreError, StoreUnavailable, StoreUnusable

T = TypeVar("T")
Connection = sqlite3.Connection

READERS = 4
#: how many waiting writes share one commit (each still whole or not at all, by its savepoint)
GROUP = 64
BUSY_S = 15.0
PING_S = 5.0
STOP_S = 1.0

_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_WRITER_PRAGMAS = (
    "PRAGMA auto_vacuum = INCREMENTAL",  # only before the first table
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL lost 1,220 acknowledged rows in 6 power cuts, FULL none in 10
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA wal_autocheckpoint = 1000",
    "PRAGMA cell_size_check = ON",
    # trusted_schema stays on: SQLite 3.40 counts the full-text triggers of sqlite-utils among what it forbids
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16384",
    "PRAGMA secure_delete = ON",  # a forgotten visitor is not to be found in a free page
)
_READER_PRAGMAS = (
    "PRAGMA query_only = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -8192",
)


def explain(error: Exception, path: Path) -> StoreError:
    """The engine's error as one of ours: what happened, where, and whether a person must act."""
    code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
    if code in _CORRUPT:
        return StoreUnusable(f"{path} is damaged ({error}): stop the daemon and restore a backup")
    if isinstance(error, sqlite3.OperationalError):
        return StoreUnavailable(f"{path}: {error}")
    return StoreError(f"{path}: {error}")


@contextlib.contextmanager
def wrapped(path: Path) -> Iterator[None]:
    """Lets nothing of the engine's own errors out."""
    try:
        yield
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise explain(error, path) from error


def refuse_unreachable(path: Path, *, create: bool) -> None:
    """StoreUnusable, in words, for what SQLite would only call "unable to open database file"."""
    who = f"uid {os.geteuid()}"
    if not path.parent.is_dir():
        raise StoreUnusable(f"{path.parent} is not a directory: make it, or set [store] url to another place")
    if path.exists():
        if not path.is_file():
            raise StoreUnusable(f"{path} is not a file")
        if not os.access(path, os.R_OK | os.W_OK):
            raise StoreUnusable(f"{path} cannot be read and written by {who}: change its owner or its mode")
    elif not create:
        raise StoreUnusable(f"{path} does not exist: start the daemon once, or set [store] url")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StoreUnusable(f"{path.parent} cannot be written by {who}: SQLite keeps its journal beside the file")


def open_beside(database: Path, suffix: str) -> int:
    """A file of ours beside the database, made if missing, appended to; its descriptor.

    What root makes belongs to the database's owner, as SQLite does it with its journal: a command that root runs must
    not lock the daemon out.
    """
    path = database.with_name(database.name + suffix)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0 and database.exists():
        owner = database.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def connect(path: Path, *, mode: str) -> Connection:
    """A connection that leaves transactions to us; `mode` is SQLite's ro, rw or rwc."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.row_factory = sqlite3.Row
    return connection


def connect_writer(path: Path) -> Connection:
    """The writing connection, with what durability asks for."""
    connection = connect(path, mode="rwc")
    for pragma in _WRITER_PRAGMAS:
        connection.execute(pragma)
    return connection


def connect_reader(path: Path) -> Connection:
    """A connection that cannot write."""
    connection = connect(path, mode="ro")
    for pragma in _READER_PRAGMAS:
        connection.execute(pragma)
    return connection


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
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._try(job)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:  # nothing of the group is in the file: each caller hears it
            self._undo()
            for job in group:
                job.error = job.error or error
        for job in group:
            job.settle()

    def _try(self, job: _Job) -> None:
        """Runs one job within its savepoint; an error of its own undoes it alone.

        Raises sqlite3.Error where SQLite has given up the whole transaction (full disk, I/O error).
        """
        self._connection.execute("SAVEPOINT job")
        try:
            job.result = job.run(self._connection)
        except BaseException as error:  # the edge of a job: whoever asked for it gets the error
            job.error = error
            if not self._connection.in_transaction:
                raise sqlite3.OperationalError(f"the transaction was given up: {error}") from error
            self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")

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


class Engine:
    """What the rooms of the store share: read a snapshot, write a transaction."""

    def __init__(self, path: Path, writer: Writer, readers: Readers) -> None:
        self.path = path
        self._writer = writer
        self._readers = readers

    def read(self, run: Callable[[Connection], T]) -> T:
        """What `run` finds in one consistent snapshot."""
        with wrapped(self.path):
            return self._readers.read(run)

    def write(self, run: Callable[[Connection], T]) -> T:
        """What `run` returns, once its changes are durable; if it raises, nothing has changed."""
        with wrapped(self.path):
            return self._writer.submit(run).result()

    def ping(self) -> None:
        """StoreUnavailable unless the writer and a reader answer."""
        self.read(lambda connection: connection.execute("SELECT 1").fetchone())
        try:
            with wrapped(self.path):
                self._writer.submit(lambda connection: connection.execute("SELECT 1").fetchone()).result(PING_S)
        except FutureTimeoutError:
            raise StoreUnavailable(f"{self.path}: the writer has not answered for {PING_S:.0f} s") from None
        except AggregatorError as error:
            raise StoreUnavailable(str(error)) from error

    def truncate_journal(self) -> None:
        """Moves what is in the write-ahead log into the file and empties it, unless somebody is reading just now."""
        with wrapped(self.path), contextlib.closing(connect(self.path, mode="rw")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Ends the readers, then the writer after what is queued: the last to leave folds the journal away."""
        self._readers.close()
        self._writer.close()
