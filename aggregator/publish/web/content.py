"""Rendered answers: made when the data has changed, once for all who ask, and kept within a bound."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar

from aggregator.errors import StoreError
from aggregator.publish.compress import pack
from aggregator.publish.rendering import Made
from aggregator.publish.web.services import Services

_log = logging.getLogger(__name__)

#: making is mostly Python, which runs one thread at a time: more of them would only keep the loop waiting
_THREADS = 2
#: an answer that was right so many times `freshness` ago is given while it is made anew
_GRACE = 8

T = TypeVar("T")
#: reloads of the configuration, generation of the store
_Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A rendered answer with its validators."""

    made: Made
    #: the body in every content coding that makes it smaller
    packed: Mapping[str, bytes]
    #: strong, without quotes; that of a compressed representation has its coding behind it
    etag: str
    #: since when the bytes are what they are, as far as this process knows
    modified: datetime
    #: the state of the data from which it was made
    stamp: _Stamp

    @property
    def size_bytes(self) -> int:
        """What keeping it costs."""
        return len(self.made.body) + sum(map(len, self.packed.values()))


class Contents:
    """The answers of one web server, by address."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="web")
        #: its question is never behind what is being made
        self._asker = ThreadPoolExecutor(1, thread_name_prefix="web-asks")
        self._kept: OrderedDict[str, Content] = OrderedDict()
        self._size_bytes = 0
        #: when each was last known to be what the store says, by the loop's time
        self._right: dict[str, float] = {}
        self._making: dict[tuple[str, _Stamp], asyncio.Task[Content]] = {}
        self._asking: asyncio.Task[int] | None = None
        #: the store's generation and the loop's time at which it was asked for
        self._known: tuple[int, float] | None = None

    async def call(self, function: Callable[[], T]) -> T:
        """Runs something that blocks in one of the server's own threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)

    async def get(self, key: str, make: Callable[[], Made]) -> Content:
        """The answer under `key`, made anew if the data has changed since; many who ask at once wait for one making.

        What was right a moment ago is given once more while it is made anew: a page that is asked for all the time
        keeps nobody waiting, and one that is asked for again after a while is not out of date. While the store is
        unavailable the answer last made goes on being served; StoreError if there is none.
        """
        try:
            stamp = (self._services.epoch, await self._generation())
            kept = self._kept.get(key)
            if kept is None or kept.stamp != stamp:
                making = self._make_once(key, stamp, make)
                kept = kept if kept is not None and self._was_right(key, kept) else await asyncio.shield(making)
            else:
                self._right[key] = asyncio.get_running_loop().time()
        except StoreError:
            kept = self._kept.get(key)
            if kept is None:
                raise
            # without the key: the address of a reader is a secret
            _log.warning("stale answer served: the store cannot be read")
        if key in self._kept:
            self._kept.move_to_end(key)
        return kept

    def fresh(self, key: str) -> Content | None:
        """What `get` would give without waiting; None where it would have to ask the store or to make it."""
        kept, known = self._kept.get(key), self._known
        if kept is None or known is None or not self._is_current(known):
            return None
        if kept.stamp != (self._services.epoch, known[0]):
            return None
        self._kept.move_to_end(key)
        self._right[key] = known[1]
        return kept

    def changed(self) -> None:
        """This server has itself changed what readers see: it shows with the next answer, not a moment later."""
        self._known = self._asking = None
        self._right.clear()

    def close(self) -> None:
        """Lets go of the threads; what they are doing is finished."""
        for pool in (self._pool, self._asker):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _generation(self) -> int:
        if self._known and self._is_current(self._known):
            return self._known[0]
        now = asyncio.get_running_loop().time()
        if self._asking is None:
            self._asking = asking = _task(self._ask())
            asking.add_done_callback(lambda done: self._learn(done, now))
        return await asyncio.shield(self._asking)

    async def _ask(self) -> int:
        return await asyncio.get_running_loop().run_in_executor(self._asker, self._services.store.generation)

    def _is_current(self, known: tuple[int, float]) -> bool:
        return asyncio.get_running_loop().time() - known[1] < self._services.freshness.total_seconds()

    def _learn(self, asking: asyncio.Task[int], asked: float) -> None:
        if asking is not self._asking:
            return  # something has changed since it was asked
        self._asking = None
        if not asking.cancelled() and asking.exception() is None:
            self._known = (asking.result(), asked)

    def _was_right(self, key: str, kept: Content) -> bool:
        """Whether it was what the store said so little ago that it may be given once more."""
        grace_s = self._services.freshness.total_seconds() * _GRACE
        age_s = asyncio.get_running_loop().time() - self._right.get(key, float("-inf"))
        return age_s < grace_s and kept.stamp[0] == self._services.epoch

    def _make_once(self, key: str, stamp: _Stamp, make: Callable[[], Made]) -> asyncio.Task[Content]:
        flight = self._making.get((key, stamp))
        if flight is None:
            flight = self._making[key, stamp] = _task(self._make(key, stamp, make))
            flight.add_done_callback(lambda _: self._making.pop((key, stamp), None))
        return flight

    async def _make(self, key: str, stamp: _Stamp, make: Callable[[], Made]) -> Content:
        former = self._kept.get(key)
        now = self._services.clock()
        content = await self.call(lambda: _content(make(), former, stamp, now))
        self._keep(key, content)
        return content

    def _keep(self, key: str, content: Content) -> None:
        """Remembers a good answer and forgets those not asked for the longest while, until all fit."""
        former = self._kept.pop(key, None)
        self._size_bytes -= former.size_bytes if former else 0
        if content.made.status != HTTPStatus.OK or content.size_bytes > self._services.cache_bytes // 4:
            return
        self._kept[key] = content
        self._size_bytes += content.size_bytes
        while self._size_bytes > self._services.cache_bytes:
            forgotten, dropped = self._kept.popitem(last=False)
            self._right.pop(forgotten, None)
            self._size_bytes -= dropped.size_bytes


def _task(coroutine: Coroutine[None, None, T]) -> asyncio.Task[T]:
    """A task whose error is not reported as lost when everybody who waited for it has hung up."""
    task = asyncio.get_running_loop().create_task(coroutine)
    task.add_done_callback(lambda done: None if done.cancelled() else done.exception() and None)
    return task


def _content(made: Made, former: Content | None, stamp: _Stamp, now: datetime) -> Content:
    etag = hashlib.sha256(made.content_type.encode() + b"\n" + made.body).hexdigest()[:24]
    if former is not None and former.etag == etag and former.made == made:
        return replace(former, stamp=stamp)
    return Content(
        made=made,
        packed=pack(made.body),
        etag=etag,
        modified=now.astimezone(UTC).replace(microsecond=0),
        stamp=stamp,
    )
