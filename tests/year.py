"""A simulated year in the life of one source, for the rows that look at it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from desk import DAY, HOUR, START, Desk, open_desk
from origin import Answer, Request, rss

from aggregator.model import Subscription

RESTARTS = 50
OLD, NEW = (
    "aggregator/1.0.0 (feed reader; +https://example.org/about)",
    "aggregator/1.1.0 (feed reader; +https://example.org/about)",
)
MAX_AGE = 12 * HOUR
RETRY_AFTER = 2 * DAY
PATH = "/feed?b=%2f&a=+%20&utm_source=x"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request and what was answered."""

    at: datetime
    method: str
    path: str
    headers: Mapping[str, str]
    status: int
    #: the validators that the answer carried
    etag: str | None
    date: str | None
    retry_after: timedelta | None

    @property
    def pair(self) -> tuple[str | None, str | None]:
        """What the request sent back."""
        return self.headers.get("if-none-match"), self.headers.get("if-modified-since")


@dataclass(kw_only=True)
class Year:
    asked: list[Asked] = field(default_factory=list)
    polls: int = 0
    #: when the program was started anew, and when with a newer version
    restarts: list[datetime] = field(default_factory=list)
    upgraded: datetime = START
    titles: list[str] = field(default_factory=list)

    @property
    def unconditional(self) -> list[Asked]:
        return [one for one in self.asked if one.pair == (None, None)]

    @property
    def gaps(self) -> list[tuple[Asked, timedelta]]:
        """Each request but the last, and how long it was until the next."""
        return [(one, after.at - one.at) for one, after in zip(self.asked, self.asked[1:], strict=False)]


class Publisher:
    """A post every three days; validators that no rule could guess; busy or broken now and then."""

    def __init__(self, desk: Desk, year: Year) -> None:
        self._desk, self._year = desk, year

    def answer(self, request: Request) -> Answer:
        number, turn = (self._desk.now - START) // (3 * DAY), len(self._year.asked)
        if turn % 37 == 20:
            return self._noted(
                request, Answer(status=429, headers={"Retry-After": str(int(RETRY_AFTER.total_seconds()))})
            )
        if turn % 37 == 30:
            return self._noted(request, Answer(status=500))
        etag, date = f'W/"{number}-gzip, {number}"', f"post {number}, {number % 7} o'clock"
        headers = {"ETag": etag, "Last-Modified": date, "Cache-Control": f"max-age={int(MAX_AGE.total_seconds())}"}
        if request.headers.get("if-none-match") == etag:
            # the validators of an unchanged document may change: every fifth 304 brings a new date
            headers |= {"Last-Modified": f"{date}, again"} if turn % 5 == 0 else {}
            return self._noted(request, Answer(status=304, headers=headers))
        titles = [f"Post {one}" for one in range(max(0, number - 9), number + 1)]
        return self._noted(request, Answer(body=rss(*titles), headers=headers))

    def _noted(self, request: Request, answer: Answer) -> Answer:
        wait = answer.headers.get("Retry-After")
        self._year.asked.append(
            Asked(
                at=self._desk.now,
                method=request.method,
                path=request.path,
                headers=request.headers,
                status=answer.status,
                etag=answer.headers.get("ETag"),
                date=answer.headers.get("Last-Modified"),
                retry_after=timedelta(seconds=int(wait)) if wait else None,
            )
        )
        return answer


def live_a_year(folder: Path) -> Year:
    """Follows the publisher for a year, with restarts at random moments and one upgrade."""
    year, chance = Year(), random.Random(7)
    with open_desk(folder) as desk:
        desk.user_agent = OLD
        desk.origin.on("/feed", Publisher(desk, year).answer)
        desk.follow(Subscription(url=desk.origin.url(PATH)))
        moments = sorted(START + 365 * DAY * chance.random() for _ in range(RESTARTS))
        for place, moment in enumerate(moments):
            desk.jitter = chance.random()
            year.polls += len(desk.live(moment - desk.now))
            if place == RESTARTS // 2:
                desk.user_agent, year.upgraded = NEW, desk.now
            desk.restart()
            year.restarts.append(desk.now)
            year.polls += len(desk.poll())
        year.polls += len(desk.live(START + 365 * DAY - desk.now))
        year.titles = desk.titles()
    return year
