"""A network that is down, lossy or answers no names."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from daemon_process import Running, config_text, rows, start
from fault_harness import Paper, need_root, newsroom, tool, whole
from origin import Answer, Origin

Figure = Callable[[str], None]


def run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Elsewhere:
    """A network namespace with one cable to this one; the daemon runs in it."""

    def __init__(self, number: int) -> None:
        self.name = f"aggtrial{number}"
        self.here, self.there = f"10.99.{number}.1", f"10.99.{number}.2"
        self._cable = f"aggt{number}"

    def __enter__(self) -> Elsewhere:
        need_root()
        tool("ip")
        self.__exit__()
        up = (
            run("ip", "netns", "add", self.name)
            and run("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "out", "netns", self.name)
            and run("ip", "addr", "add", f"{self.here}/30", "dev", self._cable)
            and run("ip", "link", "set", self._cable, "up")
            and self.inside("ip", "addr", "add", f"{self.there}/30", "dev", "out")
            and self.inside("ip", "link", "set", "lo", "up")
            and self.plug()
        )
        if not up:
            self.__exit__()
            pytest.skip("no network namespace can be made here")
        return self

    def __exit__(self, *_: object) -> None:
        run("ip", "link", "del", self._cable)
        run("ip", "netns", "del", self.name)

    def inside(self, *command: str) -> bool:
        """Runs a command there."""
        return run("ip", "netns", "exec", self.name, *command)

    def answer_at(self, address: str) -> None:
        """One more address at this end of the cable; it goes with the cable, also when the last run was killed."""
        assert run("ip", "addr", "add", f"{address}/32", "dev", self._cable)

    def plug(self) -> bool:
        """The cable is in."""
        return self.inside("ip", "link", "set", "out", "up") and self.inside(
            "ip", "route", "replace", "default", "via", self.here
        )

    def pull(self) -> None:
        """The cable is out: everything is unreachable."""
        assert self.inside("ip", "link", "set", "out", "down")


def ask(place: Elsewhere, running: Running, path: str) -> str:
    """What the daemon there answers, asked from inside."""
    code = (
        "import sys, urllib.request, urllib.error\n"
        "try:\n    answer = urllib.request.urlopen(sys.argv[1], timeout=10)\n"
        "except urllib.error.HTTPError as error:\n    answer = error\n"
        "print(answer.status, answer.read().decode('utf-8', 'replace'))\n"
    )
    import sys

    done = subprocess.run(
        ["ip", "netns", "exec", place.name, sys.executable, "-c", code, f"http://127.0.0.1:{running.port}{path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def states(running: Running) -> set[str]:
    """The states that sources are in."""
    return {row["state"] for row in rows(running.config, "status")}


@pytest.mark.faults
@pytest.mark.fault("F15, F14", "the whole network is down (a network namespace), then back")
def test_without_a_network(tmp_path: Path, figure: Figure) -> None:
    """The sources are at addresses of several hosts; names without a resolver end the same way."""
    papers = [Paper(f"paper{number}") for number in range(4)]
    with Elsewhere(1) as place, contextlib.ExitStack() as stack:
        for number in range(4):
            place.answer_at(f"10.98.0.{number + 1}")
        origins = [stack.enter_context(Origin(f"10.98.0.{number + 1}")) for number in range(4)]
        urls = [origin.on("/feed", paper) for origin, paper in zip(origins, papers, strict=True)]
        text = config_text(*urls).replace('["127.0.0.0/8"]', '["10.98.0.0/16"]')
        place.pull()
        running = start(tmp_path, text, before=["ip", "netns", "exec", place.name])
        try:
            running.wait_for(lambda: "network is down" in running.log, "that it is understood")
            running.wait_for(
                lambda: {row["state"] for row in rows(running.config, "status")} == {"new"}, "none to blame"
            )
            page = ask(place, running, "/")
            assert page.startswith("200"), page[:200]
            assert "offline" in page, "a banner"
            place.plug()
            began = time.monotonic()
            running.wait_for(lambda: all(paper.published for paper in papers), "the first polls")
            back_s = time.monotonic() - began
            running.wait_for(lambda: "network is back" in running.log, "that it is told")
            running.wait_for(lambda: states(running) <= {"ok", "quiet"}, "all are well")
            assert running.log.count("network is down") == 1
            assert "offline" not in ask(place, running, "/")
        finally:
            running.process.terminate()
            running.process.wait()
        assert not running.tracebacks, running.tracebacks
        figure(f"one line and a banner, sources stay `new`; polled {back_s:.0f} s after it is back")


@pytest.mark.fault("F14", "names that nobody resolves")
def test_names_that_cannot_be_resolved(tmp_path: Path, figure: Figure) -> None:
    urls = [f"http://paper{number}.invalid/feed" for number in range(6)]
    running = start(tmp_path, config_text(*urls))
    try:
        running.wait_ready()
        running.wait_for(lambda: "network is down" in running.log, "that it is understood")
        running.wait_for(
            lambda: not any(row["state"] == "failing" for row in rows(running.config, "status")), "none to blame"
        )
        assert running.get("/").status == 200
        waits = [row["next_poll"] for row in rows(running.config, "status")]
        assert all(waits)
    finally:
        running.process.terminate()
        running.process.wait()
    figure("one line; failures that were counted before are taken back")


class Lossy:
    """A relay in front of a publisher that swallows a part of the connections, and is slow with the rest."""

    def __init__(self, host: str, target: tuple[str, int], *, loss: float, seed: int) -> None:
        self._target, self._loss, self._chance = target, loss, Random(seed)
        self._listener = socket.create_server((host, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(
                    target=self._relay, args=(client, self._chance.random() < self._loss), daemon=True
                ).start()

    def _relay(self, client: socket.socket, lost: bool) -> None:
        with contextlib.suppress(OSError), client:
            if lost:
                time.sleep(0.2)
                return
            with socket.create_connection(self._target) as server:
                server.sendall(client.recv(65536))
                time.sleep(0.3)
                while data := server.recv(2048):
                    client.sendall(data)
                    time.sleep(0.01)

    def close(self) -> None:
        """Takes no more connections."""
        self._listener.close()


@pytest.mark.fault("F16", "a third of all connections break, the rest is slow")
def test_a_lossy_network(tmp_path: Path, figure: Figure) -> None:
    with newsroom(4) as room:
        relays = [
            Lossy(f"127.0.21.{number + 1}", (origin.host, origin.port), loss=0.3, seed=number)
            for number, origin in enumerate(room.origins)
        ]
        room.urls = [f"http://127.0.21.{number + 1}:{relay.port}/feed" for number, relay in enumerate(relays)]
        running = start(tmp_path, room.config())
        try:
            running.wait_ready()
            running.wait_for(lambda: all(paper.published for paper in room.papers), "the first polls")
            for relay in relays:
                relay._loss = 0.0
            # failures have made the intervals longer; what was missed is still in the feeds
            running.wait_for(lambda: set(running.titles()) >= {p.published[0] for p in room.papers}, "what was missed")
            assert running.stop()[0] == 0
        finally:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
            for relay in relays:
                relay.close()
        assert not running.tracebacks, running.tracebacks
        figure("slower, not wrong: every paper is read")


@pytest.mark.fault("F17", "half of the publishers trickle a byte at a time")
def test_publishers_that_trickle(tmp_path: Path, figure: Figure) -> None:
    with newsroom(12) as room:
        for origin in room.origins[6:]:
            origin.on("/feed", Answer(body=b"x" * 100_000, drip_s=0.5))
        running = start(tmp_path, room.config(timeout="20s").replace("concurrency", "# concurrency"))
        try:
            running.wait_ready()
            good = room.papers[:6]
            goals = [len(paper.published) + 5 for paper in good]
            running.wait_for(
                lambda: all(len(paper.published) >= goal for paper, goal in zip(good, goals, strict=True)),
                "five polls each",
            )
            assert running.get("/").status == 200
            assert running.stop()[0] == 0
        finally:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
        figure("the others are polled on time")


@pytest.mark.fault("F23", "1,000 half-open requests to our own server")
def test_clients_that_never_finish_asking(tmp_path: Path, figure: Figure) -> None:
    with newsroom(1) as room, contextlib.ExitStack() as stack:
        running = start(tmp_path, room.config())
        try:
            running.wait_ready()
            for _ in range(1000):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-")
            began = time.monotonic()
            for _ in range(20):
                assert running.get("/feeds/latest.atom").status == 200
            each_ms = (time.monotonic() - began) / 20 * 1000
            opened = len(os.listdir(f"/proc/{running.process.pid}/fd"))  # noqa: PTH208
            running.wait_for(
                lambda: len(os.listdir(f"/proc/{running.process.pid}/fd")) < opened - 900,  # noqa: PTH208
                "that they are given up",
            )
            assert running.stop()[0] == 0
        finally:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
        figure(f"others are answered in {each_ms:.0f} ms each, the half-open ones are closed")


@pytest.mark.fault("F18", "200 sources that all fail, in every way")
def test_all_sources_fail(tmp_path: Path, figure: Figure) -> None:
    with newsroom(1) as room, contextlib.ExitStack() as stack:
        origins = [stack.enter_context(Origin(f"127.0.30.{number + 1}")) for number in range(200)]
        answers = [Answer(status=500), Answer(body=b"<html></html>"), Answer(end="reset"), Answer(status=404)]
        urls = [origin.on("/feed", answers[number % 4]) for number, origin in enumerate(origins)]
        running = start(tmp_path, config_text(*room.urls, *urls))
        try:
            running.wait_ready()
            running.wait_for(lambda: all(origin.requests for origin in origins), "a request of each")
            room.wait_for_polls(running, each=3)
            lines = running.log.count("source fails")
            assert lines <= 200, "one line a source, not one a poll"
            settled = room.settle(running)
        finally:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
        figure(f"{lines} lines for 200 sources; the good one: {whole(settled)}")
