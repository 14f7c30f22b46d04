"""What has been decided of a batch so far. An item may be spoken of several times; what holds is how it stands last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aggregator.curate.document import Document
from aggregator.curate.duplicates import Likeness
from aggregator.curate.stories import Stories
from aggregator.model import Curation, ItemText, Merge, RelatedPair, StoryJoin, StoryMerge

__all__ = ["Decided"]


@dataclass(slots=True)
class Decided:
    """Collects decisions; `curation` is what they come to."""

    merges: list[Merge] = field(default_factory=list)
    story_merges: list[StoryMerge] = field(default_factory=list)
    related: list[RelatedPair] = field(default_factory=list)
    #: by item, the figures of its place in a story
    _joins: dict[str, Mapping[str, float]] = field(default_factory=dict)

    def merge(self, *, keep: Document, absorb: Document, found: Likeness) -> None:
        """Two items are one."""
        self.merges.append(
            Merge(keep=keep.item_id, absorb=absorb.item_id, rule="near-duplicate", figures=found.figures)
        )
        self._joins.pop(absorb.item_id, None)

    def join(self, item_id: str, figures: Mapping[str, float] | None = None) -> None:
        """An item stands in a story, which one will be seen in the end; without figures it founded it."""
        self._joins[item_id] = figures or {}

    def merge_stories(self, *, keep: str, absorb: str, figures: Mapping[str, float]) -> None:
        """A story is an alias from now on."""
        if keep != absorb:
            self.story_merges.append(StoryMerge(keep=keep, absorb=absorb, figures=figures))

    def curation(self, batch: Sequence[ItemText], stories: Stories) -> Curation:
        """A merge settles the item that is absorbed: its id means the other one from now on."""
        absorbed = {merge.absorb for merge in self.merges}
        placed = {item_id: own.id for item_id in self._joins if (own := stories.of(item_id)) is not None}
        return Curation(
            curated=tuple(item.item_id for item in batch if item.item_id not in absorbed),
            merges=tuple(self.merges),
            story_merges=tuple(self.story_merges),
            joins=tuple(
                StoryJoin(item_id=item_id, story=story, figures=self._joins[item_id])
                for item_id, story in placed.items()
            ),
            related=tuple(self.related),
        )
