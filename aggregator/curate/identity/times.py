"""When new entries count as published: what they claim, within what can be; and which of them is the newer. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

__all__ = ["first_times"]

_APART = timedelta(milliseconds=1)


def first_times(claimed: Sequence[datetime | None], now: datetime) -> list[datetime]:
    """The times of a document's new entries, in its order: as claimed, never later than `now`; `now` without a claim.

    One document in eight has no dates, and some have one for all of it. Documents have their newest first, so of
    several entries at one moment the first is the newest, by a millisecond each, which no reader sees.
    """
    times = [min(claim or now, now) for claim in claimed]
    if len(set(times)) == len(times):
        return times
    together = Counter(times)
    behind: Counter[datetime] = Counter()
    spaced = []
    for moment in times:
        newest = min(moment + (together[moment] - 1) * _APART, now)
        spaced.append(newest - behind[moment] * _APART)
        behind[moment] += 1
    return spaced
