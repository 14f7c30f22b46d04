"""Most viewed: the items that most different readers opened in a window. Pure; by DESIGN.md 7 and CURATE.md 5.

What is said to be counted is what is counted: places are taken by exact counts (ties: more sources, then newer), and no
weight or boost moves them; a rule's pin does, and says so. Where too few items have been opened yet, the signals of
`popularity` fill the places behind, and the basis says that as well.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice

from aggregator.curate.candidate_index import Block, CachedIterator, Key, TimeIndex, time_index_of
from aggregator.curate.explanations import counted, reasons_of, relative_reasons
from aggregator.curate.popularity import PRIOR_VIEWS, Field, favour, survey
from aggregator.curate.running_totals import moment_of
from aggregator.curate.windows import in_words, span
from aggregator.model import Candidate, Listed
from aggregator.model.curating import Basis

__all__ = ["Ranked", "most_viewed", "rank"]

#: signals of an item fade by half in six hours, in long windows in a quarter of the window
FADES_IN = timedelta(hours=6)
#: where readers have not been yet, a list may reach further back than its window
FILLED_FROM = timedelta(days=1)
#: places filled by signals: this many per source in ten, unless too few sources are followed
PER_SOURCE_IN_TEN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A list in its order, and what the order rests on."""

    places: tuple[Listed, ...]
    basis: Basis


def rank(
    candidates: Iterable[Candidate] | TimeIndex,
    counts: Mapping[str, int],
    *,
    now: datetime,
    window: str,
    size: int,
    max_per_source: int | None = None,
    field: Field | None = None,
    rising: Collection[str] = (),
) -> Ranked:
    """The `size` most viewed of the candidates, by `counts` of the window.

    `field`: the survey of all candidates of the site, where these are only some of them; `rising`: items that are
    to be called so. A index knows the counts of its items already.
    """
    index = candidates if isinstance(candidates, TimeIndex) else time_index_of(candidates, {window: counts})
    field = field or survey(index, now=now)
    chosen = most_viewed(index, counts, now=now, window=window, size=size, max_per_source=max_per_source)
    filled = _fill(index, chosen, field=field, window=window, size=size, max_per_source=max_per_source)
    places = [_by_views(item, counts, now=now, window=window, rising=rising) for item in chosen]
    places += [_by_signals(item, score, field=field) for item, score in filled]
    viewed = any(True for _ in index.viewed(window))
    return Ranked(places=relative_reasons(places), basis=_basis(bool(chosen and viewed), bool(filled), bool(chosen)))


def most_viewed(
    index: TimeIndex,
    counts: Mapping[str, int],
    *,
    now: datetime,
    window: str,
    size: int,
    max_per_source: int | None = None,
) -> list[Candidate]:
    """The `size` items that were opened most in a window, what a rule has pinned first: the places by count alone."""
    pinned = sorted((item for item in index.pinned.values() if _pinned(item, now)), key=lambda i: _place(i, counts))
    known = {item.item_id for item in pinned}
    unpinned = (item for item in index.viewed(window) if item.item_id not in known)
    return _within(chain(pinned, unpinned), size, max_per_source)


def _place(item: Candidate, counts: Mapping[str, int]) -> tuple[int, int, float, str]:
    """More readers, then more sources, then newer; the id last, so that the order is the same every time."""
    return (-counts.get(item.item_id, 0), -item.sources, -item.published.timestamp(), item.item_id)


def _pinned(item: Candidate, now: datetime) -> bool:
    return item.pinned_until is not None and item.pinned_until > now


def _within(items: Iterable[Candidate], size: int, max_per_source: int | None) -> list[Candidate]:
    """The first `size` of them, none of a source that has had its share."""
    taken: Counter[int] = Counter()
    chosen: list[Candidate] = []
    for item in items:
        if len(chosen) == size:
            break
        if max_per_source is None or taken[item.source_id] < max_per_source:
            taken[item.source_id] += 1
            chosen.append(item)
    return chosen


def _basis(by_views: bool, by_signals: bool, any_chosen: bool) -> Basis:
    if by_signals:
        return "mixed" if by_views else "signals"
    return "views" if by_views or not any_chosen else "signals"


