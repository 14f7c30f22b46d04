"""``aggregator backup``, ``restore``, ``publish``, ``count`` and ``readers``: what is done with the store."""

from __future__ import annotations

import secrets
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import Context, pass_context
from aggregator.cli.output import (
    ProgressBar,
    json_option,
    limit_option,
    local,
    moment,
    note,
    print_json,
    print_table,
    say,
)
from aggregator.errors import AggregatorError, NotFound

if TYPE_CHECKING:
    from aggregator.model import Reader

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=FILE)
@pass_context
def backup(context: Context, file: Path) -> None:
    """Write a verified copy of the store.

    Consistent while the daemon runs. An existing FILE is replaced once the copy is complete and verified.
    """
    folder = file.absolute().parent
    if not folder.is_dir():
        raise click.ClickException(f"{folder} is not a directory: make it first")
    with context.store() as store, ProgressBar("copying and verifying"):
        store.backup(file.absolute())
    say(f"{file}: {file.stat().st_size / 1e6:.1f} MB, verified")


@click.command()
@click.argument("file", type=FILE)
@pass_context
def restore(context: Context, file: Path) -> None:
    """Replace the store by a backup.

    Stop the daemon before. The backup is verified first; the present store is kept beside the restored one.
    """
    from aggregator.store import restore as restore_store

    settings = context.settings
    with ProgressBar("verifying and restoring"):
        restore_store(settings.store.url, base=settings.store_base, backup=file.absolute())
    say(f"restored from {file}")


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@pass_context
def publish(context: Context, directory: Path) -> None:
    """Write the whole site as static files.

    Feeds and pages with compressed copies, each replaced atomically and only if it has changed. Files that are no
    longer part of the site are removed; files that `publish` has not written stay. Search and likes need the live site;
    views are counted from the file server's log (`aggregator count`).
    """
    from aggregator import assemble
    from aggregator.publish import static_site

    with context.store() as store, ProgressBar("publishing", total=0) as progress:
        rendering = assemble.rendering(context.settings, store)
        try:
            done = static_site.publish(directory, rendering, now=context.now(), progress=progress.at)
        except OSError as error:
            raise AggregatorError(f"{error.filename or directory}: {error.strerror or error}") from error
    say(f"{directory}: {done.files} files, {done.written} of them new or changed; {done.removed} removed")


@click.command()
@click.argument("access_log", type=FILE)
@pass_context
def count(context: Context, access_log: Path) -> None:
    """Count views from a web server's access log.

    For sites whose static files are served by another server. Reads the common and combined formats, plain or gzipped.
    Counting a log again, or one that has grown, counts each view once.
    """
    from aggregator import assemble
    from aggregator.publish.access_log import count_log, refuse_other_formats
    from aggregator.store import is_postgresql

    settings = context.settings
    with context.store() as store, ProgressBar("counting lines", total=0) as progress:
        try:
            refuse_other_formats(access_log)
            counted = count_log(
                access_log,
                store,
                state_dir=assemble.state_dir(settings),
                has_others=is_postgresql(settings.store.url),
                site_url=settings.site.url,
                now=context.now(),
                progress=lambda lines: progress.at(lines, lines),
            )
        except (OSError, EOFError, zlib.error) as error:
            raise AggregatorError(f"{access_log}: {getattr(error, 'strerror', None) or error}") from error
        store.fold_views()
    refused = ", ".join(f"{number} {reason}" for reason, number in counted.refused.most_common())
    say(f"{access_log}: {counted.views} views in {counted.lines} new lines, {counted.hits} requests for items")
    if refused:
        say(f"not counted: {refused}")
    if counted.unread:
        note(f"warning: {access_log}: {counted.unread} lines are not in the common or combined log format")


@click.group()
def readers() -> None:
    """Manage private feeds that learn from their reader.

    The address of such a feed is secret. It recommends by what is opened through it.
    """


@readers.command()
@click.argument("name")
@pass_context
def add(context: Context, name: str) -> None:
    """Create a private feed for NAME and print its address."""
    # 128 bits: the address is the only key
    token = secrets.token_hex(16)
    with context.store(create=True) as store:
        reader = store.add_reader(name, token, now=context.now())
    say(_address(context, reader))


@readers.command()
@click.argument("name")
@pass_context
def remove(context: Context, name: str) -> None:
    """Delete the private feed of NAME and what it has learnt."""
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
