"""A progress bar for what takes long: on a terminal only, on standard error."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress


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
