"""The operator's own feeds (``[[feeds]]``): which items stand in one, and its digests.

A digest is written once, as HTML and as text, and kept in the store under the name of its feed and its day; whoever
writes it first has issued it. Feeds and messages show what is kept, so that an entry never changes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from html import escape
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo

from aggregator.curate.rules import Match, compile_match, subject_of_item
from aggregator.model import Digest, Item, ItemList, OwnFeed, Scope
from aggregator.publish.channel import Channel, ChannelEntry, compose, entry_url, second, slot_of, tag
from aggregator.publish.listing import Listing, Place
from aggregator.publish.markup import heading, link, paragraph, shorten
from aggregator.publish.messages import Messages, messages
from aggregator.publish.site import Site
from aggregator.store import Store

#: how many digests of a feed are kept and shown
KEPT: Final = 14
#: digests of seven days are issued on Mondays
_MONDAY: Final = date(1970, 1, 5)
#: a digest that is further ahead than this was issued under a wrong clock and holds nothing up
_AHEAD: Final = timedelta(days=366)
_LEAD: Final = 200


def last_due(now: datetime, *, every: timedelta, at: time, zone: ZoneInfo) -> datetime:
    """The last moment (UTC) up to `now` at which a digest was due.

    It is due at `at` on every so many days of the calendar. A time that the clocks skip in spring is due as much later
    as they are put forward; one that comes twice in autumn is due the first time.
    """
    day = now.astimezone(zone).date()
    day -= timedelta(days=(day - _MONDAY).days % every.days)
    due = _moment(day, at, zone)
    return due if due <= now else _moment(day - every, at, zone)


def next_due(now: datetime, *, every: timedelta, at: time, zone: ZoneInfo) -> datetime:
    """The first moment (UTC) after `now` at which a digest is due."""
    day = last_due(now, every=every, at=at, zone=zone).astimezone(zone).date()
    return _moment(day + every, at, zone)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def is_pending(due: datetime, *, since: datetime, now: datetime, issued: Sequence[str], zone: ZoneInfo) -> bool:
    """Whether the digest that was due is still to be issued.

    `since`: when the feed was first seen; it has none before. `issued`: the days of those that were issued. One of a
    later day means that the clock has gone back.
    """
    if since <= now and due <= since:
        return False
    day = due.astimezone(zone).date()
    return not any(day <= date.fromisoformat(one) <= day + _AHEAD for one in issued)


def issue(
    feed: OwnFeed, current: Callable[[OwnFeed], Listing], *, store: Store, site: Site, now: datetime
) -> Digest | None:
    """Issues the digest that is due, durably; None if none is. Safe for many at once: one of them issues it.

    `current` gives the list of the feed as it is at the moment (`Lists.own`).
    """
    if feed.every is None:
        return None
    since = datetime.fromisoformat(store.mint(f"digest-feed/{feed.name}", now.isoformat()))
    issued = store.minted(_prefix(feed.name), limit=0)
    days = [name.removeprefix(_prefix(feed.name)) for name, _ in issued]
    due = last_due(now, every=feed.every, at=feed.at, zone=site.timezone)
    if not is_pending(due, since=since, now=now, issued=days, zone=site.timezone):
        return None
    before = [read(value).issued for _, value in issued]
    start = max((one for one in before if one <= due), default=due - feed.every)
    digest = write(feed, _of_period(current(feed), feed, start), site=site, due=due, now=now)
    value = _dumps(digest)
    if store.mint(_prefix(feed.name) + digest.period, value) != value:
        return None
    if len(days) >= KEPT:
        _forget(store, feed.name, days[KEPT - 1 :])
    return digest


def _of_period(listing: Listing, feed: OwnFeed, start: datetime) -> tuple[Place, ...]:
    """What has come since the last digest, of lists that are by time; rankings and recommendations have their own."""
    if feed.order not in ("latest", "related") or feed.every is None:
        return listing.places
    return tuple(
        place for place in listing.places if place.item.first_seen > start and place.item.published > start - feed.every
    )


def write(feed: OwnFeed, places: Sequence[Place], *, site: Site, due: datetime, now: datetime) -> Digest:
    """The digest of these places."""
    day = due.astimezone(site.timezone).date()
    rows, lines, say = [], [], messages(site.language)
    for rank, place in enumerate(places, start=1):
        item = place.item
        url, title, facts = entry_url(site, item), heading(item.title), _facts(place, say)
        lead = shorten(item.text, _LEAD)
        rows.append(f"<li>{link(url, title)}<br>{escape(facts)}{paragraph(lead)}</li>")
        lines.append(f"{rank}. {title}\n   {facts}\n   {url}\n")
    return Digest(
        feed=feed.name,
        period=day.isoformat(),
        issued=second(now),
        title=heading(f"{feed.title} · {day.isoformat()}"),
        html=f"<ol>{''.join(rows)}</ol>",
        text="\n".join(lines),
        items=tuple(place.item.id for place in places),
    )


def _facts(place: Place, say: Messages) -> str:
    """Its source and why it stands there: "BBC News · 6 sources · 41 readers"."""
    item, views = place.item, place.views or 0
    facts = [heading(item.source.name)]
    if item.sources > 1:
        facts.append(say.ngettext("%(num)s source", "%(num)s sources", item.sources) % {"num": item.sources})
    if views:
        facts.append(say.ngettext("%(num)s reader", "%(num)s readers", views) % {"num": views})
    return " · ".join(facts)


def issued_listing(feed: OwnFeed, store: Store, *, language: str) -> Listing:
    """The digests of a feed that were issued, the newest first; its places are the items of the newest.

    `language`: that of the site.
    """
    found = [read(value) for _, value in store.minted(_prefix(feed.name), limit=KEPT)]
    digests = tuple(digest for digest in found if digest.items)
    items = store.items(digests[0].items) if digests else []
    return Listing(
        kind="digest",
        title=feed.title,
        description=_how_often(feed, messages(language)),
        path=f"/feeds/{feed.name}",
        page=f"/feeds/{feed.name}",
        places=tuple(Place(item=item) for item in items),
        digests=digests,
    )


def newest(feed: str, store: Store) -> Digest | None:
    """The digest of a feed that was issued last; None before the first."""
    return next((read(value) for _, value in store.minted(_prefix(feed), limit=1)), None)


def digest_channel(listing: Listing, site: Site) -> Channel:
    """The feed of a listing of digests."""
    empty = compose(replace(listing, places=()), site)
    return replace(empty, slots=tuple(slot_of(_entry(digest, site)) for digest in listing.digests))


def _entry(digest: Digest, site: Site) -> ChannelEntry:
    return ChannelEntry(
        id=tag(site, f"digest/{digest.feed}/{digest.period}"),
        title=digest.title,
        url=f"{site.url}/feeds/{digest.feed}#{digest.period}",
        original=None,
        published=digest.issued,
        updated=digest.issued,
        author=None,
        categories=(),
        language=None,
        summary=shorten(digest.text),
        html=digest.html,
    )


def _how_often(feed: OwnFeed, say: Messages) -> str:
    days = feed.every.days if feed.every else 1
    told = say.ngettext(
        "A digest every day at %(time)s: one entry for each.",
        "A digest every %(num)s days at %(time)s: one entry for each.",
        days,
    )
    return told % {"num": days, "time": f"{feed.at:%H:%M}"}


def _prefix(feed: str) -> str:
    return f"digest/{feed}/"


def sent_prefix(feed: str, period: str = "") -> str:
    """With what the names of the marks begin that say where the digest of a period was sent."""
    return f"digest-sent/{feed}/{period}{'/' if period else ''}"


def _forget(store: Store, feed: str, periods: Sequence[str]) -> None:
    marks = [name for period in periods for name, _ in store.minted(sent_prefix(feed, period), limit=0)]
    store.unmint([*(_prefix(feed) + period for period in periods), *marks])


def _dumps(digest: Digest) -> str:
    fields = {name: getattr(digest, name) for name in ("feed", "period", "title", "html", "text", "items")}
    return json.dumps({**fields, "issued": digest.issued.isoformat()})


def read(value: str) -> Digest:
    """The digest that is kept under a minted name."""
    fields = json.loads(value)
    return Digest(**{**fields, "issued": datetime.fromisoformat(fields["issued"]), "items": tuple(fields["items"])})


#: how far back a feed looks for items that match: a rare match must not read the whole store
_SCANNED = 2_000
_BATCH = 200


class OwnLists:
    """Lists of items that match an expression. Expressions are compiled once; they were checked with the settings."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store = store
        self._matches: dict[str, Match] = {feed.name: compile_match(feed.match) for feed in site.feeds if feed.match}

    def latest(self, feed: OwnFeed) -> tuple[Place, ...]:
        """The newest items that match, at most `max_per_source` of each source."""
        return tuple(Place(item=item) for item in self._newest(feed))

    def related(self, feed: OwnFeed) -> tuple[Place, ...]:
        """What is related to the newest items that match, best first; those items themselves are left out."""
        seeds = {item.id for item in self._newest(feed)}
        scores: Counter[str] = Counter()
        items: dict[str, Item] = {}
        for related in self._store.related_each(sorted(seeds), limit=feed.size):
            for one in related:
                items[one.item.id] = one.item
                scores[one.item.id] += one.score  # type: ignore[assignment]  # a Counter adds floats as well
        order = sorted((item for item in items.values() if item.id not in seeds), key=lambda i: (-scores[i.id], i.id))
        kept = _capped(order, feed)
        return tuple(Place(item=item, score=scores[item.id]) for item in kept)

    def _newest(self, feed: OwnFeed) -> list[Item]:
        match = self._matches.get(feed.name)
        matching: Callable[[Item], bool] = (lambda item: match(subject_of_item(item))) if match else (lambda _: True)
        # where everything matches and no source is held back, the first so many are all that is needed
        is_all = match is None and not feed.max_per_source
        return _capped(filter(matching, self._scan(feed.size if is_all else _BATCH)), feed)

    def _scan(self, batch: int) -> Iterator[Item]:
        before: tuple[datetime, str] | None = None
        for _ in range(0, _SCANNED, batch):
            items = self._store.latest(Scope(), limit=batch, before=before)
            yield from items
            if len(items) < batch:
                return
            before = (items[-1].published, items[-1].id)


def in_order(places: Sequence[Place], order: ItemList) -> tuple[Place, ...]:
    """These places, newest first, in a reader's order; what has come since the order was made stays in front."""
    ranks = {listed.item_id: (rank, listed) for rank, listed in enumerate(order.places)}
    known = [place for place in places if place.item.id in ranks]
    newer = list(takewhile(lambda place: place.item.id not in ranks, places))
    older = [place for place in places[len(newer) :] if place.item.id not in ranks]
    known.sort(key=lambda place: ranks[place.item.id][0])
    told = (replace(place, reasons=(*ranks[place.item.id][1].reasons, *place.reasons)) for place in known)
    return (*newer, *told, *older)


def _capped(items: Iterator[Item] | list[Item], feed: OwnFeed) -> list[Item]:
    """The first `size` items, no source more often than the feed allows."""
    kept: list[Item] = []
    per_source: Counter[int] = Counter()
    for item in items:
        if feed.max_per_source and per_source[item.source.id] >= feed.max_per_source:
            continue
        per_source[item.source.id] += 1
        kept.append(item)
        if len(kept) == feed.size:
            break
    return kept
