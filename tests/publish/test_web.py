"""The web server over real connections on loopback."""

from __future__ import annotations

import asyncio
import base64
import gc
import gzip
import json
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

import aiohttp
import aiohttp.web
import pytest
from publishing import BROWSER, NOON, READER, SITE, MemoryStore, make_item, make_services

from aggregator.errors import StoreUnavailable
from aggregator.model import ItemList, Listed, ListKey, OwnFeed
from aggregator.publish.audience import Audience
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages
from aggregator.publish.web import Health, ServerLimits, Services, WebServer, create_app, serve, split_listen
from aggregator.publish.web.app import CONNECTIONS


class Client:
    """A client that follows nothing and unpacks nothing by itself."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        services: Services,
        store: MemoryStore,
        server: WebServer,
        app: aiohttp.web.Application,
    ) -> None:
        self.session, self.services, self.store, self.server, self.app = session, services, store, server, app

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
        url = f"http://127.0.0.1:{self.server.addresses[0][1]}{path}"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, url, headers=sent, allow_redirects=False) as response:
            return response, await response.read()

    async def open(self, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
        return await self.get(path, **{**BROWSER, **headers})


@asynccontextmanager
async def running(
    tmp_path: Path, store: MemoryStore, *, limits: ServerLimits | None = None, **changes: Any
) -> AsyncIterator[Client]:
    services = make_services(store.store(), tmp_path, **changes)
    app = create_app(services)
    server = await serve(app, listen="127.0.0.1:0", limits=limits)
    try:
        jar = aiohttp.DummyCookieJar()
        skipped = ["User-Agent", "Accept-Encoding", "Accept"]
        async with aiohttp.ClientSession(auto_decompress=False, cookie_jar=jar, skip_auto_headers=skipped) as session:
            yield Client(session, services, store, server, app)
    finally:
        await server.stop()


async def count_of(client: Client, connections: int) -> None:
    """Waits until so many connections are open; the server learns of them from the kernel."""
    while len(client.app[CONNECTIONS]) != connections:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


Story = Callable[[Client], Awaitable[None]]
#: how the event loop of the running test is made
LOOP: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop]


@pytest.fixture(autouse=True, params=["asyncio", "uvloop"])
def event_loop_kind(request: pytest.FixtureRequest) -> None:
    """Every test of the web server runs on the event loop of the standard library and on the daemon's."""
    if request.param == "uvloop":
        LOOP[0] = pytest.importorskip("uvloop").new_event_loop
    else:
        LOOP[0] = asyncio.new_event_loop


def run_in_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=LOOP[0]) as runner:
        runner.run(coroutine)


def play(tmp_path: Path, story: Story, *, store: MemoryStore | None = None, **changes: Any) -> None:
    async def run() -> None:
        async with running(tmp_path, store or filled(), **changes) as client:
            await story(client)

    run_in_loop(run())


def filled() -> MemoryStore:
    store = MemoryStore([make_item(number) for number in range(1, 10)])
    store.related_ids["item9"] = ["item1", "item2"]
    for key in (
        ListKey(order="ranking", window="1d"),
        ListKey(order="recommended"),
        ListKey(order="ranking", window="1d", scope="section", name="World"),
    ):
        places = tuple(Listed(item_id=f"item{n}", score=n, views=n, reasons=(f"{n} readers",)) for n in (5, 3))
        store.lists[str(key)] = ItemList(
            key=key, computed_at=NOON, since=NOON - timedelta(days=1), until=NOON, basis="views", places=places
        )
    return store


FEEDS = [
    "/feeds/latest",
    "/feeds/ranking",
    "/feeds/ranking-1h",
    "/feeds/ranking-1d",
    "/feeds/ranking-7d",
    "/feeds/ranking-30d",
    "/feeds/recommended",
    "/feeds/own",
    "/section/world/latest",
    "/section/world/ranking",
    "/section/world/ranking-7d",
    "/section/world/recommended",
    "/source/s1/latest",
    "/item/item9/related",
    f"/r/{READER}/recommended",
    f"/r/{READER}/latest",
    "/feeds/status",
]
TYPES = {"atom": "application/atom+xml", "rss": "application/rss+xml", "json": "application/feed+json"}


