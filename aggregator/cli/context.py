"""What every command needs: the configuration, and the store that it names."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator.clock import wall
from aggregator.errors import NotFound

if TYPE_CHECKING:
    from aggregator.config import Settings
    from aggregator.store import Store


@dataclass(slots=True)
class Context:
    """One invocation: read lazily, so that a command that needs no store opens none."""

    #: as given with ``--config``; None: wherever `config.find` finds it
    config: Path | None = None
    _settings: Settings | None = field(default=None, repr=False)
    _clock: Callable[[], datetime] = field(default=wall, repr=False)

    @property
    def path(self) -> Path:
        """The configuration file. Raises ConfigError if there is none."""
        from aggregator import config

        return config.find(self.config)

    @property
    def settings(self) -> Settings:
        """The configuration. Raises ConfigError with everything that is wrong with it."""
        from aggregator import config

        if self._settings is None:
            self._settings = config.load(self.path)
        return self._settings

    @contextmanager
    def store(self, *, create: bool = False) -> Iterator[Store]:
        """The store of the configuration, closed afterwards. Raises StoreUnusable if there is none to open."""
        from aggregator import assemble
        from aggregator.store import open_store

        opened = open_store(self.settings.store.url, base=self.settings.store_base, create=create)
        try:
            self._clock = assemble.server_clock(self.settings, opened) or wall
            yield opened
        finally:
            opened.close()

    def named(self, name: str) -> str:
        """`name` if the configuration knows it; else the address of the source that `status` shows under that name.

        A source without a name of its own is shown with the title of its feed, which only the store knows.
        """
        from aggregator import config

        with contextlib.suppress(NotFound):
            config.find_source(self.settings, name)
            return name
        if has_store(self.settings):
            with self.store() as store:
                for health in store.sources(now=self.now()):
                    if health.ref.name == name:
                        return health.subscription.url
        return name

    def now(self) -> datetime:
        """The wall clock: of this machine, or of the database server once the store is open there."""
        return self._clock()


def program() -> str:
    """How a shell calls this program: by its name if that is on PATH, else by the path of its script."""
    script = Path(sys.executable).with_name("aggregator")
    found = shutil.which("aggregator")
    if found and os.path.realpath(found) == os.path.realpath(script):
        return "aggregator"
    if not script.exists():
        return shlex.join([sys.executable, "-m", "aggregator"])
    with contextlib.suppress(OSError, ValueError):
        script = script.relative_to(Path.cwd())
    return shlex.quote(str(script))


def listen_addresses(settings: Settings) -> tuple[str, ...]:
    """``[server] listen`` as a tuple, each HOST:PORT or ``unix:PATH``."""
    return settings.server.listen


def store_path(settings: Settings) -> Path:
    """The file of a SQLite store; it need not exist yet."""
    return settings.store_base / settings.store.url.partition(":")[2]


def has_store(settings: Settings) -> bool:
    """Whether the store exists. Opening one that does not exist would create it."""
    from aggregator.store import is_postgresql

    try:
        return is_postgresql(settings.store.url) or store_path(settings).is_file()
    except OSError:  # a folder that may not be read: opening the store says so
        return True


pass_context = click.make_pass_decorator(Context, ensure=True)
