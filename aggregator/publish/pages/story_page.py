"""Who reported a story, and when: the page of the story, and "Also covered by" of an article. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator.model import Item, SourceRef

__all__ = ["Lane", "StoryPage", "compose_story", "coverage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The reports of one publisher along the hours of the story."""

    source: SourceRef
    reports: int
    #: where each report stands, in per cent of the way
    points: tuple[float, ...]
    #: this publisher was the first
    is_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPage:
    """A story as its page shows it."""

    story: str
    #: the newest report of the publisher that has most, whose title stands for the story
    face: Item
    #: newest first
    reports: tuple[Item, ...]
    lanes: tuple[Lane, ...]
    first: Item
    last: Item
    #: from the first report to the last
    span: timedelta

    def later(self, item: Item) -> timedelta:
        """How long after the first report this one came."""
        return item.published - self.first.published

    @property
    def middle(self) -> datetime:
        """Half way between the first report and the last."""
        return self.first.published + self.span / 2


def compose_story(story: str, items: Sequence[Item]) -> StoryPage:
    """The page of a story with at least one item."""
    ordered = sorted(items, key=lambda item: (item.published, item.id))
    first, last = ordered[0], ordered[-1]
    span = last.published - first.published
    counts = Counter(item.source.id for item in ordered)
    by_source: dict[int, list[Item]] = {}
    for item in ordered:
        by_source.setdefault(item.source.id, []).append(item)
    lanes = tuple(
        Lane(
            source=members[0].source,
            reports=len(members),
            points=tuple(_share(item.published - first.published, span) for item in members),
            is_first=members[0] is first,
        )
        for members in by_source.values()
    )
    face = max(ordered, key=lambda item: (counts[item.source.id], bool(item.image_url), item.published, item.id))
    return StoryPage(
        story=story, face=face, reports=tuple(reversed(ordered)), lanes=lanes, first=first, last=last, span=span
    )


def coverage(item: Item, story: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Of the other items of its story the newest of each other source, and those of its own source."""
    carriers = {copy.source.id for copy in item.copies} | {item.source.id}
    newest: dict[int, Item] = {}
    same = []
    for other in sorted(story, key=lambda one: (one.published, one.id), reverse=True):
        if other.id == item.id:
            continue
        if other.source.id in carriers:
            same.append(other)
        else:
            newest.setdefault(other.source.id, other)
    return list(newest.values()), same


def _share(part: timedelta, whole: timedelta) -> float:
    """In per cent, away from the edges where a point would be cut off."""
    return round(2 + 96 * (part / whole), 1) if whole else 50.0
