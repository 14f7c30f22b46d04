"""The addresses that count: an item's page, the way to the original, the like button."""

from __future__ import annotations

import logging

from aiohttp import web

from aggregator.errors import NotFound, StoreError
from aggregator.model import Item
from aggregator.publish.audience import Opened, refusal
from aggregator.publish.markup import address
from aggregator.publish.rendering import Made
from aggregator.publish.web.answer import NO_CACHING, PAGE_CACHING, answer, redirect
from aggregator.publish.web.content import Contents
from aggregator.publish.web.services import Services

_log = logging.getLogger(__name__)


class Opening:
    """Handlers of what readers do with an item."""

    def __init__(self, services: Services, contents: Contents) -> None:
        self._services = services
        self._contents = contents

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
        content = await self._contents.get(
            f"/item/{item_id}{'?liked' if liked else ''}",
            lambda: self._services.rendering().article(item_id, liked=liked),
        )
        if content.made.status == 200:
            await self._count(request, item_id)
        response = answer(request, content, now=self._services.clock(), caching=PAGE_CACHING)
        if liked or "r" in request.query:
            response.headers["X-Robots-Tag"] = "noindex"
        return response

    async def go(self, request: web.Request) -> web.Response:
        """``/go/<id>``: on to the original; following it is a view. Former ids lead on as well."""
        item_id = request.match_info["id"]
        found = await self._contents.call(lambda: self._item(item_id))
        if isinstance(found, Made):
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
        opened = _opened(request)
        found = await self._contents.call(lambda: self._item(item_id))
        if isinstance(found, Made):
            return web.Response(body=found.body, status=found.status, headers={"Content-Type": found.content_type})
        given = await self._contents.call(lambda: self._services.audience.like(opened, found.id, now=now))
        if given.refused is not None:
            page = self._services.rendering().error(given.refused)
            headers = {"Content-Type": page.content_type, "Cache-Control": NO_CACHING}
            return web.Response(body=page.body, status=page.status, headers=headers)
        self._contents.changed()
        response = redirect(f"../{found.id}?liked#like", 303)
        if given.set_cookie:
            response.headers.add("Set-Cookie", given.set_cookie)
        return response

    def _item(self, item_id: str) -> Item | Made:
        """The item as it is shown now, whichever of its ids was asked for; the 410 if its content is gone."""
        current = self._services.store.resolve(item_id)
        if current is None:
            raise NotFound(f"there is no item {item_id!r}")
        return self._services.rendering().item(current)

    async def _count(self, request: web.Request, item_id: str) -> None:
        """A view, if it was one; and what a reader with an address of their own has opened. Never costs the answer."""
        opened, now = _opened(request), self._services.clock()
        self._services.audience.view(opened, item_id, now=now)
        token = request.query.get("r")
        if not token or refusal(opened) is not None:
            return
        try:
            await self._contents.call(lambda: self._services.store.record_opened(token, item_id, now=now))
        except StoreError as error:
            _log.warning("opening not recorded", extra={"item": item_id, "why": error})


def _opened(request: web.Request) -> Opened:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return Opened(method=request.method, peer=request.remote or "", headers=headers)
