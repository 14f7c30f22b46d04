"""What serving costs, beside nginx serving the same bytes.

    python bench/publish.py [--requests 4000] [--connections 8] [--rounds 9]

The daemon is the real one, on the demo's newsroom; nginx (Debian: nginx-light) gets the daemon's answers as files, with
their compressed forms beside them, and serves them as Debian configures it, without an access log. Both are asked the
same over kept-alive connections on loopback. What is measured is the CPU time of the server's process, kernel included,
per request: it does not depend on what else the machine does, and it is what a request costs its owner. Last, what one
changed item costs by the number of lists that hold it (rendering.py).
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import rendering

from aggregator.demo.newsroom import load_newsroom
from aggregator.demo.press import Press

HOST = "127.0.0.1"
#: a first view is on the page a moment later, and what is on it has a date a second after that
SETTLE_S = 3.0
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
}
READER = {"User-Agent": "newsboat/2.30 (Linux x86_64)", "Accept": "*/*", "Accept-Encoding": "gzip"}

CONFIG = """\
[site]
url = "http://{host}:{port}"
contact = "https://example.org/bench"
[server]
listen = "{host}:{port}"
{server_keys}
[polling]
min_interval = "1h"
max_interval = "1h"
allow_private_addresses = ["127.0.0.0/8"]
"""

NGINX = """\
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 768; }}
http {{
  sendfile on; tcp_nopush on; access_log off; gzip_static on; keepalive_requests 10000000;
  types {{ application/atom+xml atom; text/html html; }} default_type text/html;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen {host}:{port}; root {folder}/root; index index.html; }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server under measurement."""

    name: str
    port: int
    pid: int

    def cpu_s(self) -> float:
        """CPU time of all its threads so far."""
        return (
            sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{self.pid}/task").glob("*/schedstat")) / 1e9
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request(path: str, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n".encode()


class Connection:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, message: bytes) -> None:
        """A request."""
        self._socket.sendall(message)

    def receive(self) -> Answer:
        """The whole answer to it."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := self._socket.recv(262144)):
                raise ConnectionError("the server hung up")
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        missing = int(headers.get("content-length", 0)) - len(body)
        while missing > 0:
            more = self._socket.recv(262144)
            body, missing = body + more, missing - len(more)
        return Answer(status=int(status.split()[1]), headers=headers, body=body)

    def close(self) -> None:
        """Hangs up."""
        self._socket.close()

    def ask(self, message: bytes) -> Answer:
        """Both."""
        self.send(message)
        return self.receive()


def fetch(port: int, path: str, headers: Mapping[str, str]) -> Answer:
    return Connection(port).ask(request(path, headers))


# --- the servers ----------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(command: Sequence[str], log: Path, ready: Callable[[], bool]) -> Iterator[int]:
    """A process that is stopped in the end; its id."""
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        deadline = time.monotonic() + 60
        while not _holds(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{command[0]} did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.2)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _holds(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except OSError:
        return False


@contextlib.contextmanager
def our_daemon(folder: Path, server_keys: str = "") -> Iterator[Server]:
    """The daemon with everything that the demo's papers print in a day; `server_keys` are lines of ``[server]``."""
    press = Press(load_newsroom(datetime.now(UTC) - timedelta(days=1)), lambda: datetime.now(UTC))
    port = free_port()
    sources = "".join(
        f'[[sources]]\nurl = "{url}"\nsection = "{paper.section}"\nname = "{paper.title}"\n'
        for paper, url in press.feeds()
    )
    config = folder / "config.toml"
    config.write_text(CONFIG.format(host=HOST, port=port, server_keys=server_keys) + sources, encoding="utf-8")
    command = [sys.executable, "-m", "aggregator", "--config", str(config), "run"]

    def has_lists() -> bool:
        feeds = [fetch(port, f"/feeds/{name}.json", READER) for name in ("latest", "recommended", "ranking-1d")]
        return all(feed.status == 200 and len(plain(feed)) > 2000 for feed in feeds)

    with contextlib.closing(press), started(command, folder / "daemon.log", has_lists) as pid:
        time.sleep(5)  # the slow paper of the demo
        yield Server(name="aggregator", port=port, pid=pid)


@contextlib.contextmanager
def nginx(folder: Path, files: Mapping[str, Answer]) -> Iterator[Server]:
    """The peer, with these answers as files."""
    port, root = free_port(), folder / "root"
    for path, answer in files.items():
        file = root / ("index.html" if path == "/" else path.lstrip("/"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(plain(answer))
        file.with_name(file.name + ".gz").write_bytes(answer.body)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(host=HOST, port=port, folder=folder), encoding="utf-8")
    folder.chmod(0o755)
    command = [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(config), "-e", str(folder / "error.log")]
    with started(command, folder / "nginx.log", lambda: fetch(port, "/", BROWSER).status == 200) as pid:
        yield Server(name="nginx", port=port, pid=pid)


def plain(answer: Answer) -> bytes:
    """The body without its content coding."""
    return gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body


# --- measuring ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of request."""

    name: str
    path: str
    headers: Mapping[str, str]
    conditional: bool = False


class Asker:
    """Asks one server the same over and over."""

    def __init__(self, server: Server, case: Case, connections: int) -> None:
        self._server = server
        self._opened = [Connection(server.port) for _ in range(connections)]
        headers = dict(case.headers)
        self._ask(request(case.path, headers))
        time.sleep(SETTLE_S)
        first = self._ask(request(case.path, headers))
        if case.conditional:
            headers["If-None-Match"] = first.headers["etag"]
        self._message, expected = request(case.path, headers), 304 if case.conditional else 200
        if self._ask(self._message).status != expected:
            sys.exit(f"{server.name}: {case.name} is not answered with {expected}")

    def cost_us(self, requests: int) -> float:
        """Microseconds of CPU a request, on connections that all ask at once and again when all have been answered."""
        rounds = requests // len(self._opened)
        before = self._server.cpu_s()
        for _ in range(rounds):
            for connection in self._opened:
                connection.send(self._message)
            for connection in self._opened:
                connection.receive()
        return (self._server.cpu_s() - before) / (rounds * len(self._opened)) * 1e6

    def close(self) -> None:
        """Hangs up."""
        for connection in self._opened:
            connection.close()

    def _ask(self, message: bytes) -> Answer:
        return self._opened[0].ask(message)


def measure(servers: Sequence[Server], case: Case, *, requests: int, connections: int, rounds: int) -> list[float]:
    """The least that the case cost each server, asked in turns: what else the machine does falls on both."""
    askers = [Asker(server, case, connections) for server in servers]
    costs = [[asker.cost_us(requests) for asker in askers] for _ in range(rounds)]
    for asker in askers:
        asker.close()
    return [min(column) for column in zip(*costs, strict=True)]


def cases(daemon: Server) -> list[Case]:
    page = fetch(daemon.port, "/", BROWSER)
    item = "/item/" + plain(page).decode().split('"/item/')[1].split('"')[0]
    return [
        Case(name="feed, 200", path="/feeds/latest.atom", headers=READER),
        Case(name="feed, 304", path="/feeds/latest.atom", headers=READER, conditional=True),
        Case(name="front page, 200", path="/", headers=BROWSER),
        Case(name="front page, 304", path="/", headers=BROWSER, conditional=True),
        Case(name="article, 200, counted", path=item, headers=BROWSER),
    ]


def main() -> None:
    """Measures all cases on both servers, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=4_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9, help="the best of so many is reported")
    options = parser.parse_args()
    has_nginx = shutil.which("nginx") or Path("/usr/sbin/nginx").exists()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        daemon = stack.enter_context(our_daemon(folder))
        asked = cases(daemon)
        servers = [daemon]
        if has_nginx:
            files = {case.path: fetch(daemon.port, case.path, case.headers) for case in asked}
            servers.append(stack.enter_context(nginx(folder, files)))
        else:
            print("nginx is not installed (Debian: nginx-light): no ratios")
        print(
            f"{'CPU a request, µs':<26}{'bytes':>8}" + "".join(f"{server.name:>12}" for server in servers) + "   ratio"
        )
        for case in asked:
            size = len(fetch(daemon.port, case.path, case.headers).body)
            best = measure(
                servers, case, requests=options.requests, connections=options.connections, rounds=options.rounds
            )
            ratio = f"{best[0] / best[1]:8.2f}" if len(best) > 1 else ""
            print(f"{case.name:<26}{size:>8}" + "".join(f"{cost:>12.1f}" for cost in best) + ratio)
    print()
    rendering.report()


if __name__ == "__main__":
    main()
