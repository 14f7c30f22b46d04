"""How popular an item is compared with what could be expected of it (CURATE.md 5). Pure; terms are powers of two.

The rate is Bayes-shrunk: (views + prior) / (expected views + prior). Expected is what the usual item would have had by
as many impressions, or, where those are not counted, by the site's views since it was published. The prior follows from
the signals: independent publishers of the story, links from other sources, likes, what its own feed reports.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from aggregator.curate.running_totals import RunningTotals, moment_of, shown
from aggregator.model import Candidate, Upstream

__all__ = ["Field", "Signals", "ViewTotals", "favour", "reported", "score_upper_bound", "standard", "survey"]

#: impressions count where candidates have so many in all, and so many for each view: where items are opened from
#: feeds or other sites, the pages do not tell who had the chance
MIN_IMPRESSIONS, PER_VIEW = 1_000.0, 2.0
#: fewer items than this have no spread worth the name
ENOUGH = 5
#: upstream counts grow with age, so they are compared with items of like age: boundaries in hours
AGES_H = (2.0, 6.0, 24.0, 72.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewTotals:
    """How often anything was opened on this site, by how long ago: what an item could have had."""

    #: (time back from now, all views since then), the shortest first
    totals: tuple[tuple[timedelta, int], ...] = ()

    @property
    def by_reach(self) -> dict[timedelta, int]:
        """The totals by how far back they reach."""
        return dict(self.totals)

    def since(self, age: timedelta) -> float:
        """All views of the site in the last `age`, straight lines between the known totals."""
        behind, total = timedelta(0), 0
        for reach, views in self.totals:
            if age <= reach:
                return total + (views - total) * ((age - behind) / (reach - behind))
            behind, total = reach, views
        return float(total)


class Field:
    """All candidates as one field at one moment, so that each can be judged against the others.

    What is asked for is computed then, and once. Holds until the next candidate comes or goes.
    """

    def __init__(self, running_totals: RunningTotals, *, now: datetime, exposure: ViewTotals) -> None:
        running_totals.advance_to(now)
        self.now = now
        self.exposure = exposure
        self.running_totals = running_totals
        self._moment = moment_of(now)
        #: items are judged by how often they were shown, where that is counted; else by how much was opened since
        #: they were published
        self.by_impressions = running_totals.impressions >= max(MIN_IMPRESSIONS, PER_VIEW * running_totals.views)
        chances = self._chances()
        #: views of the usual item for each chance that it had to be opened; 0 while there are no views
        self.usual = running_totals.views / chances if chances else 0.0
        #: what each item is worth reading to everybody, kept for `worth`
        self.worths: dict[str, Mapping[str, float]] = {}
        #: and what the items of a block of a index can be worth at most
        self.bounds: dict[object, list[float]] = {}
        self._signals: dict[str, Signals] = {}
        self._lifts: dict[str, float] = {}
        self._upstream: dict[int, dict[str, float]] = {}

    def _chances(self) -> float:
        """How often all candidates together could have been opened."""
        if self.by_impressions:
            return self.running_totals.shown
        return self.running_totals.expected_views(self.exposure.by_reach) if self.exposure.totals else 0.0

    def _chances_by_source(self) -> Mapping[int, float]:
        if self.by_impressions:
            return self.running_totals.shown_by_source()
        return self.running_totals.expected_views_by_source(self.exposure.by_reach)

    # --- sources ------------------------------------------------------------------------
    @cached_property
    def usual_of(self) -> Mapping[int, float]:
        """The same share by source, each source drawn towards the whole."""
        if not self.usual:
            return dict.fromkeys(self.running_totals.sources, 0.0)
        total, chances = self.usual, self._chances_by_source()
        return {
            source: total * (part.views + PRIOR_VIEWS) / (chances[source] * total + PRIOR_VIEWS)
            for source, part in self.running_totals.sources.items()
        }

    @cached_property
    def z_source(self) -> Mapping[int, float]:
        """How far each source's usual item stands from that of the others."""
        usual_of = self.usual_of
        if not self.usual:
            return dict.fromkeys(usual_of, 0.0)
        return dict(zip(usual_of, standard([math.log(rate) for rate in usual_of.values()], least=3), strict=True))

    # by the owners of a block of a index: a source, or -1 less the source for items that were opened
    @cached_property
    def above_by_owner(self) -> dict[int, float]:
        """What its source can add to the lift of an item at most."""
        found: dict[int, float] = {}
        for source, z in self.z_source.items():
            by_source = max(math.log2(LEAST), BY_SOURCE * z / math.log(2.0))
            found[source], found[-1 - source] = by_source, max(0.0, by_source)
        return found

    @cached_property
    def sources_by_owner(self) -> dict[int, tuple[float, float]]:
        """(items a day, the share of the site's views that its usual item gets)."""
        found: dict[int, tuple[float, float]] = {}
        for source, usual in self.usual_of.items():
            found[source] = found[-1 - source] = (max(0.0, self.running_totals.rate_of(source)), usual)
        return found

    # --- items --------------------------------------------------------------------------
    def signals(self, item: Candidate) -> Signals:
        """What is known of an item beside its views."""
        found = self._signals.get(item.item_id)
        if found is None:
            found = self._signals[item.item_id] = Signals(
                z_source=self.z_source.get(item.source_id, 0.0),
                coverage=self._coverage(item),
                citations=item.citations,
                z_upstream=self._z_upstream(item),
                likes=item.likes,
            )
        return found

    def lift(self, item: Candidate) -> float:
        """How much more it is opened than the usual item would be, as a power of two; the prior included."""
        lift = self._lifts.get(item.item_id)
        if lift is None:
            prior = self.signals(item).factor
            lift = self._lifts[item.item_id] = self._against(item, self.usual, prior)
        return lift

    def lift_within_source(self, item: Candidate) -> float:
        """The same against the usual item of its source."""
        return self._against(item, self._usual_at(item), self.signals(item).factor_within_source)

    def _usual_at(self, item: Candidate) -> float:
        return self.usual_of.get(item.source_id, self.usual) if self.usual else 0.0

    def _against(self, item: Candidate, usual: float, prior: float) -> float:
        """Views counted against views expected, drawn towards the prior."""
        return math.log2(item.views + PRIOR_VIEWS * prior) - math.log2(self.chances(item) * usual + PRIOR_VIEWS)

    def chances(self, item: Candidate) -> float:
        """How often it could have been opened: the times it was shown, or all views of the site since it came."""
        return shown(item) if self.by_impressions else self.exposure.since(self.age(item))

    def least_chances(self, newest: int, least_shown: float) -> float:
        """The same, at least, of items of which the newest came then (`moment_of`), and the least shown so often."""
        return least_shown if self.by_impressions else self.exposure.since(self.age_of(newest))

    def figures(self, item: Candidate, *, within_source: bool = False) -> dict[str, float]:
        """Every term of the rate, for `explain`; `within_source`: against the usual item of its source."""
        signals = self.signals(item)
        usual = self._usual_at(item) if within_source else self.usual
        return {
            "views": float(item.views),
            "expected": round(self.chances(item) * usual, 3),
            **({"shown": round(shown(item), 1)} if self.by_impressions else {}),
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
        return max(timedelta(0), self.now - item.published)

    def age_of(self, moment: int) -> timedelta:
        """The same of anything published at that moment (`moment_of`)."""
        return timedelta(microseconds=max(0, self._moment - moment))

    def rate(self, item: Candidate) -> float:
        """How many items a day its source publishes."""
        return self.running_totals.rate_of(item.source_id)

    def _coverage(self, item: Candidate) -> float:
        """1, and for each other source of the story a share that is the smaller the more that source publishes.

        Sources that are known to tell it but have no item here count like the item's own.
        """
        known = max(item.coverage, item.sources)
        if known <= 1:
            return 1.0
        seen = [1.0 / math.log2(2.0 + max(0.0, rate)) for rate in self.running_totals.others(item)]
        unseen = max(0, known - 1 - len(seen))
        share = math.fsum(seen) + unseen / math.log2(2.0 + max(0.0, self.rate(item)))
        return 1.0 + min(share, known - 1.0)

    def _z_upstream(self, item: Candidate) -> float:
        """What its feed reports of it, standardised within the source against items of like age."""
        if reported(item.upstream) is None:
            return 0.0
        scores = self._upstream.get(item.source_id)
        if scores is None:
            part = self.running_totals.sources.get(item.source_id)
            scores = self._upstream[item.source_id] = self._upstream_scores(part.items.values() if part else ())
        return scores.get(item.item_id, 0.0)

    def _upstream_scores(self, items: Iterable[Candidate]) -> dict[str, float]:
        groups: dict[int, dict[str, float]] = defaultdict(dict)
        for item in items:
            figure = reported(item.upstream)
            if figure is not None:
                groups[bisect_right(AGES_H, self.age(item).total_seconds() / 3600)][item.item_id] = figure
        return {
            item_id: score
            for group in groups.values()
            for item_id, score in zip(group, standard(list(group.values()), least=ENOUGH), strict=True)
        }


def survey(candidates: Iterable[Candidate], *, now: datetime, exposure: ViewTotals | None = None) -> Field:
    """The field of these candidates."""
    exposure = exposure or ViewTotals()
    running_totals = RunningTotals([reach for reach, _ in exposure.totals], now=now)
    for item in candidates:
        running_totals.put(item)
    return Field(running_totals, now=now, exposure=exposure)


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


def favour(item: Candidate) -> float:
    """The operator's wish, as a power of two: the weight of its source, the boost of a rule."""
    return math.log2(max(item.weight, LEAST_FAVOUR)) + math.log2(max(item.boost, LEAST_FAVOUR))


def score_upper_bound(item: Candidate) -> float:
    """The most that views, signals and favour can be worth to an item, its source and its age left aside."""
    return math.log2(item.views + PRIOR_VIEWS * math.exp(_most_of_signals(item))) + favour(item)


def _most_of_signals(item: Candidate) -> float:
    return (
        BY_COVERAGE * math.log2(max(item.coverage, item.sources, 1))
        + BY_CITATIONS * math.log2(1 + item.citations)
        + (BY_UPSTREAM * Z_MOST if reported(item.upstream) is not None else 0.0)
        + BY_LIKES * math.log2(1 + item.likes)
    )


def reported(upstream: Upstream) -> float | None:
    """One figure of what the feed says; a comment or vote takes more of a reader than a view."""
    known = [count for count in (upstream.comments, upstream.votes, upstream.views) if count is not None]
    if not known:
        return None
    comments, votes, views = upstream.comments or 0, upstream.votes or 0, upstream.views or 0
    return math.log1p(max(0, comments) + max(0, votes) + max(0, views) / 100)


def standard(values: Sequence[float], *, least: int) -> list[float]:
    """Standard scores; all 0 where there are fewer than `least` values, or no difference between them.

    Sums are exact, so that they do not depend on the order.
    """
    if len(values) < least:
        return [0.0] * len(values)
    middle = math.fsum(values) / len(values)
    spread = math.sqrt(math.fsum((value - middle) ** 2 for value in values) / len(values))
    if spread < 1e-9:
        return [0.0] * len(values)
    return [max(-Z_MOST, min(Z_MOST, (value - middle) / spread)) for value in values]


def _clip(factor: float) -> float:
    return max(LEAST, min(MOST, factor))
