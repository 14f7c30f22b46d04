"""A listing as a feed, before it becomes Atom, RSS or JSON: the one place that decides what a feed says.

Pure: the same listing and the same site give the same channel, and so the same bytes, whatever the time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from aggregator.model import Enclosure, Item
from aggregator.model.redact import public_url
from aggregator.publish.listing import Listing, Place
from aggregator.publish.markup import (
    address,
    direction,
    heading,
    language_tag,
    legal,
    link,
    links_block,
    media_type,
    one_line,
    paragraph,
    shorten,
)
from aggregator.publish.markup import without_images as strip_images
from aggregator.publish.site import Site

#: what an empty feed says of its last change: constant, so that its bytes are, and plausible to validators
NEVER = datetime(2026, 1, 1, tzinfo=UTC)
#: RFC 4151 wants a date on which the authority belonged to whoever mints the tag
_TAG_DATE = "2026"
#: why an entry stands in a list, where there is nothing more to say
_WHY: dict[str, tuple[str, ...]] = {
    "latest": ("newest first",),
    "related": ("on the same subject",),
    "search": ("contains all the words",),
}
#: lists whose order says something, and that hold no more than what they show
_ORDERED = ("ranking", "recommended", "related")
#: more links than that no reader shows
_MOST_RELATED = 10
_ICON = "/favicon.svg"


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
    #: names of all sources that carry it
    sources: tuple[str, ...] = ()


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
    entries: tuple[ChannelEntry, ...]
    icon: str
    #: WebSub hub; "" for none
    hub: str = ""
    version: str = ""
    kind: str = "latest"
    window: str | None = None
    basis: str | None = None
    #: it holds all that there is: what is in it no longer has left the list (RFC 5005, 2)
    complete: bool = False
    #: where this part begins and where the next one does; "" for the beginning and for none
    after: str = ""
    next: str = ""

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


def tag(site: Site, specific: str) -> str:
    """A permanent ``tag:`` URI (RFC 4151) under the authority of this site."""
    parts = urlsplit(site.url)
    host = parts.hostname or "localhost"
    authority = host if ":" not in host else "localhost"
    port = f"{parts.port}/" if parts.port else ""
    prefix = parts.path.strip("/")
    return address(f"tag:{authority},{_TAG_DATE}:{port}{prefix + '/' if prefix else ''}{specific}")


def entry_id(site: Site, listing: Listing, item: Item) -> str:
    """The entry's permanent id.

    Readers key entries by id across feeds, so an id of the item alone stands in feeds that announce items, and an id
    of list and item in feeds that rank them: subscribing to both keeps an item in both.
    """
    if listing.kind in ("latest", "search"):
        return tag(site, f"item/{item.id}")
    return tag(site, f"{listing.path.strip('/')}/item/{item.id}")


def entry_url(site: Site, item: Item, *, reader: str = "") -> str:
    """Where a click on the entry leads: counted and on to the original, to its page here, or straight away."""
    token = f"?r={reader}" if reader else ""
    if site.entry_link == "source" and item.url and not reader:
        return address(item.url)
    if site.entry_link == "go" and item.url:
        return site.go(item.id) + token
    return site.page(item.id) + token


def compose(listing: Listing, site: Site) -> Channel:
    """The feed of a listing."""
    return Channel(
        id=tag(site, listing.path.strip("/") + (f"?{listing.query}" if listing.query else "")),
        title=heading(f"{listing.title} – {site.title}"),
        description=heading(listing.description, otherwise=heading(listing.title)),
        address=site.url + address(listing.path),
        query=listing.query,
        page=site.url + address(listing.page),
        language=site.language,
        updated=_second(listing.updated or NEVER),
        entries=tuple(_entry(place, rank, listing, site) for rank, place in enumerate(listing.places, start=1)),
        icon=site.url + _ICON,
        hub=_hub(site) if is_topic(listing) else "",
        version=site.version,
        kind=listing.kind,
        window=listing.window,
        basis=listing.basis,
        complete=listing.kind in _ORDERED,
        after=listing.after,
        next=listing.next,
    )


def is_topic(listing: Listing) -> bool:
    """Whether the hub is told of its changes; `hub.topics` says why the others are not."""
    return listing.path.startswith(("/feeds/", "/section/", "/source/")) and not listing.after


def _hub(site: Site) -> str:
    return f"{site.url}/hub" if site.hub == "self" else site.hub


def _second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _entry(place: Place, rank: int, listing: Listing, site: Site) -> ChannelEntry:
    item, place = place.item, replace(place, reasons=place.reasons or _WHY.get(listing.kind, ()))
    others = place.related[:_MOST_RELATED]
    related = tuple((entry_url(site, other, reader=listing.reader), heading(other.title)) for other in others)
    return ChannelEntry(
        id=entry_id(site, listing, item),
        title=heading(item.title),
        url=entry_url(site, item, reader=listing.reader),
        original=address(item.url) if item.url else None,
        published=_second(item.published),
        updated=_second(max(item.updated, item.published)),
        author=heading(item.author, otherwise="") or None if item.author else None,
        categories=_categories(item),
        language=language_tag(item.language),
        summary=shorten(item.text),
        html=_html(place, site, related),
        origin=_origin(item),
        image_url=address(item.image_url) if item.image_url and site.images == "link" else None,
        enclosures=tuple(map(_enclosure, item.enclosures)),
        related=related,
        item_id=item.id,
        story=item.story,
        views=place.views,
        rank=rank if listing.kind in _ORDERED else None,
        reasons=tuple(map(heading, place.reasons)),
        sources=tuple(dict.fromkeys(heading(copy.source.name) for copy in item.copies)),
    )


def _enclosure(enclosure: Enclosure) -> Enclosure:
    return replace(enclosure, url=address(enclosure.url), type=media_type(enclosure.type))


def _categories(item: Item) -> tuple[str, ...]:
    named = (heading(name, otherwise="") for name in (item.section, *item.categories))
    return tuple(dict.fromkeys(name for name in named if name))


def _origin(item: Item) -> Origin:
    source = item.source
    return Origin(
        name=heading(source.name),
        feed=address(public_url(source.url)),
        home=address(source.home) if source.home else None,
        updated=_second(item.updated),
    )


def _html(place: Place, site: Site, related: tuple[tuple[str, str], ...]) -> str:
    """The body, why it is listed, who else carries it, and what is related: for readers that show no links."""
    item = place.item
    body = _body(item, site)
    if direction(item.language) == "rtl":
        body = f'<div dir="rtl">{body}</div>'
    return body + _footer(place, site) + links_block("Related", related)


def _body(item: Item, site: Site) -> str:
    full = site.content == "full" or item.full_text
    html = legal((item.content_html if full else "") or item.summary_html)
    if site.images == "none":
        html = strip_images(html)
    return html.strip() or paragraph(shorten(item.text, 600))


def _footer(place: Place, site: Site) -> str:
    item = place.item
    parts = [one_line(item.source.name)]
    parts += [reason for reason in map(one_line, place.reasons) if reason not in parts]
    line = paragraph(" · ".join(parts))
    others = {copy.source.name: copy.url for copy in item.copies if copy.source.id != item.source.id and copy.url}
    also = ", ".join(link(url, name) for name, url in sorted(others.items()))
    here = link(site.page(item.id), f"At {site.title}: who else carries it, what is related")
    return line + (f"<p>Also at: {also}</p>" if also else "") + f"<p>{here}</p>"
