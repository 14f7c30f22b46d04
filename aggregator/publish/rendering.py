"""Renders the address of a page or feed to bytes, for the web server and for static publishing.

Blocks while it reads the store; may be used from any thread. Knows no requests: arguments in, `Rendered` out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal
from urllib.parse import quote

from aggregator.errors import NotFound
from aggregator.model import Item, Notice
from aggregator.publish import opml
from aggregator.publish.audience import items_of
from aggregator.publish.channel import Channel, compose
from aggregator.publish.diagnostics import status_channel
from aggregator.publish.feeds import atom, json_feed, rss
from aggregator.publish.listing import Listing
from aggregator.publish.lists import Lists
from aggregator.publish.markup import address
from aggregator.publish.own_feeds import digest_channel
from aggregator.publish.pages import Page, Pages, feed_links
from aggregator.publish.render_cache import RenderCache
from aggregator.publish.site import Site
from aggregator.publish.site_pages import SitePages
from aggregator.store import Store

Format = Literal["atom", "rss", "json"]

_FORMATS: Final[dict[str, tuple[str, Callable[[Channel, RenderCache], bytes]]]] = {
    "atom": ("application/atom+xml; charset=utf-8", atom),
    "rss": ("application/rss+xml; charset=utf-8", rss),
    "json": ("application/feed+json; charset=utf-8", json_feed),
}
_OPML = "text/x-opml; charset=utf-8"


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
    #: the items that it shows, in their order, separated by spaces: for counting impressions
    shown: str = field(default="", compare=False)
    #: until when it is right while the data stays as it is: what it says of ages is another then; None: for good
    expires: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """The site as it stands: each method is one kind of address. All may raise NotFound and StoreError."""

    store: Store
    site: Site
    lists: Lists
    pages: Pages
    #: for static files: no addresses with a query, which a file server cannot answer
    static: bool = False
    #: what readers are told of this installation
    notices: tuple[Notice, ...] = ()
    #: what has been rendered for other lists
    cache: RenderCache = field(default_factory=RenderCache)

    def feed(self, listing: Listing, suffix: str) -> Rendered:
        """A list as a feed; `suffix` is atom, rss or json. NotFound: that format is switched off or unknown."""
        self.check_format(suffix)
        if self.static:
            listing = replace(listing, next="")
        if listing.kind == "digest":
            return self._made(digest_channel(listing, self.site), suffix)
        return self._made(compose(self.lists.with_related(listing), self.site, self.cache), suffix)

    def status_feed(self, suffix: str, *, now: datetime) -> Rendered:
        """``/feeds/status.<suffix>``."""
        self.check_format(suffix)
        return self._made(status_channel(self.store.sources(now=now), self.site), suffix)

    def check_format(self, suffix: str) -> None:
        """NotFound unless feeds are published in this format."""
        if suffix not in self.site.formats:
            raise NotFound(f"feeds are published as {', '.join(self.site.formats)}, not as {suffix!r}")

    def page(self, make: Callable[[SitePages], Page | str], *, now: datetime) -> Rendered:
        """What one of the methods of `SitePages` makes at that moment; 301 where it says that it is elsewhere."""
        made = make(self.site_pages(now))
        return Rendered(status=301, location=made) if isinstance(made, str) else _page(made)

    def site_pages(self, now: datetime) -> SitePages:
        """The pages of the site as they are at that moment."""
        return SitePages(
            store=self.store,
            site=self.site,
            lists=self.lists,
            pages=self.pages,
            now=now,
            static=self.static,
            notices=self.notices,
        )

    def listing(self, listing: Listing, *, now: datetime) -> Rendered:
        """A list for a person."""
        return self.page(lambda pages: pages.listing(listing), now=now)

    def article(self, item_id: str, *, now: datetime, liked: bool = False) -> Rendered:
        """``/item/<id>``: the page; 301 to the winner of a merge; 410 once retention has removed the content."""
        item = self.item(item_id, now=now)
        if isinstance(item, Rendered):
            return item
        page = self.page(lambda pages: pages.article(item, liked=liked), now=now)
        return replace(page, shown=" ".join(other for other in page.shown.split() if other != item.id))

    def item(self, item_id: str, *, now: datetime) -> Item | Rendered:
        """The item under this very id, or the redirect or the 410 to answer with. NotFound: there never was one."""
        current = self.store.resolve(item_id)
        if current is None:
            raise NotFound(f"there is no item {item_id!r}")
        if current != item_id:
            return Rendered(status=301, location=current)
        found = self.store.items([current])
        if not found:
            return self.error(410, now=now)
        return found[0]

    def feeds_opml(self) -> Rendered:
        """``/feeds.opml``: all output feeds, for a reader."""
        suffix, site = self.site.formats[0], self.site
        query = f"?token={quote(site.access_token)}" if site.access_token else ""
        rows = [
            (
                f"{feed.title} · {group.title}" if group.id != "everything" else feed.title,
                f"{site.url}{address(feed.path)}.{suffix}{query}",
                site.url + address(feed.page),
            )
            for group in feed_links.groups(site, self.pages.words, ())
            for feed in group.feeds
        ]
        return Rendered(body=opml.render_feeds(rows, site), content_type=_OPML)

    def sources_opml(self, *, now: datetime) -> Rendered:
        """``/sources.opml``: what this site follows."""
        sources = [replace(health.subscription, name=health.ref.name) for health in self.store.sources(now=now)]
        return Rendered(body=opml.render_sources(sources), content_type=_OPML)

    def _made(self, channel: Channel, suffix: str) -> Rendered:
        content_type, render = _FORMATS[suffix]
        links = ((channel.self_url(suffix), "self"), *([(channel.hub, "hub")] if channel.hub else []))
        return Rendered(body=render(channel, self.cache), content_type=content_type, links=links)

    def error(self, status: int, message: str = "", *, now: datetime, path: str = "") -> Rendered:
        """The page of an error status; of a missing `path` it names the nearest that exists."""
        made = self.page(lambda pages: pages.error(status, message, path=path), now=now)
        return replace(made, status=status)


def _page(page: Page) -> Rendered:
    # a lone surrogate that has slipped through must cost one character, not the page
    shown = " ".join(items_of(page.html))
    return Rendered(body=page.html.encode("utf-8", "replace"), shown=shown, expires=page.expires)
