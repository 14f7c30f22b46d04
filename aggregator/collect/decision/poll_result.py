"""The PollResult of one poll: what was learnt, what is kept, when the source is asked again. Pure.

Success (a body or a 304) and failure walk the same road. Feeds have been lost to maintenance pages and hotel networks
that redirect "permanently", so a new address is adopted only after a week in which it was named again and again, and
only by a poll that brought the feed itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from aggregator.collect import cadence
from aggregator.collect.cadence import Hints, Policy
from aggregator.collect.decision import conditional
from aggregator.collect.fetch import NotModified, Response
from aggregator.collect.fetch.headers import link_headers
from aggregator.collect.guard import is_private
from aggregator.errors import CollectError
from aggregator.model import (
    ConditionalState,
    Entry,
    FeedInfo,
    KnownEntry,
    Outcome,
    ParsedFeed,
    PollError,
    PollResult,
    PostingRate,
    Source,
    SourceHealth,
    Validators,
)

T = TypeVar("T")

#: of fewer entries, a document that holds one is no sign of anything
_MIN_ENTRIES = 10
_MAX_HUBS = 5
#: how soon a source is tried again when the fault was our network's: it may be back any minute
_OFFLINE_RETRY = timedelta(seconds=60)
_BUSY = frozenset({429, 503})
#: on demand, a server of the web is asked again after that long at the earliest (FRB070)
_ON_DEMAND_GAP = timedelta(minutes=10)
#: how long a host is left alone after a 429 that does not say
_UNTOLD_SILENCE = timedelta(minutes=10)
_CONSISTENT_FOR = timedelta(days=7)
_MIN_SIGHTINGS = 5
#: an address with such a word in it is a gate, not a feed
_GATES = (
    "login",
    "signin",
    "sign-in",
    "register",
    "landingpage",
    "captive",
    "portal",
    "solutionip",
    "lodgenet",
    "consent",
)


def success(
    source: Source,
    answer: Response | NotModified,
    posting_rate: PostingRate,
    hints: Hints,
    revalidates: ConditionalState,
    *,
    now: datetime,
    policy: Policy,
    jitter: float,
    outcome: Outcome,
    size_bytes: int,
    duration: timedelta,
) -> PollResult:
    """When the next poll is, and what is to be kept of this one: what has not changed is None."""
    return PollResult(
        source_id=source.id,
        outcome=outcome,
        polled_at=now,
        next_poll=cadence.next_poll(
            posting_rate,
            now=now,
            policy=policy,
            hints=hints,
            jitter=jitter,
            fixed=source.subscription.interval,
            weight=source.subscription.weight,
        ),
        validators=_unless(next_validators(source, answer), source.validators),
        conditional=_unless(revalidates, source.conditional),
        unstable_ids=source.unstable_ids,
        moved_to=answer.permanent_target,
        adopt_url=posting_rate.overlapped and should_adopt_redirect(source, answer.permanent_target, now=now),
        status=answer.status,
        size_bytes=size_bytes,
        duration=duration,
    )


def failure(
    source: Source,
    error: CollectError,
    *,
    now: datetime,
    policy: Policy,
    jitter: float,
    our_fault: bool,
    known: ConditionalState,
) -> PollResult:
    """The result of a poll that ended with `error`. What is held stays: entries, validators, title.

    `our_fault`: our own network is down, which is not counted against the source. `known` is what was known of its
    conditional answers when it was asked.
    """
    result = PollResult(
        source_id=source.id,
        outcome="error",
        polled_at=now,
        next_poll=now,
        error=PollError(code=error.code, message=str(error), permanent=error.permanent),
        conditional=conditional.after_limit(known, now=now) if error.status == 429 else known,
        unstable_ids=source.unstable_ids,
        status=error.status,
    )
    if error.status == 410:
        gone, again = cadence.confirm_gone(source.gone_since, now=now, jitter=jitter)
        return replace(result, outcome="gone" if gone else "error", next_poll=again)
    if our_fault:
        return replace(result, next_poll=now + _OFFLINE_RETRY * (1 + jitter), counts_as_error=False)
    again = _again(source, error, now, policy, jitter)
    return replace(result, next_poll=again, park_host_until=_parked(source, error, now, again))


def is_cooling_down(health: SourceHealth, *, now: datetime) -> bool:
    """Whether a source is left alone though somebody asks for it: it was polled minutes ago, or its server is busy.

    What is on one's own network is one's own affair.
    """
    if health.last_poll is None or is_private(urlsplit(health.subscription.url).hostname or ""):
        return False
    is_busy = health.http_status in _BUSY and health.next_poll is not None and health.next_poll > now
    return is_busy or now - health.last_poll < _ON_DEMAND_GAP


def _again(source: Source, error: CollectError, now: datetime, policy: Policy, jitter: float) -> datetime:
    subscription = source.subscription
    return cadence.after_error(
        now=now,
        base=subscription.interval
        or cadence.interval(source.posting_rate, now=now, policy=policy, weight=subscription.weight),
        error_count=source.error_count + 1,
        error_since=source.error_since,
        jitter=jitter,
        retry_after=error.retry_after,
        busy=error.status in _BUSY,
        permanent=error.permanent,
    )


def _parked(source: Source, error: CollectError, now: datetime, again: datetime) -> datetime | None:
    """Until when the whole host is left alone: after a 429, and before a bot wall, which stands before all of it.

    On a private network a host is one of many services on an address, and only the source itself waits.
    """
    if is_private(urlsplit(source.fetch_url).hostname or ""):
        return None
    if error.code == "challenge":
        return again
    return now + (error.retry_after or _UNTOLD_SILENCE) if error.status == 429 else None


def publisher_hints(info: FeedInfo, answer: Response | NotModified) -> Hints:
    """What the publisher asks for, in the last good document and in this answer."""
    conditional = bool(answer.validators.etag or answer.validators.last_modified)
    return cadence.hints_of(info, fresh_for=answer.fresh_for, has_validators=conditional)


def with_hub_links(info: FeedInfo, header: str | None) -> FeedInfo:
    """What the document says of its feed, with hubs and own address of the ``Link`` headers where they name a hub."""
    named = list(link_headers(header or ""))
    hubs = tuple(dict.fromkeys(address for address, rels in named if "hub" in rels))[:_MAX_HUBS]
    if not hubs:
        return info
    own = next((address for address, rels in named if "self" in rels), info.self_url)
    return replace(info, hubs=hubs, self_url=own)


def next_validators(source: Source, answer: Response | NotModified) -> Validators:
    """The pair to hold from now on. A 304 and a delta bring what has changed of it, a body brings both or clears."""
    brought = answer.validators
    if isinstance(answer, Response) and not answer.delta:
        return brought
    before = source.validators
    return Validators(
        etag=brought.etag or before.etag,
        last_modified=brought.last_modified or before.last_modified,
    )


def update_posting_rate(
    source: Source, entries: Sequence[Entry], known: Sequence[KnownEntry], now: datetime, *, unchanged: int, delta: bool
) -> PostingRate:
    """The posting rate with what this document adds. A first document overlaps with nothing and has lost nothing.

    A delta holds new entries only, and says nothing of how long the document is.
    """
    stored = {entry.entry_id for entry in known}
    new = [entry for entry in entries if entry.entry_id not in stored and entry.replaces is None]
    overlapped = unchanged > 0 or len(new) < len(entries) or not entries or source.last_success is None
    return cadence.observe(
        source.posting_rate,
        published=[entry.parsed.published for entry in new],
        now=now,
        previous_poll=source.last_success,
        window_entries=source.posting_rate.window_entries if delta else len(entries) + unchanged,
        overlapped=source.posting_rate.overlapped if delta else overlapped,
    )


def poll_warnings(source: Source, answer: Response, feed: ParsedFeed, found: Sequence[str]) -> tuple[str, ...]:
    """What somebody who looks after the source should know of this answer, each once."""
    shrunk = ("shrunk",) if _is_shrunk(source, answer, feed) else ()
    cut = ("truncated",) if answer.truncated or feed.truncated else ()
    moved = ("moved-permanently",) if answer.permanent_target else ("redirected",) if answer.hops else ()
    return tuple(dict.fromkeys((*feed.warnings, *found, *cut, *shrunk, *moved)))


def _is_shrunk(source: Source, answer: Response, feed: ParsedFeed) -> bool:
    """Whether a whole document has suddenly lost nine tenths of its entries, or all; nothing that is held goes."""
    before, entries = source.posting_rate.window_entries, len(feed.entries) + feed.unchanged
    is_whole = not (answer.delta or answer.truncated or feed.truncated)
    return is_whole and before >= _MIN_ENTRIES and entries * 10 <= before


def should_adopt_redirect(source: Source, target: str | None, *, now: datetime) -> bool:
    """Whether `target`, to which this good poll was redirected permanently, becomes the address of `source`."""
    if target is None or target != source.moved_to or source.moved_since is None:
        return False
    long_enough = now - source.moved_since >= _CONSISTENT_FOR and source.moved_count + 1 >= _MIN_SIGHTINGS
    return long_enough and not _is_gate(target) and not is_downgrade(source.fetch_url, target)


def _is_gate(url: str) -> bool:
    address = url.lower()
    return any(word in address for word in _GATES)


def is_downgrade(old: str, new: str) -> bool:
    """From https to http for good: that would give up what the publisher once promised."""
    return urlsplit(old).scheme == "https" and urlsplit(new).scheme != "https"


def _unless(value: T, held: T) -> T | None:
    return None if value == held else value
