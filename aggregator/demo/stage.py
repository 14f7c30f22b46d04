"""Runs the demo: the press, the daemon as a process of its own, the readers, and a commentary."""

from __future__ import annotations

import contextlib
import http.client
import json
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from aggregator.demo.newsroom import Newsroom, load_newsroom
from aggregator.demo.press import Press
from aggregator.demo.readers import SimulatedAudience
from aggregator.errors import AggregatorError

HOST = "127.0.0.1"

_CONFIG = """\
[site]
title = "The Daily Aggregate"
url = "http://{host}:{port}"
contact = "https://example.org/demo"

[server]
listen = "{host}:{port}"

[polling]
min_interval = "5s"
max_interval = "10s"
timeout = "10s"
allow_private_addresses = ["127.0.0.0/8"]

[[rules]]
match = 'title ~ "(?i)^sponsored"'
action = "drop"

[[feeds]]
name = "comet"
title = "All about the comet"
order = "latest"
match = 'text ~ "(?i)comet|komet|彗星"'
"""

_WELCOME = """
  The newsroom is open:  {site}

  Pages
    {site}/                        sections, latest, Ranking, Recommendation: they move as readers click
    {site}/feeds                   every list as a feed; paste one into your reader
    {site}/feeds/ranking-1h.atom   "most viewed" of the last hour
    {site}/status                  a slow paper and a broken one
  Try
    {program} --config {config} list ranking --window 1h
    {program} --config {config} stories --min-sources 3

  The ferry story is one agency text in four papers: one item, "also at" four addresses.
  Ctrl-C stops everything and removes the files of the demo.
"""


def run_demo(
    *,
    say: Callable[[str], None],
    program: str,
    clock: Callable[[], datetime],
    port: int = 8080,
    duration: timedelta | None = None,
) -> None:
    """Runs the demo for `duration`, or until SIGINT, SIGTERM or SIGHUP; then its daemon and its files are gone.

    `program` is how a shell calls this program. Raises AggregatorError when the demo cannot start or its daemon ends.
    """
    newsroom = load_newsroom(clock())
    with contextlib.suppress(KeyboardInterrupt), _interruptible(), contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aggregator-demo-")))
        press = _open_press(newsroom, clock)
        stack.callback(press.close)
        port = _free_port(port, say)
        config = _write_config(directory, press, port)
        daemon = stack.enter_context(_daemon(config))
        _wait_until_ready(daemon, port, directory / "daemon.log")
        site = f"http://{HOST}:{port}"
        say(_WELCOME.format(site=site, config=shlex.quote(str(config)), program=program))
        audience = SimulatedAudience(newsroom, host=HOST, port=port)
        commentary = _Commentary(newsroom, audience, port)
        audience.start()
        stack.callback(audience.close)
        for age in _ticks(newsroom.start, clock, duration):
            if daemon.poll() is not None:
                break
            for line in commentary.at(age):
                say(line)
        if daemon.poll() is not None:
            raise AggregatorError(f"the daemon of the demo has ended; its log ends:\n{_tail(directory / 'daemon.log')}")
    say("The demo has ended.")


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Turns SIGTERM and SIGHUP into KeyboardInterrupt, once: further signals do not interrupt the cleaning up."""
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_: int, __: object) -> None:
        for number in watched:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in watched}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _open_press(newsroom: Newsroom, clock: Callable[[], datetime]) -> Press:
    try:
        return Press(newsroom, clock)
    except OSError as error:
        raise AggregatorError(
            f"the demo's papers need loopback addresses 127.0.1.1 to 127.0.1.{len(newsroom.papers)}: {error}. "
            "Linux has them; elsewhere add them, e.g. on macOS: sudo ifconfig lo0 alias 127.0.1.1"
        ) from error


def _free_port(wanted: int, say: Callable[[str], None]) -> int:
    """`wanted` if it can be used, else a free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                say(f"Port {port} cannot be used ({error.strerror}); taking a free one.")
                continue
            return int(probe.getsockname()[1])
    raise AggregatorError(f"no free port on {HOST}")


def _write_config(directory: Path, press: Press, port: int) -> Path:
    sources = "".join(
        f'\n[[sources]]\nurl = "{url}"\nsection = "{paper.section}"\nname = "{paper.title}"\n'
        for paper, url in press.feeds()
    )
    path = directory / "config.toml"
    path.write_text(_CONFIG.format(host=HOST, port=port) + sources, encoding="utf-8")
    return path


@contextlib.contextmanager
def _daemon(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon, stopped at the end."""
    command = [sys.executable, "-m", "aggregator", "--config", str(config), "run"]
    with (config.parent / "daemon.log").open("wb") as log:
        # a session of its own: Ctrl-C reaches the demo only, which then stops the daemon
        process = subprocess.Popen(command, stderr=log, stdout=log, start_new_session=True)  # noqa: S603 (ourselves)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(daemon: subprocess.Popen[bytes], port: int, log: Path, *, patience_s: float = 120) -> None:
    deadline = time.monotonic() + patience_s
    while daemon.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if _get(port, "/readyz")[0] == http.client.OK:
                return
        time.sleep(0.2)
    raise AggregatorError(f"the daemon of the demo did not become ready; its log ends:\n{_tail(log)}")


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path, headers={"User-Agent": "aggregator-demo"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _ticks(start: datetime, clock: Callable[[], datetime], duration: timedelta | None) -> Iterator[timedelta]:
    """The time since `start`, twice a second, until `duration` is over."""
    while duration is None or clock() - start < duration:
        yield clock() - start
        time.sleep(0.5)


class _Commentary:
    """What the papers publish, as they do, and every twenty seconds what is read most."""

    def __init__(self, newsroom: Newsroom, audience: SimulatedAudience, port: int) -> None:
        self._titles = {paper.key: paper.title for paper in newsroom.papers}
        live = (article for article in newsroom.articles if article.at > timedelta(0))
        self._live = sorted(live, key=lambda article: article.at)
        self._audience, self._port = audience, port
        self._next_report = timedelta(seconds=15)

    def at(self, age: timedelta) -> Iterator[str]:
        """The lines that are due `age` after the start."""
        while self._live and self._live[0].at <= age:
            article = self._live.pop(0)
            yield f"  {_stamp(age)}  {', '.join(self._titles[key] for key in article.papers)}: {article.title}"
        if age >= self._next_report:
            self._next_report = age + timedelta(seconds=20)
            yield _report(self._audience, self._port, age)


def _report(audience: SimulatedAudience, port: int, age: timedelta) -> str:
    try:
        entries = json.loads(_get(port, "/feeds/ranking-1h.json")[1])["items"][:3]
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return f"  {_stamp(age)}  (the daemon does not answer)"
    lines = [f"  {_stamp(age)}  {audience.opened} opened, {audience.liked} liked. Most viewed this hour:"]
    lines += [f"           {place}. {entry['title']}" for place, entry in enumerate(entries, 1)]
    return "\n".join(lines)


def _stamp(age: timedelta) -> str:
    minutes, seconds = divmod(int(age.total_seconds()), 60)
    return f"{minutes:02d}:{seconds:02d}"
