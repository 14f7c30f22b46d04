# ruff: noqa: E501 - a case and what is right of it stand in one line
"""Feeds that were reported as read wrongly, served on loopback and followed by the real daemon.

    python bench/reports.py [--data ../shared/data] [--only 06-dates]

One daemon follows the feeds of all cases, served by the `server.py` that lies beside them; of cases with several files
(feed.1.xml, feed.2.xml …) each is polled before the next is served. Pages are given to `aggregator add`, lists to
`aggregator import`. Prints a line for each expectation: case, what is expected, and what was seen where that differs.
1 if any is not met. What takes a week (addresses that a feed names of itself) is a test: tests/collect/test_new_location.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aggregator import config
from aggregator.model import Enclosure, Item, Scope
from aggregator.store import open_store

PATIENCE_S = 300.0
#: of the server: the reports name it in their links
PORT = 18400


@dataclass(frozen=True, slots=True)
class Seen:
    """What readers see of the feeds of a case, in the order of time; `began`: when the daemon started."""

    items: list[Item]
    began: datetime

    @property
    def html(self) -> str:
        """All that the items say, as HTML."""
        return "\n".join(item.summary_html + item.content_html for item in self.items)

    @property
    def files(self) -> list[Enclosure]:
        """What is attached to them."""
        return [file for item in self.items for file in item.enclosures]


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
    """In any order: which of them is newer is nothing that feeds without dates say."""
    return (
        f"{attribute}: {values}"[:100],
        sorted(map(str, values)),
        lambda seen: sorted(str(getattr(one, attribute)) for one in seen.items),
    )


def files(*endings: str) -> Expectation:
    return (
        f"attachments {', '.join(endings)}",
        sorted(endings),
        lambda seen: sorted(file.url.rpartition("/")[2] for file in seen.files),
    )


def dates(*texts: str) -> Expectation:
    return (
        "each date read",
        sorted(f"2026-{text}" for text in texts),
        lambda seen: sorted(f"{item.published:%Y-%m-%dT%H:%M:%S}" for item in seen.items),
    )


def pictures(*endings: str) -> Expectation:
    return (
        f"pictures {', '.join(endings)}",
        sorted(endings),
        lambda seen: sorted(str(item.image_url).rpartition("/")[2] for item in seen.items),
    )


def hosts(*names: str) -> Expectation:
    return (
        f"links to {', '.join(names)}",
        sorted(names),
        lambda seen: sorted(str(item.url).split("/")[2] for item in seen.items),
    )


FLAGS = "England \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f beat Wales"
#: files of a case (one feed each; numbered ones, and all of a folder, are one feed) → what is right
CASES: dict[tuple[str, ...], list[Expectation]] = {
    ("01-post-relative/feed.xml",): [contains("/posts/hut/hut.png", "/posts/hut/#fn:1", "/posts/valley/", "/posts/hut/map.pdf")],
    ("01-post-relative/atom.xml",): [contains("/2026/tram/tram.jpg", "/2026/tram/#note")],
    ("02-media-description-first/feed.xml",): [holds("the item's own words", lambda s: s.items[0].text.startswith("The city closes")), each("content_html", "")],
    ("02-media-description-first/caption-after.xml",): [holds("no caption", lambda s: "1931" not in s.html)],
    ("02-media-description-first/mastodon.xml",): [holds("a title without markup", lambda s: s.items[0].title.startswith("Our choir sings")), holds("no captions", lambda s: "moon" not in s.html and "river" not in s.html)],
    ("03-xhtml-br/atom.xml",): [holds("one break each", lambda s: s.html.count("<br>") == 2)],
    ("03-xhtml-br/rss-inline.xml",): [holds("one break each", lambda s: s.html.count("<br>") == 2)],
    ("04-wp-emoji/feed.xml",): [contains("\U0001f372", "\u26f8"), holds("the photograph is the picture", lambda s: str(s.items[0].image_url).endswith("/rink.jpg")), holds("no emoji pictures", lambda s: "s.w.org" not in s.html)],
    ("05-one-bad-byte/feed.xml",): [holds("UTF-8 but for one letter", lambda s: s.items[0].title == "Mayor says \u201cno\u201d to towers \u2014 again" and s.html.count("\ufffd") == 1)],
    ("06-dates/feed.xml",): [dates("11-27T15:09:00", "11-23T19:19:00", "11-22T09:00:00", "11-21T10:00:00", "11-19T07:00:00", "11-18T13:00:00", "11-27T15:04:00", "11-26T15:04:05", "11-16T22:04:05", "11-15T10:00:00", "11-14T10:00:00", "05-14T08:00:00", "11-13T09:00:00", "01-05T09:05:03", "11-12T21:20:00", "11-16T15:54:00")],
    ("07-inherited-author/atom.xml",): [each("author", "Ada Feed", "Bea Source")],
    ("08-media-content-files/feed.xml",): [files("1080.mp4", "480.mp4", "1.jpg", "2.jpg", "3.jpg", "hour.mp3")],
    ("09-embeds-vanish/feed.xml",): [contains("youtube.com/watch?v=abc123", "ice.mp3", "ice.mp4"), files("watch?v=abc123", "ice.mp3", "ice.mp4")],
    ("10-lazy-images/feed.xml",): [pictures("real.jpg", "s2.jpg", "p.jpg")],
    ("11-idna2008/feed.xml",): [hosts("xn--strae-oqa.example", "xn--nxasmm1c.example", "xn--mgba3gch31f060k.example")],
    ("12-flag-emoji/feed.xml",): [holds("whole flags", lambda s: s.items[0].title.startswith(FLAGS))],
    ("13-double-escaped-body/feed.xml",): [each("text", "A now page lists what I do."), contains('href="http://127.0.0.1:18400/now"')],
    ("14-guid-NA/feed.xml",): [shown(3)],
    ("15-no-guid-same-link/feed.xml",): [shown(5)],
    ("16-no-guid-no-link/feed.xml",): [shown(2)],
    ("17-itunes/feed.xml",): [each("title", "Ice fishing with Olga", "Episode two"), holds("the show's picture", lambda s: all(str(e.image_url).endswith("/show.jpg") for e in s.items))],
    ("18-untitled/atom.xml",): [each("title", "v7.0.1", "v7.0.0")],
    ("19-nested-cdata/feed.xml",): [each("title", "Snow ahead"), each("text", "Snow is ahead.")],
    ("20-platform-move/feed.xml",): [shown(5)],
    ("21-release-feed-one-link/all.xml",): [shown(3)],
    ("21-release-feed-one-link/feed.xml",): [shown(3)],
    ("22-tag-again/atom.xml",): [shown(1), holds("the new words, dated anew", lambda s: s.items[0].text.startswith("The real seventh") and s.items[0].updated > s.began)],
    ("23-slug-in-guid/feed.xml",): [shown(1)],
    ("24-http-https-guid/feed.xml",): [shown(5)],
    ("25-updated-moves/atom.xml",): [shown(5)],
    ("26-odd-entries/feed.xml",): [holds("nothing without anything", lambda s: all(item.title != "(untitled)" for item in s.items)), shown(3)],
    ("27-future/feed.xml",): [holds("nothing is later than now", lambda s: all(item.published <= datetime.now(UTC) for item in s.items))],
    ("28-plain-text-lines/bluesky.xml",): [contains("<p>", 'href="http://127.0.0.1:18400/news/1"')],
    ("28-plain-text-lines/youtube.xml",): [contains("<br>", 'href="http://127.0.0.1:18400/tools"')],
    ("29-atom-odd-types/atom.xml",): [holds("the words of each", lambda s: all(e.text for e in s.items)), contains("more <b>things</b>", "<p>one</p>", "line 1<br>line 2")],
    ("34-one-landing-page/a.xml", "34-one-landing-page/b.xml"): [shown(4)],
    ("34-one-landing-page/c.xml", "34-one-landing-page/d.xml"): [shown(2)],
    ("36-finnish-november/feed.xml",): [dates("11-03T10:00:00", "11-03T08:00:00")],
    ("37-same-guid-link-title/feed.xml",): [shown(3)],
    ("38-signed-picture/feed.xml",): [holds("%2F stays", lambda s: "%2F" in f"{s.items[0].image_url}{s.html}")],
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
    ("conformance/undeclared-rss-prefix.xml",): [each("url", "http://x.example/1")],
    ("series/amp-in-truncated/*",): [shown(2), holds("addresses without amp;", lambda s: all("&ref=rss" in str(i.url) for i in s.items))],
    ("series/double-encoded/cp1252.xml",): [holds("an apostrophe", lambda s: "DBM\u2019s" in s.items[0].title)],
    ("series/double-encoded/latin1.xml",): [holds("an apostrophe", lambda s: "Claude\u2019s" in s.items[0].title)],
    ("series/guid-with-host/*",): [shown(2)],
    ("series/host-migration/*",): [shown(5)],
    ("series/slug-moved/*",): [shown(1)],
}  # fmt: skip
#: cases whose items other cases have as well
ALONE = {"22-tag-again/atom.xml"}
#: of the OPML lists: (added, followed already, refused); of what is none, what is said of it
LISTS: dict[str, tuple[int, ...] | str] = {
    "a.opml": (17, 2, 4),
    "b-doctype.opml": (1, 0, 0),
    "c-bom.opml": (1, 0, 0),
    "d-utf16label.opml": (1, 0, 0),
    "e-latin1.opml": (1, 0, 0),
    "f-entities.opml": (1, 0, 0),
    "g-unclosed.opml": (1, 0, 0),
    "h-html.opml": "is <html>, not <opml>",
}
#: pages → the first feed that they declare; none: said so
PAGES = {
    "30-discovery/a-json.html": "feed.json",
    "30-discovery/b-xml.html": "feed.xml",
    "30-discovery/c-textxml.html": "feed.xml",
    "30-discovery/f-body.html": "",
    "30-discovery/h-sitewide.html": "feed.xml",
    "30-discovery/n-linkheader.html": "feed.xml",
    "30-discovery/p-big.html": "feed.xml",
    "30-discovery/r-postcomments.html": "feed.xml",
    "32-youtube-handle-page/handle.html": "feed.xml",
}


class ReportServer:
    """A copy of the reports, served by the `server.py` among them; what is served next is written into the copy."""

    def __init__(self, reports: Path, folder: Path) -> None:
        self.folder = folder / "reports"
        shutil.copytree(reports, self.folder)
        self.port = PORT
        self._process = subprocess.Popen([sys.executable, "server.py", str(self.port)], cwd=self.folder)

    def url(self, name: str) -> str:
        """Where the feed of a case is."""
        return f"http://127.0.0.1:{self.port}/{name.replace('*', 'series.xml')}"

    def files(self, name: str) -> list[Path]:
        """The files of a feed, in the order in which they are served."""
        path = self.folder / name
        if path.name == "*":
            return sorted(path.parent.glob("[0-9]*.xml"))
        return [path] if path.exists() else sorted(path.parent.glob(f"{path.stem}.[0-9]{path.suffix}"))

    def serve(self, name: str, number: int) -> None:
        """Serves this file of a feed from now on, the last one if there are fewer."""
        path, found = self.folder / name, self.files(name)
        number = min(number, len(found) - 1)
        if path.name == "*":
            shutil.copy(found[number], path.with_name("coming"))
            path.with_name("coming").replace(path.with_name("series.xml"))
        elif len(found) > 1:
            path.with_name("step.txt").write_text(str(number + 1))

    def requests(self) -> Counter[str]:
        """How often each path has been asked for."""
        log = self.folder / "requests.log"
        lines = log.read_text("utf-8").splitlines() if log.exists() else []
        return Counter(line.split(" ", 3)[2].lstrip("/") for line in lines)

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configured(folder: Path, urls: Sequence[str] = ()) -> Path:
    """A configuration that follows these addresses, as often as it may."""
    site = f"127.0.0.1:{_free_port()}"
    path = folder / "config.toml"
    path.write_text(
        f'[site]\nurl = "http://{site}"\ncontact = "https://example.org/reports"\n[server]\nlisten = "{site}"\n[polling]\n'
        'min_interval = "1s"\nmax_interval = "1s"\nper_host = 8\nallow_private_addresses = ["127.0.0.0/8"]\n'
        + "".join(f'[[sources]]\nurl = "{url}"\ninterval = "1s"\n' for url in urls),
        encoding="utf-8",
    )
    return path


def _command(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "aggregator", "--config", str(path), *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False)


@contextlib.contextmanager
def _daemon(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (path.parent / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "aggregator", "--config", str(path), "run"], stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            failed = process.poll() is not None
            process.send_signal(signal.SIGTERM)
            process.wait()
            if failed:
                print((path.parent / "daemon.log").read_text("utf-8", "replace")[-2000:])


def follow(server: ReportServer, names: Sequence[str], folder: Path) -> tuple[list[Item], datetime]:
    """All items after the daemon has followed these feeds through all of their files; and when it began."""
    for name in names:
        server.serve(name, 0)
    path, began = _configured(folder, [server.url(name) for name in names]), datetime.now(UTC)
    with _daemon(path) as process:
        for number in range(max(len(server.files(name)) for name in names)):
            changed = [name for name in names if number < len(server.files(name))]
            for name in changed:
                server.serve(name, number)
            _wait_polled(server, process, changed)
        store = open_store("sqlite:aggregator.db", base=folder, create=False)
        with contextlib.closing(store):
            _wait(lambda: not store.stats().pending, process)
            return store.latest(Scope(), limit=0), began


def _wait_polled(server: ReportServer, process: subprocess.Popen[bytes], names: Sequence[str]) -> None:
    """Until each feed has been asked for twice: what came first is stored by then."""
    before = server.requests()
    paths = [server.url(name).split("/", 3)[3] for name in names]

    def is_done() -> bool:
        asked = server.requests()
        return all(asked[path] >= before[path] + 2 for path in paths)

    _wait(is_done, process)


def _wait(is_done: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not is_done():
        if process.poll() is not None or time.monotonic() > until_s:
            raise SystemExit("the daemon has ended, or does not come to an end; its log is above")
        time.sleep(0.3)


def check_feeds(server: ReportServer, folder: Path, only: str) -> Iterator[Row]:
    """What is seen of each case."""
    cases = {names: wanted for names, wanted in CASES.items() if names[0].startswith(only)}
    together = [names for names in cases if names[0] not in ALONE]
    for some in filter(None, [together, *([names] for names in cases if names not in together)]):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            items, began = follow(server, [name for names in some for name in names], Path(own))
        yield from _rows(server, {names: cases[names] for names in some}, items, began)


def _rows(
    server: ReportServer, cases: Mapping[tuple[str, ...], Sequence[Expectation]], items: Sequence[Item], began: datetime
) -> Iterator[Row]:
    for names, expectations in cases.items():
        urls = {server.url(name) for name in names}
        seen = Seen([item for item in items if urls & {copy.source.url for copy in item.copies}], began)
        for words, right, look in expectations:
            try:
                found = look(seen)
            except (IndexError, AttributeError) as error:
                found = f"{error} ({len(seen.items)} items)"
            yield " + ".join(names), words, right, found


def check_page(server: ReportServer, folder: Path, name: str) -> Row:
    """The feed that `aggregator add` follows for a page."""
    path = _configured(folder)
    said = _command(path, "add", server.url(name))
    followed = [source.url.rpartition("/")[2] for source in config.load(path).sources]
    seen = followed[0] if followed else "" if "declares no feed" in said.stderr else said.stderr
    return name, f"feed of the page: {PAGES[name] or 'none'}", PAGES[name], seen


def check_list(server: ReportServer, folder: Path, name: str) -> Row:
    """What `aggregator import` says of a list."""
    said = _command(_configured(folder), "import", str(server.folder / "31-opml" / name))
    counts = re.match(r"(\d+) sources? added, (\d+) followed already, (\d+) refused", said.stdout)
    right = LISTS[name]
    seen: object = tuple(map(int, counts.groups())) if counts else said.stderr.strip()
    if isinstance(right, str) and isinstance(seen, str) and right in seen:
        seen = right
    return f"31-opml/{name}", f"added, known, refused: {right}", right, seen


def check(reports: Path, only: str) -> Iterator[Row]:
    """All cases whose name begins so."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        server = ReportServer(reports, folder)
        try:
            yield from check_feeds(server, folder, only)
            yield from (check_page(server, folder, name) for name in PAGES if name.startswith(only))
            yield from (check_list(server, folder, name) for name in LISTS if f"31-opml/{name}".startswith(only))
        finally:
            server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", default="", help="cases whose name begins so")
    arguments = parser.parse_args()
    folder = arguments.data / "reports"
    if not folder.is_dir():
        print(f"skipped: {folder} is not there")
        return 0
    rows = wrong = 0
    for case, words, right, seen in check(folder, arguments.only):
        met = right == seen
        rows, wrong = rows + 1, wrong + (not met)
        print(
            f"{'ok   ' if met else 'WRONG'} {case:48} {words}"
            + ("" if met else f"\n      expected {right!r}\n      seen     {seen!r}"),
            flush=True,
        )
    print(f"{rows} expectations, {wrong} not met")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
