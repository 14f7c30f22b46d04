"""Logging: one event a line on standard error, written by a thread of its own.

An event is logged as ``log.info("source failed", extra={"url": …, "code": …})``: the message names the event, the extra
keys are its fields. Lines are logfmt (``level=info logger=collect.poll msg="source failed" url=…``); on a terminal they
are formatted for people. While nobody reads standard error events are dropped and counted: a stopped terminal or a full
journal must not stop polling.
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import os
import queue
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TextIO

#: events that may wait for a slow reader of standard error
BACKLOG = 10_000
#: characters of a value; the rest is cut off
MAX_VALUE = 1_000

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_RESERVED = frozenset({"ts", "level", "logger", "msg", "error"})
#: syslog priorities, which sd-daemon(3) wants before a line
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class Logfmt(logging.Formatter):
    """``ts=2026-01-31T12:00:00.000Z level=info logger=collect.poll msg="source failed" url=…``.

    With `journal` the line begins with ``<priority>`` and has no time: the journal keeps both.
    """

    def __init__(self, *, journal: bool = False) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; the end of its traceback, if any, as the field ``error``."""
        pairs = [("level", record.levelname.lower()), ("logger", logger_name(record)), ("msg", record.getMessage())]
        if record.exc_info:
            pairs.append(("error", self.formatException(record.exc_info)[-MAX_VALUE:]))
        if not self._journal:
            moment = datetime.fromtimestamp(record.created, UTC)
            pairs.insert(0, ("ts", f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"))
        line = " ".join(f"{key}={quote(value)}" for key, value in (*pairs, *fields(record)))
        return f"<{_PRIORITY.get(record.levelno, 6)}>{line}" if self._journal else line


def logger_name(record: logging.LogRecord) -> str:
    """The part of the program that logged the record, without the package's own name."""
    return record.name.removeprefix("aggregator.")


def fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    """The extra fields of a record, in the order in which they were given."""
    for key, value in vars(record).items():
        if key not in _STANDARD:
            yield (f"{key}_" if key in _RESERVED else key), value


def quote(value: object) -> str:
    r"""`value` as logfmt writes it: bare where that is unambiguous, else in double quotes with JSON's escapes."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = str(value)[:MAX_VALUE]
    if text and text.isprintable() and not set(text) & set(' "=\\'):
        return text
    return "".join(ch if ch.isprintable() else _escape(ch) for ch in json.dumps(text, ensure_ascii=False))


def _escape(character: str) -> str:
    r"""A character that could steer a terminal or end a line, as ``\uXXXX`` (two of them beyond U+FFFF)."""
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


class _Queue(logging.handlers.QueueHandler):
    """Drops events, and counts them, while the queue is full."""

    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1
            return
        if self.dropped:
            self._report_dropped()

    def _report_dropped(self) -> None:
        count, self.dropped = self.dropped, 0
        note = logging.LogRecord(__name__, logging.WARNING, __file__, 0, "events dropped", None, None)
        note.events = count
        self.enqueue(note)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Records stay in this process: nothing has to be flattened for pickling."""
        return record


def set_up(
    *,
    environ: Mapping[str, str],
    verbose: bool = False,
    stream: TextIO | None = None,
    terminal: logging.Formatter | None = None,
) -> Logs:
    """Sends every event of the process to `stream` (default standard error) until the result is closed.

    `terminal` formats the lines where `stream` is a terminal. Standard error that is the journal (``JOURNAL_STREAM``,
    systemd.exec(5)) gets lines with a priority instead of a time.
    """
    out = stream or sys.stderr
    if out is None:  # started with standard error closed
        return Logs(open(os.devnull, "w", encoding="utf-8"), Logfmt(), verbose=verbose)  # noqa: PTH123
    if terminal is not None and out.isatty():
        return Logs(out, terminal, verbose=verbose)
    return Logs(out, Logfmt(journal=_is_journal(out, environ)), verbose=verbose)


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether `stream` is the connection to the journal; the variable alone is inherited by shells, too."""
    try:
        state = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{state.st_dev}:{state.st_ino}"


class Logs:
    """The running log; `close` writes what waits, for at most a second."""

    def __init__(self, stream: TextIO, formatter: logging.Formatter, *, verbose: bool) -> None:
        self._stream, self._formatter = stream, formatter
        self._backlog: queue.Queue[logging.LogRecord | None] = queue.Queue(BACKLOG)
        self._handler = _Queue(self._backlog)
        self._root = logging.getLogger()
        self._root.addHandler(self._handler)
        self._root.setLevel(logging.DEBUG if verbose else logging.INFO)
        _quieten_libraries()
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops logging. Does not wait for a reader that has gone away."""
        self._root.removeHandler(self._handler)
        with contextlib.suppress(queue.Full):
            self._backlog.put_nowait(None)
        self._thread.join(timeout=1)

    def _write(self) -> None:
        while (record := self._backlog.get()) is not None:
            # A stream that is closed or full (ENOSPC, EPIPE) loses the line; there is nowhere to say so.
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(self._formatter.format(record) + "\n")
                self._stream.flush()


def _quieten_libraries() -> None:
    """Raises the level of loggers that write a line for each of their own steps."""
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    # It warns at each tick for which the last run still goes on, which `max_instances=1` makes a normal thing.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
