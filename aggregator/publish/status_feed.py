"""The health of the sources as a feed: an entry for the state of each source, failing ones first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from aggregator.model import SourceHealth
from aggregator.model.redact import public_url
from aggregator.publish.channel import NEVER, Channel, ChannelEntry, Origin, slot_of, tag
from aggregator.publish.diagnostics import advice
from aggregator.publish.markup import address, heading
from aggregator.publish.site import Site

_WORDS: Final = {
    "failing": "is failing",
    "gone": "is gone",
    "disabled": "is switched off",
    "quiet": "is quiet",
    "new": "has not been polled yet",
    "ok": "is fine",
}
_ADVICE: Final = {
    "failing": "It is tried again at growing intervals. If this lasts, open its address and see what it answers.",
    "gone": "Its publisher says it is gone for good (410). Remove it from config.toml, or find its new address.",
    "disabled": "Set enabled = true in config.toml to follow it again.",
    "quiet": "It answers well and has posted nothing for longer than is usual for it. Nothing needs to be done.",
    "new": "It is polled at its first due time.",
    "ok": "Nothing needs to be done.",
}
_ORDER: Final = tuple(_WORDS)


def status_channel(sources: Sequence[SourceHealth], site: Site) -> Channel:
    """The feed behind ``/feeds/status.atom``. A source that changes its state gives a new entry."""
    ordered = sorted(sources, key=lambda health: (_ORDER.index(health.state), health.ref.slug))
    entries = tuple(_entry(health, site) for health in ordered)
    return Channel(
        id=tag(site, "feeds/status"),
        title=f"Status of the sources – {heading(site.title)}",
        description="How every source of this site is doing: one entry for each state a source is in.",
        address=f"{site.url}/feeds/status",
        page=f"{site.url}/status",
        language="en",
        updated=max((entry.updated for entry in entries), default=NEVER),
        slots=tuple(map(slot_of, entries)),
        icon=f"{site.url}/favicon.svg",
        version=site.version,
        kind="status",
    )


def _since(health: SourceHealth) -> datetime:
    """When the source came into its state, as far as is known: never the time of the last poll, which changes."""
    known = health.error_since if health.state in ("failing", "gone") else health.last_item
    return (known or NEVER).astimezone(UTC).replace(microsecond=0)


def _entry(health: SourceHealth, site: Site) -> ChannelEntry:
    since = _since(health)
    name = heading(health.ref.name)
    stamp = f"/{int(since.timestamp())}" if health.state in ("failing", "gone") else ""
    todo = advice(health.error.code) if health.error else _ADVICE[health.state]
    summary = f"{name} {_WORDS[health.state]}. {_error(health)}{todo}"
    return ChannelEntry(
        id=tag(site, f"status/{health.ref.slug}/{health.state}{stamp}"),
        title=f"{name} {_WORDS[health.state]}",
        url=f"{site.url}/source/{health.ref.slug}",
        original=None,
        published=since,
        updated=since,
        author=None,
        categories=(health.state, heading(health.subscription.section)),
        language="en",
        summary=summary,
        html=f"<p>{escape(summary)}</p><p>{escape(public_url(health.ref.url))}</p>",
        origin=Origin(
            name=name,
            feed=address(public_url(health.ref.url)),
            home=address(health.ref.home) if health.ref.home else None,
            updated=since,
        ),
    )


def _error(health: SourceHealth) -> str:
    if health.error is None:
        return ""
    return f"{heading(health.error.code)}: {heading(health.error.message).rstrip('.')}. "
