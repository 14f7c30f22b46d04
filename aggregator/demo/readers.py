"""Simulated readers: each with an address, a browser and a taste, opening and liking what the front page offers."""

from __future__ import annotations

import http.client
import json
import random
import threading
from dataclasses import dataclass, field
from typing import Any

from aggregator.demo.newsroom import Newsroom

#: what browsers of people send with every page
_BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "en"}

_BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
)
#: what the browsers of people send; without it nothing counts as a view
_HEADERS = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "en"}
#: one reader in so many likes what they open
_LIKES_ONE_IN = 4


@dataclass(slots=True)
class SimulatedReader:
    """One simulated person."""

    address: str
    browser: str
    #: section → how much they care, 0.2 … 3
    taste: dict[str, float]
    read: set[str] = field(default_factory=set)
    cookie: str = ""


class SimulatedAudience:
    """A crowd that reads until it is closed. `opened` and `liked` count what the server has answered well."""

    def __init__(self, newsroom: Newsroom, *, host: str, port: int, readers: int = 60, seed: int = 7) -> None:
        self._newsroom, self._host, self._port = newsroom, host, port
        self._random = random.Random(seed)  # noqa: S311 (a crowd, not a secret)
        sections = sorted({paper.section for paper in newsroom.papers})
        self._readers = [
            SimulatedReader(
                address=f"127.0.2.{number}",
                browser=self._random.choice(_BROWSERS),
                taste={section: self._random.uniform(0.2, 3) for section in sections},
            )
            for number in range(1, readers + 1)
        ]
        self.opened = self.liked = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True, name="demo-readers")

    def start(self) -> None:
        """Lets the readers begin."""
        self._thread.start()

    def close(self) -> None:
        """Sends everybody home."""
        self._closing.set()
        self._thread.join(timeout=5)

    def _live(self) -> None:
        while not self._closing.wait(self._random.uniform(0.1, 0.5)):
            try:
                self._read_one(self._random.choice(self._readers))
            except (OSError, http.client.HTTPException, ValueError):
                continue  # the daemon is starting, or being restarted by whoever watches

    def _read_one(self, reader: SimulatedReader) -> None:
        listed = self._listed(reader)
        unread = [entry for entry in listed if entry["url"] not in reader.read]
        if not unread:
            return
        weights = [self._appeal(reader, entry, place) for place, entry in enumerate(unread, 1)]
        choice = self._random.choices(unread, weights)[0]
        reader.read.add(choice["url"])
        item_id = choice["_aggregator"]["item"]
        status, _ = self._request(reader, "GET", f"/item/{item_id}")
        self.opened += status == http.client.OK
        if self._random.randrange(_LIKES_ONE_IN) == 0:
            status, _ = self._request(reader, "POST", f"/item/{item_id}/like")
            self.liked += status == http.client.SEE_OTHER

    def _listed(self, reader: SimulatedReader) -> list[dict[str, Any]]:
        _, body = self._request(reader, "GET", "/feeds/latest.json")
        entries: list[dict[str, Any]] = json.loads(body)["items"]
        return entries

    def _appeal(self, reader: SimulatedReader, entry: dict[str, Any], place: int) -> float:
        taste = reader.taste.get(entry["_aggregator"].get("section", ""), 1.0)
        return float(self._newsroom.draw_of(entry["title"]) ** 2 * taste / (4 + place))

    def _request(self, reader: SimulatedReader, method: str, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=5, source_address=(reader.address, 0))
        origin = f"http://{self._host}:{self._port}"
        headers = {**_BROWSER, "User-Agent": reader.browser, "Origin": origin, "Cookie": reader.cookie}
        try:
            connection.request(method, path, headers={name: value for name, value in headers.items() if value})
            answer = connection.getresponse()
            if cookie := answer.getheader("Set-Cookie"):
                reader.cookie = cookie.partition(";")[0]
            return answer.status, answer.read()
        finally:
            connection.close()
