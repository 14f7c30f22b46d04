"""Small values and a store in memory for the tests of what is published."""

from __future__ import annotations

import tempfile
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from aggregator.errors import StoreUnavailable
from aggregator.model import (
    Activity,
    Copy,
    Curation,
    Enclosure,
    Entry,
    FeedInfo,
    Item,
    ItemList,
    ItemState,
    Listed,
    ListKey,
    ParsedEntry,
    PollResult,
    Push,
    Reader,
    RelatedItem,
    RelatedPair,
    Scope,
    SearchCounts,
    Source,
    SourceHealth,
    SourceRef,
    StoreStats,
    Story,
    StoryJoin,
    Subscription,
    Upstream,
    View,
)
from aggregator.publish.audience import Audience
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages
from aggregator.publish.site import Site
from aggregator.publish.web import Health, Services
from aggregator.store import Store, open_store

EVERYTHING = Scope()
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
READER = "tok3n"
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
}


def source(number: int = 1, name: str = "") -> SourceRef:
    """A source."""
    url = f"https://s{number}.example/feed"
    return SourceRef(
        id=number, slug=f"s{number}", name=name or f"Source {number}", url=url, home=f"https://s{number}.example/"
    )


def make_item(number: int, **changes: Any) -> Item:
    """An item; the higher its number, the newer."""
    published = NOON - timedelta(hours=100 - number)
    ref = changes.pop("source", source(number % 3 + 1))
    url = f"https://s{ref.id}.example/article/{number}"
    copy = Copy(
        source=ref, entry_id=f"e{number}", title=f"Title {number}", url=url, published=published, first_seen=published
    )
    values: dict[str, Any] = {
        "id": f"item{number}",
        "title": f"Title {number}",
        "url": url,
        "source": ref,
        "section": "World" if number % 2 else "Science",
        "author": "A. Writer",
        "published": published,
        "first_seen": published,
        "updated": published,
        "summary_html": f"<p>Summary <b>{number}</b></p>",
        "content_html": f"<p>All of {number}</p>",
        "text": f"Summary {number}",
        "language": "en",
        "categories": ("politics",),
        "image_url": None,
        "enclosures": (),
        "upstream": Upstream(),
        "copies": (copy,),
        "story": f"item{number}",
        "views": 0,
        "likes": 0,
    }
    return Item(**{**values, **changes})


def make_health(ref: SourceRef, **changes: Any) -> SourceHealth:
    """A source that is fine."""
    values: dict[str, Any] = {
        "ref": ref,
        "subscription": Subscription(url=ref.url, section="World"),
        "state": "ok",
        "last_poll": NOON,
        "last_success": NOON,
        "next_poll": NOON + timedelta(hours=1),
        "items_per_day": 3.0,
        "items": 10,
        "last_item": NOON - timedelta(hours=2),
        "http_status": 200,
        "error": None,
        "error_since": None,
        "error_count": 0,
    }
    return SourceHealth(**{**values, **changes})


