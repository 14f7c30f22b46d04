"""The store on PostgreSQL: the shared statements, with what is PostgreSQL's own in their place."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path

from aggregator.errors import StoreUnusable
from aggregator.store.postgres import migrations
from aggregator.store.postgres.engine import Engine
from aggregator.store.postgres.view_spool import ViewSpool
from aggregator.store.postgres.views import Views
from aggregator.store.sql import codec, item_loader
from aggregator.store.sql.audience import Audience
from aggregator.store.sql.curation import Curating
from aggregator.store.sql.hub_subscribers import HubSubscribers
from aggregator.store.sql.hub_subscriptions import Pushes
from aggregator.store.sql.items import Items
from aggregator.store.sql.reader_states import ReaderStates
from aggregator.store.sql.retention import Retention
from aggregator.store.sql.transfer import Transfer
from aggregator.store.sql.work_queue import DUE_HOSTS, Work

__all__ = ["PostgresStore"]

#: the oldest server that the statements run on
MIN_VERSION = 150000


class PostgresStore(Work, Items, Curating, Views, Audience, HubSubscribers, Pushes, ReaderStates, Retention, Transfer):
    """`aggregator.store.Store` in one schema of a PostgreSQL database."""

    _engine: Engine
    #: the server may crash while those who have claimed go on: a claim that is lost would be given to another one
    _claims_last = True
    #: many processes claim at once: hosts that somebody else is claiming just now are passed over
    _due_hosts = f"{DUE_HOSTS} FOR UPDATE SKIP LOCKED"
    #: a join with a subquery of each host: as `IN (…)` PostgreSQL would join everything with everything
    _due_sources = f"""
    SELECT {codec.SOURCE_COLUMNS}, s.host FROM json_each(:hosts) asked CROSS JOIN LATERAL (
        SELECT * FROM sources WHERE host = asked.value AND due_at <= :now AND configured AND enabled AND NOT gone
        ORDER BY due_at, id LIMIT :per_host) s
    ORDER BY asked.key, s.due_at, s.id
    """

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
