"""The PollResult of one poll: what was learnt, what is kept, when the source is asked again. Pure.

Success (a body or a 304) and failure walk the same road. Feeds have been lost to maintenance pages and hotel networks
that redirect "permanently", so a new address is adopted only after a week in which it was named again and again, and
only by a poll that brought the feed itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

from aggregator.collect import cadence
from aggregator.collect.cadence import Hints, Policy
from aggregator.collect.decision import conditional
from aggregator.collect.fetch import Hop, NotModified, Response
from aggregator.collect.fetch.headers import link_values
from aggregator.collect.guard import is_private_url
from aggregator.curate.identity.entries import Identified
from aggregator.errors import CollectError, FetchError
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
    Validators,
)

T = TypeVar("T")
AnyAnswer = TypeVar("AnyAnswer", Response, NotModified)

#: of fewer entries, a document that holds one is no sign of anything
_MIN_ENTRIES = 10
_MAX_HUBS = 5
_NO_TIME = timedelta(0)
#: how soon a source is tried again when the fault was our network's: it may be back any minute
_OFFLINE_RETRY = timedelta(seconds=60)
#: to a request with validators: it was refused because of them, or their size
_REFUSES_VALIDATORS = frozenset({HTTPStatus.PRECONDITION_FAILED, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE})
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One poll of `source`: with which validators it was asked, when it ended, and by what it is judged.

    `jitter` is a number in [0, 1).
    """

    source: Source
    sent: Validators
    now: datetime
    policy: Policy
    jitter: float
    duration: timedelta = timedelta(0)


def not_new(poll: Poll, answer: Response | NotModified) -> PollResult:
    """The result of a 304, or of a 200 with the very body that was parsed last time: its new validators count."""
    known = conditional.noted(poll.source, poll.sent, now=poll.now)
    if isinstance(answer, NotModified):
        known = conditional.after_not_modified(known, now=poll.now, cache=answer.cache)
        return _success(poll, answer, known, poll.source.posting_rate, poll.source.info, outcome="not-modified")
    known = conditional.after_body(known, same=poll.sent.is_usable, now=poll.now, cache=answer.cache)
    result = _success(poll, answer, known, poll.source.posting_rate, poll.source.info, outcome="same")
    return replace(result, size_bytes=len(answer.body))


def success(  # noqa: PLR0917 - all that a document says
    poll: Poll, answer: Response, feed: ParsedFeed, found: Identified, known: Sequence[KnownEntry], digest: bytes
) -> PollResult:
    """The result of a document with entries `found` in it, beside those `known` before; `digest` is of its body.

    Raises FetchError ``truncated`` for the beginning of a document in which no entry is whole.
    """
    source = poll.source
    truncated = answer.truncated or feed.truncated
    if truncated and not found.entries and not feed.unchanged:
        raise FetchError("truncated", f"{_host(answer.url)} broke off before the first entry was complete")
    rate = update_posting_rate(
        source,
        found.entries,
        known,
        poll.now,
        unchanged=feed.unchanged,
        window_entries=len(feed.entries) + feed.unchanged,
        delta=answer.delta,
        partial=truncated,
    )
    state = conditional.noted(source, poll.sent, now=poll.now)
    state = conditional.after_body(state, same=False, now=poll.now, cache=answer.cache)
    whole = replace(with_hub_links(feed.info, answer.link, answer.url), new_location=feed.new_location)
    info = _merged_hints(source.info, feed.info) if truncated else whole
    result = _success(poll, answer, state, rate, info, outcome="new", is_whole=not truncated)
    return replace(
        result,
        entries=tuple(found.entries),
        info=None if feed.truncated else whole,
        body_hash=None if truncated or answer.delta else digest,
        posting_rate=rate,
        insert_only=feed.truncated,
        warnings=poll_warnings(source, answer, feed, found.warnings),
        unstable_ids=found.unstable_ids,
        size_bytes=len(answer.body),
    )


