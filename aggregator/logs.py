"""Logging: one line an event, ``key=value``, to standard error, never in the way of the work.

Events are written as ``log.info("source failed", extra={"url": …, "code": …})``: the message names the event, the extra
keys are its figures. A thread of its own writes the lines; while nobody reads them they are counted and left out,
because a stopped terminal or a full journal must not stop the polling.
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TextIO

#: events that may wait for a slow reader of standard error
BACKLOG = 10_000
#: a longer value says nothing that the first part does not
MAX_VALUE = 1_000

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: syslog priorities, as sd-daemon(3) wants them before a line
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class KeyValue(logging.Formatter):
    """``2026-01-31T12:00:00.000Z info event="source failed" room=collect.poll url=…``.

    With `journal` the line starts with ``<priority>`` and has no time: the journal keeps both.
    """

    def __init__(self, *, journal: bool = False) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; its traceback, if it has one, escaped in a field."""
        pairs = " ".join(f"{key}={quote(value)}" for key, value in self._fields(record))
        return f"{self._head(record)} {pairs}"

    def _head(self, record: logging.LogRecord) -> str:
        level = record.levelname.lower()
        if self._journal:
            return f"<{_PRIORITY.get(record.levelno, 6)}>{level}"
        moment = datetime.fromtimestamp(record.created, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z {level}"

    def _fields(self, record: logging.LogRecord) -> Iterator[tuple[str, object]]:
        yield "event", record.getMessage()
        yield "room", record.name.removeprefix("aggregator.")
        yield from ((key, value) for key, value in vars(record).items() if key not in _PLAIN)
        if record.exc_info:
            # the end of a traceback says what happened
            yield "error", self.formatException(record.exc_info)[-MAX_VALUE:]


def quote(value: object) -> str:
    r"""`value` as it stands behind ``key=``: bare where that is unambiguous, else quoted, a line break as ``\n``."""
    text = str(value)[:MAX_VALUE]
    if text and text.isprintable() and not set(text) & set(' "=\\'):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    printable = "".join(ch if ch.isprintable() else ch.encode("unicode_escape").decode() for ch in escaped)
    return f'"{printable}"'


class _DroppingQueue(logging.handlers.QueueHandler):
    """Leaves events out, and counts them, while nobody reads."""

    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1
            return
        if self.dropped:
            self._confess()

    def _confess(self) -> None:
        count, self.dropped = self.dropped, 0
        note = logging.LogRecord(__name__, logging.WARNING, __file__, 0, "events left out", None, None)
        note.events = count
        self.enqueue(note)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Records stay in this process: nothing has to be flattened for pickling."""
        return record


def set_up(*, environ: Mapping[str, str], verbose: bool = False, stream: TextIO | None = None) -> Logs:
    """Sends every event of the process to `stream` (default standard error) until the result is closed.

    Under systemd (``JOURNAL_STREAM``) lines carry a priority instead of a time.
    """
    return Logs(stream or sys.stderr, journal="JOURNAL_STREAM" in environ and stream is None, verbose=verbose)


class Logs:
    """The running log; `close` writes what waits, for at most a second."""

    def __init__(self, stream: TextIO, *, journal: bool, verbose: bool) -> None:
        writer = logging.StreamHandler(stream)
        writer.setFormatter(KeyValue(journal=journal))
        backlog: queue.Queue[logging.LogRecord] = queue.Queue(BACKLOG)
        self._handler = _DroppingQueue(backlog)
        self._listener = logging.handlers.QueueListener(backlog, writer)
        self._root = logging.getLogger()
        self._root.addHandler(self._handler)
        self._root.setLevel(logging.DEBUG if verbose else logging.INFO)
        _quieten()
        self._listener.start()

    def close(self) -> None:
        """Stops logging. Does not wait for a reader that has gone away."""
        self._root.removeHandler(self._handler)
        thread = getattr(self._listener, "_thread", None)
        if thread is not None:
            self._listener.enqueue_sentinel()
            thread.join(timeout=1)


def _quieten() -> None:
    """Libraries that write a line for each of their own steps."""
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    # It warns at each tick for which the last run still goes on, which `max_instances=1` makes a normal thing.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
