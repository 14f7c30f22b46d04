"""A machine whose clock jumps, that is suspended, or that has run out of something."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon_process import Running, daemon, metric, start
from fault_harness import need_root, newsroom, tool, whole
from origin import Answer

Figure = Callable[[str], None]

HOUR = 3600


class Clock:
    """The clock of one process, shifted while it runs."""

    def __init__(self, folder: Path) -> None:
        compiler = tool("cc")
        library = folder / "clock_shim.so"
        source = Path(__file__).with_name("clock_shim.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
        self._shift = folder / "shift"
        self.shift(0)
        self.environ = {"LD_PRELOAD": str(library), "CLOCK_SHIM": str(self._shift)}

    def shift(self, wall_s: float, boot_s: float = 0) -> None:
        """From now on the clocks differ by this from the machine's."""
        draft = self._shift.with_suffix(".new")
        draft.write_text(f"{wall_s} {boot_s}")
        draft.replace(self._shift)


@pytest.mark.faults
@pytest.mark.fault("F11", "the wall clock goes back by an hour, by a day, and by 400 days before a start")
def test_a_clock_that_goes_back(tmp_path: Path, figure: Figure) -> None:
    clock = Clock(tmp_path)
    with newsroom(3) as room:
        with daemon(tmp_path, room.config(), environ=clock.environ) as running:
            room.wait_for_polls(running)
            for back in (HOUR, 25 * HOUR):
                clock.shift(-back)
                room.wait_for_polls(running, each=3)
            running.stop()
        clock.shift(-400 * 24 * HOUR)
        before = [len(paper.published) for paper in room.papers]
        with daemon(tmp_path, environ=clock.environ) as running:
            running.wait_for(lambda: running.get("/readyz").status == 200, "that it is ready")
            assert sum(len(paper.published) for paper in room.papers) - sum(before) <= 2 * len(before), "no burst"
            clock.shift(0)
            running.stop()
        with daemon(tmp_path, environ=clock.environ) as running:
            figure(f"polls go on; no burst at the start; {whole(room.settle(running))}")


@pytest.mark.faults
@pytest.mark.fault("F12", "the wall clock goes forward by an hour, a day, ten years, and back")
def test_a_clock_that_goes_forward(tmp_path: Path, figure: Figure) -> None:
    clock = Clock(tmp_path)
    with newsroom(3) as room, daemon(tmp_path, room.config(), environ=clock.environ) as running:
        room.wait_for_polls(running)
        before = metric(running, "process_resident_memory_bytes")
        for forward in (HOUR, 24 * HOUR, 10 * 365 * 24 * HOUR, 0):
            clock.shift(forward)
            room.wait_for_polls(running, each=3)
        grown_mb = (metric(running, "process_resident_memory_bytes") - before) / 1e6
        assert grown_mb < 60
        figure(f"polls go on; resident memory {grown_mb:+.0f} MB; {whole(room.settle(running))}")


@pytest.mark.fault("F13", "suspended (SIGSTOP) while eight hours pass")
def test_a_suspension(tmp_path: Path, figure: Figure) -> None:
    clock = Clock(tmp_path)
    with newsroom(12) as room:
        text = room.config().replace('max_interval = "1s"', 'max_interval = "4h"')
        text = text.replace('\ninterval = "1s"', '\ninterval = "4h"')
        with daemon(tmp_path, text, environ=clock.environ) as running:
            running.wait_for(lambda: metric(running, 'aggregator_polls_total{outcome="new"}') >= 12, "the first polls")
            running.signal(signal.SIGSTOP)
            clock.shift(8 * HOUR, 8 * HOUR)
            running.signal(signal.SIGCONT)
            began = time.monotonic()
            running.wait_for(lambda: all(len(paper.published) >= 2 for paper in room.papers), "the polls that are due")
            took_s = time.monotonic() - began
            assert max(origin.most_at_once for origin in room.origins) == 1
            figure(f"12 overdue sources were polled over {took_s:.0f} s, each once")
            assert all(len(paper.published) <= 3 for paper in room.papers)


@contextlib.contextmanager
def short_of_descriptors(running: Running) -> Iterator[None]:
    """No more descriptors than are open now."""
    before = resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE)
    opened = len(os.listdir(f"/proc/{running.process.pid}/fd"))  # noqa: PTH208
    resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (opened, before[1]))
    try:
        yield
    finally:
        resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, before)


