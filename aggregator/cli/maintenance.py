"""``aggregator backup``, ``restore``, ``publish``, ``count`` and ``readers``: what is done with the store."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import Context, pass_context
from aggregator.cli.output import Progress, json_option, limit_option, local, moment, print_json, print_table
from aggregator.errors import AggregatorError, NotFound

if TYPE_CHECKING:
    from aggregator.model import Reader

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=FILE)
@pass_context
def backup(context: Context, file: Path) -> None:
    """Write a verified copy of the store.

    Consistent while the daemon runs. A file of that name is replaced when the copy is complete and has been verified.
    """
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
    from aggregator.store import restore as restore_store

    settings = context.settings
    with Progress("verifying and restoring"):
        restore_store(settings.store.url, base=settings.base, backup=file.absolute())
    click.echo(f"restored from {file}")


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
    from aggregator.publish import static_site

    with context.store() as store, Progress("publishing", total=0) as progress:
        rendering = assemble.rendering(context.settings, store)
        try:
            done = static_site.publish(directory, rendering, now=context.now(), progress=progress.at)
        except OSError as error:
            raise AggregatorError(f"{error.filename or directory}: {error.strerror or error}") from error
    click.echo(f"{directory}: {done.files} files, {done.written} of them new or changed; {done.removed} removed")


@click.command()
@click.argument("access_log", type=click.Path(path_type=Path, dir_okay=False))
@pass_context
def count(context: Context, access_log: Path) -> None:
    """Count views from a web server's access log.

    For sites that serve the static files themselves: common or combined format, plain or gzipped. Counting the same log
    again, or one that has grown, counts each view once.
    """
    from aggregator import assemble
    from aggregator.publish.access_log import count_log

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


@click.group()
def readers() -> None:
    """Manage private feeds that learn from their reader.

    Such a feed has a secret address. What is opened through it decides what it recommends.
    """


@readers.command()
@click.argument("name")
@pass_context
def add(context: Context, name: str) -> None:
    """Give NAME a private feed and print its address."""
    # 128 bits: the address is the only key
    token = secrets.token_hex(16)
    with context.store(create=True) as store:
        reader = store.add_reader(name, token, now=context.now())
    click.echo(_address(context, reader))


@readers.command()
@click.argument("name")
@pass_context
def remove(context: Context, name: str) -> None:
    """Forget NAME and all that was learnt; the address answers no more."""
    with context.store() as store:
        if not store.remove_reader(name):
            raise NotFound(f"there is no reader {name!r}; `aggregator readers list` shows them")


@readers.command("list")
@json_option
@limit_option(0)
@pass_context
def list_readers(context: Context, as_json: bool, limit: int) -> None:
    """Show all readers with their addresses."""
    with context.store() as store:
        found = store.readers()[: limit or None]
    if as_json:
        print_json(_row(context, reader) for reader in found)
        return
    zone = context.settings.site.timezone
    rows = [[one.name, one.opened, local(one.created, zone), _address(context, one)] for one in found]
    print_table(["reader", "opened", "since", "address"], rows)


def _row(context: Context, reader: Reader) -> dict[str, object]:
    return {
        "name": reader.name,
        "address": _address(context, reader),
        "created": moment(reader.created),
        "opened": reader.opened,
    }


def _address(context: Context, reader: Reader) -> str:
    settings = context.settings
    suffix = settings.publish.formats[0]
    return f"{settings.site.url.rstrip('/')}/r/{reader.token}/recommended.{suffix}"
