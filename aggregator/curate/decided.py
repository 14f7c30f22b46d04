"""What has been decided of a batch so far. An item may be spoken of several times; what holds is how it stands last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aggregator.curate.document import Document
from aggregator.curate.duplicates import Likeness
from aggregator.curate.stories import Stories, Story
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
    #: by id of a story, the one in which its items stand now
    _moved: dict[str, str] = field(default_factory=dict)
    #: ids of stories that began as a part of another
    _parted: set[str] = field(default_factory=set)

    def merge(self, *, keep: Document, absorb: Document, found: Likeness) -> None:
        """Two items are one."""
        self.merges.append(
            Merge(keep=keep.item_id, absorb=absorb.item_id, rule="near-duplicate", figures=found.figures)
        )
        self._joins.pop(absorb.item_id, None)

    def join(self, item_id: str, figures: Mapping[str, float] | None = None) -> None:
        """An item stands in a story, which one will be seen in the end; without figures those stay that brought it."""
        self._joins[item_id] = figures or {}

    def merge_stories(self, *, keep: Story, absorb: str, figures: Mapping[str, float]) -> None:
        """A story is an alias from now on.

        Of a story that was parted from another in this batch nobody knows yet: its items are told of one by one.
        """
        if keep.id == absorb:
            return
        self._moved.setdefault(absorb, keep.id)
        if self._parted.isdisjoint({keep.id, absorb}):
            self.story_merges.append(StoryMerge(keep=keep.id, absorb=absorb, figures=figures))
        else:
            self.part(keep)

    def part(self, story: Story) -> None:
        """All its items are told of: it was parted from another, or joined one that was."""
        self._parted.add(story.id)
        for member in story.members:
            if member.item_id not in self._joins:
                self.join(member.item_id)

    def renamed(self, story: str, new: str) -> None:
        """The items of a story go on under another id; its own follows the item that founded it."""
        self._moved[story] = new

    def present(self, document: Document, story: str | None) -> str | None:
        """The story that goes on where this one, in which the item stood when the batch began, has gone."""
        seen = {story}
        while story is not None and (new := self._moved.get(story, story)) not in seen:
            self.join(document.item_id)
            seen.add(new)
            story = new
        return story

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
