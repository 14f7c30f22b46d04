"""Several real processes on one PostgreSQL: one collects, two may curate, one serves."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from daemon_process import Running, command, config_text, free_port, start
from origin import Answer, Origin, rss

#: the longest that a role is held without being renewed, and what a busy machine adds
TAKEN_OVER_S = 90.0

Start = Callable[[str, str], Running]

#: of three feeds; no two are alike
TITLES = {
    "a": ("Harbour reopens after the storm", "Orchestra loses its conductor"),
    "b": ("Parliament passes a budget", "Glacier retreats by a mile"),
    "c": ("Bakers strike over flour prices", "Comet seen above the desert"),
}


@pytest.fixture
def begin(tmp_path: Path, empty_postgres_url: str) -> Iterator[Start]:
    """Starts a process by name and roles; what is left of them is killed afterwards."""
    started: list[Running] = []
    with Origin() as origin:
        feeds = [origin.on(f"/{name}", Answer(body=rss(*titles))) for name, titles in TITLES.items()]
        follow = [origin.url(f"/{name}") for name in TITLES]
        assert len(feeds) == len(follow)

        def begin(name: str, roles: str) -> Running:
            directory = tmp_path / name
            directory.mkdir()
            text = config_text(*follow, port=free_port(), extra=f'[store]\nurl = "{empty_postgres_url}"')
            started.append(start(directory, text, arguments=("--roles", roles)))
            return started[-1]

        yield begin
        for running in started:
            with contextlib.suppress(ProcessLookupError):
                running.process.kill()
            running.process.wait()
    assert [running.tracebacks for running in started if running.tracebacks] == []


def curator(store: Running) -> str | None:
    """The process that holds the role."""
    with psycopg.connect(store_url(store)) as connection:
        row = connection.execute(
            "SELECT holder FROM aggregator.roles"
            " WHERE name = 'curate' AND until > extract(epoch FROM clock_timestamp()) * 1000"
        ).fetchone()
    return row[0] if row else None


def store_url(running: Running) -> str:
    line = next(line for line in running.config.read_text("utf-8").splitlines() if line.startswith('url = "postgresql'))
    return line.split('"')[1]


def test_what_one_collects_another_curates_and_a_third_serves(begin: Start) -> None:
    server = begin("server", "serve")
    server.wait_for(lambda: server.get("/healthz").status == 200, "/healthz")
    first, second, collector = begin("first", "curate"), begin("second", "curate"), begin("collector", "collect")
    titles = {title for of_feed in TITLES.values() for title in of_feed}
    server.wait_for(lambda: set(server.titles()) == titles, "all items in the latest feed")
    server.wait_for(lambda: server.titles("ranking"), "a curated list")
    names = {one.process.pid: one for one in (first, second)}
    holder = server.wait_for(lambda: curator(server), "a curator")
    leading = next(one for pid, one in names.items() if f"-{pid}-" in str(holder))
    other = next(one for one in names.values() if one is not leading)

    leading.signal(signal.SIGSTOP)
    other.wait_for(lambda: curator(server) not in {None, holder}, "another curator", patience_s=TAKEN_OVER_S)
    leading.signal(signal.SIGCONT)
    leading.wait_for(lambda: "curates no more" in leading.log, "the first one to notice")
    assert curator(server) != holder

    code, _ = other.stop()
    assert code == 0
    leading.wait_for(lambda: curator(server) == holder, "the first one to curate again")
    code, _ = collector.stop()
    assert code == 0


def test_a_dead_curator_is_replaced_and_status_says_who_lives(begin: Start) -> None:
    first = begin("first", "collect,curate,serve")
    first.wait_ready()
    holder = first.wait_for(lambda: curator(first), "a curator")
    second = begin("second", "collect,curate,serve")
    second.wait_ready()
    first.process.kill()
    second.wait_for(lambda: curator(second) not in {None, holder}, "another curator", patience_s=TAKEN_OVER_S)
    second.wait_for(lambda: len(second.titles()) == 6, "the items")
    done = command(second.config, "status")
    assert done.returncode == 0
    (line,) = [line for line in done.stdout.splitlines() if f"-{second.process.pid}-" in line]
    assert line.split("\t")[1].strip() == "collect, curate, serve"
    metrics = second.get("/metrics").body.decode()
    assert f"-{second.process.pid}-" in metrics
    assert 'holds="curate,hubs,subscribers",process=' in metrics
    page = second.get("/status").body.decode()
    assert '<th scope="row">collect, curate, serve</th><td>curate, hubs, subscribers</td>' in page


def test_roles_need_an_engine_for_many(tmp_path: Path) -> None:
    running = start(tmp_path, config_text(), arguments=("--roles", "serve"))
    assert running.process.wait(400) == 2
    assert "on SQLite one process does everything" in running.log
    running = start(tmp_path, config_text(), arguments=("--roles", "serve-dance"))
    assert running.process.wait(400) == 2
    assert "dance is none of collect, curate, serve" in running.log
