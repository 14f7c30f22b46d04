"""The Google Reader API for feed readers that synchronise: reading, read state and stars.

There is no official description; this follows what FreshRSS, Miniflux and The Old Reader answer, and what their clients
ask. A user is a reader of `aggregator readers`, the password is the token. Subscriptions are the lists of this site.

Blocks while it reads the store; may be used from any thread. Methods give what is to be sent as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

from aggregator.errors import NotFound
from aggregator.model import Item, ItemState, Reader
from aggregator.publish.channel import ChannelEntry, compose
from aggregator.publish.listing import Listing, Place
from aggregator.publish.markup import address, direction, heading, web_address
from aggregator.publish.pages import feed_links
from aggregator.publish.rendering import Rendering

READING_LIST: Final = "user/-/state/com.google/reading-list"
STARRED: Final = "user/-/state/com.google/starred"
READ: Final = "user/-/state/com.google/read"
_LABEL: Final = "user/-/label/"
_ITEM: Final = "tag:google.com,2005:reader/item/"
_ID_LENGTH: Final = 13
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_MAX_ITEMS: Final = 1_000
#: so many marked at once were read one by one, and tell of interest; more are swept away
_MAX_OPENED: Final = 5
_NOT_ITEMS: Final = frozenset({"/feeds/status", "/feeds/stories"})
_NO_STATE: Final = ItemState(read=False, starred=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRequest:
    """Which part of a stream is wanted."""

    count: int = 20
    #: how many have been given
    offset: int = 0
    without_read: bool = False
    oldest_first: bool = False
    #: first seen at or after, before
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class GoogleReader:
    """What one reader is told. NotFound for streams that do not exist."""

    rendering: Rendering
    who: Reader

    def user_info(self) -> dict[str, str]:
        """``user-info``."""
        name = self.who.name
        return {"userId": name, "userName": name, "userProfileId": name, "userEmail": ""}

    def subscriptions(self) -> dict[str, Any]:
        """``subscription/list``: the lists of the site, in a folder for each section."""
        site = self.rendering.site
        return {
            "subscriptions": [
                {
                    "id": f"feed{address(feed.path)}",
                    "title": heading(f"{feed.title} · {group.title}"),
                    "categories": [{"id": _LABEL + heading(group.title), "label": heading(group.title)}],
                    "url": f"{site.url}{address(feed.path)}.{site.formats[0]}",
                    "htmlUrl": site.url + address(feed.page),
                    "iconUrl": f"{site.url}/favicon.svg",
                }
                for group, feed in self._feeds()
            ]
        }

    def tags(self) -> dict[str, Any]:
        """``tag/list``: the star, and the folders."""
        labels = dict.fromkeys(heading(group.title) for group, _ in self._feeds())
        return {"tags": [{"id": STARRED}, *({"id": _LABEL + label, "type": "folder"} for label in labels)]}

    def unread_counts(self) -> dict[str, Any]:
        """``unread-count``: of each list, and of all together."""
        counted = {READING_LIST: self._items(READING_LIST)}
        counted |= {f"feed{address(feed.path)}": self._items(f"feed{feed.path}") for _, feed in self._feeds()}
        states = self._states({item.id for items in counted.values() for item in items})
        rows = []
        for stream, items in counted.items():
            unread = [item for item in items if not states.get(item.id, _NO_STATE).read]
            newest = max((item.first_seen for item in unread), default=None)
            rows.append(
                {"id": stream, "count": len(unread), "newestItemTimestampUsec": _usec(newest) if newest else "0"}
            )
        return {"max": _MAX_ITEMS, "unreadcounts": rows}

    def item_ids(self, stream: str, wanted: StreamRequest) -> dict[str, Any]:
        """``stream/items/ids``."""
        items, following = self._part(stream, wanted)
        refs = [
            {"id": str(_number(item.id)), "directStreamIds": [], "timestampUsec": _usec(item.first_seen)}
            for item in items
        ]
        return {"itemRefs": refs, **following}

    def contents(self, stream: str, wanted: StreamRequest) -> dict[str, Any]:
        """``stream/contents``."""
        items, following = self._part(stream, wanted)
        return {**self._contents(stream, items), **following}

    def contents_of(self, ids: Sequence[str]) -> dict[str, Any]:
        """``stream/items/contents``: these items, in their order; unknown ones are left out."""
        known = [item_id for item_id in map(read_item_id, ids[:_MAX_ITEMS]) if item_id]
        return self._contents(READING_LIST, self.rendering.store.items(known))

    def atom(self, stream: str, wanted: StreamRequest) -> bytes:
        """``reader/atom``: the stream as a feed."""
        items, _ = self._part(stream, wanted)
        return self.rendering.feed(self._listing(items), "atom").body

    def edit(self, ids: Sequence[str], *, add: Iterable[str], remove: Iterable[str], now: datetime) -> int:
        """``edit-tag``: reads or stars items, or takes that back; how many. Both teach the reader's own feed."""
        added, removed = set(map(_plain, add)), set(map(_plain, remove))
        known = [item_id for item_id in map(read_item_id, ids[:_MAX_ITEMS]) if item_id]
        store, token = self.rendering.store, self.who.token
        read, starred = (True if tag in added else False if tag in removed else None for tag in (READ, STARRED))
        count = store.mark_items(token, known, read=read, starred=starred, now=now)
        if starred or (read and len(known) <= _MAX_OPENED):
            for item_id in known:
                store.record_opened(token, item_id, now=now)
        return count

    def mark_all_read(self, stream: str, *, until: datetime | None, now: datetime) -> int:
        """``mark-all-as-read``: what the stream holds that was first seen by then; how many."""
        ids = [item.id for item in self._items(stream) if until is None or item.first_seen <= until]
        return self.rendering.store.mark_items(self.who.token, ids, read=True, now=now)

    def _feeds(self) -> Iterator[tuple[feed_links.FeedGroup, feed_links.FeedLink]]:
        rendering = self.rendering
        for group in feed_links.groups(rendering.site, rendering.pages.words, ()):
            yield from ((group, feed) for feed in group.feeds if feed.path not in _NOT_ITEMS)

    def _items(self, stream: str) -> list[Item]:
        """All that a stream holds, in the order of its list."""
        plain, lists, store = _plain(stream), self.rendering.lists, self.rendering.store
        if plain == READING_LIST:
            return _of(lists.reader(self.who.token, "latest"))
        if plain == STARRED:
            return store.items(store.starred(self.who.token, limit=_MAX_ITEMS))
        if plain.startswith(_LABEL):
            feeds = [feed for group, feed in self._feeds() if heading(group.title) == plain.removeprefix(_LABEL)]
            return list({item.id: item for feed in feeds for item in self._items(f"feed{feed.path}")}.values())
        kind, _, name = plain.removeprefix("feed/").rpartition("/")
        section = kind.removeprefix("section/") if kind.startswith("section/") else None
        if not plain.startswith("feed/") or not (kind == "feeds" or section):
            raise NotFound(f"there is no stream {stream!r}")
        if section is None and name in ("latest", "recommended"):
            return _of(lists.reader(self.who.token, name))
        return _of(lists.named(name, section=section))

    def _part(self, stream: str, wanted: StreamRequest) -> tuple[list[Item], dict[str, str]]:
        items = [
            item
            for item in self._items(stream)
            if (wanted.since is None or item.first_seen >= wanted.since)
            and (wanted.until is None or item.first_seen < wanted.until)
        ]
        if wanted.without_read:
            states = self._states({item.id for item in items})
            items = [item for item in items if not states.get(item.id, _NO_STATE).read]
        if wanted.oldest_first:
            items.reverse()
        end = wanted.offset + min(max(wanted.count, 1), _MAX_ITEMS)
        return items[wanted.offset : end], {"continuation": str(end)} if end < len(items) else {}

    def _states(self, ids: Iterable[str]) -> Mapping[str, ItemState]:
        return self.rendering.store.item_states(self.who.token, sorted(ids))

    def _listing(self, items: Sequence[Item]) -> Listing:
        places = tuple(Place(item=item) for item in items)
        return Listing(
            kind="latest",
            title=self.who.name,
            description="",
            path="/greader",
            page="/",
            reader=self.who.token,
            places=places,
        )

    def _contents(self, stream: str, items: Sequence[Item]) -> dict[str, Any]:
        states = self._states(item.id for item in items)
        channel = compose(self._listing(items), self.rendering.site, self.rendering.cache)
        told = [
            _item(item, entry, states.get(item.id, _NO_STATE), stream)
            for item, entry in zip(items, channel.entries, strict=True)
        ]
        updated = max((int(item.first_seen.timestamp()) for item in items), default=0)
        return {"id": stream, "title": self.who.name, "updated": updated, "items": told}


