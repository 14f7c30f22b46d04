"""Locks on ``<name>.lock`` beside the store: who has it open, and who polls from it."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from aggregator.store.sqlite.connection import open_beside

#: how many processes of each kind can be told apart
SEATS = 16
#: first byte of the range in which each kind of process takes a seat
_FIRST = {"daemon": 1, "command": 1 + SEATS}
#: open file description locks (Linux): unlike POSIX locks they belong to the descriptor, and end with it
_OFD_SETLK: int | None = getattr(fcntl, "F_OFD_SETLK", None)
_OFD_GETLK: int | None = getattr(fcntl, "F_OFD_GETLK", None)
#: struct flock: type, whence, start, length, pid
_FLOCK = struct.Struct("@hhqqi0q")


class Lock:
    """Who has a store open: every process holds a shared lock on the file; those that poll hold a byte of it too."""

    def __init__(self, target: Path) -> None:
        self._fd = open_beside(target, ".lock")

    def alone(self) -> bool:
        """Whether nobody else has the store open; then nobody can open it before `share` or `close`."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def share(self) -> None:
        """Has the store open, beside others; waits while somebody is alone with it."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def take_seat(self, kind: str) -> None:
        """Says that a process of this kind (`daemon` or `command`) polls from the store until the lock is closed."""
        if _OFD_SETLK is None:
            return
        for byte in range(_FIRST[kind], _FIRST[kind] + SEATS):
            try:
                fcntl.fcntl(self._fd, _OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
            except OSError:
                continue
            return

    def seats(self, kind: str) -> int:
        """How many other processes of this kind poll from the store; 0 where the system cannot tell (not Linux)."""
        if _OFD_GETLK is None:
            return 0
        first = _FIRST[kind]
        asked = (_FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0) for byte in range(first, first + SEATS))
        answers = (fcntl.fcntl(self._fd, _OFD_GETLK, one) for one in asked)
        return sum(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK for answer in answers)

    def close(self) -> None:
        """Lets go."""
        os.close(self._fd)
