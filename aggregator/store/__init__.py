"""WHERE THE TWO HALVES MEET: the contract of the store. Collecting writes items, publishing reads them.

What every store promises, whichever engine is behind it:

- **Any thread.** Every method may be called from any thread and blocks until it is done; a write returns when it is
  durable (survives a power cut; only `WorkStore.claim` need not), or raises and has changed nothing. Reads never wait
  for writes.
- **Whole or not at all.** Each writing method is one transaction. Uniqueness is decided by constraints of the engine.
- **Time is an argument.** The store never reads a clock; datetimes are aware and UTC in and out.
- **Idempotent.** Completing the same poll twice, curating the same batch twice, folding the same views twice: the
  second time changes nothing.
- **Nothing is forgotten.** Absence from a feed deletes nothing. Retention removes content and keeps identity: an entry
  that returns later is the same entry, and an item's id is never given to another.
- **Errors.** Only `StoreError` and its leaves leave the store, chained to the engine's own error.

Whoever writes a second backend implements `Store` and runs `tests/store` against it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from aggregator.errors import StoreUnusable
from aggregator.store.contract import (
    AudienceStore,
    CurationStore,
    FleetStore,
    HubStore,
    ItemStore,
    PollChanges,
    PushStore,
    ReadingStore,
    Store,
    SyncedSources,
    WorkStore,
)

__all__ = [
    "AudienceStore",
    "CurationStore",
    "FleetStore",
    "HubStore",
    "ItemStore",
    "PollChanges",
    "PushStore",
    "ReadingStore",
    "Store",
    "SyncedSources",
    "WorkStore",
    "is_postgresql",
    "list_copies",
    "open_store",
    "public_address",
    "recover",
    "restore",
    "sweep",
    "verify_copy",
]


def open_store(url: str, *, base: Path, create: bool = True) -> Store:
    """The store at `url`: ``sqlite:aggregator.db`` (relative to `base`) or ``postgresql://user@host/database``.

    Migrates to the current schema. StoreUnusable: unknown kind, not ours, from a newer version, corrupt, not
    permitted, not reachable, or missing with `create` false.
    """
    if is_postgresql(url):
        try:
            from aggregator.store.postgres import PostgresStore
        except ImportError as error:
            raise StoreUnusable(
                '[store] url: PostgreSQL needs psycopg: pip install "feed-aggregator[postgresql]"'
            ) from error
        return PostgresStore.open(url, folder=base.absolute(), create=create)
    from aggregator.store.sqlite import SqliteStore

    return SqliteStore.open(_sqlite_path(url, base), create=create)


def is_postgresql(url: str) -> bool:
    """Whether a store's address is that of a PostgreSQL database."""
    return url.startswith(("postgresql://", "postgres://"))


def public_address(url: str) -> str:
    """A store's address for messages: with nothing that is secret, wherever in it a password stands."""
    if not is_postgresql(url):
        return url
    try:
        from aggregator.store.postgres.engine import public_address as of_server
    except ImportError:
        return "postgresql://…"
    return of_server(url)


def restore(url: str, *, base: Path, backup: Path) -> None:
    """Puts `backup`, verified, in the place of the store at `url`; what was there stays beside it.

    StoreUnusable if the backup is not one or is damaged, StoreUnavailable while anybody has the store open.
    """
    from aggregator.store.sqlite import backup as backups

    backups.restore(backup, _sqlite_path(url, base))


def recover(url: str, *, base: Path, backups: Path, now: datetime) -> tuple[Path, Path | None]:
    """Puts the newest good copy of `backups` in the place of a damaged store: (that copy, where the damaged file lies).

    Raises StoreUnusable without a good copy, StoreUnavailable while another process has the store open.
    """
    from aggregator.store.sqlite import backup as sqlite_backup

    return sqlite_backup.recover(_sqlite_path(url, base), backups, now=now)


def list_copies(directory: Path) -> list[tuple[datetime, Path]]:
    """(when it was made, path) of the copies that daemons made in `directory`, oldest first."""
    from aggregator.store.sqlite import backup as sqlite_backup

    return sqlite_backup.copies(directory)


def verify_copy(path: Path) -> int:
    """The number of entries in a copy. StoreUnusable if it is damaged or not one of ours."""
    from aggregator.store.sqlite import backup as sqlite_backup

    return sqlite_backup.verify(path)


def sweep(directory: Path) -> list[Path]:
    """Removes the temporary files that ended processes have left in `directory`; which."""
    from aggregator.store.sqlite import backup as sqlite_backup

    return sqlite_backup.sweep(directory)


def _sqlite_path(url: str, base: Path) -> Path:
    kind, _, place = url.partition(":")
    if kind != "sqlite" or not place:
        raise StoreUnusable(
            f"[store] url: {kind}:… is not known here, only sqlite:PATH, e.g. sqlite:aggregator.db,"
            " and postgresql://user@host/database"
        )
    if place.startswith("//") and not place.startswith("///"):
        raise StoreUnusable(f"[store] url: {url} names a host; write sqlite:PATH, e.g. sqlite:{place.lstrip('/')}")
    if place == ":memory:" or "?" in place or "\0" in place:
        raise StoreUnusable(f"[store] url: {url!r} is no path of a file; write sqlite:PATH, e.g. sqlite:aggregator.db")
    return (base / place).absolute()
