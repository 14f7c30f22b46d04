"""The Google Reader API over real connections, by hand and by a reader that people use."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import sqlite3
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from feed_readers import run as run_program
from publishing import NOON, sqlite_store
from test_web import Client, running

from aggregator.model import Scope
from aggregator.publish.greader import READ, READING_LIST, STARRED, read_item_id
from aggregator.store import Store

TOKEN = "a-token-of-ann-that-is-long"
API = "/greader/reader/api/0"


class Account:
    """One reader's client."""

    def __init__(self, client: Client, store: Store) -> None:
        self._client, self.store = client, store
        self.port = client.server.addresses[0][1]
        self.auth = ""

    async def login(self) -> None:
        answer = await self.post("/greader/accounts/ClientLogin", Email="ann", Passwd=TOKEN)
        self.auth = dict(line.split("=", 1) for line in answer.split())["Auth"]

    async def post(self, path: str, status: int = 200, **form: Any) -> str:
        url = f"http://127.0.0.1:{self.port}{path}"
        data = urlencode(form, doseq=True)
        headers = {
            "Authorization": f"GoogleLogin auth={self.auth}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        async with self._client.session.post(url, data=data, headers=headers) as response:
            assert response.status == status, path
            return (await response.read()).decode()

    async def get(self, path: str, **query: Any) -> Any:
        url = f"{API}/{path}?{urlencode({'output': 'json', **query}, doseq=True)}"
        response, body = await self._client.get(url, Authorization=f"GoogleLogin auth={self.auth}")
        assert response.status == 200, path
        assert response.headers["Cache-Control"] == "no-store"
        return json.loads(body)


def play(tmp_path: Path, story: Callable[[Account], Awaitable[None]]) -> None:
    async def run() -> None:
        store = sqlite_store(tmp_path)
        store.add_reader("Ann", TOKEN, now=NOON)
        async with running(tmp_path, StoreOf(store)) as client:  # type: ignore[arg-type]
            await story(Account(client, store))
        store.close()

    asyncio.run(run())


class StoreOf:
    """A real store where the tests of the web server expect one in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def store(self) -> Store:
        return self._store


def test_nobody_gets_in_without_a_readers_token(tmp_path: Path) -> None:
    async def story(account: Account) -> None:
        assert await account.post("/greader/accounts/ClientLogin", 401, Email="x", Passwd="x") == (
            "Error=BadAuthentication\n"
        )
        for path in ("token", "subscription/list", "stream/contents", "unread-count"):
            response, _ = await account._client.get(f"{API}/{path}")
            assert response.status == 401, path
        await account.post(f"{API}/edit-tag", 401, i="1", a=READ)

    play(tmp_path, story)


def test_lists_are_subscriptions_and_every_stream_has_its_items(tmp_path: Path) -> None:
    async def story(account: Account) -> None:
        await account.login()
        assert (await account.get("user-info"))["userName"] == "Ann"
        feeds = (await account.get("subscription/list"))["subscriptions"]
        assert {"feed/feeds/latest", "feed/feeds/recommended", "feed/section/world/latest"} <= {f["id"] for f in feeds}
        assert {tag["id"] for tag in (await account.get("tag/list"))["tags"]} >= {STARRED}
        for stream in [READING_LIST, *(feed["id"] for feed in feeds), feeds[0]["categories"][0]["id"]]:
            ids = (await account.get("stream/items/ids", s=stream, n=1000))["itemRefs"]
            whole = await account.get("stream/contents", s=stream, n=1000)
            assert [read_item_id(item["id"]) for item in whole["items"]] == [read_item_id(r["id"]) for r in ids]
            some = await account.get("stream/items/contents", i=[ref["id"] for ref in ids])
            assert {item["title"] for item in some["items"]} == {item["title"] for item in whole["items"]}
        counts = {row["id"]: row["count"] for row in (await account.get("unread-count"))["unreadcounts"]}
        assert counts[READING_LIST] == len(account.store.latest(Scope(), limit=0))

    play(tmp_path, story)


def test_a_stream_comes_in_parts_each_item_once(tmp_path: Path) -> None:
    async def story(account: Account) -> None:
        await account.login()
        found, following = [], "0"
        while following:
            part = await account.get("stream/contents", s=READING_LIST, n=5, c=following)
            found += [item["id"] for item in part["items"]]
            following = part.get("continuation", "")
        assert len(found) == len(set(found)) == len(account.store.latest(Scope(), limit=0))
        newest = await account.get("stream/items/ids", s=READING_LIST, ot=int(NOON.timestamp()) + 1)
        assert newest["itemRefs"] == []

    play(tmp_path, story)


def test_what_is_read_and_starred_stays_and_teaches_the_readers_own_feed(tmp_path: Path) -> None:
    async def story(account: Account) -> None:
        await account.login()
        items = (await account.get("stream/contents", s=READING_LIST, n=1000))["items"]
        first, second = items[0]["id"], items[1]["id"]
        await account.post(f"{API}/edit-tag", i=first, a=READ, T="t")
        await account.post(f"{API}/edit-tag", i=[second], a="user/1000/state/com.google/starred")
        unread = await account.get("stream/items/ids", s=READING_LIST, n=1000, xt=READ)
        assert len(unread["itemRefs"]) == len(items) - 1
        [star] = (await account.get("stream/contents", s=STARRED))["items"]
        assert star["id"] == second
        assert STARRED in star["categories"]
        learnt = {text.item_id for text, _ in account.store.opened(TOKEN, limit=0)}
        assert learnt == {read_item_id(first), read_item_id(second)}
        await account.post(f"{API}/edit-tag", i=first, r=READ)
        assert READ not in (await account.get("stream/items/contents", i=first))["items"][0]["categories"]
        await account.post(f"{API}/mark-all-as-read", s=READING_LIST, ts=int(NOON.timestamp() * 1_000_000))
        assert (await account.get("stream/items/ids", s=READING_LIST, xt=READ))["itemRefs"] == []
        assert len(account.store.opened(TOKEN, limit=0)) == 2, "what was swept away was not opened"
        assert all(row["count"] == 0 for row in (await account.get("unread-count"))["unreadcounts"])

    play(tmp_path, story)


@pytest.mark.parametrize("text", ["", "x", "tag:google.com,2005:reader/item/zz", "1" * 40, "-0x1", "feed/latest"])
def test_what_is_no_id_of_an_item(text: str) -> None:
    found = read_item_id(text)
    assert found is None or len(found) == 13


@pytest.mark.skipif(shutil.which("newsboat") is None, reason="needs newsboat")
def test_newsboat_synchronises_with_it(tmp_path: Path) -> None:
    """newsboat 2.21 speaks the protocol with FeedHQ, at whatever address: the same as FreshRSS's."""

    async def story(account: Account) -> None:
        home = tmp_path / "home"
        home.mkdir()
        (home / "config").write_text(
            f'urls-source "feedhq"\nfeedhq-url "http://127.0.0.1:{account.port}/greader"\n'
            f'feedhq-login "ann"\nfeedhq-password "{TOKEN}"\n'
        )
        options = ["-C", str(home / "config"), "-u", str(home / "urls"), "-c", str(home / "cache.db")]
        await run_program("newsboat", "-q", *options, "-x", "reload", home=home)
        with closing(sqlite3.connect(home / "cache.db")) as cache:
            feeds = {url for (url,) in cache.execute("SELECT rssurl FROM rss_feed")}
            titles = {title for (title,) in cache.execute("SELECT title FROM rss_item")}
        assert any("latest" in url for url in feeds)
        assert len(titles) == len(account.store.latest(Scope(), limit=0))
        assert {title[:7] for title in titles if title.startswith("Paper")} == {"Paper 1", "Paper 2", "Paper 3"}

    play(tmp_path, story)


#: RSS Guard's settings: ask for articles as soon as it has started
RSS_GUARD = "[main]\nfirst_run=false\n[feeds]\nfeeds_update_on_startup=true\nfeeds_update_on_startup_delay=3\n"


@pytest.mark.skipif(
    shutil.which("rssguard") is None or os.environ.get("READERS") != "all", reason="needs rssguard and READERS=all"
)
def test_rss_guard_synchronises_with_it(tmp_path: Path) -> None:
    """A program with windows, on no screen; its account is written into its database, as its dialogue would."""

    async def story(account: Account) -> None:
        home = tmp_path / "home"
        (home / "config").mkdir(parents=True)
        (home / "config" / "config.ini").write_text(RSS_GUARD)
        (home / "config" / "key.private").write_text(str(KEY))
        database = home / "database" / "database.db"

        def rows(query: str) -> list[Any]:
            with closing(sqlite3.connect(database, timeout=20)) as opened:
                return opened.execute(query).fetchall()

        async with rss_guard(home):
            await until(lambda: database.exists() and bool(rows("SELECT 1 FROM sqlite_master WHERE name = 'Messages'")))
        about = {"service": 1024, "username": "ann", "password": sealed(TOKEN), "batch_size": 100}
        about["url"] = f"http://127.0.0.1:{account.port}/greader"
        with closing(sqlite3.connect(database)) as opened, opened:
            opened.execute("DELETE FROM Accounts")
            opened.execute(
                "INSERT INTO Accounts(type, proxy_type, proxy_port, custom_data) VALUES ('greader', 0, 0, ?)",
                (json.dumps(about),),
            )
        async with rss_guard(home):  # the first time it takes the list of feeds
            await until(lambda: bool(rows("SELECT 1 FROM Feeds")))
        async with rss_guard(home):
            shown = {item.title for item in account.store.latest(Scope(), limit=0)}
            await until(lambda: {title for (title,) in rows("SELECT title FROM Messages")} == shown)
        assert len(rows("SELECT custom_id FROM Messages")) == len(set(rows("SELECT custom_id FROM Messages")))

    play(tmp_path, story)


KEY = 1_234_567_890_123_456_789


def sealed(text: str) -> str:
    """A password as RSS Guard keeps it (SimpleCrypt with a checksum, CRC-16 of ISO 3309)."""
    checksum = 0xFFFF
    for byte in text.encode():
        checksum ^= byte
        for _ in range(8):
            checksum = checksum >> 1 ^ (0x8408 if checksum & 1 else 0)
    plain = b"\7" + struct.pack(">H", ~checksum & 0xFFFF) + text.encode()
    written, last = bytearray(), 0
    for place, byte in enumerate(plain):
        last ^= byte ^ (KEY >> (8 * (place % 8))) & 0xFF
        written.append(last)
    return base64.b64encode(bytes([3, 2]) + written).decode()


@asynccontextmanager
async def rss_guard(home: Path) -> AsyncIterator[None]:
    """The program while it runs."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1", "HOME": str(home)}
    with (home / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            "rssguard", "--data", str(home), stdout=log, stderr=log, env=environment, start_new_session=True
        )
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            await process.wait()


async def until(holds: Callable[[], bool]) -> None:
    """Waits for it, as long as the test may take."""
    while not holds():  # noqa: ASYNC110 - the database of another program tells nobody
        await asyncio.sleep(0.2)
