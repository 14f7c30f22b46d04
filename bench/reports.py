# ruff: noqa: E501 - a case and what is right of it stand in one line
"""Serves feeds that were reported as read wrongly on loopback, and follows them with the real poller.

    python bench/reports.py [--data ../shared/data] [--only 06-dates]

Prints a line for each expectation (case, what is expected, what was seen where that differs). 1 if any is not met.
Cases with numbered files (feed.1.xml, feed.2.xml …) are polled once for each number, seven hours apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aggregator.collect.cadence import Policy
from aggregator.collect.discover import discover
from aggregator.collect.fetch import Fetcher, FetchLimits
from aggregator.collect.guard import Guard
from aggregator.collect.parse import TwoTierParsePool
from aggregator.collect.poll import Poller
from aggregator.errors import ParseError
from aggregator.model import Item, ParsedEntry, Scope, Subscription, Verdict
from aggregator.publish import opml
from aggregator.refresh import CurateOptions, Refresher
from aggregator.store import open_store

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
STEP = timedelta(hours=7)


@dataclass(slots=True)
class Seen:
    """What came of following the feeds of a case."""

    #: of the last document of each feed, in its order
    entries: list[ParsedEntry] = field(default_factory=list)
    #: all that is shown
    items: list[Item] = field(default_factory=list)
    warnings: set[str] = field(default_factory=set)
    #: the paths that were asked for, in order
    asked: list[str] = field(default_factory=list)

    @property
    def html(self) -> str:
        """All that the entries say, as HTML."""
        return "\n".join(entry.summary_html + entry.content_html for entry in self.entries)


#: case, expectation, expected, seen
Row = tuple[str, str, object, object]
#: what is expected, and what of it was seen (equal where it is met)
Expectation = tuple[str, object, Callable[[Seen], object]]


def shown(count: int) -> Expectation:
    return f"{count} items", count, lambda seen: len(seen.items)


def holds(words: str, test: Callable[[Seen], object]) -> Expectation:
    return words, True, lambda seen: bool(test(seen))


def contains(*parts: str) -> Expectation:
    return f"holds {', '.join(parts)}"[:100], [], lambda seen: [part for part in parts if part not in seen.html]


def each(attribute: str, *values: object) -> Expectation:
    return f"{attribute}: {values}"[:100], list(values), lambda seen: [getattr(one, attribute) for one in seen.entries]


def files(*endings: str) -> Expectation:
    return (
        f"attachments {', '.join(endings)}",
        list(endings),
        lambda seen: [file.url.rpartition("/")[2] for entry in seen.entries for file in entry.enclosures],
    )


def dates(*texts: str) -> Expectation:
    return (
        "each date read",
        [f"2026-{text}" for text in texts],
        lambda seen: [entry.published and f"{entry.published:%Y-%m-%dT%H:%M:%S}" for entry in seen.entries],
    )


FLAGS = "England \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f beat Wales"
#: files of a case (one feed each; the numbered ones are one feed) → what is right
CASES: dict[tuple[str, ...], list[Expectation]] = {
    ("01-post-relative/feed.xml",): [contains("/posts/hut/hut.png", "/posts/hut/#fn:1", "/posts/valley/", "/posts/hut/map.pdf")],
    ("01-post-relative/atom.xml",): [contains("/2026/tram/tram.jpg", "/2026/tram/#note")],
    ("02-media-description-first/feed.xml",): [holds("the item's own words", lambda s: s.entries[0].text.startswith("The city closes")), each("content_html", "")],
    ("02-media-description-first/caption-after.xml",): [holds("no caption", lambda s: "1931" not in s.html)],
    ("02-media-description-first/mastodon.xml",): [holds("a title without markup", lambda s: s.entries[0].title.startswith("Our choir sings")), holds("no captions", lambda s: "moon" not in s.html and "river" not in s.html)],
    ("03-xhtml-br/atom.xml",): [holds("one break each", lambda s: s.html.count("<br>") == 2)],
    ("03-xhtml-br/rss-inline.xml",): [holds("one break each", lambda s: s.html.count("<br>") == 2)],
    ("04-wp-emoji/feed.xml",): [contains("\U0001f372", "\u26f8"), holds("the photograph is the picture", lambda s: str(s.entries[0].image_url).endswith("/rink.jpg")), holds("no emoji pictures", lambda s: "s.w.org" not in s.html)],
    ("05-one-bad-byte/feed.xml",): [holds("UTF-8 but for one letter", lambda s: s.entries[0].title == "Mayor says \u201cno\u201d to towers \u2014 again" and s.html.count("\ufffd") == 1)],
    ("06-dates/feed.xml",): [dates("11-27T15:09:00", "11-23T19:19:00", "11-22T09:00:00", "11-21T10:00:00", "11-19T07:00:00", "11-18T13:00:00", "11-27T15:04:00", "11-26T15:04:05", "11-16T22:04:05", "11-15T10:00:00", "11-14T10:00:00", "05-14T08:00:00", "11-13T09:00:00", "01-05T09:05:03", "11-12T21:20:00", "11-16T15:54:00")],
    ("07-inherited-author/atom.xml",): [each("author", "Ada Feed", "Bea Source")],
    ("08-media-content-files/feed.xml",): [files("1080.mp4", "480.mp4", "1.jpg", "2.jpg", "3.jpg", "hour.mp3")],
    ("09-embeds-vanish/feed.xml",): [contains("youtube.com/watch?v=abc123", "ice.mp3", "ice.mp4"), files("watch?v=abc123", "ice.mp3", "ice.mp4")],
    ("10-lazy-images/feed.xml",): [holds("the real pictures", lambda s: [str(e.image_url).rpartition("/")[2] for e in s.entries] == ["real.jpg", "s2.jpg", "p.jpg"])],
    ("11-idna2008/feed.xml",): [holds("hosts as browsers write them", lambda s: [str(e.link).split("/")[2] for e in s.entries] == ["xn--strae-oqa.example", "xn--nxasmm1c.example", "xn--mgba3gch31f060k.example"])],
    ("12-flag-emoji/feed.xml",): [holds("whole flags", lambda s: s.entries[0].title.startswith(FLAGS))],
    ("13-double-escaped-body/feed.xml",): [each("text", "A now page lists what I do."), contains('href="http://127.0.0.1:18400/now"')],
    ("14-guid-NA/feed.xml",): [shown(3)],
    ("15-no-guid-same-link/feed.xml",): [shown(5)],
    ("16-no-guid-no-link/feed.xml",): [shown(2)],
    ("17-itunes/feed.xml",): [each("title", "Ice fishing with Olga", "Episode two"), holds("the show's picture", lambda s: all(str(e.image_url).endswith("/show.jpg") for e in s.entries))],
    ("18-untitled/atom.xml",): [each("title", "v7.0.1", "v7.0.0")],
    ("19-nested-cdata/feed.xml",): [each("title", "Snow ahead"), each("text", "Snow is ahead.")],
    ("20-platform-move/feed.xml",): [shown(5)],
    ("21-release-feed-one-link/all.xml",): [shown(3)],
    ("21-release-feed-one-link/feed.xml",): [shown(3)],
    ("22-tag-again/atom.xml",): [shown(1), holds("the new words, dated anew", lambda s: s.items[0].text.startswith("The real seventh") and s.items[0].updated > NOW)],
    ("23-slug-in-guid/feed.xml",): [shown(1)],
    ("24-http-https-guid/feed.xml",): [shown(5)],
    ("25-updated-moves/atom.xml",): [shown(5)],
    ("26-odd-entries/feed.xml",): [holds("nothing without anything", lambda s: all(item.title != "(untitled)" for item in s.items)), shown(3)],
    ("27-future/feed.xml",): [holds("nothing is later than now", lambda s: all(item.published <= NOW for item in s.items))],
    ("28-plain-text-lines/bluesky.xml",): [contains("<p>", 'href="http://127.0.0.1:18400/news/1"')],
    ("28-plain-text-lines/youtube.xml",): [contains("<br>", 'href="http://127.0.0.1:18400/tools"')],
    ("29-atom-odd-types/atom.xml",): [holds("the words of each", lambda s: all(e.text for e in s.entries)), contains("more <b>things</b>", "<p>one</p>", "line 1<br>line 2")],
    ("34-one-landing-page/a.xml", "34-one-landing-page/b.xml"): [shown(4)],
    ("34-one-landing-page/c.xml", "34-one-landing-page/d.xml"): [shown(2)],
    ("36-finnish-november/feed.xml",): [dates("11-03T10:00:00", "11-03T08:00:00")],
    ("37-same-guid-link-title/feed.xml",): [shown(3)],
    ("38-signed-picture/feed.xml",): [holds("%2F stays", lambda s: "%2F" in f"{s.entries[0].image_url}{s.html}")],
    ("39-empty-guid/feed.xml",): [shown(5)],
    ("40-guid-new-each-build/feed.xml",): [shown(5)],
    ("conformance/atom-author-of-feed.xml",): [each("author", "Jane")],
    ("conformance/json-authors-of-feed.json",): [each("author", "Jane")],
    ("conformance/author-bracket.xml",): [each("author", "Jane Doe (jd)")],
    ("conformance/author-new-tld.xml",): [each("author", "Jane Doe")],
    ("conformance/date-dmy-dash.xml",): [dates("11-30T10:00:00")],
    ("conformance/date-go-zone.xml",): [dates("11-30T09:00:00")],
    ("conformance/date-drupal.xml",): [each("published", datetime(2019, 5, 3, 15, 21, tzinfo=UTC))],
    ("conformance/mastodon-two-alts.xml",): [each("title", "Hello tag"), each("content_html", "")],
    ("conformance/undeclared-rss-prefix.xml",): [each("link", "http://x.example/1")],
    ("series/amp-in-truncated/*",): [shown(2), holds("addresses without amp;", lambda s: all("&ref=rss" in str(i.url) for i in s.items))],
    ("series/double-encoded/cp1252.xml",): [holds("an apostrophe", lambda s: "DBM\u2019s" in s.entries[0].title)],
    ("series/double-encoded/latin1.xml",): [holds("an apostrophe", lambda s: "Claude\u2019s" in s.entries[0].title)],
    ("series/guid-with-host/*",): [shown(2)],
    ("series/host-migration/*",): [shown(5)],
    ("series/slug-moved/*",): [shown(1)],
}  # fmt: skip
#: of the OPML lists: (feeds, dropped); of what is none, what is said of it
LISTS: dict[str, tuple[int, int] | str] = {
    "a.opml": (21, 2),
    "b-doctype.opml": (1, 0),
    "c-bom.opml": (1, 0),
    "d-utf16label.opml": (1, 0),
    "e-latin1.opml": (1, 0),
    "f-entities.opml": (1, 0),
    "g-unclosed.opml": (1, 0),
    "h-html.opml": "is <html>, not <opml>",
}
#: pages → the first feed that they declare; none: said so
PAGES = {
    "30-discovery/a-json.html": "feed.json",
    "30-discovery/b-xml.html": "feed.xml",
    "30-discovery/c-textxml.html": "feed.xml",
    "30-discovery/f-body.html": "",
    "30-discovery/n-linkheader.html": "feed.xml",
    "30-discovery/p-big.html": "feed.xml",
    "30-discovery/r-postcomments.html": "feed.xml",
    "32-youtube-handle-page/handle.html": "feed.xml",
}
MOVED = b"""<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>Brass</title>
<itunes:new-feed-url>http://127.0.0.1:%d/moved/new.xml</itunes:new-feed-url>
<item><title>The tuba</title><guid>t1</guid><link>https://brass.example/tuba</link></item></channel></rss>"""
#: polls until an address that a feed names of itself has been named for a week
MOVED_AFTER = 30


