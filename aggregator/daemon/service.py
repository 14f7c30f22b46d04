"""The order of things from start to stop.

start   store → sources → web server → READY
run     every second    claim what is due, as many as there are free slots
        on new items    refresh the lists (in a thread)
        every second    fold the views that were recorded
        on save, SIGHUP the new configuration, or the old one and a line that says why
        now and then    retention, backups, the watchdog
stop    STOPPING → no new work → fetches are cut short, what is being stored is stored → views folded → store closed
"""

from __future__ import annotations

import asyncio
import logging
import platform
import signal
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pyexpat import EXPAT_VERSION

from aggregator import __version__, assemble, config
from aggregator.clock import SteadyClock
from aggregator.collect.fetch import Fetcher
from aggregator.collect.poll import Poller, PollOutcome
from aggregator.config import Settings
from aggregator.daemon.counters import Counters
from aggregator.daemon.figures import Figures
from aggregator.daemon.health import HealthCheck
from aggregator.daemon.jobs import Jobs
from aggregator.daemon.maintenance import RulesMark
from aggregator.daemon.poll_budget import PollBudget
from aggregator.daemon.poll_loop import PollLoop, lease_length
from aggregator.daemon.refresh_loop import RefreshLoop
from aggregator.daemon.reload import Reload, keep_fixed
from aggregator.daemon.websub import WebSub
from aggregator.errors import AggregatorError, StoreUnavailable
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages
from aggregator.publish.web import WebServer, create_app, serve
from aggregator.schedule import Schedule
from aggregator.sdnotify import Notifier
from aggregator.store import PollChanges, Store

log = logging.getLogger(__name__)

#: blocking calls of the store that may be under way at once; names are resolved elsewhere
THREADS = 32
#: from the signal to the end; the unit allows 30 s
STOP_WITHIN = timedelta(seconds=5)


