"""Tables that stand once: the site, its work and its lists."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from aggregator.config import values
from aggregator.config.tables.table import Count, Table
from aggregator.model import duration

__all__ = [
    "BackupTable",
    "PollingTable",
    "PublishTable",
    "RankingTable",
    "RecommendationTable",
    "RelatedTable",
    "RetentionTable",
    "ServerTable",
    "SiteTable",
    "StoreTable",
    "StoriesTable",
]

PLACEHOLDER_CONTACT = "https://example.org/about"


class SiteTable(Table):
    """``[site]``: what the site is called and where it is."""

    title: values.Line = "The Daily Aggregate"
    #: without a trailing slash
    url: values.SiteUrl = "http://127.0.0.1:8080"
    language: values.Language = "en"
    timezone: values.Zone = ZoneInfo("UTC")
    contact: values.Line = PLACEHOLDER_CONTACT
    like_label: values.Line = "veryGood!"

    @field_validator("contact")
    @classmethod
    def _fits_a_header(cls, contact: str) -> str:
        if not contact.isascii():
            raise ValueError("must be plain ASCII, it goes into a request header: an address or an e-mail address")
        return contact

    @property
    def reached_at(self) -> str:
        """`contact`, where it can be somebody's; "" while a placeholder stands there."""
        return "" if values.is_nobodys(self.contact) else self.contact


class ServerTable(Table):
    """``[server]``: where pages and feeds are served."""

    listen: values.Listen = "127.0.0.1:8080"
    trusted_proxies: values.Networks = ()

    @property
    def address(self) -> tuple[str, int]:
        """`listen` as host and port."""
        return values.listen_address(self.listen)


class StoreTable(Table):
    """``[store]``: where everything is kept."""

    url: str = "sqlite:aggregator.db"

    @field_validator("url")
    @classmethod
    def _known_kind(cls, url: str) -> str:
        kind, _, place = url.partition(":")
        if kind != "sqlite" or not place:
            raise ValueError(f'"{url}": only sqlite:PATH is known, e.g. "sqlite:aggregator.db"')
        return url


class PollingTable(Table):
    """``[polling]``: how often, how many at once, and within which limits sources are asked."""

    min_interval: values.Duration = timedelta(minutes=30)
    max_interval: values.Duration = timedelta(hours=6)
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 64
    per_host: Annotated[int, Field(ge=1, le=8)] = 1
    timeout: values.Duration = timedelta(seconds=30)
    #: bytes, after decompression
    max_size: Annotated[values.Size, Field(ge=1_000, le=1_000_000_000)] = 10_000_000
    allow_private_addresses: values.Networks = ()
    #: requests a day, of all sources together; 0: no limit
    budget: Annotated[int, Field(ge=0, le=100_000_000)] = 0

    @field_validator("min_interval", "max_interval")
    @classmethod
    def _a_second_at_least(cls, interval: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= interval <= timedelta(days=365):
            raise ValueError("must be between 1s and 365d")
        return interval

    @field_validator("timeout")
    @classmethod
    def _some_minutes_at_most(cls, timeout: timedelta) -> timedelta:
        if not timedelta(milliseconds=50) <= timeout <= timedelta(minutes=10):
            raise ValueError("must be between 50ms and 10m")
        return timeout


class RankingTable(Table):
    """``[ranking]``: "most viewed", in which windows."""

    windows: Annotated[values.Windows, Field(min_length=1)] = ("1h", "1d", "7d", "30d")
    window: values.Window = "1d"
    size: Count = 8

    @property
    def lengths(self) -> Mapping[str, timedelta]:
        """How long each window is, by its name, in the order of `windows`."""
        return {window: duration(window) for window in self.windows}


class StoriesTable(Table):
    """``[stories]``: how alike articles are that are one story, or one article."""

    window: values.Duration = timedelta(hours=48)
    similarity: Annotated[float, Field(ge=0.1, le=0.6)] = 0.25
    duplicate: Annotated[float, Field(ge=0.5, le=1.0)] = 0.65

    @field_validator("window")
    @classmethod
    def _an_hour_at_least(cls, window: timedelta) -> timedelta:
        if not timedelta(hours=1) <= window <= timedelta(days=14):
            raise ValueError("must be between 1h and 14d: articles are compared with those of the last 30 days")
        return window


class RelatedTable(Table):
    """``[related]``: items about the same subject."""

    size: Count = 10
    vectors: bool = False


class RecommendationTable(Table):
    """``[recommendation]``: items worth reading now."""

    size: Count = 8
    max_per_source: Count = 2


class PublishTable(Table):
    """``[publish]``: what feeds and pages hold."""

    formats: Annotated[tuple[Literal["atom", "rss", "json"], ...], *values.Choices, Field(min_length=1)] = (
        "atom",
        "rss",
        "json",
    )
    content: Literal["summary", "full"] = "summary"
    items: Count = 50
    entry_link: Literal["go", "page", "source"] = "go"
    images: Literal["link", "none"] = "link"
    hub: values.Hub = ""


class RetentionTable(Table):
    """``[retention]``: how long content is kept; None: for ever."""

    items: values.DurationOrNever = timedelta(days=90)

    @field_validator("items")
    @classmethod
    def _a_day_at_least(cls, length: timedelta | None) -> timedelta | None:
        if length is not None and length < timedelta(days=1):
            raise ValueError('must be at least a day, or "never"')
        return length


class BackupTable(Table):
    """``[backup]``: how often a copy of the store is made (None: never) and how many are kept."""

    every: values.DurationOrNever = timedelta(days=1)
    keep: Annotated[int, Field(ge=1, le=1_000)] = 7

    @field_validator("every")
    @classmethod
    def _a_minute_at_least(cls, length: timedelta | None) -> timedelta | None:
        if length is not None and length < timedelta(minutes=1):
            raise ValueError('must be at least a minute, or "never"')
        return length
