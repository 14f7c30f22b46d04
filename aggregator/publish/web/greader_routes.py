"""Routes of the Google Reader API, below ``/greader``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from aggregator.errors import NotFound
from aggregator.publish.greader import READ, GoogleReader, StreamRequest
from aggregator.publish.web.http_response import NO_CACHING
from aggregator.publish.web.response_cache import ResponseCache
from aggregator.publish.web.services import Services

_API: Final = "/greader/reader/api/0"
_SECONDS: Final = 10**11

Given = Mapping[str, list[str]]


class GoogleReaderRoutes:
    """Handlers of clients that synchronise. Who they are is said by a reader's token."""

    def __init__(self, services: Services, responses: ResponseCache) -> None:
        self._services = services
        self._responses = responses

    def table(self) -> list[web.RouteDef]:
        """The routes, to be added to the application."""
        read: dict[str, Callable[[GoogleReader, Given], object]] = {
            "user-info": lambda reader, _: reader.user_info(),
            "subscription/list": lambda reader, _: reader.subscriptions(),
            "tag/list": lambda reader, _: reader.tags(),
            "unread-count": lambda reader, _: reader.unread_counts(),
            "stream/items/ids": lambda reader, given: reader.item_ids(_stream(given), _wanted(given)),
            "stream/items/contents": lambda reader, given: reader.contents_of(given.get("i", [])),
            "stream/contents": lambda reader, given: reader.contents(_stream(given), _wanted(given)),
        }
        routes = [
            web.route(method, f"{_API}/{name}", self._answering(answer))
            for name, answer in read.items()
            for method in ("GET", "POST")
        ]
        return [
            *routes,
            web.post("/greader/accounts/ClientLogin", self.login),
            web.get("/greader/accounts/ClientLogin", self.login),
            web.get(f"{_API}/token", self.token),
            web.get(_API + "/stream/contents/{stream:.+}", self._answering(read["stream/contents"])),
            web.get("/greader/reader/atom/{stream:.+}", self.atom),
            web.post(f"{_API}/edit-tag", self._answering(self._edit)),
            web.post(f"{_API}/mark-all-as-read", self._answering(self._mark_all)),
        ]

    async def login(self, request: web.Request) -> web.Response:
        """``ClientLogin``: the password is the token of a reader, and what is given back for it."""
        given = await _given(request)
        token = _first(given, "Passwd")
        if not await self._is_reader(token):
            return _plain("Error=BadAuthentication\n", 401)
        lines = {"SID": token, "LSID": token, "Auth": token}
        if _first(given, "output") == "json":
            return _json(lines)
        return _plain("".join(f"{name}={value}\n" for name, value in lines.items()))

    async def token(self, request: web.Request) -> web.Response:
        """What a client sends back with its edits; the login alone is what counts."""
        reader = await self._reader(request)
        return _plain(reader.who.token if reader else "", 200 if reader else 401)

    async def atom(self, request: web.Request) -> web.Response:
        """``/greader/reader/atom/<stream>``: the stream as an Atom feed."""
        reader, given = await self._reader(request), await _given(request)
        if reader is None:
            return _plain("Unauthorized\n", 401)
        body = await self._responses.call(lambda: reader.atom(_stream(given), _wanted(given)))
        headers = {"Content-Type": "application/atom+xml; charset=utf-8", "Cache-Control": NO_CACHING}
        return web.Response(body=body, headers=headers)

    def _edit(self, reader: GoogleReader, given: Given) -> object:
        now = self._services.clock()
        reader.edit(given.get("i", []), add=given.get("a", []), remove=given.get("r", []), now=now)
        return "OK"

    def _mark_all(self, reader: GoogleReader, given: Given) -> object:
        reader.mark_all_read(_stream(given), until=_moment(_first(given, "ts")), now=self._services.clock())
        return "OK"

    def _answering(self, answer: Callable[[GoogleReader, Given], object]) -> Callable[[web.Request], Any]:
        async def handler(request: web.Request) -> web.Response:
            reader, given = await self._reader(request), await _given(request)
            if reader is None:
                return _plain("Unauthorized\n", 401)
            found = await self._responses.call(lambda: answer(reader, given))
            return _plain(found) if isinstance(found, str) else _json(found)

        return handler

    async def _reader(self, request: web.Request) -> GoogleReader | None:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        token = value.strip().removeprefix("auth=") if scheme.lower() == "googlelogin" else ""
        who = await self._responses.call(lambda: self._who(token))
        return GoogleReader(self._services.rendering(), who) if who else None

    async def _is_reader(self, token: str) -> bool:
        return await self._responses.call(lambda: self._who(token)) is not None

    def _who(self, token: str) -> Any:
        try:
            return self._services.lists.who(token)
        except NotFound:
            return None


async def _given(request: web.Request) -> Given:
    """What was asked, from the address and from a form; the stream may stand in the path."""
    pairs = list(request.query.items())
    if request.method == "POST":
        pairs += [(name, value) for name, value in (await request.post()).items() if isinstance(value, str)]
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found | ({"s": [request.match_info["stream"]]} if "stream" in request.match_info else {})


def _first(given: Given, name: str) -> str:
    return next(iter(given.get(name, ())), "")


def _stream(given: Given) -> str:
    return _first(given, "s") or "user/-/state/com.google/reading-list"


def _wanted(given: Given) -> StreamRequest:
    return StreamRequest(
        count=_number(_first(given, "n"), 20),
        offset=_number(_first(given, "c"), 0),
        without_read=any(tag.endswith(READ.removeprefix("user/-")) for tag in given.get("xt", ())),
        oldest_first=_first(given, "r") == "o",
        since=_moment(_first(given, "ot")),
        until=_moment(_first(given, "nt")),
    )


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else otherwise


def _moment(text: str) -> datetime | None:
    """A time in seconds, milliseconds or microseconds since 1970; None where there is none."""
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 18):
        return None
    seconds = float(text)
    while seconds > _SECONDS:
        seconds /= 1000
    return datetime.fromtimestamp(seconds, UTC)


def _plain(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, headers={"Cache-Control": NO_CACHING})


def _json(value: object) -> web.Response:
    headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": NO_CACHING}
    return web.Response(text=json.dumps(value, ensure_ascii=False), headers=headers)
