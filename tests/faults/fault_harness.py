"""What the trials share: publishers that number their items, and what a daemon has lost or has twice."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Running, config_text, rows
from origin import Answer, Origin, Request, rss

#: items that a feed holds: more than are published while anything of it is away
WINDOW = 300


class Paper:
    """Publishes a new numbered item with each request; `published` are those that an answer has carried."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.published: list[str] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def __call__(self, _: Request) -> Answer:
        with self._lock:
            self.published.append(f"{self.name} item number {next(self._numbers)} of many")
            titles = list(reversed(self.published[-WINDOW:]))
        return Answer(body=rss(*titles, feed=self.name, site=f"http://{self.name}.example"))


class Newsroom:
    """Some papers, each on a host of its own."""

    def __init__(self, papers: list[Paper], origins: list[Origin], urls: list[str]) -> None:
        self.papers, self.origins, self.urls = papers, origins, urls

    def config(self, *, extra: str = "", timeout: str = "2s") -> str:
        """The configuration that follows them all every second."""
        return config_text(*self.urls, extra=extra).replace('timeout = "3s"', f'timeout = "{timeout}"')

    def count(self) -> int:
        """Items published so far."""
        return sum(len(paper.published) for paper in self.papers)

    def wait_for_polls(self, running: Running, *, each: int = 2) -> None:
        """Until every paper has been asked so many times more."""
        goals = [len(paper.published) + each for paper in self.papers]
        running.wait_for(
            lambda: all(len(paper.published) >= goal for paper, goal in zip(self.papers, goals, strict=True)),
            f"{each} polls of each",
        )

    def settle(self, running: Running) -> tuple[int, int, int]:
        """(published, lost, twice) after two more polls of every paper; the daemon is stopped."""
        self.wait_for_polls(running)
        # what an answer carries before the last one of its paper has been stored by now
        expected = {title for paper in self.papers for title in paper.published[:-1]}
        assert running.stop()[0] == 0
        stored = Counter(row["title"] for row in rows(running.config, "list", "latest", "--limit", "0"))
        twice = sum(count - 1 for count in stored.values())
        return len(expected), len(expected - set(stored)), twice


@contextlib.contextmanager
def newsroom(count: int, *, net: int = 20) -> Iterator[Newsroom]:
    """`count` papers on 127.0.`net`.1 and on."""
    papers = [Paper(f"paper{number}") for number in range(count)]
    with contextlib.ExitStack() as stack:
        origins = [stack.enter_context(Origin(f"127.0.{net}.{number + 1}")) for number in range(count)]
        urls = [origin.on("/feed", paper) for origin, paper in zip(origins, papers, strict=True)]
        yield Newsroom(papers, origins, urls)


def whole(settled: tuple[int, int, int]) -> str:
    """The figure of a trial after which nothing is lost and nothing there twice."""
    published, lost, twice = settled
    assert (lost, twice) == (0, 0), f"of {published} items {lost} lost, {twice} twice"
    return f"{published} items: 0 lost, 0 twice"


def need_root() -> None:
    """Skips by name where mounts and network namespaces cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


@contextlib.contextmanager
def small_disk(place: Path, *, megabytes: int) -> Iterator[Path]:
    """A file system of its own at `place`."""
    need_root()
    place.mkdir()
    options = f"size={megabytes}m,mode=0700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("needs the right to mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(directory: Path) -> Path:
    """A file that takes all the room there is."""
    path = directory / "filler"
    with path.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 65536)
            file.flush()
    with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 512):
            pass
    return path


def tool(name: str) -> str:
    """Skips by name without this program."""
    for folder in os.environ.get("PATH", "").split(":"):
        if (Path(folder) / name).exists():
            return name
    pytest.skip(f"needs {name}")
