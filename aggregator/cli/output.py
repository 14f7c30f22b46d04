"""How commands show things: JSON for programs (one object a line, stable keys), tables for people."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from aggregator.model import Item, SourceHealth

F = TypeVar("F", bound=Callable[..., Any])

#: rich assumes 80 columns where there is no terminal, and would cut what a pipe could carry
PIPE_WIDTH = 200

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with stable keys.")


def limit_option(default: int) -> Callable[[F], F]:
    """``--limit N``; 0 means all."""
    return click.option(
        "--limit",
        type=click.IntRange(min=0),
        default=default,
        show_default=True,
        metavar="N",
        help="At most N; 0: all.",
    )


def print_json(rows: Iterable[Mapping[str, object]]) -> None:
    """One object a line, in UTF-8, as they come."""
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False, separators=(", ", ": ")) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """A table on a terminal; the same columns, uncut and without colours, into a pipe."""
    console = stdout()
    table = Table(title=title and escape(title), box=None, header_style="bold", title_justify="left", pad_edge=False)
    for column in columns:
        figures = column in {"#", "views", "likes", "score", "sources", "items", "items/day", "errors"}
        table.add_column(column, justify="right" if figures else "left", overflow="fold", no_wrap=figures)
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    console.print(table)


def stdout() -> Console:
    """Standard output."""
    width = None if sys.stdout.isatty() else max(PIPE_WIDTH, shutil.get_terminal_size().columns)
    return Console(width=width, highlight=False, soft_wrap=False)


def stderr() -> Console:
    """Standard error: what is said besides the result."""
    return Console(stderr=True, highlight=False)


def printable(cell: object) -> str:
    """A value in a cell: "" for None, and nothing that could steer a terminal."""
    if cell is None:
        return ""
    # adding zero: there is no such thing as "-0" to a reader
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
    """A source as ``status --json`` gives it."""
    error = health.error
    return {
        "url": health.subscription.url,
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
        "error": error and {"code": error.code, "message": error.message, "permanent": error.permanent},
        "error_since": moment(health.error_since),
        "error_count": health.error_count,
        "warnings": list(health.warnings),
        "unstable_ids": health.unstable_ids,
        "daily_items": list(health.daily),
        "daily_polls": list(health.daily_polls),
        "daily_failures": list(health.daily_failures),
    }


class Progress:
    """A context in which `advance` moves the bar; without `total` a spinner that says that something goes on."""

    def __init__(self, what: str, *, total: int | None = None) -> None:
        columns = [SpinnerColumn(), TextColumn(what), TimeElapsedColumn()]
        bar = [BarColumn(), MofNCompleteColumn()] if total is not None else []
        self._bar = RichProgress(
            *columns, *bar, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
        )
        self._task = self._bar.add_task(what, total=total)

    def advance(self, by: int = 1) -> None:
        """So much more is done."""
        self._bar.advance(self._task, by)

    def at(self, done: int, total: int) -> None:
        """So much of so much is done."""
        self._bar.update(self._task, completed=done, total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()
