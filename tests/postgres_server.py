"""A PostgreSQL of the tests' own: Debian's programs, a temporary directory, a Unix socket, no durability.

It ends with the process that started it, however that ends: a child of its own session, which this module is as a
script, waits until its standard input is closed, then stops the server and removes what is left of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: where Debian puts the server's programs, newest first
_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
HOW_TO_GET = "needs PostgreSQL 15 or newer: apt-get install postgresql"
_FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c listen_addresses= -c max_connections=200"
#: processes of a server that was killed keep its memory for a moment
_RESTART_S = 60.0


def is_installed() -> bool:
    """Whether a server can be started here: root needs Debian's user for it, as the server refuses to run as root."""
    return bool(_PROGRAMS)


@dataclass(frozen=True, slots=True)
class Server:
    """A server in a folder of its own."""

    folder: Path
    settings: str = _FAST

    @property
    def url(self) -> str:
        """The address of its database."""
        return f"postgresql:///postgres?host={self.folder}&user=postgres"

    @property
    def log(self) -> str:
        """What it has logged since it was made."""
        return (self.folder / "log").read_text("utf-8", "replace")

    def create(self) -> None:
        """Makes the database."""
        if user := _user():
            shutil.chown(self.folder, user)
        self._run("initdb", "-D", self._data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")

    def start(self) -> None:
        """Starts it; returns when it takes connections. After `kill` as well."""
        deadline = time.monotonic() + _RESTART_S
        options = f"-k {self.folder} {self.settings}"
        while True:
            try:
                return self._run(
                    "pg_ctl", "-D", self._data, "-w", "-l", str(self.folder / "log"), "-o", options, "start"
                )
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def stop(self) -> None:
        """Stops it at once."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")

    def kill(self) -> None:
        """Kills its first process, with SIGKILL: nothing restarts the others, which end by themselves."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(pid, signal.SIGKILL)

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @staticmethod
    def _run(program: str, *arguments: str) -> None:
        command = [str(_PROGRAMS[0] / program), *arguments]
        nowhere = subprocess.DEVNULL
        subprocess.run(
            command,
            check=True,
            user=_user(),
            cwd="/",
            stdin=nowhere,
            stdout=nowhere,
            stderr=nowhere,
            env={"LC_ALL": "C"},
        )


@contextlib.contextmanager
def started(settings: str = _FAST) -> Iterator[Server]:
    """A server that runs meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    warden = subprocess.Popen([sys.executable, __file__, str(folder)], stdin=subprocess.PIPE, start_new_session=True)
    try:
        server = Server(folder, settings)
        server.create()
        server.start()
        yield server
    finally:
        warden.communicate()  # closes its standard input


@contextlib.contextmanager
def running(settings: str = _FAST) -> Iterator[str]:
    """A server that runs meanwhile; its URL."""
    with started(settings) as server:
        yield server.url


def _user() -> str | None:
    return "postgres" if os.geteuid() == 0 else None


def _guard(folder: Path) -> None:
    """Ends the server of this folder when nobody holds the other end of standard input any more."""
    sys.stdin.buffer.read()
    with contextlib.suppress(subprocess.CalledProcessError):  # it has ended already, or was never started
        Server(folder).stop()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _guard(Path(sys.argv[1]))
