"""Backups, retention and repair of a damaged store. These functions block; call them in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aggregator import assemble
from aggregator.clock import wall
from aggregator.config import Settings
from aggregator.errors import StoreDamaged, StoreError, StoreUnavailable, StoreUnusable
from aggregator.sdnotify import Notifier
from aggregator.store import FleetStore, Store, list_copies, recover, sweep, verify_copy

log = logging.getLogger(__name__)

#: with less room than this (or, on a small disk, a twentieth of it) nothing is polled: views and likes need the rest
_MIN_FREE_BYTES = 32 * 1024 * 1024
#: how soon a store that cannot be opened is tried again, and how often that is told
RETRY = timedelta(seconds=5)
COMPLAIN_EVERY_S = 60.0
#: with this part of the entries of the fullest copy or less, a new copy pushes none out
_EMPTIER = 0.5


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
        made = [at for at, _ in list_copies(self.directory) if at <= now]
        return not made or now - made[-1] >= self.every

    def make(self, store: Store, now: datetime) -> Path:
        """Makes a verified copy and removes the oldest beyond `keep`. StoreError: no new copy, no old one removed.

        A copy that has lost most of the entries of an older one pushes none out: the store may have been emptied.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        swept = sweep(self.directory)
        path = self.directory / f"aggregator-{now:%Y%m%dT%H%M%S}Z.db"
        store.backup(path)
        older = [copy for _, copy in list_copies(self.directory) if copy != path]
        entries, most = verify_copy(path), max(map(_entries, older), default=0)
        if entries < most * _EMPTIER:
            log.warning("backup holds less than an older one; none is removed", extra={"entries": entries, "of": most})
        else:
            for _, old in list_copies(self.directory)[: -self.keep]:
                old.unlink(missing_ok=True)
        figures = {"path": path, "size_bytes": path.stat().st_size, "entries": entries, "swept": len(swept)}
        log.info("backup made", extra=figures)
        return path


def _entries(copy: Path) -> int:
    try:
        return verify_copy(copy)
    except StoreError:
        return 0


def mend(settings: Settings, now: datetime) -> str:
    """Puts the newest good backup in the place of a store that is damaged, empty or missing; says so, as one sentence.

    Raises StoreUnusable if there is none, StoreUnavailable while another process has the store open.
    """
    directory = assemble.state_dir(settings)
    copy, aside = recover(settings.store.url, base=settings.store_base, backups=directory / "backup", now=now)
    kept = f"; the damaged file is kept as {aside}" if aside else ""
    return f"The store was damaged or missing: {copy.name} has taken its place, its feeds are polled again{kept}."


def rescue(store: Store) -> None:
    """Writes a store whose file was deleted back to its place, from what this process still has open of it."""
    try:
        store.rescue()
    except StoreError as error:
        log.debug("nothing rescued", extra={"why": error})
    else:
        log.warning("store written back after its file was deleted")


async def open_store(settings: Settings, notifier: Notifier, stop: asyncio.Event) -> tuple[Store, str] | None:
    """The store, and what was done to mend it as one sentence ("" if nothing); None: stopped while waiting for it.

    A damaged store is replaced by its newest good backup. Where the disk is full or another program holds the store
    locked, this waits until it can be opened. Raises StoreUnusable where a person has to act.
    """
    told, ballast, complained_s = "", Ballast(assemble.state_dir(settings)), float("-inf")
    while not stop.is_set():
        try:
            try:
                return await asyncio.to_thread(assemble.store, settings), told
            except StoreDamaged as error:
                if told:  # the copy that has just been put there: another try would end in the same way
                    raise StoreUnusable(f"{told} That cannot be used either: {error}") from error
                log.error("store damaged", extra={"why": error})  # noqa: TRY400 - the reason is the message
                told = await asyncio.to_thread(mend, settings, wall())
                log.error("store mended", extra={"how": told})  # noqa: TRY400
                continue
        except StoreUnavailable as error:
            if ballast.drop():
                log.warning("the disk is full: the ballast is dropped to open the store", extra={"path": ballast.path})
                continue
            if asyncio.get_running_loop().time() - complained_s >= COMPLAIN_EVERY_S:
                complained_s = asyncio.get_running_loop().time()
                log.warning("the store cannot be opened yet", extra={"why": error})
        notifier.extend_start(4 * RETRY, "waiting for the store")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETRY.total_seconds()):
                await stop.wait()
    return None


