"""The application: routes, who may see a private site, headers of every response, and error pages."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from aggregator.errors import NotFound, StoreError
from aggregator.publish.hub import Hub
from aggregator.publish.site import Site
from aggregator.publish.web.connection import Connections
from aggregator.publish.web.fast_path import FastPath
from aggregator.publish.web.greader_routes import GoogleReaderRoutes
from aggregator.publish.web.http_response import BASE, NO_CACHING, site_path
from aggregator.publish.web.item_routes import ItemRoutes, ShownCounter
from aggregator.publish.web.ops_routes import OpsRoutes
from aggregator.publish.web.response_cache import ResponseCache
from aggregator.publish.web.routes import Routes
from aggregator.publish.web.services import Services
from aggregator.publish.web.websub_routes import HubRoutes, PushRoutes

_log = logging.getLogger(__name__)

#: the largest form: a thousand items of which a client says that they are read
_MAX_BODY_BYTES: Final = 128 * 1024
_FEED_TYPES: Final = ("application/atom+xml", "application/rss+xml", "application/feed+json", "text/x-opml")

#: the connections of the server that serves this application
CONNECTIONS: Final = web.AppKey("connections", Connections)


def create_app(services: Services) -> web.Application:
    """The web application over these services; `serve` runs it."""

    def now() -> datetime:
        return services.clock()

    responses = ResponseCache(services)
    ops = OpsRoutes(services)
    fast_path = FastPath(responses, ops.count, now, lambda: not services.site.access_token)
    ops.connections = connections = Connections(fast_path)
    access = restricts(lambda: services.site.access_token, lambda: services.site, site_path)
    middlewares = [_begins(connections, services), _errors(services), access]
    app = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=middlewares)
    app[CONNECTIONS] = connections
    app[BASE] = urlsplit(services.site.url).path.rstrip("/")
    shown = ShownCounter(services, responses)
    routes = [
        *Routes(services, responses, shown).table(),
        *ItemRoutes(services, responses, shown).table(),
        *ops.table(),
    ]
    routes += PushRoutes(lambda: services.deliveries).table()
    routes += GoogleReaderRoutes(services, responses).table()
    hub = _hub(services, now)
    routes += HubRoutes(hub).table()
    app.add_routes(routes)
    app.add_routes(_below(app[BASE], routes))

    async def dress(request: web.Request, response: web.StreamResponse) -> None:
        ops.count(response.status)
        # aiohttp has put its own and Python's version there
        response.headers["Server"] = "aggregator"
        for name, value in _headers(services.site, response).items():
            response.headers.setdefault(name, value)
        if services.site.access_token:
            response.headers["Cache-Control"] = _for_one(response.headers.get("Cache-Control", ""))
        fast_path.learn(request, response)

    async def begin(_: web.Application) -> None:
        if hub is not None:
            hub.start()

    async def close(_: web.Application) -> None:
        if hub is not None:
            await hub.stop()
        await asyncio.to_thread(shown.flush)  # cleaning up may happen twice, and the pool is closed then
        responses.close()

    app.on_response_prepare.append(dress)
    app.on_startup.append(begin)
    app.on_cleanup.append(close)
    return app


def _for_one(caching: str) -> str:
    """A Cache-Control under which no shared cache keeps a response (RFC 9111, 5.2.2.7)."""
    caching = caching.replace("public", "private")
    if "private" in caching or "no-store" in caching:
        return caching
    return f"private, {caching}" if caching else "private"


def _below(base: str, routes: list[web.RouteDef]) -> list[web.RouteDef]:
    """The same routes below the path of the site's address."""
    if not base:
        return []
    below = [web.route(route.method, base + route.path, route.handler, **route.kwargs) for route in routes]
    return [*below, *(web.get(base, route.handler) for route in routes if (route.method, route.path) == ("GET", "/"))]


def _hub(services: Services, now: Callable[[], datetime]) -> Hub | None:
    if services.send is None:
        return None
    return Hub(rendering=services.rendering, send=services.send, clock=now, tells=services.is_teller)


def _headers(site: Site, response: web.StreamResponse) -> dict[str, str]:
    """What every response says about how it may be used."""
    headers = {
        "Content-Security-Policy": _policy(site),
        "X-Content-Type-Options": "nosniff",
        # not no-referrer: a like is believed by its Origin, which that would blank
        "Referrer-Policy": "same-origin",
    }
    content_type = response.content_type
    if content_type in _FEED_TYPES and "private" not in response.headers.get("Cache-Control", ""):
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Access-Control-Expose-Headers"] = "ETag, Last-Modified, Link"
    if content_type == "text/html":
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    return headers