def test_every_feed_in_every_format(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        for path in FEEDS:
            for suffix, kind in TYPES.items():
                response, body = await client.get(f"{path}.{suffix}")
                assert response.status == 200, path
                assert response.content_type == kind
                assert response.charset == "utf-8"
                assert body
                for header in ("Access-Control-Allow-Origin", "Access-Control-Expose-Headers"):
                    assert (header in response.headers) == (not path.startswith("/r/"))
        response, body = await client.get("/search.json?q=title+3")
        assert [item["title"] for item in json.loads(body)["items"]] == ["Title 3"]

    play(tmp_path, story, site=replace(SITE, feeds=(OwnFeed(name="own", title="Own"),)))


def test_conditional_requests(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        fresh, _ = await client.get("/feeds/latest.atom")
        assert "Last-Modified" not in fresh.headers, "it may change again within this second"
        client.services.clock = lambda: NOON + timedelta(seconds=1)
        first, body = await client.get("/feeds/latest.atom")
        tag, modified = first.headers["ETag"], first.headers["Last-Modified"]
        assert not tag.startswith("W/")
        for headers in (
            {"If_None_Match": tag},
            {"If_None_Match": f'"other", W/{tag}'},
            {"If_None_Match": "*"},
            {"If_Modified_Since": modified},
            {"If_None_Match": tag, "If_Modified_Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        ):
            response, nothing = await client.get("/feeds/latest.atom", **headers)
            assert (response.status, nothing) == (304, b""), headers
            assert response.headers["ETag"] == tag
            assert "Vary" in response.headers
        for headers in (
            {"If_None_Match": '"other"'},
            {"If_None_Match": '"other"', "If_Modified_Since": modified},
            {"If_Modified_Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
            {"If_Modified_Since": "rubbish"},
        ):
            response, again = await client.get("/feeds/latest.atom", **headers)
            assert (response.status, again) == (200, body), headers

    play(tmp_path, story)


def test_head_is_get_without_the_body(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        for path in ("/feeds/latest.atom", "/", "/item/item9"):
            got, body = await client.get(path)
            head, nothing = await client.get(path, "HEAD")
            assert (head.status, nothing) == (200, b"")
            for name in ("ETag", "Content-Type"):
                assert head.headers[name] == got.headers[name]
            assert int(head.headers["Content-Length"]) == len(body)
        assert client.store.views == []

    play(tmp_path, story)


def test_compressed_for_those_who_can_read_it(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        plain, body = await client.get("/feeds/latest.atom")
        assert "Content-Encoding" not in plain.headers
        for accepted in ("gzip, deflate", "x-gzip", "gzip;q=0.5"):
            packed, data = await client.get("/feeds/latest.atom", Accept_Encoding=accepted)
            assert packed.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(data) == body
            assert packed.headers["ETag"] != plain.headers["ETag"]
        for accepted in ("identity", "nosuch", "gzip;q=0", "*;q=0"):
            _, data = await client.get("/feeds/latest.atom", Accept_Encoding=accepted)
            assert data == body
        tag = packed.headers["ETag"]
        same, _ = await client.get("/feeds/latest.atom", Accept_Encoding="gzip", If_None_Match=tag)
        assert same.status == 304

    play(tmp_path, story)


def test_a_range_is_answered_with_the_whole(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        for _ in range(2):  # by the application, and as it was given before
            response, body = await client.get("/feeds/latest.atom", Range="bytes=0-9")
            assert response.status == 200
            assert len(body) > 10

    play(tmp_path, story)


def test_a_person_who_opens_a_feed_is_given_a_page(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        for path in ("/feeds/latest.atom", "/feeds/ranking-1d.rss", "/feeds/recommended.json", "/feeds/status.atom"):
            response, body = await client.open(path)
            assert response.content_type == "text/html", path
            assert b"<html" in body
            assert "Sec-Fetch-Dest" in response.headers["Vary"]
        fetched, _ = await client.get("/feeds/latest.atom", Sec_Fetch_Dest="empty")
        assert fetched.content_type == "application/atom+xml"

    play(tmp_path, story)


PAGES = [
    "/",
    "/section/world",
    "/source/s1",
    "/search",
    "/search?q=title",
    "/feeds",
    "/status",
    "/about",
    "/item/item9",
]
PAGES += ["/feeds/ranking-7d", "/section/world/recommended", "/item/item9/related", f"/r/{READER}/recommended"]


def test_every_page_is_strict_about_what_may_run(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        for path in PAGES:
            response, body = await client.open(path)
            assert response.status == 200, path
            assert response.content_type == "text/html"
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "script" not in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Server"] == "aggregator"
            assert b"<script" not in body.replace(b'<script type="application/ld+json">', b""), "data is no script"
            assert b"style=" not in body

    play(tmp_path, story)


def test_pages_of_files(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        for path, asset in client.services.pages.assets.items():
            response, body = await client.get(path)
            assert (response.status, body) == (200, asset.body)
            assert ("immutable" in response.headers["Cache-Control"]) == asset.immutable
        for path, root in (("/feeds.opml", b"ranking-1d.atom"), ("/sources.opml", b"https://s1.example/feed")):
            response, body = await client.get(path)
            assert response.content_type == "text/x-opml"
            assert root in body

    play(tmp_path, story)


def test_older_items_are_a_link_away(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        _, body = await client.open("/latest")
        marker = body.partition(b"?before=")[2].partition(b'"')[0].decode()
        assert marker.endswith("-item31")
        response, older = await client.open(f"/latest?before={marker}")
        assert response.status == 200
        assert b"/item/item30" in older
        assert b"/item/item60" not in older
        response, _ = await client.open("/?before=rubbish")
        assert response.status == 200

    play(tmp_path, story, store=MemoryStore([make_item(number) for number in range(1, 61)]))


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/feeds/nothing.atom",
        "/feeds/latest.xml",
        "/feeds/ranking-2h.atom",
        "/section/nowhere",
        "/section/nowhere/latest.atom",
        "/source/nobody",
        "/source/nobody/latest.atom",
        "/item/nothing",
        "/item/nothing/related.atom",
        "/go/nothing",
        "/r/stranger/recommended.atom",
        "/search.atom",
        "/static/nothing.css",
        "/static/..%2f..%2fetc%2fpasswd",
        "/feeds/latest.atom/",
    ],
)
def test_what_is_not_there(tmp_path: Path, path: str) -> None:
    async def story(client: Client) -> None:
        response, body = await client.open(path)
        assert response.status == 404
        assert response.content_type == "text/html"
        assert b"<html" in body
        assert client.store.views == []

    play(tmp_path, story)


def test_formats_that_are_switched_off_are_not_there(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        assert (await client.get("/feeds/latest.atom"))[0].status == 200
        assert (await client.get("/feeds/latest.rss"))[0].status == 404
        assert (await client.open("/feeds/latest.rss"))[0].status == 404
        assert (await client.get("/feeds/status.json"))[0].status == 404

    play(tmp_path, story, site=replace(SITE, formats=("atom",)))


def test_a_merged_item_leads_to_the_one_it_is_now(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        del client.store.shown["item4"]
        client.store.merged["item4"] = "item2"
        response, _ = await client.open("/item/item4")
        assert (response.status, response.headers["Location"]) == (301, "item2")
        assert client.store.views == []
        response, _ = await client.open("/go/item4")
        assert (response.status, response.headers["Location"]) == (302, "https://s3.example/article/2")
        assert [view.item_id for view in client.store.views] == ["item2"]

    play(tmp_path, story)


def test_an_item_whose_content_retention_has_removed_is_gone(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        del client.store.shown["item4"]
        client.store.removed.add("item4")
        for path in ("/item/item4", "/go/item4"):
            assert (await client.open(path))[0].status == 410
        assert client.store.views == []

    play(tmp_path, story)


def test_opening_an_item_is_a_view_once(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        for _ in range(3):
            assert (await client.open("/item/item9"))[0].status == 200
        response, _ = await client.open("/go/item8")
        assert (response.status, response.headers["Location"]) == (302, "https://s3.example/article/8")
        assert response.headers["Cache-Control"] == "no-store"
        assert [view.item_id for view in client.store.views] == ["item9", "item8"]
        assert {view.at for view in client.store.views} == {NOON}

    play(tmp_path, story)


def test_a_page_kept_by_the_browser_counts_as_well(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        response, _ = await client.get("/item/item9")
        again, _ = await client.open("/item/item9", If_None_Match=response.headers["ETag"])
        assert again.status == 304
        assert len(client.store.views) == 1

    play(tmp_path, story)


def test_feeds_bots_and_prefetching_count_nothing(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        await client.open("/feeds/latest.atom")
        await client.open("/item/item9/related.atom")
        await client.open("/item/item9", User_Agent="Googlebot/2.1", **{"User-Agent": "Googlebot/2.1"})
        await client.open("/go/item9", Sec_Purpose="prefetch")
        await client.get("/go/item9", "HEAD", **BROWSER)
        assert client.store.views == []

    play(tmp_path, story)


@pytest.mark.parametrize("url", [None, "javascript:alert(1)"])
def test_an_item_without_a_safe_original_leads_to_its_page(tmp_path: Path, url: str | None) -> None:
    async def story(client: Client) -> None:
        response, _ = await client.open("/go/item1")
        assert response.headers["Location"] == "../item/item1"

    play(tmp_path, story, store=MemoryStore([make_item(1, url=url)]))


def test_a_readers_own_feed_learns(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        response, body = await client.get(f"/r/{READER}/latest.json")
        assert response.headers["Cache-Control"].startswith("private")
        assert "noindex" in response.headers["X-Robots-Tag"]
        url = json.loads(body)["items"][0]["url"]
        assert url == f"http://127.0.0.1:8080/go/item9?r={READER}"
        await client.open(f"/go/item9?r={READER}")
        await client.open(f"/go/item8?r={READER}", Sec_Purpose="prefetch")
        assert client.store.opened_by == [(READER, "item9")]

    play(tmp_path, story)


def test_an_opening_that_cannot_be_recorded_costs_nobody_the_page(tmp_path: Path) -> None:
    class Broken(MemoryStore):
        def record_opened(self, token: str, item_id: str, *, now: datetime) -> bool:
            raise StoreUnavailable("the disk is full")

    async def story(client: Client) -> None:
        assert (await client.open(f"/item/item9?r={READER}"))[0].status == 200

    play(tmp_path, story, store=Broken([make_item(9)]))


SAME_ORIGIN = {**BROWSER, "Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}


def test_a_like_leads_back_and_is_counted_once(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        before, _ = await client.open("/item/item9")
        response, _ = await client.get("/item/item9/like", "POST", **SAME_ORIGIN)
        assert response.status == 303
        assert response.headers["Location"] == "../item9?liked#like"
        cookie = response.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        again, _ = await client.get("/item/item9/like", "POST", **SAME_ORIGIN, Cookie=cookie.partition(";")[0])
        assert again.status == 303
        assert len(client.store.likes) == 1
        page, body = await client.open("/item/item9?liked")
        assert b"(1)" in body
        assert page.headers["ETag"] != before.headers["ETag"]

    play(tmp_path, story)


def test_a_like_is_known_in_whichever_cookie_line_it_stands(tmp_path: Path) -> None:
    """A proxy that speaks HTTP/2 with browsers may pass cookies on in several lines."""

    async def story(client: Client) -> None:
        response, _ = await client.get("/item/item9/like", "POST", **SAME_ORIGIN)
        cookie = response.headers["Set-Cookie"].partition(";")[0]
        lines = [f"{name}: {value}" for name, value in SAME_ORIGIN.items()]
        lines += ["Cookie: other=1", f"Cookie: {cookie}", "Cookie: theme=dark", "Host: x", "Content-Length: 0"]
        host, port = client.server.addresses[0]
        for request, expected in (("POST /item/item8/like", b" 303 "), ("GET /theme.css", b"dark")):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write("\r\n".join([f"{request} HTTP/1.1", *lines, "Connection: close", "", ""]).encode())
            answer = await reader.read()
            writer.close()
            assert expected in answer
            assert b"Set-Cookie" not in answer

    play(tmp_path, story)


def test_a_like_shows_with_the_next_page(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        await client.open("/item/item9?liked")
        await client.get("/item/item9/like", "POST", **SAME_ORIGIN)
        _, body = await client.open("/item/item9?liked")
        assert b"(1)" in body

    play(tmp_path, story, freshness=timedelta(minutes=5))


def test_a_like_from_elsewhere_is_refused(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        headers = {**SAME_ORIGIN, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert (await client.get("/item/item9/like", "POST", **headers))[0].status == 403
        assert (await client.get("/item/nothing/like", "POST", **SAME_ORIGIN))[0].status == 404
        response, _ = await client.get("/item/item9/like", **SAME_ORIGIN)
        assert (response.status, response.headers["Allow"]) == (405, "POST")
        assert client.store.likes == []

    play(tmp_path, story)


def test_answers_are_made_when_the_data_changes_and_not_before(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        first, _ = await client.get("/feeds/latest.atom")
        reads = client.store.reads
        for _ in range(5):
            await client.get("/feeds/latest.atom")
        assert client.store.reads == reads + 5, "one look at the generation each"
        client.store.number += 1
        client.services.clock = lambda: NOON + timedelta(minutes=1)
        same, _ = await client.get("/feeds/latest.atom")
        assert same.headers["ETag"] == first.headers["ETag"]
        assert same.headers["Last-Modified"] == "Mon, 23 Nov 2026 12:00:00 GMT"
        client.store.shown["item10"] = make_item(10)
        client.store.number += 1
        changed, body = await client.get("/feeds/latest.atom", If_None_Match=first.headers["ETag"])
        assert changed.status == 200
        assert b"Title 10" in body
        client.services.clock = lambda: NOON + timedelta(minutes=2)
        later, _ = await client.get("/feeds/latest.atom")
        assert later.headers["Last-Modified"] == "Mon, 23 Nov 2026 12:01:00 GMT"

    play(tmp_path, story)


def test_many_who_ask_at_once_wait_for_one_making(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        answers = await asyncio.gather(*(client.get("/feeds/latest.atom") for _ in range(20)))
        assert len({body for _, body in answers}) == 1
        assert client.store.reads < 10

    play(tmp_path, story, freshness=timedelta(seconds=5))


def test_a_store_that_fails_leaves_what_was_rendered(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        _, body = await client.get("/feeds/latest.atom")
        client.store.broken = True
        response, stale = await client.get("/feeds/latest.atom")
        assert (response.status, stale) == (200, body)
        response, _ = await client.get("/feeds/recommended.atom")
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        client.store.broken = False
        assert (await client.get("/feeds/recommended.atom"))[0].status == 200

    play(tmp_path, story)


def test_a_fault_of_ours_is_a_page_and_a_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story(client: Client) -> None:
        def fail() -> Health:
            raise RuntimeError("boom")

        client.services.health = fail
        response, body = await client.open("/healthz")
        assert response.status == 500
        assert b"boom" not in body
        assert (await client.open("/"))[0].status == 200

    play(tmp_path, story)
    assert "boom" in caplog.text


def test_a_reload_shows_at_once(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        _, before = await client.get("/feeds/latest.json")
        site = replace(SITE, title="Renamed")
        client.services.reload(site=site, lists=Lists(client.store.store(), site), pages=Pages(site))
        _, after = await client.get("/feeds/latest.json")
        assert json.loads(before)["title"] == "Latest – The Test"
        assert json.loads(after)["title"] == "Latest – Renamed"

    play(tmp_path, story)


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        for number in range(30):
            assert (await client.get(f"/search.json?q=title+{number}"))[0].status == 200

    play(tmp_path, story, cache_bytes=20_000)


def test_health_and_metrics(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        for path in ("/healthz", "/readyz"):
            response, body = await client.get(path)
            assert response.status == 200
            assert json.loads(body) == {"status": "ok", "checks": {"schedule": "ticked 1 s ago"}}
        client.services.health = lambda: Health(live=True, ready=False)
        assert (await client.get("/readyz"))[0].status == 503

        async def metrics() -> str:
            return "aggregator_sources 3"

        client.services.metrics = metrics
        _, body = await client.get("/metrics")
        assert b"aggregator_sources 3\n" in body
        assert b'aggregator_http_responses_total{status="503"} 1\n' in body

    play(tmp_path, story)


async def raw(client: Client, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.server.addresses[0][1])
    writer.write(sent)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


def test_bad_requests_are_turned_away(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        assert (await raw(client, b"rubbish\r\n\r\n")).startswith(b"HTTP/1.")
        cookies = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: a=%b\r\n\r\n"
        assert b" 200 " in (await raw(client, cookies % (b"b" * 30_000)))[:20], "neighbours on the host set cookies"
        assert b" 400 " in (await raw(client, cookies % (b"b" * 40_000)))[:20]
        large = b"POST /item/item9/like HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9000\r\n\r\n"
        assert b" 403 " in (await raw(client, large + b"a" * 9000))[:40]

    play(tmp_path, story)


def test_a_client_that_does_not_finish_its_request_is_dropped(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        assert await raw(client, b"GET / HTTP/1.1\r\nHost:") == b""
        assert (await client.get("/feeds/latest.atom"))[0].status == 200

    play(tmp_path, story, limits=ServerLimits(idle_s=0.2))


def test_a_client_that_does_not_take_its_answer_is_dropped(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(client.server.addresses[0])
        sock.sendall(b"GET /feeds/latest.atom HTTP/1.1\r\nHost: x\r\n\r\n")
        await count_of(client, 1)
        await count_of(client, 0)
        sock.settimeout(5)
        answer = await asyncio.to_thread(drain, sock)
        length = int(answer.partition(b"Content-Length: ")[2].partition(b"\r")[0])
        assert len(answer) < length

    def drain(sock: socket.socket) -> bytes:
        parts = []
        with suppress(ConnectionResetError):
            while part := sock.recv(65536):
                parts.append(part)
        return b"".join(parts)

    big = MemoryStore([make_item(number, summary_html="<p>" + "x" * 200_000) for number in range(1, 51)])
    play(tmp_path, story, store=big, limits=ServerLimits(write_s=0.5))


async def refused(client: Client) -> bool:
    try:
        return await raw(client, b"GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    except ConnectionError:
        return True


def test_a_connection_too_many_is_refused(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        held = [await asyncio.open_connection("127.0.0.1", client.server.addresses[0][1]) for _ in range(3)]
        await count_of(client, 3)
        assert await refused(client)
        for _, writer in held:
            writer.close()
        await count_of(client, 0)
        assert (await client.get("/feeds/latest.atom"))[0].status == 200

    play(tmp_path, story, limits=ServerLimits(connections=3))


def test_surplus_connections_leave_no_descriptor_behind(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        host, port = client.server.addresses[0]
        surplus = [await asyncio.open_connection(host, port) for _ in range(40)]
        ends = [asyncio.create_task(is_ended(reader)) for reader, _ in surplus]
        while sum(end.done() for end in ends) < 40 - 8:
            await asyncio.wait([end for end in ends if not end.done()], return_when=asyncio.FIRST_COMPLETED)
        await count_of(client, 8)
        assert sum(end.done() for end in ends) == 40 - 8
        for _, writer in surplus:
            writer.close()
        assert all(await asyncio.gather(*ends))
        await count_of(client, 0)
        _, metrics = await client.get("/metrics")
        assert b"aggregator_http_connections_refused_total 32\n" in metrics

    async def is_ended(reader: asyncio.StreamReader) -> bool:
        with suppress(ConnectionError):
            return await reader.read(1) == b""
        return True

    play(tmp_path, story, limits=ServerLimits(connections=8))


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"FOO\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
def test_what_is_no_http_is_counted_and_leaves_no_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    async def story(client: Client) -> None:
        await raw(client, sent)
        _, metrics = await client.get("/metrics")
        assert b"aggregator_http_malformed_requests_total 1\n" in metrics

    with caplog.at_level("INFO"):
        play(tmp_path, story, limits=ServerLimits(idle_s=0.5))
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR") or record.exc_info]


def test_a_crawler_over_thousands_of_addresses_leaves_no_more_than_the_cache_may_hold(tmp_path: Path) -> None:
    kept = 400_000

    async def story(client: Client) -> None:
        for number in range(3000):
            await client.get(f"/search.atom?q=word{number}+{'x' * (number % 7)}")
        size = size_of(client.app[CONNECTIONS].answers, but=(client.services,))
        assert size < kept + 2_500_000, "what the fast path remembers of 1,024 targets, and the bodies of the cache"
        assert size > kept // 2

    store = MemoryStore([make_item(number, summary_html="<p>" + "x" * 8_000) for number in range(1, 4)])
    play(tmp_path, story, store=store, cache_bytes=kept)


def size_of(root: object, *, but: tuple[object, ...]) -> int:
    """What an object and all that only data leads to from it take in memory; code, modules and `but` left out."""
    seen = {id(part) for part in but}
    total, found = 0, [root]
    while found:
        part = found.pop()
        if id(part) in seen or isinstance(part, type | ModuleType | asyncio.AbstractEventLoop | Executor):
            continue
        seen.add(id(part))
        total += sys.getsizeof(part)
        if isinstance(part, FunctionType):
            found += [cell.cell_contents for cell in part.__closure__ or ()]
        elif not isinstance(part, MethodType) or part.__self__ not in but:
            found += gc.get_referents(part)
    return total


def test_requests_one_behind_the_other_are_answered_in_their_order(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        await client.get("/about")
        reader, writer = await asyncio.open_connection(*client.server.addresses[0])
        get = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /about HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        pieces = [
            get % b"/about",
            get % b"/feeds" + get % b"/about",
            b"GET /st",
            b"atus HTTP/1.1\r\nHost: x\r\n\r\n",
            last,
        ]
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.05)
        answers = await reader.read()
        writer.close()
        titles = [part.partition(b"</title>")[0] for part in answers.split(b"<title>")[1:]]
        assert [title.split()[0] for title in titles] == [b"About", b"Feeds", b"About", b"Status", b"About"]

    play(tmp_path, story)


def test_sockets_that_were_handed_over_are_used(tmp_path: Path) -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            services = make_services(filled().store(), tmp_path)
            server = await serve(create_app(services), sockets=[sock])
            assert server.addresses == [sock.getsockname()]
            await server.stop()
            await server.stop()

    run_in_loop(run())


def test_an_address_in_use_is_an_error_that_leaves_nothing_behind(tmp_path: Path) -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            services = make_services(filled().store(), tmp_path)
            with pytest.raises(OSError, match=r"(?i)address already in use"):
                await serve(create_app(services), listen=f"127.0.0.1:{sock.getsockname()[1]}")

    run_in_loop(run())


def test_an_answer_in_the_making_is_given_before_the_server_stops(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        asked = asyncio.create_task(client.get("/feeds/latest.atom"))
        while client.server.requests == 0:  # noqa: ASYNC110  # the server tells only when asked
            await asyncio.sleep(0)
        await client.server.stop()
        response, body = await asked
        assert response.status == 200
        assert body.endswith(b"</feed>")

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("[::1]:80", ("::1", 80)), (":9", ("", 9)), ("h:0", ("h", 0))],
)
def test_where_to_listen(text: str, expected: tuple[str, int]) -> None:
    assert split_listen(text) == expected


@pytest.mark.parametrize("text", ["", "8080", "x:", "x:y", "x:70000"])
def test_where_one_cannot_listen(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        split_listen(text)


# --- where it listens, who may see it --------------------------------------------------


def asked_at(address: object, path: str = "/about", **headers: str) -> bytes:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(10)
        sock.connect(address)  # type: ignore[arg-type]
        lines = [f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *(f"{k}: {v}" for k, v in headers.items())]
        sock.sendall("\r\n".join([*lines, "", ""]).encode())
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_it_listens_on_several_addresses_and_on_a_socket_with_a_mode(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "web.sock"
        for _ in range(2):  # a socket that was left behind is replaced
            with socket.socket(socket.AF_UNIX) as stale, suppress(OSError):
                stale.bind(str(path))
            app = create_app(make_services(filled().store(), tmp_path))
            listen = ["127.0.0.1:0", "127.0.0.2:0", f"unix:{path}"]
            server = await serve(app, listen=listen, socket_mode=0o620)
            assert path.stat().st_mode & 0o777 == 0o620
            for address in (*server.addresses, str(path)):
                assert b" 200 " in (await asyncio.to_thread(asked_at, address))[:15]
            with pytest.raises(OSError, match=r"(?i)in use"):
                await serve(create_app(make_services(filled().store(), tmp_path)), listen=f"unix:{path}")
            await server.stop()
            assert not path.exists()

    run_in_loop(run())


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
def test_every_address_of_ipv6_answers_ipv4_as_well(tmp_path: Path) -> None:
    async def run() -> None:
        server = await serve(create_app(make_services(filled().store(), tmp_path)), listen="[::]:0")
        port = server.addresses[0][1]
        assert b" 200 " in (await asyncio.to_thread(asked_at, ("127.0.0.1", port)))[:15]
        await server.stop()

    run_in_loop(run())


def test_readers_behind_a_unix_socket_are_told_apart(tmp_path: Path) -> None:
    async def run() -> None:
        store, path = filled(), tmp_path / "web.sock"
        audience = Audience(store.store(), state_dir=tmp_path, site_url=SITE.url, trusted_proxies=["unix"])
        app = create_app(make_services(store.store(), tmp_path, audience=audience))
        server = await serve(app, listen=f"unix:{path}")
        for number in (1, 2, 2, 3):
            told = {**BROWSER, "X-Forwarded-For": f"203.0.113.{number}"}
            await asyncio.to_thread(asked_at, str(path), "/item/item9", **told)
        assert len(store.views) == 3
        await server.stop()

    run_in_loop(run())


@pytest.mark.parametrize("prefix", ["", "/news"])
def test_a_proxy_may_keep_the_path_of_the_site_or_take_it_away(tmp_path: Path, prefix: str) -> None:
    site = replace(SITE, url="https://example.org/news")

    async def story(client: Client) -> None:
        for _ in range(2):
            for path in ("/", "/about", "/item/item9", "/feeds/latest.atom", "/section/world", "/metrics", "/healthz"):
                response, body = await client.get(prefix + path)
                assert response.status == 200, path
                assert body
        style = next(path for path in client.services.pages.assets if path.endswith(".css"))
        assert (await client.get(prefix + style))[0].content_type == "text/css"
        moved, _ = await client.get(f"{prefix}/go/item9")
        assert moved.status == 302
        assert (await client.get(f"{prefix}/nowhere"))[0].status == 404
        assert (await client.get(f"/x{prefix}/about"))[0].status == 404
        if prefix:
            assert (await client.get(prefix))[0].status == 200

    play(tmp_path, story, site=site, pages=Pages(site))


TOKEN = "0123456789abcdef"


def test_a_private_instance_asks_for_its_token(tmp_path: Path) -> None:
    site = replace(SITE, access_token=TOKEN)
    basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()

    async def story(client: Client) -> None:
        for path in ("/", "/item/item9", "/feeds/latest.atom", "/feeds.opml", "/metrics", "/go/item9", "/nowhere"):
            for wrong in (
                {},
                {"Authorization": "Bearer x"},
                {"Authorization": "Basic !"},
                {"Cookie": f"access={TOKEN}"},
            ):
                response, body = await client.get(path, **wrong)
                assert (response.status, response.headers["WWW-Authenticate"][:5]) == (401, "Basic"), path
                assert b"Title" not in body
        assert client.store.views == []
        feed, body = await client.get(f"/feeds/latest.atom?token={TOKEN}")
        assert (feed.status, "Set-Cookie" in feed.headers) == (200, False)
        assert feed.headers["Cache-Control"].startswith("private")
        assert b"Title 9" in body
        assert (await client.get("/feeds/latest.atom", Authorization=f"Bearer {TOKEN}"))[0].status == 200
        page, _ = await client.open("/", Authorization=f"Basic {basic}")
        cookie = page.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert TOKEN not in cookie
        for _ in range(3):
            page, body = await client.open("/item/item9", Cookie=f'odd={{"a":1}}; {cookie.partition(";")[0]}')
            assert page.status == 200
            assert page.headers["Cache-Control"].startswith("private")
        for path in (
            "/",
            "/status",
            "/feeds.opml",
            "/search?q=title",
            "/go/item9",
            "/theme.css",
            "/favicon.svg",
            "/nowhere",
        ):
            answer, _ = await client.get(path, Authorization=f"Bearer {TOKEN}")
            assert {"private", "no-store"} & set(answer.headers["Cache-Control"].split(", ")), path
        assert (await client.open("/item/item9"))[0].status == 401, "what one was shown is not shown to another"
        for path in ("/healthz", "/robots.txt", f"/r/{READER}/latest.atom"):
            assert (await client.get(path))[0].status == 200, path
        _, opml = await client.get("/feeds.opml", Authorization=f"Bearer {TOKEN}")
        assert f".atom?token={TOKEN}".encode() in opml

    play(tmp_path, story, site=site, pages=Pages(site), freshness=timedelta(hours=1))


def test_what_was_public_is_not_shown_once_the_site_is_private(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        for _ in range(3):
            assert (await client.get("/feeds/latest.atom"))[0].status == 200
        services = client.services
        services.reload(site=replace(SITE, access_token=TOKEN), lists=services.lists, pages=services.pages)
        for _ in range(2):
            assert (await client.get("/feeds/latest.atom"))[0].status == 401

    play(tmp_path, story, freshness=timedelta(hours=1))
