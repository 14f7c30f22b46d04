"""Copies that can be trusted: made while others write, verified, put in place by one rename."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
from pathlib import Path

from aggregator.errors import StoreUnavailable, StoreUnusable
from aggregator.store.sqlite import migrations
from aggregator.store.sqlite.connection import connect, open_beside, wrapped


def quick_check(connection: sqlite3.Connection, place: str) -> None:
    """StoreUnusable if the file is damaged."""
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0].splitlines()[-1]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise StoreUnusable(f"{place} is damaged ({found}): stop the daemon and restore a backup")


def verify(path: Path) -> None:
    """StoreUnusable unless `path` is a whole store of this program, of a version that this one can read."""
    with wrapped(path), contextlib.closing(connect(path, mode="ro")) as connection:
        if connection.execute("PRAGMA application_id").fetchone()[0] != migrations.APPLICATION_ID:
            raise StoreUnusable(f"{path} is no backup of this program")
        migrations.check(connection, str(path))
        quick_check(connection, str(path))


def copy(source: Path, path: Path) -> None:
    """A consistent copy of the store at `source`, verified, replaced atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with wrapped(source), contextlib.closing(connect(source, mode="rw")) as connection:
            connection.execute("VACUUM INTO ?", (str(temporary),))
        verify(temporary)
        _put(temporary, path)
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def restore(backup: Path, target: Path) -> None:
    """Puts a verified backup in the place of the store at `target`, which nobody may have open.

    What was there is kept beside it as ``<name>.before-restore``. StoreUnusable if the backup cannot be used,
    StoreUnavailable while the store is in use.
    """
    if not backup.is_file():
        raise StoreUnusable(f"{backup} does not exist")
    verify(backup)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    lock = Lock(target)
    try:
        if not lock.alone():
            raise StoreUnavailable(f"{target} is in use: stop the daemon first")
        shutil.copyfile(backup, temporary)
        if target.exists():
            owner = target.stat()
            temporary.chmod(owner.st_mode & 0o777)
            if os.geteuid() == 0:
                os.chown(temporary, owner.st_uid, owner.st_gid)
        _set_aside(target)
        _put(temporary, target)
    except OSError as error:
        raise StoreUnavailable(f"{target}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
        lock.close()


def _set_aside(target: Path) -> None:
    """Keeps the present file with all that is in its journal; a damaged one as it is."""
    if not target.exists():
        return
    with contextlib.suppress(sqlite3.Error), contextlib.closing(connect(target, mode="rw")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    target.replace(target.with_name(target.name + ".before-restore"))


def _put(temporary: Path, path: Path) -> None:
    """Renames once the bytes are on disk, and puts the rename there too."""
    for place in (temporary, None, path.parent):
        if place is None:
            temporary.replace(path)
            continue
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Lock:
    """Who has a store open: every process holds a shared lock on ``<name>.lock`` beside it."""

    def __init__(self, target: Path) -> None:
        try:
            self._fd = open_beside(target, ".lock")
        except OSError as error:
            raise StoreUnusable(f"{target}.lock cannot be written by uid {os.geteuid()}: {error.strerror}") from error

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

    def close(self) -> None:
        """Lets go."""
        os.close(self._fd)
