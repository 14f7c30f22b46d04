"""What is to be asked of hubs, and how far deliveries are trusted. Pure: subscriptions and a time in, steps out."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aggregator.collect.decision import put_off
from aggregator.collect.guard import is_private_url
from aggregator.model import PollResult, Push, Source

__all__ = [
    "Drop",
    "Leave",
    "Rest",
    "Step",
    "Subscribe",
    "after_refusal",
    "is_missed",
    "is_trusted",
    "plan",
    "relaxed",
    "verified",
]

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
#: what is asked for; hubs may give another length
LEASE = 10 * _DAY
#: a hub that names no length (old ones), and the longest that is believed
_UNTOLD_LEASE, _MAX_LEASE = _DAY, 30 * _DAY
#: no subscription is renewed more often than this, however short its lease
_MIN_RENEWAL = _HOUR
#: a hub verifies within this, or has forgotten
_VERIFY_WITHIN = _HOUR
#: silent sources are not worth a hub's and our memory
_LIVELY = 30 * _DAY
_REFUSED_REST, _MAX_REST = 7 * _DAY, 7 * _DAY
#: a push that has delivered within this is trusted, and polls become rarer by this factor, up to the cap
_TRUSTED_FOR = 7 * _DAY
_RELAXED, _RELAXED_CAP = 6, _DAY
#: what is younger may still be on its way
_ON_ITS_WAY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Ask `hub` to deliver `topic` for this source."""

    source_id: int
    hub: str
    topic: str
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Ask the hub to deliver no more."""

    push: Push


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The hub has not verified in time."""

    push: Push


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Nothing is left to be said about it."""

    push: Push


Step = Subscribe | Leave | Rest | Drop


def plan(sources: Sequence[Source], pushes: Iterable[Push], *, base: str, now: datetime) -> Iterator[Step]:
    """What is to be done, most urgent first within a source. `base` is the address of our own site."""
    held: defaultdict[int, list[Push]] = defaultdict(list)
    for push in pushes:
        held[push.source_id].append(push)
    for source in sources:
        yield from _for_source(source, held.pop(source.id, []), base, now)
    for others in held.values():  # no longer followed, or no longer naming a hub
        yield from (step for push in others for step in _ended(push, now))


def _for_source(source: Source, held: Sequence[Push], base: str, now: datetime) -> Iterator[Step]:
    hubs = [hub for hub in source.info.hubs if can_reach(hub, base)]
    topic = source.info.self_url
    fitting = [push for push in held if push.topic == topic and push.hub in hubs and push.state != "leaving"]
    for push in held:
        if push not in fitting:
            yield from _ended(push, now)
        elif push.state == "asked" and now - push.asked_at > _VERIFY_WITHIN:
            yield Rest(push=push)
        elif push.state == "active" and push.until is not None and now > push.until + _DAY:
            yield Drop(push=push)
    if topic and hubs and _is_lively(source, now) and not any(_is_enough(push, now) for push in fitting):
        failures = max((push.failures for push in fitting), default=0)
        yield Subscribe(source_id=source.id, hub=hubs[failures % len(hubs)], topic=topic, failures=failures)
        yield from (Drop(push=push) for push in fitting if push.state == "resting")


def _ended(push: Push, now: datetime) -> Iterator[Step]:
    """An end to a subscription that has no use any more: said once, forgotten a day later."""
    if push.state == "active":
        yield Leave(push=push)
    elif push.state != "leaving" or now - push.asked_at > _DAY:
        yield Drop(push=push)


def _is_enough(push: Push, now: datetime) -> bool:
    """Nothing has to be asked while there is this one."""
    if push.state == "asked":
        return True
    if push.state == "resting":
        return push.retry_at is not None and push.retry_at > now
    return push.renew_at is not None and push.renew_at > now


def _is_lively(source: Source, now: datetime) -> bool:
    last = source.posting_rate.last_item_at or source.posting_rate.since
    return last is not None and now - last <= _LIVELY


def can_reach(hub: str, base: str) -> bool:
    """Whether a hub could call us at all: one on the internet not if our site is on a private network.

    A hub on a private network is the guard's business: it is dialled only where the operator allows it.
    """
    return is_private_url(hub) or not is_private_url(base)


def verified(push: Push, *, lease_s: int | None, now: datetime) -> Push:
    """The subscription after the hub has verified it: renewed from the middle of its lease on, spread over a day."""
    lease = min(timedelta(seconds=lease_s), _MAX_LEASE) if lease_s else _UNTOLD_LEASE
    spread = min(_DAY, lease / 4) * random.Random(push.token).random()  # noqa: S311 - an offset, not a secret
    return replace(
        push,
        state="active",
        until=now + lease,
        renew_at=now + max(lease / 2 + spread, _MIN_RENEWAL),
        verified_at=push.verified_at or now,
        failures=0,
        retry_at=None,
    )


def after_refusal(push: Push, *, denied: bool, wait: timedelta | None, now: datetime) -> Push:
    """The subscription after a try that came to nothing: asked again in an hour, doubling up to a week."""
    rest = _REFUSED_REST if denied else min(_HOUR * 2 ** min(push.failures, 8), _MAX_REST)
    return replace(push, state="resting", failures=push.failures + 1, retry_at=now + max(rest, wait or rest))


def is_trusted(push: Push, *, now: datetime) -> bool:
    """Whether what is new comes by itself: within its lease, delivered of late, nothing missed since."""
    if push.state != "active" or push.until is None or push.delivered_at is None:
        return False
    return push.until > now and now - push.delivered_at <= _TRUSTED_FOR


def relaxed(source: Source, result: PollResult) -> PollResult:
    """A poll that went well, of a source whose pushes are trusted: the next one is six times as far, a day at most."""
    wait = min(_RELAXED * (result.next_poll - result.polled_at), _RELAXED_CAP)
    return put_off(source, result, wait)


def is_missed(push: Push, found: datetime | None, *, now: datetime) -> bool:
    """Whether an entry that a poll has found, published then, should have been delivered long before."""
    if found is None or push.verified_at is None:
        return False
    return push.verified_at < found < now - _ON_ITS_WAY
