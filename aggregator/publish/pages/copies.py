"""Why the copies of an item are one item: a line a source, the figures in words."""

from __future__ import annotations

from collections.abc import Iterator

from aggregator.curate.wording import why_joined
from aggregator.model import Copy, Item

#: of a feed that repeats itself, and of hundreds that carry one text
MOST = 12


def reasons(item: Item) -> list[tuple[Copy, str]]:
    """(copy, why it is this item), the first that carried it before the others; empty if there is only one.

    A source stands there once for each different reason.
    """
    if len(item.copies) < 2:
        return []
    return list(_told(item))[:MOST]


def _told(item: Item) -> Iterator[tuple[Copy, str]]:
    ordered = sorted(item.copies, key=lambda copy: (copy.rule != "first", copy.first_seen))
    first = ordered[0]
    said: set[tuple[int, str]] = set()
    for copy in ordered:
        why = _why(copy, first if len(ordered) == 2 else None)
        if (copy.source.id, why) not in said:
            said.add((copy.source.id, why))
            yield copy, why


def _why(copy: Copy, other: Copy | None) -> str:
    """`other`: the one copy that it can have been compared with; None where there are several."""
    why = why_joined(copy.rule, copy.figures)
    if copy.rule == "near-duplicate" and other is not None and other.source.id != copy.source.id:
        return why.replace("the same text", f"the same text as at {other.source.name}", 1)
    return why
