"""Views from a web server's access log, for sites whose pages are served as static files by another server.

Reads the common and combined formats of Apache and nginx, plain or gzipped, with or without a leading virtual host. The
same rules as for live requests decide what is a view (`audience.refusal_in_log`), as far as a log tells.

Counting is idempotent: how many lines of a log have been counted is kept in the state directory, under a keyed hash of
its first line, so that a log may grow, be renamed by rotation or be compressed. What is about to be counted is written
down before it is, and carries a mark that the store accepts once; a crash in between counts nothing twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hmac
import itertools
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from aggregator.errors import AggregatorError
from aggregator.model import View, utc
from aggregator.publish.audience import VIEW_CEILINGS, CountingStore, refusal_in_log
from aggregator.publish.audience.visitors import (
    KeyRing,
    Keys,
    Ledger,
    SharedKeyRing,
    append_private,
    day_start,
    parse_address,
    visitor_hash,
)

__all__ = ["Counted", "Hit", "count_log", "parse_line", "refuse_other_formats"]

LINE = re.compile(
    r"(?:\S+:\d+ )?(?P<address>\S+) \S+ [^\[]*\[(?P<time>[^\]]+)\] "
    r'"(?P<method>[A-Z]+) (?P<target>\S+)[^"]*" (?P<status>\d{3}) \S+'
    r'(?: "(?:[^"\\]|\\.)*" "(?P<agent>(?:[^"\\]|\\.)*)")?'
)
TIME = re.compile(r"(\d{1,2})/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ITEM = re.compile(r"/(item|go)/([0-9a-z]{1,32})(?:/|/index\.html|\.html)?")
#: what a server answers when somebody sees the page, or is led to the original
SEEN = {"item": frozenset({200, 304}), "go": frozenset({200, 301, 302, 303, 304, 307})}
#: lines counted in one transaction
CHUNK_LINES = 4096
#: a log is refused if none of so many lines can be read; longer lines than MAX_LINE bytes are none
PROBED_LINES, MAX_LINE = 1_000, 65_536
#: logs whose progress is remembered
REMEMBERED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One line that asks for an item."""

    item_id: str
    at: datetime
    method: str
    #: the client's address, as it stands in the log
    address: str
    user_agent: str


@dataclass(slots=True, kw_only=True)
class Counted:
    """What was found in a log and counted."""

    #: lines read now, those counted in former runs left out
    lines: int = 0
    #: requests for items, whoever made them
    hits: int = 0
    #: hits that are no views, by reason: the words of `audience.refusal_in_log`, and "repeated"
    refused: Counter[str] = field(default_factory=Counter)
    #: views added
    views: int = 0
    #: lines in no format that is known
    unread: int = 0


def count_log(
    log: Path,
    store: CountingStore,
    *,
    state_dir: Path,
    site_url: str,
    now: datetime,
    progress: Callable[[int], None] | None = None,
    chunk_lines: int = CHUNK_LINES,
    has_others: bool = False,
) -> Counted:
    """Counts the views in an access log that have not been counted before.

    `progress` is told the lines read so far; `chunk_lines` are counted in one transaction; `has_others` as `Audience`
    has it. A last line without its end is left for the next time. Raises OSError where the log cannot be read,
    StoreError where the store cannot count.
    """
    keys: Keys = SharedKeyRing(store) if has_others else KeyRing(state_dir)
    counted = Counted()
    with _exclusive(state_dir), _open(log) as lines:
        first = lines.readline()
        if not first.endswith(b"\n"):
            return counted
        name = hmac.digest(keys.permanent("accesslog"), first, "sha256").hex()[:32]
        ledger = _Progress(state_dir / "accesslogs.json", name)
        reader = _Reader(keys, base=urlsplit(site_url).path.rstrip("/"), now=now, counted=counted, step=chunk_lines)
        for start, end, views in reader.chunks(_from(first, lines), done=ledger.done, pending=ledger.pending):
            ledger.begin(end)
            counted.views += store.count_once(f"accesslog:{name}:{start}-{end}", views)
            ledger.finish(end)
            if progress:
                progress(end)
    today = utc(now).date()
    keys.destroy_all_but(today)
    store.forget_visitors(day_start(today))
    return counted


def refuse_other_formats(log: Path) -> None:
    """Raises AggregatorError, with the first line, if none of the first lines of `log` is one of an access log.

    An empty log is no error. Raises OSError, EOFError or zlib.error where the log cannot be read.
    """
    first = ""
    with _open(log) as lines:
        for line in itertools.islice(iter(lambda: lines.readline(MAX_LINE), b""), PROBED_LINES):
            text = line.decode("utf-8", "replace")
            if LINE.match(text):
                return
            first = first or text.strip()[:80]
    if first:
        raise AggregatorError(f"{log} is not an access log in the common or combined format; its first line: {first!a}")


def parse_line(line: str, *, base: str = "") -> Hit | None:
    """The opening of an item that a line tells of; None for any other request. ValueError: not a line of a log."""
    match = LINE.match(line)
    if match is None:
        raise ValueError(f"not in the common or combined log format: {line[:80]!r}")
    at = parse_time(match["time"])
    path = match["target"].partition("?")[0]
    wanted = ITEM.fullmatch(path.removeprefix(base)) if path.startswith(base) else None
    if wanted is None or int(match["status"]) not in SEEN[wanted[1]]:
        return None
    agent = (match["agent"] or "").removeprefix("-")
    return Hit(item_id=wanted[2], at=at, method=match["method"], address=match["address"], user_agent=agent.strip())


