"""The tables of config.toml: the keys of each, their types and their defaults.

Every attribute has the name of its key. A validator raises ValueError with a sentence for people; `validation` puts
file, line and key in front of it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from aggregator.config import types
from aggregator.curate.rules import Action, Match, Rule, compile_match, parse_action
from aggregator.errors import RuleError
from aggregator.model import OwnFeed, Subscription, duration

PLACEHOLDER_CONTACT = "https://example.org/about"
#: names of feeds that the site has of itself
RESERVED_FEEDS = frozenset({"latest", "ranking", "recommended", "related", "status", "search", "stories"})
#: how many of something a list holds
Count = Annotated[int, Field(ge=1, le=1_000)]


class Table(BaseModel):
    """What all tables share: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


class SiteTable(Table):
    """``[site]``: title, address and language of the site."""

    title: types.Line = "The Daily Aggregate"
    #: without a trailing slash
    url: types.SiteUrl = "http://127.0.0.1:8080"
    #: with what ids in feeds begin instead of the first `url`: a host name
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,100}[A-Za-z0-9])?$|^$")] = ""
    language: types.Language = "en"
    timezone: types.Zone = ZoneInfo("UTC")
    contact: types.Line = PLACEHOLDER_CONTACT
    like_label: types.Line = "veryGood!"
    #: filters that the front page offers, in that order; empty: the languages that many items are in
    languages: Annotated[tuple[types.Language, ...], *types.Choices] = ()
    #: a file beside config.toml; "" for none
    stylesheet: str = ""
    script: bool = False

    @field_validator("contact")
    @classmethod
    def _fits_a_header(cls, contact: str) -> str:
        if not contact.isascii():
            raise ValueError("must be plain ASCII, it goes into a request header: an address or an e-mail address")
        return contact

    @property
    def reached_at(self) -> str:
        """`contact`; "" while it is a placeholder."""
        return "" if types.is_nobodys(self.contact) else self.contact


class ServerTable(Table):
    """``[server]``: where pages and feeds are served."""

    #: HOST:PORT or unix:PATH, one or several
    listen: types.Listen = ("127.0.0.1:8080",)
    #: permissions of unix sockets
    socket_mode: types.SocketMode = "0660"
    #: networks, and "unix" for whoever connects by a unix socket
    trusted_proxies: types.Proxies = ()
    access: Literal["public", "token"] = "public"
    token: str = ""
    #: instead of `token`: a file whose first line it is, or a credential of systemd's
    token_file: str = ""

    @model_validator(mode="after")
    def _a_token_where_one_is_asked_for(self) -> Self:
        if self.access == "token" and not (self.token or self.token_file):
            raise ValueError('access = "token" needs a token or a token_file')
        if self.token and self.token_file:
            raise ValueError("token and token_file: give one of the two")
        if self.token and not re.fullmatch(r"[!-~]{12,200}", self.token):
            raise ValueError("token: 12 to 200 ASCII characters without spaces; `openssl rand -hex 16` makes one")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """The first IP address of `listen` as host and port; this machine only, without one."""
        first = next((text for text in self.listen if not text.startswith("unix:")), "127.0.0.1:8080")
        return types.listen_address(first)


class StoreTable(Table):
    """``[store]``: the database."""

    url: str = "sqlite:aggregator.db"

    @field_validator("url")
    @classmethod
    def _known_kind(cls, url: str) -> str:
        kind, _, place = url.partition(":")
        if kind not in {"sqlite", "postgresql", "postgres"} or not place:
            raise ValueError(
                f'"{kind}:…": sqlite:PATH and postgresql://HOST/DATABASE are known, e.g. "sqlite:aggregator.db"'
            )
        return url


class PollingTable(Table):
    """``[polling]``: intervals, concurrency and limits of polls."""

    min_interval: types.Duration = timedelta(minutes=30)
    max_interval: types.Duration = timedelta(hours=6)
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 64
    per_host: Annotated[int, Field(ge=1, le=8)] = 1
    timeout: types.Duration = timedelta(seconds=30)
    #: bytes, after decompression
    max_size: Annotated[types.Size, Field(ge=1_000, le=1_000_000_000)] = 10_000_000
    allow_private_addresses: types.Networks = ()
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
    """``[ranking]``: the windows of "most viewed"."""

    windows: Annotated[types.Windows, Field(min_length=1)] = ("1h", "1d", "7d", "30d")
    window: types.Window = "1d"
    size: Count = 8

    @property
    def lengths(self) -> Mapping[str, timedelta]:
        """The length of each window by its name, in the order of `windows`."""
        return {window: duration(window) for window in self.windows}


