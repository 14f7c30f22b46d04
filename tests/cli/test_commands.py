"""The commands on a real store, filled by `poll` from scripted publishers."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from daemon_process import config_text
from origin import Answer, Origin, rss

from aggregator.cli import run_command
from aggregator.model import Scope, View
from aggregator.store import open_store

HTML_PAGE = {"Content-Type": "text/html; charset=utf-8"}
ITEM_KEYS = [
    *("id", "title", "url", "page", "source", "sources", "section", "author", "language", "published", "first_seen"),
    *("views", "likes", "score", "rank_before", "story", "reasons"),
]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration whose two good sources and one bad one have been polled once."""
    directory = tmp_path_factory.mktemp("site")
    config = directory / "config.toml"
    with Origin() as origin, Origin("127.0.0.2") as other:
        agency = "Ferry runs aground off the northern cape, all passengers safe"
        one = origin.on(
            "/one", Answer(body=rss(agency, "Comet seen from the harbour", feed="One", site="http://w.example"))
        )
        two = other.on(
            "/two", Answer(body=rss(agency, "Council votes on the bridge", feed="Two", site="http://w.example"))
        )
        bad = other.on("/bad", Answer(status=500))
        config.write_text(
            config_text(one, two, bad, interval="1h").replace('max_interval = "1s"', 'max_interval = "1h"')
        )
        assert run_command(["--config", str(config), "poll"]) == 1, "one source fails, and is named"
        yield config


@pytest.fixture
def run(site: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_command(["--config", str(site), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def rows(run: Run) -> Callable[..., list[dict[str, Any]]]:
    def rows(*arguments: str) -> list[dict[str, Any]]:
        code, out, err = run(*arguments, "--json")
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]

    return rows


Rows = Callable[..., list[dict[str, Any]]]


def test_items_have_stable_keys(rows: Rows) -> None:
    for listing in (["list", "latest"], ["list", "ranking"], ["list", "recommended"], ["search", "comet"]):
        found = rows(*listing)
        assert found, listing
        assert all(list(row) == ITEM_KEYS for row in found)


def test_the_ferry_is_one_item_of_two_sources(rows: Rows) -> None:
    found = rows("list", "latest", "--limit", "0")
    assert len(found) == 3
    ferry = next(row for row in found if row["title"].startswith("Ferry"))
    assert ferry["sources"] == 2
    assert rows("list", "ranking")[0]["id"] == ferry["id"]


def test_limit(rows: Rows) -> None:
    assert len(rows("list", "latest", "--limit", "1")) == 1
    assert len(rows("list", "ranking", "--limit", "1")) == 1
    # nobody has opened anything: at most half of what there is stands in, the rest is left to recommend
    assert len(rows("list", "ranking", "--limit", "0")) == 2


def test_a_ranking_as_it_stood_then(site: Path, rows: Rows) -> None:
    comet = rows("search", "comet")[0]["id"]
    now = datetime.now(UTC)
    store = open_store("sqlite:aggregator.db", base=site.parent, create=False)
    store.record_views([View(item_id=comet, at=now, visitor=b"one"), View(item_id=comet, at=now, visitor=b"two")])
    store.fold_views()
    store.close()
    later = (now + timedelta(minutes=10)).isoformat()
    first = rows("list", "ranking", "--window", "1h", "--at", later)[0]
    assert (first["id"], first["views"]) == (comet, 2)
    before = (now - timedelta(minutes=10)).isoformat()
    assert comet not in [row["id"] for row in rows("list", "ranking", "--window", "1h", "--at", before) if row["views"]]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["list", "latest", "--window", "1d"], 2, "--window"),
        (["list", "ranking", "--at", "yesterday"], 2, "yesterday"),
        (["list", "newest"], 2, "newest"),
        (["list", "ranking", "--window", "3h"], 1, "3h"),
        (["list", "latest", "--section", "Wold"], 1, "World"),
        (["related", "nosuchitem"], 1, "nosuchitem"),
        (["related"], 2, "--all"),
        (["explain", "nosuchitem"], 1, "nosuchitem"),
        (["readers", "remove", "nobody"], 1, "nobody"),
        (["poll", "http://unknown.example/"], 1, "http://unknown.example/"),
        (["count", "/no/such/log"], 1, "/no/such/log"),
        (["restore", "/no/such/backup"], 78, "/no/such/backup"),
        (["backup", "/no/such/place/copy"], 1, "/no/such/place is not a directory: make it first"),
    ],
)
def test_what_cannot_be_done_is_named(run: Run, arguments: list[str], code: int, said: str) -> None:
    given, _, err = run(*arguments)
    assert given == code, err
    assert said in err
    assert "Traceback" not in err