def parse_time(text: str) -> datetime:
    """``10/Oct/2025:13:55:36 +0200`` in UTC; English months, whatever the locale. ValueError otherwise."""
    match = TIME.fullmatch(text)
    if match is None or match[2] not in MONTHS:
        raise ValueError(f"not a time of an access log: {text!r}")
    offset = timedelta(hours=int(match[8]), minutes=int(match[9]))
    zone = timezone(-offset if match[7] == "-" else offset)
    day, year, hour, minute, second = (int(match[group]) for group in (1, 3, 4, 5, 6))
    at = datetime(year, MONTHS.index(match[2]) + 1, day, hour, minute, min(second, 59), tzinfo=zone)
    try:
        return at.astimezone(UTC)
    except OverflowError as error:  # the first or the last day of the calendar
        raise ValueError(f"not a time of an access log: {text!r}") from error


class _Reader:
    """Turns lines into views, once for each visitor, item and day of this log."""

    def __init__(self, keys: Keys, *, base: str, now: datetime, counted: Counted, step: int) -> None:
        self._keys, self._base, self._now, self._counted, self._step = keys, base, utc(now), counted, step
        self._days: dict[date, tuple[bytes, Ledger]] = {}

    def chunks(
        self, lines: Iterator[bytes], *, done: int, pending: int | None
    ) -> Iterator[tuple[int, int, list[View]]]:
        """(first line, line after the last, views): what was interrupted first, then in even steps.

        The lines before `done` are read as well, so that a visitor of then is not counted again.
        """
        number, start, views = 0, done, list[View]()
        for number, line in enumerate(lines, 1):
            view = self._view(line, new=number > done)
            if number <= done:
                continue
            if view:
                views.append(view)
            if number == pending or (number % self._step == 0 and number > (pending or 0)):
                yield start, number, views
                start, views = number, []
        if number > start:
            yield start, number, views

    def _view(self, line: bytes, *, new: bool) -> View | None:
        """The view that a line is; None for all else. Tells the tally only of what is new."""
        tally = self._counted if new else Counted()
        tally.lines += 1
        try:
            hit = parse_line(line.decode("utf-8", "replace"), base=self._base)
        except ValueError:
            tally.unread += 1
            return None
        if hit is None:
            return None
        tally.hits += 1
        visitor, reason = self._judge(hit)
        if reason:
            tally.refused[reason] += 1
            return None
        return View(item_id=hit.item_id, at=min(hit.at, self._now), visitor=visitor)

    def _judge(self, hit: Hit) -> tuple[bytes, str | None]:
        """The visitor, and why this is no view (None: it is one)."""
        if (reason := refusal_in_log(hit.method, hit.user_agent)) is not None:
            return b"", reason
        key, ledger = self._day(hit.at.date())
        visitor = visitor_hash(key, address=parse_address(hit.address), user_agent=hit.user_agent, item_id=hit.item_id)
        if ledger.seen(visitor):
            return visitor, "repeated"
        if ledger.full(visitor):
            return visitor, "ceiling"
        ledger.add(visitor)
        return visitor, None

    def _day(self, day: date) -> tuple[bytes, Ledger]:
        """A day's key and visitors. Today's key is the one of live views; a past day's has been destroyed."""
        if day not in self._days:
            today = day == self._now.date()
            key = self._keys.of_day(day) if today else secrets.token_bytes(32)
            self._days[day] = (key, Ledger(VIEW_CEILINGS))
        return self._days[day]


class _Progress:
    """How far a log has been counted, on disk before and after each step."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        entry = self._read().get(name, {})
        self.done: int = entry.get("done") or 0
        #: where a step that was begun and perhaps not finished ends
        self.pending: int | None = entry.get("pending")

    def begin(self, end: int) -> None:
        """Writes down that lines up to `end` are about to be counted."""
        self._write({"done": self.done, "pending": end})

    def finish(self, end: int) -> None:
        """Writes down that they have been."""
        self.done = end
        self._write({"done": end})

    def _read(self) -> dict[str, dict[str, int]]:
        try:
            known: dict[str, dict[str, int]] = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return known

    def _write(self, entry: Mapping[str, int]) -> None:
        known = self._read()
        known.pop(self._name, None)
        kept = dict(list(known.items())[-REMEMBERED + 1 :]) | {self._name: dict(entry)}
        draft = self._path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        append_private(draft, json.dumps(kept).encode(), sync=True)
        draft.replace(self._path)


@contextlib.contextmanager
def _exclusive(state_dir: Path) -> Iterator[None]:
    """One import at a time."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(state_dir / "accesslogs.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _open(log: Path) -> Iterator[BinaryIO]:
    with log.open("rb") as raw:
        magic = raw.read(2)
        raw.seek(0)
        if magic != b"\x1f\x8b":
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield unpacked  # type: ignore[misc] # a GzipFile reads like any binary file


def _from(first: bytes, rest: BinaryIO) -> Iterator[bytes]:
    """The complete lines."""
    yield first
    for line in rest:
        if line.endswith(b"\n"):
            yield line
