"""Runs the daemon from start to stop.

start   store (a damaged one is replaced by its newest good backup) → sources → web server → READY
run     when it is due  claim sources, as many as there are free slots
        on new items    refresh the lists (in a thread)
        on a view       fold the views that were recorded
        on save, SIGHUP the new configuration, or the old one and a line that says why
        now and then    retention, backups, the watchdog
stop    STOPPING → no new work → fetches are cut short, what is being stored is stored → views folded → store closed
mend    damage found while running → as stop, without STOPPING → as start, in this process
"""

from __future__ import annotations

import asyncio
import logging
import platform
import socket
import time
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from functools import partial
from pyexpat import EXPAT_VERSION
from typing import Any

from aggregator import __version__, assemble, config
from aggregator.applied import effective, take_lists, versions
from aggregator.clock import RemoteClock
from aggregator.collect.fetch import Fetcher
from aggregator.collect.poll import Poller, PollOutcome
from aggregator.config import Settings
from aggregator.daemon.fleet import TELL_SUBSCRIBERS, FleetMember, tell_differences, this_process
from aggregator.daemon.health import HealthCheck
from aggregator.daemon.jobs import Jobs
from aggregator.daemon.maintenance import (
    Ballast,
    ConfigMark,
    mended_errors,
    open_store,
    polling_limits,
    rescue,
    short_of_room,
)
from aggregator.daemon.metrics import Metrics, StoreGauges
from aggregator.daemon.network_watch import NetworkWatch
from aggregator.daemon.notices import Notices
from aggregator.daemon.observers import TimedFetcher, TimedParser, note_poll, progress_gauges
from aggregator.daemon.poll_budget import PollBudget
from aggregator.daemon.poll_loop import PollLoop, lease_length
from aggregator.daemon.refresh_loop import RefreshLoop
from aggregator.daemon.reload import Reload, keep_fixed
from aggregator.daemon.runtime import Signals
from aggregator.daemon.websub import WebSub
from aggregator.errors import AggregatorError, ConfigError, StoreDamaged, StoreError, StoreUnavailable
from aggregator.following import followed
from aggregator.model import ROLES
from aggregator.publish.audience import Audience
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages
from aggregator.publish.web import WebServer, create_app, serve
from aggregator.schedule import Schedule
from aggregator.sdnotify import Notifier
from aggregator.store import PollChanges, Store, sweep
from aggregator.threads import ReadyThreads

log = logging.getLogger(__name__)

#: blocking calls of the store that may be under way at once; names are resolved elsewhere
THREADS = 32
#: from the signal to the end; the unit allows 30 s
STOP_WITHIN = timedelta(seconds=5)
#: views are counted so long after the first of them, together
FOLD_AFTER = timedelta(seconds=1)


