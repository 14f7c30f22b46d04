"""From an address of the site to its bytes: what the web server and static publishing share.

Blocks while it reads the store; may be used from any thread. Knows no requests: arguments in, `Rendered` out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from aggregator.errors import NotFound
from aggregator.model import Item
from aggregator.model.slug import slugify
from aggregator.publish import opml
from aggregator.publish.channel import Channel, compose
from aggregator.publish.feeds import atom, rss
from aggregator.publish.jsonfeed import json_feed
from aggregator.publish.listing import Cursor, Listing
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages
from aggregator.publish.render_cache import RenderCache
from aggregator.publish.site import Site
from aggregator.publish.status_feed import status_channel
from aggregator.store import Store

Format = Literal["atom", "rss", "json"]

_FORMATS: Final[dict[str, tuple[str, Callable[[Channel, RenderCache], bytes]]]] = {
    "atom": ("application/atom+xml; charset=utf-8", atom),
    "rss": ("application/rss+xml; charset=utf-8", rss),
    "json": ("application/feed+json; charset=utf-8", json_feed),
}
_OPML = "text/x-opml; charset=utf-8"
#: of how many items of a section the front page chooses those that it shows
_PER_SECTION = 20
#: how many items a page of the latest shows
_PER_PAGE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A body, or the news that what was asked for is elsewhere or nowhere."""

    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    #: where it is now (status 301), relative to the address asked for: right behind any proxy and under any name
    location: str | None = None
    #: (address, relation), for the header of that name (RFC 8288)
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """The site as it stands: each method is one kind of address. All may raise NotFound and StoreError."""

    store: Store
    site: Site
    lists: Lists
    pages: Pages
    #: for static files: no addresses with a query, which a file server cannot answer
    static: bool = False
    #: what has been rendered for other lists
    cache: RenderCache = field(default_factory=RenderCache)

    def feed(self, listing: Listing, suffix: str) -> Rendered:
        """A list as a feed; `suffix` is atom, rss or json. NotFound: that format is switched off or unknown."""
        self.check_format(suffix)
        if self.static:
            listing = replace(listing, next="")
        return self._made(compose(self.lists.with_related(listing), self.site, self.cache), suffix)

    def status_feed(self, suffix: str, *, now: datetime) -> Rendered:
        """``/feeds/status.<suffix>``."""
        self.check_format(suffix)
        return self._made(status_channel(self.store.sources(now=now), self.site), suffix)

    def check_format(self, suffix: str) -> None:
        """NotFound unless feeds are published in this format."""
        if suffix not in self.site.formats:
            raise NotFound(f"feeds are published as {', '.join(self.site.formats)}, not as {suffix!r}")

    def listing(self, listing: Listing) -> Rendered:
        """A list for a person."""
        return _page(self.pages.listing(listing))

    def front(self, *, before: Cursor | None = None) -> Rendered:
        """``/``, or the page of older items behind a place."""
        latest = self.lists.latest(limit=_PER_PAGE, before=before)
        sections = [self.lists.latest(section=name, limit=_PER_SECTION) for name in self.site.sections]
        return _page(
            self.pages.front(
                latest=latest,
                ranking=self.lists.ranking(),
                recommended=self.lists.recommended(),
                sections=[] if before else [listing for listing in sections if listing.places],
                older=self._older(latest),
            )
        )

    def section(self, slug: str, *, before: Cursor | None = None) -> Rendered:
        """``/section/<slug>``."""
        name = self.site.section_of(slug)
        if name is None:
            raise NotFound(f"there is no section called {slug!r}")
        latest = self.lists.latest(section=name, limit=_PER_PAGE, before=before)
        return _page(
            self.pages.section(
                name=name,
                latest=latest,
                ranking=self.lists.ranking(section=name),
                recommended=self.lists.recommended(section=name),
                older=self._older(latest),
            )
        )

    def source(self, slug: str, *, now: datetime, before: Cursor | None = None) -> Rendered:
        """``/source/<slug>``."""
        latest = self.lists.source(slug, now=now, limit=_PER_PAGE, before=before)
        health = self.lists.health(slug, now=now)
        return _page(self.pages.source(health=health, latest=latest, older=self._older(latest)))

    def search(self, words: str) -> Rendered:
        """``/search?q=``; without words the empty form."""
        return _page(self.pages.search(words=words, results=self.lists.search(words) if words.strip() else None))

    def article(self, item_id: str, *, liked: bool = False) -> Rendered:
        """``/item/<id>``: the page; 301 to the winner of a merge; 410 once retention has removed the content."""
        item = self.item(item_id)
        if isinstance(item, Rendered):
            return item
        ranking, recommended = self.lists.ranking(), self.lists.recommended()
        return _page(
            self.pages.article(
                item=item,
                story=story.items if (story := self.store.story(item.story)) else (),
                related=self.lists.related(item.id),
                ranking=ranking,
                recommended=recommended,
                reasons=_reasons(item, ranking, recommended),
                liked=liked,
            )
        )

    def item(self, item_id: str) -> Item | Rendered:
        """The item under this very id, or the redirect or the 410 to answer with. NotFound: there never was one."""
        current = self.store.resolve(item_id)
        if current is None:
            raise NotFound(f"there is no item {item_id!r}")
        if current != item_id:
            return Rendered(status=301, location=current)
        found = self.store.items([current])
        if not found:
            return self.error(410, "This item is no longer kept.")
        return found[0]

    def _older(self, latest: Listing) -> str | None:
        """The address that continues a full page."""
        return f"{latest.page}?before={latest.next}" if latest.next and not self.static else None

    def feeds(self, *, now: datetime) -> Rendered:
        """``/feeds``."""
        return _page(self.pages.feeds(sources=[health.ref for health in self.store.sources(now=now)]))

    def status(self, *, now: datetime) -> Rendered:
        """``/status``."""
        store, pushes = self.store, self.store.pushes()
        unheard = not pushes and bool(store.subscribable())
        health, stats = store.sources(now=now), store.stats()
        return _page(self.pages.status(sources=health, stats=stats, now=now, pushes=pushes, unheard=unheard))

    def about(self) -> Rendered:
        """``/about``."""
        stats = self.store.stats()
        return _page(self.pages.about(stats=stats, ranking=self.lists.ranking(), sources=stats.sources))

    def feeds_opml(self) -> Rendered:
        """``/feeds.opml``: all output feeds, for a reader."""
        suffix = self.site.formats[0]
        listings = [self.lists.heading(name) for name in self.lists.names()]
        for section in self.site.sections:
            listings += [self.lists.heading(name, section=slugify(section)) for name in self.lists.section_names()]
        rows = [(title, f"{self.site.url}{path}.{suffix}", self.site.url + page) for title, path, page in listings]
        return Rendered(body=opml.render_feeds(rows, self.site), content_type=_OPML)

    def sources_opml(self, *, now: datetime) -> Rendered:
        """``/sources.opml``: what this site follows."""
        sources = [replace(health.subscription, name=health.ref.name) for health in self.store.sources(now=now)]
        return Rendered(body=opml.render_sources(sources), content_type=_OPML)

    def _made(self, channel: Channel, suffix: str) -> Rendered:
        content_type, render = _FORMATS[suffix]
        links = ((channel.self_url(suffix), "self"), *([(channel.hub, "hub")] if channel.hub else []))
        return Rendered(body=render(channel, self.cache), content_type=content_type, links=links)

    def error(self, status: int, message: str = "") -> Rendered:
        """The page of an error status."""
        return replace(_page(self.pages.error(status, message=message)), status=status)


def _page(html: str) -> Rendered:
    # a lone surrogate that has slipped through must cost one character, not the page
    return Rendered(body=html.encode("utf-8", "replace"))


def _reasons(item: Item, *listings: Listing) -> list[str]:
    """Why the item stands in the lists, each reason once."""
    found = [place.reasons for listing in listings for place in listing.places if place.item.id == item.id]
    own = (f"{item.sources} sources",) if item.sources > 1 else ()
    return list(dict.fromkeys([*own, *(reason for reasons in found for reason in reasons)]))