def test_section_by_name_and_by_slug(rows: Rows) -> None:
    assert rows("list", "latest", "--section", "World") == rows("list", "latest", "--section", "world")


def test_status_names_what_is_wrong(rows: Rows, run: Run) -> None:
    states = {row["url"].rpartition("/")[2]: row for row in rows("status")}
    assert (states["one"]["state"], states["bad"]["state"]) == ("ok", "failing")
    assert states["bad"]["error"]["code"] == "http-500"
    code, out, _ = run("status")
    assert code == 0
    assert "http-500" in out
    assert "polled again at growing intervals" in " ".join(out.split())
    assert "3 sources, 3 items" in out


def test_status_fits_a_narrow_terminal(site: Path) -> None:
    """What is wrong stands beneath the table then, the whole width of it."""
    command = [sys.executable, "-m", "aggregator", "--config", str(site), "status"]
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    with subprocess.Popen(command, stdout=child, env={**os.environ, "TERM": "dumb"}):
        os.close(child)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal ends
            while piece := os.read(parent, 65536):
                shown += piece
    os.close(parent)
    lines = shown.decode().replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 80
    assert any("http-500: 127.0.0.2 answered 500 Internal Server Error" in line for line in lines)


def test_stories_and_related(rows: Rows) -> None:
    stories = rows("stories", "--min-sources", "1")
    assert sum(len(story["items"]) for story in stories) == 3
    assert all(list(story) == ["story", "first", "newest", "publishers", "sources", "items"] for story in stories)
    assert all(list(item) == ITEM_KEYS for story in stories for item in story["items"])
    (several,) = rows("list", "stories")
    assert several in stories
    assert several["publishers"] == len(several["sources"]) == 2
    everything = rows("related", "--all")
    assert len(everything) == 3
    assert all(list(row) == ["id", "related"] for row in everything)
    assert isinstance(rows("related", everything[0]["id"]), list)


def test_explain_says_which_rule_joined_what(rows: Rows, run: Run) -> None:
    ferry = rows("search", "ferry")[0]["id"]
    told = rows("explain", ferry)[0]
    assert [copy["rule"] for copy in told["copies"]] == ["first", "canonical-url"]
    assert told["copies"][1]["why"] == "the same address, without what only tracks readers"
    assert {place["list"] for place in told["places"]} > {"ranking:1d/site/", "ranking:1d/section/World"}
    assert all(place["why"] and place["reasons"] for place in told["places"])
    assert len(told["placements"]) == 2 * 5, "four windows and the recommendation, of the site and of its section"
    code, out, _ = run("explain", ferry)
    assert code == 0
    for words in ("canonical-url", "Ranking of World, the last 24 hours: place 1", "freshness: ×", "Without a place"):
        assert words in out


def test_readers(rows: Rows, run: Run) -> None:
    code, address, _ = run("readers", "add", "Ada")
    assert code == 0
    assert "/r/" in address
    assert rows("readers", "list")[0]["address"] == address.strip()
    assert run("readers", "add", "Ada")[0] == 1
    assert run("readers", "remove", "Ada")[0] == 0
    assert rows("readers", "list") == []


def test_poll_asks_nobody_who_is_not_due(run: Run) -> None:
    code, out, _ = run("poll")
    assert code == 0
    assert "nothing was due" in out


def test_backup_and_restore(site: Path, run: Run, rows: Rows, tmp_path: Path) -> None:
    before = rows("list", "latest", "--limit", "0")
    copy = tmp_path / "copy.db"
    code, out, _ = run("backup", str(copy))
    assert code == 0
    assert "verified" in out
    (site.parent / "aggregator.db").unlink()
    for leftover in site.parent.glob("aggregator.db-*"):
        leftover.unlink()
    assert run("restore", str(copy))[0] == 0
    assert rows("list", "latest", "--limit", "0") == before


def test_publish_writes_the_site(run: Run, rows: Rows, tmp_path: Path) -> None:
    assert run("publish", str(tmp_path / "www"))[0] == 0
    for path in ("index.html", "feeds/latest.atom", "feeds/ranking-1d.rss", f"item/{rows('search', 'comet')[0]['id']}"):
        assert (tmp_path / "www" / path).exists(), path
    again = run("publish", str(tmp_path / "www"))[1]
    # the status page says when the next polls are
    assert int(again.split(" files, ")[1].split()[0]) <= 2


