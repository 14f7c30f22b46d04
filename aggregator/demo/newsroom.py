"""Invented papers and what they have published at a given moment (pure; the clock is the caller's)."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from typing import Any, Literal

Behaviour = Literal["", "slow", "broken"]

_OFFSET = re.compile(r"([+-])(\d+)([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One invented newspaper with one feed."""

    key: str
    title: str
    section: str
    language: str
    format: Literal["rss", "atom", "json"]
    behaviour: Behaviour = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One article, carried by one paper or, as an agency text, by several."""

    id: int
    papers: tuple[str, ...]
    #: when it appears, counted from the start of the demo
    at: timedelta
    title: str
    text: str
    author: str
    topics: tuple[str, ...]
    picture: str | None
    #: how much it attracts readers, 1 to 6
    draw: int
    #: (when, new title): later corrections of the title
    edits: tuple[tuple[timedelta, str], ...]

    def title_at(self, age: timedelta) -> str:
        """The title as it stands `age` after the start of the demo."""
        return next((title for when, title in reversed(self.edits) if when <= age), self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newsroom:
    """All papers and articles, and when the demo began."""

    papers: tuple[Paper, ...]
    articles: tuple[Article, ...]
    start: datetime

    def published(self, paper: Paper, now: datetime) -> list[Article]:
        """What the paper's feed holds at `now`, newest first."""
        age = now - self.start
        return sorted(
            (article for article in self.articles if paper.key in article.papers and article.at <= age),
            key=lambda article: article.at,
            reverse=True,
        )

    def draw_of(self, title: str) -> int:
        """How attractive the article with this title is; 1 for one that nobody wrote."""
        for article in self.articles:
            if title == article.title or any(title == new for _, new in article.edits):
                return article.draw
        return 1


def parse_offset(text: str) -> timedelta:
    """``"-3h"`` or ``"+40s"`` as a duration; ValueError for anything else."""
    match = _OFFSET.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no offset: write it like -3h, +40s or -90m")
    sign, count, unit = match.groups()
    return timedelta(seconds=int(sign + count) * _SECONDS[unit])


def load_newsroom(start: datetime) -> Newsroom:
    """The newsroom that ships with the package, with its first day set at `start`."""
    text = resources.files(__package__).joinpath("newsroom.toml").read_text("utf-8")
    data = tomllib.loads(text)
    return Newsroom(
        papers=tuple(Paper(**paper) for paper in data["papers"]),
        articles=tuple(_article(number, fields) for number, fields in enumerate(data["articles"], 1)),
        start=start,
    )


def _article(number: int, fields: dict[str, Any]) -> Article:
    return Article(
        id=number,
        papers=tuple(fields["in"]),
        at=parse_offset(fields["at"]),
        title=fields["title"],
        text=fields["text"],
        author=fields["author"],
        topics=tuple(fields["topics"]),
        picture=fields.get("picture"),
        draw=fields["draw"],
        edits=tuple((parse_offset(edit["at"]), edit["title"]) for edit in fields.get("edits", ())),
    )