class Daemon:
    """Everything that runs, from the open store to the listening socket. To be made and run inside one event loop."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        notifier: Notifier,
        signals: Signals,
        roles: Sequence[str] = ROLES,
        server_clock: RemoteClock | None = None,
    ) -> None:
        self.settings = settings
        self.roles = frozenset(roles)
        self._signals = signals
        self.store = store
        self.notifier = notifier
        self.server_clock = server_clock
        self.clock = assemble.steady_clock(server_clock)
        self.metrics = Metrics()
        self.parser = assemble.parser()
        self.fetcher = assemble.fetcher(settings, self.clock, assemble.address_slots(settings, store, self.clock))
        self.refresh_loop = self._new_refresh_loop()
        self.websub = WebSub(settings, store, self.parser, clock=self.clock, on_delivered=self._stored)
        self.poll_budget = PollBudget(store, self.clock, lambda: self.settings)
        self.poller = self._poller(settings)
        self.ballast = Ballast(assemble.state_dir(settings))
        self.poll_loop = PollLoop(
            store,
            self.poller,
            slots=settings.polling.concurrency,
            per_host=settings.polling.per_host,
            lease=lease_length(settings.polling.timeout),
            clock=self.clock,
            on_polled=self._polled,
            room=lambda: short_of_room(assemble.state_dir(self.settings)),
            probe=self.parser.probe,
            on_resume=self._spread_overdue,
        )
        self.reload = Reload(
            settings.path,
            take_over=self._take_over,
            notifier=notifier,
            status=self.status,
            metrics=self.metrics,
        )
        self.jobs = Jobs(self)
        self.schedule = Schedule(self.jobs.jobs())
        #: why this daemon ends and another takes its place in this process
        self.damage: StoreDamaged | None = None
        self.health_check = HealthCheck(
            progress=self.schedule.progress,
            serving=lambda: self._web is not None or "serve" not in self.roles,
            looked_s=lambda: self.poll_loop.looked_s if "collect" in self.roles else time.monotonic(),
            blocked=lambda: self.poll_loop.blocked,
            damage=lambda: self.damage,
            started_s=time.monotonic(),
        )
        self.store_gauges = StoreGauges()
        self.metrics.registry.register(self.store_gauges)
        self.metrics.registry.register(progress_gauges(self))
        self.services = assemble.services(
            settings,
            store,
            audience=self._audience(settings),
            clock=self.clock,
            health=self.health_check.health,
            metrics=self._metrics_text,
            send=assemble.send(lambda: self.fetcher),
            deliveries=self.websub.subscriber,
        )
        self.services.observe_response = self.metrics.response_duration.observe
        shared = None if server_clock is None else store
        self.config_mark = ConfigMark(assemble.state_dir(settings) / "config.mark", shared=shared)
        self.notices = Notices(assemble.state_dir(settings), now=self.clock(), on_change=self.services.put_notices)
        self._network = NetworkWatch(self.notices)
        self.member = self._fleet_member(server_clock) if server_clock is not None else None
        self.services.tells = lambda: self.does(TELL_SUBSCRIBERS)
        #: what the file of this machine says; the versions of what is shared that were seen last
        self.local, self._versions = settings, dict[str, int]()
        self._web: WebServer | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._folding: asyncio.Task[None] | None = None
        self._has_others = False

    @classmethod
    async def run(
        cls,
        settings: Settings,
        *,
        notifier: Notifier,
        sockets: Sequence[socket.socket] = (),
        roles: Sequence[str] = ROLES,
    ) -> None:
        """Runs until SIGTERM or SIGINT. Raises StoreUnusable, or AggregatorError if it cannot listen.

        `roles`: what this process does of what there is to do; the rest is done by others on the same store.

        A store that turns out to be damaged is replaced by its newest good backup, here and while it is in use: then
        everything is built again in this process.
        """
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ReadyThreads(THREADS, "blocking"))
        signals, mended = Signals(), ""
        while (opened := await open_store(settings, notifier, signals.stop)) is not None:
            store, told = opened
            mended = told or mended
            try:
                remote = await asyncio.to_thread(assemble.server_clock, settings, store)
                applied = await asyncio.to_thread(effective, settings, store, now=assemble.steady_clock(remote)())
                daemon = cls(
                    applied.settings, store, notifier=notifier, signals=signals, roles=roles, server_clock=remote
                )
                daemon.local = settings
                tell_differences(daemon.notices, settings, applied, now=daemon.clock())
                if mended:
                    daemon.notices.put("store-restored", mended, now=daemon.clock())
                # each turn closes the sockets it serves on
                await daemon.live([own.dup() for own in sockets])
                if daemon.damage is not None:
                    await asyncio.to_thread(rescue, store)
            finally:
                await asyncio.to_thread(store.close)
            if daemon.damage is None:
                break
            settings, mended = daemon.settings, f"The store was opened again: {daemon.damage}."
        log.info("stopped")

    async def live(self, sockets: Sequence[socket.socket]) -> None:
        """Starts, waits for a signal or for damage, winds down."""
        self._signals.reload_by(self.reload.want)
        try:
            await self._start(sockets)
            self.notifier.ready(self.status())
            await self._signals.stop.wait()
        finally:
            if self.damage is None:
                self.notifier.stopping()
            else:
                self._signals.stop.clear()
            await self._wind_down()

    async def _start(self, sockets: Sequence[socket.socket]) -> None:
        now = self.clock()
        versions = {
            "version": __version__,
            "python": platform.python_version(),
            "expat": EXPAT_VERSION.removeprefix("expat_"),
        }
        log.info("starting", extra={**versions, "config": self.settings.path})
        for problem in self.settings.warnings:
            log.warning("configuration", extra={"problem": problem})
        await self._prepare(now)
        await self.pace()
        await asyncio.to_thread(self.services.audience.start, now=now)
        await self.websub.start()
        if "serve" in self.roles:
            await self._serve(sockets)
        if self.member is None:
            self._start_curating()
        self.schedule.start()
        self._loops = [asyncio.create_task(self.reload.run(), name="reload")]
        if "collect" in self.roles:
            self._loops.append(asyncio.create_task(self.poll_loop.run(), name="poll loop"))
        if self.member is not None:
            self._loops.append(asyncio.create_task(self.member.run(), name="fleet"))
        log.info("ready", extra={"sources": len(self.settings.sources), "url": self.settings.site.url})

    async def _serve(self, sockets: Sequence[socket.socket]) -> None:
        try:
            self._web = await serve(
                create_app(self.services),
                listen=self.settings.server.listen,
                sockets=sockets,
                socket_mode=int(self.settings.server.socket_mode, 8),
            )
        except OSError as error:
            where = ", ".join(self.settings.server.listen)
            raise AggregatorError(f"cannot listen on [server] listen = {where}: {error.strerror or error}") from error

    def _new_refresh_loop(self) -> RefreshLoop:
        refresher, observe = assemble.refresher(self.settings, self.store), self.metrics.refresh_duration.observe
        return RefreshLoop(refresher, clock=self.clock, observe=observe)

    def _start_curating(self) -> None:
        self._judge_anew_if_changed()
        self.refresh_loop.start()

    def _fleet_member(self, server_clock: RemoteClock) -> FleetMember:
        process = this_process(tuple(role for role in ROLES if role in self.roles), started=self.clock())

        async def on_role(curates: bool) -> None:
            """What the last curator had in memory is old when this process becomes the curator again."""
            if curates:
                self._start_curating()
            else:
                await self.refresh_loop.stop(within=STOP_WITHIN / 2)
                self.refresh_loop = self._new_refresh_loop()

        def on_change() -> None:
            self.refresh_loop.want()
            self._background(self._look_at_shared(), "configuration")

        return FleetMember(
            self.store, process, clock=self.clock, server_clock=server_clock, on_role=on_role, on_change=on_change
        )

    async def _prepare(self, now: datetime) -> None:
        """Takes over sources and leases. A store that takes no writes at the moment is served as it is."""
        directory = assemble.state_dir(self.settings)
        for path in await asyncio.to_thread(lambda: sweep(directory) + sweep(directory / "backup")):
            log.info("temporary file removed", extra={"path": path})
        try:
            await asyncio.to_thread(self.store.enter, "daemon", now=now)
            if self.member is not None:
                self._versions = await asyncio.to_thread(versions, self.store)
                await asyncio.to_thread(take_lists, self.settings, self.store)
            await asyncio.to_thread(self.store.sync_sources, followed(self.settings), now=now, catch_up=True)
            if (limits := self.config_mark.limits(self.settings)) is not None:
                await self._retry_mended(limits)
        except StoreUnavailable as error:
            self.poll_loop.pause(error)
            self.reload.want()  # the sources are taken over as soon as the store takes writes
        self.notice_others()

    async def _wind_down(self) -> None:
        """Everything that may take long, side by side; then the rest in order."""
        if self.damage is None:
            self._signals.ignore()
        log.info("stopping", extra={"polls_in_flight": self.poll_loop.in_flight})
        for task in self._loops:
            task.cancel()
        within = STOP_WITHIN / 2
        web = self._web.stop(grace_s=within.total_seconds()) if self._web else asyncio.sleep(0)
        jobs, polls = self.schedule.stop(within=within), self.poll_loop.stop(within=within)
        await asyncio.gather(web, jobs, polls, self.refresh_loop.stop(within=within))
        await asyncio.gather(self.parser.close(), self.fetcher.close(), self.websub.stop())
        await asyncio.gather(*self._loops, return_exceptions=True)
        if self.member is not None:
            await self.member.stop()
        self.notices.forget_present()
        try:
            await asyncio.to_thread(self.store.fold_views)
        except StoreError as error:
            log.warning("views wait for the next start", extra={"why": error})

    def does(self, name: str) -> bool:
        """Whether this process does what one does for all: alone, or by a lease."""
        return self.member is None or self.member.does(name)

    async def _look_at_shared(self) -> None:
        """Follows a configuration, or a list of feeds, that another process has written."""
        if (found := await asyncio.to_thread(versions, self.store)) == self._versions:
            return
        former, self._versions = self._versions, found
        if former.get("config.toml", 0) not in {0, found.get("config.toml", 0)}:
            try:
                await self._take_over(self.local)
            except ConfigError as error:
                for problem in error.problems:
                    log.warning("the applied configuration cannot be followed here", extra={"problem": problem})
        if await asyncio.to_thread(take_lists, self.settings, self.store):
            await self.follow()

    def mend(self, damage: StoreDamaged) -> None:
        """The store is damaged, or its file is not there any more: everything is built again on what can be had."""
        if self.damage is None:
            self.damage = damage
            log.error("store damaged; starting again", extra={"why": damage})
            self._signals.stop.set()

    def notice_others(self) -> None:
        """Looks for other daemons on the same store, why polling waits, and whether there are too many items."""
        now, others, blocked = self.clock(), self.store.daemons(), self.poll_loop.blocked
        if others and not self._has_others:
            log.warning(
                "another daemon uses this store", extra={"daemons": others + 1, "store": self.settings.store.url}
            )
        self._has_others = bool(others)
        message = f"{others + 1} daemons use this store: stop all but one." if others else None
        self.notices.hold("second-daemon", message, now=now)
        self.notices.hold("polling-waits", f"Polling waits: {blocked}." if blocked else None, now=now)
        self.notices.hold("too-many-items", self.refresh_loop.shortage, now=now)

    def _watch_network(self) -> None:
        """Failures that were counted before an outage was understood are taken back."""
        now = self.clock()
        if counted := self._network.look(self.poller.outage, now=now):
            due = now + timedelta(minutes=1)
            self._background(asyncio.to_thread(self.store.take_back, counted, due=due), "take back")

    async def _take_over(self, local: Settings) -> None:
        """Replaces what depends on the settings. StoreError, ConfigError: nothing has been replaced."""
        applied = await asyncio.to_thread(effective, local, self.store, now=self.clock())
        self.local = local
        tell_differences(self.notices, local, applied, now=self.clock())
        old, new = self.settings, keep_fixed(self.settings, applied.settings)
        for line in config.diff(old, new):
            log.info("configuration changed", extra={"change": line.removeprefix("would ")})
        await asyncio.to_thread(self.store.sync_sources, followed(new), now=self.clock())
        self.settings = new
        self._replace_fetching(new)
        self.config_mark.limits(new)
        await self._retry_mended(polling_limits(old))
        await self.pace()
        await self.websub.take_over(new)
        site = assemble.site(new, self.store)
        self.services.reload(site=site, lists=Lists(self.store, site), pages=Pages(site))
        if (old.site.url, old.server) != (new.site.url, new.server):
            self.services.audience = self._audience(new)
        self.refresh_loop.refresher.options = assemble.curate_options(new)
        self._judge_anew_if_changed()
        self.refresh_loop.want()
        self.poll_loop.wake()

    async def follow(self) -> None:
        """Takes over what the lists of ``[[subscriptions]]`` name now."""
        await asyncio.to_thread(self.store.sync_sources, followed(self.settings), now=self.clock())
        log.info("a list of feeds has changed", extra={"sources": len(followed(self.settings))})
        site = assemble.site(self.settings, self.store)
        self.services.reload(site=site, lists=Lists(self.store, site), pages=Pages(site))
        self.refresh_loop.refresher.options = assemble.curate_options(self.settings)
        self.refresh_loop.want()
        await self.pace()
        self.poll_loop.wake()

    async def _retry_mended(self, before: dict[str, str]) -> None:
        """Makes sources due at once whose last error may have ended with a change of limits."""
        codes = mended_errors(before, polling_limits(self.settings))
        if count := await asyncio.to_thread(self.store.make_due, codes, now=self.clock()):
            log.info("limits changed; sources that failed by them are polled again", extra={"sources": count})

    async def _spread_overdue(self) -> None:
        """After a suspension: what has become due meanwhile is polled one a second, not all at once."""
        try:
            await asyncio.to_thread(self.store.sync_sources, followed(self.settings), now=self.clock(), catch_up=True)
        except StoreError as error:
            self.poll_loop.pause(error)

    def _replace_fetching(self, new: Settings) -> None:
        slots = assemble.address_slots(new, self.store, self.clock)
        former, self.fetcher = self.fetcher, assemble.fetcher(new, self.clock, slots)
        self.poller = self.poll_loop.poller = self._poller(new)
        self.poll_loop.slots, self.poll_loop.per_host = new.polling.concurrency, new.polling.per_host
        self.poll_loop.lease = lease_length(new.polling.timeout)
        self._background(self._retire(former), "retire fetcher")

    async def _retire(self, former: Fetcher) -> None:
        await self.poll_loop.settled()
        await former.close()

    def _judge_anew_if_changed(self) -> None:
        settings = self.settings
        if not self.config_mark.has_rules_of(settings):
            judge, mark = assemble.judge(settings, self.clock), partial(self.config_mark.put_rules, settings)
            self.refresh_loop.judge_anew(judge, then=mark)

    def _poller(self, settings: Settings) -> Poller:
        return assemble.poller(
            settings,
            policy=self.poll_budget.policy,
            store=self.store,
            fetcher=TimedFetcher(self.fetcher, self.metrics.fetch_duration.time),
            web=self.fetcher,
            parser=TimedParser(self.parser, self.metrics.parse_duration.time),
            clock=self.clock,
            relax=self.websub.subscriber.relax,
        )

    def _audience(self, settings: Settings) -> Audience:
        loop = asyncio.get_running_loop()

        def on_view() -> None:
            loop.call_soon_threadsafe(self._fold_soon)

        return assemble.audience(settings, self.store, on_view=on_view)

    def _fold_soon(self) -> None:
        """A view has been recorded: it is counted a second later, with those that come until then."""
        if self._folding is None or self._folding.done():
            self._folding = self._background(self._fold(), "fold")

    async def _fold(self) -> None:
        await asyncio.sleep(FOLD_AFTER.total_seconds())
        self._folding = None
        await self.jobs.fold()

    def _background(self, work: Coroutine[Any, Any, object], name: str) -> asyncio.Task[None]:
        """Runs something beside the rest; an error of the store is told, and the work is done without."""

        async def run() -> None:
            try:
                await work
            except StoreError as error:
                log.warning("put off", extra={"what": name, "why": error})

        task = asyncio.create_task(run(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _metrics_text(self) -> str:
        await self.store_gauges.read(self.store, self.clock())
        return self.metrics.render()

    def status(self) -> str:
        """One line for ``systemctl status``."""
        return f"following {len(self.settings.sources)} sources at {self.settings.site.url}"

    def _polled(self, polled: PollOutcome) -> None:
        note_poll(self.metrics, polled)
        self._watch_network()
        self.websub.polled(polled)
        if polled.stored:
            self._stored(polled.stored)

    def _stored(self, stored: PollChanges) -> None:
        if stored.new_items or stored.updated:
            self.refresh_loop.want()

    async def pace(self) -> None:
        """Looks whether polls keep within the budget."""
        await self.poll_budget.look(self.poller)
