"""``aggregator explain``: nothing is decided in the dark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import Context, pass_context
from aggregator.cli.output import item_row, json_option, local, moment, print_json, print_table, printable, stdout
from aggregator.errors import NotFound

if TYPE_CHECKING:
    from aggregator.model import Item, Provenance
    from aggregator.publish.site import Site

#: related items that are listed; the first few say enough
RELATED = 10


@click.command()
@click.argument("item")
@json_option
@pass_context
def explain(context: Context, item: str, as_json: bool) -> None:
    """Explain why an item is merged, ranked, recommended, related.

    Each step with the rule that took it and its figures.
    """
    from aggregator import assemble

    site = assemble.site(context.settings)
    with context.store() as store:
        found = store.provenance(item)
        if found is None:
            raise NotFound(f"there is no item {item!r}; `aggregator list latest` and `search` show ids")
        related = store.related(found.item.id, limit=RELATED)
        story = {one.id: one for one in store.story(found.item.story)}
    if as_json:
        print_json([as_row(found, related, site)])
    else:
        _print(found, related, story, site)


def as_row(found: Provenance, related: list[tuple[Item, float]], site: Site) -> dict[str, object]:
    """The whole explanation as one object."""
    return {
        "item": item_row(found.item, page=site.page(found.item.id)),
        "former_ids": list(found.former_ids),
        "copies": [
            {
                "source": copy.source.name,
                "entry_id": copy.entry_id,
                "title": copy.title,
                "url": copy.url,
                "published": moment(copy.published),
                "first_seen": moment(copy.first_seen),
                "rule": copy.rule,
                "figures": dict(copy.figures),
            }
            for copy in found.item.copies
        ],
        "story": [{"id": other, "figures": dict(figures)} for other, figures in found.story_joins],
        "places": [
            {"list": key, "place": place, "score": score, "figures": dict(figures), "reasons": list(reasons)}
            for key, place, score, figures, reasons in found.places
        ],
        "related": [{"id": other.id, "title": other.title, "score": score} for other, score in related],
    }


def _print(found: Provenance, related: list[tuple[Item, float]], story: Mapping[str, Item], site: Site) -> None:
    for line in _head(found, site):
        stdout().print(line, markup=False, soft_wrap=True)
    copies = [
        [copy.source.name, copy.rule, _figures(copy.figures), local(copy.first_seen, site.timezone), copy.title]
        for copy in found.item.copies
    ]
    print_table(["source", "joined by", "figures", "first seen", "title"], copies, title="The same item at")
    if found.story_joins:
        joins = [[other, _figures(figures), _titled(story, other)] for other, figures in found.story_joins]
        print_table(["item", "figures", "title"], joins, title="\nThe same story")
    if found.places:
        places = [
            [key, place, score, _figures(figures), " · ".join(why)] for key, place, score, figures, why in found.places
        ]
        print_table(["list", "#", "score", "figures", "why"], places, title="\nStands in")
    if related:
        rows = [[other.id, score, other.title] for other, score in related]
        print_table(["item", "score", "title"], rows, title="\nRelated")


def _head(found: Provenance, site: Site) -> Iterator[str]:
    item = found.item
    yield printable(item.title)
    yield printable(f"{item.id} · {item.section} · {item.url or 'no link'}")
    yield f"published {local(item.published, site.timezone)}, first seen {local(item.first_seen, site.timezone)}"
    yield f"{item.views} views, {item.likes} likes, {item.sources} sources, story {item.story}"
    if found.former_ids:
        yield f"formerly {', '.join(found.former_ids)}"
    yield ""


def _figures(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value + 0.0:.3g}" for name, value in figures.items())


def _titled(story: Mapping[str, Item], item_id: str) -> str:
    return story[item_id].title if item_id in story else ""
