"""Processes that end at the wrong moment."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon_process import BROWSER, Running, command, daemon, metric, rows, start
from fault_harness import newsroom, whole
from origin import Answer

from aggregator.store import open_store, sweep, verify_copy

Figure = Callable[[str], None]


def kill_again_and_again(tmp_path: Path, *, kills: int, papers: int, seed: int) -> str:
    chance = random.Random(seed)
    with newsroom(papers) as room:
        with daemon(tmp_path, room.config()) as running:
            room.wait_for_polls(running, each=1)
        for _ in range(kills):
            running = start(tmp_path)
            if chance.random() < 0.8:
                running.wait_ready()
            # any moment will do, that before it is ready too
            time.sleep(chance.uniform(0.0, 1.5))
            running.process.kill()
            running.process.wait()
        with daemon(tmp_path) as running:
            return f"{kills} kills; {whole(room.settle(running))}"


@pytest.mark.fault("F1", "`kill -9` at random moments while papers publish")
def test_kills_lose_nothing_and_double_nothing(tmp_path: Path, figure: Figure) -> None:
    figure(kill_again_and_again(tmp_path, kills=5, papers=10, seed=2026))


@pytest.mark.faults
@pytest.mark.fault("F1", "`kill -9`, many times")
@pytest.mark.timeout(1800)
def test_many_kills(tmp_path: Path, figure: Figure) -> None:
    figure(kill_again_and_again(tmp_path, kills=int(os.environ.get("KILLS", "60")), papers=30, seed=11))


@pytest.mark.fault("F1", "leases of a killed daemon, with a lease of two minutes")
def test_what_a_killed_daemon_had_leased_is_polled_at_once(tmp_path: Path, figure: Figure) -> None:
    with newsroom(6) as room:
        for origin in room.origins:
            origin.on("/feed", Answer(delay_s=60))
        running = start(tmp_path, room.config(timeout="50s"))
        running.wait_ready()
        running.wait_for(lambda: metric(running, "aggregator_polls_in_flight") == 6, "six requests that hang")
        running.process.kill()
        running.process.wait()
        for origin, paper in zip(room.origins, room.papers, strict=True):
            origin.on("/feed", paper)
        with daemon(tmp_path) as running:
            began = time.monotonic()
            running.wait_for(lambda: len(running.titles()) >= 6, "the first items")
            figure(f"polled again {time.monotonic() - began:.1f} s after the next start; {whole(room.settle(running))}")


@pytest.mark.fault("F34, F26", "`kill -9` and SIGTERM while the store is made")
def test_ended_while_the_schema_is_made(tmp_path: Path, figure: Figure) -> None:
    chance = random.Random(34)
    with newsroom(1) as room:
        for number in range(4):
            folder = tmp_path / str(number)
            folder.mkdir()
            running = start(folder, room.config())
            deadline = time.monotonic() + 400
            while not (folder / "aggregator.db").exists() and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.03))
            running.signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
            running.process.wait()
            with daemon(folder) as again:
                again.wait_for(again.titles, "items")
    figure("4 of 4 started again on what was there")


def is_deaf_to_hangup(running: Running) -> bool:
    """Whether the process has said what SIGHUP does: until then the kernel ends it."""
    status = Path(f"/proc/{running.process.pid}/status").read_text("ascii")
    masks = re.findall(r"^Sig(?:Ign|Cgt):\t(\w+)$", status, flags=re.MULTILINE)
    return any(int(mask, 16) & 1 for mask in masks)


@pytest.mark.fault("F26", "SIGHUP in the first moments, SIGTERM twice")
def test_signals_at_odd_moments(tmp_path: Path, figure: Figure) -> None:
    chance = random.Random(26)
    with newsroom(3) as room:
        for _ in range(4):
            running = start(tmp_path, room.config())
            running.wait_for(lambda: is_deaf_to_hangup(running), "the first instructions")  # noqa: B023
            for _ in range(5):
                running.signal(signal.SIGHUP)
                time.sleep(chance.uniform(0, 0.1))
            running.wait_ready()
            running.signal(signal.SIGTERM)
            time.sleep(chance.uniform(0, 0.2))
            with contextlib.suppress(ProcessLookupError):
                running.signal(signal.SIGTERM)
            assert running.process.wait(timeout=400) == 0
            assert not running.tracebacks, running.tracebacks
    figure("4 of 4 became ready and ended with 0, no traceback")


@pytest.mark.fault("F25", "SIGTERM while requests, readers and parses are under way")
def test_a_stop_under_load(tmp_path: Path, figure: Figure) -> None:
    with newsroom(20) as room:
        for origin in room.origins[:10]:
            origin.on("/feed", Answer(delay_s=60))
        with daemon(tmp_path, room.config(timeout="50s")) as running:
            running.wait_for(lambda: metric(running, "aggregator_polls_in_flight") >= 10, "requests that hang")
            running.wait_for(running.titles, "items")
            item = rows(running.config, "list", "latest")[0]["id"]
            opened = sum(running.get(f"/item/{item}", headers=BROWSER).status == 200 for _ in range(3))
            assert opened == 3
            code, took_s = running.stop()
        assert code == 0
        (row,) = [row for row in rows(running.config, "list", "latest", "--limit", "0") if row["id"] == item]
        assert row["views"] == 1, "one reader, one day"
    figure(f"stopped in {took_s:.1f} s with exit code 0; the view is counted")


_BACK_UP = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from aggregator.store import open_store
store = open_store("sqlite:aggregator.db", base=Path(sys.argv[1]))
print("ready", flush=True)
while True:
    if sys.argv[2] == "backup":
        store.backup(Path(sys.argv[1]) / "backup" / "aggregator-20260101T000000Z.db")
    else:
        store.retain(before=datetime.now(UTC), now=datetime.now(UTC))
"""


