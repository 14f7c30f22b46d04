"""Settings → concrete parts. The daemon and the commands build everything here, and nowhere else.

settings ─┬─ store
          ├─ fetcher ─┐
          ├─ judge ───┼─ poller        the way in
          │  parser ──┘
          ├─ refresher                 store → curate → store
          └─ site ─ lists, pages ─┐
             audience ────────────┴─ services   the way out
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from aggregator import __version__
from aggregator.clock import RemoteClock, SteadyClock, wall
from aggregator.config import Settings
from aggregator.curate.rules import judge as judge_by
from aggregator.curate.rules import subject_of_entry
from aggregator.errors import ConfigError, Problem, StoreError
from aggregator.model import ParsedEntry, PollResult, Source, Verdict
from aggregator.store import PollChanges, Store, is_postgresql, open_store

if TYPE_CHECKING:
    from aggregator.collect.articles import ArticleReader
    from aggregator.collect.cadence import Policy
    from aggregator.collect.fetch import Fetcher, SharedSlots, SupportsGet
    from aggregator.collect.guard import Guard
    from aggregator.collect.parse import TwoTierParsePool
    from aggregator.collect.poll import Parser, Poller
    from aggregator.collect.push import HubClient, Subscriber
    from aggregator.publish.audience import Audience
    from aggregator.publish.hub.protocol import Send
    from aggregator.publish.rendering import Rendering
    from aggregator.publish.site import Site
    from aggregator.publish.web import Health, Services
    from aggregator.publish.web.services import Deliveries
    from aggregator.refresh import CurateOptions, Refresher

Clock = Callable[[], datetime]
Judge = Callable[[Source, ParsedEntry], Verdict]
Relax = Callable[[Source, PollResult], PollResult]

_log = logging.getLogger(__name__)

#: a busy news page has a few hundred entries; a parse that takes longer is an attack or a bug
PARSE_TIMEOUT = timedelta(seconds=10)


def store(settings: Settings, *, create: bool = True) -> Store:
    """The store of ``[store] url``. Raises StoreUnusable."""
    return open_store(settings.store.url, base=settings.store_base, create=create)


def state_dir(settings: Settings) -> Path:
    """Where the store and what belongs to it lie: keys, the log of views, backups."""
    if is_postgresql(settings.store.url):
        return settings.store_base.absolute()
    _, _, place = settings.store.url.partition(":")
    return (settings.store_base / place).absolute().parent


def server_clock(settings: Settings, store: Store) -> RemoteClock | None:
    """The clock of the store's server, which all processes on it go by; None where there is one machine.

    Raises StoreUnavailable if the server cannot be asked.
    """
    return RemoteClock(lambda: store.server_time(now=wall())) if is_postgresql(settings.store.url) else None


def steady_clock(server_clock: RemoteClock | None) -> SteadyClock:
    """The clock of a process: this machine's, or that of the store's server."""
    return SteadyClock(wall=server_clock or wall)


def user_agent(settings: Settings) -> str:
    """Who we are, and where a publisher can complain (RFC 9110 10.1.5); an address that is nobody's is not sent."""
    contact = settings.site.reached_at
    return f"aggregator/{__version__} (feed reader{f'; +{contact}' if contact else ''})"


def fetcher(settings: Settings, clock: Clock, slots: SharedSlots | None = None) -> Fetcher:
    """The way to the web, within ``[polling]``'s limits; `slots` are those of `address_slots`."""
    from aggregator.collect.fetch import Fetcher, FetchLimits

    polling = settings.polling
    standard = FetchLimits()
    limits = FetchLimits(
        total=polling.timeout,
        resolve=min(standard.resolve, polling.timeout),
        connect=min(standard.connect, polling.timeout),
        silence=min(standard.silence, polling.timeout),
        max_size_bytes=polling.max_size,
    )
    return Fetcher(limits, guard(settings), user_agent(settings), clock=clock, slots=slots)


def address_slots(settings: Settings, store: Store, clock: Clock) -> SharedSlots | None:
    """Slots for each address that all processes on a store of many share; None where there is one process."""
    if not is_postgresql(settings.store.url):
        return None
    from aggregator.collect.fetch import StoredSlots

    return StoredSlots(store, clock)


def guard(settings: Settings) -> Guard:
    """Which addresses may be dialled."""
    from aggregator.collect.guard import Guard

    return Guard(tuple(str(network) for network in settings.polling.allow_private_addresses))


def parser() -> TwoTierParsePool:
    """The child processes that parse."""
    from aggregator.collect.parse import TwoTierParsePool

    return TwoTierParsePool(timeout=PARSE_TIMEOUT)


