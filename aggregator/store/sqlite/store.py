"""All rooms of the SQLite store under one roof, and its own life: open, check, back up, close."""

from __future__ import annotations

import contextlib
import threading
from datetime import datetime
from pathlib import Path

from aggregator.errors import StoreDamaged, StoreError, StoreUnavailable, StoreUnusable
from aggregator.model import StoreStats
from aggregator.store.sql import codec, hosts, item_loader, retention, stats
from aggregator.store.sql.audience import Audience
from aggregator.store.sql.curation import Curating
from aggregator.store.sql.engine import Connection
from aggregator.store.sql.fleet import Fleet
from aggregator.store.sql.hub_subscribers import HubSubscribers
from aggregator.store.sql.hub_subscriptions import Pushes
from aggregator.store.sql.items import Items
from aggregator.store.sql.reader_states import ReaderStates
from aggregator.store.sql.transfer import Transfer
from aggregator.store.sql.work_queue import Work
from aggregator.store.sqlite import backup, migrations
from aggregator.store.sqlite.connection import (
    PASSING_ERRNOS,
    connect_writer,
    is_passing,
    refuse_unreachable,
    wrapped,
)
from aggregator.store.sqlite.engine import Engine
from aggregator.store.sqlite.lock import Lock
from aggregator.store.sqlite.threads import Readers, Writer
from aggregator.store.sqlite.view_log import ViewLog
from aggregator.store.sqlite.views import Views

#: larger files are checked at the start only after an unclean stop (0.12 s for 125 MB)
CHECKED_BYTES = 256 << 20

#: free pages go back to the file system once they are more than this part of the file
FREE_SHARE = 0.25


class SqliteStore(Work, Items, Curating, Views, Audience, HubSubscribers, Pushes, ReaderStates, Fleet, Transfer):
    """`aggregator.store.Store` on one SQLite file, with its log of views beside it."""

    _engine: Engine

    def __init__(self, engine: Engine, log: ViewLog, lock: Lock) -> None:
        self._engine = engine
        self._item_cache, self._related_cache = item_loader.caches()
        self._log = log
        self._lock = lock
        self._handed = {}
        self._doubts = {}
        self._handed_lock = threading.Lock()
        self._closed = False

    @classmethod
    def open(cls, path: Path, *, create: bool) -> SqliteStore:
        """The store at `path`, migrated to the current schema. StoreUnusable where a person must act."""
        refuse_unreachable(path, create=create)
        _refuse_emptied(path)
        lock = Lock(path)
        try:
            alone = lock.alone()
            if not alone:
                lock.share()
            engine = _open_engine(path, check=alone)
            lock.share()
            return cls(engine, ViewLog(path), lock)
        except StoreError:
            lock.close()
            raise
        except OSError as error:
            lock.close()
            kind = StoreUnavailable if error.errno in PASSING_ERRNOS else StoreUnusable
            raise kind(f"{path}: {error}") from error

    def stats(self) -> StoreStats:
        """Sizes and counts."""
        path = self._engine.path
        files = (path, path.with_name(path.name + "-wal"))
        size = sum(file.stat().st_size for file in files if file.exists())
        return self._engine.read(lambda connection: stats.read(connection, size))

    def retain(self, *, before: datetime, now: datetime) -> int:
        """Removes the content of items published before then (never their identity); how many."""
        before_ms, now_ms, removed = codec.to_ms(before), codec.to_ms(now), 0
        while some := self._write_in_role(lambda connection: retention.batch(connection, before_ms)):
            removed += some
        self._write_in_role(lambda connection: retention.tidy(connection, now_ms))
        self._engine.write(_give_back)
        return removed

    def ping(self) -> None:
        """Returns if the writer and a reader answer from the file that was opened; raises StoreError otherwise."""
        self._engine.ping()

    def backup(self, path: Path) -> None:
        """A verified, consistent copy at `path`, made while others write; replaced atomically."""
        self.fold_views()
        backup.copy(self._engine.path, path)

    def enter(self, kind: str, *, now: datetime) -> int:
        """Polls from now on; how many others do. Frees what is leased to nobody if there are none."""
        others = self._lock.seats("daemon") + self._lock.seats("command")
        self._lock.take_seat(kind)
        if not others:
            self._engine.write(lambda connection: hosts.free_leases(connection, codec.to_ms(now)))
        return others

    def daemons(self) -> int:
        """How many other daemons poll from this store."""
        return self._lock.seats("daemon")

    def rescue(self) -> None:
        """Writes the store back to its path after the file was deleted while it was open. StoreError: it cannot."""
        self._engine.rescue()

    def close(self) -> None:
        """Finishes what was begun and lets go of everything. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._log.close()
        self._engine.close()
        self._lock.close()


def _refuse_emptied(path: Path) -> None:
    """StoreDamaged if the store is missing or empty and backups of it lie beside it: it has not always been so."""
    if path.exists() and path.stat().st_size:
        return
    if kept := backup.copies(path.parent / "backup"):
        what = "is empty" if path.exists() else "is missing"
        raise StoreDamaged(
            f"{path} {what}, but there are backups of it, the newest {kept[-1][1]}: "
            f"run `aggregator restore` with it, or move the folder away to start with an empty store"
        )


def _open_engine(path: Path, *, check: bool) -> Engine:
    """The connections; whoever is alone with the file looks for damage first."""
    unclean = path.with_name(path.name + "-wal").exists()
    new = not path.exists() or path.stat().st_size == 0
    try:
        with wrapped(path), contextlib.ExitStack() as undo:
            connection = connect_writer(path)
            undo.callback(connection.close)
            migrations.check(connection, str(path))
            if check and not new and (unclean or path.stat().st_size <= CHECKED_BYTES):
                backup.quick_check(connection, str(path))
            migrations.migrate(connection, str(path))
            readers = Readers(path)
            undo.pop_all()
            return Engine(path, Writer(connection), readers)
    except StoreUnavailable as error:
        if is_passing(error.__cause__):
            raise
        raise StoreUnusable(str(error)) from error


def _give_back(connection: Connection) -> None:
    """Gives free pages back to the file system once they are a large part of the file."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    if free > FREE_SHARE * pages:
        connection.execute(f"PRAGMA incremental_vacuum({free // 2})").fetchall()
