"""Resident memory of the real daemon, and how busy it is when nothing is due, beside their targets.

    python -m bench.memory [--quick]

Sources on loopback publish invented items; the daemon runs as a process of its own. For each size: resident memory
after the start, after all feeds have been read and the parse processes have been ended for idleness, after every page
and feed has been asked for once, and once more. A second round should add nothing: what it adds is kept per request.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: MB of resident memory
TARGETS = {22: {"at start": 80, "idle": 110}, 1000: {"idle": 200, "asked for": 270}}
SYLLABLES = (("bar", "cel", "dor", "fin", "gal"), ("an", "em", "ir", "ol"), ("ta", "vo"))
WORDS = ["".join(parts) for parts in itertools.product(*SYLLABLES)]


@dataclass(frozen=True, slots=True)
class Size:
    """How many sources there are, and how many items each has."""

    sources: int
    items: int


class Feeds:
    """``/N.xml`` at an address of its own for each source: its feed, the same for ever."""

    def __init__(self, size: Size, port: int) -> None:
        self._size, self._port = size, port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        self._ready.wait()

    def close(self) -> None:
        """Ends the server."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        hosts = [host(number) for number in range(self._size.sources)]
        self._loop.run_until_complete(asyncio.start_server(self._answer, hosts, self._port))
        self._ready.set()
        self._loop.run_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            number = int(head.split(b" ")[1].strip(b"/").partition(b".")[0])
            body = feed(number, self._size.items)
            start = f"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nContent-Length: {len(body)}\r\n"
            writer.write(start.encode() + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def host(number: int) -> str:
    """Where source `number` is served."""
    return f"127.{1 + number // 250}.0.{number % 250 + 1}"


def feed(number: int, items: int) -> bytes:
    """An RSS document."""

    def word(place: int) -> str:
        return WORDS[(number * 31 + place * 17 + place // 7) % len(WORDS)] + str((number * 13 + place) % 97)

    lines = []
    for item in range(items):
        title = " ".join(word(item * 5 + n) for n in range(7))
        text = " ".join(word(item * 11 + n) for n in range(60))
        link = f"http://paper{number}.example/{item}"
        lines.append(
            f"<item><title>{title}</title><link>{link}</link><guid>{link}</guid><description>{text}</description></item>"
        )
    head = f"<title>Paper {number}</title><link>http://paper{number}.example/</link><description>d</description>"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{"".join(lines)}</channel></rss>'.encode()


class Daemon:
    """The daemon under measurement."""

    def __init__(self, folder: Path, urls: Mapping[str, str], port: int) -> None:
        """`urls`: by the address of a source, how often it is polled."""
        self.port = port
        sources = "".join(
            f'[[sources]]\nurl = "{url}"\nsection = "Section {number % 5}"\ninterval = "{interval}"\n'
            for number, (url, interval) in enumerate(urls.items())
        )
        (folder / "config.toml").write_text(
            f'[site]\nurl = "http://127.0.0.1:{self.port}"\n[server]\nlisten = "127.0.0.1:{self.port}"\n'
            '[polling]\nmin_interval = "1s"\nmax_interval = "12h"\nallow_private_addresses = ["127.0.0.0/8"]\n'
            + sources
        )
        self._log = (folder / "log").open("wb")
        command = [sys.executable, "-m", "aggregator", "--config", str(folder / "config.toml"), "run"]
        self.process = subprocess.Popen(command, stderr=self._log)

    def get(self, path: str, *, coding: str = "identity") -> tuple[int, bytes]:
        """An answer of the daemon's."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Accept-Encoding": coding})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """The value of a metric; 0 where there is none yet."""
        try:
            text = self.get("/metrics")[1].decode()
        except OSError:
            return 0.0
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, flags=re.MULTILINE)
        return float(found[1]) if found else 0.0

    def resident_mb(self) -> tuple[float, float]:
        """Resident memory of the daemon, and of its parse processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return _rss_mb(str(self.process.pid)), sum(map(_rss_mb, children))

    def activity(self) -> tuple[int, float]:
        """(context switches of all threads, seconds of processor time) so far."""
        switches = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            status = (task / "status").read_text()
            switches += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", status)))
        ticks = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return switches, sum(map(int, ticks)) / 100

    def stop(self) -> None:
        """Ends it."""
        self.process.terminate()
        self.process.wait()
        self._log.close()


def _rss_mb(pid: str) -> float:
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def addresses(daemon: Daemon) -> list[str]:
    """Every page and feed of a daemon: those of all sources and sections, and of the items in the latest feed."""
    text = daemon.get("/feeds.opml")[1].decode()
    feeds = re.findall(r'xmlUrl="http://[^/]+(/[^"]+)"', text)
    formats = [path.rpartition(".")[0] + suffix for path in feeds for suffix in (".atom", ".rss", ".json")]
    lists = [re.sub(r"/latest\.\w+$", "", path) for path in feeds if "/latest" in path]
    latest = json.loads(daemon.get("/feeds/latest.json")[1])["items"]
    items = [f"/item/{entry['url'].rpartition('/')[2]}" for entry in latest]
    return list(dict.fromkeys(["/", "/feeds", "/status", "/about", *lists, *formats, *items]))


def measure(size: Size, *, idle_s: float, port: int) -> dict[str, float]:
    """MB at each stage, and how busy it was while idle."""
    found: dict[str, float] = {}
    server = Feeds(size, port)
    with tempfile.TemporaryDirectory() as folder:
        urls = {f"http://{host(number)}:{port}/{number}.xml": "6h" for number in range(size.sources)}
        daemon = Daemon(Path(folder), urls, port + 1)
        try:
            while not daemon.metric("aggregator_uptime_seconds"):
                time.sleep(0.2)
            found["at start"] = daemon.resident_mb()[0]
            wanted = size.sources * size.items
            deadline = time.monotonic() + 900
            while daemon.metric("aggregator_entries") < wanted * 0.99 and time.monotonic() < deadline:
                time.sleep(1)
            while daemon.metric("aggregator_pending_items") and time.monotonic() < deadline:
                time.sleep(1)
            time.sleep(90)  # idle parse processes have been ended
            found["idle"], found["parse processes"] = daemon.resident_mb()
            switches, cpu_s = daemon.activity()
            time.sleep(idle_s)
            more, more_cpu_s = daemon.activity()
            found["switches a second"] = (more - switches) / idle_s
            found["CPU s an hour"] = (more_cpu_s - cpu_s) / idle_s * 3600
            asked = addresses(daemon)
            for label in ("asked for", "asked for again"):
                for path in asked:
                    daemon.get(path, coding="gzip")
                found[label] = daemon.resident_mb()[0]
            found["addresses"] = len(asked)
        finally:
            daemon.stop()
            server.close()
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="22 sources only, with few items")
    parser.add_argument("--idle", type=float, default=120.0, help="seconds of idleness that are measured")
    options = parser.parse_args()
    sizes = [Size(22, 50)] if options.quick else [Size(22, 455), Size(1000, 50)]
    for number, size in enumerate(sizes):
        found = measure(size, idle_s=options.idle, port=18600 + 10 * number)
        print(f"{size.sources} sources, {size.sources * size.items:,} items")
        for name, value in found.items():
            target = TARGETS.get(size.sources, {}).get(name)
            print(f"  {name:<20} {value:8.1f}" + (f"   target {target}" if target else ""))
        growth = found["asked for again"] / found["asked for"] - 1
        print(f"  second round         {growth:+8.1%}   target +2 %", flush=True)


if __name__ == "__main__":
    main()
