"""Pools of parse processes, as the daemon uses them: each process parses one document at a time against a deadline.

`TwoTierParsePool` keeps slow documents from delaying quick ones. Nearly every document takes milliseconds; a hostile
one takes as long as it is allowed to. The quick tier gives up on a document after two seconds; the slow tier, a process
of its own with a low priority, tries again with more time. A slow address goes to the slow tier until it is quick.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from aggregator.collect.parse.protocol import (
    FEED,
    LENGTHS,
    MAX_ANSWER_BYTES,
    NO_ANSWER,
    PIPE_BYTES,
    decode_answer,
    encode_request,
)
from aggregator.errors import ParseError, ParserUnavailable
from aggregator.model import Document, ParsedFeed

__all__ = ["ParsePool", "TwoTierParsePool"]

DEFAULT_TIMEOUT: Final = timedelta(seconds=10)
DEFAULT_MEMORY_BYTES: Final = 512 * 1024 * 1024
#: documents after which a child is replaced, so that what its parsers keep cannot grow for ever
_DOCUMENTS_PER_CHILD = 2000
#: three pipes, and what the loop opens beside them
_DESCRIPTORS_PER_START = 12
#: loading the parsers takes a tenth of a second; on a machine that is busy or just booting, more
_START_TIMEOUT_S = 60.0
#: four times what the slowest hundredth of real documents takes
QUICK_TIMEOUT: Final = timedelta(seconds=2)
#: how long a slow document waits for those before it; with the rest of a poll this stays within its lease
MAX_WAIT: Final = timedelta(seconds=20)
#: slow addresses remembered
_MAX_SLOW_ADDRESSES = 1000
#: a child that has had no document for that long is ended
IDLE: Final = timedelta(minutes=1)
#: niceness of the two tiers: pages and polls go first
_QUICK_NICENESS, _SLOW_NICENESS = 5, 15


class ParsePool:
    """Parses documents in `count` child processes.

    A document that takes longer than `timeout` or more than `memory_bytes` of address space costs its child, never
    the daemon; `niceness` lowers the children's priority. Children are started when first needed, replaced when they
    end, and ended by `end_idle` after a minute without a document. Belongs to one event loop.
    """

    def __init__(
        self,
        *,
        count: int = 1,
        timeout: timedelta = DEFAULT_TIMEOUT,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        niceness: int = 0,
    ) -> None:
        self._timeout_s = timeout.total_seconds()
        limits = (memory_bytes, max(1, round(self._timeout_s)), niceness)
        command = [sys.executable, "-m", "aggregator.collect.parse.child", *map(str, limits)]
        self._all = [_Child(command) for _ in range(max(1, count))]
        self._idle: asyncio.LifoQueue[_Child] = asyncio.LifoQueue()
        for child in self._all:
            self._idle.put_nowait(child)
        self._closed = False
        #: children that had to be killed or died, for metrics
        self.restarts = 0

    async def start(self) -> None:
        """Starts the children now instead of with the first documents. Raises ParserUnavailable."""
        await asyncio.gather(*(child.ensure() for child in self._all))

    async def probe(self) -> None:
        """Returns if a child runs or can be started. Raises ParserUnavailable."""
        child = await self._idle.get()
        try:
            await child.ensure()
        finally:
            self._idle.put_nowait(child)

    async def end_idle(self, *, after: timedelta = IDLE) -> int:
        """Ends children that have had no document for that long; how many. A child is 30 MB, its start 0.2 s of CPU."""
        until_s = asyncio.get_running_loop().time() - after.total_seconds()
        waiting = [self._idle.get_nowait() for _ in range(self._idle.qsize())]
        idle = [child for child in waiting if child.is_running and child.used_s <= until_s]
        try:
            await asyncio.gather(*(child.stop() for child in idle))
        finally:
            for child in waiting:
                self._idle.put_nowait(child)
        return len(idle)

    async def parse(self, document: Document) -> ParsedFeed:
        """`document` as a feed.

        Raises ParseError: empty-body, not-a-feed, bad-json, xml-entity, parse-failed as `parse_sync` does;
        parse-timeout, parse-memory and parse-crash where the child had to be given up. Raises ParserUnavailable where
        no child can be started, which says nothing of the document.
        """
        if self._closed:
            raise ParseError("parse-failed", "The parse workers are closed.")
        child = await self._idle.get()
        try:
            answer = await self._answer(child, document)
            if not answer.startswith(FEED):
                return await self._understood(child, answer)
        finally:
            self._idle.put_nowait(child)
        await asyncio.sleep(0)  # whoever waits for the child goes first: it works while we read
        return await self._understood(child, answer)

    async def close(self) -> None:
        """Ends the children. May be called twice."""
        self._closed = True
        await asyncio.gather(*(child.stop() for child in self._all))

    async def _answer(self, child: _Child, document: Document) -> bytes:
        await child.ensure()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await child.exchange(encode_request(document))
        except TimeoutError:
            await self._give_up(child)
            raise ParseError(
                "parse-timeout", f"Parsing took longer than {self._timeout_s:g} s and was stopped."
            ) from None
        except (EOFError, ConnectionError) as error:
            raise await self._died(child) from error
        except BaseException:  # cancelled in the middle: the child's answer would be taken for the next document's
            await self._give_up(child)
            raise

    async def _understood(self, child: _Child, answer: bytes) -> ParsedFeed:
        try:
            return decode_answer(answer)
        except ParseError as error:
            if error.code == "parse-memory":
                await self._give_up(child)
            raise
        except NO_ANSWER as error:
            self.restarts += 1
            child.retire()  # not killed: it may have the next document already
            raise ParseError(
                "parse-crash", f"The parse process gave an answer that makes no sense: {error!r}"
            ) from error

    async def _died(self, child: _Child) -> ParseError:
        code = await self._give_up(child)
        if code == -signal.SIGXCPU:
            return ParseError("parse-timeout", "Parsing used up its CPU time and was stopped.")
        if code == -signal.SIGABRT:  # how an allocation that fails in Rust ends
            return ParseError("parse-memory", "Parsing this document takes more memory than allowed.")
        return ParseError("parse-crash", f"The parse process ended in the middle of this document (status {code}).")

    async def _give_up(self, child: _Child) -> int | None:
        self.restarts += 1
        return await child.kill()


class TwoTierParsePool:
    """Parses documents, quick ones in `count` children, slow ones in one more, each within `timeout`.

    The interface is that of `ParsePool`; so are the errors.
    """

    def __init__(
        self,
        *,
        count: int = 2,
        timeout: timedelta = DEFAULT_TIMEOUT,
        quick_timeout: timedelta = QUICK_TIMEOUT,
        max_wait: timedelta = MAX_WAIT,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
    ) -> None:
        quick_timeout = min(quick_timeout, timeout)
        self._quick = ParsePool(count=count, timeout=quick_timeout, memory_bytes=memory_bytes, niceness=_QUICK_NICENESS)
        self._slow_tier = ParsePool(timeout=timeout, memory_bytes=memory_bytes, niceness=_SLOW_NICENESS)
        self._quick_timeout_s, self._max_wait_s = quick_timeout.total_seconds(), max_wait.total_seconds()
        self._slow_lock = asyncio.Lock()
        #: addresses in the order in which they were seen to be slow
        self._slow_urls: dict[str, None] = {}

    @property
    def restarts(self) -> int:
        """Children that had to be killed or died, for metrics."""
        return self._quick.restarts + self._slow_tier.restarts

    async def start(self) -> None:
        """Starts the quick children now instead of with the first documents. Raises ParserUnavailable."""
        await self._quick.start()

    async def probe(self) -> None:
        """Returns if a quick child runs or can be started. Raises ParserUnavailable."""
        await self._quick.probe()

    async def end_idle(self, *, after: timedelta = IDLE) -> int:
        """Ends children that have had no document for that long; how many."""
        return await self._quick.end_idle(after=after) + await self._slow_tier.end_idle(after=after)

    async def parse(self, document: Document) -> ParsedFeed:
        """`document` as a feed. Raises ParseError as `ParsePool.parse` does.

        Articles go to the slow tier: what extracts them is large, and no feed has to wait for it.
        """
        if document.is_article:
            async with self._slot():
                return await self._slow_tier.parse(document)
        if document.url not in self._slow_urls:
            try:
                return await self._quick.parse(document)
            except ParseError as error:
                if error.code != "parse-timeout":
                    raise
            self._remember(document.url)
        return await self._parse_slowly(document)

    async def close(self) -> None:
        """Ends the children. May be called twice."""
        await asyncio.gather(self._quick.close(), self._slow_tier.close())

    async def _parse_slowly(self, document: Document) -> ParsedFeed:
        clock = asyncio.get_running_loop().time
        async with self._slot():
            began = clock()
            feed = await self._slow_tier.parse(document)
            if clock() - began < self._quick_timeout_s / 2:
                self._slow_urls.pop(document.url, None)
            return feed

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._max_wait_s):
                await self._slow_lock.acquire()
        except TimeoutError:
            raise ParseError(
                "parse-timeout",
                f"Parsing took longer than {self._quick_timeout_s:g} s, and other slow documents were waiting.",
            ) from None
        try:
            yield
        finally:
            self._slow_lock.release()

    def _remember(self, url: str) -> None:
        self._slow_urls[url] = None
        if len(self._slow_urls) > _MAX_SLOW_ADDRESSES:
            del self._slow_urls[next(iter(self._slow_urls))]


class _Child:
    """One process and its pipes."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._process: Process | None = None
        self._documents = 0
        #: when it last had a document, on the loop's clock
        self.used_s = 0.0

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.returncode is None

    async def ensure(self) -> None:
        """Runs, and is ready, when this returns. Raises ParserUnavailable if it cannot be started."""
        if self._process is not None and self._documents >= _DOCUMENTS_PER_CHILD:
            await self.stop()
        self.used_s = asyncio.get_running_loop().time()
        if self.is_running:
            return
        try:
            _need_descriptors()
            # a session of its own: Ctrl-C on the terminal is the parent's to handle
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, start_new_session=True, limit=PIPE_BYTES
            )
        except OSError as error:  # ENOENT after an upgrade, EACCES, EAGAIN (TasksMax), ENOMEM, EMFILE
            raise ParserUnavailable(f"no parse process can be started: {self._command[0]}: {error}") from error
        self._documents = 0
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await self._stdout().readexactly(1)
        except (TimeoutError, EOFError, ConnectionError) as error:
            code = await self.kill()
            raise ParserUnavailable(
                f"no parse process can be started: it ended with status {code} before it was ready"
            ) from error
        except BaseException:
            await self.kill()
            raise

    async def exchange(self, request: bytes) -> bytes:
        """Sends a request and returns the header of its answer. EOFError, ConnectionError: the child has ended."""
        process = self._process
        assert process is not None and process.stdin is not None, "ensure() comes first"  # noqa: S101, PT018
        self._documents += 1
        self.used_s = asyncio.get_running_loop().time()
        process.stdin.write(request)
        await process.stdin.drain()
        length, _ = LENGTHS.unpack(await self._stdout().readexactly(LENGTHS.size))
        if length > MAX_ANSWER_BYTES:
            raise ConnectionError(f"an answer of {length} bytes")
        return await self._stdout().readexactly(length)

    def retire(self) -> None:
        """A fresh process takes the place of this one before the next document."""
        self._documents = _DOCUMENTS_PER_CHILD

    async def stop(self) -> None:
        """Ends the child by ending its input; kills it if that takes more than a second."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(1):
                await process.wait()
        except TimeoutError:
            await self.kill()
        self._process = None

    async def kill(self) -> int | None:
        """Ends the child at once; its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        with suppress(ProcessLookupError):
            process.kill()
        return await process.wait()

    def _stdout(self) -> asyncio.StreamReader:
        assert self._process is not None and self._process.stdout is not None, "ensure() comes first"  # noqa: S101, PT018
        return self._process.stdout


def _need_descriptors() -> None:
    """Raises OSError unless enough descriptors are left to start a process: uvloop says it less plainly."""
    opened = list[int]()
    try:
        for _ in range(_DESCRIPTORS_PER_START):
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    finally:
        for descriptor in opened:
            os.close(descriptor)
