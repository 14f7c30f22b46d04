"""A channel as a document: Atom 1.0 (RFC 4287), RSS 2.0, and JSON Feed 1.1 (jsonfeed.org/version/1.1).

Atom and RSS are made with feedgen, which no other module imports. It makes the head of a document, and each entry once,
whatever the number of lists that hold it; what is kept of an entry is its bytes, which are joined to the head's. What
feedgen 1.0.0 gets wrong is mended here and nowhere else: it drops rel, type and title of an entry's links, asks the
process-wide locale how to write a date, stamps the current time on everything, and one bad entry spoils its feed.

JSON is written by the standard library, with an ``_aggregator`` object for what JSON Feed has no field for;
docs/FEEDS.md describes it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime
from functools import partial
from html import escape
from typing import Any
from zlib import crc32

import feedgen.entry
import feedgen.feed
from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseExtension
from feedgen.feed import FeedGenerator
from feedgen.util import xml_elem
from lxml import etree

from aggregator.errors import RenderError
from aggregator.model import Enclosure
from aggregator.publish.channel import Channel, ChannelEntry, Slot, compose
from aggregator.publish.listing import Listing
from aggregator.publish.render_cache import RenderCache
from aggregator.publish.site import Site

_log = logging.getLogger(__name__)

_ATOM = "http://www.w3.org/2005/Atom"
_DC = "http://purl.org/dc/elements/1.1/"
_MEDIA = "http://search.yahoo.com/mrss/"
_HISTORY = "http://purl.org/syndication/history/1.0"
#: described in docs/FEEDS.md
_OWN = "urn:aggregator:feed:1"
_ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
#: with the prefixes that everybody writes: some readers know elements by them
_NAMESPACES = {"media": _MEDIA, "dc": _DC, "agg": _OWN, "fh": _HISTORY, "itunes": _ITUNES, "content": _CONTENT}
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
#: pictures that podcast players take for a cover
_COVER = re.compile(r"\.(?:jpe?g|png)(?:\?|$)", re.IGNORECASE)
_PROGRAM = "aggregator"

# feedgen's own switches the locale of the whole process for the length of the call, a race with every other thread
feedgen.entry.formatRFC2822 = format_datetime
feedgen.feed.formatRFC2822 = format_datetime


def render_atom(listing: Listing, site: Site) -> bytes:
    """The listing as an Atom 1.0 document; entries that cannot be rendered are left out and logged."""
    return atom(compose(listing, site))


def render_rss(listing: Listing, site: Site) -> bytes:
    """The listing as an RSS 2.0 document; entries that cannot be rendered are left out and logged."""
    return rss(compose(listing, site))


def atom(channel: Channel, cache: RenderCache | None = None) -> bytes:
    """A channel as an Atom 1.0 document. `cache`: what has been rendered for other channels."""
    feed = _generator(channel)
    feed.subtitle(channel.description)
    feed.icon(channel.icon)
    _feed_links(feed, channel, "atom", "application/atom+xml")
    return _joined(bytes(feed.atom_str()), b"</feed>", _entries(channel, _AtomEntry, cache), channel)


def rss(channel: Channel, cache: RenderCache | None = None) -> bytes:
    """A channel as an RSS 2.0 document; `cache` as for `atom`."""
    feed = _generator(channel)
    feed.description(channel.description)
    feed.docs("https://www.rssboard.org/rss-specification")
    _feed_links(feed, channel, "rss", "application/rss+xml")
    return _joined(bytes(feed.rss_str()), b"</channel>", _entries(channel, _RssEntry, cache), channel)


def _generator(channel: Channel) -> Any:
    feed = FeedGenerator()
    feed.register_extension("own", _FeedExtension)
    feed.own.channel = channel
    feed.id(channel.id)
    feed.title(channel.title)
    feed.author({"name": channel.title.rpartition(" – ")[2]})
    feed.language(channel.language)
    feed.updated(channel.updated)
    feed.generator(_PROGRAM, version=channel.version or None)
    return feed


def _feed_links(feed: Any, channel: Channel, suffix: str, media_type: str) -> None:
    feed.link(href=channel.self_url(suffix), rel="self", type=media_type)
    for relation, href in _parts(channel, suffix):
        feed.link(href=href, rel=relation, type=media_type)
    if channel.hub:
        feed.link(href=channel.hub, rel="hub")
    # the last link is the one that RSS shows
    feed.link(href=channel.page, rel="alternate", type="text/html")


def _parts(channel: Channel, suffix: str) -> Iterable[tuple[str, str]]:
    """The relations of a paged feed (RFC 5005, 3); none for what stands on one page."""
    following = channel.next_url(suffix)
    if following or channel.after:
        yield "first", channel.first_url(suffix)
    if following:
        yield "next", following


class _FeedExtension(BaseExtension):  # type: ignore[misc]  # feedgen ships no types
    """What feedgen has no words for at the level of the feed."""

    channel: Channel

    def extend_ns(self) -> dict[str, str]:
        return dict(_NAMESPACES)

    def extend_atom(self, feed: Any) -> Any:
        return self._own(feed)

    def extend_rss(self, feed: Any) -> Any:
        channel = feed[0]
        for relation, href in _parts(self.channel, "rss"):
            xml_elem(f"{{{_ATOM}}}link", channel, href=href, rel=relation, type="application/rss+xml")
        if self.channel.hub:
            xml_elem(f"{{{_ATOM}}}link", channel, href=self.channel.hub, rel="hub")
        return self._own(channel)

    def _own(self, parent: Any) -> Any:
        if self.channel.complete:
            xml_elem(f"{{{_HISTORY}}}complete", parent)
        if self.channel.window:
            xml_elem(f"{{{_OWN}}}window", parent).text = self.channel.window
        if self.channel.basis:
            xml_elem(f"{{{_OWN}}}basis", parent).text = self.channel.basis
        return parent


class _Entry(FeedEntry):  # type: ignore[misc]  # feedgen ships no types
    """What Atom entries and RSS items share."""

    def __init__(self, value: ChannelEntry) -> None:
        super().__init__()
        self.value = value

    def render(self) -> bytes:
        """The element as it stands in a document. RenderError: this entry cannot be published."""
        try:
            self._fill()
            # below an element that declares them, an entry declares no namespaces of its own
            parent = etree.Element("parent", nsmap=_NAMESPACES)
            parent.append(self._build())
            return _within(parent)
        except (ValueError, TypeError) as error:  # feedgen's and lxml's words for text that cannot be XML
            raise RenderError(f"entry {self.value.id}: {error}") from error

    def _fill(self) -> None:
        value = self.value
        self.id(value.id)
        self.title(value.title)
        self.published(value.published)
        self.updated(value.updated)
        for name in value.categories:
            self.category(term=name)
        if value.summary:
            # plain text that looks like HTML stays plain text: both formats are told that this is HTML
            self.summary(escape(value.summary, quote=False), type="html")
        self.content(value.html or value.summary or value.title, type="html")

    def _build(self) -> Any:
        raise NotImplementedError

    def _extras(self, element: Any) -> None:
        if self.value.image_url:
            xml_elem(f"{{{_MEDIA}}}thumbnail", element, url=self.value.image_url)
        if self.value.rank is not None:
            xml_elem(f"{{{_OWN}}}rank", element).text = str(self.value.rank)
        if self.value.views is not None:
            xml_elem(f"{{{_OWN}}}views", element).text = str(self.value.views)
        for name in self.value.sources:
            xml_elem(f"{{{_OWN}}}source", element).text = name
        for reason in self.value.reasons:
            xml_elem(f"{{{_OWN}}}reason", element).text = reason
        _podcast(element, self.value)


class _AtomEntry(_Entry):
    def _build(self) -> Any:
        value = self.value
        if value.author:
            self.author(name=value.author)
        self.updated(_told_apart(value))
        element = super().atom_entry()
        if value.language:
            element.set(_LANG, value.language)
        for attributes in _links(value):
            xml_elem("link", element, **attributes)
        _atom_source(element, value)
        self._extras(element)
        return element


class _RssEntry(_Entry):
    def _build(self) -> Any:
        value = self.value
        self.link(href=value.url)
        for enclosure in value.enclosures[:1]:
            self.enclosure(enclosure.url, enclosure.size_bytes or 0, enclosure.type)
        if value.origin:
            self.source(value.origin.feed, value.origin.name)
        element = super().rss_entry()
        if value.author:
            xml_elem(f"{{{_DC}}}creator", element).text = value.author
        for enclosure in value.enclosures[1:]:  # RSS has room for one
            xml_elem(f"{{{_MEDIA}}}content", element, **_media_attributes(enclosure))
        self._extras(element)
        return element


def _told_apart(value: ChannelEntry) -> datetime:
    """When it was last changed, with a fraction of a second made of its id.

    Sources publish many entries in one second, and say no more: entries with one time look like made by a machine to
    validators and to readers that sort by it. The fraction stays, whatever stands beside it.
    """
    return value.updated.replace(microsecond=crc32(value.id.encode()) % 1_000_000)


def _links(value: ChannelEntry) -> Iterable[dict[str, str]]:
    """The entry's links as attributes: where to go, where it is from, its media, and what is related."""
    yield {"href": value.url, "rel": "alternate", "type": "text/html"}
    if value.original and value.original != value.url:
        yield {"href": value.original, "rel": "via", "type": "text/html"}
    for enclosure in value.enclosures:
        length = {"length": str(enclosure.size_bytes)} if enclosure.size_bytes is not None else {}
        yield {"href": enclosure.url, "rel": "enclosure", "type": enclosure.type, **length}
    for url, title in value.related:
        yield {"href": url, "rel": "related", "type": "text/html", "title": title}