class StoriesTable(Table):
    """``[stories]``: thresholds for the same story and for the same article."""

    window: types.Duration = timedelta(hours=48)
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
    """``[publish]``: the content of feeds and pages."""

    formats: Annotated[tuple[Literal["atom", "rss", "json"], ...], *types.Choices, Field(min_length=1)] = (
        "atom",
        "rss",
        "json",
    )
    content: Literal["summary", "full"] = "summary"
    items: Count = 50
    entry_link: Literal["go", "page", "source"] = "go"
    images: Literal["link", "none"] = "link"
    hub: types.Hub = ""


class RetentionTable(Table):
    """``[retention]``: how long content is kept; None: for ever."""

    items: types.DurationOrNever = timedelta(days=90)

    @field_validator("items")
    @classmethod
    def _a_day_at_least(cls, length: timedelta | None) -> timedelta | None:
        if length is not None and length < timedelta(days=1):
            raise ValueError('must be at least a day, or "never"')
        return length


class BackupTable(Table):
    """``[backup]``: how often a copy of the store is made (None: never) and how many are kept."""

    every: types.DurationOrNever = timedelta(days=1)
    keep: Annotated[int, Field(ge=1, le=1_000)] = 7

    @field_validator("every")
    @classmethod
    def _a_minute_at_least(cls, length: timedelta | None) -> timedelta | None:
        if length is not None and length < timedelta(minutes=1):
            raise ValueError('must be at least a minute, or "never"')
        return length


class MailTable(Table):
    """``[mail]``: the server that takes digests to be mailed."""

    #: a host name; "": nothing is mailed
    server: Annotated[str, Field(pattern=r"^[0-9A-Za-z.:-]{0,253}$")] = ""
    #: 0: the usual one for `tls`
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    user: str = ""
    #: a file whose first line is the password, or a credential of systemd's
    password_file: str = ""
    sender: types.MailAddress | None = Field(default=None, alias="from")
    tls: Literal["starttls", "tls", "none"] = "starttls"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.server.count(":") == 1:
            raise ValueError("server is a host name or an address alone: the port has a key of its own, 'port'")
        if self.server and self.sender is None:
            raise ValueError("server needs a key 'from': the address that messages come from")
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file belong together: give both or none")
        if self.user and self.tls == "none" and not types.is_this_machine(self.server):
            raise ValueError('tls = "none" would send the password in the clear: use "starttls" or "tls"')
        return self


class SourceTable(Table):
    """One ``[[sources]]``: a feed that is followed."""

    url: types.HttpUrl
    #: a file that holds the address, which has then been read into `url`
    url_file: str | None = None
    section: types.Line = "News"
    #: in place of `section`, where there are several: the first is that of the breadcrumb
    sections: Annotated[tuple[types.Line, ...], *types.Choices] = ()
    name: types.Line | None = None
    interval: types.Duration | None = None
    weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    enabled: bool = True
    full_text: types.FullText = ""
    role: Literal["source", "signal"] = "source"
    in_latest: bool = True
    #: headers of the operator's own; they may be secrets, and are sent to the origin of `url` only
    headers: types.RequestHeaders = Field(default={}, repr=False)
    cookie: types.HeaderValue | None = Field(default=None, repr=False)
    user_agent: types.HeaderValue | None = None
    #: how far back the archives that the feed names are read when it is polled for the first time (RFC 5005)
    history: types.Duration | None = None

    @field_validator("interval")
    @classmethod
    def _a_second_at_least(cls, interval: timedelta | None) -> timedelta | None:
        if interval is not None and not timedelta(seconds=1) <= interval <= timedelta(days=365):
            raise ValueError("must be between 1s and 365d")
        return interval

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        if self.sections and "section" in self.model_fields_set:
            raise ValueError("give section or sections, not both")
        return self

    @property
    def all_sections(self) -> tuple[str, ...]:
        """The sections in which its items stand, the first one first."""
        return self.sections or (self.section,)

    def subscription(self) -> Subscription:
        """The Subscription of this table."""
        fields = {field.name for field in dataclasses.fields(Subscription)}
        named = {key: value for key, value in self if key in fields}
        first, *more = self.all_sections
        sections = {"section": first, "more_sections": tuple(more)}
        return Subscription(**{**named, **sections, "full_text": bool(self.full_text)})

    @property
    def own_headers(self) -> Mapping[str, str]:
        """All headers of the operator's own; `cookie` and `user_agent` go before `headers`."""
        own = {"Cookie": self.cookie, "User-Agent": self.user_agent}
        named = {name: value for name, value in own.items() if value is not None}
        lower = {name.lower() for name in named}
        return {name: value for name, value in self.headers.items() if name.lower() not in lower} | named