def cpu_s(running: Running) -> float:
    """Seconds of a core that the daemon has used."""
    fields = Path(f"/proc/{running.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.fault("F22", "no descriptors are left for ten seconds")
def test_without_descriptors(tmp_path: Path, figure: Figure) -> None:
    with newsroom(4) as room, daemon(tmp_path, room.config()) as running:
        room.wait_for_polls(running)
        with short_of_descriptors(running):
            before = cpu_s(running)
            time.sleep(10)
            used_s = cpu_s(running) - before
            assert used_s < 5, f"{used_s:.1f} s of a core in ten seconds: it runs in circles"
        began = time.monotonic()
        running.wait_for(lambda: running.get("/readyz").status == 200, "that it answers")
        answered_s = time.monotonic() - began
        figure(f"{used_s:.1f} s of a core meanwhile; answers {answered_s:.1f} s after; {whole(room.settle(running))}")


@pytest.mark.fault("F22", "started with 40 descriptors")
def test_a_start_with_few_descriptors(tmp_path: Path, figure: Figure) -> None:
    with newsroom(4) as room:
        running = start(tmp_path, room.config(), before=["prlimit", "--nofile=40:4096"])
        try:
            running.wait_for(lambda: "msg=ready" in running.log or running.process.poll() is not None, "a start")
            if running.process.poll() is None:
                time.sleep(5)
                resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (4096, 4096))
                running.wait_for(lambda: running.get("/readyz").status == 200, "that it heals")
                figure(f"heals with more; {whole(room.settle(running))}")
            else:
                assert not running.tracebacks, running.tracebacks
                figure("ends with one clear line")
        finally:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
        assert not running.tracebacks, running.tracebacks


def kill_children(running: Running) -> None:
    """Ends the parse processes of a daemon."""
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text("ascii")
    for child in children.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)


@pytest.mark.fault("F33", "the interpreter is gone (ENOENT): no parse process can be started")
def test_without_parse_processes(tmp_path: Path, figure: Figure) -> None:
    """As after an upgrade without a restart."""
    folder = tmp_path / "bin"
    folder.mkdir()
    interpreter = folder / "python3"
    interpreter.symlink_to(sys.executable)
    with newsroom(4) as room:
        modules = {"PYTHONPATH": f"{sysconfig.get_path('purelib')}:{Path(__file__).parents[2]}"}
        running = start(tmp_path, room.config(), executable=interpreter, environ=modules)
        try:
            running.wait_ready()
            room.wait_for_polls(running)
            interpreter.rename(folder / "away")
            kill_children(running)
            running.wait_for(lambda: running.get("/readyz").status == 503, "that it is noticed")
            assert running.get("/healthz").status == 503
            assert running.get("/").status == 200
            time.sleep(8)
            assert running.log.count("nothing can be parsed; polling waits") == 1
            (folder / "away").rename(interpreter)
            running.wait_for(lambda: running.get("/readyz").status == 200, "that it goes on")
            settled = room.settle(running)
        finally:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
        failed = [line for line in running.log.splitlines() if 'msg="source fails"' in line]
        assert all("code=parse-crash" in line for line in failed), "nobody's back-off"
        assert len(failed) <= 2, "but of what the children had in hand when they were killed"
        figure(f"one line, 503, nobody's back-off; goes on by itself; {whole(settled)}")


@pytest.mark.fault("F36", "nobody reads standard error")
def test_a_log_that_nobody_reads(tmp_path: Path, figure: Figure) -> None:
    with newsroom(3) as room:
        text = room.config()
        listen = next(line for line in text.splitlines() if line.startswith("listen"))
        port = int(listen.rpartition(":")[2].strip('"'))
        (tmp_path / "config.toml").write_text(text, encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "aggregator", "--config", str(tmp_path / "config.toml"), "run", "--verbose"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        running = Running(tmp_path, process, port, log=tmp_path / "config.toml")
        try:
            running.wait_ready()
            room.wait_for_polls(running, each=6)
            figure(f"polls go on; {whole(room.settle(running))}")
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()


@contextlib.contextmanager
def memory_limit(megabytes: int) -> Iterator[Callable[[Running], None]]:
    """A memory cgroup that a daemon is put into; gone afterwards."""
    need_root()
    v1, v2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    name = f"aggregator-trial-{os.getpid()}"
    if (v1 / "memory.limit_in_bytes").exists():
        group, limit = v1 / name, "memory.limit_in_bytes"
    elif "memory" in (v2 / "cgroup.subtree_control").read_text():
        group, limit = v2 / name, "memory.max"
    else:
        pytest.skip("no memory cgroup can be made here")
    group.mkdir()
    try:
        (group / limit).write_text(str(megabytes << 20))

        def put(running: Running) -> None:
            (group / "cgroup.procs").write_text(str(running.process.pid))

        yield put
    finally:
        for _ in range(100):
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.1)


def heavy() -> bytes:
    items = "".join(f"<item><title>Heavy {n}</title><guid>h{n}</guid></item>" for n in range(60_000))
    return f'<rss version="2.0"><channel><title>Heavy</title>{items}</channel></rss>'.encode()


@pytest.mark.fault("F21", "a feed of 60,000 tiny items, within a memory limit of 256 MB")
def test_a_heavy_feed_within_a_memory_limit(tmp_path: Path, figure: Figure) -> None:
    with newsroom(3) as room, memory_limit(256) as limited:
        url = room.origins[0].on("/heavy", Answer(body=heavy()))
        text = room.config() + f'\n[[sources]]\nurl = "{url}"\nsection = "World"\ninterval = "1s"\n'
        with daemon(tmp_path, text) as running:
            limited(running)
            room.wait_for_polls(running, each=4)
            resident_mb = metric(running, "process_resident_memory_bytes") / 1e6
            figure(f"the daemon lives, {resident_mb:.0f} MB resident; {whole(room.settle(running))}")
