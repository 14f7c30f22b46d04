"""``aggregator add``, ``remove``, ``import`` and ``export``: the sources in config.toml."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

import click

from aggregator.cli.completion import complete_section, complete_source
from aggregator.cli.context import Context, has_store, pass_context, store_path
from aggregator.cli.output import ProgressBar, note, printable, say
from aggregator.clock import wall
from aggregator.curate.explanations import counted
from aggregator.errors import CollectError, StoreError
from aggregator.following import followed
from aggregator.model.redact import public_url, redact
from aggregator.model.slug import slugify

if TYPE_CHECKING:
    from aggregator.collect.discover import FoundFeed, Parser
    from aggregator.collect.fetch import Fetcher, Response
    from aggregator.config import NewSource, Settings, SourceTable
    from aggregator.publish.opml import Outline
    from aggregator.store import Store

#: a scheme that is no host before its port (``mailto:``, ``feed:``)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?!\d)", re.IGNORECASE)
#: between the requests for a page and for its feed on the same public host, as between two polls
_PAUSE_S = 1.0
#: of the feeds that a page declares, how many are requested until one can be followed
_MAX_CANDIDATES = 5
#: what to do, by the first matching prefix of an error's code
_HINTS = (
    ("http-401", ": if you have a password, put it into the address (https://name:password@host/…)"),
    ("http-403", ": the server refuses us; check that [site] contact is a real address, or ask the publisher"),
    ("http-404", ": try the address of the site's page, its feed is found there"),
    ("http-410", ": its publisher has ended it"),
    ("too-large", ": raise it if the feed is worth it"),
    # the message says what to do, or nothing can be done
    *((code, "") for code in ("challenge", "not-a-feed", "bad-redirect", "redirect-loop", "blocked-address")),
    ("", " (to add it as it is: --no-check)"),
)


@click.command()
@click.argument("url")
@click.option("--section", metavar="NAME", help="Its section.", shell_complete=complete_section)
@click.option("--name", metavar="NAME", help="Its name; default: the feed's own title.")
@click.option("--no-check", is_flag=True, help="Add URL without requesting it.")
@pass_context
def add(context: Context, url: str, section: str | None, name: str | None, no_check: bool) -> None:
    """Follow a feed, or the feed of a web page.

    URL is requested once; if it is a web page, so is the feed that it declares. The source is written into the
    configuration, whose comments are kept; a running daemon takes it over.
    """
    from aggregator.config import add_source

    settings = context.settings
    address = _address(url)
    _refuse_followed(settings, address)
    found = [] if no_check else _discovered(settings, address)
    feed = found[0].url if found else address
    _refuse_followed(settings, feed)
    section = spelled(section, settings.sections) if section else None
    add_source(context.path, feed, section=section, name=name)
    if found and found[0].answer is not None:
        _take_over(context, feed, found[0].answer)
    title = f" “{found[0].title}”" if found and found[0].title else ""
    hint = "" if section else " (choose another with --section)"
    say(printable(f"Following {public_url(feed)}{title} in section {section or 'News'}{hint}."))
    others = [one for one in found[1:] if "comment" not in one.title.lower()]
    if others:
        note(f"Also found there:{_named(others)}")


def _address(url: str) -> str:
    """`url` as a complete address; ``example.org`` means its https address."""
    from aggregator.config import http_url

    url = url.strip()
    if not url:
        raise click.BadParameter("it is empty; give the address of a feed or of a web page", param_hint="URL")
    try:
        return http_url(url if _SCHEME.match(url) else f"https://{url}")
    except ValueError as error:
        raise click.BadParameter(redact(str(error)), param_hint="URL") from error


def _discovered(settings: Settings, url: str) -> list[FoundFeed]:
    """The feeds at `url`, at least one; the first has been requested."""
    shown = public_url(url)
    try:
        with ProgressBar(f"requesting {shown}"):
            found = asyncio.run(_discover(settings, url))
    except CollectError as error:
        raise click.ClickException(f"{shown}: {redact(str(error))}{_hint(error)}") from error
    if not found:
        raise click.ClickException(f"{shown} is a page that declares no feed; give the address of its feed")
    return found


def _hint(error: CollectError) -> str:
    return next(hint for code, hint in _HINTS if error.code.startswith(code))


async def _discover(settings: Settings, url: str) -> list[FoundFeed]:
    from aggregator import assemble
    from aggregator.collect.discover import discover

    fetcher, parser = assemble.fetcher(settings, wall), assemble.parser()
    try:
        found = await discover(fetcher, parser, url)
        if found and found[0].answer is None:
            return await _declared(settings, fetcher, parser, found, url)
        return found
    finally:
        await asyncio.gather(fetcher.close(), parser.close())


async def _declared(
    settings: Settings, fetcher: Fetcher, parser: Parser, found: list[FoundFeed], page: str
) -> list[FoundFeed]:
    """The feeds that a page declares, the first that can be followed in front: pages may name dead feeds (FRB100)."""
    from aggregator.collect.discover import discover

    dead: list[str] = []
    for candidate in found[:_MAX_CANDIDATES]:
        _refuse_followed(settings, candidate.url)
        await _pause(page, candidate.url)
        try:
            there = await discover(fetcher, parser, candidate.url)
            why = "it is a web page itself"
        except CollectError as error:
            there, why = [], redact(str(error))
        if there and there[0].answer is not None:
            for line in dead:
                note(line)
            first = replace(there[0], title=there[0].title or candidate.title)
            return [first, *(one for one in found[len(dead) :] if one != candidate)]
        dead.append(f"{public_url(page)} declares the feed {printable(candidate.url)}, which cannot be followed: {why}")
    others = found[_MAX_CANDIDATES:]
    raise click.ClickException("\n".join(dead) + (f"\nAlso found there:{_named(others)}" if others else ""))


async def _pause(page: str, feed: str) -> None:
    """Between two requests to one public host, as between two polls."""
    from aggregator.collect.guard import is_private

    host = urlsplit(feed).hostname or ""
    if host == urlsplit(page).hostname and not is_private(host):
        await asyncio.sleep(_PAUSE_S)


def _named(found: list[FoundFeed]) -> str:
    """A line for each feed."""
    return "".join(f"\n  {printable(one.url)}  {one.type} {printable(one.title)}".rstrip() for one in found)


def _take_over(context: Context, url: str, answer: Response) -> None:
    """Stores the response as the first poll of the new source, so that adding it is one request in all (FRB036).

    Without a store that can be written to, the daemon polls it when it is due.
    """
    from aggregator.store import is_postgresql

    with contextlib.suppress(StoreError):
        fresh = Context(config=context.path)
        if is_postgresql(fresh.settings.store.url):
            note("`aggregator apply` makes all processes on the store follow it")
            return
        with fresh.store(create=_may_create(fresh.settings)) as store:
            store.sync_sources(followed(fresh.settings), now=fresh.now())
            asyncio.run(_complete(fresh, store, url, answer))


def _may_create(settings: Settings) -> bool:
    """Whether the daemon could use a store that is created now: the directory must belong to this user."""
    directory = store_path(settings).parent
    return has_store(settings) or (directory.is_dir() and directory.stat().st_uid == os.geteuid())


async def _complete(context: Context, store: Store, url: str, answer: Response) -> None:
    from aggregator import assemble
    from aggregator.collect.fetch import PrefetchedResponse

    settings, now = context.settings, context.now
    leases = store.claim(now=now(), limit=1, lease=timedelta(minutes=1), only=frozenset({url}))
    parser = assemble.parser()
    policy = assemble.policy(settings, store, now())
    poller = assemble.poller(
        settings, policy=policy, store=store, fetcher=PrefetchedResponse(answer), parser=parser, clock=now
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
        raise click.ClickException(f"already followed: {public_url(same)}")


@click.command()
@click.argument("source", shell_complete=complete_source)
@pass_context
def remove(context: Context, source: str) -> None:
    """Stop following a feed.

    SOURCE is its address or its name. It is removed from the configuration; its items stay until they are old.
    """
    from aggregator.config import remove_source

    removed = remove_source(context.path, context.named(source))
    say(f"No longer following {public_url(removed.url)}. Its items stay until they are old ([retention] items).")


@click.command("import")
@click.argument("file", type=click.File("rb"), metavar="FILE.opml")
@click.option("--section", metavar="NAME", help="The section of feeds in no folder.", shell_complete=complete_section)
@pass_context
def import_opml(context: Context, file: BinaryIO, section: str | None) -> int:
    """Follow the feeds of an OPML file ("-": standard input).

    Folders become sections. Feeds that are followed already stay as they are; nothing is requested.
    """
    from aggregator.config import add_sources
    from aggregator.publish import opml

    settings = context.settings
    try:
        outlines, dropped = opml.parse(file.read(opml.MAX_SIZE_BYTES + 1))
    except CollectError as error:
        raise click.ClickException(f"{file.name}: {error}") from error
    if not outlines and not dropped:
        raise click.ClickException(f"{file.name}: no feed in it (no <outline> has an xmlUrl); nothing was changed")
    new, refused = sort_outlines(outlines, settings.sources, section, getattr(file, "name", "-"))
    if new:
        add_sources(context.path, new)
    known = len(outlines) - len(new) - len(refused)
    refused += map(redact, dropped)
    say(f"{counted(len(new), 'source')} added, {known:,} followed already, {len(refused):,} refused.")
    for line in refused:
        note(printable(f"error: {line}"))
    return 1 if refused else 0


def sort_outlines(
    outlines: list[Outline], followed: Sequence[SourceTable], section: str | None, file: str
) -> tuple[list[NewSource], list[str]]:
    """The sources to add, and a line for each outline of `file` that is refused."""
    from aggregator.config import NewSource, comparable, http_url

    seen = {comparable(source.url) for source in followed}
    sections = [name for source in followed for name in source.all_sections]
    new, refused = [], []
    for outline in outlines:
        try:
            key = comparable(http_url(outline.url))
        except ValueError as error:
            place = f"{file}:{outline.line}: " if outline.line else ""
            refused.append(f"{place}{outline.title or 'untitled'}: {redact(str(error))}")
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
    from aggregator.publish import opml

    settings = context.settings
    sources = followed(settings)
    hidden = sum(public_url(source.url) != source.url for source in sources)
    if hidden:
        note(f"warning: passwords or tokens are left out of {counted(hidden, 'address', 'addresses')}")
    document = opml.render_sources(sources, title=settings.site.title, names=_titles(context))
    sys.stdout.buffer.write(document)


def _titles(context: Context) -> dict[str, str]:
    """The titles of the feeds that have been polled, by address."""
    if not has_store(context.settings):
        return {}
    try:
        with context.store() as store:
            sources = store.sources(now=context.now())
    except StoreError as error:
        note(f"warning: without the titles of the feeds: {error}")
        return {}
    return {one.subscription.url: one.ref.name for one in sources if one.ref.name != one.subscription.url}


def spelled(section: str, known: Sequence[str]) -> str:
    """`section` as it is spelled already, if it is there."""
    return next((name for name in known if slugify(name) == slugify(section)), section)
