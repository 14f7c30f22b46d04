"""Same item, same story, alike: all three decided for a batch of items, by one search of the index each.

`Curator` holds the last 30 days in memory. It decides and does not act: what it decided is a `Curation`, which the
caller commits. If that fails, the caller makes a new one and loads it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from aggregator.curate import duplicates, related
from aggregator.curate.boilerplate import Boilerplate
from aggregator.curate.duplicates import Likeness, Series, cannot_be, likeness
from aggregator.curate.embeddings import Embeddings
from aggregator.curate.inverted_index import Document, Hit, InvertedIndex
from aggregator.curate.language_detection import UNKNOWN
from aggregator.curate.stories import CurationBuilder, Stories
from aggregator.curate.story_assignment import StoryAssignment
from aggregator.curate.thresholds import Thresholds
from aggregator.model import Curation, ItemText

__all__ = ["KEPT", "KEPT_AT_MOST", "YOUNG", "Curator"]

#: history is read in blocks, so that no more than one is in memory as text
LOADED_AT_ONCE = 500
#: what is older than this is let go of, and what is not among so many newest: about 2 KB each …
KEPT = timedelta(days=30)
KEPT_AT_MOST = 100_000
#: … unless it is so young that stories may still grow by it; but never more than so many times that number
YOUNG, YOUNG_AT_MOST = timedelta(hours=48), 3
#: letting go is done for many at a time
EVICTED_EVERY = timedelta(hours=6)
EVICTED_AT = 1.05


class Curator:
    """Decides about items in the order in which they arrive, knowing the last 30 days and at most `kept` items."""

    def __init__(self, *, kept: int = KEPT_AT_MOST, embeddings: Embeddings | None = None) -> None:
        self._max_items = self._limit = kept
        #: what sentences say, where that counts for what is related
        self._embeddings = embeddings
        self._index = InvertedIndex()
        self._stories = Stories(self._index)
        self._assignment = StoryAssignment(self._index, self._stories)
        self._series = Series()
        self._boilerplate = Boilerplate()
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

    def load(self, history: Iterable[ItemText], *, now: datetime | None = None) -> int:
        """Takes over items that were decided earlier, oldest first; how many it did not know yet.

        `now` as for `decide`.
        """
        fresh = (item for item in history if item.item_id not in self._index)
        known = 0
        while chunk := list(islice(fresh, LOADED_AT_ONCE)):
            self._take_over(chunk, now or chunk[-1].published)
            known += len(chunk)
        return known

    def _take_over(self, items: Sequence[ItemText], now: datetime) -> None:
        for item in items:
            self._boilerplate.count(item)
        documents = [self._read(item) for item in items]
        for item, document in zip(items, documents, strict=True):
            if document.published < now - duplicates.COPIED_WITHIN:
                document.shrink()
            self._keep(document)
            self._stories.put(item.story or item.item_id, document)
        if self._crowded():
            self._let_go(now)

    def decide(self, batch: Sequence[ItemText], *, now: datetime | None = None) -> Curation:
        """What is decided about these items, all words of the batch counted first. Deterministic.

        `now`: what is too old is let go of by it; None: by the newest of the batch.
        """
        builder = CurationBuilder()
        items = sorted(batch, key=lambda item: (item.published, item.item_id))
        for item in items:
            if item.item_id not in self._index:
                self._boilerplate.count(item)
        former = {item.item_id: self._forget(item.item_id) for item in items}
        documents = [self._read(item) for item in items]
        builder.languages = {one.item_id: _known(one.language) for one in documents}
        for item, document in zip(items, documents, strict=True):
            self._decide(document, builder.present(document, former[item.item_id] or item.story), builder)
        curation = builder.curation(batch, self._stories)
        if items:
            self._let_go(now or items[-1].published)
        return curation

    def _decide(self, document: Document, story: str | None, builder: CurationBuilder) -> None:
        hits = self._index.ask(document, since=document.published - related.LOOKS_BACK)
        twin = self._twin(document, hits)
        if twin is not None and not _older(document, twin[0]):
            self._merge(document, story, *twin, builder)
            return
        theirs = None
        if twin is not None:
            hits = [hit for hit in hits if hit.document is not twin[0]]
            theirs = self._take_in(document, *twin, builder)
            story = self._instead(document, story, theirs, twin[1], builder)
        probe = self._index.probe(document)
        own = self._assignment.place(document, probe, story, hits, builder)
        self._keep(document)
        if twin is not None and theirs == twin[0].item_id:
            self._assignment.unite(own, theirs, twin[1], builder)
            own = self._stories.of(document.item_id) or own
        builder.related += related.most_alike(
            document,
            probe,
            hits,
            index=self._index,
            siblings=own.ids,
            embeddings=self._embeddings,
            wider=lambda: self._index.ask(document, since=document.published - related.LOOKS_BACK, wide=True),
        )
        self._assignment.draw(document, probe, own, hits, builder)

    # --- the same article ---------------------------------------------------------
    def _twin(self, document: Document, hits: Iterable[Hit]) -> tuple[Document, Likeness] | None:
        """The item of which this is the syndicated copy, or which is a copy of this, if there is one."""
        if self._series.recurs(document):
            return None
        best: tuple[Document, Likeness] | None = None
        pairs, duplicate = frozenset(document.pairs), self.thresholds.duplicate
        is_common = partial(self._index.vocabulary.is_common, document.language)
        for hit in hits:
            other = hit.document
            if hit.shared < duplicates.SHARED_TERMS or not self._comparable(document, other):
                continue
            if cannot_be(pairs, other, duplicate=duplicate):
                continue
            found = likeness(document, other, duplicate=duplicate, is_common=is_common)
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
        self, document: Document, story: str | None, original: Document, found: Likeness, builder: CurationBuilder
    ) -> None:
        builder.merge(keep=original, absorb=document, found=found)
        self._index.vocabulary.uncount(document.language, document.terms)
        kept = self._stories.of(original.item_id)
        if story == document.item_id and kept is not None:
            self._assignment.unite(kept, story, found, builder)

    def _take_in(self, document: Document, copy: Document, found: Likeness, builder: CurationBuilder) -> str | None:
        """The same where the younger item was decided first: the older id stays. Gives the younger one's story."""
        builder.merge(keep=document, absorb=copy, found=found)
        return self._forget(copy.item_id)

    def _instead(
        self, document: Document, story: str | None, theirs: str | None, found: Likeness, builder: CurationBuilder
    ) -> str | None:
        """The story to be placed in: that of the copy, if others stand in it and the document has none of that kind."""
        others = self._stories.get(theirs) if theirs else None
        if others is None or (story and self._stories.get(story)):
            return story
        builder.join(document.item_id, found.figures)
        if story is not None:
            builder.merge_stories(keep=others, absorb=story, figures=found.figures)
        return theirs

    # --- what is known ------------------------------------------------------------
    def _read(self, item: ItemText) -> Document:
        if self._embeddings is not None:
            self._embeddings.note(item)
        return self._index.read(self._boilerplate.strip(item), whole=item.text)

    def _keep(self, document: Document) -> None:
        self._index.add(document)
        self._series.note(document)

    def _forget(self, item_id: str) -> str | None:
        """An item that is decided anew leaves the index; the story it stood in."""
        document = self._index.get(item_id)
        if document is None:
            return None
        story = self._stories.of(item_id)
        self._stories.take_out(document)
        self._index.remove(document)
        self._series.forget(document)
        return story.id if story else None

    def _let_go(self, now: datetime) -> None:
        """Forgets what is too old. A clock that was wrong heals with the next call."""
        crowded = self._crowded()
        if not crowded and self._evicted is not None and abs(now - self._evicted) < EVICTED_EVERY:
            return
        self._evicted = now
        for document in self._index.evict(self._kept_since(now) if crowded else now - KEPT):
            self._series.forget(document)
            self._stories.leave(document.item_id)
        self._limit = max(self._max_items, len(self._index))
        self._index.shrink(now - duplicates.COPIED_WITHIN)
        self._stories.rest(now - self.thresholds.window * 2)

    def _kept_since(self, now: datetime) -> datetime:
        """Where there are too many: the newest `_max_items` stay, and beyond them what is young, within bounds."""
        oldest = min(self._index.since(self._max_items), now - YOUNG)
        return max(now - KEPT, oldest, self._index.since(YOUNG_AT_MOST * self._max_items))

    def _crowded(self) -> bool:
        return len(self._index) > EVICTED_AT * self._limit

    @property
    def oldest(self) -> datetime | None:
        """When the oldest item it knows was published; None: it knows none."""
        return min((document.published for document in self._index), default=None)

    def cut_to(self, now: datetime) -> timedelta | None:
        """How far back it knows items, if there have been too many to know all of the last two days; else None."""
        if len(self._index) < YOUNG_AT_MOST * self._max_items or (oldest := self.oldest) is None:
            return None
        return now - oldest if oldest > now - YOUNG else None

    def knows(self, item_id: str) -> bool:
        """It knows the item itself, not only what it was merged into."""
        return item_id in self._index

    def story(self, item_id: str) -> str | None:
        """The story an item stands in; None if the item is not known."""
        own = self._stories.of(item_id)
        return own.id if own else None

    # --- for those who rank and recommend -------------------------------------------
    def vector(self, item_id: str) -> Mapping[int, float]:
        """The terms of an item by weight, of unit length; empty if it is not known."""
        document = self._index.get(item_id)
        return self._index.vector(document) if document else {}

    def weigh(self, item: ItemText) -> Mapping[int, float]:
        """The terms of any text by weight, of unit length."""
        return self._index.weigh(item)


def _known(language: str) -> str:
    return "" if language == UNKNOWN else language


def _older(document: Document, other: Document) -> bool:
    """Its id has stood for something for longer; of two that came together, what was published first."""
    if document.first_seen is None or other.first_seen is None:
        return False
    mine, theirs = ((one.first_seen, one.published, one.item_id) for one in (document, other))
    return mine < theirs
