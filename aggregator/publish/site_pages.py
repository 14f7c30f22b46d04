"""Renders the address of a page: reads from the store what the page shows.

Blocks while it reads; may be used from any thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from aggregator.errors import NotFound
from aggregator.model import Item, Notice, Scope, SearchCounts, SourceRef, duration
from aggregator.publish.listing import Cursor, Listing, Place
from aggregator.publish.lists import Lists, is_in
from aggregator.publish.messages import N_, SOURCE_LANGUAGE
from aggregator.publish.pages import Banner, Frame, Page, Pages
from aggregator.publish.pages.search_page import SearchRequest, best_first, best_titles, query
from aggregator.publish.site import Site
from aggregator.store import Store

__all__ = ["SitePages"]

DAY: Final = timedelta(days=1)
#: of how many items of a section the front page chooses those that it shows
_PER_SECTION: Final = 20
#: items of the latest that are read to be folded: of the front page, and of a page of the latest with so many lines
_FRONT_LATEST: Final = 150
_FOLDED: Final = 240
_PER_SOURCE_PAGE: Final = 20
_PER_SEARCH_PAGE: Final = 25
#: of a search that puts the best first: hits whose titles are compared, and of the best of them whose texts are
_COMPARED: Final = 20_000
_READ: Final = 200
#: stories of several publishers that are looked at for a page, and how old they may be
_COVERED: Final = 24
_COVERED_REACH: Final = 2 * DAY
#: what a page of an article may take from the latest of its section
_FALLBACK: Final = 30
_VIEW_HOURS: Final = 48
#: filters by language are offered for languages of at least this share, if there are two of them
_LANGUAGE_SHARE: Final = 0.03
_LANGUAGE_REACH: Final = 30 * DAY
_WINDOWS: Final = ("1d", "7d", "30d")


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePages:
    """The pages of a site as it stands: each method is one kind of address. All may raise NotFound and StoreError."""

    store: Store
    site: Site
    lists: Lists
    pages: Pages
    now: datetime
    #: for static files: no addresses with a query, which a file server cannot answer
    static: bool = False
    #: what readers are told of this installation
    notices: tuple[Notice, ...] = ()

    def front(self, *, language: str = "") -> Page:
        """``/``; with `language` only what is in it (``/?lang=de``). NotFound: nothing is in that language."""
        frame = self.frame(language=language)
        if language and language not in frame.languages:
            raise NotFound(f"there is nothing in the language {language!r}")
        activity = self.lists.activity(since=self.now - DAY, now=self.now)
        sections = [
            self._latest(Scope(section=name, language=language or None), _PER_SECTION) for name in self.site.sections
        ]
        return self.pages.front(
            frame,
            latest=self._latest(Scope(language=language or None), _FRONT_LATEST),
            ranking=self.lists.with_coverage(self.lists.ranking(language=language)),
            recommended=self.lists.with_coverage(self.lists.recommended(language=language)),
            sections=[listing for listing in sections if listing.places],
            covered=self._covered(language=language),
            activity=activity,
            sources=sum(self.store.states(now=self.now).values()),
        )

    def latest(self, *, before: Cursor | None = None) -> Page:
        """``/latest``, or the page of older items behind a place."""
        listing = self.lists.with_coverage(self.lists.latest(limit=_FOLDED, before=before))
        return self.pages.latest(
            self.frame(),
            latest=listing,
            ranking=self.lists.with_coverage(self.lists.ranking()),
            activity=None if before else self.lists.activity(since=self.now - DAY, now=self.now),
        )

    def section(self, slug: str, *, before: Cursor | None = None) -> Page:
        """``/section/<slug>``."""
        name = self._section(slug)
        latest = self.lists.with_coverage(self.lists.latest(section=name, limit=_FOLDED, before=before))
        sources = self.store.sources(now=self.now)
        return self.pages.section(
            self.frame(),
            name=name,
            latest=latest,
            ranking=self.lists.with_coverage(self.lists.ranking(section=name)),
            recommended=self.lists.with_coverage(self.lists.recommended(section=name)),
            covered=self._covered(section=name),
            activity=self.lists.activity(since=self.now - DAY, now=self.now),
            sources=[health.ref for health in sources if name in health.subscription.sections],
        )

    def ranking(self, window: str | None = None, *, section: str | None = None) -> Page:
        """``/ranking``, ``/ranking/<window>`` and those below a section (its slug)."""
        name = self._section(section) if section is not None else None
        listing = self.lists.with_coverage(self.lists.ranking(window, section=name, whole=True))
        views = None
        if listing.since and listing.until and listing.basis != "signals":
            views = self.store.views_by_section(since=listing.since, until=listing.until)
        return self.pages.ranking(self.frame(), listing=listing, section=name or "", by_section=views)

    def story(self, story_id: str) -> Page | str:
        """``/story/<id>``; the id of the story it was merged into, if it is no longer that."""
        story = self.store.story(story_id)
        if story is None:
            raise NotFound(f"there is no story {story_id!r}")
        if story.id != story_id:
            return story.id
        related = self.lists.with_coverage(self.lists.related(story.items[-1].id))
        return self.pages.story(self.frame(), story=story, related=related.places)

    def source(self, slug: str, *, before: Cursor | None = None) -> Page:
        """``/source/<slug>``."""
        latest = self.lists.source(slug, now=self.now, limit=_PER_SOURCE_PAGE, before=before)
        return self.pages.source(
            self.frame(),
            health=self.lists.health(slug, now=self.now),
            latest=self.lists.with_coverage(latest),
            ranking=None if before else self.lists.source_ranking(slug, now=self.now),
            older=self._older(f"/source/{slug}", latest),
        )

    def sources(self) -> Page:
        """``/sources``."""
        activity = self.lists.activity(since=self.now - DAY, now=self.now)
        return self.pages.sources(self.frame(), sources=self.store.sources(now=self.now), activity=activity)

    def search(self, asked: SearchRequest, *, before: Cursor | None = None) -> Page:
        """``/search?q=``; without words the empty form."""
        sources = [health.ref for health in self.store.sources(now=self.now)] if asked.words else []
        if not asked.words:
            return self.pages.search(self.frame(), asked=asked, results=None)
        scope = self._scope(asked, sources)
        results = self.lists.search(asked.words, limit=_PER_SEARCH_PAGE, scope=scope, before=before)
        if asked.order == "rank":
            results = replace(results, places=self._best_first(asked.words, scope), next="")
        counts = self.store.search_counts(asked.words, scope=scope)
        return self.pages.search(
            self.frame(),
            asked=asked,
            results=self.lists.with_coverage(results),
            counts=counts if counts.items else SearchCounts(items=len(results.places)),
            sources=sources,
            older=self._older(f"/search?{query(asked)}", results),
        )

    def article(self, item: Item, *, liked: bool = False) -> Page:
        """``/item/<id>``."""
        story = self.store.story(item.story)
        related = self.lists.with_coverage(self.lists.related(item.id))
        fallback: Sequence[Place] = ()
        if len(related.places) < self.site.related_size:
            fallback = self._latest(Scope(section=item.section), _FALLBACK).places
        hour = self.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        views = self.store.views_by_hour(item.id, since=hour - timedelta(hours=_VIEW_HOURS), until=hour)
        return self.pages.article(
            self.frame(),
            item=item,
            story=story.items if story else (),
            related=related,
            ranking=self.lists.with_coverage(self.lists.ranking()),
            recommended=self.lists.with_coverage(self.lists.recommended()),
            fallback=fallback,
            hourly_views=views,
            liked=liked,
        )

    def listing(self, listing: Listing) -> Page:
        """A list for a person who has opened the address of its feed."""
        return self.pages.listing(self.frame(), self.lists.with_coverage(listing))

    def feeds(self) -> Page:
        """``/feeds``."""
        return self.pages.feeds(self.frame(), sources=self.store.sources(now=self.now))

    def status(self, *, sort: str = "") -> Page:
        """``/status``."""
        pushes = self.store.pushes()
        return self.pages.status(
            self.frame(),
            sources=self.store.sources(now=self.now),
            pushes=pushes,
            unheard=not pushes and bool(self.store.subscribable()),
            activity=self.lists.activity(since=self.now - DAY, now=self.now),
            processes=[one for one in self.store.processes() if one.seen is not None],
            sort=sort,
        )

    def about(self) -> Page:
        """``/about``."""
        stats = self.store.stats()
        return self.pages.about(self.frame(), stats=stats, ranking=self.lists.ranking(), sources=stats.sources)

    def error(self, status: int, message: str = "", *, path: str = "") -> Page:
        """The page of an error status; of a missing `path` it names the nearest that exists."""
        return self.pages.error(Frame(now=self.now), status, message=message, path=path)

    def frame(self, *, language: str = "") -> Frame:
        """What stands round the content of a page."""
        newest = self.lists.newest()
        return Frame(
            now=self.now,
            updated=newest.first_seen if newest else None,
            languages=self.languages(),
            language=language,
            banners=tuple(self._banners(is_empty=newest is None)),
        )

    def languages(self) -> tuple[str, ...]:
        """The languages that the front page can be restricted to, most items first; none where one is enough."""
        if self.site.languages:
            return self.site.languages
        counts = self.lists.languages(since=self.now - _LANGUAGE_REACH, now=self.now)
        whole = sum(counts.values())
        kept = [code for code, count in counts.items() if code and count >= _LANGUAGE_SHARE * whole]
        return tuple(sorted(kept, key=lambda code: (-counts[code], code))) if len(kept) > 1 else ()

    def _banners(self, *, is_empty: bool) -> Iterator[Banner]:
        for notice in () if self.static else self.notices:
            yield self._notice(notice)
        start = self._start(is_empty=is_empty)
        if start is not None:
            yield start

    def _notice(self, notice: Notice) -> Banner:
        words = self.pages.words
        since = words.gettext("Since %(time)s.") % {"time": words.short(notice.since)}
        if notice.code == "network-down":
            return Banner(
                title=words.gettext("This machine seems to be offline."),
                text=words.gettext("No source can be reached. It tries again every minute.") + " " + since,
            )
        if notice.code in _NOTICES and words.language != SOURCE_LANGUAGE:
            return Banner(title=words.gettext(_NOTICES[notice.code]), text=since)
        return Banner(title=notice.message, text=since)

    def _start(self, *, is_empty: bool) -> Banner | None:
        words = self.pages.words
        if not is_empty or self.static:
            return None
        states = self.store.states(now=self.now)
        total, waiting = sum(states.values()), states.get("new", 0)
        if not total:
            return Banner(
                title=words.gettext("No sources yet."),
                text=words.gettext("Add one with “aggregator add URL”."),
                calm=True,
            )
        text = words.gettext(
            "%(num)s of %(total)s sources have answered; the first stories appear here within a minute or two."
        )
        answered = {"num": words.number(total - waiting), "total": words.number(total)}
        return Banner(title=words.gettext("Just started."), text=text % answered, calm=True)

    def _latest(self, scope: Scope, limit: int) -> Listing:
        return self.lists.with_coverage(self.lists.newest_of(scope, limit=limit))

    def _covered(self, *, section: str | None = None, language: str = "") -> tuple[Place, ...]:
        """Stories that several publishers carry, the most recently moved first, each by its newest pictured item."""
        stories = islice(self.store.stories(min_sources=2, limit=_COVERED), _COVERED)
        faces = [
            max(story.items, key=lambda item: (bool(item.image_url), item.published))
            for story in stories
            if self.now - story.newest < _COVERED_REACH and story.publishers > 1
        ]
        kept = [face for face in faces if section in (None, face.section) and is_in(face, language)]
        return self.lists.covered(kept)

    def _best_first(self, words: str, scope: Scope) -> tuple[Place, ...]:
        """The hits that answer a search best, the best first."""
        titles = self.store.search_titles(words, limit=_COMPARED, scope=scope)
        items = self.store.items(best_titles(titles, words)[:_READ])
        return best_first([Place(item=item) for item in items], words)[:_PER_SEARCH_PAGE]

    def _scope(self, asked: SearchRequest, sources: Iterable[SourceRef]) -> Scope:
        """The scope of a search; filters that mean nothing here are left out."""
        known = {ref.slug for ref in sources}
        return Scope(
            section=self.site.section_of(asked.section) if asked.section else None,
            source_slug=asked.source if asked.source in known else None,
            published_since=self.now - duration(asked.within) if asked.within in _WINDOWS else None,
        )

    def _section(self, slug: str) -> str:
        name = self.site.section_of(slug)
        if name is None:
            raise NotFound(f"there is no section called {slug!r}")
        return name

    def _older(self, page: str, latest: Listing) -> str | None:
        """The address that continues a full page."""
        if not latest.next or self.static:
            return None
        return f"{page}{'&' if '?' in page else '?'}before={latest.next}"


#: notices, by code, for pages in other languages: their messages are in English, with details for the operator
_NOTICES: Final = {
    "store-restored": N_("The store was damaged; its newest good backup has taken its place."),
    "store-replaced": N_("The store was damaged and has been started anew."),
    "second-daemon": N_("A second instance works on the same store."),
    "polling-waits": N_("Polling waits: nothing new comes in at the moment."),
    "digest-not-sent": N_("A digest could not be sent."),
    "config-differs": N_("The configuration of this machine is not the applied one."),
    "too-many-items": N_("There are more items than this machine can compare."),
}
