"""Connections to the file, with what durability asks for; and errors of the engine in our words."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from aggregator.errors import StoreDamaged, StoreError, StoreUnavailable, StoreUnusable
from aggregator.store.sql.ids import search_query

T = TypeVar("T")

BUSY_S = 15.0
#: free pages go back to the file system once they are more than this part of the file
FREE_SHARE = 0.25

#: what the driver raises for what an engine refuses, or cannot hold
_ENGINES_OWN = (sqlite3.Error, UnicodeError, OverflowError)
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
}
#: what a person can do about an error that may pass
_ADVICE = {
    sqlite3.SQLITE_BUSY: ": another program has locked it; close what else has it open",
    sqlite3.SQLITE_FULL: ": make room on its disk",
    sqlite3.SQLITE_IOERR: ": its disk reports an error, see the kernel's log",
    sqlite3.SQLITE_CANTOPEN: ": its folder is full or gone",
    sqlite3.SQLITE_READONLY: ": its file system is mounted read-only, or a newer SQLite has made it",
}
#: how files begin that a database may have been packed into
_PACKED = {b"\x1f\x8b": "gzip", b"PK\3\4": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
#: the same of the files beside the store
PASSING_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}

_WRITER_PRAGMAS = (
    "PRAGMA auto_vacuum = INCREMENTAL",  # only before the first table
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL lost 1,220 acknowledged rows in 6 power cuts, FULL none in 10
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA wal_autocheckpoint = 4000",  # what a busy minute writes again and again is moved once
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

# The driver looks for a way to store each value that is not exactly an int, a float or a str, and fails slowly with
# bytes and None, which need none: told so, it binds them in half the time, which is half a millisecond of what a
# document of fifty new entries takes.
sqlite3.register_adapter(bytes, bytes.__bytes__)
sqlite3.register_adapter(type(None), lambda nothing: nothing)


class Connection(sqlite3.Connection):
    """A connection with what the shared statements ask of an engine (`aggregator.store.sql.engine.Connection`)."""

    # there is one writer, so that nothing need be locked and one counter does
    row_lock = shared_lock = ""
    or_fail = " OR FAIL"
    generation_counter = "generation"

    def now_ms(self, now_ms: int, /) -> int:
        """This time: the processes are on one machine."""
        return now_ms

    def lock_addresses(self, link_keys: Sequence[bytes], /) -> None:
        """Does nothing."""

    def last_change(self) -> int:
        """The number of the newest change in the log."""
        return int(self.execute("SELECT coalesce(max(seq), 0) FROM changes").fetchone()[0])

    def insert_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], /) -> None:
        """Inserts new rows; the transaction fails where one of them is there already."""
        # as the transaction ends anyway, no row needs a journal of its own, as it does with a trigger
        places = ", ".join("?" * len(columns))
        self.executemany(f"INSERT{self.or_fail} INTO {table}({', '.join(columns)}) VALUES ({places})", rows)

    def new_ids(self, table: str, count: int, /) -> Sequence[int]:
        """The row ids that the table would give next: the one writer is in a transaction."""
        (last,) = self.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
        return range(last + 1, last + 1 + count)

    def give_space_back(self) -> None:
        """Shortens the file once free pages are a large part of it."""
        pages, free = (self.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
        if free > FREE_SHARE * pages:
            self.execute(f"PRAGMA incremental_vacuum({free // 2})").fetchall()

    def size_bytes(self) -> int:
        """The file and its write-ahead log."""
        path = Path(self.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()[0])
        return sum(file.stat().st_size for file in (path, path.with_name(path.name + "-wal")) if file.exists())

    def continue_ids(self) -> None:
        """Does nothing: a new id is one more than the greatest."""

    def index_words(self, rows: Sequence[tuple[int, str]], /) -> None:
        """Adds entries to the full-text index."""
        self.executemany("INSERT INTO search_index(rowid, words) VALUES (?, ?)", rows)

    def unindex_words(self, rows: Sequence[tuple[int, str]], /) -> None:
        """Takes entries out of the full-text index, which keeps no text: the words must be those it was given."""
        self.executemany("INSERT INTO search_index(search_index, rowid, words) VALUES ('delete', ?, ?)", rows)

    def find_words(self, words: str, limit: int, /) -> list[int]:
        """Row ids of the entries that contain all the words, the newest first."""
        query = search_query(words)
        found = "SELECT rowid FROM search_index WHERE search_index MATCH ? ORDER BY rowid DESC LIMIT ?"
        return [row[0] for row in self.execute(found, (query, limit))] if query else []


def explain(error: Exception, path: Path) -> StoreError:
    """The engine's error as one of ours: what happened, where, and whether a person must act."""
    code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return StoreDamaged(
            f"{path} is no SQLite file{_looks_like(path)}: restore a backup, or set [store] url to a path of its own"
        )
    if code in _CORRUPT:
        return StoreDamaged(f"{path} is damaged ({error}): stop the daemon and restore a backup")
    if isinstance(error, sqlite3.OperationalError):
        # the index of the journal is made as large as it is when the store is opened: a full disk is met there
        is_full = getattr(error, "sqlite_errorname", "") in {"SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_SHMMAP"}
        advice = _ADVICE.get(sqlite3.SQLITE_FULL if is_full else code, "")
        return StoreUnavailable(f"{path}: {error}{advice}")
    return StoreError(f"{path}: {error}")


