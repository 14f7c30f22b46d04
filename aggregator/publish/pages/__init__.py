"""HTML: items and lists become pages. Values in, text out; no request, no clock, no store.

Every page is complete without a script: one stylesheet, no inline style, nothing from elsewhere but the pictures of
the items. All text from outside is escaped by the templates; the only markup let through is the HTML of an item, which
was sanitised by an allow-list when it was collected.

The same values give the same bytes, so that pages can be kept until something in the store changes. What depends on
the reader (have they just liked it?) is an argument with a default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from aggregator.model import Item, Push, SourceHealth, SourceRef, StoreStats
from aggregator.model.redact import public_url
from aggregator.publish import diagnostics
from aggregator.publish.listing import Listing
from aggregator.publish.pages import article, catalogue, section_block, status_page
from aggregator.publish.pages.assets import Asset, load_assets
from aggregator.publish.pages.environment import make_environment
from aggregator.publish.pages.errors import explain
from aggregator.publish.site import Site

__all__ = ["Asset", "Pages"]


class Pages:
    """The pages of one site. Made again when the configuration is reloaded; may be used from any thread.

    `static`: for files on a server that only reads, so without search form and like button (the count is shown).
    """

    #: what the pages refer to, by path on this site (``/static/style-1a2b3c4d.css``, ``/favicon.svg``, ``/robots.txt``)
    assets: Mapping[str, Asset]

    def __init__(self, site: Site, *, static: bool = False) -> None:
        self.site = site
        self.assets = load_assets()
        self._environment = make_environment(site, static=static)

    def front(
        self,
        *,
        latest: Listing,
        ranking: Listing,
        recommended: Listing,
        sections: Sequence[Listing] = (),
        older: str | None = None,
    ) -> str:
        """``/``: the recommended items (the first is the lead), the ranking, the newest of each section, the latest.

        `sections` are the latest listings of the sections, in order; a few items of each are shown, of several
        sources where there are; empty ones are left out. `older` is the address of the page that continues `latest`.
        """
        return self._render(
            "front.html",
            latest=latest,
            ranking=ranking,
            recommended=recommended,
            sections=[
                (self._section_name(listing), section_block.chosen(listing)) for listing in sections if listing.places
            ],
            older=older,
        )

    def section(
        self, *, name: str, latest: Listing, ranking: Listing, recommended: Listing, older: str | None = None
    ) -> str:
        """``/section/<slug>``: the same lists for one section."""
        return self._render(
            "section.html", name=name, latest=latest, ranking=ranking, recommended=recommended, older=older
        )

    def source(self, *, health: SourceHealth, latest: Listing, older: str | None = None) -> str:
        """``/source/<slug>``: the items of one source, where it comes from and how it is doing."""
        charts = {"Posting": status_page.posting(health), "Fetching": status_page.fetching(health)}
        return self._render(
            "source.html",
            health=health,
            state=diagnostics.STATES[health.state],
            advice=diagnostics.advice(health.error.code) if health.error else "",
            charts=charts,
            feed=public_url(health.ref.url),
            latest=latest,
            older=older,
        )

    def search(self, *, words: str, results: Listing | None) -> str:
        """``/search?q=``: results, newest first; `results` None: nothing has been asked yet."""
        return self._render("search.html", words=words, results=results)

    def article(
        self,
        *,
        item: Item,
        story: Sequence[Item],
        related: Listing,
        ranking: Listing,
        recommended: Listing,
        reasons: Sequence[str] = (),
        liked: bool = False,
    ) -> str:
        """``/item/<id>``: one item with every block of the model page.

        `story` are the items of its story ("Also covered by"); the item itself may be among them. `reasons` are short
        phrases saying why it stands in the lists. `liked` says thank you beside the button (the address a like leads
        back to is ``/item/<id>?liked#like``).
        """
        shown = article.article_html(item, self.site)
        return self._render(
            "article.html",
            item=item,
            about=article.linked_data(item, self.site),
            html=shown,
            image=article.lead_image(item, self.site, shown),
            attachments=article.attachments(item, self.site),
            others=[other for other in story if other.id != item.id],
            copies=article.other_copies(item),
            joined=article.join_reasons(item),
            related=related,
            ranking=ranking,
            recommended=recommended,
            reasons=reasons,
            liked=liked,
        )

    def listing(self, listing: Listing) -> str:
        """The address of a feed, opened by a person in a browser: what it holds and how to subscribe."""
        return self._render("listing.html", listing=listing)

    def feeds(self, *, sources: Sequence[SourceRef] = ()) -> str:
        """``/feeds``: all output feeds, in every configured format; of `sources` the feeds of their items."""
        return self._render("feeds.html", groups=list(catalogue.groups(self.site, sources)))

    def status(
        self,
        *,
        sources: Sequence[SourceHealth],
        stats: StoreStats,
        now: datetime,
        pushes: Sequence[Push] = (),
        unheard: bool = False,
    ) -> str:
        """``/status``: how every source is doing, who tells us of it, and what to do about those that fail.

        `unheard`: sources name hubs, and no hub has been asked.
        """
        return self._render(
            "status.html",
            board=status_page.board(sources, pushes, now=now),
            count=len(sources),
            stats=stats,
            now=now,
            unheard=status_page.UNHEARD if unheard else "",
        )

    def about(self, *, stats: StoreStats, ranking: Listing, sources: int) -> str:
        """``/about``: how views are counted and lists computed, with today's windows and figures."""
        return self._render("about.html", stats=stats, ranking=ranking, sources=sources)

    def error(self, status: int, *, message: str = "") -> str:
        """The page that goes with an HTTP error status (403, 404, 405, 410, 429, 500, 503 …)."""
        title, text = explain(status)
        return self._render("error.html", status=status, title=title, text=message or text)

    def _section_name(self, listing: Listing) -> str:
        slug = listing.page.rpartition("/")[2]
        return self.site.section_of(slug) or listing.title

    def _render(self, template: str, **values: object) -> str:
        return self._environment.get_template(template).render(values)
