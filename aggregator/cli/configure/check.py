"""``aggregator check``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from aggregator.cli.configure.words import has_store
from aggregator.cli.context import Context, pass_context
from aggregator.curate.reasons import counted
from aggregator.errors import StoreUnavailable
from aggregator.model import duration

if TYPE_CHECKING:
    from aggregator.config import Settings
    from aggregator.store import Store


def _period(_: click.Context, __: click.Parameter, value: str | None) -> timedelta | None:
    """``7d``, ``12h``."""
    try:
        return None if value is None else duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option(
    "--backtest",
    callback=_period,
    metavar="PERIOD",
    help="Try the rules on the items and lists of the last time, e.g. 7d.",
)
@pass_context
def check(context: Context, backtest: timedelta | None) -> int:
    """Check the configuration; change nothing.

    Errors are named with their file and line (exit code 78). Then come warnings, and what a running daemon would
    change if it took the file over.
    """
    settings = context.settings
    for warning in settings.warnings:
        where = f"{warning.file}:{warning.line}" if warning.line else warning.file
        click.echo(f"{where}: warning: {warning.message}", err=True)
    click.echo(f"{context.path}: fine. {_contents(settings)}")
    if not has_store(settings):
        click.echo("Nothing has been followed yet: a daemon would begin with all sources.")
        if backtest is not None:
            raise click.ClickException("there is no store yet, so there are no items to try the rules on")
        return 0
    try:
        with context.store() as store:
            _show_changes(store, settings, context.now())
            if backtest is not None:
                from aggregator.cli.configure.backtest import show_backtest

                show_backtest(store, settings, period=backtest, now=context.now())
    except StoreUnavailable as error:
        click.echo(f"warning: what would change cannot be said: {error}", err=True)
        return 0 if backtest is None else 1
    return 0


def _contents(settings: Settings) -> str:
    followed = sum(source.enabled for source in settings.sources)
    counts = [
        counted(followed, "source"),
        counted(len(settings.sections), "section"),
        counted(len(settings.rules), "rule"),
        counted(len(settings.feeds), "own feed"),
    ]
    return ", ".join(counts) + "."


def _show_changes(store: Store, settings: Settings, now: datetime) -> None:
    from aggregator.config import diff_sources

    followed = [health.subscription for health in store.sources(now=now)]
    changes = diff_sources(followed, settings.subscriptions())
    click.echo(
        "\n".join(["Taking it over:", *(f"  {change}" for change in changes)]) if changes else "Nothing would change."
    )
