"""The address of the embedded WebSub hub."""

from __future__ import annotations

from aiohttp import web

from aggregator.errors import NotFound
from aggregator.publish.hub import Hub, read_request
from aggregator.publish.web.caching import NO_CACHING


class Subscribing:
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
