"""``aggregator backup`` and ``restore``."""

from __future__ import annotations

from pathlib import Path

import click

from aggregator.cli.context import Context, pass_context

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=FILE)
@pass_context
def backup(context: Context, file: Path) -> None:
    """Write a verified copy of the store.

    Consistent while the daemon runs. A file of that name is replaced when the copy is complete and has been verified.
    """
    from aggregator.cli.progress import Progress

    if not file.absolute().parent.is_dir():
        raise click.ClickException(f"{file.absolute().parent} is not a directory: make it first")
    with context.store() as store, Progress("copying and verifying"):
        store.backup(file.absolute())
    click.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB, verified")


@click.command()
@click.argument("file", type=FILE)
@pass_context
def restore(context: Context, file: Path) -> None:
    """Replace the store by a backup.

    The backup is verified first; what was there before is kept beside it. Stop the daemon before.
    """
    from aggregator.cli.progress import Progress
    from aggregator.store import restore as restore_store

    settings = context.settings
    with Progress("verifying and restoring"):
        restore_store(settings.store.url, base=settings.base, backup=file.absolute())
    click.echo(f"restored from {file}")
