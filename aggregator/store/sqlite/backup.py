"""Copies that can be trusted: made while others write, verified, put in place by one rename."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from aggregator.errors import StoreDamaged, StoreError, StoreUnavailable, StoreUnusable
from aggregator.store.sqlite import migrations
from aggregator.store.sqlite.connection import connect, locate, wrapped
from aggregator.store.sqlite.lock import Lock

#: copies that the daemon makes, by the UTC time of their making
_COPY_NAME = re.compile(r"aggregator-(\d{8}T\d{6})Z\.db")
#: ``.<name>.<pid>.tmp``: a copy that is not complete; SQLite puts its journal beside it
_TEMPORARY_NAME = re.compile(r"\..+\.(\d+)\.tmp(-journal)?")


def quick_check(connection: sqlite3.Connection, place: str) -> None:
    """StoreUnusable if the file is damaged."""
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0].splitlines()[-1]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise StoreDamaged(f"{place} is damaged ({found}): stop the daemon and restore a backup")


def verify(path: Path) -> int:
    """The number of entries in the backup at `path`.

    Raises StoreUnusable unless it is a whole store of this program, of a version that this one can read.
    """
    with wrapped(path), contextlib.closing(connect(path, mode="ro")) as connection:
        if connection.execute("PRAGMA application_id").fetchone()[0] != migrations.APPLICATION_ID:
            raise StoreUnusable(f"{path} is no backup of this program")
        migrations.check(connection, str(path))
        quick_check(connection, str(path))
        return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])


def copies(directory: Path) -> list[tuple[datetime, Path]]:
    """(when it was made, path) of the copies that the daemon made in `directory`, oldest first."""
    if not directory.is_dir():
        return []
    named = ((_COPY_NAME.fullmatch(path.name), path) for path in directory.iterdir())
    return sorted(
        (datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC), path) for found, path in named if found
    )


def sweep(directory: Path) -> list[Path]:
    """Removes what copies that were cut short have left in `directory`: temporary files of processes that have ended.

    Returns what was removed. A process id that is in use again keeps its file until the next sweep.
    """
    removed = list[Path]()
    for path in directory.iterdir() if directory.is_dir() else ():
        found = _TEMPORARY_NAME.fullmatch(path.name)
        if found and int(found[1]) != os.getpid() and not Path(f"/proc/{found[1]}").exists():
            path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def copy(source: Path, path: Path) -> None:
    """A consistent copy of the store at `source`, verified, replaced atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        # VACUUM writes into an empty file: one that nobody else can read, whatever the umask
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with wrapped(source), contextlib.closing(connect(source, mode="rw")) as connection:
            connection.execute("VACUUM INTO ?", (str(temporary),))
        try:
            verify(temporary)
        except StoreUnusable as error:  # the store was read without an error: it is the copy that is bad
            raise StoreUnavailable(f"the copy for {path} cannot be verified: {error}") from error
        # among the files of the store it is the daemon's, whoever has made it
        is_ours = path.resolve().is_relative_to(source.resolve().parent)
        _belong_to(temporary, source if is_ours else path.parent)
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
    target = locate(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    lock = Lock(target)
    try:
        if not lock.alone():
            raise StoreUnavailable(f"{target} is in use: stop the daemon first")
        _restore(backup, target, temporary, before="before-restore")
    except OSError as error:
        raise StoreUnavailable(f"{target}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
        lock.close()


def recover(target: Path, backups: Path, *, now: datetime) -> tuple[Path, Path | None]:
    """Puts the newest good copy of `backups` in the place of a store that is damaged, empty or missing.

    Returns the copy and where the damaged file lies now (None: there was none). Raises StoreUnusable if no copy can be
    used, StoreUnavailable while another process has the store open.
    """
    target = locate(target)
    lock = Lock(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        if not lock.alone():
            raise StoreUnavailable(f"{target} is damaged and in use by another process: stop it")
        mark = f"corrupt-{now:%Y%m%dT%H%M%SZ}"
        aside = target.with_name(f"{target.name}.{mark}") if target.exists() and target.stat().st_size else None
        for _, backup in reversed(copies(backups)):
            with contextlib.suppress(StoreError):
                verify(backup)
                _restore(backup, target, temporary, before=mark, journal=False)
                return backup, aside
        raise StoreUnusable(
            f"{target} is damaged, and {backups} holds no copy that can be used: "
            f"run `aggregator restore` with a backup of yours, or move the file away to start with an empty store"
        )
    except OSError as error:
        raise StoreUnavailable(f"{target}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
        lock.close()


def _restore(backup: Path, target: Path, temporary: Path, *, before: str, journal: bool = True) -> None:
    """The file, with the owner of what it replaces or of the folder, readable by that owner only."""
    with open(temporary, "xb", opener=_private) as new, backup.open("rb") as old:
        shutil.copyfileobj(old, new)
    _belong_to(temporary, target if target.exists() else target.parent)
    _set_aside(target, before=before, journal=journal)
    _put(temporary, target)


def _belong_to(path: Path, other: Path) -> None:
    """Gives what root has made to the owner of `other`: the daemon has to be able to read it."""
    if os.geteuid() == 0:
        owner = other.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _set_aside(target: Path, *, before: str, journal: bool) -> None:
    """Keeps the present file as ``<name>.<before>``, with all that is in its journal; a damaged one as it is."""
    if not target.exists():
        return
    if journal:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(connect(target, mode="rw")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        beside = target.with_name(target.name + suffix)
        if journal:
            beside.unlink(missing_ok=True)
        elif beside.exists():
            beside.replace(target.with_name(f"{target.name}.{before}{suffix}"))
    target.replace(target.with_name(f"{target.name}.{before}"))


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
