"""Views on their way to the server: appended to a file of this process, sent together a moment later.

An append survives ``kill -9`` of this process when it returns, and a server that is down or crashes meanwhile: what it
has not committed is sent again. A view that was sent twice is counted once, by its visitor. Files that ended processes
have left in the folder are sent by the next one, as soon as the server takes them.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from aggregator.errors import StoreError, StoreUnavailable

__all__ = ["Row", "ViewSpool"]

_log = logging.getLogger(__name__)

#: item's public number, milliseconds, visitor
Row = tuple[int, int, bytes]
#: views of that time are sent together
_GATHER_S = 0.05
_AGAIN_S = 1.0


class ViewSpool:
    """The file of this process in `folder`, made with the first view.

    `send` commits rows, durably, or raises StoreError.
    """

    def __init__(self, folder: Path, send: Callable[[Sequence[Row]], None]) -> None:
        self._folder, self._send = folder, send
        self._fd: int | None = None
        self._path = folder / f"views-{os.getpid()}-{secrets.token_hex(4)}.spool"
        self._lock, self._sending = threading.Lock(), threading.Lock()
        self._offset = 0
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        #: files of ended processes may wait for the server
        self._left = False

    def append(self, rows: Sequence[Row]) -> None:
        """Adds views. Raises StoreUnavailable where the disk takes none."""
        data = b"".join(b"%d %d %s\n" % (number, at, visitor.hex().encode()) for number, at, visitor in rows)
        with self._lock:
            if self._stop.is_set():
                raise StoreUnavailable("the store is closed")
            try:
                self._begin()
                _write_whole(self._fd or 0, data)
            except OSError as error:
                raise StoreUnavailable(f"{self._path}: {error.strerror or error}") from error
        self._wake.set()

    def flush(self) -> None:
        """Sends what waits. Raises StoreError: it waits on."""
        with self._sending:
            if self._fd is None:
                return
            with self._lock:
                data = _read_whole(self._fd, self._offset)
            if data:
                self._send(_rows(data))
            with self._lock:
                self._offset += len(data)
                if self._offset == os.fstat(self._fd).st_size:
                    os.ftruncate(self._fd, 0)
                    self._offset = 0

    def adopt(self) -> int:
        """Sends what ended processes have left; how many files. Raises StoreError: it is tried again until it works."""
        try:
            return self._adopt()
        except StoreError:
            self._left = True
            with self._lock:
                self._begin_sending()
            self._wake.set()
            raise

    def _adopt(self) -> int:
        adopted = 0
        for path in self._folder.glob("views-*.spool"):
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if rows := _rows(_read_whole(descriptor, 0)):
                        self._send(rows)
                    path.unlink()
                    adopted += 1
                finally:
                    os.close(descriptor)
        return adopted

    def close(self) -> None:
        """Sends what waits if the server takes it. May be called twice."""
        with self._lock:
            if self._stop.is_set():
                return
            self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        if self._fd is not None:
            with contextlib.suppress(StoreError, OSError):
                self.flush()
                self._path.unlink()
            os.close(self._fd)

    def _begin(self) -> None:
        if self._fd is None:
            self._fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            self._begin_sending()

    def _begin_sending(self) -> None:
        if self._thread is None and not self._stop.is_set():
            self._thread = threading.Thread(target=self._run, name="view-spool", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            self._stop.wait(_GATHER_S)
            try:
                self.flush()
                if self._left:
                    self._adopt()
                    self._left = False
            except StoreError as error:
                _log.warning("views wait for the store", extra={"why": error})
                self._wake.set()
                self._stop.wait(_AGAIN_S)


def _write_whole(descriptor: int, data: bytes) -> None:
    """Appends all of it or nothing."""
    size = os.fstat(descriptor).st_size
    if os.write(descriptor, data) != len(data):
        os.ftruncate(descriptor, size)
        raise OSError(0, "the disk is full")


def _read_whole(descriptor: int, start: int) -> bytes:
    """What stands from `start` on, up to the last whole line."""
    data = os.pread(descriptor, max(os.fstat(descriptor).st_size - start, 0), start)
    return data[: data.rfind(b"\n") + 1]


def _rows(data: bytes) -> list[Row]:
    parts = (line.split(b" ") for line in data.splitlines())
    return [(int(number), int(at), bytes.fromhex(visitor.decode())) for number, at, visitor in parts]
