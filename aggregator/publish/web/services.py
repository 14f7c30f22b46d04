"""The parts of the program that the web server uses."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from aggregator.model import Notice
from aggregator.publish.audience import Audience
from aggregator.publish.hub.protocol import Send
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages
from aggregator.publish.render_cache import RenderCache
from aggregator.publish.rendering import Rendering
from aggregator.publish.site import Site
from aggregator.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the program is doing, as ``/healthz`` (live) and ``/readyz`` (ready) tell it."""

    #: work is making progress; False: restart it
    live: bool
    #: requests can be answered; False: send them elsewhere
    ready: bool
    #: what was looked at, in words: {"schedule": "ticked 2 s ago"}
    checks: Mapping[str, str] = field(default_factory=dict)


class Deliveries(Protocol):
    """Whoever takes what hubs say."""

    #: the largest delivery that is read
    max_body_bytes: int

    async def confirm(self, token: str, asked: Mapping[str, str]) -> str | None:
        """What to answer a hub that asks whether it was us; None: it was not."""

    async def expects(self, token: str) -> bool:
        """Whether anything may be delivered under this address."""

    async def receive(self, token: str, *, signature: str | None, content_type: str | None, body: bytes) -> bool:
        """Takes a delivery; False: come back later."""


async def _no_metrics() -> str:
    return ""


@dataclass(slots=True, kw_only=True)
class Services:
    """The parts that answer requests. Mutable in one way only: `reload`."""

    store: Store
    site: Site
    lists: Lists
    pages: Pages
    audience: Audience
    clock: Callable[[], datetime]
    #: the seconds that age what has been rendered
    monotonic: Callable[[], float] = time.monotonic
    health: Callable[[], Health]
    #: the way out, for the WebSub hub; None: nobody is told of changes
    send: Send | None = None
    #: whether this server notifies subscribers, where several serve one site
    tells: Callable[[], bool] = lambda: True
    #: whoever takes what other sites' hubs say; None: nobody
    deliveries: Deliveries | None = None
    #: the program's own metrics in Prometheus' text format
    metrics: Callable[[], Awaitable[str]] = _no_metrics
    #: is told how many seconds a handler took to answer
    observe_response: Callable[[float], None] = lambda _: None
    #: how long an answer may go on being served after the store has changed
    freshness: timedelta = timedelta(milliseconds=250)
    #: ceiling of the rendered answers that are kept
    cache_bytes: int = 32 * 1024 * 1024
    #: raised by every reload: answers rendered before it are not served again
    epoch: int = 0
    #: what readers are told of this installation, as a banner
    notices: tuple[Notice, ...] = ()
    #: what has been rendered of single items
    cache: RenderCache = field(default_factory=RenderCache)

    def is_teller(self) -> bool:
        """Whether this server notifies subscribers now."""
        return self.tells()

    def reload(self, *, site: Site, lists: Lists, pages: Pages) -> None:
        """Takes over a new configuration, between two requests."""
        self.site, self.lists, self.pages = site, lists, pages
        self.epoch += 1

    def put_notices(self, notices: tuple[Notice, ...]) -> None:
        """Replaces the notices that pages show."""
        if notices != self.notices:
            self.notices = notices
            self.epoch += 1

    def rendering(self) -> Rendering:
        """The site as it stands now, for as long as one answer takes to make."""
        return Rendering(
            store=self.store,
            site=self.site,
            lists=self.lists,
            pages=self.pages,
            notices=self.notices,
            cache=self.cache,
        )
