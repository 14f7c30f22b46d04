"""Routes of items, whose requests are counted; and counting of what pages have shown."""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from typing import Final

from aiohttp import web

from aggregator.errors import NotFound, StoreError
from aggregator.model import Item
from aggregator.publish.audience import ItemRequest, refusal
from aggregator.publish.markup import address
from aggregator.publish.rendering import Rendered
from aggregator.publish.web.connection import PlainRequest, peer_of, read_headers, separator
from aggregator.publish.web.fast_path import CACHEABLE, Cacheable, Counting
from aggregator.publish.web.http_response import NO_CACHING, PAGE_CACHING, answer, asked_coding, redirect
from aggregator.publish.web.response_cache import ResponseCache
from aggregator.publish.web.services import Services

_log = logging.getLogger(__name__)


class ItemRoutes:
    """Handlers of what readers do with an item."""

    def __init__(self, services: Services, responses: ResponseCache, shown: ShownCounter) -> None:
        self._services = services
        self._shown = shown
        self._responses = responses

    def table(self) -> list[web.RouteDef]:
        """The routes, to be added to the application."""
        return [
            web.get("/item/{id}", self.article),
            web.get("/go/{id}", self.go),
            web.post("/item/{id}/like", self.like),
        ]

    async def article(self, request: web.Request) -> web.Response:
        """``/item/<id>``: the page; opening it is a view."""
        item_id, liked = request.match_info["id"], "liked" in request.query
        key = f"/item/{item_id}{'?liked' if liked else ''}"
        content = await self._responses.get(
            key,
            lambda: self._services.rendering().article(item_id, now=self._services.clock(), liked=liked),
            coding=asked_coding(request.headers.get("Accept-Encoding", "")),
        )
        if content.rendered.status == 200:
            await self._count(request, item_id)
            self._shown.add(item_request(request), content.rendered)
            if not request.query_string:
                counting = self._counting(item_id, content.rendered)
                request[CACHEABLE] = Cacheable(key=key, content=content, count=counting)
        response = answer(request, content, now=self._services.clock(), caching=PAGE_CACHING)
        if liked or "r" in request.query:
            response.headers["X-Robots-Tag"] = "noindex"
        return response

    async def go(self, request: web.Request) -> web.Response:
        """``/go/<id>``: on to the original; following it is a view. Former ids lead on as well."""
        item_id = request.match_info["id"]
        found = await self._responses.call(lambda: self._item(item_id))
        if isinstance(found, Rendered):
            return web.Response(body=found.body, status=found.status, headers={"Content-Type": found.content_type})
        await self._count(request, found.id)
        original = address(found.url or "")
        is_safe = original.startswith(("http://", "https://"))
        response = redirect(original if is_safe else f"../item/{found.id}", 302)
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        return response

    async def like(self, request: web.Request) -> web.Response:
        """``POST /item/<id>/like``: back to the page, which says thank you. 403 from elsewhere, 429 for too many."""
        item_id, now = request.match_info["id"], self._services.clock()
        asked = item_request(request)
        found = await self._responses.call(lambda: self._item(item_id))
        if isinstance(found, Rendered):
            return web.Response(body=found.body, status=found.status, headers={"Content-Type": found.content_type})
        given = await self._responses.call(lambda: self._services.audience.like(asked, found.id, now=now))
        if given.refused is not None:
            page = self._services.rendering().error(given.refused, now=now)
            headers = {"Content-Type": page.content_type, "Cache-Control": NO_CACHING}
            return web.Response(body=page.body, status=page.status, headers=headers)
        self._responses.changed()
        response = redirect(f"../{found.id}?liked#like", 303)
        if given.set_cookie:
            response.headers.add("Set-Cookie", given.set_cookie)
        return response

    def _item(self, item_id: str) -> Item | Rendered:
        """The item as it is shown now, whichever of its ids was asked for; the 410 if its content is gone."""
        current = self._services.store.resolve(item_id)
        if current is None:
            raise NotFound(f"there is no item {item_id!r}")
        return self._services.rendering().item(current, now=self._services.clock())

    async def _count(self, request: web.Request, item_id: str) -> None:
        """A view, if it was one; and what a reader with an address of their own has opened. Never costs the answer."""
        asked, now = item_request(request), self._services.clock()
        self._services.audience.view(asked, item_id, now=now)
        token = request.query.get("r")
        if not token or refusal(asked) is not None:
            return
        try:
            await self._responses.call(lambda: self._services.store.record_opened(token, item_id, now=now))
        except StoreError as error:
            _log.warning("opening not recorded", extra={"item": item_id, "why": error})

    def _counting(self, item_id: str, page: Rendered) -> Counting:
        """A view by somebody who is given the page without a handler."""

        def count(request: PlainRequest, peer: str) -> None:
            asked = plain_item_request(request, peer)
            self._services.audience.view(asked, item_id, now=self._services.clock())
            self._shown.add(asked, page)

        return count


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
        joined[key] = f"{joined[key]}{separator(key)}{text}" if key in joined else text
    return ItemRequest(method=method, peer=peer or "", headers=joined)


@lru_cache(_REMEMBERED)
def _plain_item_request(header_lines: bytes, peer: str) -> ItemRequest:
    return ItemRequest(method="GET", peer=peer, headers=read_headers(header_lines) or {})


@lru_cache(_REMEMBERED)
def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape").lower()
