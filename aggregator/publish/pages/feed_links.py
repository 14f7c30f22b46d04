"""All output feeds of a site, grouped as people look for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from aggregator.model import SourceHealth, duration
from aggregator.model.slug import slugify
from aggregator.publish.pages.source_names import label
from aggregator.publish.pages.wording import Wording
from aggregator.publish.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLink:
    """One feed to subscribe to, in every format."""

    title: str
    #: without the suffix that names the format
    path: str
    #: the page that shows the same
    page: str
    #: where it stands on the page of feeds
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedGroup:
    """Feeds that belong together."""

    id: str
    title: str
    feeds: tuple[FeedLink, ...]
    note: str = ""


def main_feeds(site: Site, words: Wording) -> tuple[FeedLink, ...]:
    """The feeds that most people want, with their whole addresses."""
    window = words.window(duration(site.window))
    ranking = words.gettext("Ranking, %(window)s") % {"window": window}
    return (
        FeedLink(id="latest", title=words.gettext("Latest"), path="/feeds/latest", page="/latest"),
        FeedLink(id="ranking", title=ranking, path="/feeds/ranking", page="/ranking"),
        FeedLink(id="recommended", title=words.gettext("Recommendation"), path="/feeds/recommended", page="/"),
        FeedLink(id="stories", title=words.gettext("Stories"), path="/feeds/stories", page="/"),
    )


def groups(site: Site, words: Wording, sources: Sequence[SourceHealth]) -> Iterator[FeedGroup]:
    """The whole site, the operator's own feeds, the sections, the sources; empty groups are left out."""
    status = FeedLink(title=words.gettext("Status"), path="/feeds/status", page="/status")
    stories = FeedLink(title=words.gettext("Stories"), path="/feeds/stories", page="/")
    whole = (*_lists(site, words, "/feeds", "/latest", "/ranking"), stories, status)
    yield FeedGroup(id="everything", title=words.gettext("The whole site"), feeds=whole)
    if site.feeds:
        own = tuple(
            FeedLink(title=feed.title, path=f"/feeds/{feed.name}", page=f"/feeds/{feed.name}") for feed in site.feeds
        )
        note = words.gettext("chosen by the operator of this site")
        yield FeedGroup(id="own", title=words.gettext("Special feeds"), feeds=own, note=note)
    for section in site.sections:
        root = f"/section/{slugify(section)}"
        yield FeedGroup(id=slugify(section), title=section, feeds=_lists(site, words, root, root, f"{root}/ranking"))
    ordered = sorted(sources, key=lambda health: _place(site, health))
    for number, (section, members) in enumerate(groupby(ordered, key=lambda one: one.subscription.section), 1):
        links = tuple(
            FeedLink(title=label(one.ref).name, path=f"/source/{one.ref.slug}/latest", page=f"/source/{one.ref.slug}")
            for one in members
        )
        title = words.gettext("Sources: %(section)s") % {"section": section}
        yield FeedGroup(id=f"sources-{number}", title=title, feeds=links)


def _place(site: Site, health: SourceHealth) -> tuple[int, str, str]:
    """The sections as config.toml has them, in each the sources by name."""
    section = health.subscription.section
    place = site.sections.index(section) if section in site.sections else len(site.sections)
    return place, section, label(health.ref).name.casefold()


def _lists(site: Site, words: Wording, root: str, page: str, ranking: str) -> tuple[FeedLink, ...]:
    windows = (
        FeedLink(
            title=words.gettext("Ranking, %(window)s") % {"window": words.window(duration(window))},
            path=f"{root}/ranking-{window}",
            page=f"{ranking}/{window}",
        )
        for window in site.windows
    )
    return (
        FeedLink(title=words.gettext("Latest"), path=f"{root}/latest", page=page),
        *windows,
        FeedLink(title=words.gettext("Recommendation"), path=f"{root}/recommended", page=f"{root}/recommended"),
    )
