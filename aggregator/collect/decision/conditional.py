"""Which validators go into the next request, and how long the stored answer stays fresh. Pure.

As a rule both validators, as they were received. Two kinds of servers need more: those that say 304 for ever, whatever
is new, and those that overlook If-Modified-Since when If-None-Match stands beside it and send the whole document every
time. A third kind refuses validators (412, 431): the next request goes without.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from aggregator.collect import cadence
from aggregator.collect.fetch import CacheHeaders
from aggregator.model import ConditionalState, Freshness, Source, Validators

__all__ = [
    "after_body",
    "after_not_modified",
    "after_refusal",
    "after_throttling",
    "noted",
    "validators_to_send",
]

#: 304s for longer than that, and for longer than five times the usual gap between two posts, are doubted
_DOUBT_AFTER = timedelta(days=8)
_DOUBT_GAPS = 5
#: bodies that were the same in spite of validators, until the date alone is tried; and until that is given up
_TRY_DATES_AFTER, _GIVE_UP_AFTER = 3, 6
#: a server that calls its answers fresh for longer than we heed has a view on how often to be asked
_PATIENT = timedelta(days=1)
_NOTHING = Validators()
#: `ConditionalState.refusals`
_REFUSED, _ACCEPTED_AGAIN, _REFUSED_AGAIN = 1, 2, 3


def validators_to_send(source: Source, *, now: datetime) -> Validators:
    """The validators of the next request."""
    known = source.conditional
    held = replace(source.validators, origin=known.validators_origin)
    if known.refusals in {_REFUSED, _REFUSED_AGAIN} or _is_full_check_due(source, now):
        return _NOTHING
    if _tries_dates(known) and held.last_modified:
        return replace(held, etag=None)
    return held


def noted(source: Source, sent: Validators, *, now: datetime) -> ConditionalState:
    """What is known of a source that has just been asked with `sent`: a full check is not repeated soon."""
    known = source.conditional
    is_full_check = source.validators.is_usable and not sent.is_usable and not known.refusals
    return replace(known, full_check_at=now) if is_full_check else known


def after_body(known: ConditionalState, *, same: bool, now: datetime, cache: CacheHeaders) -> ConditionalState:
    """After a 200; `same`: the request was conditional, and the body is the one we had."""
    count = known.same_bodies + 1 if same else 0
    if known.dates_only and count >= _TRY_DATES_AFTER:
        known, count = replace(known, dates_only=False), _GIVE_UP_AFTER
    known = replace(_patient(known, now, cache.freshness, cache.age), freshness=cache.freshness)
    refusals = _ACCEPTED_AGAIN if known.refusals == _REFUSED else known.refusals
    return replace(known, last_body_at=now, same_bodies=count, refusals=refusals)


def after_not_modified(known: ConditionalState, *, now: datetime, cache: CacheHeaders) -> ConditionalState:
    """After a 304. One that answers the date alone, tried because both had failed, shows that it is to stay so.

    The stored freshness takes over what the 304 says, and stays where it says nothing (RFC 9111 4.3.4).
    """
    freshness = _updated(known.freshness, cache)
    known = _patient(known, now, freshness, cache.age)
    known = known if freshness == known.freshness else replace(known, freshness=freshness)
    if known.last_body_at is not None and not known.same_bodies:
        return known  # as nearly always: there is nothing to note
    return replace(known, last_body_at=known.last_body_at or now, dates_only=_tries_dates(known), same_bodies=0)


def after_throttling(known: ConditionalState, *, now: datetime) -> ConditionalState:
    """After a 429."""
    return replace(known, throttled_at=now)


def after_refusal(known: ConditionalState, sent: Validators) -> ConditionalState:
    """After a 412 or 431 to a request with `sent`: they are left out once, and for good when it happens again."""
    if not sent.is_usable:
        return known
    return replace(known, refusals=_REFUSED_AGAIN if known.refusals else _REFUSED)


def _updated(stored: Freshness, cache: CacheHeaders) -> Freshness:
    said = cache.freshness
    if cache.forbids_reuse:
        return Freshness()
    return Freshness(
        max_age=said.max_age if cache.has_cache_control else stored.max_age,
        expires_in=said.expires_in if cache.has_expires else stored.expires_in,
    )


def _is_full_check_due(source: Source, now: datetime) -> bool:
    """Whether its 304s have lasted too long to be true.

    Once in eight days at the most, and never where the server has asked for patience.
    """
    known = source.conditional
    if known.last_body_at is None or known.throttled_at is not None:
        return False
    silence = now - max(known.last_body_at, known.full_check_at or known.last_body_at)
    if silence <= _DOUBT_AFTER:
        return False
    # as it posted when it was last seen to: what is in doubt is whether the silence since then is real
    usual = timedelta(days=1) / cadence.items_per_day(source.posting_rate, now=source.posting_rate.as_of or now)
    return silence > _DOUBT_GAPS * usual


def _tries_dates(known: ConditionalState) -> bool:
    return known.dates_only or _TRY_DATES_AFTER <= known.same_bodies < _GIVE_UP_AFTER


def _patient(known: ConditionalState, now: datetime, freshness: Freshness, age: timedelta) -> ConditionalState:
    lasting = freshness.remaining(age)
    return replace(known, throttled_at=now) if lasting is not None and lasting > _PATIENT else known
