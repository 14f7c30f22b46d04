"""Whether healthy sources are on time, and pages quick, among tar pits and CPU bombs.

    python -m bench.hostile_load [--healthy 2000] [--tar-pits 500] [--bombs 50] [--interval 180] [--minutes 7]

The real daemon follows publishers on loopback, each at an address of its own: first the healthy ones alone, then the
same among the hostile ones. A healthy source is on time when the next request for it comes within its interval, the
tenth of jitter the daemon adds, and five seconds. Beside each page a process that does nothing else is asked for a few
bytes: what that takes is the machine's, not the daemon's. Prints both runs beside each other.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import multiprocessing
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

#: how late a poll may be, beyond the interval and its jitter
GRACE_S = 5.0
PAGES_PER_S = 10.0
#: a healthy source has a new entry so often
NEWS_EVERY_S = 1800.0
ENTRIES = 10

#: when a page was asked for, how many milliseconds it took, and how many the idle process
Timed = tuple[float, float, float]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Load:
    """What one run is made of."""

    healthy: int
    tar_pits: int
    bombs: int
    interval_s: int
    minutes: float

    @property
    def total(self) -> int:
        """Sources in all."""
        return self.healthy + self.tar_pits + self.bombs

    def kind(self, number: int) -> str:
        """What the publisher of this number is; all kinds are spread evenly by `order`."""
        if number < self.healthy:
            return "healthy"
        return "tar-pit" if number < self.healthy + self.tar_pits else "bomb"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run has shown."""

    on_time: float
    late_p99_s: float
    first_round_s: float
    polls: int
    pages: int
    page_p50_ms: float
    page_p99_ms: float
    #: the same of a process that does nothing else
    idle_p99_ms: float
    #: the first round, in which everything is new, included
    cold_p99_ms: float
    rss_mb: float


def address(number: int) -> str:
    return f"127.1.{number // 250}.{number % 250 + 1}"


# --- the publishers, in a process of their own ----------------------------------------------------------------------


