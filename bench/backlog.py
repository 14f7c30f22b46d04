"""How long today's news wait while a large import is being worked on.

    python bench/backlog.py [--items 250000]

A store holds so many items of the last 30 days about which nothing has been decided, as after an import of thousands of
sources. The real daemon starts on it and follows eight papers on loopback that publish today's news. Printed beside
their targets: the seconds from the first answer with a new item until Latest and Recommendation show it, and from the
moment people open it until the Ranking does, at the start and again and again while the import is being worked on; then
what the whole import took.
Exit code 1 where today's news wait longer than the target.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from memory import Daemon
from store import NOW, PER_FEED, WORDS, entry, result

from aggregator.model import Subscription
from aggregator.store import open_store

#: seconds until today's news stand in the lists, whatever waits behind
TARGET_S = 5.0
PAPERS = 8
LISTS = ("latest", "ranking", "recommended")
IMPORTED = 500
PORT = 24710


class Papers:
    """Eight papers, each with new items whenever it is told to publish."""

    def __init__(self) -> None:
        self._items: list[list[str]] = [[] for _ in range(PAPERS)]
        self._servers: list[ThreadingHTTPServer] = []
        #: by title: when the first answer with it was given, by the monotonic clock
        self.given: dict[str, float] = {}
        self._dice = random.Random(2)
        for number in range(PAPERS):
            handler = type("Paper", (_Handler,), {"document": partial(self._document, number)})
            server = ThreadingHTTPServer((f"127.0.8.{number + 1}", PORT), handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self._servers.append(server)

    def publish(self) -> set[str]:
        """Three more items in each paper: on two events that all of them write about, and one of its own; the titles.

        What eight papers write about is worth reading: the Recommendation has a reason to show the newest of it.
        """
        titles = set()
        for subject in (self._invented(), self._invented(), []):
            for number, items in enumerate(self._items):
                words = self._dice.sample(subject, len(subject)) + self._dice.choices(WORDS, k=2 if subject else 8)
                told = self._dice.choices(WORDS, k=50) + self._dice.sample(subject, len(subject))
                self._dice.shuffle(told)
                title, text = f"Paper {number} {' '.join(words)}", " ".join(told)
                link = f"http://127.0.8.{number + 1}:{PORT}/{len(items)}"
                when = format_datetime(datetime.now(UTC))
                items.append(
                    f"<item><title>{title}</title><link>{link}</link><guid>{link}</guid>"
                    f"<pubDate>{when}</pubDate><description>{text}</description></item>"
                )
                titles.add(title)
        return titles

    def _invented(self) -> list[str]:
        """Words that nothing else has."""
        return ["".join(self._dice.choices("abdefgiklmnoprstuvz", k=7)) for _ in range(8)]

    def close(self) -> None:
        """Ends the servers."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _document(self, number: int) -> bytes:
        items = self._items[number]
        for item in items:
            title = item.partition("<title>")[2].partition("</title>")[0]
            self.given.setdefault(title, time.monotonic())
        channel = f"<title>Paper {number}</title><link>http://127.0.8.{number + 1}/</link><description>d</description>"
        return f'<rss version="2.0"><channel>{channel}{"".join(reversed(items))}</channel></rss>'.encode()


