from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import feedparser
import pytest
from publishing import NOON, SITE, MemoryStore, make_health, make_item, source, sqlite_store

from aggregator.model import OwnFeed, PollError
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages
from aggregator.publish.rendering import Rendering
from aggregator.publish.site import Site
from aggregator.publish.static_site import publish
from aggregator.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = sqlite_store(tmp_path)
    yield store
    store.close()


def rendering(store: Store, site: Site = SITE) -> Rendering:
    return Rendering(store=store, site=site, lists=Lists(store, site), pages=Pages(site))


def test_the_whole_site_stands_in_files(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "out" / "www"
    site = replace(SITE, feeds=(OwnFeed(name="own", title="Own"),))
    seen: list[tuple[int, int]] = []
    published = publish(target, rendering(store, site), now=NOON, progress=lambda *at: seen.append(at))
    files = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert published.files == published.written == len(files)
    assert seen[-1][0] == published.files <= seen[-1][1]
    for expected in (
        "index.html",
        "feeds/index.html",
        "feeds.opml",
        "feeds/latest.atom",
        "feeds/ranking-7d.rss",
        "feeds/ranking-7d/index.html",
        "feeds/own.json",
        "feeds/status.atom",
        "section/world/index.html",
        "section/world/recommended.json",
        "status/index.html",
        "about/index.html",
        "favicon.svg",
        "robots.txt",
        "404.html",
    ):
        assert expected in files
    assert len([path for path in files if path.startswith("item/") and path.endswith("related.rss")]) == 12
    assert not [path for path in files if Path(path).name.startswith(".")]


def test_feeds_in_files_are_feeds(store: Store, tmp_path: Path) -> None:
    publish(tmp_path / "www", rendering(store), now=NOON)
    for path in (tmp_path / "www").rglob("*.atom"):
        parsed = feedparser.parse(path.read_bytes())
        assert parsed.version == "atom10", path
    for path in (tmp_path / "www").rglob("*.json"):
        assert json.loads(path.read_bytes())["version"] == "https://jsonfeed.org/version/1.1"


def test_links_between_the_pages_lead_to_files(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "www"
    publish(target, rendering(store), now=NOON)
    missing = set()
    for page in target.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="(?:http://127\.0\.0\.1:8080)?(/[^"#?]*)', page.read_text()):
            place = target / link.lstrip("/")
            if not (place.is_file() or (place / "index.html").is_file()):
                missing.add(link)
    assert missing <= {"/search"}


def test_nothing_asks_for_a_live_server(store: Store, tmp_path: Path) -> None:
    publish(tmp_path / "www", rendering(store), now=NOON)
    assert not [page for page in (tmp_path / "www").rglob("*.html") if "<form" in page.read_text()]


def test_only_what_has_changed_is_written(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "www"
    first = publish(target, rendering(store), now=NOON)
    again = publish(target, rendering(store), now=NOON)
    assert (again.files, again.written) == (first.files, 0)
    renamed = publish(target, rendering(store, replace(SITE, title="Renamed")), now=NOON)
    assert 0 < renamed.written < renamed.files


def test_the_way_to_the_original_is_a_page(store: Store, tmp_path: Path) -> None:
    publish(tmp_path / "www", rendering(store), now=NOON)
    pages = [page.read_text() for page in (tmp_path / "www" / "go").rglob("index.html")]
    assert len(pages) == 12
    assert all('content="0; url=http://127.0.0.' in page and "a=1&amp;b=2" in page for page in pages)


def test_nothing_leads_to_an_address_with_a_query(tmp_path: Path) -> None:
    memory = MemoryStore([make_item(number) for number in range(1, 60)])
    publish(tmp_path, rendering(memory.store()), now=NOON)
    assert "?before=" not in (tmp_path / "index.html").read_text()


def test_troubles_come_first_in_the_status_feed(tmp_path: Path) -> None:
    memory = MemoryStore()
    error = PollError(code="dns-failure", message="no such host")
    failing = make_health(source(4), state="failing", error=error, error_since=NOON, error_count=3)
    memory.healths.append(failing)
    site = rendering(memory.store())
    feed = json.loads(site.status_feed("json", now=NOON).body)
    assert feed["items"][0]["title"] == "Source 4 is failing"
    assert "dns-failure: no such host" in feed["items"][0]["summary"]
    assert feed["items"][1]["title"].endswith("is fine")
    memory.healths[-1] = replace(failing, error_count=9, last_poll=NOON)
    assert json.loads(site.status_feed("json", now=NOON).body) == feed
    memory.healths[-1] = replace(failing, state="ok", error=None, error_since=None)
    ids = {entry["id"] for entry in json.loads(site.status_feed("json", now=NOON).body)["items"]}
    assert feed["items"][0]["id"] not in ids
