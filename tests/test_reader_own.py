"""A reader's own feed from outside: a real daemon, a private address, and what others can see of it (nothing)."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from daemon_process import Running, command, config_text, daemon, rows
from origin import Answer, Origin, rss

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}
LIKED = ("glacier", "iceberg", "moraine", "permafrost", "crevasse", "snowfield", "meltwater", "icecap")
OTHER = ("budget", "football", "opera", "harvest", "election", "railway", "museum", "bakery")
SEEN_BY_ALL = (
    "/",
    "/feeds",
    "/about",
    "/section/world",
    "/feeds/latest.json",
    "/feeds/recommended.json",
    "/feeds.opml",
)


def titles(words: tuple[str, ...], about: str) -> list[str]:
    return [f"{word.title()} {about} number {number}" for number, word in enumerate(words)]


def listed(running: Running, address: str) -> list[dict[str, str]]:
    answer = running.get(address)
    return list(answer.json()["items"]) if answer.status == 200 else []


def test_it_learns_shows_nothing_to_others_and_is_forgotten(tmp_path: Path) -> None:
    ice, rest = titles(LIKED, "glaciers of the arctic"), titles(OTHER, "report from the town")
    with Origin() as origin, Origin("127.0.0.2") as other:
        urls = [
            origin.on("/ice", Answer(body=rss(*ice, feed="Ice", site="http://ice.example"))),
            other.on("/town", Answer(body=rss(*rest, feed="Town", site="http://town.example"))),
        ]
        formats = '[publish]\nformats = ["json", "atom"]\n'
        with daemon(tmp_path, config_text(*urls, interval="1h", extra=formats)) as running:
            running.wait_for(lambda: len(running.titles()) == len(ice) + len(rest))
            given = command(running.config, "readers", "add", "Ada Lovelace").stdout.strip()
            token = re.fullmatch(r"http://127\.0\.0\.1:\d+/r/([0-9a-f]{32})/recommended\.json", given)[1]  # type: ignore[index]
            recommended, latest = f"/r/{token}/recommended.json", f"/r/{token}/latest.json"
            assert [entry["id"] for entry in listed(running, latest)]

            # what is opened through the feed's own links teaches it
            links = {entry["title"]: entry["url"] for entry in listed(running, latest)}
            assert all(url.endswith(f"?r={token}") for url in links.values())
            for title in ice[:6]:
                path = links[title].partition(str(running.port))[2]
                assert running.get(path, headers=BROWSER, method="HEAD").status == 302
                assert running.get(path, headers=BROWSER).status == 302
            assert rows(running.config, "readers", "list")[0]["opened"] == 6
            running.wait_for(lambda: "like what you read" in running.get(latest).body.decode(), "taste")
            first = [entry["title"] for entry in listed(running, latest)][: len(ice)]
            assert sorted(first) == sorted(ice), "what is like what was read stands first"
            assert {entry["title"] for entry in listed(running, recommended)} & set(ice[6:])
            assert not {entry["title"] for entry in listed(running, recommended)} & set(ice[:6])

            # nothing of it is shown to others
            private = (token, "Ada", "Lovelace", "like what you read")
            for path in SEEN_BY_ALL:
                assert not [word for word in private if word in running.get(path, headers=BROWSER).body.decode()], path
            answer = running.get(recommended)
            assert "private" in answer.headers["cache-control"]
            assert "noindex" in answer.headers["x-robots-tag"]
            item = rows(running.config, "list", "latest")[0]["id"]
            told = "".join(command(running.config, "explain", item, *form).stdout for form in ((), ("--json",)))
            assert not [word for word in (*private, "reader/") if word in told]
            assert token not in running.log

            # and it is forgotten at a word
            assert command(running.config, "readers", "remove", "Ada Lovelace").returncode == 0
            assert running.get(recommended).status == running.get(latest).status == 404
            assert running.get(f"/go/{item}?r={token}", headers=BROWSER).status == 302
            assert rows(running.config, "readers", "list") == []
        kept = [path for path in tmp_path.iterdir() if path.is_file() and path.suffix != ".log"]
        remains = [path for path in kept if token.encode() in path.read_bytes()]
        assert remains == []
        with closing(sqlite3.connect(tmp_path / "aggregator.db")) as database:
            assert database.execute("SELECT count(*) FROM opened").fetchone() == (0,)
