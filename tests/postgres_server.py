"""A PostgreSQL of the tests' own: Debian's programs, a temporary directory, a Unix socket, no durability."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: where Debian puts the server's programs, newest first
_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
HOW_TO_GET = "needs PostgreSQL 15 or newer: apt-get install postgresql"
_FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c listen_addresses= -c max_connections=200"


def is_installed() -> bool:
    """Whether a server can be started here: root needs Debian's user for it, as the server refuses to run as root."""
    return bool(_PROGRAMS)


@contextlib.contextmanager
def running(settings: str = _FAST) -> Iterator[str]:
    """A server that runs meanwhile; its URL."""
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        if user:
            shutil.chown(folder, user)
        data = folder / "data"

        def run(program: str, *arguments: str) -> None:
            command = [str(_PROGRAMS[0] / program), *arguments]
            subprocess.run(command, check=True, user=user, cwd="/", stdout=subprocess.DEVNULL, env={"LC_ALL": "C"})

        run("initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", f"-k {folder} {settings}", "start")
        try:
            yield f"postgresql:///postgres?host={folder}&user=postgres"
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
