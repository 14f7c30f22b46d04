"""``aggregator check``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from aggregator.cli.configure.words import count, has_store
from aggregator.cli.context import Context, pass_context
from aggregator.errors import StoreUnavailable
from aggregator.model import duration, duration_text

if TYPE_CHECKING:
    from aggregator.config import Settings
    from aggregator.curate.rules import RuleTrial, Subject, Trial
    from aggregator.store import Store


def _period(_: click.Context, __: click.Parameter, value: str | None) -> timedelta | None:
    """``7d``, ``12h``."""
    try:
        return None if value is None else duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--backtest", callback=_period, metavar="PERIOD", help="Try the rules on what came in lately, e.g. 7d.")
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
                _show_trial(_trial(store, settings, since=context.now() - backtest), backtest)
    except StoreUnavailable as error:
        click.echo(f"warning: what would change cannot be said: {error}", err=True)
        return 0 if backtest is None else 1
    return 0


def _contents(settings: Settings) -> str:
    followed = sum(source.enabled for source in settings.sources)
    counts = [
        count(followed, "source"),
        count(len(settings.sections), "section"),
        count(len(settings.rules), "rule"),
        count(len(settings.feeds), "own feed"),
    ]
    return ", ".join(counts) + "."


def _show_changes(store: Store, settings: Settings, now: datetime) -> None:
    from aggregator.config import diff_sources

    followed = [health.subscription for health in store.sources(now=now)]
    changes = diff_sources(followed, settings.subscriptions())
    click.echo(
        "\n".join(["Taking it over:", *(f"  {change}" for change in changes)]) if changes else "Nothing would change."
    )


def _trial(store: Store, settings: Settings, *, since: datetime) -> Trial:
    from aggregator.cli.progress import Progress
    from aggregator.curate.rules import try_rules

    with Progress("trying the rules"):
        return try_rules(settings.rules_compiled(), _subjects(store, settings, since=since))


def _subjects(store: Store, settings: Settings, *, since: datetime) -> Iterator[Subject]:
    """The stored entries as the rules would see them today, with the sections that the sources have today."""
    from aggregator.curate.rules import Subject

    urls = {health.ref.id: health.subscription.url for health in store.sources(now=since)}
    sections = {source.url: source.section for source in settings.sources}
    for source_id, _, text, categories, author in store.entries_since(since):
        feed = urls.get(source_id, "")
        yield Subject(
            title=text.title,
            text=text.text,
            author=author,
            category=categories,
            url=text.canonical_url or "",
            source=text.source_name,
            feed=feed,
            section=sections.get(feed, ""),
            language=text.language or "",
        )


def _show_trial(trial: Trial, period: timedelta) -> None:
    from aggregator.cli.output import print_table

    click.echo(
        f"Of {count(trial.subjects, 'entry', 'entries')} in the last {duration_text(period)}"
        f" the rules would have dropped {trial.dropped:,}."
    )
    rows = [_trial_row(place, one) for place, one in enumerate(trial.rules, 1)]
    if rows:
        print_table(["rule", "match", "action", "matches", "decides", "for example"], rows)


def _trial_row(place: int, trial: RuleTrial) -> list[object]:
    return [place, trial.rule.match_text, _action(trial), trial.matched, trial.decided, " · ".join(trial.examples)]


def _action(trial: RuleTrial) -> str:
    action = trial.rule.action
    value = action.section or (action.length and duration_text(action.length))
    if action.kind == "boost":
        value = f"{action.factor:g}"
    return f"{action.kind}:{value}" if value else action.kind
