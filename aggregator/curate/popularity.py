"""How popular an item is against what could be expected of it, by CURATE.md 5. Pure; all terms in powers of two.

Before anybody has opened an item, the signals that exist stand in: how many independent publishers carry the story,
how many sources link to it, what its own feed reports. As readers come, their clicks take over: Bayes' rule with a
prior worth twenty exposures.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from aggregator.curate.crowd import Crowd, moment_of
from aggregator.curate.signals import BY_SOURCE, LEAST, PRIOR_VIEWS, Signals, reported, standard
from aggregator.model import Candidate

__all__ = ["Exposure", "Field", "survey"]

#: fewer items than this have no spread worth the name
ENOUGH = 5
#: upstream counts grow with age, so they are compared with items of like age: boundaries in hours
AGES_H = (2.0, 6.0, 24.0, 72.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
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

    def __init__(self, crowd: Crowd, *, now: datetime, exposure: Exposure) -> None:
        crowd.age(now)
        self.now = now
        self.exposure = exposure
        self.crowd = crowd
        self._moment = moment_of(now)
        #: the share of the site's views that the usual item gets; 0 while there are no views
        exposed = crowd.exposed(exposure.by_reach) if exposure.totals else 0.0
        self.usual = crowd.views / exposed if exposed else 0.0
        #: what each item is worth reading to everybody, kept for `worth`
        self.worths: dict[str, Mapping[str, float]] = {}
        #: and what the items of a portion of a shelf can be worth at most
        self.bounds: dict[object, list[float]] = {}
        self._signals: dict[str, Signals] = {}
        self._lifts: dict[str, float] = {}
        self._upstream: dict[int, dict[str, float]] = {}

    # --- sources ------------------------------------------------------------------------
    @cached_property
    def usual_of(self) -> Mapping[int, float]:
        """The same share by source, each source drawn towards the whole."""
        if not self.usual:
            return dict.fromkeys(self.crowd.sources, 0.0)
        total, exposed = self.usual, self.crowd.exposed_by_source(self.exposure.by_reach)
        return {
            source: total * (part.views + PRIOR_VIEWS) / (exposed[source] * total + PRIOR_VIEWS)
            for source, part in self.crowd.sources.items()
        }

    @cached_property
    def z_source(self) -> Mapping[int, float]:
        """How far each source's usual item stands from that of the others."""
        usual_of = self.usual_of
        if not self.usual:
            return dict.fromkeys(usual_of, 0.0)
        return dict(zip(usual_of, standard([math.log(rate) for rate in usual_of.values()], least=3), strict=True))

    # by the owners of a portion of a shelf: a source, or -1 less the source for items that were opened
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
            found[source] = found[-1 - source] = (max(0.0, self.crowd.rate_of(source)), usual)
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
        return math.log2(item.views + PRIOR_VIEWS * prior) - self.expecting(self.age(item), usual)

    def expecting(self, age: timedelta, usual: float) -> float:
        """The views that an item of this age could have had by now, and the prior's, as a power of two."""
        expected = self.exposure.since(age) * usual if usual else 0.0
        return math.log2(expected + PRIOR_VIEWS)

    def figures(self, item: Candidate, *, within_source: bool = False) -> dict[str, float]:
        """Every term of the rate, for `explain`; `within_source`: against the usual item of its source."""
        signals = self.signals(item)
        usual = self._usual_at(item) if within_source else self.usual
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
        return max(timedelta(0), self.now - item.published)

    def age_of(self, moment: int) -> timedelta:
        """The same of anything published at that moment (`moment_of`)."""
        return timedelta(microseconds=max(0, self._moment - moment))

    def rate(self, item: Candidate) -> float:
        """How many items a day its source publishes."""
        return self.crowd.rate_of(item.source_id)

    def _coverage(self, item: Candidate) -> float:
        """1, and for each other source of the story a share that is the smaller the more that source publishes.

        Sources that are known to tell it but have no item here count like the item's own.
        """
        known = max(item.coverage, item.sources)
        if known <= 1:
            return 1.0
        seen = [1.0 / math.log2(2.0 + max(0.0, rate)) for rate in self.crowd.others(item)]
        unseen = max(0, known - 1 - len(seen))
        share = math.fsum(seen) + unseen / math.log2(2.0 + max(0.0, self.rate(item)))
        return 1.0 + min(share, known - 1.0)

    def _z_upstream(self, item: Candidate) -> float:
        """What its feed reports of it, standardised within the source against items of like age."""
        if reported(item.upstream) is None:
            return 0.0
        scores = self._upstream.get(item.source_id)
        if scores is None:
            part = self.crowd.sources.get(item.source_id)
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


def survey(candidates: Iterable[Candidate], *, now: datetime, exposure: Exposure | None = None) -> Field:
    """The field of these candidates."""
    exposure = exposure or Exposure()
    crowd = Crowd([reach for reach, _ in exposure.totals], now=now)
    for item in candidates:
        crowd.put(item)
    return Field(crowd, now=now, exposure=exposure)
