"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/), with an ``_aggregator`` object for what it has no field for.

What the object holds is described in docs/FEEDS.md.
"""

from __future__ import annotations

import json
from typing import Any

from aggregator.publish.channel import Channel, ChannelEntry, Slot, compose
from aggregator.publish.listing import Listing
from aggregator.publish.render_cache import RenderCache
from aggregator.publish.site import Site

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
