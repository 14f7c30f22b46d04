"""From rendered content to an HTTP response: negotiation, conditional requests, headers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Final

from aiohttp import web

from aggregator.publish.compress import codings
from aggregator.publish.web.response_cache import CachedResponse

_SECOND = timedelta(seconds=1)
_ENTITY_TAG = re.compile(r'(?:W/)?"([^"]*)"')


#: the path of `[site] url`, without a slash at its end
BASE: Final = web.AppKey("base", str)


def site_path(request: web.Request) -> str:
    """The path below the site's address: a proxy in front may keep the prefix or take it away."""
    base, path = request.app[BASE], request.path
    return path.removeprefix(base) or "/" if base and (path == base or path.startswith(f"{base}/")) else path


def answer(
    request: web.Request, content: CachedResponse, *, now: datetime, caching: str, vary: str = "Accept-Encoding"
) -> web.Response:
    """The response to this request: 200, 304 if the client has these bytes, or the redirect or error that was made."""
    made = content.rendered
    if made.location is not None:
        return redirect(made.location, made.status)
    headers = {"Cache-Control": caching, "Vary": vary}
    if made.links:
        headers["Link"] = ", ".join(f'<{url}>; rel="{relation}"' for url, relation in made.links)
    if made.status != 200:
        headers["Cache-Control"] = NO_CACHING
        return _response(made.body, made.status, headers, made.content_type)
    coding, body = choose(content, request.headers.get("Accept-Encoding", ""))
    headers["ETag"] = f'"{content.etag}-{coding}"' if coding else f'"{content.etag}"'
    if is_dated(content, now):
        headers["Last-Modified"] = format_datetime(content.modified, usegmt=True)
    held, since = request.headers.get("If-None-Match"), request.headers.get("If-Modified-Since")
    if is_unchanged(held, since, content.etag, content.modified):
        return web.Response(status=304, headers=headers)
    if coding:
        headers["Content-Encoding"] = coding
    return _response(body, 200, headers, made.content_type)


def is_dated(content: CachedResponse, now: datetime) -> bool:
    """Whether to say since when the content is as it is.

    Within the same second the bytes may change once more, and a reader that goes by the date would miss that.
    """
    return now - content.modified >= _SECOND


def redirect(location: str, status: int) -> web.Response:
    """Elsewhere: 301 for a merged item, 302 to an original, 303 after a form."""
    return web.Response(status=status, headers={"Location": location, "Cache-Control": NO_CACHING})


def _response(body: bytes, status: int, headers: dict[str, str], content_type: str) -> web.Response:
    return web.Response(body=body, status=status, headers={**headers, "Content-Type": content_type})


def choose(content: CachedResponse, accepted: str) -> tuple[str, bytes]:
    """The content coding for an ``Accept-Encoding`` header ("" is none) and the body in it."""
    if content.packed:
        for coding in preferred(accepted):
            if coding in content.packed:
                return coding, content.packed[coding]
    return "", content.rendered.body


def asked_coding(accepted: str) -> str:
    """The content coding that an ``Accept-Encoding`` header likes best; "" if it takes none."""
    return next(iter(preferred(accepted)), "")


def is_unchanged(if_none_match: str | None, if_modified_since: str | None, etag: str, modified: datetime) -> bool:
    """Whether the client holds what it would get (RFC 9110, 13.2.2): the entity tag decides if it sent one."""
    if if_none_match is not None:
        held = {tag.partition("-")[0] for tag in _ENTITY_TAG.findall(if_none_match)}
        return if_none_match.strip() == "*" or etag in held
    since = _http_date(if_modified_since)
    return since is not None and modified <= since


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


@lru_cache(maxsize=256)
def preferred(accepted: str) -> tuple[str, ...]:
    """The content codings that an ``Accept-Encoding`` header allows (RFC 9110, 12.5.3), what it likes best first."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        coding, _, parameters = part.partition(";")
        weights[coding.strip().removeprefix("x-")] = _weight(parameters)
    known = [coding.name for coding in codings()]
    wanted = {name: weights.get(name, weights.get("*", 0.0)) for name in known}
    return tuple(sorted((name for name in known if wanted[name] > 0), key=lambda name: -wanted[name]))


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


#: feeds: a shared cache may answer for a minute; pages are asked for each time, so that openings can be counted
FEED_CACHING: Final = "public, max-age=60, stale-while-revalidate=60, stale-if-error=86400"
PAGE_CACHING: Final = "no-cache"
PRIVATE_CACHING: Final = "private, no-cache"
NO_CACHING: Final = "no-store"
#: a reader's choice of colours; another cookie is another answer
THEME_CACHING: Final = "private, max-age=86400"
FOREVER_CACHING: Final = "public, max-age=31536000, immutable"
