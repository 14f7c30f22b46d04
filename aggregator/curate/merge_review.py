"""Merges that turn out to be wrong: which of the texts that were one item are still copies of each other? Pure.

Merging is decided by texts, and texts are edited: what two sources carried under one placeholder becomes two articles.
Entries at one address have to have something in common still, unless a source has come to give it to several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from aggregator.curate.duplicates import Likeness, still_alike
from aggregator.curate.identity import shared_subject
from aggregator.curate.inverted_index import Document, InvertedIndex
from aggregator.curate.thresholds import DUPLICATE
from aggregator.model import Curation, Doubt, ItemText, Merge, Split

__all__ = ["review_merges"]


def review_merges(doubts: Sequence[Doubt], *, duplicate: float = DUPLICATE) -> Curation:
    """Looks at items that were merged and whose texts have been edited since; takes apart what is no longer alike.

    `duplicate` as for `duplicates.likeness`. What is restored waits to be decided like any new item.
    """
    splits, merges = list[Split](), list[Merge]()
    for doubt in doubts:
        texts = _Texts(doubt, duplicate)
        for group in _groups(doubt, texts):
            splits += [
                Split(item_id=doubt.item_id, restore=part, figures=texts.compare(doubt.item_id, part).figures)
                for part in group
            ]
            merges += _joined(group, texts)
    settled = tuple(doubt.item_id for doubt in doubts)
    return Curation(curated=(), settled=settled, splits=tuple(splits), merges=tuple(merges))


class _Texts:
    """The parts of one item, compared when it is asked: most are copies of the first, whatever their number."""

    def __init__(self, doubt: Doubt, duplicate: float) -> None:
        self._index = InvertedIndex()  # one of their own: nothing is counted, nothing is kept
        self._parts = {part.item_id: part for part in doubt.parts}
        self._documents = {part.item_id: self._index.compared(part) for part in doubt.parts}
        self._duplicate = duplicate
        self._found: dict[frozenset[str], Likeness] = {}

    def compare(self, one: str, other: str) -> Likeness:
        """How alike two parts are now."""
        pair = frozenset({one, other})
        if pair not in self._found:
            self._found[pair] = self._at_one_address(self._parts[one], self._parts[other]) or self._likeness(
                self._documents[one], self._documents[other]
            )
        return self._found[pair]

    def at_one_address(self, one: str, other: str) -> bool:
        """Whether the address is what two parts are one by."""
        return self._at_one_address(self._parts[one], self._parts[other]) is not None

    @staticmethod
    def _at_one_address(one: ItemText, other: ItemText) -> Likeness | None:
        """That they are one by their address; None: they are not, and their texts decide."""
        if one.canonical_url is None or one.canonical_url != other.canonical_url:
            return None
        figures = shared_subject(one.canonical_url, (one.title, one.text), (other.title, other.text))
        return None if figures is None else Likeness(score=1.0, figures=figures, least=1.0)

    def _likeness(self, one: Document, other: Document) -> Likeness:
        if one.language != other.language:
            return Likeness(score=0.0, figures={"score": 0.0}, least=self._duplicate)
        is_common = partial(self._index.vocabulary.is_common, one.language)
        return still_alike(one, other, duplicate=self._duplicate, is_common=is_common)


def _groups(doubt: Doubt, texts: _Texts) -> Iterator[list[str]]:
    """The groups of parts that hang together among themselves but no longer with the item itself, oldest part first.

    An item whose own content is gone cannot be compared with: all stays as it is.
    """
    left = [part.item_id for part in doubt.parts]
    if doubt.item_id not in left:
        return
    group = _hanging(doubt.item_id, left, texts)
    while left := [part for part in left if part not in group]:
        group = _hanging(left[0], left, texts)
        yield [part for part in left if part in group]


def _hanging(start: str, parts: Sequence[str], texts: _Texts) -> set[str]:
    """All that is a copy of this part, of a copy of it, and so on."""
    group, waiting = {start}, [start]
    left = [part for part in parts if part != start]
    while waiting and left:
        one = waiting.pop()
        more = {other for other in left if texts.compare(one, other).is_copy}
        left = [other for other in left if other not in more]
        group |= more
        waiting += sorted(more)
    return group


def _joined(group: Sequence[str], texts: _Texts) -> Iterator[Merge]:
    """What hangs together stays one item, under the oldest id among it."""
    keep, *others = group
    for part in others:
        figures: Mapping[str, float] = texts.compare(keep, part).figures
        rule = "canonical-url" if texts.at_one_address(keep, part) else "near-duplicate"
        yield Merge(keep=keep, absorb=part, rule=rule, figures=figures)
