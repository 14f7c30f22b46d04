"""Makes the listings: which items each list has, in which order, with its title and description."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Final, Literal
from urllib.parse import quote, urlencode

from aggregator.errors import NotFound
from aggregator.model import Activity, Item, ItemList, ListKey, ListScope, OwnFeed, Reader, Scope, SourceHealth, Story
from aggregator.model.slug import slugify
from aggregator.publish import titles
from aggregator.publish.listing import Cursor, Kind, Listing, Place, cursor_of, write_cursor
from aggregator.publish.messages import messages
from aggregator.publish.own_feeds import OwnLists, in_order, issued_listing
from aggregator.publish.render_cache import ReadCache
from aggregator.publish.site import Site
from aggregator.store import Store

#: of how many items of a source, and over which time, its own ranking is made
_SOURCE_ITEMS: Final = 200
_SOURCE_REACH: Final = timedelta(days=30)
#: stories that are remembered for other pages of the same state of the store
_MAX_STORIES: Final = 4_000


class Lists:
    """The lists of one site, read from the store. Blocks while it reads; may be used from any thread."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store = store
        self.site = site
        self._say = messages(site.language)
        self._own = OwnLists(store, site)
        #: the lists of the site and its sections stand on every page
        self._read = ReadCache(store.generation)
        #: stories by id, as of one state of the store
        self._stories: dict[str, Story | None] = {}
        self._stories_of = -1

    def named(self, name: str, *, section: str | None = None, before: Cursor | None = None) -> Listing:
        """The list behind an address: latest, ranking, ranking-<window>, recommended, or an own feed's name.

        `section` is a slug; `before` continues the latest. NotFound: no such list or section.
        """
        return self._read.once(("named", name, section, before), lambda: self._named(name, section, before))

    def _named(self, name: str, section: str | None, before: Cursor | None) -> Listing:
        title = self._section(section)
        if name == "latest":
            return self.latest(section=title, before=before)
        if name == "recommended":
            return self.recommended(section=title)
        if name == "ranking":
            path = _path(title, name)
            return replace(self.ranking(section=title), path=path, page=path)
        if name.startswith("ranking-"):
            return self.ranking(name.removeprefix("ranking-"), section=title)
        if name == "stories" and title is None:
            return self.stories()
        own = next((feed for feed in self.site.feeds if feed.name == name), None)
        if own is None or title:
            raise NotFound(f"there is no list called {name!r}")
        return issued_listing(own, self._store, language=self.site.language) if own.every else self.own(own)

    def latest(self, *, section: str | None = None, limit: int | None = None, before: Cursor | None = None) -> Listing:
        """The newest items, of the site or of one section (its name); `before` continues behind that place.

        `limit` None: as many as the feeds hold; 0: all.
        """
        return self.newest_of(Scope(section=section), limit=limit, before=before)

    def newest_of(self, scope: Scope, *, limit: int | None = None, before: Cursor | None = None) -> Listing:
        """The newest items of a scope: as `latest`, for pages that show a part of it.

        Those of the site leave out what only sources with `in_latest = false` carry.
        """
        scope = replace(scope, in_latest=scope.section is None)
        listing = Listing(
            kind="latest",
            title=titles.within(self._say.gettext("Latest"), scope.section),
            description=self._say.gettext(titles.LATEST),
            path=_path(scope.section, "latest"),
            page=f"/section/{slugify(scope.section)}" if scope.section else "/latest",
            places=(),
        )
        return self._part(listing, scope, limit=limit, before=before)

    def newest(self) -> Item | None:
        """The item that was published last; None while there is none."""

        def read() -> Item | None:
            return next(iter(self._store.latest(Scope(), limit=1)), None)

        return self._read.once("newest", read)

    def activity(self, *, since: datetime, now: datetime) -> Activity:
        """What was published since then, counted; of many items at most ten seconds old."""

        def read() -> tuple[Activity, int]:
            activity = self._store.activity(since=since)
            return activity, activity.items

        return self._read.counted("activity", read, now=now, every_s=10)

    def languages(self, *, since: datetime, now: datetime) -> dict[str, int]:
        """How many items there are in each language; of many at most ten minutes old."""

        def read() -> tuple[dict[str, int], int]:
            languages = self._store.languages(since=since)
            return languages, sum(languages.values())

        return self._read.counted("languages", read, now=now, every_s=600)

    def source(self, slug: str, *, now: datetime, limit: int | None = None, before: Cursor | None = None) -> Listing:
        """The newest items of one source. NotFound: there is no such source."""
        health = self.health(slug, now=now)
        listing = Listing(
            kind="latest",
            title=titles.within(self._say.gettext("Latest"), health.ref.name),
            description=self._say.gettext("Items from %(source)s, by the time they were published.")
            % {"source": health.ref.name},
            path=f"/source/{slug}/latest",
            page=f"/source/{slug}",
            places=(),
        )
        return self._part(listing, Scope(source_slug=slug), limit=limit, before=before)

    def health(self, slug: str, *, now: datetime) -> SourceHealth:
        """The source with this slug and how it is doing. NotFound: there is no such source."""
        for health in self._store.sources(now=now, slug=slug):
            return health
        raise NotFound(f"there is no source called {slug!r}")

    def ranking(
        self, window: str | None = None, *, section: str | None = None, language: str = "", whole: bool = False
    ) -> Listing:
        """The most viewed items of a window (None: the default one). NotFound: no such window.

        Of the site, of a section (its name), or of what is in a language (its primary subtag). `whole`: all places that
        are kept, for the page of the ranking; else as many as its feed has.
        """
        window = self.site.window if window is None else window
        if window not in self.site.windows:
            raise NotFound(f"there is no ranking over {window!r}; there are {', '.join(self.site.windows)}")
        size = None if whole else self.site.ranking_size
        key = _key("ranking", window, section, language)
        return self._read.once((key, size), lambda: self._ranking(key, section, size))

    def recommended(self, *, section: str | None = None, language: str = "") -> Listing:
        """What is worth reading now, of the site, of one section (its name) or in one language (its primary subtag)."""
        key = _key("recommended", None, section, language)
        return self._read.once(key, lambda: self._recommended(key, section))

    def computed(self, computed: ItemList | None, *, kind: Kind, path: str) -> Listing:
        """A list that was computed and kept, with its items as they are now; empty if it never was."""
        return Listing(
            kind=kind,
            title=kind.capitalize(),
            description="",
            path=path,
            page=path,
            places=self._kept(computed) if computed else (),
            window=computed.key.window if computed else None,
            since=computed.since if computed else None,
            until=computed.until if computed else None,
            compared_at=computed.compared_at if computed else None,
            basis=computed.basis if computed else None,
        )

    def related(self, item_id: str, *, limit: int | None = None) -> Listing:
        """Items on the same subject as one item, most related first. NotFound: no such item is shown."""
        found = self._store.items([item_id])
        if not found:
            raise NotFound(f"there is no item {item_id!r}")
        item = found[0]
        related = self._store.related(item.id, limit=self.site.related_size if limit is None else limit)
        return Listing(
            kind="related",
            title=self._say.gettext("Related to “%(title)s”") % {"title": item.title},
            description=self._say.gettext(titles.RELATED),
            path=f"/item/{item.id}/related",
            page=f"/item/{item.id}",
            places=tuple(
                Place(item=one.item, score=one.score, tier=one.tier, reasons=_reasons(one.item)) for one in related
            ),
        )

    def own(self, feed: OwnFeed) -> Listing:
        """A feed of the operator's own as it is now; of a digest, what the next one would hold."""
        order, _, window = feed.order.partition(":")
        if order == "ranking":
            listing = self._own_computed(feed, ListKey(order="ranking", window=window, scope="feed", name=feed.name))
        elif order == "recommended":
            listing = self._own_computed(feed, ListKey(order="recommended", scope="feed", name=feed.name))
        else:
            listing = self._own_read(feed)
        only = self._say.gettext("Only items that match %(rule)s.") % {"rule": feed.match}
        restriction = f" {only}" if feed.match else ""
        return replace(listing, title=feed.title, description=listing.description + restriction)

    def _own_computed(self, feed: OwnFeed, key: ListKey) -> Listing:
        computed = self._store.get_list(key)
        listing = self.computed(computed, kind=key.order, path=f"/feeds/{feed.name}")
        if key.window:
            about = titles.about_ranking(key.window, computed, self._say)
        else:
            about = self._say.gettext(titles.RECOMMENDED_OWN)
        return replace(listing, description=about, window=key.window)

    def _own_read(self, feed: OwnFeed) -> Listing:
        if feed.order == "related":
            listing = self.computed(None, kind="related", path=f"/feeds/{feed.name}")
            return replace(listing, description=self._say.gettext(titles.RELATED_OWN), places=self._own.related(feed))
        listing = self.computed(None, kind="latest", path=f"/feeds/{feed.name}")
        return replace(listing, description=self._say.gettext(titles.LATEST), places=self._own.latest(feed))

    def search(
        self, text: str, *, limit: int | None = None, scope: Scope | None = None, before: Cursor | None = None
    ) -> Listing:
        """Items that contain all the words, newest first; `limit` and `before` as of `latest`."""
        query = urlencode({"q": text})
        listing = Listing(
            kind="search",
            title=self._say.gettext("Search: %(words)s") % {"words": text},
            description=self._say.gettext("Items that contain all of: %(words)s. Newest first.") % {"words": text},
            path="/search",
            query=query,
            page=f"/search?{query}",
            places=(),
        )
        size = self.site.items if limit is None else limit
        items = self._store.search(text, limit=size, scope=scope or Scope(), before=before)
        following = write_cursor(cursor_of(items[-1])) if len(items) == size else ""
        return replace(listing, places=_places(items), next=following if limit is not None else "")

    def source_ranking(self, slug: str, *, now: datetime) -> Listing:
        """What readers have opened most of one source in the last 30 days, among its newest items."""
        items = self._store.latest(Scope(source_slug=slug, published_since=now - _SOURCE_REACH), limit=_SOURCE_ITEMS)
        counts = self._store.view_counts(since=now - _SOURCE_REACH, until=now, ids=[item.id for item in items])
        ordered = sorted((item for item in items if item.id in counts), key=lambda item: -counts[item.id])
        listing = self.computed(None, kind="ranking", path=f"/source/{slug}/ranking")
        places = tuple(Place(item=item, views=counts[item.id]) for item in ordered)
        return replace(listing, places=places, window="30d", basis="views")

    def with_coverage(self, listing: Listing) -> Listing:
        """The same list, each place with the newest item of each other source of its story."""
        return replace(listing, places=self._covered(listing.places))

    def covered(self, items: Sequence[Item]) -> tuple[Place, ...]:
        """These items as places, with the newest item of each other source of their stories."""
        return self._covered(_places(list(items)))

    def _covered(self, places: Sequence[Place]) -> tuple[Place, ...]:
        generation = self._store.generation()
        is_fit = self._stories_of == generation and len(self._stories) < _MAX_STORIES
        known = self._stories if is_fit else {}
        missing = list(dict.fromkeys(place.item.story for place in places if place.item.story not in known))
        if missing:
            found = self._store.stories_each(missing)
            known |= dict(zip(missing, found, strict=True))
        self._stories, self._stories_of = known, generation
        return tuple(replace(place, others=_others(place.item, known[place.item.story])) for place in places)

    def reader(self, token: str, name: str = "recommended") -> Listing:
        """A reader's own list; before anything is learnt of them, the site's. NotFound: unknown reader or list."""
        who = self.who(token)
        listing = self.named(name)
        if listing.kind == "recommended":
            key = ListKey(order="recommended", scope="reader", name=token)
            learnt = self.computed(self._store.get_list(key), kind="recommended", path="")
            listing = replace(
                listing,
                title=self._say.gettext("Recommended for %(name)s") % {"name": who.name},
                places=learnt.places or listing.places,
            )
        elif name == "latest":
            order = self._store.get_list(ListKey(order="latest", scope="reader", name=token))
            listing = replace(listing, title=self._say.gettext("Latest for %(name)s") % {"name": who.name}, next="")
            if order is not None and order.places:
                listing = replace(
                    listing, description=self._say.gettext(titles.LATEST_OWN), places=in_order(listing.places, order)
                )
        return replace(listing, path=f"/r/{quote(token)}/{name}", page="/", reader=token, next="")

    def who(self, token: str) -> Reader:
        """The reader with this private address. NotFound: there is none, or no longer."""
        who = next(
            (reader for reader in self._store.readers() if compare_digest(reader.token.encode(), token.encode())), None
        )
        if who is None:
            raise NotFound("there is no reader with this address; `aggregator readers list` shows them")
        return who

    def stories(self) -> Listing:
        """Stories that several publishers carry, the most recently moved first: each by the item that tells it best.

        An entry is a story: it is updated when another report comes, and not new again.
        """
        found = [story for story in self._store.stories(min_sources=2, limit=self.site.items) if story.publishers > 1]
        return Listing(
            kind="stories",
            title=self._say.gettext("Stories"),
            description=self._say.gettext(titles.STORIES),
            path="/feeds/stories",
            page="/feeds/stories",
            places=tuple(
                Place(
                    item=replace(face, published=story.first, updated=story.updated),
                    reasons=(f"{story.publishers} publishers", *dict.fromkeys(one.name for one in story.sources)),
                )
                for story in found
                for face in [max(story.items, key=lambda item: (bool(item.image_url), item.published, item.id))]
            ),
        )

    def story(self, story_id: str) -> Listing:
        """The reports of one story, newest first. NotFound: there is no such story, or no longer under this id."""
        story = self._store.story(story_id)
        if story is None:
            raise NotFound(f"there is no story {story_id!r}")
        return Listing(
            kind="story",
            title=self._say.gettext("Story: %(title)s") % {"title": story.items[-1].title},
            description=self._say.gettext(titles.STORY),
            path=f"/story/{story.id}",
            page=f"/story/{story.id}",
            places=_places(list(reversed(story.items))),
        )

    def with_related(self, listing: Listing) -> Listing:
        """The same list, each item with what is related to it: what the feeds show below each entry."""
        if listing.kind in ("related", "stories", "story", "digest"):
            return listing
        # asked once for each format: the same list is filled in once
        key = ("filled in", listing.path, listing.query, listing.after)
        of, filled = self._read.once(key, lambda: (listing, self._filled_in(listing)))
        return filled if of is listing or of == listing else self._filled_in(listing)

    def _filled_in(self, listing: Listing) -> Listing:
        ids = tuple(place.item.id for place in listing.places)
        found = self._read.once(("related", ids), lambda: self._related_each(ids))
        places = (replace(place, related=related) for place, related in zip(listing.places, found, strict=True))
        return replace(listing, places=tuple(places))

    def _related_each(self, ids: Sequence[str]) -> list[tuple[Item, ...]]:
        found = self._store.related_each(ids, limit=self.site.related_size)
        return [tuple(one.item for one in related if one.tier == "related") for related in found]

    def names(self) -> Iterator[str]:
        """The names of all lists of the site, the operator's own among them (see `named`)."""
        yield from self.section_names()
        yield "stories"
        yield from (feed.name for feed in self.site.feeds)

    def section_names(self) -> Iterator[str]:
        """The names of the lists that every section has."""
        yield from ("latest", "ranking")
        yield from (f"ranking-{window}" for window in self.site.windows)
        yield "recommended"

    def heading(self, name: str, *, section: str | None = None) -> tuple[str, str, str]:
        """(title, path of the feed without suffix, path of the page) of a list (see `named`), without reading it."""
        title = self._section(section)
        path = _path(title, name)
        own = {feed.name: feed.title for feed in self.site.feeds}
        if name == "latest":
            return (
                titles.within(self._say.gettext("Latest"), title),
                path,
                f"/section/{slugify(title)}" if title else "/latest",
            )
        if name == "recommended":
            return titles.within(self._say.gettext("Recommended"), title), path, path
        if name == "ranking" or name.startswith("ranking-"):
            window = name.removeprefix("ranking").removeprefix("-") or self.site.window
            return titles.within(titles.most_viewed(window, self._say), title), path, path
        if name == "stories":
            return self._say.gettext("Stories"), path, path
        return own[name], path, path

    def _part(self, listing: Listing, scope: Scope, *, limit: int | None, before: Cursor | None) -> Listing:
        """The part of a list of the latest that begins behind `before`."""
        size = self.site.items if limit is None else limit
        items = self._store.latest(scope, limit=size, before=before)
        following = write_cursor(cursor_of(items[-1])) if size and len(items) == size else ""
        return replace(listing, places=_places(items), after=write_cursor(before), next=following)

    def _ranking(self, key: ListKey, section: str | None, size: int | None) -> Listing:
        window = key.window or self.site.window
        computed = self._store.get_list(key)
        if computed is not None:
            computed = replace(computed, places=computed.places[:size])
        elif key.scope == "language":
            return _in_language(self.ranking(window, whole=True), key.name, size)
        listing = self.computed(computed, kind="ranking", path=_path(section, f"ranking-{window}"))
        return replace(
            listing,
            title=titles.within(titles.most_viewed(window, self._say), section),
            description=titles.about_ranking(window, computed, self._say),
            window=window,
        )

    def _recommended(self, key: ListKey, section: str | None) -> Listing:
        computed = self._store.get_list(key)
        if computed is None and key.scope == "language":
            return _in_language(self.recommended(), key.name, None)
        listing = self.computed(computed, kind="recommended", path=_path(section, "recommended"))
        return replace(
            listing,
            title=titles.within(self._say.gettext("Recommended"), section),
            description=self._say.gettext(titles.RECOMMENDED),
        )

    def _section(self, slug: str | None) -> str | None:
        if slug is None:
            return None
        name = self.site.section_of(slug)
        if name is None:
            raise NotFound(f"there is no section called {slug!r}")
        return name

    def _kept(self, computed: ItemList) -> tuple[Place, ...]:
        """The places whose items are still shown; an item that two places have been merged into stands once."""
        items = {item.id: item for item in self._store.items([place.item_id for place in computed.places])}
        places: dict[str, Place] = {}
        for listed in computed.places:
            item = items.get(listed.item_id) or items.get(self._store.resolve(listed.item_id) or "")
            if item is not None and item.id not in places:
                places[item.id] = Place(
                    item=item,
                    score=listed.score,
                    views=listed.views,
                    reasons=listed.reasons,
                    rank_before=listed.rank_before,
                )
        return tuple(places.values())


