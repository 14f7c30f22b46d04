"""Routes of pages, lists and feeds."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from aggregator.errors import NotFound
from aggregator.publish.listing import Cursor, Listing, read_cursor
from aggregator.publish.pages import Page
from aggregator.publish.pages.assets import THEMES
from aggregator.publish.pages.search_page import SearchRequest
from aggregator.publish.pages.status_page import SORTS
from aggregator.publish.rendering import Rendered, Rendering
from aggregator.publish.site_pages import SitePages
from aggregator.publish.web.fast_path import CACHEABLE, Cacheable
from aggregator.publish.web.http_response import (
    FEED_CACHING,
    FOREVER_CACHING,
    PAGE_CACHING,
    PRIVATE_CACHING,
    THEME_CACHING,
    answer,
    asked_coding,
    redirect,
    site_path,
)
from aggregator.publish.web.item_routes import ShownCounter, item_request
from aggregator.publish.web.response_cache import ResponseCache
from aggregator.publish.web.services import Services

#: longer searches are cut: nobody types more, and every search is an answer to keep
_MAX_WORDS: Final = 200
_THEME: Final = "theme"
_THEME_COOKIE: Final = re.compile(rf"(?:^|;)\s*{_THEME}=(\w+)")
_THEME_AGE_S: Final = 365 * 86_400
_MAX_LANGUAGE: Final = 35
_FILES: Final = (
    "/favicon.svg",
    "/favicon.ico",
    "/apple-touch-icon.png",
    "/icon-512.png",
    "/manifest.webmanifest",
    "/opensearch.xml",
    "/robots.txt",
)
_VARY_FEED: Final = "Accept-Encoding, Sec-Fetch-Dest"

Find = Callable[[Rendering], Listing]


class Routes:
    """Handlers of everything that only shows."""

    def __init__(self, services: Services, responses: ResponseCache, shown: ShownCounter) -> None:
        self._services = services
        self._shown = shown
        self._responses = responses

    def table(self) -> list[web.RouteDef]:
        """The routes, to be added to the application."""
        get = web.get
        return [
            get("/", self.front),
            get("/latest", self.latest),
            get("/ranking", self.ranking),
            get("/ranking/{window}", self.ranking),
            get("/section/{slug}", self.section),
            get("/section/{slug}/ranking", self.ranking),
            get("/section/{slug}/ranking/{window}", self.ranking),
            *_twice("/story/{id:[^/.]+}", self.story, self.story_feed),
            get("/source/{slug}", self.source),
            get("/sources", self.sources),
            get("/search", self.search),
            get("/feeds", self.feeds),
            get("/status", self.status),
            get("/about", self.about),
            get("/feeds.opml", self.feeds_opml),
            get("/sources.opml", self.sources_opml),
            get(r"/search.{format:\w+}", self.search_feed),
            get(r"/feeds/status.{format:\w+}", self.status_feed),
            *_twice(r"/feeds/{name:[^/.]+}", self.list_page, self.list_feed),
            *_twice(r"/section/{slug}/{name:[^/.]+}", self.list_page, self.list_feed),
            get(r"/source/{slug}/latest.{format:\w+}", self.source_feed),
            *_twice("/item/{id}/related", self.related_page, self.related_feed),
            *_twice(r"/r/{token}/{name:[^/.]+}", self.reader_page, self.reader_feed),
            get("/static/{name}", self.asset),
            *(get(path, self.asset) for path in _FILES),
            get("/theme.css", self.theme),
            web.post("/theme", self.choose_theme),
        ]

    async def front(self, request: web.Request) -> web.Response:
        """``/``, ``/?lang=de``."""
        language = request.query.get("lang", "").lower()[:_MAX_LANGUAGE]
        return await self._page(request, f"/?{language}", lambda pages: pages.front(language=language))

    async def latest(self, request: web.Request) -> web.Response:
        """``/latest``, ``/latest?before=<place>``."""
        before = _before(request)
        return await self._page(request, f"/latest?{before}", lambda pages: pages.latest(before=before))

    async def section(self, request: web.Request) -> web.Response:
        """``/section/<slug>``."""
        slug, before = request.match_info["slug"], _before(request)
        return await self._page(
            request, f"{site_path(request)}?{before}", lambda pages: pages.section(slug, before=before)
        )

    async def ranking(self, request: web.Request) -> web.Response:
        """``/ranking``, ``/ranking/<window>``, and both below ``/section/<slug>``."""
        section, window = request.match_info.get("slug"), request.match_info.get("window")
        return await self._page(request, site_path(request), lambda pages: pages.ranking(window, section=section))

    async def story(self, request: web.Request) -> web.Response:
        """``/story/<id>``; the id of a story that was merged into another leads there."""
        story_id = request.match_info["id"]
        return await self._page(request, site_path(request), lambda pages: pages.story(story_id))

    async def story_feed(self, request: web.Request) -> web.Response:
        """``/story/<id>.<format>``: the reports of a story; in a browser its page."""
        if _is_browser(request):
            return await self.story(request)
        story_id = request.match_info["id"]
        return await self._feed(request, site_path(request), lambda site: site.lists.story(story_id))

    async def source(self, request: web.Request) -> web.Response:
        """``/source/<slug>``."""
        slug, before = request.match_info["slug"], _before(request)
        return await self._page(
            request, f"{site_path(request)}?{before}", lambda pages: pages.source(slug, before=before)
        )

    async def sources(self, request: web.Request) -> web.Response:
        """``/sources``."""
        return await self._page(request, "/sources", lambda pages: pages.sources())

    async def search(self, request: web.Request) -> web.Response:
        """``/search?q=``, and with ``section=``, ``source=``, ``within=``, ``order=``."""
        asked, before = _search(request), _before(request)
        return await self._page(request, f"/search?{asked}{before}", lambda pages: pages.search(asked, before=before))

    async def feeds(self, request: web.Request) -> web.Response:
        """``/feeds``."""
        return await self._page(request, "/feeds", lambda pages: pages.feeds())

    async def status(self, request: web.Request) -> web.Response:
        """``/status``, ``/status?sort=<column>``."""
        sort = request.query.get("sort", "")
        sort = sort if sort in SORTS else ""
        make = self._made(lambda pages: pages.status(sort=sort))
        return await self._answer(request, f"/status?{sort}", make, PAGE_CACHING, _vary(request))

    async def about(self, request: web.Request) -> web.Response:
        """``/about``."""
        return await self._page(request, "/about", lambda pages: pages.about())

    async def feeds_opml(self, request: web.Request) -> web.Response:
        """``/feeds.opml``."""
        return await self._other(request, "/feeds.opml", lambda site: site.feeds_opml())

    async def sources_opml(self, request: web.Request) -> web.Response:
        """``/sources.opml``."""
        return await self._other(request, "/sources.opml", lambda site: site.sources_opml(now=self._now()))

    async def list_page(self, request: web.Request) -> web.Response:
        """A list of the site or of a section, for a person: the feed's address without its suffix."""
        find = self._named(request)
        return await self._other(request, site_path(request), lambda site: site.listing(find(site), now=self._now()))

    async def list_feed(self, request: web.Request) -> web.Response:
        """A list of the site or of a section as a feed."""
        return await self._feed(request, f"{site_path(request)}?{_before(request)}", self._named(request))

    async def source_feed(self, request: web.Request) -> web.Response:
        """``/source/<slug>/latest.<format>``."""
        slug, before = request.match_info["slug"], _before(request)
        key = f"{site_path(request)}?{before}"
        return await self._feed(request, key, lambda site: site.lists.source(slug, now=self._now(), before=before))

    async def related_page(self, request: web.Request) -> web.Response:
        """``/item/<id>/related`` for a person."""
        item_id = request.match_info["id"]
        return await self._page(request, site_path(request), lambda pages: pages.listing(pages.lists.related(item_id)))

    async def related_feed(self, request: web.Request) -> web.Response:
        """``/item/<id>/related.<format>``."""
        item_id = request.match_info["id"]
        return await self._feed(request, site_path(request), lambda site: site.lists.related(item_id))

    async def search_feed(self, request: web.Request) -> web.Response:
        """``/search.<format>?q=``."""
        words = _words(request)
        if not words:
            raise NotFound("a search feed needs words: /search.atom?q=climate")
        return await self._feed(request, f"{site_path(request)}?{words}", lambda site: site.lists.search(words))

    async def status_feed(self, request: web.Request) -> web.Response:
        """``/feeds/status.<format>``; in a browser the status page."""
        if _is_browser(request):
            return await self.status(request)
        suffix = request.match_info["format"]
        return await self._answer(
            request,
            site_path(request),
            lambda site: site.status_feed(suffix, now=self._now()),
            FEED_CACHING,
            _VARY_FEED,
        )

    async def reader_page(self, request: web.Request) -> web.Response:
        """A reader's own list for a person."""
        find = _reader(request)
        return await self._private(request, site_path(request), lambda site: site.listing(find(site), now=self._now()))

    async def reader_feed(self, request: web.Request) -> web.Response:
        """``/r/<token>/<name>.<format>``."""
        if _is_browser(request):
            return await self.reader_page(request)
        find, suffix = _reader(request), request.match_info["format"]
        return await self._private(request, site_path(request), lambda site: site.feed(find(site), suffix))

    async def asset(self, request: web.Request) -> web.Response:
        """The stylesheet, the icon, robots.txt."""
        asset = self._services.pages.assets.get(site_path(request))
        if asset is None:
            raise NotFound(f"there is no file {site_path(request)}")
        made = Rendered(body=asset.body, content_type=asset.content_type)
        return await self._answer(
            request, site_path(request), lambda _: made, FOREVER_CACHING if asset.immutable else FEED_CACHING
        )

    async def theme(self, request: web.Request) -> web.Response:
        """The one rule by which a reader's choice of colours differs from the system's; empty without a choice.

        Pages are the same for everybody: the choice is a cookie that only this answer depends on.
        """
        # by hand: the standard library gives up at the first cookie that it cannot read, which may be another program's
        found = _THEME_COOKIE.search("; ".join(request.headers.getall("Cookie", ())))
        chosen = THEMES.get(found[1], b"") if found else b""
        headers = {"Cache-Control": THEME_CACHING, "Vary": "Cookie", "Content-Type": "text/css; charset=utf-8"}
        return web.Response(body=chosen, headers=headers)

    async def choose_theme(self, request: web.Request) -> web.Response:
        """``POST /theme``: keeps the choice in a cookie, and back to the page it was made on."""
        chosen = str((await request.post()).get("theme", ""))
        if chosen not in THEMES:
            raise web.HTTPBadRequest
        response = redirect(_back(request), 303)
        lasting = 0 if chosen == "system" else _THEME_AGE_S
        path = urlsplit(self._services.site.url).path.rstrip("/") or "/"
        response.headers["Set-Cookie"] = f"{_THEME}={chosen}; Max-Age={lasting}; Path={path}; SameSite=Lax; HttpOnly"
        return response

    def _named(self, request: web.Request) -> Find:
        name, slug, before = request.match_info["name"], request.match_info.get("slug"), _before(request)
        return lambda site: site.lists.named(name, section=slug, before=before)

    async def _feed(self, request: web.Request, key: str, find: Find) -> web.Response:
        """A list as a feed; a browser that opens it as a page is given the page."""
        suffix = request.match_info["format"]
        if _is_browser(request):
            key, make, caching = f"{key}#page", self._checked(find, suffix), PAGE_CACHING
            return await self._answer(request, key, make, caching, _VARY_FEED, cacheable=True)
        return await self._answer(
            request, key, lambda site: site.feed(find(site), suffix), FEED_CACHING, _VARY_FEED, cacheable=True
        )

    async def _page(self, request: web.Request, key: str, make: Callable[[SitePages], Page | str]) -> web.Response:
        return await self._other(request, key, self._made(make))

    async def _other(self, request: web.Request, key: str, make: Callable[[Rendering], Rendered]) -> web.Response:
        return await self._answer(request, key, make, PAGE_CACHING, cacheable=True)

    def _made(self, make: Callable[[SitePages], Page | str]) -> Callable[[Rendering], Rendered]:
        return lambda site: site.page(make, now=self._now())

    def _checked(self, find: Find, suffix: str) -> Callable[[Rendering], Rendered]:
        def make(site: Rendering) -> Rendered:
            site.check_format(suffix)
            return site.listing(find(site), now=self._now())

        return make

    async def _private(self, request: web.Request, key: str, make: Callable[[Rendering], Rendered]) -> web.Response:
        # asked each time: what is kept must not outlive the reader's right to it
        token = request.match_info["token"]
        await self._responses.call(lambda: self._services.lists.who(token))
        response = await self._answer(request, key, make, PRIVATE_CACHING, _VARY_FEED)
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        return response

    async def _answer(
        self,
        request: web.Request,
        key: str,
        make: Callable[[Rendering], Rendered],
        caching: str,
        vary: str = "Accept-Encoding",
        *,
        cacheable: bool = False,
    ) -> web.Response:
        coding = asked_coding(request.headers.get("Accept-Encoding", ""))
        content = await self._responses.get(key, lambda: make(self._services.rendering()), coding=coding)
        if content.rendered.shown:
            self._shown.add(item_request(request), content.rendered)
        if cacheable:
            counting = self._shown.counting(content.rendered)
            request[CACHEABLE] = Cacheable(key=key, content=content, count=counting)
        return answer(request, content, now=self._now(), caching=caching, vary=vary)

    def _now(self) -> datetime:
        return self._services.clock()