class SubscriptionTable(Table):
    """One ``[[subscriptions]]``: a list of feeds on the web, all of which are followed."""

    opml: types.HttpUrl
    #: None: the folders of the list
    section: types.Line | None = None
    enabled: bool = True


class RuleTable(Table):
    """One ``[[rules]]``: the action for entries that match."""

    match: str
    action: str
    #: the last day on which it holds, or the moment at which it ends; in the site's time zone where it names none
    until: date | datetime | None = None

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

    def compiled(self, zone: ZoneInfo) -> Rule:
        """The compiled rule; `zone` is the time zone of the site."""
        return Rule(
            match_text=self.match, match=_match(self.match), action=_action(self.action), until=self._until(zone)
        )

    def _until(self, zone: ZoneInfo) -> datetime | None:
        if self.until is None:
            return None
        if isinstance(self.until, datetime):
            return (self.until if self.until.tzinfo else self.until.replace(tzinfo=zone)).astimezone(UTC)
        return datetime.combine(self.until + timedelta(days=1), time(), tzinfo=zone).astimezone(UTC)


class FeedTable(Table):
    """One ``[[feeds]]``: an output feed of the operator's own."""

    name: str
    title: types.Line | None = None
    order: str = "latest"
    match: str | None = None
    size: Count = 20
    max_per_source: Count | None = None
    #: makes it a digest
    every: types.Duration | None = None
    at: types.TimeOfDay | None = None
    #: whom a digest is mailed to; addresses are nobody else's business
    mail: types.MailAddresses = Field(default=(), repr=False)
    #: addresses of Apprise's, which may hold secrets
    notify: types.NotifyUrls = Field(default=(), repr=False)

    @field_validator("every")
    @classmethod
    def _whole_days(cls, every: timedelta | None) -> timedelta | None:
        if every is not None and (every % timedelta(days=1) or not 1 <= every.days <= 31):
            raise ValueError('a digest is issued every so many whole days: "1d", "7d", at most "31d"')
        return every

    @model_validator(mode="after")
    def _only_of_digests(self) -> Self:
        given = [name for name in ("at", "mail", "notify") if getattr(self, name)]
        if self.every is None and (given or self.at is not None):
            raise ValueError(f'{", ".join(given) or "at"}: only a digest has that; give it every = "1d", too')
        return self

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
        """The OwnFeed of this table; ``ranking`` alone means the default window."""
        order = f"ranking:{default_window}" if self.order == "ranking" else self.order
        own = {name: value for name, value in self if name not in {"at", "mail", "notify"}}
        if self.at is not None:
            own["at"] = self.at
        return OwnFeed(**{**own, "order": order, "title": self.title or self.name})


class Configuration(Table):
    """The whole of config.toml."""

    site: SiteTable = SiteTable()
    server: ServerTable = ServerTable()
    store: StoreTable = StoreTable()
    polling: PollingTable = PollingTable()
    ranking: RankingTable = RankingTable()
    stories: StoriesTable = StoriesTable()
    related: RelatedTable = RelatedTable()
    recommendation: RecommendationTable = RecommendationTable()
    publish: PublishTable = PublishTable()
    retention: RetentionTable = RetentionTable()
    backup: BackupTable = BackupTable()
    mail: MailTable = MailTable()
    sources: Annotated[tuple[SourceTable, ...], types.Tables] = ()
    subscriptions: Annotated[tuple[SubscriptionTable, ...], types.Tables] = ()
    rules: Annotated[tuple[RuleTable, ...], types.Tables] = ()
    feeds: Annotated[tuple[FeedTable, ...], types.Tables] = ()


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
