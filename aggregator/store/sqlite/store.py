"""All rooms of the SQLite store under one roof, and its own life: open, check, back up, close."""

from __future__ import annotations

import contextlib
import threading
from datetime import datetime
from pathlib import Path

from aggregator.errors import StoreDamaged, StoreError, StoreUnavailable, StoreUnusable
from aggregator.store.sql import codec, hosts, item_loader
from aggregator.store.sql.audience import Audience
from aggregator.store.sql.curation import Curating
from aggregator.store.sql.hub_subscribers import HubSubscribers
from aggregator.store.sql.hub_subscriptions import Pushes
from aggregator.store.sql.items import Items
from aggregator.store.sql.reader_states import ReaderStates
from aggregator.store.sql.retention import Retention
from aggregator.store.sql.transfer import Transfer
from aggregator.store.sql.work_queue import Work
from aggregator.store.sqlite import backup, migrations
from aggregator.store.sqlite.connection import (
    PASSING_ERRNOS,
    connect,
    connect_writer,
    is_passing,
    locate,
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


class SqliteStore(Work, Items, Curating, Views, Audience, HubSubscribers, Pushes, ReaderStates, Retention, Transfer):
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
        named, path = path, locate(path)
        refuse_unreachable(path, create=create)
        _refuse_emptied(named)
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
            if not new:  # with a connection that changes nothing: it may be somebody else's
                with contextlib.closing(connect(path, mode="ro")) as looking:
                    migrations.check(looking, str(path))
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
