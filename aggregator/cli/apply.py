"""``aggregator apply``: the configuration of all processes on a PostgreSQL store."""

from __future__ import annotations

import click

from aggregator.cli.context import Context, pass_context
from aggregator.cli.output import printable, say
from aggregator.errors import AggregatorError


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@pass_context
def apply(context: Context, dry_run: bool) -> None:
    """Make this configuration the one that all processes on the store follow.

    For a PostgreSQL store that several processes share. Shows what changes; running processes follow within seconds.
    [server], [store] and [backup] stay those of each machine's own file. The text of the file is kept in the database,
    with the secrets that are written in it.
    """
    from aggregator import applied
    from aggregator.store import is_postgresql

    settings = context.settings
    if not is_postgresql(settings.store.url):
        raise click.UsageError("apply is for [store] url = postgresql://…: on SQLite saving the file applies it")
    with context.store(create=True) as store:
        done = applied.apply(settings, store, now=context.now(), dry_run=dry_run)
    if done is None:
        raise AggregatorError("another configuration was applied meanwhile: run `aggregator apply --dry-run` and look")
    for line in done.differences:
        say(printable(line if dry_run else line.removeprefix("would ")))
    if not done.differences:
        say(f"nothing to change; version {done.version} is applied")
    elif not dry_run:
        say(f"version {done.version} is applied")
