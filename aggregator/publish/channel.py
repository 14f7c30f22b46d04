"""A listing as a feed, independent of Atom, RSS or JSON: decides the content of every feed.

Pure: the same listing and the same site give the same channel, and so the same bytes, whatever the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from html import escape
from urllib.parse import urlsplit

from aggregator.model import Enclosure, Item
from aggregator.model.redact import public_url
from aggregator.publish.listing import Listing, Place
from aggregator.publish.markup import (
    address,
    direction,
    heading,
    inert,
    language_tag,
    legal,
    link,
    links_block,
    media_type,
    one_line,
    paragraph,
    shorten,
    text_as_html,
    web_address,
)
from aggregator.publish.markup import without_images as strip_images
from aggregator.publish.messages import messages
from aggregator.publish.render_cache import RenderCache, same_but_counts
from aggregator.publish.site import Site
from aggregator.publish.titles import reason

__all__ = [
    "NEVER",
    "Channel",
    "ChannelEntry",
    "Origin",
    "authority",
    "compose",
    "entry_id",
    "entry_url",
    "is_topic",
    "tag",
]

#: what an empty feed says of its last change: constant, so that its bytes are, and plausible to validators
NEVER = datetime(2026, 1, 1, tzinfo=UTC)
_ICON = "/favicon.svg"
_MAIL = re.compile(r"(?:mailto:)?([\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+)", re.ASCII | re.IGNORECASE)


def compose(listing: Listing, site: Site, cache: RenderCache | None = None) -> Channel:
    """The feed of a listing. `cache`: what has been rendered for other lists."""
    known = RenderCache() if cache is None else cache
    return Channel(
        id=tag(site, listing.path.strip("/") + (f"?{listing.query}" if listing.query else "")),
        title=heading(f"{listing.title} – {site.title}"),
        description=heading(listing.description, otherwise=heading(listing.title)),
        address=site.url + address(listing.path),
        query=listing.query,
        page=site.url + address(listing.page),
        language=site.language,
        updated=second(listing.updated or NEVER),
        slots=tuple(_slot(place, rank, listing, site, known) for rank, place in enumerate(listing.places, start=1)),
        icon=site.url + _ICON,
        hub=_hub(site) if is_topic(listing) else "",
        version=site.version,
        contact_mail=_mail(site.contact),
        kind=listing.kind,
        window=listing.window,
        basis=listing.basis,
        complete=listing.kind in ORDERED,
        after=listing.after,
        next=listing.next,
    )


def _mail(contact: str) -> str:
    """The e-mail address that somebody is reached at; "" for an address of another kind."""
    found = _MAIL.fullmatch(contact.strip())
    return found[1] if found else ""


def is_topic(listing: Listing) -> bool:
    """Whether the hub is told of its changes; `hub.topics` says why the others are not."""
    return listing.path.startswith(("/feeds/", "/section/", "/source/")) and not listing.after


def _hub(site: Site) -> str:
    return f"{site.url}/hub" if site.hub == "self" else site.hub


#: RFC 4151 wants a date on which the authority belonged to whoever mints the tag
_TAG_DATE = "2026"
#: why an entry stands in a list, where there is nothing more to say
_WHY: dict[str, tuple[str, ...]] = {
    "latest": ("newest first",),
    "related": ("on the same subject",),
    "story": ("a report of the story",),
    "more": ("alike, if not on the same subject",),
    "search": ("contains all the words",),
}
#: lists whose order says something, and that hold no more than what they show
ORDERED = ("ranking", "recommended", "related")
#: lists whose entries are told apart from those of their items in other feeds
_SCOPED = (*ORDERED, "story", "stories")
#: more links than that no reader shows
_MAX_RELATED = 10


def tag(site: Site, specific: str) -> str:
    """A permanent ``tag:`` URI (RFC 4151) under the authority of this site, which a move does not change."""
    return address((site.id or authority(site.url)) + specific)


@lru_cache(maxsize=8)
def authority(url: str) -> str:
    """With what the ids of a site begin that is first reached at this address: ``tag:host,2026:port/path/``."""
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    name = host if ":" not in host else "localhost"
    port = f"{parts.port}/" if parts.port else ""
    prefix = parts.path.strip("/")
    return f"tag:{name},{_TAG_DATE}:{port}{prefix + '/' if prefix else ''}"


def entry_id(site: Site, listing: Listing, item: Item) -> str:
    """The entry's permanent id.

    Readers key entries by id across feeds, so an id of the item alone stands in feeds that announce items, and an id
    of list and item in feeds that rank them: subscribing to both keeps an item in both.
    """
    if listing.kind in ("latest", "search"):
        return tag(site, f"item/{item.id}")
    if listing.kind == "stories":
        return tag(site, f"story/{item.story}")
    return tag(site, f"{listing.path.strip('/')}/item/{item.id}")


def entry_url(site: Site, item: Item, *, reader: str = "") -> str:
    """Where a click on the entry leads: counted and on to the original, to its page here, or straight away."""
    token = f"?r={reader}" if reader else ""
    original = web_address(item.url)
    if site.entry_link == "source" and original and not reader:
        return original
    if site.entry_link == "go" and original:
        return site.go(item.id) + token
    return site.page(item.id) + token


def second(moment: datetime) -> datetime:
    """The moment as feeds tell it."""
    return moment.astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What is said of an item wherever it stands: an entry without a place, and its body without what is related."""

    entry: ChannelEntry
    body: str


