"""What is done once in a while: backups, retention. These functions block; they are called in a thread."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aggregator.config import Settings
from aggregator.errors import StoreUnavailable
from aggregator.store import Store

log = logging.getLogger(__name__)

#: with less room than this (or, on a small disk, a twentieth of it) nothing is polled: views and likes need the rest
_MIN_FREE_BYTES = 32 * 1024 * 1024
_NAME = re.compile(r"aggregator-(\d{8}T\d{6})Z\.db")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backups:
    """The copies of the store in one directory, named by when they were made."""

    directory: Path
    #: None: none are made
    every: timedelta | None
    keep: int

    def due(self, now: datetime) -> bool:
        """Whether the newest copy is old enough for another. A copy from the future counts for nothing."""
        if self.every is None:
            return False
        made = [at for at, _ in self._made() if at <= now]
        return not made or now - made[-1] >= self.every

    def make(self, store: Store, now: datetime) -> Path:
        """Makes a verified copy and removes the oldest beyond `keep`. StoreError: no new copy, no old one removed."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / f"aggregator-{now:%Y%m%dT%H%M%S}Z.db"
        store.backup(path)
        for _, old in self._made()[: -self.keep]:
            old.unlink(missing_ok=True)
        log.info("backup made", extra={"path": path, "size_bytes": path.stat().st_size})
        return path

    def _made(self) -> list[tuple[datetime, Path]]:
        """(when, copy), oldest first."""
        if not self.directory.is_dir():
            return []
        named = ((_NAME.fullmatch(path.name), path) for path in self.directory.iterdir())
        return sorted((_moment(found[1]), path) for found, path in named if found)


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def retain(store: Store, length: timedelta | None, now: datetime) -> int:
    """Removes the content of items older than `length` (None: of none); how many."""
    if length is None:
        return 0
    removed = store.retain(before=now - length, now=now)
    if removed:
        log.info("content removed", extra={"items": removed, "older_than_days": length.days})
    return removed


@dataclass(frozen=True, slots=True)
class RulesMark:
    """Remembers beside the store which rules its verdicts come from; they may change while nothing runs."""

    path: Path

    def is_of(self, settings: Settings) -> bool:
        """Whether the verdicts in the store are those of these settings."""
        try:
            return self.path.read_text("ascii") == _fingerprint(settings)
        except FileNotFoundError:
            # a new store, or one that has never known a rule
            return not settings.rules
        except (OSError, ValueError):
            return False

    def put(self, settings: Settings) -> None:
        """The verdicts are those of these settings from now on."""
        self.path.write_text(_fingerprint(settings), "ascii")


def _fingerprint(settings: Settings) -> str:
    rules = "\n".join(f"{rule.match}\0{rule.action}" for rule in settings.rules)
    sections = "\n".join(f"{source.url}\0{source.section}\0{source.name}" for source in settings.sources)
    # rules may look at the name and the section of a source
    return hashlib.sha256(f"1\n{rules}\n{sections if rules else ''}".encode()).hexdigest()


def short_of_room(directory: Path) -> StoreUnavailable | None:
    """Why nothing should be stored in `directory` that can be fetched again later; None: there is room."""
    disk = shutil.disk_usage(directory)
    if disk.free >= min(_MIN_FREE_BYTES, disk.total // 20):
        return None
    return StoreUnavailable(f"only {disk.free / 1e6:.1f} MB are free on the disk of the store")
