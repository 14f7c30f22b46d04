"""When a source is left alone: after a poll that failed, and when somebody asks for polls too often. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from aggregator.collect import cadence, revalidation
from aggregator.collect.cadence import Policy
from aggregator.collect.guard import is_private
from aggregator.errors import CollectError
from aggregator.model import PollError, PollResult, Revalidation, Source, SourceHealth

__all__ = ["failed", "rests"]

#: how soon a source is tried again when the fault was our network's: it may be back any minute
_OFFLINE_RETRY = timedelta(seconds=60)
_BUSY = frozenset({429, 503})
#: on demand, a server of the web is asked again after that long at the earliest (FRB070)
_ON_DEMAND_GAP = timedelta(minutes=10)
#: how long a host is left alone after a 429 that does not say
_UNTOLD_SILENCE = timedelta(minutes=10)


def failed(
    source: Source,
    error: CollectError,
    *,
    now: datetime,
    policy: Policy,
    jitter: float,
    our_fault: bool,
    known: Revalidation,
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
        revalidation=revalidation.after_limit(known, now=now) if error.status == 429 else known,
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


def rests(health: SourceHealth, *, now: datetime) -> bool:
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
        or cadence.interval(source.rhythm, now=now, policy=policy, weight=subscription.weight),
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
