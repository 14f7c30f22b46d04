"""HTML: items and lists become pages. Values in, text out; no request, no clock, no store.

Every page is complete without a script: one stylesheet, no inline style, nothing from elsewhere but the pictures of
the items. All text from outside is escaped by the templates; the only markup let through is the HTML of an item, which
was sanitised by an allow-list when it was collected.

The same values give the same bytes, so that pages can be kept until something in the store changes, or until one of
the ages that they show is another (`Page.expires`). What depends on the reader (have they just liked it?) is an
argument with a default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from aggregator.model import (
    Activity,
    Item,
    Process,
    Push,
    SearchCounts,
    SourceHealth,
    SourceRef,
    StoreStats,
    Story,
    duration,
)
from aggregator.model.redact import public_url
from aggregator.publish import diagnostics
from aggregator.publish.listing import Listing, Place, cursor_of, write_cursor
from aggregator.publish.pages import article, charts, feed_links, search_page, status_page
from aggregator.publish.pages.article import compose_story, coverage
from aggregator.publish.pages.assets import Asset, Assets
from aggregator.publish.pages.errors import explain, nearest
from aggregator.publish.pages.front import (
    Run,
    Used,
    at_least,
    by_tier,
    compose_front,
    compose_opening,
    half,
    numbered,
    reasons,
    runs,
)
from aggregator.publish.pages.search_page import SearchRequest
from aggregator.publish.pages.source_names import label
from aggregator.publish.pages.templates import ListBlocks, make_environment
from aggregator.publish.pages.wording import Ages, Clock, Wording, shown_language
from aggregator.publish.site import Site

__all__ = ["Asset", "Banner", "Frame", "Page", "Pages", "SearchRequest"]

#: places of a ranking: beside a section and beside its source; on its own page
SECTION_RANKING = 5
RANKING_PAGE = 20
#: lines of a page of the latest
LINES = 30
#: related items beside a story
STORY_RELATED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """One sentence above every page: the site has just started, or is offline."""

    title: str
    text: str
    #: nothing is wrong
    calm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands round the content of every page."""

    now: datetime
    #: when something last came in
    updated: datetime | None = None
    #: the languages that the front page can be restricted to, and the one that it is ("" for all)
    languages: tuple[str, ...] = ()
    language: str = ""
    banners: tuple[Banner, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page and until when what it says of ages is right; None: until its data changes."""

    html: str
    expires: datetime | None = None


class Pages:
    """The pages of one site. Made again when the configuration is reloaded; may be used from any thread.

    `static`: for files on a server that only reads, so without search form and like button (the count is shown).
    """

    #: what the pages refer to, by path on this site (``/static/style-1a2b3c4d.css``, ``/favicon.svg``, ``/robots.txt``)
    assets: Mapping[str, Asset]

    def __init__(self, site: Site, *, static: bool = False) -> None:
        self.site = site
        self.words = Wording(site.language, site.timezone)
        self.assets = assets = Assets(site, self.words)
        self._static = static
        self._environment = make_environment(site, self.words, assets, static=static)
        self._blocks = ListBlocks(self._environment)

    def front(
        self,
        frame: Frame,
        *,
        latest: Listing,
        ranking: Listing,
        recommended: Listing,
        sections: Sequence[Listing] = (),
        covered: Sequence[Place] = (),
        activity: Activity | None = None,
        sources: int = 0,
    ) -> Page:
        """``/``: what is worth reading, the ranking, a few items of each section, the latest; each story once.

        `sections` are the latest listings of the sections, in order; empty ones are left out. `covered` are stories
        that several publishers carry, newest first. `sources` is how many are followed.
        """
        by_section = activity.stories_by_section if activity else {}
        page = compose_front(
            ranking=ranking,
            ranking_size=self.site.ranking_size,
            recommended=recommended,
            covered=covered,
            sections=[
                (name, listing, by_section.get(name, 0) if activity else None)
                for listing in sections
                if listing.places
                for name in [self._section_name(listing)]
            ],
            latest=latest,
            now=frame.now,
            language=frame.language or self.site.language,
            day_of=self._day,
        )
        counts = None
        if activity is not None and not frame.language:
            counts = {"stories": activity.stories, "heard": len(activity.items_by_source), "sources": sources}
        return self._render(
            "front.html",
            frame,
            page=page,
            ranking=ranking,
            ranked=numbered(ranking, page.ranking),
            reasons=reasons(page.opening.briefs, self.words),
            days=self._days(page.latest),
            activity=counts,
        )

    def latest(
        self,
        frame: Frame,
        *,
        latest: Listing,
        ranking: Listing,
        activity: Activity | None = None,
    ) -> Page:
        """``/latest``: everything by time."""
        used = Used()
        shown = used.show(half(ranking.places[: self.site.ranking_size], of=latest.places))
        lines, older = self._lines(latest, [place for place in latest.places if place not in used])
        return self._render(
            "latest.html",
            frame,
            days=self._days(lines),
            ranking=ranking,
            ranked=numbered(ranking, shown),
            activity=activity,
            older=older,
        )

    def section(
        self,
        frame: Frame,
        *,
        name: str,
        latest: Listing,
        ranking: Listing,
        recommended: Listing,
        covered: Sequence[Place] = (),
        activity: Activity | None = None,
        sources: Sequence[SourceRef] = (),
    ) -> Page:
        """``/section/<slug>``: the same lists for one section, and its `sources`."""
        used = Used()
        ranked = used.show(half(ranking.places[:SECTION_RANKING], of=latest.places))
        fresh = [place for place in latest.places if place.item.image_url]
        opening = compose_opening(
            [*recommended.places, *covered, *fresh], used, now=frame.now, language=self.site.language
        )
        lines, older = self._lines(latest, [place for place in latest.places if place not in used])
        counted = activity.items_by_source if activity else {}
        active = sorted(
            ((ref, counted[ref.id]) for ref in sources if ref.id in counted),
            key=lambda row: (-row[1], label(row[0]).name.casefold()),
        )
        return self._render(
            "section.html",
            frame,
            name=name,
            latest=latest,
            ranking=ranking,
            recommended=recommended,
            opening=opening,
            ranked=numbered(ranking, ranked),
            days=self._days(lines),
            counts={"stories": activity.stories_by_section.get(name, 0)} if activity else None,
            sources=active,
            older=older,
        )

    def ranking(
        self, frame: Frame, *, listing: Listing, section: str = "", by_section: Mapping[str, int] | None = None
    ) -> Page:
        """``/ranking``, ``/ranking/<window>`` and those of a section; `by_section` are the views of each."""
        shown = listing.places[:RANKING_PAGE]
        return self._render(
            "ranking.html",
            frame,
            listing=listing,
            ranked=numbered(listing, shown),
            section=section,
            by_section=by_section or {},
        )

    def story(self, frame: Frame, *, story: Story, related: Sequence[Place] = ()) -> Page:
        """``/story/<id>``: who reported what, when; `related` are items of other stories on the subject."""
        close, alike = by_tier(related, Used([Place(item=story.items[0])]), STORY_RELATED)
        return self._render(
            "story.html", frame, page=compose_story(story.id, story.items), related=close, loosely_related=alike
        )

    def source(
        self,
        frame: Frame,
        *,
        health: SourceHealth,
        latest: Listing,
        ranking: Listing | None = None,
        older: str | None = None,
    ) -> Page:
        """``/source/<slug>``: the items of one source, where it comes from and how it is doing."""
        used = Used()
        ranked = used.show(half(ranking.places[:SECTION_RANKING], of=latest.places)) if ranking else ()
        shown = [place for place in latest.places if place not in used]
        asked = self.words.gettext("polled %(time)s") % {"time": self.words.ago(health.last_success, frame.now)}
        day = self.words.local(frame.now).date()
        return self._render(
            "source.html",
            frame,
            expires=frame.now + timedelta(minutes=1),
            health=health,
            state=self.words.gettext(diagnostics.STATES[health.state]),
            asked=asked if health.last_success else "",
            cause=status_page.cause(health, self.words),
            advice=self.words.gettext(diagnostics.advice(health.error.code)) if health.error else "",
            month=charts.month(health.daily, health.daily_failures, day, self.words),
            feed=public_url(health.ref.url),
            latest=latest,
            ranking=ranking,
            ranked=numbered(ranking, ranked) if ranking else (),
            days=self._days(Run(place=place) for place in shown),
            older=older,
        )

    def sources(self, frame: Frame, *, sources: Sequence[SourceHealth], activity: Activity) -> Page:
        """``/sources``: all sources by section, with their items of the last day."""
        groups: dict[str, list[tuple[SourceRef, int]]] = {name: [] for name in self.site.sections}
        for health in sorted(sources, key=lambda one: label(one.ref).name.casefold()):
            row = (health.ref, activity.items_by_source.get(health.ref.id, 0))
            for section in health.subscription.sections:
                groups.setdefault(section, []).append(row)
        filled = [(name, rows) for name, rows in groups.items() if rows]
        return self._render("sources.html", frame, groups=filled, count=len(sources))

    def search(
        self,
        frame: Frame,
        *,
        asked: SearchRequest,
        results: Listing | None,
        counts: SearchCounts | None = None,
        sources: Sequence[SourceRef] = (),
        older: str | None = None,
    ) -> Page:
        """``/search?q=``: results with the words marked; `results` None: nothing has been asked yet."""
        counts = counts or SearchCounts(items=len(results.places) if results else 0)
        known = {ref.id: ref for ref in sources}
        hit = [(known[number], count) for number, count in counts.by_source.items() if number in known]
        return self._render(
            "search.html",
            frame,
            asked=asked,
            results=results,
            terms=search_page.terms(asked.words),
            total=counts.items,
            capped=counts.is_capped,
            choices=sorted(
                {ref for ref, _ in hit} | {ref for ref in sources if ref.slug == asked.source},
                key=lambda ref: label(ref).name.casefold(),
            ),
            tallies=search_page.tallies(asked, counts, hit, self.words),
            older=older,
        )

    def article(
        self,
        frame: Frame,
        *,
        item: Item,
        story: Sequence[Item],
        related: Listing,
        ranking: Listing,
        recommended: Listing,
        fallback: Sequence[Place] = (),
        hourly_views: Sequence[int] = (),
        liked: bool = False,
    ) -> Page:
        """``/item/<id>``: one item with every block of the model page.

        `story` are the items of its story ("Also covered by"); the item itself may be among them. `fallback` are
        items of its section, which fill what related items leave empty. `hourly_views` are its views of the last
        hours, oldest first. `liked` says thank you beside the button (the address a like leads back to is
        ``/item/<id>?liked#like``).
        """
        shown = article.article_html(item, self.site)
        others, same = coverage(item, story)
        ages = self._ages(frame)
        used = Used([Place(item=item)])
        close, alike = by_tier(related.places, used, self.site.related_size)
        filled = alike or used.take(fallback, self.site.related_size - len(close))
        ranked = numbered(ranking, at_least(ranking.places, used, self.site.ranking_size))
        advised = used.take(recommended.places, self.site.recommendation_size)
        first = next((place for place in advised if place.item.image_url and place.item.text), None)
        ordered = [first, *(place for place in advised if place is not first)] if first else list(advised)
        changed = item.updated if item.copies and item.updated > item.copies[0].first_seen else None
        title = self.words.gettext("Loosely related") if alike else self.words.gettext("More in %(section)s")
        parts = self._environment.get_template("parts.html").make_module({"ages": ages})
        return self._render(
            "article.html",
            frame,
            ages=ages,
            item=item,
            about=article.linked_data(item, self.site),
            html=shown,
            language=shown_language(item.text or item.title, item.language),
            image=article.lead_image(item, self.site, shown),
            attachments=article.attachments(item, self.site),
            attachment_names={
                "audio": self.words.gettext("Listen"),
                "video": self.words.gettext("Watch"),
                "image": self.words.gettext("Picture"),
            },
            others=others,
            same_source=same,
            copies=article.other_copies(item),
            joined=article.join_reasons(item, self.words),
            changed=changed,
            spark=self._views_chart(hourly_views),
            related_path=related.path,
            related=parts.related(close, filled, related, title % {"section": item.section}),  # type: ignore[attr-defined]
            ranking=self._blocks.ranking(ranked, ranking, ages, root="/ranking", switch=True),
            recommendation=self._blocks.recommendation(ordered, recommended, ages),
            liked=liked,
        )

    def listing(self, frame: Frame, listing: Listing) -> Page:
        """The address of a feed, opened by a person in a browser: what it holds and how to subscribe."""
        ranked = tuple(enumerate(listing.places, 1))
        # what lists say of themselves is English in feeds, in every language
        return self._render("listing.html", frame, listing=listing, ranked=ranked, listing_language="en")

    def feeds(self, frame: Frame, *, sources: Sequence[SourceHealth] = ()) -> Page:
        """``/feeds``: all output feeds, in every configured format; of `sources` the feeds of their items."""
        main = feed_links.main_feeds(self.site, self.words)
        groups = list(feed_links.groups(self.site, self.words, sources))
        return self._render("feeds.html", frame, main=main, groups=groups)

    def status(
        self,
        frame: Frame,
        *,
        sources: Sequence[SourceHealth],
        pushes: Sequence[Push] = (),
        unheard: bool = False,
        activity: Activity | None = None,
        processes: Sequence[Process] = (),
        sort: str = "",
    ) -> Page:
        """``/status``: how every source is doing, who pushes its items, and what to do about those that fail.

        `unheard`: sources name hubs, and no hub has been asked. `sort` is one of `status_page.SORTS`, or anything.
        """
        board = status_page.status_board(
            sources,
            pushes,
            self.words,
            now=frame.now,
            items_today=activity.items if activity else None,
            sort=sort if sort in status_page.SORTS else "name",
        )
        note = self.words.gettext(status_page.UNHEARD) if unheard else ""
        expires = frame.now + timedelta(minutes=1)
        return self._render("status.html", frame, expires=expires, board=board, unheard=note, processes=processes)

    def about(self, frame: Frame, *, stats: StoreStats, ranking: Listing, sources: int) -> Page:
        """``/about``: how views are counted and lists computed, with today's windows and figures."""
        windows = [self.words.window(duration(window)) for window in self.site.windows]
        joined = ", ".join(windows[:-1])
        both = self.words.gettext("%(list)s or %(last)s") % {"list": joined, "last": windows[-1]}
        first = next(iter(ranking.places), None)
        return self._render(
            "about.html",
            frame,
            stats=stats,
            ranking=ranking,
            first=first,
            sources=sources,
            windows=both if joined else windows[-1],
        )

    def error(self, frame: Frame, status: int, *, message: str = "", path: str = "") -> Page:
        """The page that goes with an HTTP error status (403, 404, 405, 410, 429, 500, 503 …).

        `message` says in English more than the status does; of a missing `path` the nearest section is named.
        """
        title, text = explain(status, self.words, path=path)
        found = nearest(path, self.site)
        is_told = message and found is None and self.words.language.startswith("en")
        return self._render(
            "error.html", frame, status=status, title=title, text=message if is_told else text, nearest=found
        )

    def _views_chart(self, hourly: Sequence[int]) -> charts.Chart | None:
        if not any(hourly):
            return None
        text = self.words.gettext("Views in each of the last %(num)s hours") % {"num": len(hourly)}
        return charts.chart(hourly, text)

    def _lines(self, listing: Listing, places: Sequence[Place]) -> tuple[list[Run], str | None]:
        """The lines of a page of the latest, and the address of the page that continues behind them."""
        every = list(runs(places, day_of=self._day))
        lines = every[:LINES]
        if self._static or not lines or (len(every) <= LINES and not listing.next):
            return lines, None
        return lines, f"{listing.page}?before={write_cursor(cursor_of(lines[-1].last))}"

    def _days(self, lines: Iterable[Run]) -> list[tuple[str, list[Run]]]:
        """(``Monday, 23 November 2026``, its runs) in their order."""
        return [
            (self.words.long_date(day), list(members))
            for day, members in groupby(lines, key=lambda run: self._day(run.place.item))
        ]

    def _day(self, item: Item) -> date:
        return self.words.local(item.published).date()

    def _section_name(self, listing: Listing) -> str:
        slug = listing.page.rpartition("/")[2]
        return self.site.section_of(slug) or listing.title

    def _ages(self, frame: Frame) -> Ages:
        return (Clock if self._static else Ages)(frame.now, self.words)

    def _render(
        self,
        template: str,
        frame: Frame,
        *,
        ages: Ages | None = None,
        expires: datetime | None = None,
        **values: object,
    ) -> Page:
        ages = ages or self._ages(frame)
        html = self._environment.get_template(template).render(values, frame=frame, ages=ages)
        midnight = self.words.local(frame.now).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        ages.limit(midnight)
        ages.limit(expires)
        if frame.banners:
            ages.limit(frame.now + timedelta(minutes=1))
        return Page(html=html, expires=ages.expires)