@dataclass(frozen=True, slots=True, eq=False)
class _Stamp:
    """All that an entry is made of. Equal stamps give equal entries."""

    item: Item
    place: Place
    rank: int | None
    site: Site

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Stamp):
            return NotImplemented
        mine, theirs = self.place, other.place
        return (
            (self.site is other.site or self.site == other.site)
            and (self.rank, mine.views, mine.tier) == (other.rank, theirs.views, theirs.tier)
            and len(mine.related) == len(theirs.related)
            and all(map(_is_linked_alike, mine.related, theirs.related))
            and same_but_counts(self.item, other.item)
        )

    __hash__ = None  # type: ignore[assignment]


def _is_linked_alike(one: Item, other: Item) -> bool:
    return one is other or (one.id, one.title, one.url) == (other.id, other.title, other.url)


def _slot(place: Place, rank: int, listing: Listing, site: Site, cache: RenderCache) -> Slot:
    """An item in its place."""
    scope = listing.path if listing.kind in _SCOPED else ""
    return Slot(
        key=(scope, place.item.id, listing.kind, listing.reader, place.reasons),
        stamp=_Stamp(place.item, place, rank if listing.kind in ORDERED else None, site),
        make=lambda: _entry(place, rank, listing, site, cache),
    )


def _entry(place: Place, rank: int, listing: Listing, site: Site, cache: RenderCache) -> ChannelEntry:
    """The entry of an item in its place; `cache`: what has been rendered for other lists.

    Its body says only what lasts: readers that compare contents would show every entry of a ranking as modified
    whenever somebody opens one.
    """
    item = place.item
    told = cache.get(
        ("told", item.id), (item, site), lambda: _told(item, site), size=partial(_told_size, item), same=_tells_the_same
    )
    related = tuple(
        (entry_url(site, other, reader=listing.reader), heading(other.title)) for other in place.related[:_MAX_RELATED]
    )
    tier = (place.tier,) if listing.kind == "related" else ()
    say, told_as = messages(site.language), tier[0] if tier else listing.kind
    made: ChannelEntry = replace(
        told.entry,
        id=entry_id(site, listing, item),
        url=f"{site.url}/story/{item.story}"
        if listing.kind == "stories"
        else entry_url(site, item, reader=listing.reader),
        html=told.body + links_block(say.gettext("Related"), related),
        related=related,
        views=place.views,
        rank=rank if listing.kind in ORDERED else None,
        categories=(*told.entry.categories, *(name for name in tier if name not in told.entry.categories)),
        tier=tier[0] if tier else None,
        reasons=tuple(heading(reason(one, say)) for one in place.reasons or _WHY.get(told_as, ())),
    )
    return made


def _told_size(item: Item, told: _Told) -> int:
    """What is kept alive with it: the item as well."""
    return len(told.body) + len(item.content_html) + len(item.summary_html) + 2 * len(item.text) + 1_000


def _tells_the_same(known: tuple[Item, Site], asked: tuple[Item, Site]) -> bool:
    (one, under), (other, site) = known, asked
    return (under is site or under == site) and same_but_counts(one, other)


def _told(item: Item, site: Site) -> _Told:
    entry = ChannelEntry(
        id="",
        title=heading(item.title),
        url="",
        original=web_address(item.url),
        published=second(item.published),
        updated=second(max(item.updated, item.published)),
        author=heading(item.author, otherwise="") or None if item.author else None,
        categories=_categories(item),
        language=language_tag(item.language),
        summary=inert(shorten(item.text)),
        html="",
        origin=origin_of(item),
        image_url=web_address(item.image_url) if site.images == "link" else None,
        enclosures=tuple(filter(None, map(_enclosure, item.enclosures))),
        item_id=item.id,
        story=item.story,
        sources=tuple(dict.fromkeys(heading(copy.source.name) for copy in item.copies)),
    )
    return _Told(entry=entry, body=_body(item, site) + paragraph(one_line(item.source.name)) + _tail(item, site))