@pytest.mark.fault("F35", "`kill -9` inside a backup, and inside retention")
@pytest.mark.parametrize("work", ["backup", "retention"])
def test_killed_inside_maintenance(tmp_path: Path, figure: Figure, work: str) -> None:
    chance = random.Random(35)
    (tmp_path / "backup").mkdir()
    with newsroom(4) as room, daemon(tmp_path, room.config(extra='[retention]\nitems = "never"')) as running:
        room.wait_for_polls(running, each=3)
        running.stop()
    known = {row["id"] for row in rows(tmp_path / "config.toml", "list", "latest", "--limit", "0")}
    left = 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", _BACK_UP, str(tmp_path), work], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
        left += len(sweep(tmp_path / "backup"))
        for copy in (tmp_path / "backup").glob("aggregator-*.db"):
            verify_copy(copy)
    assert not [path for path in (tmp_path / "backup").iterdir() if path.suffix != ".db"]
    store = open_store("sqlite:aggregator.db", base=tmp_path)
    assert all(store.resolve(item) for item in known), "retention removes content, never identity"
    store.close()
    figure(f"6 kills: the store is whole, no copy is half; {left} temporary files swept")


@pytest.mark.fault("F35", "a backup during load, then `restore`")
def test_a_backup_under_load_is_restored(tmp_path: Path, figure: Figure) -> None:
    with newsroom(6) as room:
        with daemon(tmp_path, room.config()) as running:
            room.wait_for_polls(running)
            began = time.monotonic()
            assert command(running.config, "backup", str(tmp_path / "copy.db")).returncode == 0
            took_s = time.monotonic() - began
            assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
            room.wait_for_polls(running)
            refused = command(running.config, "restore", str(tmp_path / "copy.db"))
            assert refused.returncode != 0
            assert "in use" in refused.stderr
            running.stop()
        assert command(running.config, "restore", str(tmp_path / "copy.db")).returncode == 0
        with daemon(tmp_path) as running:
            figure(f"the command took {took_s:.1f} s; after the restore {whole(room.settle(running))}")