class _Handler(BaseHTTPRequestHandler):
    document: partial[bytes]

    def do_GET(self) -> None:
        body = self.document()
        self.send_response(200)
        self.send_header("Content-Type", "application/rss+xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is written about requests."""


def import_items(path: Path, items: int) -> list[str]:
    """A store with so many items that nobody has decided about; the addresses of their sources."""
    now = datetime.now(UTC)
    urls = [f"http://127.0.9.{1 + n % 250}:{9 + n // 250}/feed" for n in range(IMPORTED)]
    store = open_store(f"sqlite:{path.name}", base=path.parent)
    store.sync_sources([Subscription(url=url, section=f"Section {n % 5}") for n, url in enumerate(urls)], now=now)
    dice, each = random.Random(1), items // IMPORTED
    older = now - timedelta(hours=2) - NOW
    for first in range(0, each, PER_FEED):
        for lease in store.claim(now=now, limit=IMPORTED, lease=timedelta(minutes=5), force=True):
            for source in lease.sources:
                made = [entry(source.id, n, 0, dice, total=each) for n in range(first, min(first + PER_FEED, each))]
                entries = tuple(replace(one, published=one.published + older) for one in made)
                polled = replace(result(lease, source.id, entries, now), next_poll=now + timedelta(hours=12))
                store.complete(lease, polled)
    store.close()
    return urls


class Importing(Daemon):
    """The daemon, following the papers and what was imported."""

    def __init__(self, folder: Path, imported: list[str]) -> None:
        papers = {f"http://127.0.8.{n + 1}:{PORT}/feed": "1s" for n in range(PAPERS)}
        # the imported first: each stays in the section that it was imported into
        super().__init__(folder, dict.fromkeys(imported, "12h") | papers, PORT + 1)

    def shown(self, order: str) -> dict[str, str]:
        """What a list shows: titles, with the end of the ids."""
        try:
            status, body = self.get(f"/feeds/{order}.json")
        except OSError:
            return {}
        items = json.loads(body)["items"] if status == 200 else []
        return {item["title"]: item["id"].rpartition("/")[2] for item in items}

    def open(self, item_id: str, *, readers: int) -> None:
        """So many people open an item."""
        for number in range(readers):
            agent = f"Mozilla/5.0 (X11; Linux x86_64; rv:{140 + number}.0) Gecko/20100101 Firefox/{140 + number}.0"
            headers = {"User-Agent": agent, "Accept": "text/html", "Accept-Language": "en"}
            request = urllib.request.Request(f"http://127.0.0.1:{self.port}/item/{item_id}", headers=headers)
            urllib.request.urlopen(request, timeout=60).close()


def wait_shown(daemon: Importing, papers: Papers, titles: set[str], *, readers: int) -> dict[str, float]:
    """By list, the seconds from the first answer with one of these titles until it shows one of them.

    One of them is opened by so many `readers` as soon as it stands in the latest; the ranking has so long from then on.
    """
    found: dict[str, float] = {}
    since = dict.fromkeys(LISTS, 0.0)
    deadline = time.monotonic() + 600
    while len(found) < len(LISTS) and time.monotonic() < deadline:
        for order in LISTS:
            shown = daemon.shown(order) if order not in found else {}
            if ours := titles & shown.keys():
                given = min(papers.given[title] for title in titles if title in papers.given)
                found[order] = time.monotonic() - max(given, since[order])
                if order == "latest":
                    daemon.open(shown[min(ours)], readers=readers)
                    since["ranking"] = time.monotonic()
        time.sleep(0.1)
    return found


def measure(items: int) -> float:
    """Prints each figure; the longest that today's news waited, in seconds."""
    papers = Papers()
    with tempfile.TemporaryDirectory() as folder:
        imported = import_items(Path(folder) / "aggregator.db", items)
        titles = papers.publish()
        began = time.monotonic()
        daemon = Importing(Path(folder), imported)
        waits: list[float] = []
        try:
            for readers in itertools.count(1):
                shown = wait_shown(daemon, papers, titles, readers=readers)
                pending = daemon.metric("aggregator_pending_items")
                told = ", ".join(f"{order} {shown.get(order, float('inf')):.1f} s" for order in LISTS)
                print(
                    f"{time.monotonic() - began:6.0f} s after the start, {pending:9,.0f} items wait: {told}", flush=True
                )
                waits += [shown.get(order, float("inf")) for order in LISTS]
                if len(waits) > len(LISTS) and not pending:
                    break
                time.sleep(12)
                titles = papers.publish()
            _, cpu_s = daemon.activity()
            took_s = time.monotonic() - began
            print(f"all of {items:,} items after {took_s:.0f} s: {cpu_s / items * 1000:.2f} ms of CPU an item, "
                  f"{daemon.resident_mb()[0]:.0f} MB resident")  # fmt: skip
        finally:
            daemon.stop()
            papers.close()
    return max(waits)


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=250_000)
    longest_s = measure(parser.parse_args().items)
    print(f"the longest wait {longest_s:.1f} s, target {TARGET_S:.0f} s: {longest_s / TARGET_S:.2f} of it")
    return 0 if longest_s <= TARGET_S else 1


if __name__ == "__main__":
    sys.exit(main())
