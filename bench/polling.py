"""Polls and delay: real posting histories in virtual time, our rule beside those of others.

    python bench/polling.py [--data ../shared/data] [--check]

Every rule follows the same 84 histories for their last 99 days: 22 newsrooms, 62 blogs, podcasts and companies. A poll
sees whatever was posted since the one before. Polls are counted per source and day, each source counting the same; the
delay of an item is the time until the poll that sees it, each item counting the same. A second table follows all
sources side by side under ``[polling] budget``, beside the fixed interval that costs as much. With --check only our
rule is followed, and the exit code says whether it keeps to its promise and to a budget.
"""

from __future__ import annotations

import argparse
import bisect
import heapq
import json
import lzma
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from aggregator.collect import cadence
from aggregator.collect.cadence import Hints, Policy
from aggregator.model import PostingRate, Source, Subscription

HISTORIES = Path("timeseries") / "arrivals" / "posting_times_84feeds.json.xz"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
DAYS = 99
#: entries in a document
WINDOW = 30
#: what our rule promises: polls a source and day, delay of an item in minutes
POLLS, DELAY = 9.6, 21.7
#: polls a day of all sources together that are followed side by side, and how often interval_factor is worked out anew
BUDGETS = (600, 420, 200)
PACE = HOUR
#: what a day of much news may cost, in budgets
BUSIEST = 1.05
#: what --check follows; the first week is left out
CHECKED_DAYS = 21
#: posts a day from which on a source counts as a newsroom here
NEWSROOM = 2.5


class Rule(Protocol):
    """When one source is polled next. Times are seconds since 1970."""

    def next(self, now: float, times: Sequence[float], new: int) -> float:
        """After a poll at `now` that has seen all of `times` (oldest first), of which the last `new` are new to it."""


class Ours:
    """The daemon's own rule, as it is."""

    def __init__(self, chance: random.Random, policy: Policy | None = None) -> None:
        self._chance, self.policy = chance, policy or Policy()
        self._rhythm, self._before = PostingRate(), float("nan")

    def next(self, now: float, times: Sequence[float], new: int) -> float:
        """One step of `cadence`."""
        first = math.isnan(self._before)
        if first or new:
            seen = times[-WINDOW:] if first else times[len(times) - new :]
            self._rhythm = cadence.observe(
                self._rhythm,
                published=[moment(at) for at in seen],
                now=moment(now),
                previous_poll=None if first else moment(self._before),
                window_entries=WINDOW,
                overlapped=first or new < WINDOW,
            )
        self._before = now
        wait = cadence.wait_after_success(self._rhythm, now=moment(now), policy=self.policy, hints=Hints())
        return now + wait.total_seconds() * (1 + cadence.JITTER * self._chance.random())

    def source(self, number: int) -> Source:
        """The source as a store would hand it out."""
        url = f"https://{number}.example/feed"
        return Source(
            id=number, slug=str(number), subscription=Subscription(url=url), fetch_url=url, posting_rate=self._rhythm
        )


@dataclass(frozen=True, slots=True)
class Fixed:
    """Every so often, whatever the source does."""

    every: float

    def next(self, now: float, times: Sequence[float], new: int) -> float:  # noqa: ARG002 - as every rule
        """The same interval for all."""
        return now + self.every


@dataclass(frozen=True, slots=True)
class Miniflux:
    """Its ``entry_frequency``: a week divided by the posts of a week, estimated from the mean gap of the last one."""

    shortest: float = 5 * MINUTE
    longest: float = 24 * HOUR

    def next(self, now: float, times: Sequence[float], new: int) -> float:  # noqa: ARG002 - as every rule
        """The mean gap of the last week; two posts at least, or the longest interval."""
        week = times[bisect.bisect_left(times, now - 7 * DAY) :]
        if len(week) < 2 or week[-1] == week[0]:
            return now + self.longest
        weekly = math.ceil(7 * DAY / ((week[-1] - week[0]) / (len(week) - 1)))
        return now + min(max(7 * DAY / weekly, self.shortest), self.longest)


@dataclass(frozen=True, slots=True)
class CommaFeed:
    """Its empirical interval: half the mean gap of the document, longer in steps once a source is silent."""

    shortest: float = 5 * MINUTE
    longest: float = 4 * HOUR

    def next(self, now: float, times: Sequence[float], new: int) -> float:  # noqa: ARG002 - as every rule
        """Silent for 7, 14, 30 days: a quarter, half, all of the longest interval."""
        document = times[-WINDOW:]
        if len(document) < 2:
            return now + self.longest
        silent = (now - document[-1]) // DAY
        for days, share in ((30, 1), (14, 2), (7, 4)):
            if silent >= days:
                return now + self.longest / share
        gap = (document[-1] - document[0]) / (len(document) - 1)
        return now + min(max(gap / 2, self.shortest), self.longest / 4)


