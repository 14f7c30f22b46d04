"""``aggregator list``, ``related``, ``stories``, ``search``: what the feeds have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from aggregator.cli.completion import complete_section
from aggregator.cli.context import Context, pass_context
from aggregator.cli.output import MAX_LIMIT, item_row, json_option, limit_option, local, moment, print_json, print_table
from aggregator.errors import NotFound
from aggregator.publish.listing import Listing, Place

if TYPE_CHECKING:
    from aggregator.assemble import Clock
    from aggregator.config import Settings
    from aggregator.model import Item, ItemList, RelatedItem, Story
    from aggregator.publish.site import Site
    from aggregator.store import Store


@click.command("list")
@click.argument("order", type=click.Choice(["latest", "ranking", "recommended", "stories"]))
@click.option("--window", metavar="WINDOW", help="The window of a ranking, one of [ranking] windows: 1h, 1d, 7d …")
@click.option("--section", metavar="NAME", help="Only this section.", shell_complete=complete_section)
@click.option("--at", metavar="TIME", help="The ranking at that time: 2026-01-31T12:00 (UTC if without a zone).")
@json_option
@click.option(
    "--limit", type=click.IntRange(0, MAX_LIMIT), metavar="N", help="At most N; 0: all; default: as the feed."
)
@pass_context
def show_list(
    context: Context,
    *,
    order: str,
    window: str | None,
    section: str | None,
    at: str | None,
    as_json: bool,
    limit: int | None,
) -> None:
    """Show a list as the feeds have it."""
    if order != "ranking" and (window or at):
        raise click.UsageError("--window and --at belong to a ranking: aggregator list ranking --window 7d")
    if order == "stories":
        if section:
            raise click.UsageError("stories cross sections: leave --section out")
        _show_stories(context, min_sources=2, limit=20 if limit is None else limit, as_json=as_json)
        return
    from aggregator import assemble

    settings = context.settings
    site = assemble.site(settings)
    name = _section(site, section)
    with context.store() as store:
        if order == "latest":
            listing = _latest(store, site, name, limit)
        elif order == "ranking":
            listing = _ranking(
                settings, store, window or site.window, section=name, at=_time(at), limit=limit, clock=context.now
            )
        else:
            listing = _recommended(settings, store, name, limit)
    _show(listing, site, as_json)


@click.command()
@click.argument("item", required=False)
@click.option("--all", "everything", is_flag=True, help="For every item; with --json: ids and scores only.")
@json_option
@limit_option(10)
@pass_context
def related(context: Context, item: str | None, everything: bool, as_json: bool, limit: int) -> None:
    """Show items about the same subject as an item.

    The item itself, its copies and the other articles of its story are not among them.
    """
    if bool(item) == everything:
        raise click.UsageError("name an item, or give --all")
    from aggregator import assemble
    from aggregator.model import Scope
    from aggregator.publish.lists import Lists

    site = assemble.site(context.settings)
    with context.store() as store:
        if item:
            listing = Lists(store, site).related(item, limit=limit or 1000)
            _show(listing, site, as_json, tiers=True)
            return
        pairs = ((one, store.related(one.id, limit=limit or 1000)) for one in store.latest(Scope(), limit=0))
        if as_json:
            print_json(_scores(one.id, found) for one, found in pairs)
        else:
            print_table(["item", "related", "score", "tier"], _pairs(pairs))


@click.command()
@click.option("--min-sources", type=click.IntRange(1, MAX_LIMIT), default=2, show_default=True, metavar="N")
@json_option
@limit_option(20)
@pass_context
def stories(context: Context, min_sources: int, as_json: bool, limit: int) -> None:
    """Show stories that several sources cover.

    The most recently updated first; each with its articles, oldest first.
    """
    _show_stories(context, min_sources=min_sources, limit=limit, as_json=as_json)


@click.command()
@click.argument("words", nargs=-1, required=True)
@json_option
@limit_option(20)
@pass_context
def search(context: Context, words: tuple[str, ...], as_json: bool, limit: int) -> None:
    """Show the items that contain all the words.

    Newest first. Any text is a valid query.
    """
    from aggregator import assemble

    text = " ".join(words)
    site = assemble.site(context.settings)
    with context.store() as store:
        items = store.search(text, limit=limit)
    listing = Listing(
        kind="search", title=f"Search: {text}", description="", path="", page="", places=tuple(map(_place, items))
    )
    _show(listing, site, as_json)


def _show_stories(context: Context, *, min_sources: int, limit: int, as_json: bool) -> None:
    from aggregator import assemble

    site = assemble.site(context.settings)
    with context.store() as store:
        found = store.stories(min_sources=min_sources, limit=limit)
        if as_json:
            print_json(_story(story, site) for story in found)
            return
        rows = [row for story in found for row in _story_rows(story, site)]
    print_table(["story", "item", "published", "source", "title"], rows)


def _latest(store: Store, site: Site, section: str | None, limit: int | None) -> Listing:
    from aggregator.model import Scope
    from aggregator.publish.lists import Lists

    if limit == 0:
        whole = store.latest(Scope(section=section, in_latest=section is None), limit=0)
        return _with_places(Lists(store, site).latest(section=section, limit=1), map(_place, whole))
    return Lists(store, site).latest(section=section, limit=limit)


def _ranking(
    settings: Settings,
    store: Store,
    window: str,
    *,
    section: str | None,
    at: datetime | None,
    limit: int | None,
    clock: Clock,
) -> Listing:
    from aggregator import assemble
    from aggregator.publish.lists import Lists

    lists = Lists(store, assemble.site(settings))
    listing = lists.ranking(window, section=section)
    if at is None and limit is None:
        return listing
    computed = assemble.refresher(settings, store).ranking(window, at=at or clock(), section=section, size=limit)
    return _computed(store, listing, computed)


def _recommended(settings: Settings, store: Store, section: str | None, limit: int | None) -> Listing:
    from aggregator import assemble
    from aggregator.publish.lists import Lists

    listing = Lists(store, assemble.site(settings)).recommended(section=section)
    return listing if limit is None else _with_places(listing, listing.places[: limit or None])


def _computed(store: Store, listing: Listing, computed: ItemList) -> Listing:
    """`listing` with the places of a list that was computed just now."""
    from dataclasses import replace

    items = {item.id: item for item in store.items([place.item_id for place in computed.places])}
    places = (
        Place(item=items[listed.item_id], score=listed.score, views=listed.views, reasons=listed.reasons)
        for listed in computed.places
        if listed.item_id in items
    )
    return replace(listing, places=tuple(places), since=computed.since, until=computed.until, basis=computed.basis)


def _with_places(listing: Listing, places: Iterable[Place]) -> Listing:
    from dataclasses import replace

    return replace(listing, places=tuple(places))


def _place(item: Item) -> Place:
    return Place(item=item)


def _section(site: Site, given: str | None) -> str | None:
    """The section of that name or slug. NotFound if there is none."""
    if given is None:
        return None
    name = given if given in site.sections else site.section_of(given)
    if name is None:
        raise NotFound(f"there is no section {given!r}; there are {', '.join(site.sections) or 'none'}")
    return name


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"--at {text}: not a time; write 2026-01-31T12:00 or 2026-01-31T12:00+01:00") from error


def _show(listing: Listing, site: Site, as_json: bool, *, tiers: bool = False) -> None:
    if as_json:
        print_json(place_row(place, site) | ({"tier": place.tier} if tiers else {}) for place in listing.places)
        return
    columns = ["#", "item", "published", "views", "source", "title", "why"]
    rows = [[place, *_cells(one, site)] for place, one in enumerate(listing.places, 1)]
    if tiers:
        columns.append("tier")
        rows = [[*row, one.tier] for row, one in zip(rows, listing.places, strict=True)]
    if listing.compared_at is not None:
        columns.insert(1, "before")
        for row, one in zip(rows, listing.places, strict=True):
            row.insert(1, "new" if one.rank_before is None else one.rank_before)
    print_table(columns, rows, title=_title(listing, site))


def place_row(place: Place, site: Site) -> dict[str, object]:
    """One place of a list, as JSON."""
    item = place.item
    return item_row(
        item,
        page=site.page(item.id),
        score=place.score,
        reasons=place.reasons,
        views=place.views,
        rank_before=place.rank_before,
    )


def _title(listing: Listing, site: Site) -> str:
    if listing.since is None or listing.until is None:
        return listing.title
    zone = site.timezone
    return f"{listing.title}, {local(listing.since, zone)} to {local(listing.until, zone)} ({listing.basis})"


def _cells(place: Place, site: Site) -> list[object]:
    item = place.item
    views = item.views if place.views is None else place.views
    source = item.source.name if item.sources == 1 else f"{item.source.name} +{item.sources - 1}"
    return [item.id, local(item.published, site.timezone), views, source, item.title, " · ".join(place.reasons)]


def _scores(item_id: str, found: list[RelatedItem]) -> dict[str, object]:
    related = [{"id": one.item.id, "score": one.score, "tier": one.tier} for one in found]
    return {"id": item_id, "related": related}


def _pairs(pairs: Iterable[tuple[Item, list[RelatedItem]]]) -> Iterator[list[object]]:
    for item, found in pairs:
        yield from ([item.title, one.item.title, one.score, one.tier] for one in found)


def _story(story: Story, site: Site) -> dict[str, object]:
    return {
        "story": story.id,
        "first": moment(story.first),
        "newest": moment(story.newest),
        "publishers": story.publishers,
        "sources": [source.name for source in story.sources],
        "items": [item_row(item, page=site.page(item.id)) for item in story.items],
    }


def _story_rows(story: Story, site: Site) -> Iterator[list[object]]:
    for place, item in enumerate(story.items):
        shown = "" if place else story.id
        yield [shown, item.id, local(item.published, site.timezone), item.source.name, item.title]
