"""``aggregator explain``: the rules and figures behind an item's merges and places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import Context, pass_context
from aggregator.cli.output import item_row, json_option, local, moment, print_json, print_table, printable, say
from aggregator.curate.explanations import counted, list_name, why_apart, why_joined, why_same_story, why_there
from aggregator.errors import NotFound

if TYPE_CHECKING:
    from aggregator.model import Item, Provenance, RelatedItem
    from aggregator.publish.site import Site
    from aggregator.refresh import Placement

#: related items that are listed
RELATED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The decisions about an item: its provenance, its story, its places, its related items."""

    found: Provenance
    related: Sequence[RelatedItem]
    story: Mapping[str, Item]
    placements: Sequence[Placement]


@click.command()
@click.argument("item")
@json_option
@pass_context
def explain(context: Context, item: str, as_json: bool) -> None:
    """Explain why an item is merged, ranked, recommended, related.

    Each decision with its rule, in words, and its figures; then the item's place in every list, also in those that are
    too short for it. Readers' own feeds are not shown.
    """
    from aggregator import assemble

    site = assemble.site(context.settings)
    with context.store() as store:
        found = store.provenance(item)
        if found is None:
            raise NotFound(f"there is no item {item!r}; `aggregator list latest` and `search` show ids")
        told = Explanation(
            found=found,
            related=store.related(found.item.id, limit=RELATED),
            story={one.id: one for one in story.items} if (story := store.story(found.item.story)) else {},
            placements=assemble.refresher(context.settings, store).placements(found.item.id, now=context.now()),
        )
    if as_json:
        print_json([as_row(told, site)])
    else:
        _print(told, site)


def as_row(told: Explanation, site: Site) -> dict[str, object]:
    """The explanation as one JSON object."""
    found = told.found
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
                "why": why_joined(copy.rule, copy.figures),
            }
            for copy in found.item.copies
        ],
        "undone": [
            {
                "item": one.item_id,
                "restored": one.restored,
                "merged": dict(one.merged),
                "why_merged": why_joined("near-duplicate", one.merged),
                "figures": dict(one.figures),
                "why": why_apart(one.figures),
                "at": moment(one.at),
            }
            for one in found.undone
        ],
        "story": [
            {"id": other, "figures": dict(figures), "why": why_same_story(figures)}
            for other, figures in found.story_joins
        ],
        "places": [
            {
                "list": key,
                "place": place,
                "score": score,
                "figures": dict(figures),
                "reasons": list(reasons),
                "why": list(why_there(figures)),
            }
            for key, place, score, figures, reasons in found.places
        ],
        "placements": [
            {"list": str(one.key), "place": one.place, "of": one.of, "figures": _figures(one)}
            for one in told.placements
        ],
        "related": [
            {"id": one.item.id, "title": one.item.title, "score": one.score, "tier": one.tier} for one in told.related
        ],
    }


def _figures(standing: Placement) -> dict[str, float]:
    return dict(standing.listed.figures) if standing.listed else {}


def _print(told: Explanation, site: Site) -> None:
    found = told.found
    _say(_head(found, site))
    copies = [
        [copy.source.name, copy.rule, why_joined(copy.rule, copy.figures), local(copy.first_seen, site.timezone)]
        for copy in found.item.copies
    ]
    print_table(["source", "joined by", "because it is", "first seen"], copies, title="The same item at")
    if found.undone:
        undone = [
            [one.restored if one.item_id == found.item.id else one.item_id, why_joined("near-duplicate", one.merged),
             why_apart(one.figures), local(one.at, site.timezone)]
            for one in found.undone
        ]  # fmt: skip
        columns = ["item", "was one with it, being", "is apart, being", "since"]
        print_table(columns, undone, title="\nMerged once, and undone when a text was edited")
    if found.story_joins:
        joins = [
            [other, why_same_story(figures), told.story[other].title if other in told.story else ""]
            for other, figures in found.story_joins
        ]
        print_table(["item", "why", "title"], joins, title="\nThe same story")
    _say(_places(found))
    rows = list(_standing_rows(told))
    if rows:
        print_table(["list", "place", "by"], rows, title="\nWithout a place now")
    if told.related:
        related = [[one.item.id, one.score, one.tier, one.item.title] for one in told.related]
        print_table(["item", "score", "tier", "title"], related, title="\nRelated, by the rare words they share")


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        say(printable(line))


def _head(found: Provenance, site: Site) -> Iterator[str]:
    item = found.item
    yield item.title
    yield f"{item.id} · {', '.join(item.sections)} · {item.url or 'no link'}"
    yield f"published {local(item.published, site.timezone)}, first seen {local(item.first_seen, site.timezone)}"
    opened, liked = counted(item.views, "view", "views"), counted(item.likes, "like", "likes")
    yield f"{opened}, {liked}, {counted(item.sources, 'source', 'sources')}, story {item.story}"
    if found.former_ids:
        yield f"formerly {', '.join(found.former_ids)}"
    yield ""


def _places(found: Provenance) -> Iterator[str]:
    """The lists that the item is in, each with the factors of its place."""
    if found.places:
        yield "\nStands in"
    for key, place, score, figures, reasons in found.places:
        yield f"{list_name(key)}: place {place}, {_score(key, score)} ({' · '.join(reasons)})"
        yield from (f"    {phrase}" for phrase in why_there(figures))


def _score(key: str, score: float) -> str:
    """The score that the list is sorted by: readers, or a product of factors."""
    return f"score {score:g}" if key.startswith("ranking") and score.is_integer() else f"in all × {2.0**score:.3g}"


def _standing_rows(told: Explanation) -> Iterator[list[object]]:
    """The lists that the item is not in, and its place if they were longer."""
    present = {key for key, *_ in told.found.places}
    for one in told.placements:
        if str(one.key) in present:
            continue
        if one.listed is None:
            yield [list_name(str(one.key)), "none", "not opened in that time" if one.key.window else "too old"]
        else:
            by = "; ".join(why_there(one.listed.figures))
            yield [list_name(str(one.key)), f"{one.place} of {one.of}", by]