class NewsBlur:
    """Its rule for a feed with one subscriber: by the stories of the last month, lengthened by up to a quarter."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def next(self, now: float, times: Sequence[float], new: int) -> float:  # noqa: ARG002 - as every rule
        """Once a day or more: hourly; less: up to 12 h; nothing for a month: 12 h at most for paying readers."""
        daily = (len(times) - bisect.bisect_left(times, now - 30 * DAY)) / 30
        wait = HOUR if daily >= 1 else 12 * HOUR * (1 - daily) if daily else 12 * HOUR
        return now + wait * (1 + 0.25 * self._chance.random())


#: our rule first: the others are compared with it
RULES: dict[str, Callable[[random.Random], Rule]] = {
    "this program, 30 min-6 h": Ours,
    "fixed, 60 min": lambda _: Fixed(HOUR),
    "Miniflux, 60 min-24 h": lambda _: Miniflux(shortest=HOUR),
    "Miniflux, 5 min-24 h": lambda _: Miniflux(),
    "CommaFeed, 30 min-4 h": lambda _: CommaFeed(shortest=30 * MINUTE),
    "CommaFeed, 5 min-4 h": lambda _: CommaFeed(),
    "NewsBlur, one subscriber": NewsBlur,
    "this program, 60 min-6 h": lambda chance: Ours(chance, Policy(min_interval=timedelta(hours=1))),
    "this program, 15 min-4 h": lambda chance: Ours(
        chance, Policy(min_interval=timedelta(minutes=15), max_interval=timedelta(hours=4))
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One source followed by one rule."""

    newsroom: bool
    polls_per_day: float
    #: share of polls that found nothing
    wasted: float
    delays: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All sources followed by one rule; delays in minutes."""

    polls: float
    wasted: float
    delay: float
    delay_p90: float
    news_polls: float
    news_delay: float
    slow_polls: float
    slow_delay: float


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as the rest of the program has them."""
    return datetime.fromtimestamp(seconds, UTC)


