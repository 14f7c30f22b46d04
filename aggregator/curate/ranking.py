"""Most viewed: the items that most different readers opened in a window. Pure; by DESIGN.md 7 and CURATE.md 5.

What is said to be counted is what is counted: places are taken by exact counts (ties: more sources, then newer), and no
weight or boost moves them; a rule's pin does, and says so. Where too few items have been opened yet, the signals of
`popularity` fill the places behind, and the basis says that as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aggregator.curate.popularity import Field, favour, survey
from aggregator.curate.reasons import counted, reasons_of
from aggregator.curate.windows import in_words, span
from aggregator.model import Candidate, Listed
from aggregator.model.curating import Basis

__all__ = ["Ranked", "rank"]

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
    candidates: Iterable[Candidate],
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
    to be called so.
    """
    held = list({item.item_id: item for item in candidates}.values())
    field = field or survey(held, now=now)
    viewed = sorted((item for item in held if counts.get(item.item_id, 0) > 0), key=lambda item: _place(item, counts))
    pinned = sorted((item for item in held if _pinned(item, now)), key=lambda item: _place(item, counts))
    chosen = _within([*pinned, *_without(viewed, pinned)], size, max_per_source)
    filled = _fill(held, chosen, field=field, window=window, size=size, max_per_source=max_per_source)
    places = [_by_views(item, counts, now=now, window=window, rising=rising) for item in chosen]
    places += [_by_signals(item, score, field=field) for item, score in filled]
    return Ranked(places=tuple(places), basis=_basis(bool(chosen and viewed), bool(filled), bool(chosen)))


def _place(item: Candidate, counts: Mapping[str, int]) -> tuple[int, int, float, str]:
    """More readers, then more sources, then newer; the id last, so that the order is the same every time."""
    return (-counts.get(item.item_id, 0), -item.sources, -item.published.timestamp(), item.item_id)


def _pinned(item: Candidate, now: datetime) -> bool:
    return item.pinned_until is not None and item.pinned_until > now


def _without(items: Iterable[Candidate], others: Collection[Candidate]) -> list[Candidate]:
    ids = {item.item_id for item in others}
    return [item for item in items if item.item_id not in ids]


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
    held: Sequence[Candidate],
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
    fresh = [item for item in _without(held, chosen) if _is_fresh(item, field, max(span(window), FILLED_FROM))]
    free = min(size - len(chosen), (len(fresh) + 1) // 2)
    if free <= 0:
        return []
    fades = max(FADES_IN, span(window) / 4)
    scored = sorted(
        ((item, _heat(item, field, fades)) for item in fresh),
        key=lambda pair: (-pair[1], -pair[0].sources, -pair[0].published.timestamp(), pair[0].item_id),
    )
    share = max_per_source or max(PER_SOURCE_IN_TEN, round(size * PER_SOURCE_IN_TEN / 10))
    filled = _varied(scored, chosen, free, share)
    if max_per_source is None and len(filled) < free:
        filled += _varied(scored, [*chosen, *(item for item, _ in filled)], free - len(filled), size)
    return filled


def _is_fresh(item: Candidate, field: Field, reach: timedelta) -> bool:
    """Published, or at least first seen here, within `reach`."""
    return field.age(item) <= reach or field.now - item.first_seen <= reach


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
