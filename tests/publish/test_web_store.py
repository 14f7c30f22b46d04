"""The web server over the real store: what is counted, merged, removed and learnt shows on the pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import aiohttp
from publishing import BROWSER, NOON, SITE, make_services, sqlite_store

from aggregator.model import Curation, Merge, OwnFeed, Scope
from aggregator.publish.web import Services, create_app, serve
from aggregator.store import Store


@dataclass(frozen=True)
class Site:
    """A running site."""

    store: Store
    services: Services
    session: aiohttp.ClientSession
    url: str

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[aiohttp.ClientResponse, str]:
        url = self.url + path
        async with self.session.request(method, url, headers=headers, allow_redirects=False) as response:
            return response, await response.text()

    async def open(self, path: str, visitor: str = "1") -> tuple[aiohttp.ClientResponse, str]:
        return await self.get(path, **{**BROWSER, "User-Agent": f"{BROWSER['User-Agent']} {visitor}"})

    def ids(self) -> list[str]:
        return [item.id for item in self.store.latest(Scope(), limit=0)]


def play(tmp_path: Path, story: Callable[[Site], Awaitable[None]], **changes: Any) -> None:
    async def run() -> None:
        with closing(sqlite_store(tmp_path)) as store:
            services = make_services(store, tmp_path, **changes)
            server = await serve(create_app(services), listen="127.0.0.1:0")
            try:
                async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
                    url = f"http://127.0.0.1:{server.addresses[0][1]}"
                    await story(Site(store, services, session, url))
            finally:
                await server.stop()

    asyncio.run(run())


def test_views_and_likes_show_on_the_page(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        item_id = site.ids()[0]
        for visitor in "1112":
            response, _ = await site.open(f"/item/{item_id}", visitor)
            assert response.status == 200
        await site.open(f"/go/{item_id}", "3")
        assert site.store.fold_views() == 3
        headers = {**BROWSER, "Origin": SITE.url, "Sec-Fetch-Site": "same-origin"}
        response, _ = await site.get(f"/item/{item_id}/like", "POST", **headers)
        assert response.status == 303
        [item] = site.store.items([item_id])
        assert (item.views, item.likes) == (3, 1)
        _, page = await site.open(f"/item/{item_id}")
        assert "veryGood! (1)" in " ".join(page.split())

    play(tmp_path, story)


def test_a_merge_redirects_and_no_list_shows_the_item_twice(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        younger, *_, older = site.ids()
        site.store.put_curation(
            Curation(curated=(), merges=(Merge(keep=older, absorb=younger, rule="near-duplicate"),)), now=NOON
        )
        [keep, gone] = [older, younger] if older in site.ids() else [younger, older]
        response, _ = await site.open(f"/item/{gone}")
        assert (response.status, response.headers["Location"]) == (301, keep)
        for name in ("latest", "ranking", "recommended"):
            _, body = await site.get(f"/feeds/{name}.json")
            ids = [entry["_aggregator"]["item"] for entry in json.loads(body)["items"]]
            assert gone not in ids
            assert len(ids) == len(set(ids))

    play(tmp_path, story)


def test_what_retention_removes_is_gone_and_leaves_the_lists(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        oldest = site.ids()[-1]
        before = site.store.items([oldest])[0].published + timedelta(seconds=1)
        assert site.store.retain(before=before, now=NOON + timedelta(days=100)) == 1
        assert (await site.open(f"/item/{oldest}"))[0].status == 410
        for name in ("latest", "ranking"):
            _, body = await site.get(f"/feeds/{name}.json")
            assert oldest not in body

    play(tmp_path, story)


def test_a_readers_feed_is_private_and_learns(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        site.store.add_reader("anna", "s3cret", now=NOON)
        _, body = await site.get("/r/s3cret/recommended.json")
        item_id = json.loads(body)["items"][0]["_aggregator"]["item"]
        await site.open(f"/go/{item_id}?r=s3cret")
        await site.open(f"/go/{item_id}?r=stranger")
        assert [text.item_id for text, _ in site.store.opened("s3cret", limit=10)] == [item_id]
        assert site.store.remove_reader("anna")
        assert (await site.get("/r/s3cret/recommended.json"))[0].status == 404

    play(tmp_path, story)


def test_searching_and_own_feeds_read_the_store(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        for words in ("reports", 'c++ "', "-x", "خبر", "%", "'"):
            response, _ = await site.open(f"/search?{urlencode({'q': words})}")
            assert response.status == 200, words
        _, found = await site.get("/search.json?q=reports")
        assert len(json.loads(found)["items"]) == 9
        _, own = await site.get("/feeds/arabic.json")
        assert len(json.loads(own)["items"]) == 3

    own = OwnFeed(name="arabic", title="Arabic", match='language = "ar"')
    play(tmp_path, story, site=replace(SITE, feeds=(own,)))


def test_every_page_of_the_real_store(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        slugs = [health.ref.slug for health in site.store.sources(now=NOON)]
        paths = ["/", "/feeds", "/status", "/about", "/section/world", "/section/science", "/search?q=reports"]
        paths += [f"/source/{slug}" for slug in slugs] + [f"/item/{item_id}" for item_id in site.ids()]
        for path in paths:
            response, body = await site.open(path)
            assert response.status == 200, path
            assert "<script" not in body.replace('<script type="application/ld+json">', ""), "data is no script"

    play(tmp_path, story)


def test_a_long_feed_continues_until_every_item_has_come_once(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        for path in ("/feeds/latest.json", "/section/world/latest.json", "/source/paper-1/latest.json"):
            titles, pages, address = [], 0, path
            while address:
                _, body = await site.get(address)
                feed = json.loads(body)
                assert feed["feed_url"].endswith(address)
                titles += [entry["title"] for entry in feed["items"]]
                pages += 1
                address = feed.get("next_url", "").removeprefix(SITE.url)
            assert len(titles) == len(set(titles)) == {"feeds": 12, "section": 8, "source": 4}[path.split("/")[1]]
            assert pages == len(titles) // 3 + 1

    play(tmp_path, story, site=replace(SITE, items=3))


def test_a_readers_own_lists_stand_on_one_page(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        site.store.add_reader("anna", "tok3n", now=NOON)
        _, body = await site.get("/r/tok3n/latest.json")
        assert len(json.loads(body)["items"]) == 3
        assert "next_url" not in json.loads(body)

    play(tmp_path, story, site=replace(SITE, items=3))


def test_parts_of_a_feed_name_each_other_and_the_feed_they_belong_to(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        for suffix in ("atom", "rss"):
            links, feed_id = "{http://www.w3.org/2005/Atom}link", "{http://www.w3.org/2005/Atom}id"
            seen = []
            address = f"/feeds/latest.{suffix}"
            for _ in range(2):
                response, body = await site.get(address)
                root = ET.fromstring(body)
                head = root if suffix == "atom" else root[0]
                named = {link.get("rel"): link.get("href", "") for link in head.findall(links)}
                assert named["self"] == SITE.url + address
                assert named["first"] == f"{SITE.url}/feeds/latest.{suffix}"
                seen.append((root.findtext(feed_id), "hub" in named))
                assert f'<{named["self"]}>; rel="self"' in response.headers["Link"]
                assert ("hub" in named) == ('<https://hub.example/>; rel="hub"' in response.headers["Link"])
                address = named["next"].removeprefix(SITE.url)
            assert seen[0][0] == seen[1][0]
            assert (seen[0][1], seen[1][1]) == (True, False), "only the beginning changes"
        _, body = await site.get("/feeds/ranking.atom")
        assert "<fh:complete" in body
        assert 'rel="next"' not in body

    play(tmp_path, story, site=replace(SITE, items=3, hub="https://hub.example/"))


def test_a_source_out_of_the_latest_stands_everywhere_else(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        apart, *others = [one.subscription for one in site.store.sources(now=NOON)]
        slug = next(one.ref.slug for one in site.store.sources(now=NOON) if one.subscription == apart)
        site.store.sync_sources([replace(apart, in_latest=False), *others], now=NOON)
        own = {item.id for item in site.store.latest(Scope(source_slug=slug), limit=0)}
        all_ids = set(site.ids())
        assert own
        assert own < all_ids
        latest = json.loads((await site.get("/feeds/latest.json"))[1])
        assert {entry["id"].rpartition("/")[2].rpartition(":")[2] for entry in latest["items"]} == all_ids - own
        of_source = json.loads((await site.get(f"/source/{slug}/latest.json"))[1])
        assert len(of_source["items"]) == len(own)

    play(tmp_path, story)
