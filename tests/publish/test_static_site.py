from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from plain_feedparser import parse
from publishing import NOON, SITE, MemoryStore, make_health, make_item, source, sqlite_store
from test_validity import check_atom, check_json, check_rss

from aggregator.model import Curation, Merge, OwnFeed, PollError, Scope
from aggregator.publish.compress import codings
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages
from aggregator.publish.rendering import Rendering
from aggregator.publish.site import Site
from aggregator.publish.static_site import publish
from aggregator.store import Store

#: the suffixes of compressed forms that this installation can make
PACKED = tuple(coding.suffix for coding in codings())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = sqlite_store(tmp_path)
    yield store
    store.close()


@pytest.fixture(scope="module")
def www(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A site in files, for tests that only read it."""
    folder = tmp_path_factory.mktemp("site")
    store = sqlite_store(folder)
    publish(folder / "www", rendering(store), now=NOON)
    yield folder / "www"
    store.close()


def rendering(store: Store, site: Site = SITE) -> Rendering:
    return Rendering(store=store, site=site, lists=Lists(store, site), pages=Pages(site))


def test_the_whole_site_stands_in_files(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "out" / "www"
    site = replace(SITE, feeds=(OwnFeed(name="own", title="Own"),))
    seen: list[tuple[int, int]] = []
    published = publish(target, rendering(store, site), now=NOON, progress=lambda *at: seen.append(at))
    files = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert published.files == published.written == len([path for path in files if not path.endswith(PACKED)]) - 1
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
    assert [path for path in files if Path(path).name.startswith(".")] == [".published"]


def test_feeds_in_files_are_feeds(www: Path) -> None:
    for path in www.rglob("*.atom"):
        parsed = parse(path.read_bytes())
        assert parsed.version == "atom10", path
    for path in www.rglob("*.json"):
        assert json.loads(path.read_bytes())["version"] == "https://jsonfeed.org/version/1.1"


def test_links_between_the_pages_lead_to_files(www: Path) -> None:
    missing = set()
    for page in www.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="(?:http://127\.0\.0\.1:8080)?(/[^"#?]*)', page.read_text()):
            place = www / link.lstrip("/")
            if not (place.is_file() or (place / "index.html").is_file()):
                missing.add(link)
    assert missing <= {"/search"}


def test_nothing_asks_for_a_live_server(www: Path) -> None:
    assert not [page for page in www.rglob("*.html") if "<form" in page.read_text()]


def test_only_what_has_changed_is_written(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "www"
    first = publish(target, rendering(store), now=NOON)
    again = publish(target, rendering(store), now=NOON)
    assert (again.files, again.written) == (first.files, 0)
    renamed = publish(target, rendering(store, replace(SITE, title="Renamed")), now=NOON)
    assert 0 < renamed.written < renamed.files


def test_compressed_forms_stand_beside_and_follow(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "www"
    for site in (SITE, replace(SITE, title="Renamed")):
        publish(target, rendering(store, site), now=NOON)
        packed = list(target.rglob("*.gz"))
        assert target / "feeds" / "latest.atom.gz" in packed
        assert all(gzip.decompress(path.read_bytes()) == path.with_suffix("").read_bytes() for path in packed)
    for suffix in PACKED:
        (target / f"index.html{suffix}").unlink()
    assert publish(target, rendering(store, site), now=NOON).written == 0
    for suffix in PACKED:
        assert (target / f"index.html{suffix}").is_file(), "also what the former publication could not make"


def test_what_is_no_longer_part_of_the_site_is_removed_and_nothing_else(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "www"
    own = replace(SITE, feeds=(OwnFeed(name="own", title="Own"),))
    publish(target, rendering(store, own), now=NOON)
    for theirs in ("feeds/own/photo.jpg", "notes.txt"):
        (target / theirs).write_text("mine")
    with (target / ".published").open("a") as listed:
        listed.write("../outside\n/etc/hostname\n")
    (tmp_path / "outside").write_text("mine")
    done = publish(target, rendering(store), now=NOON)
    assert done.removed == len(["index.html", "own.atom", "own.rss", "own.json"]) * (1 + len(PACKED))
    left = {str(path.relative_to(target)) for path in target.rglob("own*")}
    assert left == {"feeds/own"}, "a folder in which somebody else keeps something stays"
    assert (target / "notes.txt").is_file()
    assert (tmp_path / "outside").is_file()
    assert publish(target, rendering(store), now=NOON).removed == 0


def test_an_item_that_was_merged_leads_to_the_other(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "www"
    publish(target, rendering(store), now=NOON)
    older, younger = sorted(store.latest(Scope(), limit=2), key=lambda item: item.first_seen)
    store.put_curation(Curation(curated=(), merges=(Merge(keep=older.id, absorb=younger.id, rule="x"),)), now=NOON)
    gone = younger.id if store.resolve(younger.id) != younger.id else older.id
    current = store.resolve(gone)
    for _ in range(2):
        publish(target, rendering(store), now=NOON)
        page = (target / "item" / gone / "index.html").read_text()
        assert f'content="0; url={SITE.url}/item/{current}"' in page
        assert (target / "go" / gone / "index.html").is_file()
        assert not (target / "item" / gone / "related.atom").exists()


def test_a_file_that_cannot_be_written_leaves_the_old_one(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "www"
    publish(target, rendering(store), now=NOON)
    before = (target / "feeds.opml").read_bytes()
    (target / "about" / "index.html").unlink()
    (target / "about" / "index.html").mkdir()
    with pytest.raises(OSError, match="about"):
        publish(target, rendering(store, replace(SITE, title="Renamed")), now=NOON)
    assert (target / "feeds.opml").read_bytes() == before
    assert not [path for path in target.rglob(".*") if path.name != ".published"]


def test_files_served_by_anybody_keep_the_rules_of_their_formats(www: Path) -> None:
    checks = {"atom": (check_atom, "{*}entry"), "rss": (check_rss, "channel/item")}
    for suffix, (check, entries) in checks.items():
        for path in www.rglob(f"*.{suffix}"):
            body = path.read_bytes()
            check(body, len(ET.fromstring(body).findall(entries)))
    for path in www.rglob("*.json"):
        body = path.read_bytes()
        check_json(body, len(json.loads(body)["items"]))


def test_the_way_to_the_original_is_a_page(www: Path) -> None:
    pages = [page.read_text() for page in (www / "go").rglob("index.html")]
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
