"""Real feed readers subscribe to what a real server publishes from a real store, and show every entry."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from publishing import NOON, SITE, make_services, poll_again, sqlite_store

from aggregator.publish.lists import Lists
from aggregator.publish.web import Services, create_app, serve
from aggregator.store import Store

SUBSCRIBED = ("feeds/latest", "feeds/ranking", "feeds/ranking-7d", "feeds/recommended", "section/world/latest")
FORMATS = pytest.mark.parametrize("suffix", ["atom", "rss"])


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program} (a Debian package)")


@dataclass(frozen=True)
class Published:
    """A running site."""

    url: str
    store: Store
    lists: Lists
    services: Services

    def later(self, minutes: int) -> None:
        """Moves the clock of the site on: readers go by the time at which a feed changed."""
        self.services.clock = lambda: NOON + timedelta(minutes=minutes)

    def titles(self, path: str) -> list[str]:
        """What a list holds, in its order."""
        *section, name = path.removeprefix("feeds/").split("/")
        listing = self.lists.named(name if not section else "latest", section="world" if section else None)
        return [place.item.title for place in listing.places]


@asynccontextmanager
async def published(directory: Path) -> AsyncIterator[Published]:
    with closing(sqlite_store(directory)) as store, socket.create_server(("127.0.0.1", 0)) as sock:
        site = replace(SITE, url=f"http://127.0.0.1:{sock.getsockname()[1]}", items=100)
        services = make_services(store, directory, site=site)
        server = await serve(create_app(services), sockets=[sock])
        try:
            yield Published(site.url, store, services.lists, services)
        finally:
            await server.stop()


async def run(*command: str, stdin: bytes = b"", home: Path) -> bytes:
    """A program's output; it must end well within a minute."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin), 60)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, err.decode()
    return out


class Newsboat:
    """newsboat with a configuration of its own; what it shows is read from its database."""

    def __init__(self, directory: Path, urls: list[str]) -> None:
        self.directory = directory
        (directory / "urls").write_text("\n".join(urls) + "\n")
        (directory / "config").write_text("suppress-first-reload yes\nreload-threads 1\n")

    async def reload(self) -> None:
        files = [("-C", "config"), ("-u", "urls"), ("-c", "cache.db")]
        options = [part for option, name in files for part in (option, str(self.directory / name))]
        await run("newsboat", "-q", *options, "-x", "reload", home=self.directory)

    def shown(self, url: str) -> list[tuple[str, str, str, str]]:
        """(guid, title, link, content) of a feed's entries, newest first."""
        query = "SELECT guid, title, url, content FROM rss_item WHERE feedurl = ? AND deleted = 0 ORDER BY pubDate DESC"
        with closing(sqlite3.connect(self.directory / "cache.db")) as database:
            return list(database.execute(query, (url,)))


@pytest.mark.tool("newsboat")
@needs("newsboat")
@FORMATS
def test_newsboat_shows_every_entry_of_every_list(tmp_path: Path, suffix: str) -> None:
    async def story() -> None:
        async with published(tmp_path) as site:
            urls = {path: f"{site.url}/{path}.{suffix}" for path in SUBSCRIBED if path != "section/world/latest"}
            newsboat = Newsboat(tmp_path, list(urls.values()))
            await newsboat.reload()
            for path, url in urls.items():
                shown = newsboat.shown(url)
                assert sorted(title for _, title, _, _ in shown) == sorted(site.titles(path)), path
                assert all(link.startswith(f"{site.url}/go/") for _, _, link, _ in shown)
                assert all("Lead of <em>" in content and "Related" in content for _, _, _, content in shown)
            assert len(newsboat.shown(urls["feeds/latest"])) == 12

            before = {url: {guid for guid, *_ in newsboat.shown(url)} for url in urls.values()}
            site.later(1)
            await newsboat.reload()
            assert {url: {guid for guid, *_ in newsboat.shown(url)} for url in urls.values()} == before

            poll_again(site.store)
            site.later(2)
            await newsboat.reload()
            for path, url in urls.items():
                after = newsboat.shown(url)
                assert len({guid for guid, *_ in after} - before[url]) == (1 if path == "feeds/latest" else 0), path
                assert sum("Edited" in content for *_, content in after) >= (1 if path == "feeds/latest" else 0)

    asyncio.run(story())


async def fetch(url: str) -> bytes:
    """What sfeed is given: it reads a document, and leaves fetching to other programs."""
    import aiohttp

    async with aiohttp.ClientSession(skip_auto_headers=["User-Agent"]) as session, session.get(url) as response:
        assert response.status == 200
        return await response.read()


SFEED_FIELDS = ("timestamp", "title", "link", "content", "type", "id", "author", "enclosure", "category")


@pytest.mark.tool("sfeed")
@needs("sfeed")
@FORMATS
def test_sfeed_reads_every_entry_of_every_list(tmp_path: Path, suffix: str) -> None:
    async def story() -> None:
        async with published(tmp_path) as site:
            for path in SUBSCRIBED:
                document = await fetch(f"{site.url}/{path}.{suffix}")
                lines = (await run("sfeed", stdin=document, home=tmp_path)).decode().splitlines()
                rows = [dict(zip(SFEED_FIELDS, line.split("\t"), strict=True)) for line in lines]
                assert [row["title"] for row in rows] == site.titles(path), path
                assert all(row["timestamp"].isdecimal() for row in rows)
                assert all(row["link"].startswith(f"{site.url}/go/") for row in rows)
                assert len({row["id"] for row in rows}) == len(rows)
                assert {row["author"] for row in rows} == {"A. Writer"}

    asyncio.run(story())


@pytest.mark.tool("sfeed_update")
@needs("sfeed_update")
@needs("curl")
def test_sfeed_update_subscribes_and_keeps_entries_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with published(tmp_path) as site:
            feeds = "".join(f"  feed '{path.replace('/', '-')}' '{site.url}/{path}.atom'\n" for path in SUBSCRIBED)
            rc = tmp_path / "sfeedrc"
            rc.write_text(f'sfeedpath="{tmp_path}/kept"\nfeeds() {{\n{feeds}}}\n')
            for _ in range(2):
                await run("sfeed_update", str(rc), home=tmp_path)
                for path in SUBSCRIBED:
                    kept = (tmp_path / "kept" / path.replace("/", "-")).read_text().splitlines()
                    assert sorted(line.split("\t")[1] for line in kept) == sorted(site.titles(path)), path

    asyncio.run(story())