def test_count_counts_a_log_once(run: Run, rows: Rows, tmp_path: Path) -> None:
    item = rows("search", "council")[0]["id"]
    log = tmp_path / "access.log"
    stamp = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    log.write_text(f'203.0.113.9 - - [{stamp}] "GET /item/{item} HTTP/1.1" 200 512 "-" "{agent}"\n')
    assert "1 views" in run("count", str(log))[1]
    assert "0 views" in run("count", str(log))[1]
    assert rows("search", "council")[0]["views"] == 1


@pytest.mark.parametrize(
    "content",
    [
        b"no log at all\n",
        b"no line end",
        bytes(range(256)) * 300,
        b"\x1f\x8b no gzip\n",
        gzip.compress(b"zipped, and no log\n" * 9, mtime=0),
        gzip.compress(b'203.0.113.9 - - [x] "GET / HTTP/1.1" 200 5\n' * 9999, mtime=0)[:60],
        b'{"ts": 1767225600, "request": {"uri": "/item/1"}}\n',
        b"a,b,c\n1,2,3\n",
    ],
)
def test_what_is_no_access_log_is_refused_each_time(run: Run, tmp_path: Path, content: bytes) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(content)
    for _ in range(2):
        code, _, err = run("count", str(log))
        assert code == 1
        assert err.startswith(f"error: {log}")