_TYPES = {".json": "application/json", ".html": "text/html"}


class LoopbackServer(ThreadingHTTPServer):
    """Serves what `put` was given last for a path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, tuple[dict[str, str], bytes]] = {}
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def put(self, path: str, file: Path) -> str:
        """The address at which `file` is served from now on."""
        headers = {"Content-Type": _TYPES.get(file.suffix, "application/xml")}
        beside = file.with_name(f"{file.name}.headers")
        if beside.exists():
            headers |= json.loads(beside.read_text())
        self.answers[f"/{path}"] = headers, file.read_bytes()
        return f"http://127.0.0.1:{self.server_port}/{path}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined] # a LoopbackServer
        headers, body = self.server.answers.get(self.path, ({}, b""))  # type: ignore[attr-defined] # a LoopbackServer
        self.send_response(200 if headers else 404)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def steps(folder: Path, name: str) -> list[Path]:
    """The files that are served one after the other for a feed."""
    if name.endswith("/*"):
        return sorted(path for path in (folder / name).parent.glob("*.xml"))
    path = folder / name
    numbered = sorted(path.parent.glob(f"{path.stem}.[0-9]{path.suffix}"))
    return [path] if path.exists() else numbered


async def follow(
    folder: Path, names: Sequence[str], server: LoopbackServer, parser: TwoTierParsePool, *, polls: int = 0
) -> Seen:
    """Polls the feeds, each as often as it has files, and at least so many times."""
    seen, now = Seen(), NOW
    server.asked.clear()
    served = [(name.replace("/*", "/series.xml"), steps(folder, name)) for name in names]
    with tempfile.TemporaryDirectory() as scratch:
        store = open_store("sqlite:reports.db", base=Path(scratch))
        urls = [server.put(path, found[0]) for path, found in served]
        store.sync_sources([Subscription(url=url) for url in urls], now=now)
        fetcher = _fetcher()
        refresher = Refresher(store, CurateOptions())
        poller = Poller(store, fetcher, parser, Policy(), lambda _source, _entry: Verdict(), lambda: now)
        try:
            for number in range(max(polls, *(len(found) for _, found in served))):
                for path, found in served:
                    server.put(path, found[min(number, len(found) - 1)])
                # all are on one host, of which a claim gives one by itself
                leases = store.claim(
                    now=now, limit=len(served), lease=timedelta(minutes=5), per_host=len(served), force=True
                )
                polled = [one for lease in leases for one in await poller.poll(lease)]
                seen.entries = [entry.parsed for one in polled for entry in one.result.entries]
                seen.warnings |= {warning for one in polled for warning in one.result.warnings}
                await asyncio.to_thread(refresher.run, now)
                now += STEP
            seen.items, seen.asked = store.latest(Scope(), limit=0), list(server.asked)
        finally:
            await fetcher.close()
            store.close()
    return seen


def _fetcher() -> Fetcher:
    return Fetcher(FetchLimits(), Guard(("127.0.0.0/8",)), "bench (+https://example.org)")


async def check(folder: Path, only: str) -> list[Row]:
    """All cases whose name begins so."""
    server, parser = LoopbackServer(), TwoTierParsePool(count=1)
    rows: list[Row] = []
    try:
        for names, expectations in CASES.items():
            if names[0].startswith(only):
                seen = await follow(folder, names, server, parser)
                rows += [(" + ".join(names), words, right, look(seen)) for words, right, look in expectations]
        if "new-feed-url".startswith(only):
            rows += await check_move(server, parser)
        rows += [await check_page(folder, name, server, parser) for name in PAGES if name.startswith(only)]
    finally:
        await parser.close()
        server.shutdown()
    return rows


async def check_move(server: LoopbackServer, parser: TwoTierParsePool) -> list[Row]:
    """A feed that names another address of itself is followed there after a week, and its entries stay what they are."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "moved"
        folder.mkdir()
        for name in ("old.xml", "new.xml"):
            (folder / name).write_bytes(MOVED % server.server_port)
        server.put("moved/new.xml", folder / "new.xml")
        seen = await follow(Path(scratch), ["moved/old.xml"], server, parser, polls=MOVED_AFTER)
    asked = [path.rpartition("/")[2] for path in (seen.asked[0], seen.asked[-1])]
    return [
        ("new-feed-url", "followed after a week", ["old.xml", "new.xml"], asked),
        ("new-feed-url", "1 items", 1, len(seen.items)),
    ]