class Daemon:
    """Everything that runs, from the open store to the listening socket. To be made and run inside one event loop."""

    def __init__(self, settings: Settings, store: Store, *, notifier: Notifier) -> None:
        self.settings = settings
        self.store = store
        self.notifier = notifier
        self.clock = SteadyClock()
        self.counters = Counters()
        self.figures = Figures()
        self.parser = assemble.parser()
        self.fetcher = assemble.fetcher(settings, self.clock)
        self.refresh_loop = RefreshLoop(assemble.refresher(settings, store), clock=self.clock)
        self.websub = WebSub(settings, store, self.parser, clock=self.clock, on_delivered=self._stored)
        self.poll_budget = PollBudget(store, self.clock, lambda: self.settings)
        self.poller = self._poller(settings)
        self.poll_loop = PollLoop(
            store,
            self.poller,
            slots=settings.polling.concurrency,
            per_host=settings.polling.per_host,
            lease=lease_length(settings.polling.timeout),
            clock=self.clock,
            on_polled=self._polled,
        )
        self.reload = Reload(
            settings.path,
            take_over=self._take_over,
            notifier=notifier,
            status=self.status,
            counters=self.counters,
        )
        self.schedule = Schedule(Jobs(self).jobs())
        self.health_check = HealthCheck(
            progress=self.schedule.progress,
            serving=lambda: self._web is not None,
            store_error=lambda: self.poll_loop.store_error,
            started_s=time.monotonic(),
        )
        self.services = assemble.services(
            settings,
            store,
            audience=assemble.audience(settings, store),
            clock=self.clock,
            health=self.health_check.health,
            metrics=lambda: self.figures.text(self),
            send=assemble.send(lambda: self.fetcher),
            deliveries=self.websub.subscriber,
        )
        self.rules_mark = RulesMark(assemble.state_dir(settings) / "rules.mark")
        self._web: WebServer | None = None
        self._stop = asyncio.Event()

    @classmethod
    async def run(cls, settings: Settings, *, notifier: Notifier, sockets: Sequence[socket.socket] = ()) -> None:
        """Runs until SIGTERM or SIGINT. Raises StoreUnusable, or AggregatorError if it cannot listen."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="blocking"))
        store = await asyncio.to_thread(assemble.store, settings)
        try:
            await cls(settings, store, notifier=notifier).live(sockets)
        finally:
            await asyncio.to_thread(store.close)
            log.info("stopped")

    async def live(self, sockets: Sequence[socket.socket]) -> None:
        """Starts, waits for a signal, winds down."""
        self._listen_to_signals()
        try:
            await self._start(sockets)
            self.notifier.ready(self.status())
            await self._stop.wait()
        finally:
            self.notifier.stopping()
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
        await asyncio.to_thread(self.store.sync_sources, self.settings.subscriptions(), now=now, catch_up=True)
        await self.pace()
        await asyncio.to_thread(self.services.audience.start, now=now)
        await self.websub.start()
        try:
            self._web = await serve(create_app(self.services), listen=self.settings.server.listen, sockets=sockets)
        except OSError as error:
            where = self.settings.server.listen
            raise AggregatorError(f"cannot listen on [server] listen = {where!r}: {error.strerror or error}") from error
        self._judge_anew_if_changed()
        self.refresh_loop.start()
        self.schedule.start()
        log.info("ready", extra={"sources": len(self.settings.sources), "url": self.settings.site.url})

    async def _wind_down(self) -> None:
        """Everything that may take long, side by side; then the rest in order."""
        self._ignore_signals()
        log.info("stopping", extra={"polls_in_flight": self.poll_loop.in_flight})
        within = STOP_WITHIN / 2
        web = self._web.stop(grace_s=within.total_seconds()) if self._web else asyncio.sleep(0)
        jobs, polls = self.schedule.stop(within=within), self.poll_loop.stop(within=within)
        await asyncio.gather(web, jobs, polls, self.refresh_loop.stop(within=within))
        await asyncio.gather(self.parser.close(), self.fetcher.close(), self.websub.stop())
        try:
            await asyncio.to_thread(self.store.fold_views)
        except StoreUnavailable as error:
            log.warning("views wait for the next start", extra={"why": error})

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload.want)

    @staticmethod
    def _ignore_signals() -> None:
        """It is stopping already: a second signal would only cut short what is being stored."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    async def _take_over(self, new: Settings) -> None:
        """Replaces what depends on the settings. StoreError: nothing has been replaced."""
        old, new = self.settings, keep_fixed(self.settings, new)
        for line in config.diff(old, new):
            log.info("configuration changed", extra={"change": line.removeprefix("would ")})
        await asyncio.to_thread(self.store.sync_sources, new.subscriptions(), now=self.clock())
        self.settings = new
        self._replace_fetching(new)
        await self.pace()
        await self.websub.take_over(new)
        site = assemble.site(new)
        self.services.reload(site=site, lists=Lists(self.store, site), pages=Pages(site))
        if (old.site.url, old.server) != (new.site.url, new.server):
            self.services.audience = assemble.audience(new, self.store)
        self.refresh_loop.refresher.options = assemble.curate_options(new)
        self._judge_anew_if_changed()
        self.refresh_loop.want()

    def _replace_fetching(self, new: Settings) -> None:
        former, self.fetcher = self.fetcher, assemble.fetcher(new, self.clock)
        self.poller = self.poll_loop.poller = self._poller(new)
        self.poll_loop.slots, self.poll_loop.per_host = new.polling.concurrency, new.polling.per_host
        self.poll_loop.lease = lease_length(new.polling.timeout)
        self._retiring = asyncio.create_task(self._retire(former), name="retire fetcher")

    async def _retire(self, former: Fetcher) -> None:
        await self.poll_loop.settled()
        await former.close()

    def _judge_anew_if_changed(self) -> None:
        settings = self.settings
        if not self.rules_mark.is_of(settings):
            judge, mark = assemble.judge(settings), partial(self.rules_mark.put, settings)
            self.refresh_loop.judge_anew(judge, then=mark)

    def _poller(self, settings: Settings) -> Poller:
        return assemble.poller(
            settings,
            policy=self.poll_budget.policy,
            store=self.store,
            fetcher=self.fetcher,
            parser=self.parser,
            clock=self.clock,
            relax=self.websub.subscriber.relax,
        )

    def status(self) -> str:
        """One line for ``systemctl status``."""
        return f"following {len(self.settings.sources)} sources at {self.settings.site.url}"

    def _polled(self, polled: PollOutcome) -> None:
        self.counters.polled(polled)
        self.websub.polled(polled)
        if polled.stored:
            self._stored(polled.stored)

    def _stored(self, stored: PollChanges) -> None:
        if stored.new_items or stored.updated:
            self.refresh_loop.want()

    async def pace(self) -> None:
        """Looks whether polls keep within the budget."""
        await self.poll_budget.look(self.poller)
