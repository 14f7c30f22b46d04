"""Who tells us when a source has something new (WebSub): by source, and by hub with what an operator should do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from aggregator.model import Push
from aggregator.publish.pages import phrases

#: the state that says most, where a source has several subscriptions (a renewal beside the one it follows)
_ORDER = ("active", "asked", "resting", "leaving")
REFUSED = (
    "It is asked again, less and less often, and its sources are polled as before. If it never agrees, see that [site]"
    " url is an address at which the hub can reach this site."
)
UNHEARD = (
    "There are sources that name a hub, and none has been asked yet. A hub on the internet can tell nobody whose [site]"
    " url is on a private network."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRow:
    """One hub: how many sources it speaks for, and how many of them it tells us about."""

    name: str
    sources: int
    active: int
    waiting: int
    refused: int
    #: the end of the lease that ends first
    until: datetime | None
    last: str
    advice: str


def by_source(pushes: Iterable[Push]) -> dict[int, Push]:
    """The subscription that says how things stand with each source."""
    ordered = sorted(pushes, key=lambda push: (_ORDER.index(push.state), -push.asked_at.timestamp()))
    found: dict[int, Push] = {}
    for push in ordered:
        found.setdefault(push.source_id, push)
    return found


def in_words(push: Push | None, *, now: datetime) -> str:
    """One sentence about a source; "" where no hub tells of it."""
    if push is None or push.state == "leaving":
        return ""
    hub = host(push.hub)
    if push.state == "asked":
        return f"Push: {hub} has been asked {phrases.ago(push.asked_at, now)} and has not confirmed yet."
    if push.state == "resting":
        again = f", asked again {phrases.ago(push.retry_at, now)}" if push.retry_at and push.retry_at > now else ""
        return f"Push: {hub} would not ({phrases.plural(push.failures, 'time')} in a row){again}; polled as before."
    last = f"last told us {phrases.ago(push.delivered_at, now)}" if push.delivered_at else "has told us nothing lately"
    lease = f", its lease ends {phrases.ago(push.until, now)}" if push.until else ""
    return f"Push: {hub} {last}{lease}."


def hubs(pushes: Iterable[Push], *, now: datetime) -> list[HubRow]:
    """The hubs: those that refuse first, then those that speak for most sources."""
    found: defaultdict[str, list[Push]] = defaultdict(list)
    for push in pushes:
        if push.state != "leaving":
            found[host(push.hub)].append(push)
    rows = [_hub(name, held, now) for name, held in found.items()]
    return sorted(rows, key=lambda row: (-row.refused, -row.sources, row.name))


def _hub(name: str, pushes: Sequence[Push], now: datetime) -> HubRow:
    states = Counter(push.state for push in pushes)
    return HubRow(
        name=name,
        sources=len(pushes),
        active=states["active"],
        waiting=states["asked"],
        refused=states["resting"],
        until=min((push.until for push in pushes if push.state == "active" and push.until), default=None),
        last=phrases.ago(max((push.delivered_at for push in pushes if push.delivered_at), default=None), now),
        advice=REFUSED if states["resting"] else "",
    )


def host(url: str) -> str:
    """The name of a hub; its address may hold a secret."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