def judge(settings: Settings, clock: Clock) -> Judge:
    """What ``[[rules]]`` say of an entry that arrives now."""
    rules = settings.rules_compiled()

    def judged(source: Source, entry: ParsedEntry) -> Verdict:
        return judge_by(rules, subject_of_entry(source, entry), now=clock()) if rules else Verdict()

    return judged


def bounds(settings: Settings) -> Policy:
    """How often sources are asked at the most and at the least."""
    from aggregator.collect.cadence import Policy

    return Policy(min_interval=settings.polling.min_interval, max_interval=settings.polling.max_interval)


def policy(settings: Settings, store: Store, now: datetime) -> Policy:
    """The same, within ``[polling] budget``: for that, it looks at all sources."""
    from aggregator.collect.cadence import interval_factor

    plain, budget = bounds(settings), settings.polling.budget
    return (
        replace(plain, interval_factor=interval_factor(store.followed(), now=now, policy=plain, polls_per_day=budget))
        if budget
        else plain
    )


def poller(
    settings: Settings,
    *,
    policy: Policy,
    store: Store,
    fetcher: SupportsGet,
    parser: Parser,
    clock: Clock,
    web: Fetcher | None = None,
    relax: Relax = lambda _, result: result,
) -> Poller:
    """The order of things for one lease.

    `fetcher` gives the documents of feeds, `web` is the way that these take: requests for articles take turns with it.
    """
    from aggregator.collect.fetch import OwnHeaders
    from aggregator.collect.poll import Poller

    fetched = fetched_in_full(settings)
    own = {one.url: OwnHeaders(url=one.url, fields=one.own_headers) for one in settings.sources if one.own_headers}
    histories = {one.url: one.history for one in settings.sources if one.history is not None}
    return Poller(
        store,
        fetcher,
        parser,
        policy,
        judge(settings, clock),
        clock,
        relax=relax,
        own_headers=lambda source: own.get(source.subscription.url),
        history=lambda source: histories.get(source.subscription.url),
        articles=_articles(settings, fetched, store, clock, web) if fetched else None,
    )


def fetched_in_full(settings: Settings) -> frozenset[str]:
    """The addresses of the sources whose articles are fetched; none where the library is missing."""
    if importlib.util.find_spec("trafilatura") is None:
        return frozenset()
    return frozenset(one.url for one in settings.sources if one.full_text == "fetch")


def is_pushed(settings: Settings) -> Callable[[Source], bool]:
    """Whether hubs are asked to deliver a source: not where a poll fetches the articles of what is new."""
    fetched = fetched_in_full(settings)
    return lambda source: source.subscription.url not in fetched


def _articles(
    settings: Settings, fetched: frozenset[str], store: Store, clock: Clock, web: Fetcher | None
) -> ArticleReader:
    """Reads articles; its requests take turns with those of `web`."""
    from aggregator.collect.articles import ArticleReader
    from aggregator.collect.guard import Guard

    first = web or fetcher(settings, clock, address_slots(settings, store, clock))
    return ArticleReader(
        lambda source: source.subscription.url in fetched,
        public_fetcher=lambda: first.beside(Guard(), max_hops=10),
        own_fetcher=lambda: first.beside(guard(settings), max_hops=0),
    )


def base(settings: Settings) -> str:
    """The address of our site, without its last slash."""
    return settings.site.url.rstrip("/")


def hubs(settings: Settings, clock: Clock, store: Store) -> HubClient:
    """The way to the hubs of others: the guard as for feeds, limits as for a short talk (COLLECT 1.4)."""
    from aggregator.collect.fetch import Fetcher, FetchLimits
    from aggregator.collect.push import HubClient

    short = timedelta(seconds=5)
    limits = FetchLimits(total=3 * short, resolve=short, connect=short, silence=short)
    slots = address_slots(settings, store, clock)
    return HubClient(Fetcher(limits, guard(settings), user_agent(settings), clock=clock, slots=slots))


def subscriber(
    settings: Settings,
    *,
    store: Store,
    parser: TwoTierParsePool,
    clock: Clock,
    on_delivered: Callable[[PollChanges], None],
) -> Subscriber:
    """Who subscribes at the hubs of sources and takes what they deliver."""
    from aggregator.collect.push import Subscriber

    return Subscriber(
        store,
        hubs(settings, clock, store),
        parser,
        judge(settings, clock),
        base=base(settings),
        clock=clock,
        on_delivered=on_delivered,
        max_body_bytes=settings.polling.max_size,
        is_pushed=is_pushed(settings),
    )


def curate_options(settings: Settings) -> CurateOptions:
    """What the lists depend on."""
    from aggregator.curate.embeddings import find_encoder
    from aggregator.curate.thresholds import Thresholds
    from aggregator.following import sections
    from aggregator.refresh import CurateOptions

    return CurateOptions(
        windows=settings.ranking.lengths,
        window=settings.ranking.window,
        ranking_size=settings.ranking.size,
        recommendation_size=settings.recommendation.size,
        max_per_source=settings.recommendation.max_per_source,
        sections=sections(settings),
        languages=tuple(settings.site.languages),
        feeds=settings.own_feeds(),
        thresholds=Thresholds(**dict(settings.stories)),
        encoder=find_encoder() if settings.related.vectors else None,
    )


