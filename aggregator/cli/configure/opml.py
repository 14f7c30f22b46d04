"""``aggregator import`` and ``export``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO

import click

from aggregator.cli.configure.words import has_store, spelled
from aggregator.cli.context import Context, pass_context
from aggregator.curate.reasons import counted
from aggregator.errors import CollectError, StoreError

if TYPE_CHECKING:
    from aggregator.config import NewSource, Settings
    from aggregator.publish.opml import Outline


@click.command("import")
@click.argument("file", type=click.File("rb"), metavar="FILE.opml")
@click.option("--section", metavar="NAME", help="For feeds that stand in no folder.")
@pass_context
def import_opml(context: Context, file: BinaryIO, section: str | None) -> int:
    """Follow the feeds of an OPML file ("-": standard input).

    Folders become sections. Feeds that are followed already are left as they are; nothing is requested.
    """
    from aggregator.config import add_sources
    from aggregator.publish import opml

    settings = context.settings
    try:
        outlines = opml.parse(file.read(opml.MAX_SIZE_BYTES + 1))
    except CollectError as error:
        raise click.ClickException(f"{file.name}: {error}") from error
    if not outlines:
        raise click.ClickException(f"{file.name}: no feed in it (no <outline> has an xmlUrl); nothing was changed")
    new, refused = _sorted_out(outlines, settings, section)
    if new:
        add_sources(context.path, new)
    known = len(outlines) - len(new) - len(refused)
    click.echo(f"{counted(len(new), 'source')} added, {known:,} followed already, {len(refused):,} refused.")
    for line in refused:
        click.echo(line, err=True)
    return 1 if refused else 0


def _sorted_out(outlines: list[Outline], settings: Settings, section: str | None) -> tuple[list[NewSource], list[str]]:
    """What is new, and why the rest of what is not followed yet cannot be."""
    from aggregator.config import NewSource, comparable, http_url

    seen = {comparable(source.url) for source in settings.sources}
    sections = [source.section for source in settings.sources]
    new, refused = [], []
    for outline in outlines:
        try:
            key = comparable(http_url(outline.url))
        except ValueError as error:
            refused.append(f"{outline.title or 'untitled'}: {error}")
            continue
        if key not in seen:
            seen.add(key)
            folder = outline.section or section
            known_as = spelled(folder, sections) if folder else None
            sections.append(known_as or "News")
            new.append(NewSource(url=outline.url, section=known_as, name=outline.title or None))
    return new, refused


@click.command()
@pass_context
def export(context: Context) -> None:
    """Write the sources as OPML to standard output.

    Passwords and tokens in addresses are left out.
    """
    from aggregator.model.redact import public_url
    from aggregator.publish import opml

    settings = context.settings
    sources = settings.subscriptions()
    hidden = sum(public_url(source.url) != source.url for source in sources)
    if hidden:
        click.echo(f"warning: passwords or tokens are left out of {counted(hidden, 'address', 'addresses')}", err=True)
    document = opml.render_sources(sources, title=settings.site.title, names=_titles(context))
    sys.stdout.buffer.write(document)


def _titles(context: Context) -> dict[str, str]:
    """What the feeds call themselves, as far as they have been polled."""
    if not has_store(context.settings):
        return {}
    try:
        with context.store() as store:
            sources = store.sources(now=context.now())
    except StoreError as error:
        click.echo(f"warning: without the titles of the feeds: {error}", err=True)
        return {}
    return {one.subscription.url: one.ref.name for one in sources if one.ref.name != one.subscription.url}
