"""The demo as a process: whatever ends it, its daemon and its files are gone."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.store import open_store


@contextlib.contextmanager
def demo(tmp_path: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running demo, with the address of its site."""
    command = [sys.executable, "-m", "aggregator", "demo", "--port", "0", *arguments]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ) as process:
        try:
            assert process.stdout
            lines = iter(process.stdout.readline, "")
            found = next(filter(None, (re.search(r"newsroom is open:  (\S+)", line) for line in lines)))
            yield process, found[1]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_demo_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path) as (process, site):
        assert urllib.request.urlopen(f"{site}/healthz").status == 200
        process.send_signal(number)
        out, _ = process.communicate()
        assert process.returncode == 0, out
        assert "Traceback" not in out
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{site}/healthz")


def test_what_the_readers_open_counts(tmp_path: Path) -> None:
    with demo(tmp_path) as (process, _):
        assert process.stdout
        reports = (line for line in iter(process.stdout.readline, "") if "opened" in line)
        assert int(next(reports).split()[1]) > 0
        config = next(tmp_path.glob("*/config.toml"))
        process.send_signal(signal.SIGSTOP)  # the daemon goes on; nothing is cleaned up while it is asked
        store = open_store("sqlite:aggregator.db", base=config.parent, create=False)
        store.fold_views()
        assert store.stats().views > 0
        store.close()
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        process.communicate()


def test_on_postgresql_three_processes_share_a_database(tmp_path: Path, empty_postgres_url: str) -> None:
    with demo(tmp_path, "--postgresql", empty_postgres_url) as (process, site):
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        pids = [int(line.split()[0]) for line in lines_until(lines, "drop it") if "--roles" in line]
        reports = (line for line in lines if "opened" in line)
        assert int(next(reports).split()[1]) > 0
        page = urllib.request.urlopen(f"{site}/status").read().decode()
        assert len(pids) == 3
        assert [role for role in ("collect", "curate", "serve") if f'<th scope="row">{role}</th>' not in page] == []
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate()
        assert process.returncode == 0, out
    assert list(tmp_path.iterdir()) == []
    assert [pid for pid in pids if Path("/proc", str(pid)).exists()] == []
    again = subprocess.run(
        [sys.executable, "-m", "aggregator", "demo", "--postgresql", empty_postgres_url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 1
    assert "holds a store already" in again.stderr


def lines_until(lines: Iterator[str], last: str) -> Iterator[str]:
    """The lines up to one that holds `last`."""
    for line in lines:
        yield line
        if last in line:
            return