def feed(number: int, at_s: float) -> bytes:
    """The document of a healthy source as it stands at a time."""
    newest = int((at_s + number * 7919 % NEWS_EVERY_S) // NEWS_EVERY_S)
    items = "".join(_item(number, newest - back) for back in range(ENTRIES))
    head = f"<title>Paper {number}</title><link>http://paper{number}.example/</link><description>x</description>"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{items}</channel></rss>'.encode()


def _item(number: int, serial: int) -> str:
    dice = random.Random(f"{number}/{serial}")
    words = [f"{dice.choice('bdfgklmnprst')}{dice.choice('aeiou')}{dice.choice('lmnrst')}{n % 97}" for n in range(40)]
    link = f"http://paper{number}.example/{serial}"
    text = " ".join(words)
    title = " ".join(words[:8])
    return f"<item><title>{title}</title><link>{link}</link><guid>{link}</guid><description>{text}</description></item>"


def bombs() -> list[bytes]:
    """Documents that cost a parser a dozen seconds; and what cost it minutes before it had bounds (HOSTILE X3, X5)."""
    whole = '<rss version="2.0"><channel><title>b</title><item><title>One</title>{}</item></channel></rss>'
    return [
        whole.format("<author>" + "a@a." + "a." * 39_000 + "</author>").encode(),
        whole.format("<description>" + "<x>" * 1_000_000).encode(),
        whole.format("".join(f"<category>c{n}</category>" for n in range(40_000))).encode(),
        whole.format("<b>&nbsp" + "<q>" * 1_000_000).encode(),
    ]


class Press:
    """Serves every publisher and notes when each was asked."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._bombs = bombs()
        self.asked: dict[int, list[float]] = {}

    async def serve(self, port: int, orders: Connection) -> None:
        """Serves until it is told to end; then tells who was asked when."""
        loop = asyncio.get_running_loop()
        for number in range(self._load.total):
            await asyncio.start_server(self._handler(number), address(number), port, backlog=16)
        orders.send("ready")
        await loop.run_in_executor(None, orders.recv)
        orders.send(self.asked)

    def _handler(self, number: int) -> Handler:
        kind = self._load.kind(number)

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                request = await reader.readuntil(b"\r\n\r\n")
                self.asked.setdefault(number, []).append(time.monotonic())
                await getattr(self, "_" + kind.replace("-", "_"))(number, request, writer)
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass  # the client has gone, or the run is over
            finally:
                writer.close()

        return handle

    async def _healthy(self, number: int, request: bytes, writer: asyncio.StreamWriter) -> None:
        body = feed(number, time.monotonic())
        tag = f'"{sha256(body).hexdigest()[:16]}"'
        if f"If-None-Match: {tag}".encode() in request:
            writer.write(f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\nConnection: close\r\n\r\n".encode())
        else:
            head = f"HTTP/1.1 200 OK\r\nETag: {tag}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
        await writer.drain()

    async def _tar_pit(self, number: int, _: bytes, writer: asyncio.StreamWriter) -> None:
        """In turn: never a word, a header every half second, a byte of the body every half second."""
        start = [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<rss>"][number % 3]
        piece = [b"", b"X-Later: yes\r\n", b" "][number % 3]
        writer.write(start)
        while True:
            await asyncio.sleep(0.5)
            writer.write(piece)
            await writer.drain()

    async def _bomb(self, number: int, _: bytes, writer: asyncio.StreamWriter) -> None:
        body = self._bombs[number % len(self._bombs)] + f"<!-- {time.monotonic()} -->".encode()
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()


def press(load: Load, port: int, orders: Connection) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(Press(load).serve(port, orders))


# --- the daemon, from outside -----------------------------------------------------------------------------------------


def configuration(load: Load, *, port: int, press_port: int) -> str:
    order = list(range(load.total))
    random.Random(7).shuffle(order)
    sources = "".join(
        f'[[sources]]\nurl = "http://{address(number)}:{press_port}/feed"\ninterval = "{load.interval_s}s"\n'
        for number in order
    )
    return (
        f'[site]\nurl = "http://127.0.0.1:{port}"\ncontact = "https://example.org/bench"\n'
        f'[server]\nlisten = "127.0.0.1:{port}"\n'
        f'[polling]\nmin_interval = "{load.interval_s}s"\nallow_private_addresses = ["127.0.0.0/8"]\n{sources}'
    )


def idle(port: int) -> None:
    """Answers at once, whatever is asked."""
    with socket.create_server(("127.0.0.1", port), backlog=64) as listener:
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


class Visitor(threading.Thread):
    """Opens pages at a steady rate, each beside an answer of the idle process, and notes how long each took."""

    PATHS = ("/", "/feeds/latest.atom", "/feeds/ranking.json", "/section/news", "/feeds/recommended.rss", "/about")

    def __init__(self, port: int, idle_port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._idle_port = idle_port
        self._over = threading.Event()
        self._took: list[Timed] = []

    def run(self) -> None:
        """One page after the other."""
        number = 0
        while not self._over.wait(1 / PAGES_PER_S):
            page_ms = _asked_ms(self._port, self.PATHS[number % len(self.PATHS)])
            self._took.append((time.monotonic(), page_ms, _asked_ms(self._idle_port, "/")))
            number += 1

    def end(self) -> list[Timed]:
        """What was noted."""
        self._over.set()
        self.join()
        return self._took


def _asked_ms(port: int, path: str) -> float:
    began = time.perf_counter()
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path)
        connection.getresponse().read()
        connection.close()
    return (time.perf_counter() - began) * 1000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(load: Load) -> Outcome:
    """One run, from the start of the daemon to its end."""
    port, press_port, idle_port = free_port(), free_port(), free_port()
    ours, theirs = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    publishers = spawn.Process(target=press, args=(load, press_port, theirs))
    doing_nothing = spawn.Process(target=idle, args=(idle_port,))
    publishers.start()
    doing_nothing.start()
    try:
        ours.recv()
        with tempfile.TemporaryDirectory() as directory:
            config = Path(directory) / "config.toml"
            config.write_text(configuration(load, port=port, press_port=press_port), encoding="utf-8")
            began = time.monotonic()
            took, rss_mb = _live(config, port, idle_port, load)
            ended = time.monotonic()
        ours.send("done")
        asked: dict[int, list[float]] = ours.recv()
    finally:
        for process in (publishers, doing_nothing):
            process.terminate()
            process.join()
    return _judged(load, asked, took, rss_mb, span=(began, ended))


def _live(config: Path, port: int, idle_port: int, load: Load) -> tuple[list[Timed], float]:
    with (config.parent / "log").open("wb") as log:
        command = [sys.executable, "-m", "aggregator", "--config", str(config), "run"]
        daemon = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_ready(port)
            visitor = Visitor(port, idle_port)
            visitor.start()
            time.sleep(load.minutes * 60)
            rss_mb = _rss_mb(daemon.pid)
            return visitor.end(), rss_mb
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(timeout=30)


def _wait_ready(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the daemon did not become ready")


def _rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def _judged(
    load: Load,
    asked: dict[int, list[float]],
    took: list[Timed],
    rss_mb: float,
    *,
    span: tuple[float, float],
) -> Outcome:
    began, ended = span
    late = sorted(_lateness(load, asked, ended))
    healthy = [asked.get(number, []) for number in range(load.healthy)]
    first = max((times[0] if times else ended) - began for times in healthy)
    # until every source has been read once, all of its entries are news and everything is curated at once
    later = [one for one in took if one[0] > began + first + load.interval_s / 4]
    settled = sorted(ms for _, ms, _ in later)
    return Outcome(
        on_time=sum(seconds <= GRACE_S for seconds in late) / max(1, len(late)),
        late_p99_s=_percentile(late, 0.99),
        first_round_s=first,
        polls=sum(map(len, asked.values())),
        pages=len(settled),
        page_p50_ms=_percentile(settled, 0.5),
        page_p99_ms=_percentile(settled, 0.99),
        idle_p99_ms=_percentile(sorted(ms for _, _, ms in later), 0.99),
        cold_p99_ms=_percentile(sorted(ms for _, ms, _ in took), 0.99),
        rss_mb=rss_mb,
    )


def _lateness(load: Load, asked: dict[int, list[float]], ended: float) -> Iterator[float]:
    """Of every request for a healthy source that followed another, or should have by the end."""
    longest = load.interval_s * 1.1
    for number in range(load.healthy):
        times = asked.get(number, [])
        for before, after in pairwise(times):
            yield after - before - longest
        if not times:
            yield float("inf")
        elif ended - times[-1] > longest + GRACE_S:
            yield ended - times[-1] - longest


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def main() -> int:
    """Both runs, beside each other; 1 if a promise was not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--healthy", type=int, default=2000)
    parser.add_argument("--tar-pits", type=int, default=500)
    parser.add_argument("--bombs", type=int, default=50)
    parser.add_argument("--interval", type=int, default=180, help="seconds between two polls of a source")
    parser.add_argument("--minutes", type=float, default=7.0, help="length of each of the two runs")
    parser.add_argument("--hostile-only", action="store_true", help="leave out the run without hostile sources")
    given = parser.parse_args()
    hostile = Load(given.healthy, given.tar_pits, given.bombs, given.interval, given.minutes)
    alone = Load(given.healthy, 0, 0, given.interval, given.minutes)
    runs = (
        [("among the hostile", hostile)] if given.hostile_only else [("alone", alone), ("among the hostile", hostile)]
    )
    print(
        f"{given.healthy} healthy sources every {given.interval} s; {given.tar_pits} tar pits, {given.bombs} CPU bombs"
    )
    print(f"load of this machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    outcomes = {}
    for name, load in runs:
        outcome = outcomes[name] = measure(load)
        print(
            f"{name:18} on time {outcome.on_time:7.2%}  latest 1 % {outcome.late_p99_s:+6.1f} s  "
            f"first round {outcome.first_round_s:5.0f} s  polls {outcome.polls:6}  pages {outcome.pages:5} "
            f"p50 {outcome.page_p50_ms:5.1f} ms p99 {outcome.page_p99_ms:6.1f} ms "
            f"(idle process {outcome.idle_p99_ms:.1f} ms; first round included {outcome.cold_p99_ms:.1f} ms)  "
            f"RSS {outcome.rss_mb:4.0f} MB",
            flush=True,
        )
    result = outcomes["among the hostile"]
    print(json.dumps({"on_time": round(result.on_time, 4), "page_p99_ms": round(result.page_p99_ms, 1)}))
    return 0 if result.on_time >= 0.99 and result.page_p99_ms < 50 else 1


if __name__ == "__main__":
    sys.exit(main())
