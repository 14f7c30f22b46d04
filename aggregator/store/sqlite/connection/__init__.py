"""One writing connection in a thread of its own, several reading ones, and errors of the engine in our words."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import TypeVar

from aggregator.errors import AggregatorError, StoreUnavailable
from aggregator.store.sqlite.connection.opening import (
    BUSY_S,
    Connection,
    connect,
    connect_reader,
    connect_writer,
    explain,
    open_beside,
    refuse_unreachable,
    wrapped,
)
from aggregator.store.sqlite.connection.threads import Readers, Writer

__all__ = [
    "BUSY_S",
    "Connection",
    "Engine",
    "Readers",
    "Writer",
    "connect",
    "connect_reader",
    "connect_writer",
    "explain",
    "open_beside",
    "refuse_unreachable",
    "wrapped",
]

T = TypeVar("T")

PING_S = 5.0


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

    def write_all(self, runs: Sequence[Callable[[Connection], T]]) -> list[T | Exception]:
        """What each returns, or the error for which it has changed nothing; once all of it is durable."""
        waiting = [self._writer.submit(run) for run in runs]
        outcomes: list[T | Exception] = []
        for done in waiting:
            try:
                with wrapped(self.path):
                    outcomes.append(done.result())
            except Exception as error:  # noqa: BLE001 - the edge of a job: its error is its own, the others are stored
                outcomes.append(error)
        return outcomes

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