def follow(times: Sequence[float], rule: Rule) -> Run:
    """Polls one history from its 99th day before the end; what was posted before stands in the first document."""
    start = now = max(times[0], times[-1] - DAYS * DAY)
    seen = bisect.bisect_right(times, now)
    posted = len(times) - seen
    polls, useful, delays, new = 0, 0, list[float](), 0
    while now < times[-1]:
        now = rule.next(now, times[:seen], new)
        upto = bisect.bisect_right(times, now, seen)
        delays += [now - at for at in times[seen:upto]]
        new, seen, polls = upto - seen, upto, polls + 1
        useful += new > 0
    days = (now - start) / DAY
    return Run(newsroom=posted / days >= NEWSROOM, polls_per_day=polls / days, wasted=1 - useful / polls, delays=delays)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What all sources together cost under a budget; the first week, in which they are met, is left out."""

    polls_per_day: float
    busiest_day: int
    delay: float


def side_by_side(histories: Sequence[Sequence[float]], budget: int, *, span: int = DAYS, seed: int = 1) -> Spent:
    """Follows all sources for the same days, their histories moved to one end, within `budget` polls a day."""
    chance = random.Random(seed)
    end = max(times[-1] for times in histories)
    moved = [[at + end - times[-1] for at in times] for times in histories]
    rules, start = [Ours(chance) for _ in moved], end - span * DAY
    seen, new = [0] * len(moved), [0] * len(moved)
    queue = [(start + HOUR * chance.random(), number) for number in range(len(moved))]
    heapq.heapify(queue)
    days, delays, pace = [0] * span, list[float](), start
    while queue[0][0] < end:
        now, number = queue[0]
        if now >= pace:
            pace = now + PACE
            _economise(rules, budget, now)
        upto = bisect.bisect_right(moved[number], now)
        if now - start >= 7 * DAY:
            delays += [(now - at) / MINUTE for at in moved[number][seen[number] : upto]]
        new[number], seen[number] = (upto - seen[number] if seen[number] else 0), upto
        days[int((now - start) / DAY)] += 1
        heapq.heapreplace(queue, (rules[number].next(now, moved[number][:upto], new[number]), number))
    return Spent(polls_per_day=_mean(days[7:]), busiest_day=max(days[7:]), delay=_mean(delays))


def _economise(rules: Sequence[Ours], budget: int, now: float) -> None:
    sources = [rule.source(number) for number, rule in enumerate(rules)]
    interval_factor = cadence.interval_factor(sources, now=moment(now), policy=rules[0].policy, polls_per_day=budget)
    for rule in rules:
        rule.policy = replace(rule.policy, interval_factor=interval_factor)


def figures(histories: Sequence[Sequence[float]], make: Callable[[random.Random], Rule], *, seed: int = 1) -> Figures:
    """Follows all histories by one rule."""
    chance = random.Random(seed)
    runs = [follow(times, make(chance)) for times in histories]
    news = [run for run in runs if run.newsroom]
    slow = [run for run in runs if not run.newsroom]
    delays = _delays(runs)
    return Figures(
        polls=_mean([run.polls_per_day for run in runs]),
        wasted=_mean([run.wasted for run in runs]),
        delay=_mean(delays),
        delay_p90=sorted(delays)[int(len(delays) * 0.9)],
        news_polls=_mean([run.polls_per_day for run in news]),
        news_delay=_mean(_delays(news)),
        slow_polls=_mean([run.polls_per_day for run in slow]),
        slow_delay=_mean(_delays(slow)),
    )


def histories_in(data: Path) -> list[list[float]]:
    """The posting times of every source, oldest first."""
    packed = (data / HISTORIES).read_bytes()
    return [sorted(times) for times in json.loads(lzma.decompress(packed)).values()]


def _delays(runs: Sequence[Run]) -> list[float]:
    return [delay / MINUTE for run in runs for delay in run.delays]


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / max(1, len(numbers))


def table(histories: Sequence[Sequence[float]]) -> None:
    """Prints every rule's figures."""
    head = ("rule", "polls", "×", "delay", "×", "p90", "wasted", "news polls", "delay", "others", "delay")
    print(
        f"{len(histories)} sources, {DAYS} days; polls a source and day, delay of an item in minutes; × against ours\n"
    )
    print("{:26} {:>6} {:>5} {:>6} {:>5} {:>5} {:>7} {:>11} {:>6} {:>7} {:>6}".format(*head))
    ours: Figures | None = None
    for name, make in RULES.items():
        found = figures(histories, make)
        ours = ours or found
        print(
            f"{name:26} {found.polls:6.2f} {found.polls / ours.polls:5.2f} {found.delay:6.1f}"
            f" {found.delay / ours.delay:5.2f} {found.delay_p90:5.0f} {found.wasted:7.0%} {found.news_polls:11.1f}"
            f" {found.news_delay:6.1f} {found.slow_polls:7.1f} {found.slow_delay:6.0f}",
            flush=True,
        )


def budgets(histories: Sequence[Sequence[float]]) -> None:
    """Prints what becomes of budgets."""
    print(f"\n{len(histories)} sources side by side under [polling] budget; delay of an item in minutes\n")
    print(
        "{:>8} {:>11} {:>12} {:>6} {:>28}".format(
            "budget", "polls a day", "busiest day", "delay", "fixed, at that cost: delay"
        )
    )
    for budget in BUDGETS:
        spent = side_by_side(histories, budget)
        same = figures(histories, lambda _: Fixed(DAY * len(histories) / spent.polls_per_day))  # noqa: B023 - used at once
        print(
            f"{budget:8} {spent.polls_per_day:11.0f} {spent.busiest_day:12} {spent.delay:6.1f} {same.delay:28.1f}",
            flush=True,
        )


def check(histories: Sequence[Sequence[float]]) -> bool:
    """Whether our rule keeps to its promise."""
    found = figures(histories, Ours)
    print(f"{found.polls:.2f} polls (at most {POLLS}), {found.delay:.2f} minutes (at most {DELAY})")
    budget = BUDGETS[1]
    spent = side_by_side(histories, budget, span=CHECKED_DAYS)
    print(f"{spent.polls_per_day:.0f} polls a day within a budget of {budget}, {spent.busiest_day} on the busiest day")
    kept = spent.polls_per_day <= budget and spent.busiest_day <= budget * BUSIEST
    return found.polls <= POLLS and found.delay <= DELAY and kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("..") / "shared" / "data", help="with timeseries/arrivals")
    parser.add_argument("--check", action="store_true", help="our rule only, against its promise")
    options = parser.parse_args()
    read = histories_in(options.data)
    if options.check:
        raise SystemExit(0 if check(read) else 1)
    table(read)
    budgets(read)
