"""Puts the demo on stage: the press, the daemon as a process of its own, the readers, and a running commentary."""

from __future__ import annotations

import contextlib
import http.client
import json
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
from aggregator.demo.readers import Audience
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

  What to look at
    {site}/                        sections, latest, Ranking, Recommendation: they move as readers click
    {site}/feeds                   every list as a feed; paste one into your reader
    {site}/feeds/ranking-1h.atom   "most viewed" of the last hour
    {site}/status                  a slow paper and a broken one, and what became of them
  Try
    aggregator --config {config} list ranking --window 1h
    aggregator --config {config} stories --min-sources 3

  The ferry story is one agency text in four papers: one item, "also at" four addresses.
  Ctrl-C closes everything and removes what was written.
"""


def run_demo(
    *, say: Callable[[str], None], clock: Callable[[], datetime], port: int = 8080, duration: timedelta | None = None
) -> None:
    """Runs the demo for `duration`, or until interrupted. Raises AggregatorError when it cannot start."""
    newsroom = load_newsroom(clock())
    with tempfile.TemporaryDirectory(prefix="aggregator-demo-") as directory, contextlib.ExitStack() as stack:
        press = _open_press(newsroom, clock)
        stack.callback(press.close)
        port = _free_port(port, say)
        config = _write_config(Path(directory), press, port)
        stack.enter_context(_daemon(config))
        _wait_until_ready(port, Path(directory) / "daemon.log")
        say(_WELCOME.format(site=f"http://{HOST}:{port}", config=config))
        audience = Audience(newsroom, host=HOST, port=port)
        audience.start()
        stack.callback(audience.close)
        with contextlib.suppress(KeyboardInterrupt):
            _comment(newsroom, audience, port=port, say=say, clock=clock, duration=duration)
        say("Closing the newsroom.")


def _open_press(newsroom: Newsroom, clock: Callable[[], datetime]) -> Press:
    try:
        return Press(newsroom, clock)
    except OSError as error:
        raise AggregatorError(
            f"the demo's papers need loopback addresses 127.0.1.1 to 127.0.1.{len(newsroom.papers)}: {error}. "
            "Linux has them; elsewhere add them, e.g. on macOS: sudo ifconfig lo0 alias 127.0.1.1"
        ) from error


def _free_port(wanted: int, say: Callable[[str], None]) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                say(f"Port {wanted} is in use; taking a free one.")
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
def _daemon(config: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "aggregator", "--config", str(config), "run"]
    with (config.parent / "daemon.log").open("wb") as log:
        # a session of its own: Ctrl-C reaches us first, and we stop it in order
        process = subprocess.Popen(command, stderr=log, stdout=log, start_new_session=True)  # noqa: S603 (ourselves)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(port: int, log: Path, *, patience_s: float = 20) -> None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if _get(port, "/readyz")[0] == http.client.OK:
                return
        time.sleep(0.2)
    raise AggregatorError(f"the daemon did not become ready within {patience_s:.0f} s; its log ends:\n{_tail(log)}")


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


def _comment(
    newsroom: Newsroom,
    audience: Audience,
    *,
    port: int,
    say: Callable[[str], None],
    clock: Callable[[], datetime],
    duration: timedelta | None,
) -> None:
    """Says what the papers publish as they do, and every twenty seconds what is read most."""
    titles = {paper.key: paper.title for paper in newsroom.papers}
    live = sorted((a for a in newsroom.articles if a.at > timedelta(0)), key=lambda article: article.at)
    next_report = timedelta(seconds=15)
    while duration is None or clock() - newsroom.start < duration:
        age = clock() - newsroom.start
        while live and live[0].at <= age:
            article = live.pop(0)
            papers = ", ".join(titles[key] for key in article.papers)
            say(f"  {_stamp(age)}  {papers}: {article.title}")
        if age >= next_report:
            next_report = age + timedelta(seconds=20)
            say(_report(audience, port, age))
        time.sleep(0.5)


def _report(audience: Audience, port: int, age: timedelta) -> str:
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
