"""Runs the demo: the press, the daemon as a process of its own or as three, the readers, and a commentary."""

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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from aggregator.demo.newsroom import Newsroom, load_newsroom
from aggregator.demo.press import Press
from aggregator.demo.readers import SimulatedAudience
from aggregator.errors import AggregatorError, StoreMissing
from aggregator.model import ROLES
from aggregator.store import open_store, public_address

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

_FLEET = """\
  Three processes on {store}:
{processes}
    {site}/status                  all of them; kill one, and start it again by its line
  The database keeps what was stored; drop it when you have seen enough.
"""


@dataclass(frozen=True, slots=True)
class _Part:
    """A process of the daemon, and where it logs."""

    command: Sequence[str]
    process: subprocess.Popen[bytes]
    log: Path


def run_demo(
    *,
    say: Callable[[str], None],
    program: str,
    clock: Callable[[], datetime],
    port: int = 8080,
    duration: timedelta | None = None,
    postgresql: str = "",
) -> None:
    """Runs the demo for `duration`, or until SIGINT, SIGTERM or SIGHUP; then its daemon and its files are gone.

    `program` is how a shell calls this program. `postgresql`: the address of a database without a store; then there is
    a process for each role. Raises AggregatorError when the demo cannot start or its daemon ends.
    """
    if postgresql:
        _refuse_used(postgresql)
    newsroom = load_newsroom(clock())
    with contextlib.suppress(KeyboardInterrupt), _interruptible(), contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aggregator-demo-")))
        press = _open_press(newsroom, clock)
        stack.callback(press.close)
        port = _free_port(port, say)
        config = _write_config(directory, press, port, postgresql)
        parts = [stack.enter_context(_part(config, role)) for role in (ROLES if postgresql else ("",))]
        _wait_until_ready(parts, port)
        site = f"http://{HOST}:{port}"
        say(_WELCOME.format(site=site, config=shlex.quote(str(config)), program=program))
        if postgresql:
            lines = [f"    {part.process.pid:<8} {program} {shlex.join(part.command)}" for part in parts]
            say(_FLEET.format(site=site, store=public_address(postgresql), processes="\n".join(lines)))
        audience = SimulatedAudience(newsroom, host=HOST, port=port)
        commentary = _Commentary(newsroom, audience, port)
        audience.start()
        stack.callback(audience.close)
        for age in _ticks(newsroom.start, clock, duration):
            if all(part.process.poll() is not None for part in parts):
                raise AggregatorError(f"the daemon of the demo has ended; its log ends:\n{_tail(parts[-1].log)}")
            for line in commentary.at(age):
                say(line)
    say("The demo has ended.")


def _refuse_used(url: str) -> None:
    """AggregatorError if there is a store in this database, or no database."""
    with tempfile.TemporaryDirectory(prefix="aggregator-demo-") as folder:
        try:
            open_store(url, base=Path(folder), create=False).close()
        except StoreMissing:
            return
    where = public_address(url)
    raise AggregatorError(f"{where} holds a store already: the demo takes an empty database (createdb NAME)")


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


def _write_config(directory: Path, press: Press, port: int, postgresql: str) -> Path:
    sources = "".join(
        f'\n[[sources]]\nurl = "{url}"\nsection = "{paper.section}"\nname = "{paper.title}"\n'
        for paper, url in press.feeds()
    )
    path = directory / "config.toml"
    store = f"\n[store]\nurl = {json.dumps(postgresql)}\n" if postgresql else ""
    path.write_text(_CONFIG.format(host=HOST, port=port) + store + sources, encoding="utf-8")
    return path


@contextlib.contextmanager
def _part(config: Path, role: str) -> Iterator[_Part]:
    """The daemon, or what it does in one role, stopped at the end."""
    command = ["--config", str(config), "run", *(["--roles", role] if role else [])]
    path = config.parent / f"{role or 'daemon'}.log"
    with path.open("wb") as log:
        # a session of its own: Ctrl-C reaches the demo only, which then stops the daemon
        process = subprocess.Popen(  # noqa: S603 (ourselves)
            [sys.executable, "-m", "aggregator", *command], stderr=log, stdout=log, start_new_session=True
        )
        try:
            yield _Part(command, process, path)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(parts: Sequence[_Part], port: int, *, patience_s: float = 120) -> None:
    deadline = time.monotonic() + patience_s
    ended: list[_Part] = []
    while not ended and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if _get(port, "/readyz")[0] == http.client.OK:
                return
        time.sleep(0.2)
        ended = [part for part in parts if part.process.poll() is not None]
    log = (ended or parts)[0].log
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