def _atom_source(element: Any, value: ChannelEntry) -> None:
    if not value.origin:
        return
    source = xml_elem("source", element)
    xml_elem("id", source).text = value.origin.feed
    xml_elem("title", source).text = value.origin.name
    xml_elem("updated", source).text = value.origin.updated.isoformat()
    xml_elem("link", source, href=value.origin.feed, rel="self")
    if value.origin.home:
        xml_elem("link", source, href=value.origin.home, rel="alternate", type="text/html")


def _media_attributes(enclosure: Enclosure) -> dict[str, str]:
    size = {"fileSize": str(enclosure.size_bytes)} if enclosure.size_bytes else {}
    duration = {"duration": str(enclosure.duration_s)} if enclosure.duration_s is not None else {}
    return {"url": enclosure.url, "type": enclosure.type, **size, **duration}


def _podcast(element: Any, value: ChannelEntry) -> None:
    """What podcast players want to know: duration, season, episode, cover (itunes namespace)."""
    heard = next((part for part in value.enclosures if part.type.startswith(("audio/", "video/"))), None)
    if heard is None:
        return
    for name, number in (("duration", heard.duration_s), ("season", heard.season), ("episode", heard.episode)):
        if number:  # seasons and episodes are numbered from one
            xml_elem(f"{{{_ITUNES}}}{name}", element).text = str(number)
    if value.image_url and _COVER.search(value.image_url):
        xml_elem(f"{{{_ITUNES}}}image", element, href=value.image_url)


