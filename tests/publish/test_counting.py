"""What is counted, through the whole server: once by the handlers, once by the shortcut that most requests take."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import chromium
import pytest
from publishing import BROWSER, NOON, MemoryStore, make_item
from test_web import Client, filled, raw, running
from test_web_renewing import Clock as Steady
from test_web_renewing import shown

from aggregator.publish.audience import Audience

#: long enough that no test sees the store asked again
KEPT = timedelta(hours=1)
LATER = NOON + timedelta(seconds=5)
BOT = {"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}


class Clock:
    """A clock that is set by hand and knows how often it was read: handlers read it, shortcuts only to count.

    Reads on other threads, which write down what was shown a moment ago, come when they come; they are not counted.
    """

    def __init__(self) -> None:
        self.now: datetime = NOON
        self.reads = 0
        self._thread = threading.get_ident()

    def __call__(self) -> datetime:
        self.reads += threading.get_ident() == self._thread
        return self.now


def play(
    tmp_path: Path,
    story: Callable[[Client, Clock], Awaitable[None]],
    *,
    store: MemoryStore | None = None,
    **changes: Any,
) -> None:
    async def run() -> None:
        clock = Clock()
        # ages that pages show do not change because the machine is slow
        timed = {"monotonic": Steady(), **changes}
        async with running(tmp_path, store or filled(), clock=clock, **timed) as client:
            await story(client, clock)

    asyncio.run(run())


async def warm(client: Client, clock: Clock, path: str = "/item/item9") -> None:
    """The head of the answer to a browser is known, and nobody has been counted."""
    await client.get(path, **BROWSER | BOT)
    clock.now = LATER
    await client.get(path, **BROWSER | BOT)
    await client.get(path, **BROWSER | BOT, **{"Accept-Encoding": "gzip"})


#: (is a view, method, address, headers beside a browser's)
TABLE = [
    (True, "GET", "/item/item9", {}),
    (True, "GET", "/go/item9", {}),
    (True, "GET", "/item/item9", {"Accept-Encoding": "gzip"}),
    (True, "GET", "/item/item9", {"If-Modified-Since": "Mon, 23 Nov 2026 12:00:00 GMT"}),
    (False, "HEAD", "/item/item9", {}),
    (False, "HEAD", "/go/item9", {}),
    (False, "OPTIONS", "/item/item9", {}),
    (False, "POST", "/item/item9/like", {"Sec-Fetch-Site": "cross-site"}),
    (False, "GET", "/item/item9", BOT),
    (False, "GET", "/item/item9", {"Accept": "*/*"}),
    (False, "GET", "/item/item9", {"Accept-Language": ""}),
    (False, "GET", "/go/item9", {"Accept": ""}),
    (False, "GET", "/item/item9", {"User-Agent": ""}),
    (False, "GET", "/item/item9", {"User-Agent": "newsboat/2.30 (Linux x86_64)"}),
    (False, "GET", "/item/item9", {"User-Agent": "facebookexternalhit/1.1"}),
    (False, "GET", "/item/item9", {"User-Agent": "Mozilla/5.0 (X11) HeadlessChrome/140.0 Safari/537.36"}),
    (False, "GET", "/item/item9", {"Sec-Purpose": "prefetch"}),
    (False, "GET", "/item/item9", {"Sec-Purpose": "prefetch;prerender"}),
    (False, "GET", "/item/item9", {"Purpose": "prefetch"}),
    (False, "GET", "/item/item9", {"X-Purpose": "preview"}),
    (False, "GET", "/item/item9", {"X-Moz": "prefetch"}),
    (False, "GET", "/go/item9", {"Sec-Purpose": "prefetch"}),
    (False, "GET", "/item/item9", {"Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"}),
    (False, "GET", "/item/item9", {"Sec-Fetch-Dest": "iframe"}),
    (False, "GET", "/item/item9", {"Sec-Fetch-Dest": "script", "Sec-Fetch-Mode": "no-cors"}),
    (False, "GET", "/item/item9", {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"}),
    (False, "GET", "/go/item9", {"Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"}),
    (False, "GET", "/item/item9/related", {}),
    (False, "GET", "/item/item9/related.atom", {}),
    (False, "GET", "/feeds/latest.atom", {}),
    (False, "GET", "/item/none", {}),
    (False, "GET", "/", {}),
]  # fmt: skip


@pytest.mark.parametrize("kept", [timedelta(0), KEPT], ids=["handler", "shortcut"])
@pytest.mark.parametrize("row", TABLE)
def test_what_is_a_view(tmp_path: Path, kept: timedelta, row: tuple[bool, str, str, dict[str, str]]) -> None:
    counted, method, path, headers = row

    async def story(client: Client, clock: Clock) -> None:
        await warm(client, clock)
        await client.get(path, method, **BROWSER | headers)
        assert len(client.store.views) == counted
        assert client.store.likes == []

    play(tmp_path, story, freshness=kept)


def test_a_reload_is_no_second_view_and_another_browser_is_another_reader(tmp_path: Path) -> None:
    async def story(client: Client, clock: Clock) -> None:
        await warm(client, clock)
        for agent in ("Mozilla/5.0 Firefox/140.0",) * 2 + ("Mozilla/5.0 Firefox/141.0", "Mozilla/5.0 Firefox/140.0"):
            await client.open("/item/item9", **{"User-Agent": agent})
        assert len(client.store.views) == 2, "two people behind one address (NAT) are told apart by their browsers"
        clock.now = NOON + timedelta(days=1)
        await client.open("/item/item9", **{"User-Agent": "Mozilla/5.0 Firefox/140.0"})
        assert len(client.store.views) == 3, "after midnight they are nobody we know"

    play(tmp_path, story, freshness=KEPT)


def test_nobody_chooses_whose_view_it_is(tmp_path: Path) -> None:
    async def story(client: Client, clock: Clock) -> None:
        await warm(client, clock)
        for number in range(5):
            await client.open("/item/item9", **{"X-Forwarded-For": f"203.0.113.{number}", "Forwarded": f"for={number}"})
        assert len(client.store.views) == 1

    play(tmp_path, story, freshness=KEPT)


# --- the shortcut itself --------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/feeds/latest.atom", "/feeds/ranking-1d.json", "/item/item9", "/section/world"])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize("conditional", [False, True])
def test_the_shortcut_says_what_the_handler_says(tmp_path: Path, path: str, encoding: str, conditional: bool) -> None:
    async def story(client: Client, clock: Clock) -> None:
        headers = {**BOT, "Accept-Encoding": encoding}
        await client.get(path, **headers)
        clock.now = LATER
        fresh, _ = await client.get(path, **headers)
        if conditional:
            headers["If-None-Match"] = fresh.headers["ETag"]
        by_handler, body = await client.get(path, **headers)
        reads = clock.reads
        by_shortcut, again = await client.get(path, **headers)
        if not path.startswith("/item/"):
            assert clock.reads == reads, "no handler was asked"
        assert (by_shortcut.status, again) == (by_handler.status, body) == (304 if conditional else 200, body)
        kept = {name: value for name, value in by_handler.headers.items() if name != "Date"}
        assert {name: value for name, value in by_shortcut.headers.items() if name != "Date"} == kept
        assert "Date" in by_shortcut.headers

    play(tmp_path, story, freshness=KEPT)


def test_what_has_changed_is_not_given_again(tmp_path: Path) -> None:
    steady = Steady()

    async def story(client: Client, clock: Clock) -> None:
        await warm(client, clock, "/")
        item = client.store.shown["item9"]
        client.store.shown["item9"] = replace(item, title="Edited")
        client.store.number += 1
        _, body = await client.open("/")
        assert b"Edited" not in body, "within the time that answers are kept"
        steady.passes(0.25)
        _, body = await client.open("/")
        assert b"Edited" not in body, "it is being made anew"
        await shown(client, "Edited")
        client.store.number += 1
        client.store.shown["item9"] = replace(item, title="A while later")
        steady.passes(11)  # longer than one whose turn comes late is given
        _, body = await client.open("/")
        assert b"A while later" in body, "what was right some time ago only is not given"
        client.store.shown["item9"] = replace(item, title="Reloaded")
        client.services.reload(site=client.services.site, lists=client.services.lists, pages=client.services.pages)
        _, body = await client.open("/")
        assert b"Reloaded" in body

    play(tmp_path, story, freshness=timedelta(seconds=0.2), monotonic=steady)


@pytest.mark.parametrize(
    ("statuses", "sent"),
    [
        ([200], b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        ([200], b"GET / HTTP/1.0\r\n\r\n"),
        ([200, 200], b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        ([200], b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"),
        ([100, 200], b"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"),
        ([405], b"PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        ([400], b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n"),
    ],
)
def test_odd_requests_for_what_is_known(tmp_path: Path, statuses: list[int], sent: bytes) -> None:
    async def story(client: Client, clock: Clock) -> None:
        await client.get("/")
        clock.now = LATER
        await client.get("/")
        answer = await raw(client, sent)
        assert [int(part[:3]) for part in answer.split(b"HTTP/1.")[1:] for part in [part[2:]]] == statuses

    play(tmp_path, story, freshness=KEPT)


def test_a_request_that_comes_in_pieces(tmp_path: Path) -> None:
    async def story(client: Client, clock: Clock) -> None:
        await client.get("/feeds/latest.atom")
        clock.now = LATER
        await client.get("/feeds/latest.atom")
        reader, writer = await asyncio.open_connection("127.0.0.1", client.server.addresses[0][1])
        for piece in (b"GET /feeds/la", b"test.atom HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r\n"):
            writer.write(piece)
            await asyncio.sleep(0.02)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"application/atom+xml" in head
        assert head.count(b"HTTP/1.1 200") == 1
        writer.close()

    play(tmp_path, story, freshness=KEPT)


# --- in a browser ---------------------------------------------------------------


@pytest.mark.skipif(chromium.found() is None, reason="needs chromium")
def test_nothing_in_an_item_causes_a_view_or_a_like(tmp_path: Path) -> None:
    """Even if what the sanitiser forbids were let through: pictures, frames, media and styles that ask this site."""

    async def story(client: Client, clock: Clock) -> None:
        here = f"http://127.0.0.1:{client.server.addresses[0][1]}"
        html = (
            f'<img src="{here}/go/item8" alt=""><img src="{here}/item/item7" alt=""><audio src="/go/item6"></audio>'
            f'<video src="{here}/item/item5" autoplay></video><iframe src="/go/item4"></iframe>'
            f'<object data="/item/item3"></object><link rel="prefetch" href="/item/item2"><link rel="prerender" '
            f'href="/item/item1"><form action="/item/item8/like" method="post"><input autofocus></form>'
        )
        client.store.shown["item9"] = replace(client.store.shown["item9"], summary_html=html)
        client.services.audience = Audience(client.store.store(), state_dir=tmp_path, site_url=here)
        async with chromium.browser() as opened:
            page = await opened.open("about:blank")
            await page.send("Network.setUserAgentOverride", userAgent=BROWSER["User-Agent"])
            await page.go(f"{here}/item/item9")
            await asyncio.sleep(0.5)
            assert [view.item_id for view in client.store.views] == ["item9"]
            await page.run("document.querySelector('#like button').click()")
            while not client.store.likes:  # noqa: ASYNC110 (the browser tells nobody that it has sent a form)
                await asyncio.sleep(0.05)
            assert [item for item, _ in client.store.likes] == ["item9"], "the button of the page itself works"

    play(tmp_path, story, store=MemoryStore([make_item(number) for number in range(1, 10)]))
