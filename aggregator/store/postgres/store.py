"""The store on PostgreSQL: the shared statements, with what is PostgreSQL's own in their place."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path

from aggregator.errors import StoreUnusable
from aggregator.model import StoreStats
from aggregator.store.postgres import migrations, work_queue
from aggregator.store.postgres.engine import Engine
from aggregator.store.postgres.view_spool import ViewSpool
from aggregator.store.postgres.views import Views
from aggregator.store.sql import codec, item_loader, retention, stats
from aggregator.store.sql.audience import Audience
from aggregator.store.sql.curation import Curating
from aggregator.store.sql.engine import Connection
from aggregator.store.sql.fleet import Fleet
from aggregator.store.sql.hub_subscribers import HubSubscribers
from aggregator.store.sql.hub_subscriptions import Pushes
from aggregator.store.sql.items import Items
from aggregator.store.sql.reader_states import ReaderStates
from aggregator.store.sql.transfer import Transfer

__all__ = ["PostgresStore"]

#: the oldest server that the statements run on
MIN_VERSION = 150000


class PostgresStore(
    work_queue.Work, Items, Curating, Views, Audience, HubSubscribers, Pushes, ReaderStates, Fleet, Transfer
):
    """`aggregator.store.Store` in one schema of a PostgreSQL database."""

    _engine: Engine

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._spool = ViewSpool(folder, self._record)
        self._item_cache, self._related_cache = item_loader.caches()
        self._handed = {}
        self._doubts = {}
        self._handed_lock = threading.Lock()

    @classmethod
    def open(cls, url: str, *, folder: Path, create: bool) -> PostgresStore:
        """The store at `url`, migrated to the current schema. StoreUnusable where a person must act.

        `folder`: where views wait for the server for a moment.
        """
        engine = Engine(url)
        try:
            _check_version(engine.server_version)
            migrations.migrate(engine, create=create)
        except BaseException:
            engine.close()
            raise
        return cls(engine, folder)

    def stats(self) -> StoreStats:
        """Sizes and counts."""

        def run(connection: Connection) -> StoreStats:
            (size,) = connection.execute("SELECT pg_database_size(current_database())").fetchone()
            return stats.read(connection, size)

        return self._engine.read(run)

    def retain(self, *, before: datetime, now: datetime) -> int:
        """Removes the content of items published before then (never their identity); how many."""
        before_ms, now_ms, removed = codec.to_ms(before), codec.to_ms(now), 0
        while some := self._write_in_role(lambda connection: retention.batch(connection, before_ms)):
            removed += some
        self._write_in_role(lambda connection: retention.tidy(connection, now_ms))
        return removed

    def ping(self) -> None:
        """Returns if the server answers; raises StoreUnavailable otherwise."""
        self._engine.read(lambda connection: connection.execute("SELECT 1").fetchone())

    def backup(self, path: Path) -> None:
        """Always raises StoreUnusable: PostgreSQL is backed up by its own tools."""
        raise StoreUnusable(f"{path}: a PostgreSQL store is backed up with pg_dump -Fc, see docs/SCALING.md")

    def enter(self, kind: str, *, now: datetime) -> int:  # noqa: ARG002 - the contract of an engine for one machine
        """Always 0: any number of processes poll from here side by side, and leases of those that ended run out."""
        self._spool.adopt()
        return 0

    def daemons(self) -> int:
        """Always 0: another daemon is nothing to be told about."""
        return 0

    def rescue(self) -> None:
        """Always raises StoreUnusable: there is no file that could be deleted."""
        raise StoreUnusable("a PostgreSQL store has no file of ours")

    def close(self) -> None:
        """Lets go of all connections. May be called twice."""
        self._spool.close()
        self._engine.close()


def _check_version(version: int) -> None:
    if version < MIN_VERSION:
        raise StoreUnusable(f"PostgreSQL {version // 10000} is too old: 15 is the oldest that works")