def _looks_like(path: Path) -> str:
    """What a file that is no database begins with, in words, after a comma; "" where nothing is known."""
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        return ""
    if not start.strip(b"\0"):
        return ", it begins with zeros"
    return next((f", it is {kind}: unpack it first" for mark, kind in _PACKED.items() if start.startswith(mark)), "")


def is_passing(cause: BaseException | None) -> bool:
    """Whether what made an opening fail may go by itself: a lock, a full disk, an error of the disk, want of memory."""
    code = (getattr(cause, "sqlite_errorcode", 0) or 0) & 0xFF
    return isinstance(cause, sqlite3.OperationalError) and code in _PASSING


def explained(outcome: T, path: Path) -> T | StoreError:
    """An outcome as it is, unless it is one of the engine's own errors."""
    if not isinstance(outcome, _ENGINES_OWN):
        return outcome
    error = explain(outcome, path)
    error.__cause__ = outcome
    return error


@contextlib.contextmanager
def wrapped(path: Path) -> Iterator[None]:
    """Lets nothing of the engine's own errors out."""
    try:
        yield
    except _ENGINES_OWN as error:
        raise explain(error, path) from error


def locate(path: Path) -> Path:
    """The file that a path leads to: journal, lock and log of views lie beside it, whatever links lead there.

    StoreUnusable where a path leads nowhere, or to no file that could be.
    """
    try:
        path.stat()
    except FileNotFoundError:
        target = Path(os.path.realpath(path))
        if path.is_symlink() and not target.parent.is_dir():
            raise StoreUnusable(
                f"{path} is a symbolic link to {target}, but {target.parent} does not exist: is its disk mounted?"
            ) from None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.EACCES:
            raise StoreUnusable(
                f"{path.parent} cannot be entered by uid {os.geteuid()}: change its owner or its mode"
            ) from error
        if isinstance(error, OSError) and error.errno == errno.ENOTDIR:
            return path  # told below, with the folder
        is_loop = getattr(error, "errno", 0) == errno.ELOOP
        why = "a symbolic link that leads to itself" if is_loop else getattr(error, "strerror", None) or str(error)
        raise StoreUnusable(f"{path} cannot be opened ({why}): set [store] url to another path") from error
    return Path(os.path.realpath(path))


def refuse_unreachable(path: Path, *, create: bool) -> None:
    """StoreUnusable, in words, for what SQLite would only call "unable to open database file"."""
    who = f"uid {os.geteuid()}"
    if not path.parent.is_dir():
        raise StoreUnusable(f"{path.parent} is not a directory: make it, or set [store] url to another place")
    if path.exists():
        if not path.is_file():
            raise StoreUnusable(f"{path} is not a file: set [store] url to the path of one")
        if not os.access(path, os.R_OK | os.W_OK):
            if os.statvfs(path).f_flag & os.ST_RDONLY:
                raise StoreUnusable(f"{path} lies on a file system that is mounted read-only: mount it for writing")
            raise StoreUnusable(f"{path} cannot be read and written by {who}: change its owner or its mode")
    elif not create:
        raise StoreUnusable(
            f"{path} does not exist: start the daemon or run `aggregator poll` once, or set [store] url"
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StoreUnusable(f"{path.parent} cannot be written by {who}: SQLite keeps its journal beside the file")
    for beside in (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")):
        if beside.exists() and not (beside.is_file() and os.access(beside, os.R_OK | os.W_OK)):
            raise StoreUnusable(
                f"{beside} cannot be read and written by {who}: it belongs to the store, change its owner or its mode"
            )


def open_beside(database: Path, suffix: str) -> int:
    """A file of ours beside the database, made if missing, appended to; its descriptor. Raises StoreError.

    What root makes belongs to the database's owner, as SQLite does it with its journal: a command that root runs must
    not lock the daemon out.
    """
    path = database.with_name(database.name + suffix)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        kind = StoreUnavailable if error.errno in PASSING_ERRNOS else StoreUnusable
        raise kind(
            f"{path} cannot be opened by uid {os.geteuid()} ({error.strerror}): it belongs to the store,"
            " change its owner or its mode"
        ) from error
    if os.geteuid() == 0 and database.exists():
        owner = database.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def connect(path: Path, *, mode: str) -> Connection:
    """A connection that leaves transactions to us; `mode` is SQLite's ro, rw or rwc."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        uri,
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        factory=Connection,
    )
    connection.create_function("greatest", -1, max, deterministic=True)
    connection.create_function("least", -1, min, deterministic=True)
    connection.row_factory = sqlite3.Row
    return connection


def connect_writer(path: Path) -> Connection:
    """The writing connection, with what durability asks for. A new file is for its owner only, as its journal is."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return _prepared(connect(path, mode="rwc"), _WRITER_PRAGMAS)


def connect_reader(path: Path) -> Connection:
    """A connection that cannot write."""
    return _prepared(connect(path, mode="ro"), _READER_PRAGMAS)


def _prepared(connection: Connection, pragmas: Sequence[str]) -> Connection:
    """The connection with these settings; closed at once where they fail."""
    try:
        for pragma in pragmas:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection
