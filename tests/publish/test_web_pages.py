"""The addresses of the pages over a real connection: which exist, where they lead, themes, how they age."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from publishing import NOON, SITE, MemoryStore, make_item
from test_web import Client, filled, play

from aggregator.model import Notice, Story
from aggregator.publish.pages import Pages

PAGES = (
    "/", "/?lang=en", "/latest", "/ranking", "/ranking/7d", "/section/world", "/section/world/ranking",
    "/section/world/ranking/1h", "/story/item9", "/source/s1", "/sources", "/search?q=title", "/search", "/feeds",
    "/status", "/status?sort=rate", "/about", "/feeds/latest", "/feeds/stories",
)  # fmt: skip
FILES = ("/favicon.ico", "/apple-touch-icon.png", "/manifest.webmanifest", "/opensearch.xml", "/robots.txt")


def test_every_page_and_every_file_is_there(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        for path in PAGES:
            response, body = await client.open(path)
            assert (path, response.status) == (path, 200)
            assert body.startswith(b"<!doctype html>")
        for path in (*FILES, *client.services.pages.assets):
            response, body = await client.get(path)
            assert (path, response.status) == (path, 200)
            assert body
        for path in (
            "/ranking/2y",
            "/section/none",
            "/source/none",
            "/story/none",
            "/?lang=xx",
            "/section/none/ranking",
        ):
            assert (path, (await client.open(path))[0].status) == (path, 404)

    store = filled()
    items = list(store.shown.values())
    store.shown |= {item.id: replace(item, language="de") for item in items[:4]}
    play(tmp_path, story, store=store)


def test_a_merged_story_leads_to_what_it_has_become(tmp_path: Path) -> None:
    class Merged(MemoryStore):
        def story(self, story: str) -> Story | None:
            return super().story("item9" if story == "older" else story)

    async def story(client: Client) -> None:
        response, _ = await client.open("/story/older")
        assert (response.status, response.headers["Location"]) == (301, "item9")

    play(tmp_path, story, store=Merged([make_item(9)]))


def test_a_missing_page_names_the_nearest_section(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        response, body = await client.open("/section/wrold")
        assert response.status == 404
        assert b'<a href="/section/world">World</a>?' in body

    play(tmp_path, story)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_a_theme_is_a_cookie_that_only_one_answer_depends_on(tmp_path: Path, name: str) -> None:
    async def story(client: Client) -> None:
        url = f"http://127.0.0.1:{client.server.addresses[0][1]}"
        sent = {"Referer": f"{url}/latest?before=1-a", "Host": url.removeprefix("http://")}
        async with client.session.post(
            f"{url}/theme", data={"theme": name}, headers=sent, allow_redirects=False
        ) as back:
            assert (back.status, back.headers["Location"]) == (303, "/latest?before=1-a")
            cookie = back.headers["Set-Cookie"]
        assert re.fullmatch(rf"theme={name}; Max-Age=31536000; Path=/; SameSite=Lax; HttpOnly", cookie)
        plain, empty = await client.get("/theme.css")
        assert (plain.status, empty, plain.headers["Vary"]) == (200, b"", "Cookie")
        assert "private" in plain.headers["Cache-Control"]
        for jar in (f"theme={name}", f'prefs={{"a":1}}; theme={name}', f"a=b;theme={name}"):
            assert (await client.get("/theme.css", Cookie=jar))[1] == f":root{{color-scheme:{name}}}".encode()
        for jar in ("theme=pink", "mytheme=dark"):
            assert (await client.get("/theme.css", Cookie=jar))[1] == b""
        assert (await client.open("/", Cookie=f"theme={name}"))[1] == (await client.open("/"))[1]

    play(tmp_path, story)


@pytest.mark.parametrize(
    "referer", ["", "http://evil.example/x", "//evil.example", "http://[", "https://h//evil.example"]
)
def test_choosing_a_theme_leads_nowhere_else(tmp_path: Path, referer: str) -> None:
    async def story(client: Client) -> None:
        url = f"http://127.0.0.1:{client.server.addresses[0][1]}"
        form = {"theme": "system"}
        async with client.session.post(
            f"{url}/theme", data=form, headers={"Referer": referer}, allow_redirects=False
        ) as back:
            assert (back.status, back.headers["Location"]) == (303, "./")
            assert "Max-Age=0" in back.headers["Set-Cookie"]
        async with client.session.post(f"{url}/theme", data={"theme": "x"}, allow_redirects=False) as refused:
            assert refused.status == 400

    play(tmp_path, story)


def test_a_script_is_allowed_only_where_it_is_wanted(tmp_path: Path) -> None:
    async def with_script(client: Client) -> None:
        response, body = await client.open("/")
        assert "script-src 'self';" in response.headers["Content-Security-Policy"]
        [path] = re.findall(rb'<script src="([^"]+)" defer>', body)
        script, _ = await client.get(path.decode())
        assert script.content_type == "text/javascript"

    async def without(client: Client) -> None:
        response, body = await client.open("/")
        assert "script" not in response.headers["Content-Security-Policy"]
        assert b"<script" not in body

    site = replace(SITE, script=True)
    play(tmp_path, with_script, site=site, pages=Pages(site))
    play(tmp_path, without)


def test_ages_on_a_page_grow_while_nothing_changes(tmp_path: Path) -> None:
    """A page is made anew when one of the ages that it shows is another, and not before."""
    now = [NOON - timedelta(seconds=50)]
    store = MemoryStore([make_item(9, published=NOON - timedelta(minutes=5))])

    async def story(client: Client) -> None:
        first = (await client.open("/"))[1]
        assert b">4m</time>" in first
        reads = store.reads
        assert (await client.open("/"))[1] == first
        assert store.reads - reads <= 1, "the generation at the most"
        # made in its last microsecond: by the next request it has expired, however fast that comes
        now[0] = NOON - timedelta(microseconds=1)
        client.services.epoch += 1
        assert b">4m</time>" in (await client.open("/"))[1]
        now[0] = NOON
        assert b">5m</time>" in (await client.open("/"))[1]

    play(tmp_path, story, store=store, clock=lambda: now[0])


def test_what_readers_should_know_stands_above_every_page(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        assert b"Just started." in (await client.open("/"))[1]
        down = Notice(code="network-down", message="The network is down.", since=NOON)
        client.services.put_notices((down, Notice(code="store-restored", message="Restored from <b>.", since=NOON)))
        for path in ("/", "/about", "/sources"):
            body = (await client.open(path))[1]
            assert b"This machine seems to be offline." in body
            assert b"<b>Restored from &lt;b&gt;.</b>" in body
        client.services.put_notices(())
        assert b"offline" not in (await client.open("/about"))[1]

    play(tmp_path, story, store=MemoryStore([]))