def refresher(settings: Settings, store: Store) -> Refresher:
    """What turns new items into lists."""
    from aggregator.refresh import Refresher

    return Refresher(store, curate_options(settings))


def site(settings: Settings, store: Store | None = None) -> Site:
    """What publishing needs to know of the configuration; with a `store`, the ids that it keeps."""
    from aggregator.following import sections
    from aggregator.publish.site import Site

    return Site(
        access_token=access_token(settings),
        id=_tag_authority(settings, store) if store is not None else "",
        title=settings.site.title,
        url=base(settings),
        language=settings.site.language,
        timezone=settings.site.timezone,
        contact=settings.site.reached_at,
        like_label=settings.site.like_label,
        sections=sections(settings),
        windows=settings.ranking.windows,
        window=settings.ranking.window,
        ranking_size=settings.ranking.size,
        related_size=settings.related.size,
        recommendation_size=settings.recommendation.size,
        formats=settings.publish.formats,
        content=settings.publish.content,
        items=settings.publish.items,
        entry_link=settings.publish.entry_link,
        images=settings.publish.images,
        hub=settings.publish.hub,
        feeds=settings.own_feeds(),
        version=__version__,
        languages=settings.site.languages,
        stylesheet=_stylesheet(settings),
        script=settings.site.script,
    )


def _stylesheet(settings: Settings) -> str:
    """The operator's own stylesheet; it was readable when the configuration was read."""
    if not settings.site.stylesheet:
        return ""
    try:
        return (settings.base / settings.site.stylesheet).read_text("utf-8", "replace")
    except OSError as error:
        _log.warning("stylesheet left out", extra={"file": settings.site.stylesheet, "why": error})
        return ""


def access_token(settings: Settings) -> str:
    """The token that a private instance asks for; "" for a public one. ConfigError where its file cannot be read."""
    from aggregator.config.secrets import read_secret

    server = settings.server
    if server.access != "token":
        return ""
    if server.token:
        return server.token
    try:
        return read_secret(server.token_file, settings.base, os.environ)
    except ValueError as error:
        raise ConfigError(Problem(message=f"[server] token_file: {error}", key="server.token_file")) from error


def _tag_authority(settings: Settings, store: Store) -> str:
    """With what ids in feeds begin: as configured, else as it was when the store was first opened."""
    from aggregator.publish.channel import authority

    if settings.site.id:
        return authority(f"http://{settings.site.id}/")
    fresh = authority(base(settings))
    try:
        return store.mint("site/id", fresh)
    except StoreError:  # it cannot be written at the moment; ids are what they were unless the site has moved
        return fresh


def audience(settings: Settings, store: Store, *, on_view: Callable[[], None] = lambda: None) -> Audience:
    """Who counts views and likes."""
    from aggregator.publish.audience import Audience

    return Audience(
        store,
        state_dir=state_dir(settings),
        site_url=settings.site.url,
        trusted_proxies=tuple(str(network) for network in settings.server.trusted_proxies),
        on_view=on_view,
        has_others=is_postgresql(settings.store.url),
    )


def rendering(settings: Settings, store: Store) -> Rendering:
    """The site as it stands, without a server."""
    from aggregator.publish.lists import Lists
    from aggregator.publish.pages import Pages
    from aggregator.publish.rendering import Rendering

    of_site = site(settings, store)
    return Rendering(store=store, site=of_site, lists=Lists(store, of_site), pages=Pages(of_site))


def services(
    settings: Settings,
    store: Store,
    *,
    audience: Audience,
    clock: Clock,
    health: Callable[[], Health],
    metrics: Callable[[], Awaitable[str]],
    deliveries: Deliveries | None = None,
    send: Send | None = None,
) -> Services:
    """What the web server asks."""
    from aggregator.publish.lists import Lists
    from aggregator.publish.pages import Pages
    from aggregator.publish.web import Services

    of_site = site(settings, store)
    return Services(
        store=store,
        site=of_site,
        lists=Lists(store, of_site),
        pages=Pages(of_site),
        audience=audience,
        clock=clock,
        health=health,
        metrics=metrics,
        deliveries=deliveries,
        send=send,
    )


def send(fetcher: Callable[[], Fetcher]) -> Send:
    """The way out for the WebSub hub: through whichever fetcher is in use, its limits and its guard."""

    async def run(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        reply = await fetcher().send(method, url, body=body, headers=headers)
        return reply.status, reply.body

    return run
