"""The tests' PostgreSQL: it ends with whoever started it, and starts again after it was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import postgres_server
import psycopg
import pytest
from fleet_harness import until

pytestmark = pytest.mark.skipif(not postgres_server.is_installed(), reason=postgres_server.HOW_TO_GET)

_OWNER = """
import time, postgres_server
with postgres_server.started() as server:
    print(server.folder, flush=True)
    time.sleep(600)
"""


def runs(pid: str) -> bool:
    """Whether it is a process that has not ended; one that nobody has waited for yet has no command any more."""
    try:
        return b"postgres" in Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        return False


def test_it_ends_with_a_process_that_is_killed() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent
    )
    assert owner.stdout is not None
    folder = Path(owner.stdout.readline().strip())
    pid = (folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0]
    assert runs(pid)
    owner.kill()
    owner.communicate()
    until(lambda: not folder.exists(), "its folder to go", patience_s=120)
    until(lambda: not runs(pid), "the server to end", patience_s=120)


def test_a_killed_server_starts_again_with_what_was_committed() -> None:
    with postgres_server.started("-c fsync=off -c listen_addresses=") as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
            server.kill()
            server.start()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT seven FROM kept").fetchone() == (7,)
        assert "was not properly shut down" in server.log
    assert not server.folder.exists()
