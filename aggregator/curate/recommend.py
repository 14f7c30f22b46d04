"""Worth reading now: fresh, better than usual for its source, covered, varied. Pure; by DESIGN.md 7 and CURATE.md 5.

    candidates → without what Ranking shows → scored → varied (one per story, few per source, different subjects)
               → one place in ten for an item that had no chance yet
               → one with a picture first

Every score is a sum of powers of two, each of them in `figures`. The same input at the same `now` gives the same list.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aggregator.curate.popularity import Field, favour, survey
from aggregator.curate.profile import Profile, Vector, dot
from aggregator.curate.reasons import reasons_of
from aggregator.model import Candidate, Listed

__all__ = ["in_order", "recommend", "weigh"]

#: an item is worth (1 + age / two hours) ** -1.8, that of a source which rarely posts up to the fourth root of it. Fast
#: at first, so that new items get their chance: a half-life of six hours found 15 % fewer clicks (bench/recommend.py)
GRAVITY = 1.8
YOUNG = timedelta(hours=2)
RARE_SOURCE_LASTS = 3.0
#: what is older need not be looked at
WORTH_FOR = timedelta(days=7)
#: relevance against likeness to what stands in the list already (maximal marginal relevance)
RELEVANCE = 0.7
#: two items of one section are a little alike whatever they are about
SAME_SECTION = 0.15
#: so many of the best are considered for each place
POOL = 12
#: one place in ten, at least one, goes to an item nobody has opened yet, if it is this young
EXPLORED = 10
CHANCE_WITHIN = timedelta(hours=48)
#: those are drawn from so many of the best, another one every hour
CHANCE_POOL = 50
#: what perfect likeness to a reader's own reading is worth, in powers of two
TASTE = 6.0
#: what a reader's favourite source is worth
LOYALTY = 2.0


@dataclass(frozen=True, slots=True)
class _Scored:
    item: Candidate
    score: float
    terms: Mapping[str, float]
    by_chance: bool = False


def recommend(
    candidates: Iterable[Candidate],
    *,
    exclude: Collection[str] = (),
    now: datetime,
    size: int,
    max_per_source: int,
    profile: Profile | None = None,
    vector: Callable[[str], Vector] | None = None,
    field: Field | None = None,
) -> tuple[Listed, ...]:
    """The `size` items most worth reading among the candidates.

    `exclude`: what stands in the Ranking; `profile`: a reader's own taste, None for the common list; `vector`: the
    terms of an item, for variety and taste; `field`: the survey of the whole site, where these are some of its items.
    """
    held = sorted({item.item_id: item for item in candidates}.values(), key=lambda item: item.item_id)
    field = field or survey(held, now=now)
    vector = vector or _no_terms
    excluded = frozenset(exclude)
    open_to = _fresh([item for item in held if item.item_id not in excluded], field, size)
    scored = _scored(open_to, field, profile, vector)
    free = _free(scored, field, size)
    chosen = _choose(scored, size - free, max_per_source, vector)
    chosen += _chance(free, scored, chosen, max_per_source=max_per_source, now=now)
    chosen += _choose(scored, size - len(chosen), max_per_source, vector, beside=chosen)
    return tuple(_listed(one, field) for one in _picture_first(chosen))


def in_order(
    candidates: Iterable[Candidate], *, profile: Profile, vector: Callable[[str], Vector], field: Field
) -> tuple[Listed, ...]:
    """All of these items, those first that are most worth reading to one reader. For an order only: nothing else."""
    scored = _scored(candidates, field, profile, vector)
    return tuple(Listed(item_id=one.item.item_id, score=0.0, reasons=_taste(one)) for one in scored)


def weigh(candidates: Iterable[Candidate], *, field: Field) -> tuple[Listed, ...]:
    """All of these items by what each is worth alone: before variety, and before places are kept for others."""
    return tuple(_listed(one, field) for one in _scored(candidates, field, None, _no_terms))


def _picture_first(chosen: Sequence[_Scored]) -> Sequence[_Scored]:
    """The first place is shown large, with its picture: it goes to the best of the chosen that has one."""
    pictured = [one for one in chosen if one.item.has_image]
    if not pictured:
        return chosen
    first = max(pictured, key=lambda one: (one.score, one.item.item_id))
    return [first, *(one for one in chosen if one is not first)]


def _no_terms(_: str) -> Vector:
    return {}


def _fresh(items: list[Candidate], field: Field, size: int) -> list[Candidate]:
    """Those of the last week; all of them where that is not enough for a list."""
    fresh = [item for item in items if field.age(item) <= WORTH_FOR]
    return fresh if len(fresh) >= size * POOL else items


# --- what each is worth ------------------------------------------------------------
def _scored(
    items: Iterable[Candidate], field: Field, profile: Profile | None, vector: Callable[[str], Vector]
) -> list[_Scored]:
    """The best first."""
    scored = [_score(item, field, profile, vector) for item in items]
    scored.sort(key=lambda one: (-one.score, -one.item.published.timestamp(), one.item.item_id))
    return scored


def _score(item: Candidate, field: Field, profile: Profile | None, vector: Callable[[str], Vector]) -> _Scored:
    fresh = -GRAVITY * math.log2(1.0 + field.age(item) / YOUNG)
    terms = {
        "fresh": fresh,
        "rare_source": -fresh * (1.0 - 1.0 / _lasts(item.source_rate)),
        "lift": field.lift_within_source(item),
        "favour": favour(item),
    }
    if profile is not None and profile.speaks:
        terms["taste"] = TASTE * dot(profile.terms, vector(item.item_id))
        terms["loyalty"] = LOYALTY * profile.sources.get(item.source_id, 0.0)
    return _Scored(item, sum(terms.values()), terms)


def _lasts(rate: float) -> float:
    """How many times longer than usual an item stays worth reading: 4 at a source that posts once a month."""
    return 1.0 + RARE_SOURCE_LASTS / (1.0 + max(0.0, rate))


# --- which stand together ------------------------------------------------------------
def _choose(
    scored: Sequence[_Scored],
    size: int,
    max_per_source: int,
    vector: Callable[[str], Vector],
    beside: Iterable[_Scored] = (),
) -> list[_Scored]:
    """Maximal marginal relevance: the best that are not like one another, one per story, few per source."""
    others = list(beside)
    pool = _eligible(scored, others, max_per_source)[: max(0, size) * POOL]
    chosen: list[_Scored] = []
    alike = {one.item.item_id: _likeness_to(one, others, vector) for one in pool}
    while pool and len(chosen) < size:
        best = max(pool, key=lambda one: _marginal(one, pool[0].score, alike))
        chosen.append(best)
        pool = _eligible(pool, [*others, *chosen], max_per_source)
        for one in pool:
            alike[one.item.item_id] = max(alike[one.item.item_id], _likeness(one.item, best.item, vector))
    return chosen


def _marginal(one: _Scored, best: float, alike: Mapping[str, float]) -> tuple[float, float, str]:
    """A score is a power of two: against the best it becomes a share of 1."""
    relevance = 2.0 ** max(-60.0, one.score - best)
    return (RELEVANCE * relevance - (1 - RELEVANCE) * alike[one.item.item_id], one.score, one.item.item_id)


def _eligible(scored: Iterable[_Scored], chosen: Sequence[_Scored], max_per_source: int) -> list[_Scored]:
    stories = {one.item.story for one in chosen}
    taken = Counter(one.item.source_id for one in chosen)
    return [one for one in scored if one.item.story not in stories and taken[one.item.source_id] < max_per_source]


def _likeness_to(one: _Scored, others: Iterable[_Scored], vector: Callable[[str], Vector]) -> float:
    return max((_likeness(one.item, other.item, vector) for other in others), default=0.0)


def _likeness(one: Candidate, other: Candidate, vector: Callable[[str], Vector]) -> float:
    subject = dot(vector(one.item_id), vector(other.item_id))
    return max(subject, SAME_SECTION if one.section == other.section else 0.0)


# --- those that had no chance yet ------------------------------------------------------
def _free(scored: Sequence[_Scored], field: Field, size: int) -> int:
    """How many places are kept for items nobody has opened: none while nobody has opened anything."""
    opened = any(one.item.views for one in scored)
    waiting = any(one.item.views == 0 and field.age(one.item) <= CHANCE_WITHIN for one in scored)
    return max(1, size // EXPLORED) if size > 1 and opened and waiting else 0


def _chance(
    free: int,
    scored: Sequence[_Scored],
    chosen: Sequence[_Scored],
    *,
    max_per_source: int,
    now: datetime,
) -> list[_Scored]:
    """Fills these places, with other items every hour."""
    found: list[_Scored] = []
    for _ in range(free):
        possible = [
            one
            for one in _eligible(scored, [*chosen, *found], max_per_source)
            if one.item.views == 0 and now - one.item.published <= CHANCE_WITHIN
        ][:CHANCE_POOL]
        if possible:
            drawn = min(possible, key=lambda one: _draw(one.item.item_id, now))
            found.append(replace(drawn, by_chance=True))
    return found


def _draw(item_id: str, now: datetime) -> bytes:
    """A number that looks random, and is the same for everybody within the hour."""
    return hashlib.blake2b(f"{int(now.timestamp()) // 3600}:{item_id}".encode(), digest_size=8).digest()


def _listed(one: _Scored, field: Field) -> Listed:
    figures = field.figures(one.item, within_source=True) | {name: round(value, 3) for name, value in one.terms.items()}
    return Listed(
        item_id=one.item.item_id,
        score=round(one.score, 4),
        reasons=reasons_of(one.item, first=_taste(one), last=_merits(one)) or ("fresh",),
        figures=figures | {"chance": float(one.by_chance)},
    )


def _taste(one: _Scored) -> tuple[str, ...]:
    return ("like what you read",) if one.terms.get("taste", 0.0) >= 1.0 else ()


def _merits(one: _Scored) -> tuple[str, ...]:
    if one.by_chance:
        return ("not discovered yet",)
    if one.item.views and one.terms["lift"] >= 1.0:
        return ("more read than usual for its source",)
    return ("its source rarely posts",) if one.terms["rare_source"] >= 1.0 else ()
