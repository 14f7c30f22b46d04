"""The callback at which hubs verify subscriptions and deliver documents (WebSub subscriber)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from aggregator.errors import NotFound
from aggregator.publish.hub import Hub
from aggregator.publish.hub.protocol import read_request
from aggregator.publish.web.http_response import NO_CACHING
from aggregator.publish.web.services import Deliveries

#: from the headers of a delivery to its last byte
_BODY_WITHIN_S: Final = 30.0
#: bodies that are being read at one time
_AT_ONCE: Final = 8


class PushRoutes:
    """The handlers of ``/push/<token>``; without `deliveries` there is no such address."""

    def __init__(self, deliveries: Callable[[], Deliveries | None]) -> None:
        self._deliveries = deliveries
        self._room = asyncio.Semaphore(_AT_ONCE)

    def table(self) -> list[web.RouteDef]:
        """The routes, to be added to the application."""
        return [
            web.get("/push/{token}", self.confirm, allow_head=False),
            web.post("/push/{token}", self.deliver),
        ]

    async def confirm(self, request: web.Request) -> web.Response:
        """``GET /push/<token>``: the hub's challenge if we have asked for what it verifies; else 404."""
        deliveries = self._given()
        asked = {name: request.query[name] for name in request.query}
        challenge = await deliveries.confirm(request.match_info["token"], asked)
        if challenge is None:
            raise NotFound("nothing of this kind has been asked for")
        return web.Response(text=challenge, headers={"Cache-Control": NO_CACHING})

    async def deliver(self, request: web.Request) -> web.Response:
        """``POST /push/<token>``: 202 at once; 410 where nothing is expected (any more), 413, 408, 503 as they say."""
        deliveries, token = self._given(), request.match_info["token"]
        if not await deliveries.expects(token):
            return _said(410)
        if self._room.locked():
            return _said(503)
        async with self._room:
            body = await _read(request, deliveries.max_body_bytes)
        taken = await deliveries.receive(
            token,
            signature=request.headers.get("X-Hub-Signature"),
            content_type=request.headers.get("Content-Type"),
            body=body,
        )
        return _said(202 if taken else 503)

    def _given(self) -> Deliveries:
        deliveries = self._deliveries()
        if deliveries is None:
            raise NotFound("this site takes no deliveries")
        return deliveries


async def _read(request: web.Request, limit: int) -> bytes:
    """The body, in time and within the limit; HTTPRequestTimeout, HTTPRequestEntityTooLarge."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_WITHIN_S):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > limit:
                    raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=len(body))
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return bytes(body)


def _said(status: int) -> web.Response:
    headers = {"Cache-Control": NO_CACHING, **({"Retry-After": "60"} if status == 503 else {})}
    return web.Response(status=status, headers=headers)


class HubRoutes:
    """The handler of those who want to be told; without a hub there is no such address."""

    def __init__(self, hub: Hub | None) -> None:
        self._hub = hub

    def table(self) -> list[web.RouteDef]:
        """The routes, to be added to the application."""
        return [web.post("/hub", self.subscribe)]

    async def subscribe(self, request: web.Request) -> web.Response:
        """``POST /hub``: 202 for a request that is going to be verified, 400 and the reason for one that is not."""
        if self._hub is None or not self._hub.is_embedded:
            raise NotFound("this site has no WebSub hub of its own")
        form = await request.post()
        asked = read_request({name: value for name, value in form.items() if isinstance(value, str)})
        status, reason = (400, asked) if isinstance(asked, str) else await self._hub.ask(asked)
        headers = {"Cache-Control": NO_CACHING} | ({"Retry-After": "60"} if status == 503 else {})
        return web.Response(status=status, text=f"{reason}\n" if reason else "", headers=headers)
