"""One writing connection in a thread of its own, several reading ones, and errors of the engine in our words."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import TypeVar

from aggregator.errors import AggregatorError, StoreDamaged, StoreError, StoreUnavailable
from aggregator.store.sqlite.connection import (
    BUSY_S,
    Connection,
    connect,
    connect_reader,
    connect_writer,
    explain,
    explained,
    open_beside,
    refuse_unreachable,
    wrapped,
)
from aggregator.store.sqlite.threads import Readers, Writer

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
    "explained",
    "open_beside",
    "refuse_unreachable",
    "wrapped",
]

One = TypeVar("One")
T = TypeVar("T")

PING_S = 5.0
#: how a SQLite file begins
_MAGIC = b"SQLite format 3\0"


class Engine:
    """What the rooms of the store share: read a snapshot, write a transaction."""

    def __init__(self, path: Path, writer: Writer, readers: Readers) -> None:
        self.path = path
        self._writer = writer
        self._readers = readers
        # Held open until every connection is closed: closing any descriptor of a file drops this process's locks on it
        # (POSIX), those of SQLite among them.
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        #: the first sign of damage since the store was opened
        self._damage: StoreDamaged | None = None

    def read(self, run: Callable[[Connection], T]) -> T:
        """What `run` finds in one consistent snapshot."""
        with self._wrapped():
            return self._readers.read(run)

    def write(self, run: Callable[[Connection], T], *, lasting: bool = True) -> T:
        """What `run` returns, once its changes are durable; if it raises, nothing has changed.

        Not `lasting`: a power cut may undo it, unless something else has been written since; nothing else can.
        """
        return self._written(run, lasting=lasting)

    def write_all(
        self, items: Sequence[One], run: Callable[[Connection, Sequence[One]], Sequence[T | Exception]]
    ) -> list[T | Exception]:
        """Of each item what `run` gives, or the error for which it has changed nothing; once all of it is durable.

        `run` gets them all; where it fails half-way nothing of that counts, and it gets them one by one.
        """
        return [self._noted(explained(outcome, self.path)) for outcome in self._writer.submit(items, run).result()]

    def ping(self) -> None:
        """StoreUnavailable unless the writer and a reader answer, StoreDamaged if the file is not what was opened."""
        if self._damage is not None:
            raise self._damage
        if (changed := self._changed()) is not None:
            raise StoreDamaged(f"{self.path} {changed} while it was in use")
        self.read(lambda connection: connection.execute("SELECT 1").fetchone())
        try:
            self._written(lambda connection: connection.execute("SELECT 1").fetchone(), within_s=PING_S)
        except FutureTimeoutError:
            raise StoreUnavailable(f"{self.path}: the writer has not answered for {PING_S:.0f} s") from None
        except StoreDamaged:
            raise
        except AggregatorError as error:
            raise StoreUnavailable(str(error)) from error

    def rescue(self) -> None:
        """Writes what this process still has open of a deleted file to its path. StoreError: it cannot."""
        if self.path.exists() and self.path.stat().st_size:
            raise StoreError(f"{self.path} exists")
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with self._wrapped():
                self._readers.apart(lambda connection: connection.execute("VACUUM INTO ?", (str(temporary),)))
            temporary.replace(self.path)
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: {error}") from error
        finally:
            temporary.unlink(missing_ok=True)

    def _changed(self) -> str | None:
        """How the file at the path is no longer the one that was opened; None: it is."""
        try:
            there, opened = self.path.stat(), os.fstat(self._fd)
            if (there.st_dev, there.st_ino) != (opened.st_dev, opened.st_ino):
                return "was replaced"
            return None if os.pread(self._fd, len(_MAGIC), 0) == _MAGIC else "was overwritten"
        except FileNotFoundError:
            return "was deleted"
        except OSError:
            return None  # a disk that answers with an error: that is no damage of ours

    def _noted(self, outcome: T | StoreError) -> T | StoreError:
        if isinstance(outcome, StoreDamaged):
            self._damage = self._damage or outcome
        return outcome

    @contextlib.contextmanager
    def _wrapped(self) -> Iterator[None]:
        """`wrapped`, with damage remembered for the next ping."""
        try:
            with wrapped(self.path):
                yield
        except StoreDamaged as error:
            self._noted(error)
            raise

    def _written(self, run: Callable[[Connection], T], *, lasting: bool = True, within_s: float | None = None) -> T:
        def alone(connection: Connection, _: Sequence[None]) -> list[T | Exception]:
            return [run(connection)]

        with self._wrapped():
            (outcome,) = self._writer.submit([None], alone, lasting=lasting).result(within_s)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

    def truncate_journal(self) -> None:
        """Moves what is in the write-ahead log into the file and empties it, unless somebody is reading just now."""
        with wrapped(self.path), contextlib.closing(connect(self.path, mode="rw")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Ends the readers, then the writer after what is queued: the last to leave folds the journal away."""
        self._readers.close()
        self._writer.close()
        os.close(self._fd)
