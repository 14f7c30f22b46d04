"""The log that views are appended to before they are counted: fixed-size records beside the database.

An append is in the page cache when it returns (survives ``kill -9``) and on disk within a second (a thread of its
own). While the disk takes no more, views are held in memory and appended when it does again. How far the log has been
folded is kept in the database, under the log's id, in the transaction that counts; emptying the log gives it a new
id. So a crash at any moment neither loses a view nor counts one twice.

Several processes may append: each append and each emptying holds the file's lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from aggregator.errors import StoreError, StoreUnavailable
from aggregator.store.sqlite.connection import open_beside

MAGIC = b"AGGRVIEW"
ID_BYTES = 16
HEADER_BYTES = len(MAGIC) + ID_BYTES
#: the longest visitor hash
VISITOR_BYTES = 32
_BODY = struct.Struct(f"<QqB{VISITOR_BYTES}s")
_CHECK = struct.Struct("<I")
RECORD_BYTES = _BODY.size + _CHECK.size
#: how long appended views may be in memory only (a power cut loses no more)
SYNC_S = 0.5

#: views held in memory while the disk is full; more are dropped, and counted in the log line
MAX_HELD = 1_000_000
WARN_EVERY_S = 60.0

_log = logging.getLogger(__name__)

#: item's public number, milliseconds, visitor
Record = tuple[int, int, bytes]


def _encode(record: Record) -> bytes:
    number, at, visitor = record
    if len(visitor) > VISITOR_BYTES:
        raise StoreError(f"a visitor of {len(visitor)} bytes: at most {VISITOR_BYTES} are kept")
    body = _BODY.pack(number, at, len(visitor), visitor)
    return body + _CHECK.pack(zlib.crc32(body))


def _decode(data: bytes) -> Iterator[Record]:
    for start in range(0, len(data) - RECORD_BYTES + 1, RECORD_BYTES):
        body = data[start : start + _BODY.size]
        if _CHECK.unpack_from(data, start + _BODY.size)[0] == zlib.crc32(body):  # else: half written in a power cut
            number, at, length, visitor = _BODY.unpack(body)
            yield number, at, visitor[:length]


class ViewLog:
    """The log of the store at `database`, ``<name>.views`` beside it; made if it is not there."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".views")
        self._fd = open_beside(database, ".views")
        self._lock = threading.RLock()
        self._dirty = threading.Event()
        self._stop = threading.Event()
        with self._locked():
            self._mend()
        #: records that the disk did not take, and how many were dropped beyond those
        self._held: list[bytes] = []
        self._dropped = 0
        self._warned_s = float("-inf")
        self._syncer = threading.Thread(target=self._sync, name="store-views", daemon=True)
        self._syncer.start()

    def append(self, records: Sequence[Record]) -> None:
        """Adds views; in memory for now where the disk takes no more."""
        encoded = [_encode(record) for record in records]
        with self._locked():
            room = max(MAX_HELD - len(self._held), 0)
            self._dropped += max(len(encoded) - room, 0)
            self._held += encoded[:room]
            self._write_held()
        if not self._dirty.is_set():  # asking is ten times cheaper than setting; if it is set, the sync is yet to come
            self._dirty.set()

    def read(self, known: tuple[bytes, int] | None) -> tuple[bytes, int, list[Record]]:
        """(log id, its end, the records behind what is `known` of it: log id and offset)."""
        with self._locked():
            self._write_held()
            header = os.pread(self._fd, HEADER_BYTES, 0)
            log_id, end = header[len(MAGIC) :], os.fstat(self._fd).st_size
            start = known[1] if known is not None and known[0] == log_id else HEADER_BYTES
            data = os.pread(self._fd, max(end - start, 0), start)
        return log_id, start + len(data), list(_decode(data))

    def empty(self, log_id: bytes, end: int) -> None:
        """Destroys what has been folded, unless something was appended meanwhile."""
        with self._locked():
            header = os.pread(self._fd, HEADER_BYTES, 0)
            if header[len(MAGIC) :] == log_id and os.fstat(self._fd).st_size == end > HEADER_BYTES:
                os.ftruncate(self._fd, 0)
                self._mend()

    def close(self) -> None:
        """Puts the rest on disk. May be called twice."""
        with self._lock:
            if self._stop.is_set():
                return
            self._write_held()
            self._stop.set()
        self._dirty.set()
        self._syncer.join()
        os.close(self._fd)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock:
            if self._stop.is_set():
                raise StoreUnavailable("the store is closed")
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _write_held(self) -> None:
        """Appends what is held; keeps holding it if the disk is full, with a line a minute."""
        if not self._held:
            return
        data = b"".join(self._held)
        reason = "the disk is full"
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            written, reason = 0, str(error)
        if written == len(data):
            self._held.clear()
            return
        if written:
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
        if time.monotonic() - self._warned_s >= WARN_EVERY_S:
            self._warned_s = time.monotonic()
            figures = {"held": len(self._held), "dropped": self._dropped, "path": self._path, "why": reason}
            _log.warning("views are held in memory", extra=figures)

    def _mend(self) -> None:
        """Gives an empty or unreadable log a header with a new id, and cuts a half-written record off."""
        size = os.fstat(self._fd).st_size
        header = os.pread(self._fd, HEADER_BYTES, 0)
        if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
            os.ftruncate(self._fd, 0)
            os.write(self._fd, MAGIC + os.urandom(ID_BYTES))
        elif (torn := (size - HEADER_BYTES) % RECORD_BYTES) != 0:
            os.ftruncate(self._fd, size - torn)

    def _sync(self) -> None:
        stopping = False
        while not stopping:
            self._dirty.wait()
            self._dirty.clear()
            stopping = self._stop.is_set()
            with contextlib.suppress(OSError):  # the next append meets a failing disk itself
                os.fdatasync(self._fd)
            self._stop.wait(SYNC_S)