def _success(
    poll: Poll,
    answer: Response | NotModified,
    state: ConditionalState,
    rate: PostingRate,
    info: FeedInfo,
    *,
    outcome: Outcome,
    is_whole: bool = True,
) -> PollResult:
    """When the next poll is, and what is to be kept of this one: what has not changed is None.

    Half a document must be asked for again in full: its validators are not kept.
    """
    source, now = poll.source, poll.now
    hints = publisher_hints(info, answer, state)
    good_interval = _interval(poll, rate, hints)
    pair = next_validators(source, answer) if is_whole else replace(source.validators, origin=state.validators_origin)
    silent_until = now + answer.retry_after if answer.retry_after else None
    state = replace(state, good_interval=good_interval, validators_origin=pair.origin, silent_until=silent_until)
    return PollResult(
        source_id=source.id,
        outcome=outcome,
        polled_at=now,
        next_poll=_due(poll, good_interval * (1 + cadence.JITTER * poll.jitter), hints),
        validators=_unless(pair, source.validators),
        conditional=_unless(state, source.conditional),
        unstable_ids=source.unstable_ids,
        moved_to=answer.permanent_target or info.new_location,
        adopt_url=rate.overlapped and should_adopt_redirect(source, answer.permanent_target, now=now),
        status=answer.status,
        duration=poll.duration,
    )


def failure(poll: Poll, error: CollectError, *, our_fault: bool) -> PollResult:
    """The result of a poll that ended with `error`. What is held stays: entries, validators, title.

    A feed that fails is never asked sooner than while it worked, whatever the failure, and never within skipped hours.
    `our_fault`: our own network is down or busy, which is not counted against the source.
    """
    source, now = poll.source, poll.now
    state = conditional.noted(source, poll.sent, now=now)
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        state = conditional.after_throttling(state, now=now)
    elif error.status in _REFUSES_VALIDATORS:
        state = conditional.after_refusal(state, poll.sent)
    result = PollResult(
        source_id=source.id,
        outcome="error",
        polled_at=now,
        next_poll=now,
        error=PollError(code=error.code, message=str(error), permanent=error.permanent),
        conditional=_unless(state, source.conditional),
        unstable_ids=source.unstable_ids,
        status=error.status,
        duration=poll.duration,
    )
    hints = _stored_hints(source)
    if our_fault:
        wait = _OFFLINE_RETRY * (1 + poll.jitter)
        return replace(result, next_poll=_due(poll, wait, hints), counts_as_error=False)
    base = max(_interval(poll, source.posting_rate, hints), state.good_interval or _NO_TIME)
    if error.status == HTTPStatus.GONE and error.permanent:
        is_gone, wait = cadence.confirm_gone(source.gone_since, now=now, jitter=poll.jitter)
        wait = wait if is_gone else max(wait, base, error.retry_after or _NO_TIME)
        return replace(result, outcome="gone" if is_gone else "error", next_poll=_due(poll, wait, hints))
    wait = cadence.wait_after_error(
        now=now,
        base=base,
        error_count=source.error_count + 1,
        error_since=source.error_since,
        jitter=poll.jitter,
        retry_after=error.retry_after,
        fresh_for=error.fresh_for,
        busy=error.is_busy,
        permanent=error.permanent,
    )
    parked = _parked(error.url or source.fetch_url, error, now, now + wait)
    silence = error.retry_after or (wait if error.is_busy else None)
    state = replace(state, silent_until=now + silence if silence else _unless_over(state.silent_until, now))
    return replace(
        result,
        next_poll=_due(poll, wait, hints),
        conditional=_unless(state, source.conditional),
        park_host_until=parked,
        parked_url=error.url if parked else None,
    )


