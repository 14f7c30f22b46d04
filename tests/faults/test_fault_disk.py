"""Disks that are full, read-only, broken, or hold something else than before."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon_process import BROWSER, Running, command, daemon, rows, start
from fault_harness import fill, need_root, newsroom, small_disk, tool, whole

Figure = Callable[[str], None]


def pages_answer(running: Running) -> bool:
    """Whether readers are served."""
    found = {path: running.get(path).status for path in ("/", "/feeds/latest.atom", "/about", "/status")}
    assert set(found.values()) == {200}, found
    return True


@pytest.mark.fault("F4", "the disk fills up while it runs, and has room again")
def test_a_disk_that_fills_up(tmp_path: Path, figure: Figure) -> None:
    with small_disk(tmp_path / "disk", megabytes=48) as disk, newsroom(5) as room:
        with daemon(disk, room.config(), log=tmp_path / "daemon.log") as running:
            room.wait_for_polls(running)
            item = rows(running.config, "list", "latest")[0]["id"]
            filler = fill(disk)
            running.wait_for(lambda: running.get("/readyz").status == 503, "that it is noticed")
            assert running.get("/healthz").status == 200, "a restart would not help"
            opened = 0
            for number in range(40):
                assert pages_answer(running)
                agent = {**BROWSER, "User-Agent": BROWSER["User-Agent"].replace("140", str(100 + number))}
                opened += running.get(f"/item/{item}", headers=agent).status == 200
            assert opened == 40
            like = running.get(
                f"/item/{item}/like", method="POST", headers={"Origin": f"http://127.0.0.1:{running.port}"}
            )
            assert like.status in {303, 503}, "never an error of ours"
            told = running.log.count("store takes no writes"), running.log.count("views are held in memory")
            filler.unlink()
            began = time.monotonic()
            running.wait_for(lambda: running.get("/readyz").status == 200, "that it goes on")
            healed_s = time.monotonic() - began
            running.wait_for(lambda: rows(running.config, "list", "latest", "--limit", "0"), "the list")
            settled = room.settle(running)
        views = next(
            row["views"] for row in rows(running.config, "list", "latest", "--limit", "0") if row["id"] == item
        )
        assert views >= 40, f"{views} of 40 opens counted"
        assert max(told) <= 3
        figure(f"pages served, 40 of 40 opens counted, healed in {healed_s:.0f} s; {whole(settled)}")


@pytest.mark.fault("F5", "started while the disk is full")
def test_a_start_on_a_full_disk(tmp_path: Path, figure: Figure) -> None:
    with small_disk(tmp_path / "disk", megabytes=64) as disk, newsroom(3) as room:
        with daemon(disk, room.config(), log=tmp_path / "daemon.log") as running:
            room.wait_for_polls(running)
            running.stop()
        (disk / "ballast").write_bytes(bytes(4 << 20))
        filler = fill(disk)
        began = time.monotonic()
        running = start(disk, log=tmp_path / "daemon.log")
        try:
            running.wait_for(lambda: running.get("/healthz").status == 200, "that it serves")
            served_s = time.monotonic() - began
            assert running.titles(), "what it has"
            assert "the ballast is dropped" in running.log
            filler.unlink()
            running.wait_for(lambda: running.get("/readyz").status == 200, "that it goes on")
            settled = room.settle(running)
        finally:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
        assert not running.tracebacks, running.tracebacks
        figure(f"serves what it has after {served_s:.1f} s, goes on with room; {whole(settled)}")


@pytest.mark.fault("F7", "the file system becomes read-only while it runs")
def test_a_file_system_that_becomes_read_only(tmp_path: Path, figure: Figure) -> None:
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path / "disk", megabytes=200))
        room = stack.enter_context(newsroom(3))
        with daemon(disk, room.config(), log=tmp_path / "daemon.log") as running:
            room.wait_for_polls(running)
            done = subprocess.run(["mount", "-o", "remount,ro", str(disk)], capture_output=True, check=False)
            if done.returncode:  # files that are open for writing: what the kernel does itself after an error
                pytest.skip("this kernel remounts no tmpfs that is being written to")
            running.wait_for(lambda: running.get("/readyz").status == 503, "that it is noticed")
            assert pages_answer(running)
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
            running.wait_for(lambda: running.get("/readyz").status == 200, "that it goes on")
            figure(f"pages served; goes on by itself; {whole(room.settle(running))}")


@pytest.mark.fault("F7", "started on a store that may not be written")
def test_a_start_without_permission(tmp_path: Path, figure: Figure) -> None:
    need_root()
    setpriv = tool("setpriv")
    folder = tmp_path / "x"
    folder.mkdir()
    with newsroom(1) as room, daemon(folder, room.config()) as running:
        running.wait_for(running.titles, "items")
        running.stop()
    for path in (tmp_path.parent, tmp_path, folder):
        path.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    reach = [parent for parent in folder.parents if not parent.stat().st_mode & 0o001]
    if reach:
        pytest.skip(f"{reach[0]} is closed to other users")
    daemon_command = (sys.executable, "-m", "aggregator", "--config", str(folder / "config.toml"), "run")
    done = subprocess.run(
        [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", *daemon_command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {78, 1, 126}, done.stderr
    if "No module named" in done.stderr or "Permission denied" in done.stderr.splitlines()[-1][:60]:
        pytest.skip("the interpreter is closed to other users")
    assert done.returncode == 78, done.stderr
    assert "uid 65534" in done.stderr
    assert str(folder) in done.stderr
    figure("exit 78; the message names path and user")


@pytest.mark.faults
@pytest.mark.fault("F6", "EIO from fdatasync and pwrite64 (injected by strace)")
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
def test_input_output_errors(tmp_path: Path, figure: Figure, call: str) -> None:
    tool("strace")
    with newsroom(4) as room:
        with daemon(tmp_path, room.config()) as running:
            room.wait_for_polls(running)
            trace = [
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                f"-etrace={call}",
                f"-einject={call}:error=EIO:when=3..6",
            ]
            tracer = subprocess.Popen(
                [*trace, "-p", str(running.process.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            seen = room.count()
            running.wait_for(lambda: room.count() > seen + 8 or tracer.poll() is not None, "polls under errors")
            if tracer.poll() is not None:
                assert tracer.stderr is not None
                said = tracer.stderr.read()
                tracer.stderr.close()
                pytest.skip(f"processes may not be traced here: {said[:100]}")
            tracer.send_signal(signal.SIGINT)
            tracer.wait()
            assert tracer.stderr is not None
            tracer.stderr.close()
            running.wait_for(lambda: running.get("/readyz").status == 200, "that it goes on")
            figure(f"{call}: {whole(room.settle(running))}")
        with contextlib.closing(sqlite3.connect(tmp_path / "aggregator.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.faults
@pytest.mark.fault("F8", "another process holds the write lock for 20 s")
def test_a_locked_store(tmp_path: Path, figure: Figure) -> None:
    with newsroom(4) as room, daemon(tmp_path, room.config()) as running:
        room.wait_for_polls(running)
        with contextlib.closing(sqlite3.connect(tmp_path / "aggregator.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            ends = time.monotonic() + 20
            slowest = 0.0
            while time.monotonic() < ends:
                began = time.monotonic()
                assert pages_answer(running)
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.5)
            other.execute("ROLLBACK")
        figure(f"pages answered throughout (four of them in {slowest:.2f} s at most); {whole(room.settle(running))}")


def spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 60_000)


def empty(path: Path) -> None:
    os.truncate(path, 0)


DAMAGES: dict[str, Callable[[Path], object]] = {"damaged": spoil, "emptied": empty, "deleted": Path.unlink}


@pytest.mark.fault("F9", "the store is damaged, emptied or deleted before a start")
@pytest.mark.parametrize("what", ["damaged", "emptied", "deleted"])
def test_a_start_on_a_damaged_store(tmp_path: Path, figure: Figure, what: str) -> None:
    store = tmp_path / "aggregator.db"
    with newsroom(3) as room:
        with daemon(tmp_path, room.config()) as running:
            room.wait_for_polls(running)
            (tmp_path / "backup").mkdir(exist_ok=True)
            assert (
                command(running.config, "backup", str(tmp_path / "backup/aggregator-20260101T000000Z.db")).returncode
                == 0
            )
            running.stop()
        DAMAGES[what](store)
        began = time.monotonic()
        with daemon(tmp_path) as running:
            ready_s = time.monotonic() - began
            assert "store mended" in running.log
            assert (running.directory / "notices.json").exists()
            settled = room.settle(running)
        figure(f"{what}: the backup took its place, ready after {ready_s:.1f} s; {whole(settled)}")


@pytest.mark.fault("F9", "the store is damaged, deleted or replaced while it runs")
@pytest.mark.parametrize("what", ["damaged", "deleted", "replaced", "emptied"])
def test_a_store_that_is_damaged_while_it_runs(tmp_path: Path, figure: Figure, what: str) -> None:
    store = tmp_path / "aggregator.db"
    with newsroom(3) as room, daemon(tmp_path, room.config()) as running:
        room.wait_for_polls(running)
        (tmp_path / "backup").mkdir(exist_ok=True)
        copy = tmp_path / "backup/aggregator-20260101T000000Z.db"
        assert command(running.config, "backup", str(copy)).returncode == 0
        if what in DAMAGES:
            DAMAGES[what](store)
        else:
            shutil.copyfile(copy, tmp_path / "other.db")
            (tmp_path / "other.db").replace(store)
        began = time.monotonic()
        running.wait_for(lambda: "store damaged" in running.log, "that it is noticed")
        running.wait_for(
            lambda: running.log.count("msg=ready") == 2 and running.get("/readyz").status == 200, "a new start"
        )
        healed_s = time.monotonic() - began
        figure(f"{what}: mended within {healed_s:.0f} s in the same process; {whole(room.settle(running))}")


@pytest.mark.fault("F10", "the `.db` copied alone while the daemon runs")
def test_a_backup_has_what_a_copied_file_lacks(tmp_path: Path, figure: Figure) -> None:
    with newsroom(2) as room, daemon(tmp_path, room.config()) as running:
        room.wait_for_polls(running)
        shutil.copyfile(tmp_path / "aggregator.db", tmp_path / "alone.db")
        assert command(running.config, "backup", str(tmp_path / "copy.db")).returncode == 0
        running.stop()

    def entries(path: Path) -> int:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            try:
                return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])
            except sqlite3.DatabaseError:
                return 0

    alone, copied = entries(tmp_path / "alone.db"), entries(tmp_path / "copy.db")
    assert copied >= 4 > alone or alone <= copied
    figure(f"`aggregator backup` has {copied} entries, the file copied alone {alone}")


_SHUT_DOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_NO_LOG_FLUSH = 2


@pytest.mark.faults
@pytest.mark.fault("F3", "power cuts: ext4 on a loop device is shut down without flushing its journal")
@pytest.mark.timeout(1200)
def test_power_cuts(tmp_path: Path, figure: Figure) -> None:
    import fcntl
    import struct

    need_root()
    mkfs = tool("mkfs.ext4")
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(256 << 20)
    subprocess.run([mkfs, "-q", "-F", str(image)], check=True)

    def mount() -> None:
        if subprocess.run(["mount", "-o", "loop", str(image), str(disk)], capture_output=True, check=False).returncode:
            pytest.skip("no loop device can be mounted here")

    cuts = int(os.environ.get("CUTS", "8"))
    acknowledged: set[str] = set()
    with newsroom(6) as room:
        for number in range(cuts):
            mount()
            try:
                if number:
                    with contextlib.closing(sqlite3.connect(disk / "aggregator.db")) as connection:
                        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                        there = {title for (title,) in connection.execute("SELECT title FROM entries")}
                    assert acknowledged <= there, f"lost: {sorted(acknowledged - there)[:3]}"
                running = start(disk, room.config(), log=tmp_path / "daemon.log")
                running.wait_ready()
                room.wait_for_polls(running, each=2)
                acknowledged |= {row["title"] for row in rows(running.config, "list", "latest", "--limit", "0")}
                descriptor = os.open(disk, os.O_RDONLY)
                try:
                    fcntl.ioctl(descriptor, _SHUT_DOWN, struct.pack("I", _NO_LOG_FLUSH))
                except OSError:
                    running.process.kill()
                    running.process.wait()
                    pytest.skip("this file system cannot be shut down")
                finally:
                    os.close(descriptor)
                running.process.kill()
                running.process.wait()
            finally:
                subprocess.run(["umount", "-l", str(disk)], check=True)
    figure(f"{cuts} cuts: {len(acknowledged)} acknowledged items, 0 lost, store whole each time")