class MemoryStore:
    """What pages and feeds read, over a handful of values; all else of the contract is that of a real, empty store."""

    def __init__(self, items: Sequence[Item] = ()) -> None:
        self.shown = {item.id: item for item in items}
        self.merged: dict[str, str] = {}
        self.removed: set[str] = set()
        self.values: dict[str, str] = {}
        self.lists: dict[str, ItemList] = {}
        self.related_ids: dict[str, list[str]] = {}
        self.views: list[View] = []
        self.likes: list[tuple[str, bytes]] = []
        self.opened_by: list[tuple[str, str]] = []
        self.number = 1
        self.reads = 0
        self.broken = False
        self.pushed: list[Push] = []
        self.healths = [make_health(source(number)) for number in (1, 2, 3)]

    def store(self) -> Store:
        """Itself, as the store it plays."""
        return cast("Store", self)

    def __getattr__(self, name: str) -> Any:
        # what is added to the contract answers as it does where nothing is stored
        if name.startswith("_") or not hasattr(Store, name):
            raise AttributeError(f"the contract of the store has no {name!r}")
        return getattr(self._empty, name)

    @cached_property
    def _empty(self) -> Store:
        folder = tempfile.TemporaryDirectory(prefix="aggregator-empty-")
        empty = open_store("sqlite:empty.db", base=Path(folder.name))
        weakref.finalize(self, folder.cleanup)  # the last first
        weakref.finalize(self, empty.close)
        return empty

    def generation(self) -> int:
        self._check()
        return self.number

    def resolve(self, item_id: str) -> str | None:
        winner = self.merged.get(item_id, item_id)
        return winner if winner in self.shown or winner in self.removed else None

    def items(self, ids: Sequence[str]) -> list[Item]:
        self._check()
        winners = (self.merged.get(item_id, item_id) for item_id in ids)
        return [self.shown[item_id] for item_id in winners if item_id in self.shown]

    def latest(self, scope: Scope, *, limit: int, before: tuple[datetime, str] | None = None) -> list[Item]:
        self._check()
        found = [item for item in self.shown.values() if scope.section is None or scope.section in item.sections]
        found = [item for item in found if scope.source_slug in (None, item.source.slug)]
        found = [item for item in found if scope.language in (None, (item.language or "").partition("-")[0])]
        found = [item for item in found if scope.published_since is None or item.published >= scope.published_since]
        found.sort(key=lambda item: (item.published, item.id), reverse=True)
        if before:
            found = [item for item in found if (item.published, item.id) < before]
        return found[:limit] if limit else found

    def search(
        self, words: str, *, limit: int, scope: Scope = EVERYTHING, before: tuple[datetime, str] | None = None
    ) -> list[Item]:
        found = self.latest(scope, limit=0, before=before)
        found = [item for item in found if all(word in item.title.lower() for word in words.lower().split())]
        return found[:limit] if limit else found

    def search_titles(self, words: str, *, limit: int, scope: Scope = EVERYTHING) -> list[tuple[str, str]]:
        return [(item.id, item.title) for item in self.search(words, limit=limit, scope=scope)]

    def search_counts(self, words: str, *, scope: Scope = EVERYTHING) -> SearchCounts:
        found = self.search(words, limit=0, scope=scope)
        sections, sources = Counter(item.section for item in found), Counter(item.source.id for item in found)
        return SearchCounts(items=len(found), by_section=sections, by_source=sources)

    def stories(self, *, min_sources: int, limit: int) -> Iterator[Story]:
        found = (self.story(story) for story in {item.story for item in self.shown.values()})
        yield from [one for one in found if one and one.publishers >= min_sources][: limit or None]

    def mint(self, name: str, value: str) -> str:
        return self.values.setdefault(name, value)

    def add_impressions(self, weights: Mapping[str, float], *, at: datetime) -> None:
        pass

    def stories_each(self, stories: Sequence[str]) -> list[Story | None]:
        return [self.story(story) for story in stories]

    def languages(self, *, since: datetime) -> dict[str, int]:
        return dict(Counter((item.language or "").partition("-")[0] for item in self.shown.values()))

    def activity(self, *, since: datetime) -> Activity:
        found = [item for item in self.shown.values() if item.published >= since]
        sections = {name: {item.story for item in found if item.section == name} for name in SITE.sections}
        return Activity(
            items=len(found),
            stories=len({item.story for item in found}),
            stories_by_section={name: len(stories) for name, stories in sections.items()},
            items_by_source=Counter(item.source.id for item in found),
        )

    def views_by_hour(self, item_id: str, *, since: datetime, until: datetime) -> list[int]:
        return [0] * int((until - since) / timedelta(hours=1))

    def views_by_section(self, *, since: datetime, until: datetime) -> dict[str, int]:
        return {}

    def states(self, *, now: datetime) -> Mapping[str, int]:
        return Counter(health.state for health in self.healths)

    def story(self, story: str) -> Story | None:
        items = [item for item in self.shown.values() if item.story == story]
        return Story(id=story, items=tuple(items)) if items else None

    def related(self, item_id: str, *, limit: int) -> list[RelatedItem]:
        ids = self.related_ids.get(item_id, [])[:limit]
        return [RelatedItem(item=self.shown[other], score=0.9 - place / 10) for place, other in enumerate(ids)]

    def related_each(self, ids: Sequence[str], *, limit: int) -> list[list[RelatedItem]]:
        return [self.related(item_id, limit=limit) for item_id in ids]

    def get_list(self, key: ListKey) -> ItemList | None:
        return self.lists.get(str(key))

    def sources(self, *, now: datetime, slug: str | None = None) -> list[SourceHealth]:
        self._check()
        return [health for health in self.healths if slug in (None, health.ref.slug)]

    def pushes(self) -> list[Push]:
        return self.pushed

    def subscribable(self) -> list[Source]:
        return []

    def stats(self) -> StoreStats:
        return StoreStats(sources=3, entries=9, items=9, stories=9, views=0, likes=0, size_bytes=4096, pending=0)

    def readers(self) -> list[Reader]:
        return [Reader(name="anna", token=READER, created=NOON)]

    def record_views(self, views: Sequence[View]) -> None:
        self.views.extend(views)

    def visitors(self, day_start: datetime) -> set[tuple[str, bytes]]:
        return {(view.item_id, view.visitor) for view in self.views if view.at >= day_start}

    def view_counts(self, *, since: datetime, until: datetime, ids: Sequence[str] | None = None) -> Mapping[str, int]:
        return {}

    def like(self, item_id: str, *, visitor: bytes, now: datetime) -> bool:
        if (item_id, visitor) in self.likes:
            return False
        self.likes.append((item_id, visitor))
        item = self.shown[item_id]
        self.shown[item_id] = replace(item, likes=item.likes + 1)
        self.number += 1
        return True

    def item_states(self, token: str, ids: Sequence[str]) -> Mapping[str, ItemState]:
        return {}

    def record_opened(self, token: str, item_id: str, *, now: datetime) -> bool:
        self.opened_by.append((token, item_id))
        return token == READER

    def _check(self) -> None:
        self.reads += 1
        if self.broken:
            raise StoreUnavailable("the disk is full")


