"""All output feeds of a site, grouped as people look for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aggregator.model import SourceRef
from aggregator.model.slug import slugify
from aggregator.publish.pages import wording
from aggregator.publish.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLink:
    """One feed to subscribe to, in every format."""

    title: str
    #: without the suffix that names the format
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedGroup:
    """Feeds that belong together."""

    title: str
    feeds: tuple[FeedLink, ...]
    note: str = ""


def groups(site: Site, sources: Sequence[SourceRef]) -> Iterator[FeedGroup]:
    """The whole site, the operator's own feeds, the sections, the sources; empty groups are left out."""
    yield FeedGroup(title="Everything", feeds=_lists(site, "/feeds"))
    if site.feeds:
        own = tuple(FeedLink(title=feed.title, path=f"/feeds/{feed.name}") for feed in site.feeds)
        yield FeedGroup(title="Special feeds", feeds=own, note="Chosen by the operator of this site.")
    for section in site.sections:
        yield FeedGroup(title=section, feeds=_lists(site, f"/section/{slugify(section)}"))
    if sources:
        links = tuple(FeedLink(title=source.name, path=f"/source/{source.slug}/latest") for source in sources)
        yield FeedGroup(title="Single sources", feeds=links, note="What we hold of one source, copies merged.")


def _lists(site: Site, root: str) -> tuple[FeedLink, ...]:
    ranking = (
        FeedLink(title=f"Ranking, {wording.window(window)}", path=f"{root}/ranking-{window}") for window in site.windows
    )
    return (
        FeedLink(title="Latest", path=f"{root}/latest"),
        *ranking,
        FeedLink(title="Recommendation", path=f"{root}/recommended"),
    )