def not_before(source: Source, *, now: datetime, on_demand: bool = False) -> datetime:
    """The earliest time at which `source` may be asked, whoever wants to; `now`, if nothing is in the way.

    Its publisher has asked for silence, or to skip this hour. `on_demand`: somebody asks before it is due, which a
    server of the web is spared within minutes of its last poll (FRB070). On one's own network, silence is one's own
    affair; a fixed interval goes before skipped hours.
    """
    is_own = is_private_url(source.fetch_url)
    due = now if is_own else max(now, source.conditional.silent_until or now)
    if on_demand and not is_own and source.last_poll is not None:
        due = max(due, source.last_poll + _ON_DEMAND_GAP)
    return due if source.subscription.interval is not None else cadence.behind_skipped(due, _stored_hints(source))


def deferred(source: Source, *, now: datetime, due: datetime) -> PollResult:
    """The result of a poll that was not made, because the source may not be asked before `due`."""
    return PollResult(
        source_id=source.id, outcome="deferred", polled_at=now, next_poll=due, unstable_ids=source.unstable_ids
    )


def put_off(source: Source, result: PollResult, wait: timedelta) -> PollResult:
    """The result with its next poll put off to `wait` from now, because a hub tells what is new (`push`).

    Polls that fail later are put off as far.
    """
    later = result.polled_at + wait
    if later <= result.next_poll:
        return result
    info = result.info or source.info
    state = replace(result.conditional or source.conditional, good_interval=wait)
    hints = replace(_stored_hints(source), skip_hours=info.skip_hours, skip_days=info.skip_days)
    fixed = source.subscription.interval is not None
    due = later if fixed else cadence.behind_skipped(later, hints)
    return replace(result, next_poll=due, conditional=_unless(state, source.conditional))


def _interval(poll: Poll, rate: PostingRate, hints: Hints) -> timedelta:
    """How long to wait after success, by rate and hints, without jitter and without regard to skipped hours."""
    subscription = poll.source.subscription
    return cadence.wait_after_success(
        rate, now=poll.now, policy=poll.policy, hints=hints, fixed=subscription.interval, weight=subscription.weight
    )


def _due(poll: Poll, wait: timedelta, hints: Hints) -> datetime:
    """The end of `wait`, or of the hours behind it that the publisher asks to skip; a fixed interval goes before."""
    due = poll.now + wait
    return due if poll.source.subscription.interval is not None else cadence.behind_skipped(due, hints)


def _stored_hints(source: Source) -> Hints:
    """What the publisher asked for when the feed last worked."""
    state = source.conditional
    lasting = state.freshness.remaining()
    return cadence.hints_of(source.info, fresh_for=lasting, has_validators=source.validators.is_usable)


def _merged_hints(held: FeedInfo, partial: FeedInfo) -> FeedInfo:
    """The hints of the last whole document where the beginning of another does not come to them."""
    return replace(
        held,
        ttl=partial.ttl or held.ttl,
        update_every=partial.update_every or held.update_every,
        skip_hours=partial.skip_hours or held.skip_hours,
        skip_days=partial.skip_days or held.skip_days,
    )


def _parked(url: str, error: CollectError, now: datetime, again: datetime) -> datetime | None:
    """Until when all of the host of `url` is left alone: after a 429, and before a bot wall, which guards all of it.

    On a private network a host is one of many services on an address, and only the source itself waits.
    """
    if is_private_url(url):
        return None
    if error.code == "challenge":
        return again
    return now + (error.retry_after or _UNTOLD_SILENCE) if error.status == HTTPStatus.TOO_MANY_REQUESTS else None


def publisher_hints(info: FeedInfo, answer: Response | NotModified, state: ConditionalState) -> Hints:
    """What the publisher asks for: in `info`, in the stored freshness of `state` and in this answer."""
    lasting = state.freshness.remaining(answer.cache.age)
    hints = cadence.hints_of(info, fresh_for=lasting, has_validators=answer.validators.is_usable)
    return replace(hints, retry_after=answer.retry_after)