def _enclosure(enclosure: Enclosure) -> Enclosure | None:
    url = web_address(enclosure.url)
    return replace(enclosure, url=url, type=media_type(enclosure.type, url)) if url else None


def _categories(item: Item) -> tuple[str, ...]:
    named = (heading(name, otherwise="") for name in (*item.sections, *item.categories))
    return tuple(dict.fromkeys(name for name in named if name))


def origin_of(item: Item) -> Origin:
    """The source that an item is shown from."""
    source = item.source
    return Origin(
        name=heading(source.name),
        feed=address(public_url(source.url)),
        home=web_address(source.home),
        updated=second(item.updated),
    )


def _body(item: Item, site: Site) -> str:
    full = site.content == "full" or item.full_text
    html = legal((item.content_html if full else "") or item.summary_html)
    if site.images == "none":
        html = strip_images(html)
    body = html.strip() or text_as_html(item.text)
    return f'<div dir="rtl">{body}</div>' if direction(item.language) == "rtl" else body


def _tail(item: Item, site: Site) -> str:
    copies = ((copy.source.name, web_address(copy.url)) for copy in item.copies if copy.source.id != item.source.id)
    others = {name: url for name, url in copies if url}
    also = ", ".join(link(url, name) for name, url in sorted(others.items()))
    say = messages(site.language)
    told = say.gettext("At %(site)s: who else carries it, what is related") % {"site": site.title}
    here = f"<p>{link(site.page(item.id), told)}</p>"
    return (f"<p>{escape(say.gettext('Also at:'))} {also}</p>" if also else "") + here


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an entry came from (``atom:source``, RSS ``source``)."""

    name: str
    #: the feed it came from
    feed: str
    home: str | None
    updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelEntry:
    """One entry, in the words that all three formats share."""

    id: str
    title: str
    #: where a reader's click leads
    url: str
    #: the article at its publisher; None where no source has a safe link
    original: str | None
    published: datetime
    updated: datetime
    author: str | None
    categories: tuple[str, ...]
    language: str | None
    #: plain text
    summary: str
    #: sanitised HTML
    html: str
    origin: Origin | None = None
    image_url: str | None = None
    enclosures: tuple[Enclosure, ...] = ()
    #: (address, title)
    related: tuple[tuple[str, str], ...] = ()
    item_id: str | None = None
    story: str | None = None
    views: int | None = None
    #: its place from 1, in feeds whose order means something
    rank: int | None = None
    reasons: tuple[str, ...] = ()
    #: of a feed of related items: related | more
    tier: str | None = None
    #: names of all sources that carry it
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """An entry that is made only if it has not been rendered before."""

    #: under which it is kept, with the format
    key: tuple[object, ...]
    #: what is kept is right as long as this is equal
    stamp: object
    make: Callable[[], ChannelEntry]


def slot_of(entry: ChannelEntry) -> Slot:
    """An entry that is made already."""
    return Slot(key=("made", entry.id), stamp=entry, make=lambda: entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One feed, or one part of a long one (RFC 5005, 3); `self_url` gives its address in each format."""

    id: str
    title: str
    description: str
    #: absolute, without suffix and query
    address: str
    query: str = ""
    #: the web page that shows the same
    page: str
    language: str
    updated: datetime
    slots: tuple[Slot, ...]
    icon: str
    #: WebSub hub; "" for none
    hub: str = ""
    version: str = ""
    #: the e-mail address that the operator is reached at; "" for none
    contact_mail: str = ""
    kind: str = "latest"
    window: str | None = None
    basis: str | None = None
    #: it holds all that there is: what is in it no longer has left the list (RFC 5005, 2)
    complete: bool = False
    #: where this part begins and where the next one does; "" for the beginning and for none
    after: str = ""
    next: str = ""

    @property
    def entries(self) -> tuple[ChannelEntry, ...]:
        """The entries themselves, made now."""
        return tuple(slot.make() for slot in self.slots)

    def self_url(self, suffix: str) -> str:
        """The document's own address in the format that `suffix` (atom, rss, json) names."""
        return self._url(suffix, self.after)

    def first_url(self, suffix: str) -> str:
        """The address of the feed's beginning."""
        return self._url(suffix, "")

    def next_url(self, suffix: str) -> str | None:
        """The address of the part with the older entries; None if there is none."""
        return self._url(suffix, self.next) if self.next else None

    def _url(self, suffix: str, after: str) -> str:
        query = "&".join(part for part in (self.query, f"before={after}" if after else "") if part)
        return f"{self.address}.{suffix}{'?' if query else ''}{query}"
