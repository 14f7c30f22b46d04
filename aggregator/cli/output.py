"""What commands print: JSON for programs (one object a line, stable keys), tables for people, log lines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

import click
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

from aggregator.logs import fields, logger_name, quote
from aggregator.model import Item, SourceHealth
from aggregator.model.redact import public_url, redact

F = TypeVar("F", bound=Callable[..., Any])

#: columns of numbers, which are aligned to the right
_NUMBERS = frozenset({"#", "views", "likes", "score", "sources", "items", "items/day", "errors", "place", "opened"})
#: columns that are never wrapped or cut, because their values are copied into other commands
_WHOLE = frozenset({"item", "story", "address"})
_LEVEL_STYLES = {
    logging.DEBUG: "dim",
    logging.WARNING: "bold yellow",
    logging.ERROR: "bold red",
    logging.CRITICAL: "bold red",
}
#: characters that a column of text has at least, however narrow the terminal
_LEAST_WIDTH = 10

#: more than any store holds, less than its engine can count
MAX_LIMIT = 1_000_000_000

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with stable keys.")


def limit_option(default: int) -> Callable[[F], F]:
    """``--limit N``; 0 means all."""
    return click.option(
        "--limit",
        type=click.IntRange(0, MAX_LIMIT),
        default=default,
        show_default=True,
        metavar="N",
        help="At most N; 0: all.",
    )


def print_json(rows: Iterable[Mapping[str, object]]) -> None:
    """Writes one object a line; in ASCII where standard output is not UTF-8, so that it is valid JSON everywhere."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") in {"utf8", "utf8sig"}
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=not utf8, separators=(", ", ": ")) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """A table on a terminal; elsewhere a line a row, cells separated by tabs, without padding or colours."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        lines = [columns, *cells]
        say("\n".join([*([title] if title else []), *("\t".join(map(_one_line, line)) for line in lines)]))
        return
    console = stdout()
    table = _table(columns, cells, title)
    # A terminal that is narrower than this wraps the lines; a cut id could not be given to another command.
    console.print(table, width=max(console.width, console.measure(table).minimum), crop=False)


def _table(columns: Sequence[str], cells: Sequence[Sequence[str]], title: str | None) -> Table:
    table = Table(title=title and escape(title), box=None, header_style="bold", title_justify="left", pad_edge=False)
    for place, column in enumerate(columns):
        longest = max((cell_len(row[place]) for row in cells), default=0)
        table.add_column(
            column,
            justify="right" if column in _NUMBERS else "left",
            overflow="fold",
            no_wrap=column in _NUMBERS | _WHOLE,
            min_width=longest if column in _WHOLE else min(longest, _LEAST_WIDTH),
        )
    for row in cells:
        table.add_row(*map(escape, row))
    return table


def _one_line(cell: str) -> str:
    return "; ".join(line.replace("\t", " ").strip() for line in cell.splitlines() if line.strip())


def say(text: str) -> None:
    """Writes a line of the result to standard output."""
    print(text, flush=True)


def note(text: str) -> None:
    """Writes a line that is no part of the result to standard error."""
    if sys.stderr is not None:
        print(text, file=sys.stderr, flush=True)


def stdout() -> Console:
    """Standard output as rich knows it."""
    return Console(highlight=False, soft_wrap=False)


def printable(cell: object) -> str:
    """`cell` as text, "" for None; control characters, which could steer a terminal, become blanks."""
    if cell is None:
        return ""
    # adding zero turns -0.0 into 0.0
    text = f"{cell + 0.0:.3g}" if isinstance(cell, float) else str(cell)
    return "".join(ch if ch.isprintable() or ch == "\n" else " " for ch in text)


def moment(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def local(at: datetime | None, zone: ZoneInfo) -> str:
    """For people: to the minute, in the site's time zone."""
    return "" if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def item_row(
    item: Item,
    *,
    page: str,
    score: float | None = None,
    reasons: Sequence[str] = (),
    views: int | None = None,
    rank_before: int | None = None,
) -> dict[str, object]:
    """An item as every listing gives it.

    `views`: those within the list's window; None: all ever. `rank_before`: its place in the list earlier on.
    """
    return {
        "id": item.id,
        "title": item.title,
        "url": item.url,
        "page": page,
        "source": item.source.name,
        "sources": item.sources,
        "section": item.section,
        "author": item.author,
        "language": item.language,
        "published": moment(item.published),
        "first_seen": moment(item.first_seen),
        "views": item.views if views is None else views,
        "likes": item.likes,
        "score": score,
        "rank_before": rank_before,
        "story": item.story,
        "reasons": list(reasons),
    }


def source_row(health: SourceHealth) -> dict[str, object]:
    """A source as ``status --json`` shows it, without secrets."""
    error = health.error
    return {
        "url": public_url(health.subscription.url),
        "name": health.ref.name,
        "slug": health.ref.slug,
        "section": health.subscription.section,
        "state": health.state,
        "last_poll": moment(health.last_poll),
        "last_success": moment(health.last_success),
        "next_poll": moment(health.next_poll),
        "last_item": moment(health.last_item),
        "items": health.items,
        "items_per_day": round(health.items_per_day, 2),
        "http_status": health.http_status,
        "error": error and {"code": error.code, "message": redact(error.message), "permanent": error.permanent},
        "error_since": moment(health.error_since),
        "error_count": health.error_count,
        "warnings": list(health.warnings),
        "unstable_ids": health.unstable_ids,
        "daily_items": list(health.daily),
        "daily_polls": list(health.daily_polls),
        "daily_failures": list(health.daily_failures),
    }


class ProgressBar:
    """A progress bar on standard error if that is a terminal; without `total` a spinner."""

    def __init__(self, what: str, *, total: int | None = None) -> None:
        columns = [SpinnerColumn(), TextColumn(what), TimeElapsedColumn()]
        bar = [BarColumn(), MofNCompleteColumn()] if total is not None else []
        self._shown = sys.stderr.isatty()
        self._bar = RichProgress(*columns, *bar, console=Console(stderr=True), transient=True, disable=not self._shown)
        self._task = self._bar.add_task(what, total=total)

    def advance(self, by: int = 1) -> None:
        """Adds `by` to what is done."""
        self._bar.advance(self._task, by)

    def at(self, done: int, total: int) -> None:
        """Sets what is done, and of how much."""
        self._bar.update(self._task, completed=done, total=total)

    def __enter__(self) -> Self:
        if self._shown:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:  # a bar that is not shown ends with an empty line before rich 15
            self._bar.stop()


class LogLines(logging.Formatter):
    """Log lines for people: local time, the event, its fields; colours unless NO_COLOR is set."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(force_terminal=True, highlight=False)

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, with its traceback below it."""
        moment = datetime.fromtimestamp(record.created, UTC).astimezone()
        style = _LEVEL_STYLES.get(record.levelno, "")
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        pieces = [(f"{moment:%H:%M:%S} ", "dim"), (level + printable(record.getMessage()), style)]
        for key, value in fields(record):
            pieces += [(f"  {key}=", "dim"), (quote(value), "")]
        pieces.append((f"  {logger_name(record)}", "dim"))
        with self._console.capture() as capture:
            self._console.print(Text.assemble(*pieces), soft_wrap=True, end="")
        return f"{capture.get()}\n{self.formatException(record.exc_info)}" if record.exc_info else capture.get()
