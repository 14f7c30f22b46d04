"""What a poll that worked comes to, with entries or without. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from aggregator.collect import cadence, learnt
from aggregator.collect.cadence import Hints, Policy
from aggregator.collect.fetch import NotModified, Response
from aggregator.collect.moves import adopts
from aggregator.model import Outcome, PollResult, Revalidation, Rhythm, Source

__all__ = ["worked"]

T = TypeVar("T")


def worked(
    source: Source,
    answer: Response | NotModified,
    rhythm: Rhythm,
    hints: Hints,
    revalidates: Revalidation,
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
            rhythm,
            now=now,
            policy=policy,
            hints=hints,
            jitter=jitter,
            fixed=source.subscription.interval,
            weight=source.subscription.weight,
        ),
        validators=_unless(learnt.held(source, answer), source.validators),
        revalidation=_unless(revalidates, source.revalidation),
        unstable_ids=source.unstable_ids,
        moved_to=answer.permanent_target,
        adopt_url=rhythm.overlapped and adopts(source, answer.permanent_target, now=now),
        status=answer.status,
        size_bytes=size_bytes,
        duration=duration,
    )


def _unless(value: T, held: T) -> T | None:
    return None if value == held else value
