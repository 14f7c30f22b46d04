"""One process of several on a store: reports itself, holds the role of the curator, notices changes of the others."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from aggregator import __version__
from aggregator.applied import Effective
from aggregator.config import Settings
from aggregator.daemon.notices import Notices
from aggregator.errors import StoreError
from aggregator.model import Process
from aggregator.store import Store

__all__ = ["ASK_HUBS", "CURATE", "TELL_SUBSCRIBERS", "FleetMember", "tell_differences", "this_process"]

log = logging.getLogger(__name__)

#: the role that one process has at a time
CURATE = "curate"
#: what one collector does for all, asking hubs and fetching lists of feeds; and one server, telling subscribers
ASK_HUBS, TELL_SUBSCRIBERS = "hubs", "subscribers"
_LEASES = {"collect": ASK_HUBS, "serve": TELL_SUBSCRIBERS}
#: how long the role is held without being renewed, and how often it is renewed
LEASE = timedelta(seconds=20)
RENEW = timedelta(seconds=5)
#: how often it is looked whether another process has changed something
LOOK = timedelta(seconds=1)


def this_process(roles: tuple[str, ...], *, started: datetime) -> Process:
    """This process, under a name that no other one has."""
    host = socket.gethostname()
    name = f"{host}-{os.getpid()}-{os.urandom(3).hex()}"
    return Process(id=name, roles=roles, host=host, version=__version__, started=started)


def tell_differences(notices: Notices, local: Settings, applied: Effective, *, now: datetime) -> None:
    """Says where the file of this machine is not what is applied; it changes nothing until it is applied."""
    where = f"{local.path} is not the applied configuration (version {applied.version})"
    for line in applied.differences:
        log.warning(where, extra={"applying": line})
    message = f"{where}: `aggregator apply` makes it so." if applied.differences else None
    notices.hold("config-differs", message, now=now)


class FleetMember:
    """Runs beside the rest of the daemon until it is stopped.

    `on_role(True)` is awaited when this process has become the curator, `on_role(False)` when it is no more: another
    one has taken the role, or the store could not be reached for as long as the role is held. `on_change` is called
    when something that readers see has changed.
    """

    def __init__(
        self,
        store: Store,
        process: Process,
        *,
        clock: Callable[[], datetime],
        on_role: Callable[[bool], Awaitable[None]],
        on_change: Callable[[], None],
    ) -> None:
        self._store, self._process, self._clock = store, process, clock
        self._on_role, self._on_change = on_role, on_change
        self._generation: int | None = None
        self._renewed_s = -LEASE.total_seconds()
        self.curates = False
        #: names of `_LEASES` that are held, and when they were last renewed
        self._held_s: dict[str, float] = {}

    def does(self, name: str) -> bool:
        """Whether this is the process that does `name` for all."""
        return time.monotonic() - self._held_s.get(name, -LEASE.total_seconds()) < LEASE.total_seconds()

    async def run(self) -> None:
        """Until it is cancelled."""
        reported_s = -RENEW.total_seconds()
        while True:
            try:
                if time.monotonic() - reported_s >= RENEW.total_seconds():
                    await self._report()
                    reported_s = time.monotonic()
                await self._look()
            except StoreError as error:
                log.warning("the store cannot be reached", extra={"why": error})
            except Exception:
                # The edge of the loop: a fault must not end it, and with it all curating.
                log.exception("looking at the fleet failed")
            if self.curates and time.monotonic() - self._renewed_s > LEASE.total_seconds():
                await self._set_role(curates=False)
            await asyncio.sleep(LOOK.total_seconds())

    async def stop(self) -> None:
        """Gives the role back and says that this process has ended."""
        await self._set_role(curates=False)
        try:
            for name in (CURATE, *_LEASES.values()):
                await asyncio.to_thread(self._store.release_role, name, holder=self._process.id)
            await asyncio.to_thread(self._store.remove_process, self._process.id)
        except StoreError as error:
            log.warning("the role ends with its lease", extra={"why": error})

    async def _report(self) -> None:
        now, began_s = self._clock(), time.monotonic()
        await asyncio.to_thread(self._store.report_process, self._process, now=now)
        if CURATE in self._process.roles:
            held = await asyncio.to_thread(self._store.hold_role, CURATE, holder=self._process.id, lease=LEASE, now=now)
            if held:
                self._renewed_s = began_s
            await self._set_role(curates=held)
        for role, name in _LEASES.items():
            if role in self._process.roles and await asyncio.to_thread(
                self._store.hold_lease, name, holder=self._process.id, lease=LEASE, now=now
            ):
                self._held_s[name] = began_s

    async def _set_role(self, *, curates: bool) -> None:
        if curates != self.curates:
            self.curates = curates
            log.info("curates from now on" if curates else "curates no more", extra={"member": self._process.id})
            await self._on_role(curates)

    async def _look(self) -> None:
        generation = await asyncio.to_thread(self._store.generation)
        if generation != self._generation:
            self._generation = generation
            self._on_change()
