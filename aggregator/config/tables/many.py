"""Tables that stand as often as somebody likes: sources, rules, feeds of one's own."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator

from aggregator.config import values
from aggregator.config.tables.table import Count, Table
from aggregator.curate.rules import Action, Match, Rule, compile_match, parse_action
from aggregator.errors import RuleError
from aggregator.model import OwnFeed, Subscription

__all__ = [
    "FeedTable",
    "RuleTable",
    "SourceTable",
]

#: names of feeds that the site has of itself
RESERVED_FEEDS = frozenset({"latest", "ranking", "recommended", "related", "status", "search"})


class SourceTable(Table):
    """One ``[[sources]]``: a feed that is followed."""

    url: values.HttpUrl
    section: values.Line = "News"
    name: values.Line | None = None
    interval: values.Duration | None = None
    weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    enabled: bool = True
    full_text: bool = False
    role: Literal["source", "signal"] = "source"

    @field_validator("interval")
    @classmethod
    def _a_second_at_least(cls, interval: timedelta | None) -> timedelta | None:
        if interval is not None and not timedelta(seconds=1) <= interval <= timedelta(days=365):
            raise ValueError("must be between 1s and 365d")
        return interval

    def subscription(self) -> Subscription:
        """The same, as the rest of the program knows it."""
        return Subscription(**dict(self))


class RuleTable(Table):
    """One ``[[rules]]``: what is done with items that match."""

    match: str
    action: str

    @field_validator("match")
    @classmethod
    def _readable(cls, text: str) -> str:
        _match(text)
        return text

    @field_validator("action")
    @classmethod
    def _known(cls, text: str) -> str:
        _action(text)
        return text

    def compiled(self) -> Rule:
        """The rule, ready to be asked."""
        return Rule(match_text=self.match, match=_match(self.match), action=_action(self.action))


class FeedTable(Table):
    """One ``[[feeds]]``: an output feed of the operator's own."""

    name: str
    title: values.Line | None = None
    order: str = "latest"
    match: str | None = None
    size: Count = 20
    max_per_source: Count | None = None

    @field_validator("name")
    @classmethod
    def _fits_an_address(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or len(name) > 60:
            raise ValueError(f'"{name}" must be of a-z, 0-9 and hyphens: the feed\'s address is /feeds/{name}.atom')
        if name in RESERVED_FEEDS or name.startswith("ranking-"):
            raise ValueError(f'"{name}" is the name of a feed that the site has anyway; choose another')
        return name

    @field_validator("match")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        if text is not None:
            _match(text)
        return text

    @field_validator("order")
    @classmethod
    def _known(cls, order: str) -> str:
        kind, colon, window = order.partition(":")
        if kind not in {"latest", "ranking", "recommended", "related"} or (colon and (kind != "ranking" or not window)):
            raise ValueError(f'"{order}" is not an order: write "latest", "ranking:7d", "recommended" or "related"')
        return order

    def own_feed(self, default_window: str) -> OwnFeed:
        """The same, as the rest of the program knows it; ``ranking`` alone means the default window."""
        order = f"ranking:{default_window}" if self.order == "ranking" else self.order
        return OwnFeed(**{**dict(self), "order": order, "title": self.title or self.name})


def _match(text: str) -> Match:
    try:
        return compile_match(text)
    except RuleError as error:
        where = "" if error.position is None else f" (character {error.position + 1} of '{text[:200]}')"
        raise ValueError(f"{error}{where}") from error


def _action(text: str) -> Action:
    try:
        return parse_action(text)
    except RuleError as error:
        raise ValueError(str(error)) from error
