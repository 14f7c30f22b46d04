"""One process of several on a store: reports itself, holds the role of the curator, notices changes of the others."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator import __version__
from aggregator.applied import Effective
from aggregator.clock import SMALL_STEP, RemoteClock, since_boot_s
from aggregator.config import Settings
from aggregator.daemon.notices import Notices
from aggregator.errors import StoreError
from aggregator.model import Process
from aggregator.store import Store

__all__ = ["ASK_HUBS", "CURATE", "TELL_SUBSCRIBERS", "FleetMember", "Spans", "tell_differences", "this_process"]

log = logging.getLogger(__name__)

#: the role that one process has at a time
CURATE = "curate"
#: what one collector does for all, asking hubs and fetching lists of feeds; and one server, telling subscribers
ASK_HUBS, TELL_SUBSCRIBERS = "hubs", "subscribers"
_LEASES = {"collect": ASK_HUBS, "serve": TELL_SUBSCRIBERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """How long a role is held without being renewed, and how often is looked."""

    lease: timedelta = timedelta(seconds=18)
    #: how often a role is renewed, or asked for
    renew: timedelta = timedelta(seconds=4)
    #: how often it is looked whether another process has changed something
    look: timedelta = timedelta(seconds=1)

    @property
    def takeover(self) -> timedelta:
        """The longest time after which another process has the role of one that has stopped, but for slow answers.

        It had just renewed the role, and the other one had asked just before the lease ended.
        """
        return self.lease + self.renew + self.look


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
        server_clock: RemoteClock,
        on_role: Callable[[bool], Awaitable[None]],
        on_change: Callable[[], None],
        spans: Spans = Spans(),
        elapsed_s: Callable[[], float] = since_boot_s,
    ) -> None:
        """`elapsed_s`: seconds that pass while the machine sleeps as well, during which leases end."""
        self._store, self._process, self._clock = store, process, clock
        self._server_clock, self._elapsed_s = server_clock, elapsed_s
        self._on_role, self._on_change = on_role, on_change
        self._lease, self._lease_s = spans.lease, spans.lease.total_seconds()
        self._renew_s, self._look_s = spans.renew.total_seconds(), spans.look.total_seconds()
        self._generation: int | None = None
        self._clock_differs = False
        #: names of roles and of `_LEASES` that are held, and when they were last renewed
        self._held_s: dict[str, float] = {}
        self.curates = False

    def does(self, name: str) -> bool:
        """Whether this is the process that does `name` for all."""
        held_s = self._held_s.get(name)
        return held_s is not None and self._elapsed_s() - held_s < self._lease_s

    async def run(self) -> None:
        """Until it is cancelled."""
        reported_s: float | None = None
        while True:
            try:
                if reported_s is None or self._elapsed_s() - reported_s >= self._renew_s:
                    began_s = self._elapsed_s()
                    await self._report()
                    reported_s = began_s
                await self._look()
            except StoreError as error:
                log.warning("the store cannot be reached", extra={"why": error})
            except Exception:
                # The edge of the loop: a fault must not end it, and with it all curating.
                log.exception("looking at the fleet failed")
            if self.curates and not self.does(CURATE):
                await self._set_role(curates=False)
            await asyncio.sleep(self._look_s)

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
        await asyncio.to_thread(self._server_clock.read)
        self._compare_clocks()
        now, asked_s = self._clock(), self._elapsed_s()
        await asyncio.to_thread(self._store.report_process, self._process, now=now)
        holder = self._process.id
        if CURATE in self._process.roles:
            held = await asyncio.to_thread(self._store.hold_role, CURATE, holder=holder, lease=self._lease, now=now)
            self._note(CURATE, asked_s if held else None)
            await self._set_role(curates=held)
        for role, name in _LEASES.items():
            if role in self._process.roles:
                held = await asyncio.to_thread(self._store.hold_lease, name, holder=holder, lease=self._lease, now=now)
                self._note(name, asked_s if held else None)

    def _note(self, name: str, asked_s: float | None) -> None:
        """Whether a lease is held, which was asked for at `asked_s`."""
        if asked_s is None:
            self._held_s.pop(name, None)
        else:
            self._held_s[name] = asked_s

    def _compare_clocks(self) -> None:
        ahead = self._server_clock.ahead
        differs = abs(ahead) > SMALL_STEP
        if differs and not self._clock_differs:
            log.warning(
                "this machine's clock differs from that of the database server, which is used",
                extra={"ahead_s": round(ahead.total_seconds(), 1)},
            )
        self._clock_differs = differs

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
