"""Cache of rendered responses: each is rendered once for all clients when the data has changed; its size is bounded."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from aggregator.errors import StoreError
from aggregator.publish.compress import pack
from aggregator.publish.rendering import Rendered
from aggregator.publish.web.services import Services
from aggregator.threads import ReadyThreads

__all__ = ["DutyCycleExecutor"]

_log = logging.getLogger(__name__)

#: threads that render; Python runs one of them at a time, so that more of them would delay the event loop
_MAKERS = 2
#: threads for calls that wait for the disk or read one row
_CALLERS = 2
#: a stale response is served for that many times `freshness` while it is rendered again
_GRACE = 8
#: seconds that a stale response is served while its rendering is queued
_GRACE_IN_LINE_S = 10.0
#: share of a core that rendering in the background may take
_RENEWING = 0.2

#: memory of a response beside its body: key, headers, function that renders it
_OVERHEAD_BYTES = 1_500

T = TypeVar("T")
#: (number of reloads of the configuration, generation of the store)
_Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedResponse:
    """A rendered response with its validators."""

    rendered: Rendered
    #: the body in the content codings that clients have asked for, where they make it smaller
    packed: Mapping[str, bytes]
    #: the content codings that clients have asked for
    encodings_seen: frozenset[str]
    #: strong, without quotes; a compressed representation appends its coding
    etag: str
    #: when the bytes last changed, as far as this process knows
    modified: datetime
    #: the state of the data from which it was rendered
    stamp: _Stamp
    #: on the monotonic clock: when one of the ages that it shows changes; None: never
    expires_s: float | None = None

    def is_expired(self, now_s: float) -> bool:
        """Whether one of the ages that it shows has changed."""
        return self.expires_s is not None and now_s >= self.expires_s

    @property
    def size_bytes(self) -> int:
        """The memory that it takes in the cache, in bytes."""
        return len(self.rendered.body) + sum(map(len, self.packed.values())) + _OVERHEAD_BYTES


class ResponseCache:
    """The responses of one web server, by address."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._makers = ReadyThreads(_MAKERS, "web")
        #: renders responses in the background, one after the other
        self._renewer = DutyCycleExecutor(_RENEWING, thread_name_prefix="web-renews")
        #: these two are separate so that they never wait for a rendering
        self._callers = ReadyThreads(_CALLERS, "web-calls")
        self._asker = ReadyThreads(1, "web-asks")
        self._kept: OrderedDict[str, CachedResponse] = OrderedDict()
        self._size_bytes = 0
        #: on the monotonic clock: when each response was last known to be current
        self._right: dict[str, float] = {}
        #: the function that renders each response
        self._makes: dict[str, Callable[[], Rendered]] = {}
        self._making: dict[tuple[str, _Stamp], asyncio.Task[CachedResponse]] = {}
        self._packing: dict[tuple[str, str, str], asyncio.Task[CachedResponse]] = {}
        self._renewing: dict[str, asyncio.Task[CachedResponse]] = {}
        self._asking: asyncio.Task[tuple[int, float]] | None = None
        #: the generation of the store, and when it was read
        self._known: tuple[int, float] | None = None
        #: responses that were current before this time are not served stale
        self._changed = float("-inf")

    async def call(self, function: Callable[[], T]) -> T:
        """The result of a blocking function, run in one of the server's threads."""
        return await asyncio.get_running_loop().run_in_executor(self._callers, function)

    async def get(self, key: str, make: Callable[[], Rendered], *, coding: str = "") -> CachedResponse:
        """The response for `key`, rendered again if the data has changed; concurrent requests share one rendering.

        The first client that asks for a content `coding` waits for the compression; later renderings of the response
        are compressed in it from the beginning.

        A response that was current a moment ago is served once more while it is rendered again, so that nobody waits
        for a page that is requested all the time. While the store cannot be read, the last response is served; raises
        StoreError if there is none.
        """
        kept = self.fresh(key)
        if kept is None:
            kept = await self._current(key, make, self._makers)
            if key in self._kept:
                self._kept.move_to_end(key)
                self._makes[key] = make
        if coding and coding not in kept.encodings_seen and kept.rendered.status == HTTPStatus.OK:
            kept = await asyncio.shield(self._pack_once(key, kept, coding))
        return kept

    def fresh(self, key: str) -> CachedResponse | None:
        """The response that `get` would return without waiting; None if it would have to read the store or render."""
        kept, known = self._kept.get(key), self._known
        if kept is None:
            return None
        if known is not None and self._is_current(kept):
            self._right[key] = known[1]
        elif self._was_right(key, kept):
            self._renew(key)
        else:
            return None
        self._kept.move_to_end(key)
        return kept

    def changed(self) -> None:
        """Tells the cache that this server has changed the data: no stale response is served afterwards."""
        self._known = self._asking = None
        self._changed = self._services.monotonic()

    def close(self) -> None:
        """Shuts the threads down; they finish what they are doing."""
        for pool in (self._makers, self._renewer, self._callers, self._asker):
            pool.shutdown(wait=False, cancel_futures=True)

    def _renew(self, key: str) -> None:
        if key not in self._renewing and key in self._makes:
            self._renewing[key] = renewing = _task(self._current(key, self._makes[key], self._renewer))
            renewing.add_done_callback(lambda _: self._renewing.pop(key, None))

    async def _current(self, key: str, make: Callable[[], Rendered], pool: Executor) -> CachedResponse:
        """The current response; the last one rendered while the store cannot be read."""
        try:
            generation, asked = await self._generation()
            stamp = (self._services.epoch, generation)
            kept = self._kept.get(key)
            if kept is None or kept.stamp != stamp or kept.is_expired(self._services.monotonic()):
                kept = await asyncio.shield(self._make_once(key, stamp, make, pool))
            if key in self._kept:
                self._right[key] = max(asked, self._right.get(key, asked))
        except StoreError:
            kept = self._kept.get(key)
            if kept is None:
                raise
            # without the key: the address of a reader is a secret
            _log.warning("stale answer served: the store cannot be read")
        return kept

    async def _generation(self) -> tuple[int, float]:
        """The generation of the store, and when it was read."""
        known = self._known
        if known and self._is_young(known):
            return known
        if self._asking is None:
            self._asking = asking = _task(self._ask(self._services.monotonic()))
            asking.add_done_callback(self._learn)
        return await asyncio.shield(self._asking)

    async def _ask(self, now: float) -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._asker, self._services.store.generation), now

    def _learn(self, asking: asyncio.Task[tuple[int, float]]) -> None:
        if asking is not self._asking:
            return  # the data has changed since it was asked
        self._asking = None
        if not asking.cancelled() and asking.exception() is None:
            self._known = asking.result()

    def _is_young(self, known: tuple[int, float]) -> bool:
        return self._services.monotonic() - known[1] < self._services.freshness.total_seconds()

    def _is_current(self, kept: CachedResponse) -> bool:
        """Whether it was rendered from the current data, by a generation that was read just now."""
        known = self._known
        if known is None or not self._is_young(known) or kept.stamp != (self._services.epoch, known[0]):
            return False
        return not kept.is_expired(self._services.monotonic())

    def _was_right(self, key: str, kept: CachedResponse) -> bool:
        """Whether it was current recently enough to be served stale."""
        grace_s = self._services.freshness.total_seconds() * _GRACE
        if key in self._renewing:
            grace_s = max(grace_s, _GRACE_IN_LINE_S)
        right = self._right.get(key, float("-inf"))
        is_young = self._services.monotonic() - right < grace_s
        return is_young and right > self._changed and kept.stamp[0] == self._services.epoch

    def _make_once(
        self, key: str, stamp: _Stamp, make: Callable[[], Rendered], pool: Executor
    ) -> asyncio.Task[CachedResponse]:
        flight = self._making.get((key, stamp))
        if flight is None:
            flight = self._making[key, stamp] = _task(self._make(key, stamp, make, pool))
            flight.add_done_callback(lambda _: self._making.pop((key, stamp), None))
        return flight

    async def _make(self, key: str, stamp: _Stamp, make: Callable[[], Rendered], pool: Executor) -> CachedResponse:
        former = self._kept.get(key)
        now = self._services.clock()
        loop = asyncio.get_running_loop()
        content = await loop.run_in_executor(pool, lambda: self._content(make(), former, stamp, now))
        self._keep(key, content)
        return content

    def _content(self, made: Rendered, former: CachedResponse | None, stamp: _Stamp, now: datetime) -> CachedResponse:
        etag = hashlib.sha256(made.content_type.encode() + b"\n" + made.body).hexdigest()[:24]
        expires_s = None if made.expires is None else self._services.monotonic() + (made.expires - now).total_seconds()
        if former is not None and former.etag == etag and former.rendered == made:
            return replace(former, rendered=made, stamp=stamp, expires_s=expires_s)
        tried = frozenset[str]() if former is None else former.encodings_seen
        return CachedResponse(
            rendered=made,
            packed=pack(made.body, tried),
            encodings_seen=tried,
            etag=etag,
            modified=now.astimezone(UTC).replace(microsecond=0),
            stamp=stamp,
            expires_s=expires_s,
        )

    def _pack_once(self, key: str, content: CachedResponse, coding: str) -> asyncio.Task[CachedResponse]:
        asked = (key, content.etag, coding)
        flight = self._packing.get(asked)
        if flight is None:
            flight = self._packing[asked] = _task(self._pack(key, content, coding))
            flight.add_done_callback(lambda _: self._packing.pop(asked, None))
        return flight

    async def _pack(self, key: str, content: CachedResponse, coding: str) -> CachedResponse:
        loop = asyncio.get_running_loop()
        more = await loop.run_in_executor(self._makers, lambda: pack(content.rendered.body, {coding}))
        current = self._kept.get(key)  # it may have been put into another coding meanwhile
        is_kept = current is not None and current.etag == content.etag
        content = current if current is not None and is_kept else content
        content = replace(content, packed={**content.packed, **more}, encodings_seen=content.encodings_seen | {coding})
        if is_kept:
            self._keep(key, content)
        return content

    def _keep(self, key: str, content: CachedResponse) -> None:
        """Stores a successful response and evicts the least recently used ones until all fit."""
        former = self._kept.get(key)
        if former is not None and former.stamp > content.stamp:
            return  # one that was begun later was done earlier
        if content.rendered.status != HTTPStatus.OK or content.size_bytes > self._services.cache_bytes // 4:
            self._forget(key)
            return
        self._size_bytes -= former.size_bytes if former else 0
        self._kept[key] = content
        self._kept.move_to_end(key)
        self._size_bytes += content.size_bytes
        while self._size_bytes > self._services.cache_bytes:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: str) -> None:
        dropped = self._kept.pop(key, None)
        self._right.pop(key, None)
        self._makes.pop(key, None)
        self._size_bytes -= dropped.size_bytes if dropped else 0


def _task(coroutine: Coroutine[None, None, T]) -> asyncio.Task[T]:
    """A task whose error is not logged as never retrieved when all clients that waited for it have gone."""
    task = asyncio.get_running_loop().create_task(coroutine)
    task.add_done_callback(lambda done: None if done.cancelled() else done.exception() and None)
    return task


class DutyCycleExecutor(ReadyThreads):
    """One thread that works for a share of the time.

    Python runs one thread at a time. When readers open many items, all their pages are rendered again. Without pauses,
    that delays every response by as long as a thread may hold the interpreter.
    """

    def __init__(self, share: float, *, thread_name_prefix: str = "") -> None:
        super().__init__(1, thread_name_prefix)
        self._share = share
        self._rested_at_s = 0.0

    def submit(self, function: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:
        """Queues a function; the thread rests between two of them."""
        return super().submit(self._run, partial(function, *args, **named))

    def _run(self, function: Callable[[], T]) -> T:
        time.sleep(max(0.0, self._rested_at_s - time.monotonic()))
        began_s = time.thread_time()
        try:
            return function()
        finally:
            self._rested_at_s = time.monotonic() + (time.thread_time() - began_s) * (1 / self._share - 1)