def _joined(head: bytes, end: bytes, entries: Iterable[bytes], channel: Channel) -> bytes:
    """A document without entries, and its entries in front of the tag that ends them."""
    before, _, _ = head.rpartition(end)
    made = b"".join(entries)
    show = _show(channel) if b"<itunes:" in made else b""
    return b"".join((before, show, made, head[len(before) :]))


def _show(channel: Channel) -> bytes:
    """What podcast directories ask of a feed with episodes (itunes namespace); nobody is named without an address."""
    parent = etree.Element("parent", nsmap=_NAMESPACES)
    xml_elem(f"{{{_ITUNES}}}category", parent, text="News")
    xml_elem(f"{{{_ITUNES}}}explicit", parent).text = "false"
    if channel.contact_mail:
        owner = xml_elem(f"{{{_ITUNES}}}owner", parent)
        xml_elem(f"{{{_ITUNES}}}name", owner).text = channel.title.rpartition(" – ")[2]
        xml_elem(f"{{{_ITUNES}}}email", owner).text = channel.contact_mail
    return _within(parent)


def _within(parent: Any) -> bytes:
    """What stands in an element, without the element."""
    written: bytes = etree.tostring(parent, encoding="UTF-8")
    return written[written.index(b">") + 1 : written.rindex(b"</parent>")]


