"""How popular an item is against what could be expected of it, by CURATE.md 5. Pure; all terms in powers of two.

Before anybody has opened an item, the signals that exist stand in: how many independent publishers carry the story,
how many sources link to it, what its own feed reports. As readers come, their clicks take over: Bayes' rule with a
prior worth twenty exposures.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclasses_field
from datetime import datetime, timedelta
from statistics import fmean, pstdev

from aggregator.model import Candidate, Upstream

__all__ = ["Exposure", "Field", "Signals", "favour", "survey"]

#: the prior weighs as much as this many expected views: twenty exposures (replay on real clicks: AUC .610) at one
#: click in ten
PRIOR_VIEWS = 2.0
#: what one standard deviation, or one doubling, of each signal is worth (natural logarithm)
BY_SOURCE, BY_COVERAGE, BY_UPSTREAM, BY_CITATIONS, BY_LIKES = 0.5, 0.4, 0.4, 0.4, 0.2
#: signals alone make an item at most this much less, and more, likely to be opened than the usual one
LEAST, MOST = 0.25, 8.0
#: a weight or boost of 0 means: hardly ever
LEAST_FAVOUR = 1e-6
#: standard scores are cut off here: one viral item says no more than that
Z_MOST = 3.0
#: fewer items than this have no spread worth the name
ENOUGH = 5
#: upstream counts grow with age, so they are compared with items of like age: boundaries in hours
AGES_H = (2.0, 6.0, 24.0, 72.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """How often anything was opened on this site, by how long ago: what an item could have had."""

    #: (time back from now, all views since then), the shortest first
    totals: tuple[tuple[timedelta, int], ...] = ()

    def since(self, age: timedelta) -> float:
        """All views of the site in the last `age`, straight lines between the known totals."""
        behind, total = timedelta(0), 0
        for reach, views in self.totals:
            if age <= reach:
                return total + (views - total) * ((age - behind) / (reach - behind))
            behind, total = reach, views
        return float(total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What is known of an item beside its views."""

    z_source: float
    #: publishers carrying the story, the busy ones counting less; 1 for an item that stands alone
    coverage: float
    citations: int
    z_upstream: float
    likes: int

    @property
    def factor(self) -> float:
        """How much likelier than the usual item it is to be opened, before anybody has had the chance."""
        return _clip(math.exp(BY_SOURCE * self.z_source + self._others()))

    @property
    def factor_within_source(self) -> float:
        """The same against the usual item of its own source."""
        return _clip(math.exp(self._others()))

    def _others(self) -> float:
        return (
            BY_COVERAGE * math.log2(self.coverage)
            + BY_CITATIONS * math.log2(1 + self.citations)
            + BY_UPSTREAM * self.z_upstream
            + BY_LIKES * math.log2(1 + self.likes)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """All candidates as one field, so that each can be judged against the others."""

    now: datetime
    exposure: Exposure
    #: the share of the site's views that the usual item gets, overall and by source; 0 while there are no views
    usual: float
    usual_of: Mapping[int, float]
    signals: Mapping[str, Signals]
    _lifts: dict[str, float] = dataclasses_field(default_factory=dict, repr=False, compare=False)

    def lift(self, item: Candidate) -> float:
        """How much more it is opened than the usual item would be, as a power of two; the prior included."""
        lift = self._lifts.get(item.item_id)
        if lift is None:
            prior = self.signals[item.item_id].factor
            lift = self._lifts[item.item_id] = self._against(item, self.usual, prior)
        return lift

    def lift_within_source(self, item: Candidate) -> float:
        """The same against the usual item of its source."""
        usual = self.usual_of.get(item.source_id, self.usual)
        return self._against(item, usual, self.signals[item.item_id].factor_within_source)

    def _against(self, item: Candidate, usual: float, prior: float) -> float:
        """Views counted against views expected, drawn towards the prior."""
        expected = self.exposure.since(self.age(item)) * usual
        return math.log2((item.views + PRIOR_VIEWS * prior) / (expected + PRIOR_VIEWS))

    def figures(self, item: Candidate, *, within_source: bool = False) -> dict[str, float]:
        """Every term of the rate, for `explain`; `within_source`: against the usual item of its source."""
        signals = self.signals[item.item_id]
        usual = self.usual_of.get(item.source_id, self.usual) if within_source else self.usual
        return {
            "views": float(item.views),
            "expected": round(self.exposure.since(self.age(item)) * usual, 3),
            "age_h": round(self.age(item).total_seconds() / 3600, 2),
            **({} if within_source else {"z_source": round(signals.z_source, 3)}),
            "coverage": round(signals.coverage, 3),
            "citations": float(signals.citations),
            "z_upstream": round(signals.z_upstream, 3),
            "likes": float(signals.likes),
            "prior": round(signals.factor_within_source if within_source else signals.factor, 3),
            "lift": round(self.lift_within_source(item) if within_source else self.lift(item), 3),
        }

    def age(self, item: Candidate) -> timedelta:
        """How long ago it was published; never negative."""
        return max(timedelta(0), self.now - min(item.published, self.now))


def favour(item: Candidate) -> float:
    """The operator's wish, as a power of two: the weight of its source, the boost of a rule."""
    return math.log2(max(item.weight, LEAST_FAVOUR)) + math.log2(max(item.boost, LEAST_FAVOUR))


def survey(candidates: Sequence[Candidate], *, now: datetime, exposure: Exposure | None = None) -> Field:
    """The field of these candidates."""
    exposure = exposure or Exposure()
    usual, usual_of = _usual(candidates, now, exposure)
    z_source = _source_scores(usual_of)
    coverage = _coverage(candidates)
    upstream = _upstream_scores(candidates, now)
    signals = {
        item.item_id: Signals(
            z_source=z_source.get(item.source_id, 0.0),
            coverage=coverage[item.item_id],
            citations=item.citations,
            z_upstream=upstream.get(item.item_id, 0.0),
            likes=item.likes,
        )
        for item in candidates
    }
    return Field(now=now, exposure=exposure, usual=usual, usual_of=usual_of, signals=signals)


def _usual(candidates: Sequence[Candidate], now: datetime, exposure: Exposure) -> tuple[float, dict[int, float]]:
    """Which share of the site's views an item gets, overall and by source, each source drawn towards the whole."""
    views: dict[int, float] = defaultdict(float)
    exposed: dict[int, float] = defaultdict(float)
    for item in candidates:
        views[item.source_id] += item.views
        exposed[item.source_id] += exposure.since(max(timedelta(0), now - item.published))
    everything = sum(exposed.values())
    total = sum(views.values()) / everything if everything else 0.0
    own = {
        source: total * (views[source] + PRIOR_VIEWS) / (exposed[source] * total + PRIOR_VIEWS) for source in exposed
    }
    return total, own


def _source_scores(usual_of: Mapping[int, float]) -> dict[int, float]:
    """How far each source's usual item stands from that of the others."""
    logs = [math.log(rate) if rate else 0.0 for rate in usual_of.values()]
    return dict(zip(usual_of, _standard(logs, least=3), strict=True))


def _coverage(candidates: Iterable[Candidate]) -> dict[str, float]:
    """1, and for each other source of the story a share that is the smaller the more that source publishes."""
    rates: dict[str, dict[int, float]] = defaultdict(dict)
    held = list(candidates)
    for item in held:
        rates[item.story][item.source_id] = item.source_rate
    return {item.item_id: 1.0 + _others_share(item, rates[item.story]) for item in held}


def _others_share(item: Candidate, rates: Mapping[int, float]) -> float:
    """What the other publishers of the story count; those that are not in the field count like the item's own."""
    seen = [1.0 / math.log2(2.0 + max(0.0, rate)) for source, rate in rates.items() if source != item.source_id]
    unseen = max(0, max(item.coverage, item.sources) - 1 - len(seen))
    return sum(seen) + unseen / math.log2(2.0 + max(0.0, item.source_rate))


def _upstream_scores(candidates: Iterable[Candidate], now: datetime) -> dict[str, float]:
    """What feeds report of their entries, standardised within the source against items of like age."""
    groups: dict[tuple[int, int], dict[str, float]] = defaultdict(dict)
    for item in candidates:
        reported = _reported(item.upstream)
        if reported is not None:
            hours = max(0.0, (now - item.published).total_seconds() / 3600)
            groups[item.source_id, bisect_right(AGES_H, hours)][item.item_id] = reported
    return {
        item_id: score
        for group in groups.values()
        for item_id, score in zip(group, _standard(list(group.values()), least=ENOUGH), strict=True)
    }


def _reported(upstream: Upstream) -> float | None:
    """One figure of what the feed says; a comment or vote takes more of a reader than a view."""
    known = [count for count in (upstream.comments, upstream.votes, upstream.views) if count is not None]
    if not known:
        return None
    comments, votes, views = upstream.comments or 0, upstream.votes or 0, upstream.views or 0
    return math.log1p(max(0, comments) + max(0, votes) + max(0, views) / 100)


def _standard(values: Sequence[float], *, least: int) -> list[float]:
    """Standard scores; all 0 where there are fewer than `least` values, or no difference between them."""
    spread = pstdev(values) if len(values) >= least else 0.0
    if spread < 1e-9:
        return [0.0] * len(values)
    middle = fmean(values)
    return [max(-Z_MOST, min(Z_MOST, (value - middle) / spread)) for value in values]


def _clip(factor: float) -> float:
    return max(LEAST, min(MOST, factor))
