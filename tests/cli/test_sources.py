from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from origin import Answer, Origin, rss

from aggregator import config
from aggregator.cli import run_command
from aggregator.model import Entry, ListKey, ParsedEntry, PollResult, Scope
from aggregator.publish import opml
from aggregator.store import open_store

TEXT = """# mine
[polling]
allow_private_addresses = ["127.0.0.0/8"]

[[sources]]
url = "http://127.0.0.1:1/a"
section = "World"   # kept
name = "Paper A"

[[sources]]
url = "http://127.0.0.1:1/b"
section = "Tech"
"""
DEAD = """<!doctype html><html><head><title>News</title>
<link rel="alternate" type="application/rss+xml" href="{}" title="All">
<link rel="alternate" type="application/atom+xml" href="/sport" title="Sport"></head><body></body></html>"""
PAGE = """<!doctype html><html><head><title>News</title>
<link rel="alternate" type="application/rss+xml" href="/main" title="All">
<link rel="alternate" type="application/atom+xml" href="/sport" title="Sport">
<link rel="alternate" type="application/rss+xml" href="/comments/feed" title="Comments"></head><body></body></html>"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def run(path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on `path`; gives its exit code, output and messages."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run_command(["--config", str(path), *arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as origin:
        origin.on(
            "/main", Answer(body=rss("One", feed="The main feed"), headers={"Content-Type": "application/rss+xml"})
        )
        origin.on("/", Answer(body=PAGE.encode(), headers={"Content-Type": "text/html"}))
        origin.on("/bare", Answer(body=b"<!doctype html><html></html>", headers={"Content-Type": "text/html"}))
        yield origin


# --- check


def test_check_names_every_problem_and_exits_78(run: Run, path: Path) -> None:
    path.write_text(TEXT + "nam = 1\n[poling]\n")
    code, out, err = run("check")
    assert code == 78
    assert out == ""
    assert err == (
        f"error: {path}:13: unknown key 'nam' in [[sources]]; did you mean 'name'?\n"
        f"error: {path}:14: unknown table or key 'poling'; did you mean [polling]?\n"
    )


def test_check_without_a_store_makes_none(run: Run, path: Path) -> None:
    code, out, err = run("check")
    assert (code, err) == (0, "")
    assert out == (
        f"{path}: fine. 2 sources, 2 sections, 0 rules, 0 own feeds.\n"
        "There is no store yet: a daemon would create it and begin with all sources.\n"
    )
    assert [entry.name for entry in path.parent.iterdir()] == ["config.toml"]
    code, _, err = run("check", "--backtest", "7d")
    assert code == 1
    assert "no items to try the rules on" in err


def test_check_warns_with_the_line(run: Run, path: Path) -> None:
    path.write_text(TEXT + "[[sources]]\nurl = 'https://a.example/'\n")
    code, _, err = run("check")
    assert code == 0
    assert f"warning: {path}: contact is a placeholder" in err


def test_check_says_what_would_change(run: Run, path: Path) -> None:
    _stored(path)
    code, out, _ = run("check")
    assert code == 0
    assert out.endswith("Nothing would change.\n")
    path.write_text(TEXT.replace("/b", "/c").replace('"World"', '"Politics"'))
    code, out, _ = run("check")
    assert code == 0
    assert [line.strip() for line in out.splitlines()[1:]] == [
        "Taking it over:",
        "would add source http://127.0.0.1:1/c (Tech)",
        'would change section of http://127.0.0.1:1/a from "World" to "Politics"',
        "would stop following http://127.0.0.1:1/b (its items stay)",
    ]


def test_backtest_says_what_each_rule_would_have_done(run: Run, path: Path) -> None:
    _stored(path, "Sponsored: buy this", "Rain", "Sponsored: rain")
    path.write_text(
        TEXT
        + "\n[[rules]]\nmatch = 'title contains \"rain\" and section = \"World\"'\naction = 'keep'\n"
        + "[[rules]]\nmatch = 'title ~ \"^Sponsored\"'\naction = 'drop'\n"
        + "[[rules]]\nmatch = 'author = \"nobody\"'\naction = 'boost:2'\n"
    )
    code, out, _ = run("check", "--backtest", "7d")
    assert code == 0
    assert "Of 3 entries in the last 7d the rules would have dropped 1." in out
    rows = [line.split() for line in out.splitlines() if re.match(r"\d+\t", line)]
    assert "Rain · Sponsored: rain" in out or "Sponsored: rain · Rain" in out
    assert [
        row[row.index(action) + 1 : row.index(action) + 3]
        for row, action in zip(rows, ("keep", "drop", "boost:2"), strict=True)
    ] == [
        ["2", "2"],
        ["2", "1"],
        ["0", "0"],
    ]
    code, _, err = run("check", "--backtest", "soon")
    assert code == 2
    assert "is not a duration" in err


def test_backtest_says_which_lists_would_have_been_others(run: Run, path: Path) -> None:
    _stored(path, "Sponsored: buy this", "Rain", "Wind", "Snow")
    rule = "\n[[rules]]\nmatch = 'title ~ \"^Sponsored\"'\naction = '{}'\n"
    feed = "\n[[feeds]]\nname = 'weather'\norder = 'recommended'\nmatch = 'title ~ \"Rain|Wind\"'\n"
    path.write_text(TEXT + rule.format("drop") + feed)
    code, out, _ = run("check", "--backtest", "1d")
    assert code == 0
    (ranking,) = (line for line in out.splitlines() if line.startswith("Ranking, the last 24 hours"))
    assert "Sponsored: buy this" in ranking
    assert "of the feed weather" not in out, "it holds the same with and without the rule"
    path.write_text(TEXT + rule.format("pin:12h"))
    assert "Ranking, the last 24 hours" in run("check", "--backtest", "1d")[1]
    path.write_text(TEXT + rule.format("section:Tech"))
    out = run("check", "--backtest", "1d")[1]
    (tech,) = (line for line in out.splitlines() if line.startswith("Ranking of Tech"))
    assert tech.rstrip().endswith("Sponsored: buy this")
    store = open_store("sqlite:aggregator.db", base=path.parent)
    try:
        assert store.get_list(ListKey(order="recommended")) is None
        assert len(store.latest(Scope(), limit=0)) == 4, "nothing was dropped"
    finally:
        store.close()


def _stored(path: Path, *titles: str) -> None:
    """A store beside `path` that follows its sources and holds these entries of the first one."""
    now = datetime.now(UTC) - timedelta(hours=1)
    store = open_store("sqlite:aggregator.db", base=path.parent)
    try:
        store.sync_sources(config.load(path).followed(), now=now)
        (lease,) = store.claim(now=now, limit=1, lease=timedelta(minutes=5), only=frozenset({"http://127.0.0.1:1/a"}))
        entries = tuple(_entry(title, now) for title in titles)
        result = PollResult(
            source_id=lease.sources[0].id,
            outcome="new",
            polled_at=now,
            next_poll=now + timedelta(hours=1),
            entries=entries,
        )
        store.complete(lease, result)
    finally:
        store.close()


def _entry(title: str, now: datetime) -> Entry:
    link = f"https://a.example/{title.replace(' ', '-')}"
    digest = hashlib.sha256(title.encode()).digest()
    parsed = ParsedEntry(guid=title, link=link, title=title, text=title, published=now, content_hash=digest)
    return Entry(entry_id=title, id_basis="guid", parsed=parsed, canonical_url=link, published=now)


# --- add, remove


def test_add_a_feed_asks_once(run: Run, path: Path, origin: Origin) -> None:
    code, out, err = run("add", origin.url("/main"), "--section", "world")
    assert (code, err) == (0, "")
    assert out == f"Following {origin.url('/main')} “The main feed” in section World.\n"
    assert len(origin.requests) == 1
    assert path.read_text() == TEXT.replace(
        'name = "Paper A"\n',
        f'name = "Paper A"\n\n[[sources]]\nurl = "{origin.url("/main")}"\nsection = "World"\n',
    )


def test_add_a_page_takes_its_first_feed_and_names_the_others(run: Run, path: Path, origin: Origin) -> None:
    code, out, err = run("add", origin.url("/"), "--name", "Mine")
    assert code == 0
    assert "in section News (choose another with --section)" in out
    assert err == f"Also found there:\n  {origin.url('/sport')}  Atom Sport\n"
    assert config.load(path).sources[-1].model_dump(include={"url", "name"}) == {
        "url": origin.url("/main"),
        "name": "Mine",
    }


@pytest.mark.parametrize(
    "case",
    [
        ("/bare", 1, "declares no feed"),
        ("/none", 1, "404"),
        ("http://127.0.0.1:1/c", 1, "--no-check"),
        ("ftp://a.example/", 2, "not an http or https address"),
        ("a b", 2, "contains blanks"),
    ],
)
def test_what_cannot_be_added_says_why(run: Run, path: Path, origin: Origin, case: tuple[str, int, str]) -> None:
    address, code, words = case
    result, out, err = run("add", origin.url(address) if address.startswith("/") else address)
    assert (result, out) == (code, "")
    assert words in err
    assert path.read_text() == TEXT


def test_a_first_source_is_asked_once_too(run: Run, path: Path, origin: Origin) -> None:
    """Where there is no store yet: `add` makes it, and a daemon has nothing to ask for when it starts."""
    path.write_text('[polling]\nallow_private_addresses = ["127.0.0.0/8"]\n')
    assert run("add", origin.url("/main"))[0] == 0
    code, out, _ = run("poll")
    assert code == 0
    assert "nothing was due" in out
    assert [request.path for request in origin.requests] == ["/main"]
    assert "One" in run("list", "latest")[1]


def test_the_feed_that_a_page_declares_is_asked_once(run: Run, path: Path, origin: Origin) -> None:
    path.write_text('[polling]\nallow_private_addresses = ["127.0.0.0/8"]\n')
    code, out, _ = run("add", origin.url("/"))
    assert code == 0
    assert "“The main feed”" in out, "its own title, not that of the link"
    assert "nothing was due" in run("poll")[1]
    assert [request.path for request in origin.requests] == ["/", "/main"]
    assert "already followed" in run("add", origin.url("/"))[2]
    assert [request.path for request in origin.requests] == ["/", "/main", "/"], "what is followed is not looked at"


@pytest.mark.parametrize(
    ("declared", "why"), [("/none", "404"), ("/bare", "web page itself"), ("http://10.0.0.1/", "private")]
)
def test_a_declared_feed_that_is_none_is_not_added(
    run: Run, path: Path, origin: Origin, declared: str, why: str
) -> None:
    origin.on("/dead", Answer(body=DEAD.format(declared).encode(), headers={"Content-Type": "text/html"}))
    code, out, err = run("add", origin.url("/dead"))
    assert (code, out) == (1, "")
    assert "declares the feed" in err
    assert why in err
    assert f"declares the feed {origin.url('/sport')}, which cannot be followed: 127.0.0.1 answered 404" in err
    assert path.read_text() == TEXT


def test_the_next_feed_is_followed_when_the_first_is_dead_and_it_is_said(run: Run, path: Path, origin: Origin) -> None:
    page = DEAD.format("/none").replace("/sport", "/main")
    origin.on("/half-dead", Answer(body=page.encode(), headers={"Content-Type": "text/html"}))
    code, out, err = run("add", origin.url("/half-dead"))
    assert code == 0, err
    assert config.load(path).sources[-1].url == origin.url("/main")
    assert f"declares the feed {origin.url('/none')}, which cannot be followed: 127.0.0.1 answered 404" in err
    assert origin.url("/main") in out


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "https://name:password@host/"),
        (403, "ask the publisher"),
        (404, "its feed is found there"),
        (410, "has ended it"),
        (500, "--no-check"),
        (429, "--no-check"),
    ],
)
def test_each_refusal_says_what_can_be_done(run: Run, origin: Origin, status: int, words: str) -> None:
    err = run("add", origin.on("/x", Answer(status=status)))[2]
    assert f"answered {status}" in err
    assert words in err
    assert words == "--no-check" or "--no-check" not in err


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("mailto:me@a.example", '"mailto:me@a.example" is not an http or https address'),
        ("feed:https://a.example/f", "did you mean 'https://a.example/f'"),
        ("feed://a.example/f", "did you mean 'https://a.example/f'"),
    ],
)
def test_what_is_no_address_is_not_asked_for(run: Run, path: Path, typed: str, words: str) -> None:
    code, _, err = run("add", typed)
    assert code == 2
    assert words in err
    assert path.read_text() == TEXT


def test_a_port_is_no_scheme(run: Run, path: Path) -> None:
    assert run("add", "--no-check", "localhost:8080/feed")[0] == 0
    assert config.load(path).sources[-1].url == "https://localhost:8080/feed"


def test_what_a_page_says_steers_no_terminal(run: Run, origin: Origin) -> None:
    link = '<link rel="alternate" type="application/rss+xml" href="{}" title="\x1b[31m\x07red">'
    for number, first in enumerate(("/main", "/gone\x1b[1m")):
        page = "<html><head>" + link.format(first) + link.format("/sport\x9b1m") + "</head></html>"
        url = origin.on(f"/{number}", Answer(body=page.encode(), headers={"Content-Type": "text/html"}))
        err = run("add", url)[2]
        assert ("Also found there:" in err) == (number == 0)
        assert err.replace("\n", "").isprintable()


def test_what_is_followed_is_not_even_looked_at(run: Run, path: Path, origin: Origin) -> None:
    path.write_text(f"{TEXT}[[sources]]\nurl = '{origin.url('/main')}'\n")
    assert "already followed" in run("add", origin.url("/main"))[2]
    assert origin.requests == []


def test_what_is_followed_already_is_not_added(run: Run, path: Path) -> None:
    code, _, err = run("add", "--no-check", "https://127.0.0.1:1/a/")
    assert code == 1
    assert "already followed: http://127.0.0.1:1/a" in err
    assert path.read_text() == TEXT


def test_a_private_address_is_refused_in_words(run: Run, path: Path, origin: Origin) -> None:
    path.write_text(TEXT.replace('["127.0.0.0/8"]', "[]"))
    code, _, err = run("add", origin.url("/main"))
    assert code == 1
    assert "allow_private_addresses" in err
    assert origin.requests == []


def test_add_without_a_look(run: Run, path: Path) -> None:
    code, _, _ = run("add", "--no-check", "example.org/feed")
    assert code == 0
    assert config.load(path).sources[-1].url == "https://example.org/feed"


def test_remove(run: Run, path: Path) -> None:
    code, out, _ = run("remove", "http://127.0.0.1:1/b")
    assert code == 0
    assert out.startswith("No longer following http://127.0.0.1:1/b.")
    assert path.read_text() == TEXT[: TEXT.index('\n[[sources]]\nurl = "http://127.0.0.1:1/b"') + 1]
    code, _, err = run("remove", "http://127.0.0.1:1/bb")
    assert code == 1
    assert "no source has the address" in err


# --- import, export


def test_import(run: Run, path: Path, tmp_path: Path) -> None:
    file = tmp_path / "feeds.opml"
    file.write_text(
        """<opml><body>
        <outline text="tech"><outline text="C" xmlUrl="https://c.example/"/>
        <outline text="Again" xmlUrl="https://127.0.0.1:1/a"/></outline>
        <outline text="Bad" xmlUrl="feed.xml"/>
        <outline text="D &amp; Co" xmlUrl="https://d.example/"/>
        <outline text="D too" xmlUrl="http://www.d.example"/></body></opml>"""
    )
    line = 1 + file.read_text().partition('"Bad"')[0].count("\n")
    code, out, err = run("import", str(file), "--section", "Rest")
    assert code == 1
    assert out == "2 sources added, 2 followed already, 1 refused.\n"
    assert (
        err
        == f"error: {file}:{line}: Bad: \"feed.xml\" is not an http or https address: did you mean 'https://feed.xml'?\n"
    )
    added = config.load(path).followed()
    assert [(one.url, one.section, one.name) for one in added[2:]] == [
        ("https://c.example/", "Tech", "C"),
        ("https://d.example/", "Rest", "D & Co"),
    ]
    file.write_text("<rss/>")
    code, _, err = run("import", str(file))
    assert code == 1
    assert "is <rss>, not <opml>" in err


@pytest.mark.parametrize("address", ["javascript:1", "tel:5", "mailto:a@b.example", "data:text/xml,x", "file:/f.xml"])
def test_what_is_no_address_of_the_web_is_refused_with_its_line(
    run: Run, path: Path, tmp_path: Path, address: str
) -> None:
    file = tmp_path / "list.opml"
    file.write_text(
        f'<?xml version="1.0"?>\n<!-- by hand -->\n<opml><body>\n<outline text="Odd" xmlUrl="{address}"/></body></opml>'
    )
    code, out, err = run("import", str(file))
    assert (code, out) == (1, "0 sources added, 0 followed already, 1 refused.\n")
    assert err.startswith(f"error: {file}:4: Odd: ")


@pytest.mark.parametrize(
    ("document", "words"),
    [("", "it is empty"), ("<opml><body><outline text='no address'/></body></opml>", "no <outline> has an xmlUrl")],
)
def test_an_import_of_nothing_says_so(run: Run, path: Path, tmp_path: Path, document: str, words: str) -> None:
    file = tmp_path / "feeds.opml"
    file.write_text(document)
    code, out, err = run("import", str(file))
    assert (code, out) == (1, "")
    assert words in err
    assert path.read_text() == TEXT


def test_import_from_standard_input(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b'<opml><body><outline xmlUrl="https://c.example/"/></body></opml>'
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(content)))
    code, out, _ = run("import", "-")
    assert (code, out) == (0, "1 source added, 0 followed already, 0 refused.\n")


def test_export_can_be_imported(run: Run, path: Path) -> None:
    path.write_text(TEXT + '[[sources]]\nurl = "https://me:pw@c.example/"\n')
    code, out, err = run("export")
    assert code == 0
    assert "left out of 1 address" in err
    assert [(one.url, one.section, one.title) for one in opml.parse(out.encode()).feeds] == [
        ("http://127.0.0.1:1/a", "World", "Paper A"),
        ("http://127.0.0.1:1/b", "Tech", "http://127.0.0.1:1/b"),
        ("https://c.example/", "News", "https://c.example/"),
    ]


def test_a_missing_configuration_is_78(run: Run, path: Path) -> None:
    path.unlink()
    for command in (
        ["check"],
        ["export"],
        ["remove", "https://a.example/"],
        ["add", "--no-check", "https://a.example/"],
    ):
        code, _, err = run(*command)
        assert code == 78
        assert "cannot be read: No such file or directory" in err


def opml_of(*urls: str) -> bytes:
    feeds = "".join(f'<outline type="rss" text="Listed" xmlUrl="{url}"/>' for url in urls)
    return f'<opml version="2.0"><body><outline text="Blogs">{feeds}</outline></body></opml>'.encode()


def test_the_feeds_of_a_list_are_polled_shown_and_left_with_it(run: Run, path: Path, origin: Origin) -> None:
    sport = origin.on("/sport.xml", Answer(body=rss("Goal", feed="Sport")))
    url = origin.on("/list.opml", Answer(body=opml_of(origin.url("/main"), sport)))
    text = f'{TEXT}\n[[subscriptions]]\nopml = "{url}"\n'
    path.write_text(text)
    assert "not requested yet" in run("check")[1]
    run("poll")
    shown = run("check")[1]
    assert f"List {url}: 2 feeds, as of" in shown
    assert "Goal" in run("list", "latest", "--section", "Blogs")[1]
    (kept,) = (path.parent / "subscriptions").glob("*.json")
    known = json.loads(kept.read_text())
    kept.write_text(json.dumps(known | {"next_fetch": "2020-01-01T00:00:00+00:00"}))
    origin.on("/list.opml", Answer(body=opml_of(origin.url("/main"), "gopher://a.example/feed")))
    run("poll")
    assert "2 feeds (1 without an address of the web), as of" in run("check")[1]
    assert sport not in run("status", "--json")[1]
    assert path.read_text() == text, "the configuration is never written to"