def with_hub_links(info: FeedInfo, header: str | None, base: str) -> FeedInfo:
    """What the document at `base` says of its feed, its ``Link`` headers first where they name a hub (WebSub 4)."""
    links = list(link_values(header or ""))
    named = (_absolute(base, link.target) for link in links if "hub" in link.relations)
    hubs = tuple(dict.fromkeys(address for address in named if address))[:_MAX_HUBS]
    if not hubs:
        return info
    own = next((_absolute(base, link.target) for link in links if "self" in link.relations), None)
    return replace(info, hubs=hubs, self_url=own or info.self_url)


def next_validators(source: Source, answer: Response | NotModified) -> Validators:
    """The pair to hold from now on. A 304 and a delta bring what has changed of it, a body brings both or clears."""
    brought = answer.validators
    if isinstance(answer, Response) and not answer.delta:
        return brought
    before = source.validators
    return Validators(
        etag=brought.etag or before.etag,
        last_modified=brought.last_modified or before.last_modified,
        origin=brought.origin or before.origin,
    )


def update_posting_rate(
    source: Source,
    entries: Sequence[Entry],
    known: Sequence[KnownEntry],
    now: datetime,
    *,
    unchanged: int,
    window_entries: int,
    delta: bool,
    partial: bool,
) -> PostingRate:
    """The posting rate with what this document of `window_entries` adds.

    A first document overlaps with nothing and has lost nothing.
    A delta holds new entries only, and a partial document not all: neither says how long the document is.
    """
    stored = {entry.entry_id for entry in known}
    new = [entry for entry in entries if entry.entry_id not in stored and entry.replaces is None]
    overlapped = unchanged > 0 or len(new) < len(entries) or not entries or source.last_success is None
    return cadence.observe(
        source.posting_rate,
        published=[entry.parsed.published for entry in new],
        now=now,
        previous_poll=source.last_success,
        window_entries=source.posting_rate.window_entries if delta or partial else window_entries,
        overlapped=source.posting_rate.overlapped if delta else overlapped,
    )


def poll_warnings(source: Source, answer: Response, feed: ParsedFeed, found: Sequence[str]) -> tuple[str, ...]:
    """What somebody who looks after the source should know of this answer, each once."""
    shrunk = ("shrunk",) if _is_shrunk(source, answer, feed) else ()
    cut = ("truncated",) if answer.truncated or feed.truncated else ()
    is_moved = answer.permanent_target or feed.new_location
    moved = ("moved-permanently",) if is_moved else ("redirected",) if answer.hops else ()
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


def location_to_try(source: Source, *, now: datetime) -> str | None:
    """The address that the feed's own document has named for long enough (itunes:new-feed-url), to be polled instead.

    It is adopted if the feed is there; `as_moved` makes of its answer what a permanent redirect would have brought.
    """
    target = source.info.new_location
    return target if target != source.fetch_url and should_adopt_redirect(source, target, now=now) else None


def as_moved(answer: AnyAnswer, source: Source, target: str) -> AnyAnswer:
    """`answer` of `target` as if a permanent redirect of the source's address had led there."""
    hops = (Hop(status=HTTPStatus.MOVED_PERMANENTLY, url=source.fetch_url), *answer.hops)
    leads_to = answer.permanent_target or (None if answer.hops else target)
    return replace(answer, hops=hops, permanent_target=leads_to)


def _is_gate(url: str) -> bool:
    address = url.lower()
    return any(word in address for word in _GATES)


def is_downgrade(old: str, new: str) -> bool:
    """From https to http for good: that would give up what the publisher once promised."""
    return urlsplit(old).scheme == "https" and urlsplit(new).scheme != "https"


def _unless_over(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if moment is not None and moment > now else None


def _unless(value: T, held: T) -> T | None:
    return None if value == held else value


def _absolute(base: str, target: str) -> str | None:
    """`target` as an http address; None: it is none."""
    try:
        address = urljoin(base, target)
    except ValueError:
        return None
    return address if address.lower().startswith(("http://", "https://")) and address.isprintable() else None


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
