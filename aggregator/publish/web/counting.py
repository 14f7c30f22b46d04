"""Counting of requests: the facts by which a view is judged, and the items that pages have shown."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Final

from aiohttp import web

from aggregator.publish.audience import ItemRequest
from aggregator.publish.rendering import Rendered
from aggregator.publish.web.connection import PlainRequest, peer_of, read_headers
from aggregator.publish.web.fast_path import Counting
from aggregator.publish.web.response_cache import ResponseCache
from aggregator.publish.web.services import Services

#: readers who open one item after the other
_REMEMBERED: Final = 256
#: what was shown is handed to the store so often
_FLUSH_S: Final = 60.0


class ShownCounter:
    """Counts what pages show to readers, and hands it to the store from time to time. Used on the event loop only."""

    def __init__(self, services: Services, responses: ResponseCache) -> None:
        self._services = services
        self._responses = responses
        self._flushed_at = 0.0
        self._flushing: asyncio.Task[None] | None = None

    def add(self, asked: ItemRequest, page: Rendered) -> None:
        """A page was given."""
        self._services.audience.shown(asked, page.shown.split())
        now = asyncio.get_running_loop().time()
        if now - self._flushed_at >= _FLUSH_S:
            self._flushed_at = now
            self._flushing = asyncio.create_task(self._responses.call(self.flush))

    def counting(self, page: Rendered) -> Counting | None:
        """What counts a page that is given without a handler; None: it shows nothing."""
        if not page.shown:
            return None
        return lambda request, peer: self.add(plain_item_request(request, peer), page)

    def flush(self) -> None:
        """Hands all to the store. Waits for the disk."""
        self._services.audience.flush_impressions(now=self._services.clock())


def plain_item_request(request: PlainRequest, peer: str) -> ItemRequest:
    """A request of the fast path as it is judged."""
    return _plain_item_request(request.header_lines, peer)


def item_request(request: web.Request) -> ItemRequest:
    """A request as it is judged."""
    return _item_request(request.method, request.raw_headers, peer_of(request.transport))


@lru_cache(_REMEMBERED)
def _item_request(method: str, headers: tuple[tuple[bytes, bytes], ...], peer: str | None) -> ItemRequest:
    """The request as it is judged; remembered, since a browser says the same of itself with every item."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key, text = _name(name), value.decode("utf-8", "surrogateescape")
        # a header that stands there twice is one, with a comma (RFC 9110, 5.3)
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return ItemRequest(method=method, peer=peer or "", headers=joined)


@lru_cache(_REMEMBERED)
def _plain_item_request(header_lines: bytes, peer: str) -> ItemRequest:
    return ItemRequest(method="GET", peer=peer, headers=read_headers(header_lines) or {})


@lru_cache(_REMEMBERED)
def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape").lower()
