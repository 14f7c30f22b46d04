"""``aggregator add`` and ``remove``."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from aggregator.cli.configure.words import spelled
from aggregator.cli.context import Context, pass_context
from aggregator.errors import CollectError, StoreError

if TYPE_CHECKING:
    from aggregator.collect.discover import FoundFeed
    from aggregator.collect.fetch import Response
    from aggregator.config import Settings
    from aggregator.store import Store


@click.command()
@click.argument("url")
@click.option("--section", metavar="NAME", help="The section it belongs to.")
@click.option("--name", metavar="NAME", help="What it is called; default: the feed's own title.")
@click.option("--no-check", is_flag=True, help="Take URL as it is, without a look at it.")
@pass_context
def add(context: Context, url: str, section: str | None, name: str | None, no_check: bool) -> None:
    """Follow a feed, or the feed of a web page.

    URL is looked at once. The source is written into the configuration, whose comments are kept; a running daemon
    takes it over.
    """
    from aggregator.config import add_source

    settings = context.settings
    address = _address(url)
    found = [] if no_check else _discovered(settings, address)
    feed = found[0].url if found else address
    _refuse_followed(settings, feed)
    section = spelled(section, settings.sections) if section else None
    add_source(context.path, feed, section=section, name=name)
    if found and found[0].answer is not None:
        _take_over(context, feed, found[0].answer)
    title = f" “{found[0].title}”" if found and found[0].title else ""
    hint = "" if section else " (choose another with --section)"
    click.echo(f"Following {feed}{title} in section {section or 'News'}{hint}.")
    others = [one for one in found[1:] if "comment" not in one.title.lower()]
    if others:
        click.echo("Also found there:", err=True)
        for one in others:
            click.echo(f"  {one.url}  {one.type} {one.title}", err=True)


def _address(url: str) -> str:
    """`url` as a complete address; ``example.org`` means its https address."""
    from aggregator.config import http_url

    try:
        return http_url(url if "://" in url else f"https://{url}")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from error


def _discovered(settings: Settings, url: str) -> list[FoundFeed]:
    """The feeds at `url`, at least one."""
    from aggregator.cli.progress import Progress

    try:
        with Progress(f"looking at {url}"):
            found = asyncio.run(_discover(settings, url))
    except CollectError as error:
        raise click.ClickException(f"{url}: {error} (to add it as it is: --no-check)") from error
    if not found:
        raise click.ClickException(f"{url} is a page that declares no feed; give the address of its feed")
    return found


async def _discover(settings: Settings, url: str) -> list[FoundFeed]:
    from aggregator import assemble
    from aggregator.collect.discover import discover

    fetcher, parser = assemble.fetcher(settings, Context.now), assemble.parser()
    try:
        return await discover(fetcher, parser, url)
    finally:
        await asyncio.gather(fetcher.close(), parser.close())


def _take_over(context: Context, url: str, answer: Response) -> None:
    """Makes what was looked at the first poll of the new source, so that adding it is one request in all (FRB036).

    Where there is no store yet, or none that can be written to, the daemon polls it when it comes to it.
    """
    with contextlib.suppress(StoreError):
        fresh = Context(config=context.path)
        with fresh.store() as store:
            store.sync_sources(fresh.settings.subscriptions(), now=fresh.now())
            asyncio.run(_complete(fresh.settings, store, url, answer))


async def _complete(settings: Settings, store: Store, url: str, answer: Response) -> None:
    from aggregator import assemble
    from aggregator.collect.fetch import Fetched

    leases = store.claim(now=Context.now(), limit=1, lease=timedelta(minutes=1), only=frozenset({url}))
    parser = assemble.parser()
    policy = assemble.policy(settings, store, Context.now())
    poller = assemble.poller(
        settings, policy=policy, store=store, fetcher=Fetched(answer), parser=parser, clock=Context.now
    )
    try:
        for lease in leases:
            await poller.poll(lease)
    finally:
        await parser.close()


def _refuse_followed(settings: Settings, url: str) -> None:
    from aggregator.config import comparable

    same = next((source.url for source in settings.sources if comparable(source.url) == comparable(url)), None)
    if same:
        raise click.ClickException(f"already followed: {same}")


@click.command()
@click.argument("url")
@pass_context
def remove(context: Context, url: str) -> None:
    """Follow a feed no longer.

    The source is taken out of the configuration; what came from it stays until it is old.
    """
    from aggregator.config import remove_source

    remove_source(context.path, url)
    click.echo(f"No longer following {url}. Its items stay until they are old ([retention] items).")