def _fill(
    index: TimeIndex,
    chosen: Sequence[Candidate],
    *,
    field: Field,
    window: str,
    size: int,
    max_per_source: int | None,
) -> list[tuple[Candidate, float]]:
    """Items nobody has opened in the window, by their signals, for the places that are left: one per story.

    At most half of what there is, so that something is left to recommend on a site that has just begun.
    """
    places, known = size - len(chosen), {item.item_id for item in chosen}
    since = field.now - max(span(window), FILLED_FROM)
    fresh = sum(1 for _ in islice((item for item in index.since(since) if item.item_id not in known), 2 * places))
    free = min(places, (fresh + 1) // 2)
    if free <= 0:
        return []
    hottest = _hottest(index, field, since, max(FADES_IN, span(window) / 4))
    scored = CachedIterator((item, score) for item, score in hottest if item.item_id not in known)
    share = max_per_source or max(PER_SOURCE_IN_TEN, round(size * PER_SOURCE_IN_TEN / 10))
    filled = _varied(scored, chosen, free, share)
    if max_per_source is None and len(filled) < free:
        filled += _varied(scored, [*chosen, *(item for item, _ in filled)], free - len(filled), size)
    return filled


def _hottest(index: TimeIndex, field: Field, since: datetime, fades: timedelta) -> Iterator[tuple[Candidate, float]]:
    """What was published, or at least first seen here, since then: the hottest first."""
    above = field.above_by_owner
    most_above = max(above.values(), default=0.0)
    began = moment_of(since)

    def key(item: Candidate) -> Key:
        return (-_heat(item, field, fades), -item.sources, -item.published.timestamp(), item.item_id)

    def most(block: Block) -> float:
        if block.newest < began and block.newest_seen < began:
            return -math.inf
        return block.top + most_above - faded(block)

    def most_of_each(block: Block) -> list[float]:
        less, sources = faded(block), map(above.__getitem__, block.owners)
        return [worth + by_source - less for worth, by_source in zip(block.worths, sources, strict=True)]

    def faded(block: Block) -> float:
        least = field.least_chances(block.newest, block.least_shown) * field.usual
        return math.log2(least + PRIOR_VIEWS) + field.age_of(block.newest) / fades

    def among(item: Candidate) -> bool:
        return max(item.published, item.first_seen) >= since

    found = index.best_first(key, most=most, most_of_each=most_of_each, among=among)
    return ((item, -place[0]) for place, item in found)


def _heat(item: Candidate, field: Field, fades: timedelta) -> float:
    """The rate against the usual less the age, in powers of two; the operator's weights and boosts count here."""
    return field.lift(item) + favour(item) - field.age(item) / fades


def _varied(
    scored: Iterable[tuple[Candidate, float]], beside: Iterable[Candidate], size: int, per_source: int
) -> list[tuple[Candidate, float]]:
    others = list(beside)
    stories = {item.story for item in others}
    known = {item.item_id for item in others}
    taken = Counter(item.source_id for item in others)
    found: list[tuple[Candidate, float]] = []
    for item, score in scored:
        if len(found) == size:
            break
        if item.item_id in known or item.story in stories or taken[item.source_id] >= per_source:
            continue
        stories.add(item.story)
        taken[item.source_id] += 1
        found.append((item, score))
    return found


def _by_views(
    item: Candidate, counts: Mapping[str, int], *, now: datetime, window: str, rising: Collection[str]
) -> Listed:
    views = counts.get(item.item_id, 0)
    first = ["pinned"] if _pinned(item, now) else []
    if views:
        first.append(f"{counted(views, 'reader', 'readers')} {in_words(window)}")
    last = ["rising"] if item.item_id in rising else []
    figures = {"views": float(views), "sources": float(item.sources), "pinned": float(_pinned(item, now))}
    return Listed(
        item_id=item.item_id,
        score=float(views),
        views=views,
        reasons=reasons_of(item, first=first, last=last),
        figures=figures,
    )


def _by_signals(item: Candidate, score: float, *, field: Field) -> Listed:
    reasons = reasons_of(item) or ("new",)
    figures = field.figures(item)
    figures |= {"favour": round(favour(item), 3), "fresh": round(score - field.lift(item) - favour(item), 3)}
    return Listed(item_id=item.item_id, score=round(score, 4), reasons=reasons, figures=figures)
