"""Timed jobs of the daemon: each runs independently of the others and within its own deadline.

No job runs every second: the poll loop sleeps until a source is due (`poll_loop`), views are folded after one has been
recorded, and the configuration file is watched.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import date, timedelta
from typing import Protocol

from aggregator import assemble, sdnotify
from aggregator.applied import share_lists
from aggregator.clock import SteadyClock
from aggregator.collect.fetch import Fetcher
from aggregator.collect.parse import TwoTierParsePool
from aggregator.config import Settings
from aggregator.daemon.digests import Digests, in_a_thread
from aggregator.daemon.fleet import ASK_HUBS, FleetMember
from aggregator.daemon.health import HealthCheck
from aggregator.daemon.maintenance import Backups, Ballast, retain
from aggregator.daemon.notices import Notices
from aggregator.daemon.refresh_loop import RefreshLoop
from aggregator.daemon.websub import WebSub
from aggregator.errors import StoreDamaged, StoreError
from aggregator.following import refresh_feed_lists
from aggregator.publish.web import Services
from aggregator.schedule import Job
from aggregator.store import Store, is_postgresql

__all__ = ["Jobs"]

log = logging.getLogger(__name__)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Parts(Protocol):
    """What the jobs need of the daemon, which may take over new settings between two of them."""

    settings: Settings
    store: Store
    notifier: sdnotify.Notifier
    clock: SteadyClock
    parser: TwoTierParsePool
    refresh_loop: RefreshLoop
    websub: WebSub
    notices: Notices
    services: Services
    ballast: Ballast
    fetcher: Fetcher
    health_check: HealthCheck
    roles: frozenset[str]
    member: FleetMember | None

    async def follow(self) -> None:
        """Takes over what is followed now."""

    async def pace(self) -> None:
        """Looks whether polls keep within the budget."""

    def does(self, name: str) -> bool:
        """Whether this process does what one does for all."""

    def mend(self, damage: StoreDamaged) -> None:
        """The store is damaged: starts again with a backup."""

    def notice_others(self) -> None:
        """Looks whether another daemon works on the same store."""


class Jobs:
    """The jobs of a daemon."""

    def __init__(self, daemon: Parts) -> None:
        self._daemon = daemon
        self._digests = Digests(daemon.store)
        #: the day (UTC) that the audience has been told of
        self._day: date | None = None

    def jobs(self) -> list[Job]:
        """All of them, with how often they are due and how long they may take."""
        daemon = self._daemon
        watchdog = daemon.notifier.watchdog
        jobs = [
            Job(name="ping", every=20 * SECOND, run=self._ping, deadline=5 * SECOND),
            Job(name="backup", every=5 * MINUTE, run=self._backup, deadline=30 * MINUTE, delay=MINUTE),
            Job(name="retention", every=60 * MINUTE, run=self._retain, deadline=30 * MINUTE, delay=2 * MINUTE),
        ]
        if "collect" in daemon.roles:
            jobs += [
                Job(name="push", every=30 * SECOND, run=self._ask_hubs, deadline=10 * MINUTE, delay=5 * SECOND),
                Job(name="pace", every=15 * MINUTE, run=daemon.pace, deadline=MINUTE, delay=15 * MINUTE),
                Job(name="lists", every=5 * MINUTE, run=self._refresh_lists, deadline=5 * MINUTE, delay=5 * SECOND),
            ]
        if "curate" in daemon.roles:
            jobs.append(
                # the first run leaves some time for lists to be made of what came since the last stop
                Job(name="digests", every=MINUTE, run=self._send_digests, deadline=10 * MINUTE, delay=20 * SECOND)
            )
        if "serve" in daemon.roles:
            jobs += [
                Job(name="views", every=5 * MINUTE, run=self.fold, deadline=30 * SECOND),
                Job(name="midnight", every=MINUTE, run=self._roll, deadline=MINUTE),
            ]
        if watchdog is not None:
            jobs.append(Job(name="watchdog", every=watchdog / 3, run=self._feed_watchdog, deadline=SECOND))
        return [replace(job, expected=(StoreError,)) for job in jobs]

    async def fold(self) -> None:
        """Counts the views that were recorded. They wait where the store takes no writes."""
        try:
            if await asyncio.to_thread(self._daemon.store.fold_views):
                self._daemon.refresh_loop.want()
        except StoreError as error:
            log.debug("views wait", extra={"why": error})  # why polling waits is told once a minute

    async def _ping(self) -> None:
        daemon = self._daemon
        await daemon.parser.end_idle()
        try:
            await asyncio.to_thread(daemon.store.ping)
        except StoreDamaged as error:
            daemon.mend(error)
        else:
            daemon.notice_others()

    async def _ask_hubs(self) -> None:
        """Asks hubs for what is due, or reads what another collector has asked them for."""
        daemon = self._daemon
        if daemon.member is None or daemon.does(ASK_HUBS):
            await daemon.websub.tick(shared=daemon.member is not None)
        else:
            await daemon.websub.subscriber.start()

    async def _refresh_lists(self) -> None:
        """Requests the lists of ``[[subscriptions]]`` that are due, and follows what they name."""
        daemon = self._daemon
        if not daemon.does(ASK_HUBS):
            return
        changed = await refresh_feed_lists(daemon.settings, daemon.fetcher, daemon.clock)
        if daemon.member is not None and daemon.settings.subscriptions:
            await asyncio.to_thread(share_lists, daemon.settings, daemon.store, now=daemon.clock())
        if changed:
            await daemon.follow()

    async def _roll(self) -> None:
        now = self._daemon.clock()
        if now.date() != self._day:
            await asyncio.to_thread(self._daemon.services.audience.roll, now=now)
            self._day = now.date()

    async def _send_digests(self) -> None:
        """Issues the digests that are due, and sends those that are not sent yet."""
        daemon = self._daemon
        site, lists = daemon.services.site, daemon.services.lists
        if not any(feed.every for feed in site.feeds) or (daemon.member is not None and not daemon.member.curates):
            return
        settings = daemon.settings
        unsent = await in_a_thread(lambda: self._digests.run(settings, site, lists, clock=daemon.clock))
        daemon.notices.hold("digest-not-sent", unsent or None, now=daemon.clock())

    async def _retain(self) -> None:
        daemon = self._daemon
        if daemon.member is not None and not daemon.member.curates:
            return
        await asyncio.to_thread(retain, daemon.store, daemon.settings.retention.items, daemon.clock())

    async def _backup(self) -> None:
        daemon = self._daemon
        backup, now = daemon.settings.backup, daemon.clock()
        directory = assemble.state_dir(daemon.settings)
        await asyncio.to_thread(daemon.ballast.keep)
        backups = Backups(directory=directory / "backup", every=backup.every, keep=backup.keep)
        if is_postgresql(daemon.settings.store.url) or not backups.due(now):
            return
        try:
            await asyncio.to_thread(backups.make, daemon.store, now)
        except StoreDamaged as error:
            daemon.mend(error)

    async def _feed_watchdog(self) -> None:
        check = self._daemon.health_check
        if check.makes_progress():
            self._daemon.notifier.alive()
        else:
            log.error("no progress; the watchdog is not fed", extra=dict(check.health().checks))
