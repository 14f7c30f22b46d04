"""The real daemon as a process of its own, on a free port, for tests from outside.

with Origin() as origin, daemon(tmp_path, config_text(origin.url("/feed"))) as running:
    running.wait_for(lambda: running.items())
    running.get("/feeds/latest.atom")
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

#: generous: the machine that runs the tests may be busy with others
PATIENCE_S = 400.0

#: what a person's browser sends with a page that is opened
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml",
    "Accept-Language": "en",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def config_text(*urls: str, port: int | None = None, interval: str = "1s", extra: str = "") -> str:
    """A configuration that follows `urls`, which may be on loopback, as often as it may."""
    port = free_port() if port is None else port
    sources = "".join(f'\n[[sources]]\nurl = "{url}"\nsection = "World"\ninterval = "{interval}"\n' for url in urls)
    return (
        f'[site]\nurl = "http://127.0.0.1:{port}"\ncontact = "https://example.org/test"\n'
        f'[server]\nlisten = "127.0.0.1:{port}"\n'
        '[polling]\nmin_interval = "1s"\nmax_interval = "1s"\ntimeout = "3s"\n'
        f'allow_private_addresses = ["127.0.0.0/8"]\n{extra}\n{sources}'
    )


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """A daemon that has been started."""

    def __init__(
        self, directory: Path, process: subprocess.Popen[bytes], port: int, *, log: Path | None = None
    ) -> None:
        self.directory, self.process, self.port = directory, process, port
        self._log = log or directory / "daemon.log"

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    @property
    def tracebacks(self) -> str:
        """The log from the line before its first traceback on; empty if nothing has tripped over itself."""
        before, trace, behind = self.log.partition("Traceback")
        return before[before.rfind("\n", 0, -1) + 1 :] + trace + behind[:5000] if trace else ""

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def titles(self, feed: str = "latest") -> list[str]:
        """The titles that a feed holds."""
        answer = self.get(f"/feeds/{feed}.json")
        return [str(entry["title"]) for entry in answer.json()["items"]] if answer.status == 200 else []

    def wait_for(self, look: Callable[[], T], what: str = "", *, patience_s: float = PATIENCE_S) -> T:
        """The first true answer of `look`; fails, with the end of the log, if there is none in time."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the daemon ended with {self.process.returncode}:\n{self.log[-3000:]}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if found := look():
                    return found
            time.sleep(0.05)
        raise AssertionError(f"waited {patience_s:.0f} s for {what or look}; the log ends:\n{self.log[-3000:]}")

    def wait_ready(self) -> None:
        self.wait_for(lambda: self.get("/readyz").status == 200, "/readyz")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> tuple[int, float]:
        """(exit code, seconds it took)."""
        began = time.monotonic()
        self.signal(signal.SIGTERM)
        code = self.process.wait(timeout=PATIENCE_S)
        return code, time.monotonic() - began


def start(
    directory: Path,
    text: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    fds: Sequence[int] = (),
    log: Path | None = None,
    before: Sequence[str] = (),
    arguments: Sequence[str] = (),
    executable: Path | None = None,
) -> Running:
    """Starts a daemon in `directory`, with `text` as its configuration or with the one that is there.

    `executable`: another way to the interpreter; `before`: a command that runs it (``ip netns exec NAME``); `log`:
    where its log goes instead of beside the file.
    """
    config, log = directory / "config.toml", log or directory / "daemon.log"
    if text is not None:
        config.write_text(text, encoding="utf-8")
    listen = next(line for line in config.read_text("utf-8").splitlines() if line.startswith("listen"))
    port = int(listen.rpartition(":")[2].strip().strip('"'))
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [
                *before,
                str(executable or sys.executable),
                "-m",
                "aggregator",
                "--config",
                str(config),
                "run",
                *arguments,
            ],
            stdout=stream,
            stderr=stream,
            env={**os.environ, **(environ or {})},
            pass_fds=fds,
        )
    return Running(directory, process, port, log=log)


@contextlib.contextmanager
def daemon(directory: Path, text: str | None = None, **how: Any) -> Iterator[Running]:
    """A daemon that is ready; stopped (and killed if it does not stop) afterwards. Its log must hold no traceback."""
    running = start(directory, text, **how)
    try:
        running.wait_ready()
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
            try:
                running.process.wait(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait()
    assert not running.tracebacks, running.tracebacks


def command(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs one command of the program on this configuration."""
    return subprocess.run(
        [sys.executable, "-m", "aggregator", "--config", str(config), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )


def rows(config: Path, *arguments: str) -> list[dict[str, Any]]:
    """The objects that a command prints with ``--json``."""
    done = command(config, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def metric(running: Running, name: str) -> float:
    """The value of a metric, its labels included in `name`."""
    lines = running.get("/metrics").body.decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), float("nan"))
