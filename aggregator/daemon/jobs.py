"""What the daemon does again and again, each by itself and within a time of its own."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator import assemble
from aggregator.daemon.maintenance import Backups, retain, short_of_room
from aggregator.schedule import Job

if TYPE_CHECKING:
    from aggregator.daemon.service import Daemon

__all__ = ["Jobs"]

log = logging.getLogger(__name__)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Jobs:
    """The jobs of a daemon, which may have taken over new settings since they were last done."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def jobs(self) -> list[Job]:
        """All of them, with how often they are due and how long they may take."""
        daemon = self._daemon
        watchdog = daemon.notifier.watchdog
        backup = Job(name="backup", every=5 * MINUTE, run=self._backup, deadline=30 * MINUTE, delay=MINUTE)
        retention = Job(name="retention", every=60 * MINUTE, run=self._retain, deadline=30 * MINUTE, delay=2 * MINUTE)
        jobs = [
            Job(name="poll", every=SECOND, run=self._poll, deadline=30 * SECOND),
            Job(name="push", every=30 * SECOND, run=daemon.websub.tick, deadline=10 * MINUTE, delay=5 * SECOND),
            Job(name="views", every=SECOND, run=self._fold, deadline=30 * SECOND),
            Job(name="ping", every=10 * SECOND, run=self._ping, deadline=5 * SECOND),
            Job(name="config", every=SECOND, run=daemon.reload.look, deadline=MINUTE),
            Job(name="figures", every=10 * SECOND, run=self._figures, deadline=30 * SECOND),
            Job(name="pace", every=15 * MINUTE, run=daemon.pace, deadline=MINUTE, delay=15 * MINUTE),
            Job(name="midnight", every=MINUTE, run=self._roll, deadline=MINUTE),
            backup,
            retention,
        ]
        if watchdog is not None:
            jobs.append(Job(name="watchdog", every=watchdog / 3, run=self._feed_watchdog, deadline=SECOND))
        return jobs

    async def _poll(self) -> None:
        poll_loop = self._daemon.poll_loop
        if full := short_of_room(assemble.state_dir(self._daemon.settings)):
            poll_loop.pause(full)
        else:
            await poll_loop.claim_due()

    async def _fold(self) -> None:
        if await asyncio.to_thread(self._daemon.store.fold_views):
            self._daemon.refresh_loop.want()

    async def _ping(self) -> None:
        await asyncio.to_thread(self._daemon.store.ping)

    async def _figures(self) -> None:
        await asyncio.to_thread(self._daemon.figures.read, self._daemon.store, self._daemon.clock())

    async def _roll(self) -> None:
        await asyncio.to_thread(self._daemon.services.audience.roll, now=self._daemon.clock())

    async def _retain(self) -> None:
        daemon = self._daemon
        await asyncio.to_thread(retain, daemon.store, daemon.settings.retention.items, daemon.clock())

    async def _backup(self) -> None:
        backup, now = self._daemon.settings.backup, self._daemon.clock()
        directory = assemble.state_dir(self._daemon.settings) / "backup"
        backups = Backups(directory=directory, every=backup.every, keep=backup.keep)
        if backups.due(now):
            await asyncio.to_thread(backups.make, self._daemon.store, now)

    async def _feed_watchdog(self) -> None:
        health = self._daemon.health_check.health()
        if health.live:
            self._daemon.notifier.alive()
        else:
            log.error("no progress; the watchdog is not fed", extra=dict(health.checks))
