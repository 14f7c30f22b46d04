"""Real feed readers subscribe to what a real server publishes from a real store, and show every entry, round by round.

newsboat stands for all of them in every run of the tests; READERS=all (`make readers`) asks the others as well.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import pytest
from feed_readers import ALL, FeedReader, Sfeed, run
from publishing import NOON, SITE, make_services, poll_again, sqlite_store

from aggregator.model import Curation, ListKey, Merge
from aggregator.publish import static_site
from aggregator.publish.lists import Lists
from aggregator.publish.site import Site
from aggregator.publish.web import create_app, serve
from aggregator.store import Store

SUBSCRIBED = ("feeds/latest", "feeds/ranking-7d", "feeds/recommended")
FORMATS = pytest.mark.parametrize("suffix", ["atom", "rss"])


class Published:
    """A site whose store can change."""

    def __init__(self, store: Store, site: Site) -> None:
        self.store = store
        self.url = site.url
        self.lists = Lists(store, site)

    def titles(self, path: str) -> list[str]:
        """What a list of the site holds, in its order."""
        return [place.item.title for place in self.lists.named(path.removeprefix("feeds/")).places]

    async def changed(self, minutes: int) -> None:
        """The store has changed, or time has passed; readers go by the time at which a feed changed."""

    async def answers(self, status: int | None = None) -> int:
        """How many requests have been answered, with this status."""
        raise NotImplementedError


class Live(Published):
    """The web server."""

    def __init__(self, store: Store, site: Site, directory: Path) -> None:
        super().__init__(store, site)
        self.services = make_services(store, directory, site=site)

    async def changed(self, minutes: int) -> None:
        self.services.clock = lambda: NOON + timedelta(minutes=minutes)

    async def answers(self, status: int | None = None) -> int:
        text = (await fetch(f"{self.url}/metrics")).decode()
        found = dict(re.findall(r'responses_total\{status="(\d+)"\} (\d+)', text))
        # asking for the metrics was one of them
        return sum(map(int, found.values())) - self._asked() if status is None else int(found.get(str(status), 0))

    def _asked(self) -> int:
        self._times = getattr(self, "_times", -1) + 1
        return self._times


class Static(Published):
    """Static files behind the plainest of file servers."""

    def __init__(self, store: Store, site: Site, directory: Path, server: ThreadingHTTPServer) -> None:
        super().__init__(store, site)
        self.services = make_services(store, directory, site=site)
        self.directory = directory / "site"
        self.statuses: list[int] = server.statuses  # type: ignore[attr-defined]

    async def changed(self, minutes: int) -> None:
        await asyncio.sleep(1.1)  # the dates of files tell seconds apart
        static_site.publish(self.directory, self.services.rendering(), now=NOON + timedelta(minutes=minutes))

    async def answers(self, status: int | None = None) -> int:
        return len(self.statuses) if status is None else self.statuses.count(status)


@asynccontextmanager
async def live(directory: Path) -> AsyncIterator[Published]:
    with closing(sqlite_store(directory)) as store, socket.create_server(("127.0.0.1", 0)) as sock:
        site = replace(SITE, url=f"http://127.0.0.1:{sock.getsockname()[1]}", items=100)
        published = Live(store, site, directory)
        server = await serve(create_app(published.services), sockets=[sock])
        try:
            yield published
        finally:
            await server.stop()


class FileServer(SimpleHTTPRequestHandler):
    def log_request(self, code: object = "-", size: object = "-") -> None:
        self.server.statuses.append(int(code))  # type: ignore[attr-defined, call-overload]


@asynccontextmanager
async def static(directory: Path) -> AsyncIterator[Published]:
    handler = functools.partial(FileServer, directory=str(directory / "site"))
    with closing(sqlite_store(directory)) as store, ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.statuses = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        site = replace(SITE, url=f"http://127.0.0.1:{server.server_port}", items=100)
        published = Static(store, site, directory, server)
        await published.changed(0)
        try:
            yield published
        finally:
            server.shutdown()


def merge_two(store: Store) -> None:
    """Two items of the ranking turn out to be the same article."""
    ranking = store.get_list(ListKey(order="ranking", window="7d"))
    assert ranking is not None
    two = sorted(store.items([place.item_id for place in ranking.places[:2]]), key=lambda item: item.first_seen)
    store.put_curation(
        Curation(curated=(), merges=(Merge(keep=two[0].id, absorb=two[1].id, rule="near-duplicate"),)), now=NOON
    )


#: what happens between two fetches, and how many entries are then new in the latest
ROUNDS: tuple[tuple[Callable[[Store], None], int], ...] = (
    (poll_again, 1),
    (merge_two, 0),
    (lambda store: poll_again(store, number=7, edit="Edited once more"), 1),
)
Publish = Callable[[Path], AbstractAsyncContextManager[Published]]


async def acceptance(kind: type[FeedReader], site: Published, directory: Path, suffix: str) -> None:
    """Everything arrives; nothing arrives twice; ids stay put whatever happens to the items."""
    urls = {path: f"{site.url}/{path}.{suffix}" for path in SUBSCRIBED}
    async with kind(directory, list(urls.values()), site.answers) as reader:
        await reader.reload()
        for path, url in urls.items():
            shown = reader.shown(url)
            assert sorted(each.title for each in shown) == sorted(site.titles(path)), path
            assert all(each.link.startswith(f"{site.url}/go/") for each in shown)
            assert all("Lead of" in each.content and "Related" in each.content for each in shown)
            if kind.shows_enclosures:
                assert any(each.enclosure.endswith("/sound-1.mp3") for each in shown), path
        known = {url: {each.id for each in reader.shown(url)} for url in urls.values()}
        ids = [each for of_one in known.values() for each in of_one]
        assert len(ids) == len(set(ids)), "an entry of two lists has an id in each"

        unchanged = await site.answers(304)
        await reader.reload()
        if kind.asks_conditionally:
            assert await site.answers(304) == unchanged + len(urls)

        for number, (happen, expected) in enumerate(ROUNDS, start=1):
            happen(site.store)
            await site.changed(minutes=number)
            await reader.reload()
            for path, url in urls.items():
                new = {each.id for each in reader.shown(url)} - known[url]
                assert len(new) == (expected if path == "feeds/latest" else 0), (number, path)
                known[url] |= new
        if kind.takes_edits:
            edited = [each for each in reader.shown(urls["feeds/latest"]) if "Edited" in each.content]
            assert len(edited) >= 1


@pytest.mark.tool("newsboat, sfeed, rss2email, liferea; reader from PyPI")
@pytest.mark.parametrize(
    ("publish", "suffix"), [(live, "atom"), (live, "rss"), (static, "atom")], ids=["atom", "rss", "static"]
)
@pytest.mark.parametrize(
    "kind", ALL if os.environ.get("READERS") == "all" else ALL[:1], ids=lambda kind: kind.__name__.lower()
)
def test_every_entry_arrives_once_round_by_round(
    tmp_path: Path, kind: type[FeedReader], publish: Publish, suffix: str
) -> None:
    if (missing := kind.missing()) is not None:
        pytest.skip(f"needs {missing}")

    home = tmp_path / "reader"
    home.mkdir()

    async def story() -> None:
        async with publish(tmp_path) as site:
            await site.changed(minutes=0)
            await acceptance(kind, site, home, suffix)

    asyncio.run(story())


async def fetch(url: str) -> bytes:
    """A document as a program without a name gets it."""
    async with aiohttp.ClientSession(skip_auto_headers=["User-Agent"]) as session, session.get(url) as response:
        assert response.status == 200
        return await response.read()


@pytest.mark.tool("sfeed")
@pytest.mark.skipif(Sfeed.missing() is not None, reason="needs sfeed")
@FORMATS
def test_sfeed_reads_every_list_in_its_order(tmp_path: Path, suffix: str) -> None:
    async def story() -> None:
        async with live(tmp_path) as site:
            for path in (*SUBSCRIBED, "feeds/ranking"):
                document = await fetch(f"{site.url}/{path}.{suffix}")
                lines = (await run("sfeed", stdin=document, home=tmp_path)).decode().splitlines()
                rows = [dict(zip(Sfeed.fields, line.split("\t"), strict=True)) for line in lines]
                assert [row["title"] for row in rows] == site.titles(path), path
                assert all(row["timestamp"].isdecimal() for row in rows)
                assert {row["author"] for row in rows} == {"A. Writer"}

    asyncio.run(story())