def _twice(
    path: str,
    page: Callable[[web.Request], Awaitable[web.Response]],
    feed: Callable[[web.Request], Awaitable[web.Response]],
) -> list[web.RouteDef]:
    """An address as a page, and with a suffix as a feed."""
    return [web.get(path, page), web.get(path + r".{format:\w+}", feed)]


def _reader(request: web.Request) -> Find:
    token, name = request.match_info["token"], request.match_info["name"]
    return lambda site: site.lists.reader(token, name)


def _before(request: web.Request) -> Cursor | None:
    """The place behind which a page, or a feed, continues."""
    return read_cursor(request.query.get("before", ""))


def _words(request: web.Request) -> str:
    return " ".join(request.query.get("q", "").split())[:_MAX_WORDS]


def _search(request: web.Request) -> SearchRequest:
    """The words and filters of a search."""
    filters = {name: request.query.get(name, "")[:_MAX_WORDS] for name in ("section", "source", "within", "order")}
    return SearchRequest(words=_words(request), **filters)


def _back(request: web.Request) -> str:
    """The path of the page that a form was sent from; the front page where the browser does not tell, or elsewhere."""
    try:
        came = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return "./"
    if came.netloc != request.headers.get("Host") or not came.path.startswith("/") or came.path.startswith("//"):
        return "./"
    return f"{came.path}?{came.query}" if came.query else came.path


def _vary(request: web.Request) -> str:
    """On what the answer depends, at an address that may be a feed's."""
    return _VARY_FEED if "format" in request.match_info else "Accept-Encoding"


def _is_browser(request: web.Request) -> bool:
    """A person has opened this address: browsers say so (Fetch Metadata), feed readers never do."""
    return request.headers.get("Sec-Fetch-Dest") == "document"
