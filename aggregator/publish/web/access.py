"""Access to a private site: requests need its token, others are asked for it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from aggregator.publish.site import Site

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
