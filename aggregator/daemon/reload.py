"""A new configuration takes the place of the old one, or does not: a file with an error changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aggregator import config
from aggregator.config import Settings
from aggregator.daemon.counters import Counters
from aggregator.errors import ConfigError, StoreError
from aggregator.model.redact import public_url
from aggregator.sdnotify import Notifier

log = logging.getLogger(__name__)
Stamp = tuple[int, int, int]


class Reload:
    """Reads the file when it was saved or when asked to; `take_over` is called with settings that are valid."""

    def __init__(
        self,
        path: Path,
        *,
        take_over: Callable[[Settings], Awaitable[None]],
        notifier: Notifier,
        status: Callable[[], str],
        counters: Counters,
    ) -> None:
        self._path = path
        self._watch = FileWatch(path)
        self._take_over = take_over
        self._notifier = notifier
        self._status = status
        self._counters = counters
        self._wanted = False

    def want(self) -> None:
        """Somebody asks for it (SIGHUP), whether the file has changed or not."""
        self._wanted = True

    async def look(self) -> None:
        """To be called every second."""
        if self._wanted or self._watch.changed():
            self._wanted = False
            self._watch.seen()
            await self._reload()

    async def _reload(self) -> None:
        self._notifier.reloading()
        try:
            await self._take_over(await asyncio.to_thread(config.load, self._path))
        except ConfigError as error:
            self._refused(error)
        except StoreError as error:
            self._wanted = True
            log.warning("configuration waits for the store", extra={"why": error})
        else:
            self._counters.config_ok = True
            self._counters.reloads["taken"] += 1
        self._notifier.ready(self._status())

    def _refused(self, error: ConfigError) -> None:
        self._counters.config_ok = False
        self._counters.reloads["refused"] += 1
        for problem in error.problems:
            log.error("configuration refused, the old one stays", extra={"problem": problem})


def keep_fixed(old: Settings, new: Settings) -> Settings:
    """`new` with what cannot change while the daemon runs as it was; says so in the log."""
    fixed: dict[str, object] = {}
    if new.store != old.store:
        log.warning(
            "needs a restart: [store] url", extra={"now": public_url(old.store.url), "after": public_url(new.store.url)}
        )
        fixed["store"] = old.store
    if new.server.listen != old.server.listen:
        log.warning("needs a restart: [server] listen", extra={"now": old.server.listen, "after": new.server.listen})
        fixed["server"] = new.server.model_copy(update={"listen": old.server.listen})
    return new.model_copy(update=fixed)


@dataclass(slots=True)
class FileWatch:
    """Compares a file with how it was when last looked at."""

    path: Path
    _seen: Stamp | None = field(init=False)
    _pending: Stamp | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._seen = self._stamp()

    def changed(self) -> bool:
        """True once after each change, when the file has been the same for two looks: an editor may write in pieces.

        A file that is missing for a moment (saved by renaming) has not changed.
        """
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            self._pending = None
            return False
        if stamp != self._pending:
            self._pending = stamp
            return False
        self._seen, self._pending = stamp, None
        return True

    def seen(self) -> None:
        """Takes the file as it is now for known."""
        self._seen, self._pending = self._stamp(), None

    def _stamp(self) -> Stamp | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
