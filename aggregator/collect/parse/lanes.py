"""Two lanes for parsing: what is slow must not keep what is quick waiting.

Nearly every document takes milliseconds; a hostile one takes as long as it is allowed to. So the quick lane gives up on
a document after two seconds, and the patient lane, a child of its own with a low priority, has another, longer try.
Whatever was slow once goes to the patient lane at once, until it is seen to be quick.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from aggregator.collect.parse.workers import DEFAULT_MEMORY_BYTES, DEFAULT_TIMEOUT, ParseWorkers
from aggregator.errors import ParseError
from aggregator.model import Document, ParsedFeed

__all__ = ["ParseLanes"]

#: four times what the slowest hundredth of real documents takes
PATIENCE: Final = timedelta(seconds=2)
#: how long a slow document waits for those before it; with the rest of a poll this stays within its lease
QUEUE: Final = timedelta(seconds=20)
#: slow addresses that are remembered
_REMEMBERED = 1000
#: priorities of the two lanes: pages and polls go first
_QUICK_NICENESS, _PATIENT_NICENESS = 5, 15


class ParseLanes:
    """Parses documents, quick ones in `count` children, slow ones in one more, each within `timeout`.

    The interface is that of `ParseWorkers`; so are the errors.
    """

    def __init__(
        self,
        *,
        count: int = 2,
        timeout: timedelta = DEFAULT_TIMEOUT,
        patience: timedelta = PATIENCE,
        queue: timedelta = QUEUE,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
    ) -> None:
        quick_timeout = min(patience, timeout)
        self._quick = ParseWorkers(
            count=count, timeout=quick_timeout, memory_bytes=memory_bytes, niceness=_QUICK_NICENESS
        )
        self._patient = ParseWorkers(timeout=timeout, memory_bytes=memory_bytes, niceness=_PATIENT_NICENESS)
        self._patience_s, self._queue_s = quick_timeout.total_seconds(), queue.total_seconds()
        self._turn = asyncio.Lock()
        #: addresses in the order in which they were seen to be slow
        self._slow: dict[str, None] = {}

    @property
    def restarts(self) -> int:
        """Children that had to be killed or died, for metrics."""
        return self._quick.restarts + self._patient.restarts

    async def start(self) -> None:
        """Starts the quick children now instead of with the first documents."""
        await self._quick.start()

    async def parse(self, document: Document) -> ParsedFeed:
        """`document` as a feed. Raises ParseError as `ParseWorkers.parse` does."""
        if document.url not in self._slow:
            try:
                return await self._quick.parse(document)
            except ParseError as error:
                if error.code != "parse-timeout":
                    raise
            self._remember(document.url)
        return await self._patiently(document)

    async def close(self) -> None:
        """Ends the children. May be called twice."""
        await asyncio.gather(self._quick.close(), self._patient.close())

    async def _patiently(self, document: Document) -> ParsedFeed:
        clock = asyncio.get_running_loop().time
        async with self._in_turn():
            began = clock()
            feed = await self._patient.parse(document)
            if clock() - began < self._patience_s / 2:
                self._slow.pop(document.url, None)
            return feed

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._queue_s):
                await self._turn.acquire()
        except TimeoutError:
            raise ParseError(
                "parse-timeout",
                f"Parsing took longer than {self._patience_s:g} s, and too many other slow documents were before it.",
            ) from None
        try:
            yield
        finally:
            self._turn.release()

    def _remember(self, url: str) -> None:
        self._slow[url] = None
        if len(self._slow) > _REMEMBERED:
            del self._slow[next(iter(self._slow))]