def _item(item: Item, entry: ChannelEntry, state: ItemState, stream: str) -> dict[str, Any]:
    states = [READING_LIST, *([READ] if state.read else []), *([STARRED] if state.starred else [])]
    source = item.source
    return {
        "id": f"{_ITEM}{_number(item.id):016x}",
        "crawlTimeMsec": _usec(item.first_seen)[:-3],
        "timestampUsec": _usec(item.first_seen),
        "published": int(item.published.timestamp()),
        "updated": int(entry.updated.timestamp()),
        "title": entry.title,
        "author": entry.author or "",
        "canonical": [{"href": entry.original or entry.url}],
        "alternate": [{"href": entry.url, "type": "text/html"}],
        "categories": [*states, *(_LABEL + name for name in entry.categories)],
        "origin": {"streamId": stream, "title": heading(source.name), "htmlUrl": web_address(source.home) or ""},
        "summary": {"direction": direction(item.language), "content": entry.html or entry.summary},
        "enclosure": [
            {"href": part.url, "type": part.type, "length": part.size_bytes or 0} for part in entry.enclosures
        ],
    }


def _of(listing: Listing) -> list[Item]:
    return [place.item for place in listing.places]


def _plain(stream: str) -> str:
    """A stream or tag as it is written here: whoever the user is said to be, it is this one."""
    parts = unquote(stream).split("/", 2)
    return f"user/-/{parts[2]}" if parts[0] == "user" and len(parts) == 3 else unquote(stream)


def _number(item_id: str) -> int:
    return int(item_id, 36)


def _usec(moment: datetime) -> str:
    return str(int(moment.astimezone(UTC).timestamp() * 1_000_000))


def read_item_id(text: str) -> str | None:
    """An item's id, from the long form with sixteen hexadecimal digits or the short one, a decimal number."""
    digits, base = (text.removeprefix(_ITEM), 16) if text.startswith(_ITEM) else (text, 10)
    try:
        number = int(digits, base) % (1 << 64)
    except ValueError:
        return None
    letters = ""
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, 36)
        letters = _DIGITS[digit] + letters
    return letters if not number else None
