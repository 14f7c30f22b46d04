"""``aggregator count``."""

from __future__ import annotations

from pathlib import Path

import click

from aggregator.cli.context import Context, pass_context
from aggregator.errors import AggregatorError


@click.command()
@click.argument("access_log", type=click.Path(path_type=Path, dir_okay=False))
@pass_context
def count(context: Context, access_log: Path) -> None:
    """Count views from a web server's access log.

    For sites that serve the static files themselves: common or combined format, plain or gzipped. Counting the same log
    again, or one that has grown, counts each view once.
    """
    from aggregator import assemble
    from aggregator.cli.progress import Progress
    from aggregator.publish.accesslog import count_log

    settings = context.settings
    with context.store() as store, Progress("counting lines", total=0) as progress:
        try:
            counted = count_log(
                access_log,
                store,
                state_dir=assemble.state_dir(settings),
                site_url=settings.site.url,
                now=context.now(),
                progress=lambda lines: progress.at(lines, lines),
            )
        except OSError as error:
            raise AggregatorError(f"{error.filename or access_log}: {error.strerror or error}") from error
        store.fold_views()
    refused = ", ".join(f"{number} {reason}" for reason, number in counted.refused.most_common())
    click.echo(f"{access_log}: {counted.views} views in {counted.lines} new lines, {counted.hits} requests for items")
    if refused:
        click.echo(f"not counted: {refused}")
    if counted.unread:
        click.echo(f"{counted.unread} lines were in no format that is known", err=True)
