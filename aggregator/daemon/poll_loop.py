"""Keeps the fetch slots busy: claims no more work than there are free slots, and again whenever one becomes free.

A poll that takes long gives its slot back and goes on beside the slots, within a bound: a server that trickles is
cheap to wait for, and a crowd of them must not keep the others from being polled.

Between claims the loop sleeps until the next source is due. Where nothing can be stored (a full disk, a store that is
locked) or parsed (no child process can be started), it claims nothing, and looks again every few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from aggregator.collect.poll import PollOutcome
from aggregator.errors import AggregatorError, ParserUnavailable, StaleLease, StoreError
from aggregator.model import Lease
from aggregator.store import WorkStore

log = logging.getLogger(__name__)

#: why polling waits is one line a minute, not one a look
COMPLAIN_EVERY_S = 60.0
#: how long the loop sleeps at most: another process may have changed what is due
MAX_SLEEP_S = 30.0
#: and at least, so that polls which end one after the other are followed up together
MIN_SLEEP_S = 1.0
#: how soon it looks again while polling waits
RETRY_S = 5.0
#: a longer sleep than was asked for means that the machine was suspended
SUSPENDED = timedelta(minutes=5)
#: what a poll may take before it no longer counts as one of the slots; most take a tenth of it
PATIENCE = timedelta(seconds=3)
#: polls beyond their patience, as a multiple of the slots
SLOW_PER_SLOT = 4


class LeasePoller(Protocol):
    """What the poll_loop needs of `collect.poll.Poller`."""

    async def poll(self, lease: Lease) -> list[PollOutcome]:
        """Polls the sources of a lease and completes each in the store."""


def lease_length(timeout: timedelta) -> timedelta:
    """How long a host is ours: time for the slowest request, a queue at the parser and a busy store.

    No longer: it is also how long a host waits after the process that had leased it was killed.
    """
    return 2 * timeout + timedelta(seconds=20)


class PollLoop:
    """Polls what is due. All methods belong to the event loop.

    `on_polled` is told of every finished poll; it must not block. `room` says why nothing should be stored just now;
    `probe` raises ParserUnavailable where nothing can be parsed; `on_resume` is awaited after a suspension.
    """

    def __init__(
        self,
        store: WorkStore,
        poller: LeasePoller,
        *,
        slots: int,
        per_host: int,
        lease: timedelta,
        clock: Callable[[], datetime],
        on_polled: Callable[[PollOutcome], None],
        patience: timedelta = PATIENCE,
        room: Callable[[], StoreError | None] = lambda: None,
        probe: Callable[[], Awaitable[None]] | None = None,
        on_resume: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.poller = poller
        self.slots, self.per_host, self.lease = slots, per_host, lease
        #: why nothing is polled at the moment; None: polling goes on
        self.blocked: AggregatorError | None = None
        #: when the loop last looked for work, on the monotonic clock
        self.looked_s = time.monotonic()
        self._room, self._probe, self._on_resume = room, probe, on_resume
        self._wake = asyncio.Event()
        self._patience_s = patience.total_seconds()
        self._store = store
        self._clock = clock
        self._on_polled = on_polled
        #: polls under way: how many sources each is, and when it began on the loop's clock
        self._running: dict[asyncio.Task[None], tuple[int, float]] = {}
        self._claiming = asyncio.Lock()
        self._stopped = False
        #: the last claim took all that was free: more may be due
        self._more = False
        self._refill: asyncio.Task[None] | None = None
        self._complained_s = float("-inf")
        self._complained = False

    @property
    def in_flight(self) -> int:
        """Sources that are being polled at the moment."""
        return sum(sources for sources, _ in self._running.values())

    @property
    def free(self) -> int:
        """How many more sources may be polled now."""
        quick_since = asyncio.get_running_loop().time() - self._patience_s
        quick = sum(sources for sources, began in self._running.values() if began > quick_since)
        return min(self.slots - quick, self.slots * (1 + SLOW_PER_SLOT) - self.in_flight)

    async def run(self) -> None:
        """Polls what is due until it is cancelled."""
        quiet = False
        while True:
            turned_s, turned_at = time.monotonic(), self._clock()
            try:
                delay_s = await self._turn(quiet=quiet)
            except Exception:
                # The edge of the loop: a fault must not end all polling. `looked_s` stays: the watchdog sees it.
                log.exception("looking for work failed")
                delay_s = RETRY_S
            else:
                self.looked_s = time.monotonic()
            quiet = not await self._woken(within_s=delay_s)
            if not quiet:
                await asyncio.sleep(max(turned_s + MIN_SLEEP_S - time.monotonic(), 0))
            if (slept := self._clock() - turned_at) > SUSPENDED and self._on_resume is not None:
                log.info("resumed after a suspension", extra={"seconds": round(slept.total_seconds())})
                await self._on_resume()

    async def _woken(self, *, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    def wake(self) -> None:
        """Something may be due earlier than was thought."""
        self._wake.set()

    async def _turn(self, *, quiet: bool = False) -> float:
        """Claims what is due; in how many seconds to look again. `quiet`: nothing has happened since the last turn."""
        if blocked := self._room():
            self.pause(blocked)
            return RETRY_S
        if isinstance(self.blocked, ParserUnavailable) and self._probe is not None:
            try:
                await self._probe()
            except ParserUnavailable as error:
                self.pause(error)
                return RETRY_S
        if quiet and self.blocked is None and (delay_s := await self._until_due_s()) > 0:
            return max(delay_s, MIN_SLEEP_S)  # a claim would write, for nothing
        await self.claim_due()
        if self.blocked is not None:
            return RETRY_S
        if self._more and self.free <= 0:
            return MAX_SLEEP_S  # a poll that ends wakes the loop
        return max(await self._until_due_s(), MIN_SLEEP_S)

    async def _until_due_s(self) -> float:
        """Seconds until the next source is due, at most MAX_SLEEP_S; 0 or less if one is."""
        try:
            due = await asyncio.to_thread(self._store.next_due, now=self._clock())
        except StoreError as error:
            self.pause(error)
            return RETRY_S
        return MAX_SLEEP_S if due is None else min((due - self._clock()).total_seconds(), MAX_SLEEP_S)

    async def claim_due(self, *, force: bool = False, only: frozenset[str] | None = None) -> int:
        """Claims as much work as there are free slots and begins it; how many sources that are.

        `force` and `only` as in `WorkStore.claim`; without them, slots that become free are filled again.
        """
        if self._stopped or self._claiming.locked():
            return 0
        async with self._claiming:
            free = self.free
            leases = await self._claim(free, force=force, only=only) if free > 0 else []
            for lease in leases:
                self._begin(lease)
            begun = sum(len(lease.sources) for lease in leases)
            self._more = only is None and not force and begun == free
            return begun

    async def _refilled(self) -> None:
        """Fills slots as long as more is due than there are; those that become free meanwhile are filled together."""
        while self._more and self.free > 0 and await self.claim_due():
            pass

    def pause(self, error: AggregatorError) -> None:
        """Nothing can be stored or parsed: says so, once a minute. The next claim that succeeds ends it."""
        if self._stopped:
            return
        self.blocked = error
        if time.monotonic() - self._complained_s >= COMPLAIN_EVERY_S:
            self._complained_s, self._complained = time.monotonic(), True
            what = "nothing can be parsed" if isinstance(error, ParserUnavailable) else "store takes no writes"
            log.error("%s; polling waits", what, extra={"why": error})

    async def settled(self) -> None:
        """Returns when everything that is under way now has ended."""
        if self._running:
            await asyncio.wait(list(self._running))

    async def progress(self, *, within: timedelta) -> bool:
        """Waits until something that is under way ends; False if nothing did."""
        if not self._running:
            await asyncio.sleep(within.total_seconds())
            return False
        done, _ = await asyncio.wait(
            list(self._running), timeout=within.total_seconds(), return_when=asyncio.FIRST_COMPLETED
        )
        return bool(done)

    async def stop(self, *, within: timedelta) -> None:
        """Claims no more; lets what is under way end for half of `within`, then cuts it short.

        A source whose poll was cut short is polled again when its lease has run out.
        """
        self._stopped = True
        half_s = within.total_seconds() / 2
        with contextlib.suppress(TimeoutError):
            # what is being claimed is begun: nobody else could poll it before its lease has run out
            async with asyncio.timeout(half_s), self._claiming:
                await self.settled()
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(list(self._running), timeout=half_s)

    async def _claim(self, limit: int, *, force: bool, only: frozenset[str] | None) -> list[Lease]:
        try:
            leases = await asyncio.to_thread(
                self._store.claim,
                now=self._clock(),
                limit=limit,
                lease=self.lease,
                per_host=self.per_host,
                force=force,
                only=only,
            )
        except StoreError as error:
            self.pause(error)
            return []
        if self.blocked is not None:
            self.blocked = None
            if self._complained:
                self._complained = False
                log.warning("polling goes on")
        return leases

    def _begin(self, lease: Lease) -> None:
        task = asyncio.create_task(self._poll(lease), name=f"poll {lease.host}")
        self._running[task] = len(lease.sources), asyncio.get_running_loop().time()
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake.set()
        if self._more and not self._stopped and (self._refill is None or self._refill.done()):
            # More was due than there were slots: the next one need not wait for a tick.
            self._refill = asyncio.create_task(self._refilled(), name="refill")

    async def _poll(self, lease: Lease) -> None:
        try:
            for polled in await self.poller.poll(lease):
                self._on_polled(polled)
        except StaleLease as error:
            log.warning("lease lost", extra={"host": lease.host, "why": error})
        except StoreError as error:
            # What was fetched is not stored, nor are its validators: the lease runs out and it is fetched again.
            self.pause(error)
        except ParserUnavailable as error:
            # No feed is to blame: nobody's back-off, and the host is free again at once.
            self.pause(error)
            await self._give_back(lease)
        except AggregatorError as error:
            log.warning("poll abandoned", extra={"host": lease.host, "why": error})
        except Exception:
            # The edge of a job: a fault in polling one host must not end the polling of the others.
            log.exception("poll failed", extra={"host": lease.host})

    async def _give_back(self, lease: Lease) -> None:
        with contextlib.suppress(StoreError):  # then the lease runs out
            await asyncio.to_thread(self._store.give_back, lease, now=self._clock())