def test_lines_that_cannot_be_read_among_others_are_warned_of(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(
        '203.0.113.9 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5\n'
        '203.0.113.9 - - [01/Jan/0001:00:00:00 +1400] "GET /item/1 HTTP/1.1" 200 5\n'
        "garbage\n"
    )
    code, _, err = run("count", str(log))
    assert code == 0
    assert err == f"warning: {log}: 2 lines are not in the common or combined log format\n"
    (tmp_path / "empty").touch()
    assert run("count", str(tmp_path / "empty"))[0] == 0
    assert run("count", str(tmp_path))[0] == 2


def test_sources_are_polled_and_removed_by_name(run: Run, site: Path) -> None:
    code, _, err = run("poll", "Twoo")
    assert code == 1
    assert err.startswith("error: ")
    code, _, err = run("poll", "http://name:s3cr3t@127.0.0.9:99999/")
    assert code == 1
    assert "s3cr3t" not in err


@pytest.fixture(scope="module")
def secretive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration whose addresses have secrets in all their parts; one works, one fails, one redirects."""
    directory = tmp_path_factory.mktemp("secretive")
    config = directory / "config.toml"
    with Origin() as origin, Origin("127.0.0.2") as other, Origin("127.0.0.3") as third:
        good = origin.on("/s3cr3t/feed", Answer(body=rss("One comet", feed="One", site="http://w.example")))
        bad = other.on("/feed", Answer(status=500)).replace("//", "//name:s3cr3t@") + "?key=s3cr3t"
        moved = third.on("/a", Answer(status=302, headers={"Location": "http://127.0.0.1:1/?auth=s3cr3t"}))
        (directory / "good.url").write_text(f"{good}?token=s3cr3t")
        text = config_text(bad, f"{moved}?sig=s3cr3t", interval="1h").replace('max_interval = "1s"', "")
        config.write_text(f'{text}\n[[sources]]\nurl_file = "good.url"\n')
        yield config


def test_no_command_shows_a_secret(secretive: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = ["--config", str(secretive)]
    said = ""
    for command in (
        *(["check"], ["poll"], ["poll", "--all"], ["status"], ["status", "--json"], ["list", "latest", "--json"]),
        *(["export"], ["search", "comet"], ["publish", str(tmp_path / "www")], ["check", "--backtest", "1d"]),
        *(["remove", "http://127.0.0.9/?token=other"], ["poll", "nobody"], ["stories", "--min-sources", "1", "--json"]),
    ):
        run_command([*config, *command])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        said += out + err
    assert "One comet" in said, said
    assert "http-500" in said
    assert "s3cr3t" not in said
    for path in (tmp_path / "www").rglob("*"):
        if path.is_file() and path.suffix not in {".gz", ".br", ".zst"}:
            assert b"s3cr3t" not in path.read_bytes(), path


def test_poll_fetches_the_articles_of_a_source_that_asks_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paragraph = "The harbour was closed on Tuesday morning after a crane had fallen into the fairway of the port."
    config = tmp_path / "config.toml"
    with Origin() as origin:
        link = origin.on(
            "/a",
            Answer(body=f"<article><h1>Harbour</h1><p>{paragraph}</p></article>".encode() * 3, headers=HTML_PAGE),
        )
        body = f"<rss version='2.0'><channel><title>A</title><item><title>Harbour</title><link>{link}</link></item>"
        text = config_text(origin.on("/feed", Answer(body=f"{body}</channel></rss>".encode())))
        config.write_text(f'{text}full_text = "fetch"\n')
        assert run_command(["--config", str(config), "poll"]) == 0
        assert len(origin.asked("/a")) == 1
    capsys.readouterr()
    store = open_store("sqlite:aggregator.db", base=tmp_path)
    try:
        (item,) = store.latest(Scope(), limit=0)
    finally:
        store.close()
    assert paragraph in item.content_html


def test_a_source_out_of_the_latest_stands_in_its_section(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"

    def listed(*arguments: str) -> set[str]:
        capsys.readouterr()
        assert run_command(["--config", str(config), "list", *arguments, "--json"]) == 0
        return {json.loads(line)["title"] for line in capsys.readouterr().out.splitlines()}

    with Origin() as origin:
        urls = [origin.on(f"/{name}", Answer(body=rss(f"{name} speaks", feed=name))) for name in ("Quiet", "Busy")]
        config.write_text(f"{config_text(*urls)}in_latest = false\n".replace('"World"', '"Wire"'))
        assert run_command(["--config", str(config), "poll"]) == 0
    for limit in ((), ("--limit", "0")):
        assert listed("latest", *limit) == {"Quiet speaks"}
        assert listed("latest", "--section", "Wire", *limit) == {"Quiet speaks", "Busy speaks"}


def test_a_source_stands_in_several_sections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, site = tmp_path / "config.toml", tmp_path / "www"
    with Origin() as origin:
        urls = [origin.on(f"/{name}", Answer(body=rss(f"{name} speaks", feed=name))) for name in ("Quiet", "Wide")]
        text = config_text(*urls)
        at = text.rindex('section = "World"')
        config.write_text(text[:at] + 'sections = ["World", "Europe"]' + text[at + len('section = "World"') :])
        assert run_command(["--config", str(config), "poll"]) == 0
    capsys.readouterr()

    def listed(order: str, section: str) -> set[str]:
        assert run_command(["--config", str(config), "list", order, "--section", section, "--json"]) == 0
        return {json.loads(line)["title"] for line in capsys.readouterr().out.splitlines()}

    for section, expected in (("World", {"Quiet speaks", "Wide speaks"}), ("Europe", {"Wide speaks"})):
        assert listed("latest", section) == expected
        assert listed("ranking", section) | listed("recommended", section) == expected
    assert run_command(["--config", str(config), "export"]) == 0
    outlines = ET.fromstring(capsys.readouterr().out).findall("body/outline")
    assert {one.get("text"): [feed.get("xmlUrl") for feed in one] for one in outlines} == {
        "World": urls,
        "Europe": urls[1:],
    }
    assert run_command(["--config", str(config), "publish", str(site)]) == 0
    for format_ in ("atom", "rss"):
        titles = ET.fromstring((site / f"section/europe/latest.{format_}").read_bytes()).iterfind(".//{*}title")
        assert {"Quiet speaks", "Wide speaks"} & {title.text for title in titles} == {"Wide speaks"}
    (entry,) = json.loads((site / "section/europe/latest.json").read_text())["items"]
    assert (entry["title"], entry["tags"][:2]) == ("Wide speaks", ["World", "Europe"])
    assert "Wide speaks" in (site / "section/europe/index.html").read_text()
    assert "Wide speaks" in (site / "section/world/index.html").read_text()


def test_a_source_is_polled_and_removed_by_the_name_that_status_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    with Origin() as origin:
        url = origin.on("/feed", Answer(body=rss("The lighthouse is painted", feed="Harbour Post")))
        config.write_text(config_text(url))
        assert run_command(["--config", str(config), "poll"]) == 0
        assert run_command(["--config", str(config), "status", "--json"]) == 0
        assert '"Harbour Post"' in capsys.readouterr().out
        assert run_command(["--config", str(config), "poll", "Harbour Post"]) == 0
        assert run_command(["--config", str(config), "poll", "Harbour"]) == 1
        assert "no source has the address or the name Harbour" in capsys.readouterr().err
        assert run_command(["--config", str(config), "remove", "Harbour Post"]) == 0
        assert url not in config.read_text()