def _key(order: Literal["ranking", "recommended"], window: str | None, section: str | None, language: str) -> ListKey:
    scope: ListScope = "section" if section else "language" if language else "site"
    return ListKey(order=order, window=window, scope=scope, name=section or language)


def is_in(item: Item, language: str) -> bool:
    """Whether an item is in a language (its primary subtag); "" is any."""
    return not language or (item.language or "").partition("-")[0] == language


def _in_language(listing: Listing, language: str, size: int | None) -> Listing:
    """What of a list of the site is in a language: until the language has a list of its own."""
    return replace(listing, places=tuple(place for place in listing.places if is_in(place.item, language))[:size])


def _path(section: str | None, name: str) -> str:
    return f"/section/{slugify(section)}/{name}" if section else f"/feeds/{name}"


def _places(items: list[Item]) -> tuple[Place, ...]:
    return tuple(Place(item=item, reasons=_reasons(item)) for item in items)


def _others(item: Item, story: Story | None) -> tuple[Item, ...]:
    """The newest item of each source of a story that does not carry this item, newest first."""
    carriers = {copy.source.id for copy in item.copies} | {item.source.id}
    newest: dict[int, Item] = {}
    for other in reversed(story.items if story else ()):
        if other.id != item.id and other.source.id not in carriers:
            newest.setdefault(other.source.id, other)
    return tuple(newest.values())


def _reasons(item: Item) -> tuple[str, ...]:
    return (f"{item.sources} sources",) if item.sources > 1 else ()
