"""Builds a real site out of recorded feeds with the real daemon, and measures its pages in Chromium.

    python bench/pages.py [--data ../shared/data] [--shots DIR] [--keep] [--check]

Recorded feeds are served on loopback, each under a host of its own, their dates moved so that the newest item is a few
minutes old, their pictures replaced by ours; a few hundred simulated readers open items. Measured are the stories above
the fold, items that stand twice, heights, bytes and requests of the front page, and the bytes of the other pages.
`--check` fails where a limit is passed. `--shots` writes a picture of every page at four widths, light and dark.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import http.client
import json
import lzma
import random
import re
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "publish"))
from chromium import Chromium, browser, found

FEEDS_PORT, SITE_PORT, EMPTY_PORT = 18490, 18491, 18492
SITE = f"http://127.0.0.1:{SITE_PORT}"
PICTURES = sorted((Path(__file__).parents[1] / "aggregator" / "demo" / "pictures").glob("*.svg"))
#: section → recorded feeds below data/real, or series of data/timeseries/headlines by name
SOURCES = {
    "World": (
        *("=bbc", "=cnn", "=fox", "=latimes", "=smh", "=nzherald", "=straittimes", "=dailytelegraph", "=rnz"),
        "=aljazeeraenglish",
        *("arminreiter-feedreader/Feeds/Rss20JapanTimes.xml", "arminreiter-feedreader/Feeds/Rss20IndianExpress.xml"),
        *(
            "cloudphone-bn-fa/indiatoday.xml",
            "cloudphone-bn-fa/nyt.xml",
            "arminreiter-feedreader/Feeds/Rss20MoscowTimes.xml",
        ),
    ),
    "Technology": (
        *("feedjira/TechCrunch.xml", "arminreiter-feedreader/Feeds/AtomTheVerge.xml", "picofeed/googleblog.xml"),
        *("feedjira/AmazonWebServicesBlog.xml", "feedjira/TenderLovemaking.xml"),
    ),
    "বাংলা": ("cloudphone-bn-fa/banglatribune.xml", "cloudphone-bn-fa/ittefaq.xml", "cloudphone-bn-fa/ekattor.xml"),
    "France": ("picofeed/rue89.xml", "arminreiter-feedreader/Feeds/Rss20LeFigaro.xml", "picofeed/jeux-linux.fr.xml"),
    "Deutschland": ("arminreiter-feedreader/Feeds/Rss20Spiegel.xml", "arminreiter-feedreader/Feeds/Rss10OrfAt.xml"),
    "Podcasts": ("feedjira/CRE.xml", "picofeed/podbean.xml"),
    "Blogs": ("feedjira/SamRuby.xml", "picofeed/lincoln_loop.xml"),
    "Health": ("node-feedparser/wapowellness.xml",),
}
#: a source that fails
BROKEN = "http://127.0.1.250:18490/gone.xml"
RFC822 = re.compile(rb"(?:\w{3}, +)?\d{1,2} \w{3} \d{4} \d{2}:\d{2}(?::\d{2})? *(?:[+-]\d{4}|GMT|UTC|Z|[A-Z]{3})")
ISO = re.compile(rb"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})")
PICTURE = re.compile(rb"""https?://[^\s"'<>&]+\.(?:jpe?g|png|gif|webp)(?:\?[^\s"'<>&]*)?""", re.IGNORECASE)
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en",
}
#: what the front page is held to (`--check`)
LIMITS = {"above 1280x900": 15, "above 390x844": 6, "height 1280": 2700, "height 390": 5600, "gzip": 12_000}


def moved(body: bytes, now: datetime, number: int) -> bytes:
    """The document with its dates moved so that the newest is a few minutes old, and with pictures of ours."""

    def read(text: bytes) -> datetime | None:
        try:
            if text[4:5] == b"-":
                return datetime.fromisoformat(text.decode()).astimezone(UTC)
            return parsedate_to_datetime(text.decode()).astimezone(UTC)
        except ValueError:
            return None

    dates = [found for match in (*RFC822.findall(body), *ISO.findall(body)) if (found := read(match))]
    if dates:
        shift = now - timedelta(minutes=3 + 7 * (number % 9)) - max(dates)

        def later(match: re.Match[bytes]) -> bytes:
            moment = read(match[0])
            if moment is None:
                return match[0]
            new = moment + shift
            return (new.isoformat() if match[0][4:5] == b"-" else format_datetime(new)).encode()

        body = ISO.sub(later, RFC822.sub(later, body))
    pictures = iter(range(10**6))
    return PICTURE.sub(lambda _: f"{SITE_PICTURES}/{next(pictures) + number}.svg".encode(), body)


SITE_PICTURES = f"http://127.0.0.1:{FEEDS_PORT}/pictures"


