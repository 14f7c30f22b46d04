"""Reloads the configuration. A file with an error changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

try:
    from asyncinotify import Inotify, Mask
except ImportError:  # Linux only: elsewhere the file is looked at every two seconds
    Inotify = Mask = None  # type: ignore[assignment,misc]

from aggregator import config
from aggregator.config import Settings
from aggregator.config.settings import base_path
from aggregator.daemon.metrics import Metrics
from aggregator.errors import ConfigError, StoreError
from aggregator.sdnotify import Notifier
from aggregator.store import public_address

log = logging.getLogger(__name__)
Stamp = tuple[int, int, int]

#: a file that was saved is read once it has been the same for that long
SETTLE_S = 0.5
#: how often the file is looked at where the kernel tells of changes (not on a network file system), and where it cannot
LOOK_S, LOOK_WITHOUT_INOTIFY_S = 60.0, 2.0


class Reload:
    """Reads the file when it was saved or when asked to; `take_over` is called with settings that are valid."""

    def __init__(
        self,
        path: Path,
        *,
        take_over: Callable[[Settings], Awaitable[None]],
        notifier: Notifier,
        status: Callable[[], str],
        metrics: Metrics,
    ) -> None:
        self._path = path
        self._watch = FileWatch(path)
        self._take_over = take_over
        self._notifier = notifier
        self._status = status
        self._metrics = metrics
        self._wanted = False
        self._poke = asyncio.Event()
        self._look_s = LOOK_WITHOUT_INOTIFY_S

    def want(self) -> None:
        """Somebody asks for it (SIGHUP), whether the file has changed or not."""
        self._wanted = True
        self._poke.set()

    async def run(self) -> None:
        """Looks whenever the file was saved or somebody asks, until it is cancelled."""
        telling = asyncio.create_task(self._tell_of_changes(), name="inotify")
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SETTLE_S if self._watch.is_settling or self._wanted else self._look_s):
                        await self._poke.wait()
                self._poke.clear()
                await self.look()
        finally:
            telling.cancel()

    async def _tell_of_changes(self) -> None:
        """Pokes whenever a file of that name was closed after writing or renamed into place."""
        if Inotify is None:
            return
        names = {self._path.name, self._path.resolve().name}
        try:
            with Inotify() as inotify:
                for folder in {self._path.parent, self._path.resolve().parent}:
                    inotify.add_watch(folder, Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.CREATE)
                self._look_s = LOOK_S
                self._poke.set()  # what was saved before the watch began
                async for event in inotify:
                    if event.name is None or event.name.name in names:
                        self._poke.set()
        except OSError as error:
            self._look_s = LOOK_WITHOUT_INOTIFY_S
            log.info("the configuration is looked at every two seconds", extra={"why": error})

    async def look(self) -> None:
        """Reads the file if it was saved and has settled, or if somebody asked."""
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
            self._metrics.config_ok.set(1)
            self._metrics.config_reloads.labels("taken").inc()
        self._notifier.ready(self._status())

    def _refused(self, error: ConfigError) -> None:
        self._metrics.config_ok.set(0)
        self._metrics.config_reloads.labels("refused").inc()
        for problem in error.problems:
            log.error("configuration refused, the old one stays", extra={"problem": problem})


def keep_fixed(old: Settings, new: Settings) -> Settings:
    """`new` with what cannot change while the daemon runs as it was; says so in the log."""
    fixed: dict[str, object] = {}
    if new.store != old.store:
        log.warning(
            "needs a restart: [store] url",
            extra={"now": public_address(old.store.url), "after": public_address(new.store.url)},
        )
        fixed["store"] = old.store
    if new.server.listen != old.server.listen:
        log.warning("needs a restart: [server] listen", extra={"now": old.server.listen, "after": new.server.listen})
        fixed["server"] = new.server.model_copy(update={"listen": old.server.listen})
    if base_path(new.site.url) != base_path(old.site.url):
        # routes stand below it: links under another would lead nowhere
        log.warning("needs a restart: the path in [site] url", extra={"now": old.site.url, "after": new.site.url})
        fixed["site"] = new.site.model_copy(update={"url": old.site.url})
    return new.model_copy(update=fixed)


@dataclass(slots=True)
class FileWatch:
    """Compares a file with how it was when last looked at."""

    path: Path
    _seen: Stamp | None = field(init=False)
    _pending: Stamp | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._seen = self._stamp()

    @property
    def is_settling(self) -> bool:
        """Whether the file has changed at the last look, and may still be being written."""
        return self._pending is not None

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