@dataclass(frozen=True, slots=True)
class Ballast:
    """A file that takes up room for as long as there is plenty: on a full disk, SQLite cannot even open a store."""

    directory: Path
    size_bytes: int = 4 * 1024 * 1024

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.directory / "ballast"

    def keep(self) -> None:
        """Makes it, if it is not there and the disk has plenty of room."""
        with contextlib.suppress(OSError):
            if self.path.exists() or short_of_room(self.directory, spare_bytes=2 * self.size_bytes):
                return
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self.size_bytes)
            finally:
                os.close(descriptor)

    def drop(self) -> bool:
        """Gives the room back; False if it was given before."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True


def retain(store: Store, length: timedelta | None, now: datetime) -> int:
    """Removes the content of items older than `length` (None: of none); how many."""
    if length is None:
        return 0
    removed = store.retain(before=now - length, now=now)
    if removed:
        log.info("content removed", extra={"items": removed, "older_than_days": length.days})
    return removed


#: the name of the mark in a shared store
_MARK = "mark"


@dataclass(frozen=True, slots=True)
class ConfigMark:
    """Remembers with which rules and limits the store was used last; they may change while nothing runs.

    Beside the store, or in one that several machines share.
    """

    path: Path
    shared: FleetStore | None = None

    def has_rules_of(self, settings: Settings) -> bool:
        """Whether the verdicts in the store are those of these settings."""
        known = self._read().get("rules")
        # a new store, or one that has never known a rule
        return not settings.rules if known is None else known == _fingerprint(settings)

    def put_rules(self, settings: Settings) -> None:
        """The verdicts are those of these settings from now on."""
        self._write({"rules": _fingerprint(settings)})

    def limits(self, settings: Settings) -> dict[str, str] | None:
        """The limits of polling when this was last called, and remembers those of `settings`; None: never called."""
        before: dict[str, str] | None = self._read().get("limits")
        now = polling_limits(settings)
        if before != now:
            self._write({"limits": now})
        return before

    def _read(self) -> dict[str, Any]:
        try:
            if self.shared is not None:
                document = self.shared.documents(_MARK).get(_MARK)
                found = json.loads(document.text if document else "{}")
            else:
                found = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, changed: dict[str, object]) -> None:
        """OSError is logged: what is not remembered is done once more after the next start."""
        text = json.dumps({**self._read(), **changed})
        try:
            if self.shared is not None:
                self.shared.put_document(_MARK, text, now=wall(), announced=False)
            else:
                self.path.write_text(text, "utf-8")
        except (OSError, StoreError) as error:
            log.warning("not remembered", extra={"path": self.path, "why": error})


def _fingerprint(settings: Settings) -> str:
    rules = "\n".join(f"{rule.match}\0{rule.action}" for rule in settings.rules)
    sections = "\n".join(f"{source.url}\0{source.all_sections}\0{source.name}" for source in settings.sources)
    # rules may look at the name and the section of a source
    return hashlib.sha256(f"1\n{rules}\n{sections if rules else ''}".encode()).hexdigest()


#: key of [polling] → codes of errors that another value may end
_ERRORS_OF = {
    "allow_private_addresses": frozenset({"blocked-address"}),
    "max_size": frozenset({"too-large"}),
    "timeout": frozenset({"timeout-total", "timeout-connect", "timeout-first-byte", "timeout-read", "dns-timeout"}),
}


def polling_limits(settings: Settings) -> dict[str, str]:
    """The values of ``[polling]`` that decide whether a source can be read."""
    return {key: repr(getattr(settings.polling, key)) for key in _ERRORS_OF}


def mended_errors(before: dict[str, str], after: dict[str, str]) -> frozenset[str]:
    """Codes of the errors that may have ended with a change of limits: their sources are worth another poll at once."""
    changed = [codes for key, codes in _ERRORS_OF.items() if before.get(key) != after.get(key)]
    return frozenset().union(*changed)


def short_of_room(directory: Path, *, spare_bytes: int = 0) -> StoreUnavailable | None:
    """Why nothing should be stored in `directory` that can be fetched again later; None: there is room."""
    try:
        disk = shutil.disk_usage(directory)
    except OSError as error:
        return StoreUnavailable(f"{directory}: {error}")
    if disk.free >= min(_MIN_FREE_BYTES, disk.total // 20) + spare_bytes:
        return None
    return StoreUnavailable(f"only {disk.free / 1e6:.1f} MB are free on the disk of the store")
