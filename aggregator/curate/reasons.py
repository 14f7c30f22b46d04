"""Why an item stands in a list, in few words for readers: "6 sources", "41 readers in the last hour", "rising"."""

from __future__ import annotations

from collections.abc import Iterable

from aggregator.model import Candidate

__all__ = ["counted", "reasons_of"]

#: upstream counts are named from here on
TOLD_FROM = 10


def counted(number: int, one: str, many: str = "") -> str:
    """The number with its word: "1 reader", "1,204 readers"; `many` where it takes more than an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def reasons_of(item: Candidate, *, first: Iterable[str] = (), last: Iterable[str] = ()) -> tuple[str, ...]:
    """What speaks for an item, the most telling first; `first` and `last` are put around it."""
    found = [*first]
    if max(item.sources, item.coverage) > 1:
        found.append(counted(max(item.sources, item.coverage), "source"))
    if item.citations:
        found.append(f"linked by {counted(item.citations, 'source')}")
    if item.likes:
        found.append(counted(item.likes, "like"))
    if (item.upstream.comments or 0) >= TOLD_FROM:
        found.append(f"{item.upstream.comments:,} comments at its source")
    elif (item.upstream.votes or 0) >= TOLD_FROM:
        found.append(f"{item.upstream.votes:,} votes at its source")
    return (*found, *last)
