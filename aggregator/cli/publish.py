"""``aggregator publish``."""

from __future__ import annotations

from pathlib import Path

import click

from aggregator.cli.context import Context, pass_context
from aggregator.errors import AggregatorError


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@pass_context
def publish(context: Context, directory: Path) -> None:
    """Write the whole site as static files.

    Feeds and pages with compressed forms beside them, each replaced atomically and only where it has changed; what is
    no longer part of the site is removed, files of others stay. Searching and liking need the live site; views are
    counted from the file server's log (`aggregator count`).
    """
    from aggregator import assemble
    from aggregator.cli.progress import Progress
    from aggregator.publish import static_site

    with context.store() as store, Progress("publishing", total=0) as progress:
        rendering = assemble.rendering(context.settings, store)
        try:
            done = static_site.publish(directory, rendering, now=context.now(), progress=progress.at)
        except OSError as error:
            raise AggregatorError(f"{error.filename or directory}: {error.strerror or error}") from error
    click.echo(f"{directory}: {done.files} files, {done.written} of them new or changed; {done.removed} removed")
