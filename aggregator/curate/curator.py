"""Same item, same story, alike: all three decided for a batch of items, by one search of the index each.

`Curator` holds the last 30 days in memory. It decides and does not act: what it decided is a `Curation`, which the
caller commits. If that fails, the caller makes a new one and loads it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from aggregator.curate import duplicates, related
from aggregator.curate.document import Document
from aggregator.curate.duplicates import Likeness, likeness
from aggregator.curate.index import Hit, Index, Probe
from aggregator.curate.series import Series
from aggregator.curate.stories import Fit, Stories, Story, join_from
from aggregator.curate.thresholds import Thresholds
from aggregator.model import Curation, ItemText, Merge, RelatedPair, StoryJoin, StoryMerge

__all__ = ["Curator"]

#: this many of the best candidates decide which stories are looked at
STORY_CANDIDATES = 20
#: history is read in portions, so that no more than one is in memory as text
LOADED_AT_ONCE = 500
#: what is older than this is let go of, and what is not among so many newest: about 2 KB each
KEPT = timedelta(days=30)
KEPT_AT_MOST = 100_000
#: letting go is done for many at a time
EVICTED_EVERY = timedelta(hours=6)
EVICTED_AT = 1.05


@dataclass(slots=True)
class _Decided:
    """What has been decided of a batch so far."""

    merges: list[Merge] = field(default_factory=list)
    joins: list[StoryJoin] = field(default_factory=list)
    story_merges: list[StoryMerge] = field(default_factory=list)
    related: list[RelatedPair] = field(default_factory=list)


class Curator:
    """Decides about items in the order in which they arrive, knowing the last 30 days and at most `kept` items."""

    def __init__(self, *, kept: int = KEPT_AT_MOST) -> None:
        self._kept = kept
        self._index = Index()
        self._stories = Stories(self._index)
        self._series = Series()
        self._evicted: datetime | None = None

    @property
    def thresholds(self) -> Thresholds:
        """How alike is the same; what is set holds for what is decided from then on."""
        return self._stories.thresholds

    @thresholds.setter
    def thresholds(self, thresholds: Thresholds) -> None:
        self._stories.thresholds = thresholds

    def __len__(self) -> int:
        """How many items it knows."""
        return len(self._index)

    def load(self, history: Iterable[ItemText]) -> int:
        """Takes over items that were decided earlier, oldest first; how many it did not know yet."""
        fresh = (item for item in history if item.item_id not in self._index)
        known = 0
        while chunk := list(islice(fresh, LOADED_AT_ONCE)):
            self._take_over(chunk)
            known += len(chunk)
        return known

    def _take_over(self, items: Sequence[ItemText]) -> None:
        documents = [self._index.read(item) for item in items]
        for item, document in zip(items, documents, strict=True):
            self._keep(document)
            self._stories.put(item.story or item.item_id, document)
        if self._crowded():
            self._let_go(items[-1].published)

    def decide(self, batch: Sequence[ItemText]) -> Curation:
        """What is decided about these items, all words of the batch counted first. Deterministic."""
        decided = _Decided()
        items = sorted(batch, key=lambda item: (item.published, item.item_id))
        former = {item.item_id: self._forget(item.item_id) for item in items}
        documents = [self._index.read(item) for item in items]
        for item, document in zip(items, documents, strict=True):
            self._decide(document, former[item.item_id] or item.story, decided)
        if items:
            self._let_go(items[-1].published)
        # a merge settles the item that is absorbed: its id means the other one from now on
        absorbed = {merge.absorb for merge in decided.merges}
        return Curation(
            curated=tuple(item.item_id for item in batch if item.item_id not in absorbed),
            merges=tuple(decided.merges),
            joins=tuple(decided.joins),
            story_merges=tuple(decided.story_merges),
            related=tuple(decided.related),
        )

    def _decide(self, document: Document, story: str | None, decided: _Decided) -> None:
        hits = self._index.ask(document, since=document.published - related.LOOKS_BACK)
        twin = self._twin(document, hits)
        if twin is not None and not _older(document, twin[0]):
            self._merge(document, story, *twin, decided)
            return
        theirs = None
        if twin is not None:
            hits = [hit for hit in hits if hit.document is not twin[0]]
            theirs = self._take_in(document, *twin, decided)
            story = self._instead(document, story, theirs, twin[1], decided)
        probe = self._index.probe(document)
        own = self._place(document, probe, story, hits, decided)
        self._keep(document)
        if twin is not None and theirs == twin[0].item_id:
            self._unite(own, theirs, twin[1], decided)
        decided.related += related.most_alike(document, probe, hits, index=self._index, siblings=own.ids)

    # --- the same article ---------------------------------------------------------
    def _twin(self, document: Document, hits: Iterable[Hit]) -> tuple[Document, Likeness] | None:
        """The item of which this is the syndicated copy, or which is a copy of this, if there is one."""
        if self._series.recurs(document):
            return None
        best: tuple[Document, Likeness] | None = None
        for hit in hits:
            other = hit.document
            if hit.shared < duplicates.SHARED_TERMS or not self._comparable(document, other):
                continue
            found = likeness(document, other, duplicate=self.thresholds.duplicate)
            if found.is_copy and (best is None or found.score > best[1].score):
                best = (other, found)
        return best

    def _comparable(self, document: Document, other: Document) -> bool:
        return (
            other.source_id != document.source_id
            and abs(other.published - document.published) <= duplicates.COPIED_WITHIN
            and not self._series.recurs(other)
        )

    def _merge(
        self, document: Document, story: str | None, original: Document, found: Likeness, decided: _Decided
    ) -> None:
        decided.merges.append(_merge(original, document, found))
        self._index.lexicon.uncount(document.language, document.terms)
        kept = self._stories.of(original.item_id)
        if story == document.item_id and kept is not None:
            self._unite(kept, story, found, decided)

    def _take_in(self, document: Document, copy: Document, found: Likeness, decided: _Decided) -> str | None:
        """The same where the younger item was decided first: the older id stays. Gives the younger one's story."""
        decided.merges.append(_merge(document, copy, found))
        decided.joins = [join for join in decided.joins if join.item_id != copy.item_id]
        return self._forget(copy.item_id)

    def _instead(
        self, document: Document, story: str | None, theirs: str | None, found: Likeness, decided: _Decided
    ) -> str | None:
        """The story to be placed in: that of the copy, if others stand in it and the document has none of that kind."""
        if theirs is None or not self._stories_size(theirs) or (story and self._stories_size(story)):
            return story
        decided.joins.append(StoryJoin(item_id=document.item_id, story=theirs, figures=found.figures))
        if story is not None and story != theirs:
            decided.story_merges.append(StoryMerge(keep=theirs, absorb=story, figures=found.figures))
        return theirs

    def _unite(self, own: Story, story: str, found: Likeness, decided: _Decided) -> None:
        """The item that founded `story`, if it founded one, is one with an item of `own`, and so are the stories."""
        other = self._stories.get(story)
        if own.id == story:
            return
        if other is not None:
            own, other = self._stories.unite(own, other)
            story = other.id
        decided.story_merges.append(StoryMerge(keep=own.id, absorb=story, figures=found.figures))

    # --- the same event -----------------------------------------------------------
    def _place(
        self,
        document: Document,
        probe: Probe,
        story: str | None,
        hits: Sequence[Hit],
        decided: _Decided,
    ) -> Story:
        """Finds the item's story; one that stands in a story with others stays there for good."""
        alone = story == document.item_id and self._stories_size(story) == 0
        if story is not None and not alone:
            return self._stories.put(story, document)
        window = self.thresholds.window
        near = [hit for hit in hits if abs(hit.document.published - document.published) <= window * 2]
        likeliest = [(hit.document, hit.shared) for hit in near[:STORY_CANDIDATES]]
        fits = self._stories.fits(document, probe, likeliest, join=self._join_from(document))
        if not fits:
            decided.joins.append(StoryJoin(item_id=document.item_id, story=document.item_id))
            return self._stories.put(document.item_id, document)
        own = self._join(document, fits, decided)
        if story is not None:
            decided.story_merges.append(StoryMerge(keep=own.id, absorb=story, figures=fits[0].figures))
        return own

    def _join_from(self, document: Document) -> float:
        return join_from(
            alive=self._index.around(document, self.thresholds.window),
            counted=self._index.lexicon.size(document.language),
            strictness=self.thresholds.strictness,
        )

    def _stories_size(self, story: str) -> int:
        held = self._stories.get(story)
        return len(held.members) if held else 0

    def _join(self, document: Document, fits: Sequence[Fit], decided: _Decided) -> Story:
        best = fits[0]
        story = best.story
        for other in fits[1:]:
            if self._stories.unites(best, other):
                story, gone = self._stories.unite(best.story, other.story)
                decided.story_merges.append(StoryMerge(keep=story.id, absorb=gone.id, figures=other.figures))
                break
        decided.joins.append(StoryJoin(item_id=document.item_id, story=story.id, figures=best.figures))
        return self._stories.put(story.id, document)

    # --- what is known ------------------------------------------------------------
    def _keep(self, document: Document) -> None:
        self._index.add(document)
        self._series.note(document)

    def _forget(self, item_id: str) -> str | None:
        """An item that is decided anew leaves the index; the story it stood in."""
        document = self._index.get(item_id)
        if document is None:
            return None
        story = self._stories.of(item_id)
        self._index.remove(document)
        self._series.forget(document)
        self._stories.leave(item_id)
        return story.id if story else None

    def _let_go(self, newest: datetime) -> None:
        """Forgets what is too old, by the newest item at hand: a wrong clock heals with the next."""
        crowded = self._crowded()
        if not crowded and self._evicted is not None and abs(newest - self._evicted) < EVICTED_EVERY:
            return
        self._evicted = newest
        before = newest - KEPT
        for document in self._index.evict(max(before, self._index.since(self._kept)) if crowded else before):
            self._series.forget(document)
            self._stories.leave(document.item_id)
        self._index.shrink(newest - duplicates.COPIED_WITHIN)
        self._stories.rest(newest - self.thresholds.window * 2)

    def _crowded(self) -> bool:
        return len(self._index) > EVICTED_AT * self._kept

    # --- for those who rank and recommend -------------------------------------------
    def vector(self, item_id: str) -> Mapping[int, float]:
        """The terms of an item by weight, of unit length; empty if it is not known."""
        document = self._index.get(item_id)
        return self._index.vector(document) if document else {}

    def weigh(self, item: ItemText) -> Mapping[int, float]:
        """The terms of any text by weight, of unit length."""
        return self._index.weigh(item)


def _older(document: Document, other: Document) -> bool:
    """Its id has stood for something for longer; of two that came together, what was published first."""
    if document.first_seen is None or other.first_seen is None:
        return False
    mine, theirs = ((one.first_seen, one.published, one.item_id) for one in (document, other))
    return mine < theirs


def _merge(keep: Document, absorb: Document, found: Likeness) -> Merge:
    return Merge(keep=keep.item_id, absorb=absorb.item_id, rule="near-duplicate", figures=found.figures)