def _policy(site: Site) -> str:
    """No inline script or style, nothing from elsewhere but the pictures and media of the items.

    A script of ours is allowed only where ``[site] script`` asks for it.
    """
    media = "'self' http: https:" if site.images == "link" else "'self'"
    script = "script-src 'self'; " if site.script else ""
    return (
        f"default-src 'none'; style-src 'self'; {script}img-src {media}; media-src {media}; manifest-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _begins(connections: Connections, services: Services) -> Middleware:
    """Tells a connection that one of its requests is being answered, and how long that took."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        connections.started(request.transport)
        began_s = time.monotonic()
        try:
            return await handler(request)
        finally:
            services.observe_response(time.monotonic() - began_s)

    return middleware


def _errors(services: Services) -> Middleware:
    """Every error becomes a page that says what happened."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except NotFound as error:
            return _error_page(services, 404, str(error), path=request.path)
        except StoreError as error:
            _log.warning("store unavailable", extra={"path": request.path, "why": error})
            return _error_page(services, 503, headers={"Retry-After": "30"})
        except web.HTTPException as error:
            if error.status < 400:
                raise
            allow = {name: error.headers[name] for name in ("Allow", "WWW-Authenticate") if name in error.headers}
            return _error_page(services, error.status, headers=allow, path=request.path)
        except Exception:  # noqa: BLE001  # the edge of a request: the visitor gets a page, the log gets the traceback
            _log.exception("request failed", extra={"method": request.method, "path": request.path})
            return _error_page(services, 500)

    return middleware


def _error_page(
    services: Services, status: int, message: str = "", *, headers: dict[str, str] | None = None, path: str = ""
) -> web.Response:
    made = services.rendering().error(status, message, now=services.clock(), path=path)
    kept = {"Content-Type": made.content_type, "Cache-Control": NO_CACHING, **(headers or {})}
    return web.Response(body=made.body, status=status, headers=kept)


#: what has tokens of its own, what tells nothing, and what watches the program
_OPEN: Final = re.compile(r"/(?:healthz|readyz|robots\.txt|favicon\.\w+|static/.*|push/.*|r/.*|greader/.*)")
_COOKIE: Final = "access"
_COOKIE_AGE_S: Final = 400 * 24 * 3600


def restricts(token: Callable[[], str], site: Callable[[], Site], path: Callable[[web.Request], str]) -> Middleware:
    """Answers 401 to whoever does not give the token; lets all in while it is "".

    It is given as ``?token=`` in an address, as a bearer token, or as the password of HTTP Basic (RFC 7617), which is
    what browsers ask for. A browser keeps a cookie that follows from the token, and ends with it.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        secret = token()
        if not secret or _OPEN.fullmatch(path(request)) or _has_cookie(request, secret):
            return await handler(request)
        if not any(_equal(given, secret) for given in _given(request)):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="feeds", charset="UTF-8"'})
        response = await handler(request)
        if "text/html" in request.headers.get("Accept", ""):
            response.headers.add("Set-Cookie", _cookie(secret, site()))
        return response

    return middleware


def _given(request: web.Request) -> Iterator[str]:
    yield request.query.get("token", "")
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield value.strip()
    elif scheme.lower() == "basic":
        try:
            yield base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, ValueError):
            return


def _has_cookie(request: web.Request, secret: str) -> bool:
    pairs = (pair.strip().partition("=") for pair in request.headers.get("Cookie", "").split(";"))
    return any(name == _COOKIE and _equal(value, _proof(secret)) for name, _, value in pairs)


def _cookie(secret: str, site: Site) -> str:
    parts = urlsplit(site.url)
    secure = "; Secure" if parts.scheme == "https" else ""
    path = parts.path.rstrip("/") + "/"
    return f"{_COOKIE}={_proof(secret)}; Path={path}; Max-Age={_COOKIE_AGE_S}; HttpOnly; SameSite=Lax{secure}"


def _proof(secret: str) -> str:
    """What shows that the token was known, without telling it."""
    return hmac.digest(secret.encode(), b"access", hashlib.sha256).hex()


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))