def recorded(data: Path, now: datetime) -> Iterator[tuple[str, str, bytes]]:
    """(section, address, document) of every source."""
    number = 0
    for section, names in SOURCES.items():
        for name in names:
            number += 1
            if name.startswith("="):
                archive = data / "timeseries" / "headlines" / f"{name[1:]}.tar.xz"
                with lzma.open(archive) as packed, tarfile.open(fileobj=packed) as files:
                    members = [member for member in files.getmembers() if member.isfile() and member.size > 5_000]
                    file = files.extractfile(members[len(members) // 2])
                    assert file is not None
                    body = file.read()
            else:
                path = data / "real" / name
                if not path.is_file():
                    print(f"not there: {path.name}", file=sys.stderr)
                    continue
                body = path.read_bytes()
            yield section, f"127.0.1.{number}", moved(body, now, number)


class Feeds(BaseHTTPRequestHandler):
    """The recorded feeds by host, and pictures."""

    documents: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        """A feed or a picture."""
        if self.path.startswith("/pictures/"):
            number = int(re.findall(r"\d+", self.path)[0])
            self._send(PICTURES[number % len(PICTURES)].read_bytes(), "image/svg+xml")
        else:
            body = self.documents.get(self.headers["Host"].partition(":")[0])
            self._send(body or b"", "application/xml", 200 if body else 404)

    def _send(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def configure(directory: Path, documents: list[tuple[str, str, bytes]], language: str) -> Path:
    """A config.toml for these sources."""
    sources = "".join(
        f'[[sources]]\nurl = "http://{host}:{FEEDS_PORT}/feed.xml"\nsection = "{section}"\n\n'
        for section, host, _ in documents
    )
    path = directory / "config.toml"
    path.write_text(
        f'[site]\ntitle = "The Daily Aggregate"\nurl = "{SITE}"\nlanguage = "{language}"\n\n'
        f'[server]\nlisten = "127.0.0.1:{SITE_PORT}"\n\n'
        '[polling]\nallow_private_addresses = ["127.0.0.0/8"]\n\n'
        f'{sources}[[sources]]\nurl = "{BROKEN}"\nsection = "World"\nname = "Mail Online"\n',
        encoding="utf-8",
    )
    return path


@contextlib.contextmanager
def site(data: Path, language: str) -> Iterator[Path]:
    """The daemon over the recorded feeds; its directory."""
    documents = list(recorded(data, datetime.now(UTC)))
    Feeds.documents = {host: body for _, host, body in documents}
    servers = [
        ThreadingHTTPServer((host, FEEDS_PORT), Feeds) for host in [*Feeds.documents, "127.0.0.1", "127.0.1.250"]
    ]
    for one in servers:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="aggregator-pages-") as place:
        directory = Path(place)
        config = configure(directory, documents, language)
        command = [sys.executable, "-m", "aggregator", "--config", str(config)]
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen([*command, "run"], stdout=log, stderr=log)
            try:
                wait_for_items()
                read_around()
                yield directory
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=20)
                for one in servers:
                    one.shutdown()


def get(path: str, reader: str = "127.0.0.1", headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """One page of the site, asked for from an address."""
    connection = http.client.HTTPConnection("127.0.0.1", SITE_PORT, timeout=30, source_address=(reader, 0))
    try:
        connection.request("GET", path, headers=BROWSER | (headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def wait_for_items() -> None:
    """Until all sources have been polled and lists stand."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            text = get("/status")[1].decode()
            waiting = text.count('class="state new"')
            if waiting == 0 and get("/feeds/recommended.json")[1].count(b'"id"') > 4:
                time.sleep(3)
                return
        time.sleep(0.5)
    raise SystemExit("the daemon has not collected the recorded feeds within two minutes")


def read_around(readers: int = 60, opens: int = 700) -> None:
    """Readers open items, some much more often than others."""
    chance = random.Random(7)
    items = json.loads(get("/feeds/latest.json")[1])["items"]
    page = get("/")[1].decode() + get("/latest")[1].decode()
    ids = list(dict.fromkeys([*re.findall(r'/item/(\w+)"', page), *(one["_aggregator"]["item"] for one in items)]))
    weights = [1 / (place + 2) for place in range(len(ids))]
    chance.shuffle(ids)
    for _ in range(opens):
        item = chance.choices(ids, weights)[0]
        get(f"/item/{item}", f"127.0.3.{chance.randrange(1, readers)}")
    time.sleep(4)


#: down the page and back, so that pictures that wait for that are loaded
SCROLL = """(async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += 600) {
    scrollTo(0, y);
    await new Promise(done => setTimeout(done, 40));
  }
  scrollTo(0, 0);
})()"""
TITLES = "[...document.querySelectorAll(\"main a[href*='/item/']\")]"
#: different items whose titles stand whole in the window
COUNT = f"""new Set({TITLES}.filter(a => {{
  const box = a.getBoundingClientRect();
  return box.height && box.top >= 0 && box.bottom <= innerHeight && box.right <= innerWidth + 1;
}}).map(a => a.href)).size"""
#: items that stand there more than once
TWICE = f"""(all => all.filter((href, place) => all.indexOf(href) !== place))({TITLES}.map(a => a.href))"""


def weigh(path: str) -> int:
    """Bytes of a page and its stylesheets, compressed."""
    body = get(path)[1]
    styles = [get(href)[1] for href in re.findall(r'stylesheet" href="([^"]+)"', body.decode())]
    return sum(len(gzip.compress(text, 9)) for text in [body, *filter(None, styles)])


def addresses() -> dict[str, str]:
    """Every kind of page, by name."""
    front = get("/")[1].decode()
    items = re.findall(r'<div class="seconds">.*?/item/(\w+)"', front, re.DOTALL) or re.findall(r'/item/(\w+)"', front)
    story = re.findall(r'/story/(\w+)"', front + get("/section/world")[1].decode())
    bengali = get("/section/%E0%A6%AC%E0%A6%BE%E0%A6%82%E0%A6%B2%E0%A6%BE")[1].decode()
    found = {
        "front": "/", "latest": "/latest", "section": "/section/world", "ranking": "/ranking",
        "ranking-section": "/section/world/ranking/7d", "article": f"/item/{items[0]}",
        "article-bn": "/item/" + re.findall(r"/item/(\w+)", bengali)[0], "source": "/source/bbc-news",
        "search": "/search?q=virus", "search-empty": "/search", "sources": "/sources", "feeds": "/feeds",
        "status": "/status", "about": "/about", "error": "/section/wrold", "listing": "/feeds/recommended",
    }  # fmt: skip
    sources = re.findall(r'href="(/source/[^"]+)"', get("/sources")[1].decode())
    found["source"] = next((one for one in sources if "bbc" in one or "cnn" in one), sources[0])
    return found | ({"story": f"/story/{story[0]}"} if story else {})


@contextlib.contextmanager
def empty_site() -> Iterator[str]:
    """The daemon without a source; where it is."""
    with tempfile.TemporaryDirectory(prefix="aggregator-empty-") as place:
        config, address = Path(place) / "config.toml", f"http://127.0.0.1:{EMPTY_PORT}"
        config.write_text(
            f'[site]\nurl = "{address}"\n\n[server]\nlisten = "127.0.0.1:{EMPTY_PORT}"\n', encoding="utf-8"
        )
        command = [sys.executable, "-m", "aggregator", "--config", str(config), "run"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", EMPTY_PORT), 1):
                    break
                time.sleep(0.2)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


async def take(chromium: Chromium, shots: Path, only: str) -> None:
    """Pictures of the pages whose names match `only` (all if it is empty)."""
    with empty_site() as empty:
        places = {name: SITE + path for name, path in addresses().items()} | {"empty": empty + "/"}
        await shoot(
            chromium, shots, {name: url for name, url in places.items() if not only or re.fullmatch(only, name)}
        )


async def shoot(chromium: Chromium, shots: Path, wanted: dict[str, str]) -> None:
    """Pictures of these pages, by name, at four widths, light and dark."""
    for name, url in wanted.items():
        for width in (390, 768, 1280, 1680):
            for dark in (False, True):
                page = await chromium.open(url, width=width, height=900, dark=dark)
                await page.run(SCROLL)
                await asyncio.sleep(0.3)
                (shots / f"{name}-{width}{'-dark' if dark else ''}.png").write_bytes(await page.shot())
                await page.close()


async def measure(shots: Path | None, only: str) -> dict[str, Any]:
    """The figures of the front page; pictures of all pages."""
    figures: dict[str, Any] = {}
    async with browser() as chromium:
        for width, height in ((1280, 900), (390, 844), (768, 900), (1680, 900)):
            page = await chromium.open(SITE + "/", width=width, height=height)
            await asyncio.sleep(1)
            figures[f"above {width}x{height}"] = await page.run(COUNT)
            figures[f"height {width}"] = await page.run("document.documentElement.scrollHeight")
            if width == 1280:
                figures["twice"] = await page.run(TWICE)
                figures["links"] = await page.run("document.querySelectorAll('a').length")
                figures["items"] = await page.run(
                    "new Set([...document.querySelectorAll(\"main a[href*='/item/']\")].map(a => a.href)).size"
                )
                figures["pictures"] = await page.run("document.querySelectorAll('main img').length")
            await page.close()
        if shots is not None:
            await take(chromium, shots, only)
    figures["gzip"] = weigh("/")
    figures["gzip of others"] = {name: weigh(path) for name, path in addresses().items() if name != "front"}
    return figures


def main() -> None:
    """Runs it and prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--shots", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--language", default="en")
    parser.add_argument("--keep", action="store_true", help="go on serving until interrupted")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if found() is None:
        raise SystemExit("chromium is not installed")
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with site(options.data, options.language):
        figures = asyncio.run(measure(options.shots, options.only))
        print(json.dumps(figures, indent=1, ensure_ascii=False))
        if options.keep:
            with contextlib.suppress(KeyboardInterrupt):
                print(SITE, flush=True)
                signal.pause()
    bad = [
        name for name, limit in LIMITS.items()
        if (figures[name] < limit if name.startswith("above") else figures[name] > limit)
    ] + (["twice"] if figures["twice"] else [])  # fmt: skip
    if options.check and bad:
        raise SystemExit(f"beyond the limits: {', '.join(bad)}")


if __name__ == "__main__":
    main()
