"""Which story an item stands in: found when it comes, and looked at again when its text or what is around it changes.

A story has the id of the item that founded it, and that id follows the item: it is its story's, or an alias of the
story that the item stands in. When a story falls into parts, the one with its founder keeps the id; every other part
has that of its oldest item.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import combinations

from aggregator.curate.duplicates import Likeness
from aggregator.curate.inverted_index import Document, Hit, InvertedIndex, Probe
from aggregator.curate.stories import CurationBuilder, Fit, Stories, Story, join_from

__all__ = ["StoryAssignment"]

#: so many of the best candidates decide which stories are looked at (B³ is the same with 10, 14 and 20)
CANDIDATES = 12
#: an item of the last day moves to a story that it fits better than its own, and so much better than joining takes
REASSIGNED_WITHIN = timedelta(days=1)
CLEARLY = 0.05
#: an edited item stays in its story as long as it fits as well as this share of what it takes to join
STAYS = 0.8
#: a story that an edited item has left is looked at whole if it has at most so many others
LOOKED_THROUGH = 40


class StoryAssignment:
    """Puts items into `stories`."""

    def __init__(self, index: InvertedIndex, stories: Stories) -> None:
        self._index = index
        self._stories = stories

    # --- an item that has come, or was edited ---------------------------------------------------
    def place(
        self, document: Document, probe: Probe, story: str | None, hits: Sequence[Hit], builder: CurationBuilder
    ) -> Story:
        """The item's story. `story`: the one it stood in until its text changed; None where it is new."""
        fits = self._fits(document, probe, hits)
        if story is not None and not (story == document.item_id and not self.size(story)):
            return self._again(document, probe, story, fits, builder)
        if not fits:
            return self._found(document, builder)
        own = self._join(document, fits, builder)
        if story is not None:
            builder.merge_stories(keep=own, absorb=story, figures=fits[0].figures)
        return own

    def size(self, story: str) -> int:
        """How many items stand in it."""
        held = self._stories.get(story)
        return len(held.members) if held else 0

    def _fits(self, document: Document, probe: Probe, hits: Sequence[Hit]) -> list[Fit]:
        window = self._stories.thresholds.window
        near = [hit for hit in hits if abs(hit.document.published - document.published) <= window * 2]
        likeliest = [(hit.document, hit.shared) for hit in near[:CANDIDATES]]
        return self._stories.fits(document, probe, likeliest, join=self._join_from(document))

    def _join_from(self, document: Document) -> float:
        thresholds = self._stories.thresholds
        return join_from(
            alive=self._index.around(document, thresholds.window),
            counted=self._index.vocabulary.size(document.language),
            strictness=thresholds.strictness,
        )

    def _found(self, document: Document, builder: CurationBuilder) -> Story:
        """A story of its own, under its own id: others that stand in a story of that id go on under another."""
        former = self._stories.get(document.item_id)
        if former is not None:
            self._rename(former, builder)
        builder.join(document.item_id)
        return self._stories.put(document.item_id, document)

    def _join(self, document: Document, fits: Sequence[Fit], builder: CurationBuilder) -> Story:
        best = fits[0]
        story = best.story
        for other in fits[1:]:
            if self._stories.unites(best, other):
                story, gone = self._stories.unite(best.story, other.story)
                builder.merge_stories(keep=story, absorb=gone.id, figures=other.figures)
                break
        builder.join(document.item_id, best.figures)
        return self._stories.put(story.id, document)

    # --- an item whose text has changed -----------------------------------------------------------
    def _again(
        self, document: Document, probe: Probe, story: str, fits: Sequence[Fit], builder: CurationBuilder
    ) -> Story:
        """It stays with the others unless it fits another story clearly better, or theirs no more."""
        held = self._stories.get(story)
        if held is None or not held.comparable:
            return self._stories.put(story, document)
        own, join = self._stories.fit(held, probe), self._join_from(document)
        better = [fit for fit in fits if fit.story is not held]
        if better and better[0].cosine > max(own, join + CLEARLY):
            left = self._join(document, better, builder)
            if held.id == document.item_id and self._stories.get(held.id) is held:
                self._rename(held, builder)
                builder.merge_stories(keep=left, absorb=document.item_id, figures=better[0].figures)
        elif own < join * STAYS:
            left = self._found(document, builder)
        else:
            return self._stories.put(story, document)
        self._look_through(held, builder)
        return left

    def _rename(self, story: Story, builder: CurationBuilder) -> None:
        """Its founder stands elsewhere: its oldest item gives it its id."""
        heir = min(story.members, key=_age).item_id
        builder.renamed(story.id, heir)
        self._stories.rename(story, heir)
        builder.part(story)

    def _look_through(self, story: Story, builder: CurationBuilder) -> None:
        """Does what an item has left still hang together? Parts without its founder are stories of their own."""
        if not 1 < len(story.members) <= LOOKED_THROUGH:
            return
        founder = min(story.members, key=lambda member: (member.item_id != story.id, _age(member)))
        for part in self._parts(story.members):
            if founder not in part:
                for member in part:
                    self._stories.take_out(member)
                for member in part:
                    own = self._stories.put(min(part, key=_age).item_id, member)
                builder.part(own)

    def _parts(self, members: Sequence[Document]) -> list[list[Document]]:
        """Items in groups without anything that would make an item of one join an item of another."""
        parts = [[member] for member in members]
        probes = {member.item_id: self._index.probe(member) for member in members}
        for one, other in combinations(members, 2):
            first, second = (next(part for part in parts if member in part) for member in (one, other))
            linked = self._join_from(one) * STAYS
            if first is not second and self._index.cosine(probes[one.item_id], other) >= linked:
                parts.remove(second)
                first.extend(second)
        return parts

    # --- what is around it has changed --------------------------------------------------------------
    def draw(
        self, document: Document, probe: Probe, story: Story, hits: Iterable[Hit], builder: CurationBuilder
    ) -> None:
        """An item has come to a story: items of the last day that resemble it may fit there better than where they are.

        A founder stays as long as others stand with it.
        """
        near = [hit for hit in hits if abs(hit.document.published - document.published) <= REASSIGNED_WITHIN]
        # nearly the same moment for all of them, so nearly the same number in the air
        join = self._join_from(document) + CLEARLY
        centre: Probe | None = None
        for hit in near[:CANDIDATES]:
            present = self._stories.of(hit.document.item_id)
            if present is None or present is story or not self._may_leave(hit.document, present):
                continue
            centre = centre or (probe if story.members == [document] else self._stories.probe(story))
            cosine = self._index.cosine(centre, hit.document)
            better = self._stories.fits_one(story, hit.document, cosine, hit.shared, join=join)
            if better is not None and better.cosine > self._fit_of(hit.document, present):
                self._move(hit.document, present, better, builder)
                centre = None

    def _fit_of(self, document: Document, story: Story) -> float:
        """How well it fits the others where it stands."""
        if len(story.members) == 1:
            return 0.0
        return self._stories.fit_without(story, document, self._index.probe(document))

    def _may_leave(self, document: Document, story: Story) -> bool:
        return story.comparable and (len(story.members) == 1 or story.id != document.item_id)

    def _move(self, document: Document, present: Story, fit: Fit, builder: CurationBuilder) -> None:
        self._stories.take_out(document)
        self._stories.put(fit.story.id, document)
        builder.join(document.item_id, fit.figures)
        if not present.members:
            builder.merge_stories(keep=fit.story, absorb=present.id, figures=fit.figures)

    # --- the same article -----------------------------------------------------------------------------
    def unite(self, own: Story, story: str, found: Likeness, builder: CurationBuilder) -> None:
        """The item that founded `story` is one with an item of `own`: so are the stories, if they are alike.

        If not, an edit has made it another article, and the others of its story go on without it.
        """
        other = self._stories.get(story)
        if own.id == story:
            return
        if other is not None and self._stories.alike(own, other):
            own, other = self._stories.unite(own, other)
            story = other.id
        elif other is not None:
            self._rename(other, builder)
        builder.merge_stories(keep=own, absorb=story, figures=found.figures)


def _age(document: Document) -> tuple[datetime, str]:
    return document.published, document.item_id