SITE = Site(title="The Test", url="http://127.0.0.1:8080", sections=("World", "Science"), version="0.1.0")


def make_services(store: Store, tmp_path: Path, *, site: Site = SITE, **changes: Any) -> Services:
    """Services over a store, with a clock that stands at noon."""
    values: dict[str, Any] = {
        "store": store,
        "site": site,
        "lists": Lists(store, site),
        "pages": Pages(site),
        "audience": Audience(store, state_dir=tmp_path, site_url=site.url),
        "clock": lambda: NOON,
        "health": lambda: Health(live=True, ready=True, checks={"schedule": "ticked 1 s ago"}),
        "freshness": timedelta(0),
    }
    return Services(**{**values, **changes})


def sqlite_store(directory: Path, *, per_source: int = 4) -> Store:
    """A real store: three sources, a few curated items of each in two languages, related pairs, computed lists."""
    store = open_store("sqlite:published.db", base=directory)
    fill(store, per_source=per_source)
    return store


def fill(store: Store, *, per_source: int) -> None:
    """Polls three sources once, curates what came and computes the lists of the site."""
    subscriptions = [
        Subscription(url=f"http://127.0.0.{number}/feed.xml", section=section, name=f"Paper {number}")
        for number, section in ((1, "World"), (2, "World"), (3, "Science"))
    ]
    store.sync_sources(subscriptions, now=NOON)
    for lease in store.claim(now=NOON, limit=10, lease=timedelta(minutes=5)):
        for leased in lease.sources:
            store.complete(lease, poll_result(leased, per_source))
    ids = [text.item_id for text in store.pending(limit=1000)]
    pairs = tuple(RelatedPair(item_id=a, other_id=b, score=0.5) for a, b in pairwise(ids))
    joins = tuple(StoryJoin(item_id=item_id, story=item_id) for item_id in ids)
    store.put_curation(Curation(curated=tuple(ids), joins=joins, related=pairs), now=NOON)
    store.put_lists(computed_lists(ids))


def poll_result(polled: Source, count: int) -> PollResult:
    """What a good first poll of a source brings."""
    entries = tuple(entry(polled, number) for number in range(count))
    info = FeedInfo(title=f"Feed {polled.id}", link="http://127.0.0.1/")
    next_poll = NOON + timedelta(hours=1)
    return PollResult(
        source_id=polled.id, outcome="new", polled_at=NOON, next_poll=next_poll, entries=entries, info=info, status=200
    )


def poll_again(store: Store, *, number: int = 6, edit: str = "Edited") -> None:
    """One source has a new entry and has edited another."""
    later = NOON + timedelta(hours=2)
    [lease] = store.claim(now=later, limit=1, lease=timedelta(minutes=5))
    [polled] = lease.sources
    edited = entry(polled, 0)
    hashed = edit.encode().ljust(32)[:32]
    parsed = replace(edited.parsed, summary_html=f"<p>Lead of it. {edit}</p>", content_hash=hashed)
    edited = replace(edited, parsed=parsed)
    brand_new = replace(entry(polled, number), published=NOON + timedelta(hours=1))
    result = replace(poll_result(polled, 0), entries=(edited, brand_new), polled_at=later)
    assert store.complete(lease, result).new_items == 1


def entry(polled: Source, number: int) -> Entry:
    """One entry; every third is Arabic."""
    arabic = number % 3 == 2
    url = f"http://127.0.0.{polled.id}/article/{number}?a=1&b=2"
    title = f"خبر {polled.id} رقم {number}" if arabic else f"Paper {polled.id} “reports” <{number}> & more"
    published = NOON - timedelta(hours=number, minutes=polled.id)
    sound = Enclosure(url=f"http://127.0.0.{polled.id}/sound-{number}.mp3", type="audio/mpeg", size_bytes=1234)
    parsed = ParsedEntry(
        guid=f"guid-{polled.id}-{number}",
        link=url,
        title=title,
        summary_html=f"<p>Lead of <em>{number}</em></p>",
        text=f"Lead of {number}",
        author="A. Writer",
        published=published,
        language="ar" if arabic else "en",
        enclosures=(sound,) if number == 1 else (),
        content_hash=bytes([number]) * 32,
    )
    return Entry(
        entry_id=f"guid-{polled.id}-{number}", id_basis="guid", parsed=parsed, canonical_url=url, published=published
    )


def computed_lists(ids: Sequence[str]) -> list[ItemList]:
    """The rankings and the recommendation of the site, over these items."""
    keys = [ListKey(order="ranking", window=window) for window in SITE.windows] + [ListKey(order="recommended")]
    return [
        ItemList(
            key=key,
            computed_at=NOON,
            since=NOON - timedelta(days=1),
            until=NOON,
            basis="views",
            places=tuple(
                Listed(item_id=item_id, score=1 / place, views=10 - place, reasons=(f"{10 - place} readers",))
                for place, item_id in enumerate(ids[:8], start=1)
            ),
        )
        for key in keys
    ]
