"""``aggregator copy``: a store moved to another engine, or to another place."""

from __future__ import annotations

from pathlib import Path

import click

from aggregator.cli.context import Context, pass_context
from aggregator.cli.output import ProgressBar


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@pass_context
def copy(context: Context, source: str, target: str) -> None:  # noqa: ARG001 - every command takes it
    """Copy a store to an empty one, of the same or another engine.

    FROM and TO are addresses as in [store] url: sqlite:PATH (relative to the folder you stand in) or
    postgresql://USER@HOST/DATABASE. Stop the daemon before. Every row is compared afterwards; ids and counts stay. An
    interrupted copy goes on where it ended when it is started again. Then set [store] url, and copy the files beside
    the old store that are no part of it (visitors-*, accesslog.key).
    """
    from aggregator.store import open_store, public_address
    from aggregator.store.copying import copy as copy_store
    from aggregator.store.copying import rows_of

    here = Path.cwd()
    old = open_store(source, base=here, create=False)
    try:
        new = open_store(target, base=here)
        try:
            with ProgressBar("copying and comparing", total=rows_of(old)) as progress:
                rows = copy_store(old, new, progress=progress.at)
        finally:
            new.close()
    finally:
        old.close()
    click.echo(f"{rows} rows in {public_address(target)}, compared")
