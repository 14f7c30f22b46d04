"""A listing as a feed, before it becomes Atom, RSS or JSON: the one place that decides what a feed says.

Pure: the same listing and the same site give the same channel, and so the same bytes, whatever the time.
"""

from __future__ import annotations

from datetime import UTC, datetime

from aggregator.publish.channel.entries import ORDERED, entry, entry_id, entry_url, second, tag
from aggregator.publish.channel.values import Channel, ChannelEntry, Origin
from aggregator.publish.fragments import Fragments
from aggregator.publish.listing import Listing
from aggregator.publish.markup import address, heading
from aggregator.publish.site import Site

__all__ = ["NEVER", "Channel", "ChannelEntry", "Origin", "compose", "entry_id", "entry_url", "is_topic", "tag"]

#: what an empty feed says of its last change: constant, so that its bytes are, and plausible to validators
NEVER = datetime(2026, 1, 1, tzinfo=UTC)
_ICON = "/favicon.svg"


def compose(listing: Listing, site: Site, fragments: Fragments | None = None) -> Channel:
    """The feed of a listing. `fragments`: what has been rendered for other lists."""
    known = Fragments() if fragments is None else fragments
    places = enumerate(listing.places, start=1)
    return Channel(
        id=tag(site, listing.path.strip("/") + (f"?{listing.query}" if listing.query else "")),
        title=heading(f"{listing.title} – {site.title}"),
        description=heading(listing.description, otherwise=heading(listing.title)),
        address=site.url + address(listing.path),
        query=listing.query,
        page=site.url + address(listing.page),
        language=site.language,
        updated=second(listing.updated or NEVER),
        entries=tuple(entry(place, rank, listing, site, known) for rank, place in places),
        icon=site.url + _ICON,
        hub=_hub(site) if is_topic(listing) else "",
        version=site.version,
        kind=listing.kind,
        window=listing.window,
        basis=listing.basis,
        complete=listing.kind in ORDERED,
        after=listing.after,
        next=listing.next,
    )


def is_topic(listing: Listing) -> bool:
    """Whether the hub is told of its changes; `hub.topics` says why the others are not."""
    return listing.path.startswith(("/feeds/", "/section/", "/source/")) and not listing.after


def _hub(site: Site) -> str:
    return f"{site.url}/hub" if site.hub == "self" else site.hub