async def check_page(folder: Path, name: str, server: LoopbackServer, parser: TwoTierParsePool) -> Row:
    """The feed that is found by the address of a page."""
    fetcher = _fetcher()
    try:
        found = await discover(fetcher, parser, server.put(name, folder / name))
    finally:
        await fetcher.close()
    first = urlsplit(found[0].url).path.rpartition("/")[2] if found else ""
    return name, f"feed of the page: {PAGES[name] or 'none'}", PAGES[name], first


def check_lists(folder: Path) -> Iterator[Row]:
    """The lists of feeds."""
    for name, right in LISTS.items():
        seen: tuple[int, int] | str
        try:
            found = opml.parse((folder / "31-opml" / name).read_bytes())
            seen = len(found.feeds), len(found.dropped)
        except ParseError as error:
            seen = str(error)
        yield f"31-opml/{name}", f"(feeds, dropped): {right}", right, seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", default="", help="cases whose name begins so")
    arguments = parser.parse_args()
    folder = arguments.data / "reports"
    if not folder.is_dir():
        print(f"skipped: {folder} is not there")
        return 0
    rows = [*asyncio.run(check(folder, arguments.only)), *(check_lists(folder) if not arguments.only else ())]
    wrong = 0
    for case, words, right, seen in rows:
        met = right == seen
        wrong += not met
        print(
            f"{'ok   ' if met else 'WRONG'} {case:48} {words}"
            + ("" if met else f"\n      expected {right!r}\n      seen     {seen!r}")
        )
    print(f"{len(rows)} expectations, {wrong} not met")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