def _entries(channel: Channel, kind: type[_Entry], cache: RenderCache | None) -> Iterable[bytes]:
    """The entries that can be published; the others are named in the log, once for each state."""
    known = RenderCache() if cache is None else cache

    def render(slot: Slot) -> bytes:
        try:
            return kind(slot.make()).render()
        except RenderError as error:
            _log.warning("entry dropped", extra={"why": error})
            return b""

    for slot in channel.slots:
        yield known.get((kind.__name__, slot.key), slot.stamp, partial(render, slot), size=len)


_VERSION = "https://jsonfeed.org/version/1.1"


def render_json(listing: Listing, site: Site) -> bytes:
    """The listing as a JSON Feed 1.1 document."""
    return json_feed(compose(listing, site))


def json_feed(channel: Channel, cache: RenderCache | None = None) -> bytes:
    """A channel as a JSON Feed 1.1 document. `cache`: what has been rendered for other channels.

    A line for each item.
    """
    known = RenderCache() if cache is None else cache
    lines = b",\n".join(_line(slot, known) for slot in channel.slots)
    feed: dict[str, Any] = {
        "version": _VERSION,
        "title": channel.title,
        "home_page_url": channel.page,
        "feed_url": channel.self_url("json"),
        "next_url": channel.next_url("json"),
        "description": channel.description,
        "favicon": channel.icon,
        "language": channel.language,
        "hubs": [{"type": "WebSub", "url": channel.hub}] if channel.hub else None,
        "_aggregator": _present(
            kind=channel.kind, window=channel.window, basis=channel.basis, complete=channel.complete or None
        ),
    }
    head = _dumps(_present(**feed)).removesuffix("}")
    return b'%b, "items": [\n%b\n]}\n' % (head.encode(), lines)


def _line(slot: Slot, known: RenderCache) -> bytes:
    return known.get(("json", slot.key), slot.stamp, lambda: _dumps(_item(slot.make())).encode(), size=len)


def _dumps(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _item(entry: ChannelEntry) -> dict[str, Any]:
    return _present(
        id=entry.id,
        url=entry.url,
        external_url=entry.original if entry.original != entry.url else None,
        title=entry.title,
        content_html=entry.html or entry.summary or entry.title,
        summary=entry.summary or None,
        image=entry.image_url,
        date_published=entry.published.isoformat(),
        date_modified=entry.updated.isoformat(),
        authors=[{"name": entry.author}] if entry.author else None,
        tags=list(entry.categories) or None,
        language=entry.language,
        attachments=_attachments(entry) or None,
        _aggregator=_extension(entry) or None,
    )


def _attachments(entry: ChannelEntry) -> list[dict[str, Any]]:
    return [
        _present(
            url=enclosure.url,
            mime_type=enclosure.type,
            size_in_bytes=enclosure.size_bytes,
            duration_in_seconds=enclosure.duration_s,
        )
        for enclosure in entry.enclosures
    ]


def _extension(entry: ChannelEntry) -> dict[str, Any]:
    return _present(
        rank=entry.rank,
        tier=entry.tier,
        item=entry.item_id,
        story=entry.story,
        views=entry.views,
        reasons=list(entry.reasons) or None,
        season=next((part.season for part in entry.enclosures if part.season is not None), None),
        episode=next((part.episode for part in entry.enclosures if part.episode is not None), None),
        sources=list(entry.sources) or None,
        source=_present(name=entry.origin.name, feed=entry.origin.feed, home=entry.origin.home)
        if entry.origin
        else None,
        related=[{"url": url, "title": title} for url, title in entry.related] or None,
    )


def _present(**members: Any) -> dict[str, Any]:
    """The members that have a value: JSON Feed leaves out what is not known."""
    return {name: value for name, value in members.items() if value is not None}
