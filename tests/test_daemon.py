"""The real daemon, from outside: a process, real sockets, a real store, scripted publishers on loopback."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from daemon_process import BROWSER, Running, command, config_text, daemon, free_port, metric, rows
from origin import Answer, Origin, rss


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


# --- the whole way --------------------------------------------------------------------


def not_modified(running: Running, path: str) -> bool:
    """Whether the feed, asked for again with its validator, has not changed; a refresh may come in between."""
    answer = running.get(path)
    again = running.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert answer.status == 200
    assert again.status == 304 or again.headers["etag"] != answer.headers["etag"]
    return again.status == 304


def test_from_a_feed_to_a_reader(tmp_path: Path, origin: Origin) -> None:
    url = origin.on("/feed", Answer(body=rss("Comet seen over harbour", "New bridge opens", feed="First")))
    with daemon(tmp_path, config_text(url)) as running:
        assert set(running.wait_for(running.titles)) == {"Comet seen over harbour", "New bridge opens"}
        running.wait_for(lambda: len(running.titles("recommended")) + len(running.titles("ranking")) >= 2)
        for path in ("/", "/feeds", "/status", "/about", "/section/world", "/search?q=comet", "/feeds.opml"):
            assert running.get(path).status == 200, path
        for suffix in ("atom", "rss", "json"):
            running.wait_for(partial(not_modified, running, f"/feeds/latest.{suffix}"), "a 304")
        item = rows(running.config, "list", "latest")[0]
        page = running.get(f"/item/{item['id']}", headers=BROWSER)
        assert item["title"] in page.body.decode()
        assert running.get(f"/go/{item['id']}", headers=BROWSER).status == 302
        views = running.wait_for(lambda: rows(running.config, "list", "ranking")[0]["views"])
        assert views == 1, "one reader, one day: one view"
        assert rows(running.config, "list", "ranking")[0]["id"] == item["id"]
        assert running.stop()[0] == 0


def test_the_same_story_in_three_feeds_is_one_item(tmp_path: Path, origin: Origin) -> None:
    body = rss("Ferry runs aground off the northern cape, all passengers safe", site="http://agency.example")
    urls = [origin.on(f"/{paper}", Answer(body=body)) for paper in ("a", "b", "c")]
    with daemon(tmp_path, config_text(*urls)) as running:
        running.wait_for(lambda: [row for row in rows(running.config, "list", "latest") if row["sources"] == 3])
        assert len(running.titles()) == 1
        item = rows(running.config, "list", "latest")[0]
        told = command(running.config, "explain", item["id"])
        assert told.returncode == 0
        assert told.stdout.count("canonical-url") == 2


def test_no_publisher_is_asked_again_early_because_of_a_restart(tmp_path: Path, origin: Origin) -> None:
    url = origin.on("/feed", Answer(body=rss("One")))
    text = config_text(url, interval="1h").replace('max_interval = "1s"', 'max_interval = "1h"')
    with daemon(tmp_path, text) as running:
        running.wait_for(running.titles)
    with daemon(tmp_path) as running:
        running.wait_for(lambda: metric(running, 'aggregator_job_age_seconds{job="ping"}') >= 0, "a look for work")
        assert running.titles() == ["One"]
    assert len(origin.asked("/feed")) == 1


#: HOSTILE X6
DEPTH = b"<x>" * 100_000 + b"</x>" * 100_000


def test_bad_publishers_do_not_delay_good_ones(tmp_path: Path, origin: Origin) -> None:
    bad = [
        origin.on("/tarpit", Answer(body=b"x" * 10_000, drip_s=0.5)),
        origin.on("/silent", Answer(delay_s=900)),
        origin.on("/html", Answer(body=b"<html><title>Log in</title></html>", headers={"Content-Type": "text/html"})),
        origin.on("/gone", Answer(status=410)),
        origin.on("/down", Answer(status=503)),
        origin.on("/empty", Answer(body=b"")),
        origin.on("/cut", Answer(body=rss("Half")[:150])),
        origin.on("/bomb", Answer(body=b"<?xml version='1.0'?><rss><channel>" + b"<item>" * 200_000)),
        origin.on("/deep", Answer(body=rss("Deep down").replace(b"</item>", DEPTH + b"</item>"))),
    ]
    # hosts of their own: one that has asked for silence is left alone
    bad = [url.replace("127.0.0.1", f"127.0.0.{place}") for place, url in enumerate(bad, 101)]
    servers = [Origin(f"127.0.0.{place}", origin.port) for place in range(101, 101 + len(bad))]
    with contextlib.ExitStack() as stack:
        for server in servers:
            server._scripts = origin._scripts
            stack.enter_context(server)
        good = origin.on("/good", Answer(body=rss("All is well")))
        text = config_text(*bad, good).replace('timeout = "3s"', 'timeout = "10m"')
        with daemon(tmp_path, text) as running:
            running.wait_for(lambda: set(running.titles()) == {"All is well", "Deep down"})
            running.wait_for(lambda: len(origin.asked("/good")) >= 4)
            assert len(servers[0].asked("/tarpit")) == 1, "it is still being waited for"
            failing = running.wait_for(lambda: [row for row in rows(running.config, "status") if row["error"]])
            assert all(row["error"]["message"] for row in failing)
            assert running.stop()[0] == 0


def test_a_source_that_answers_with_rubbish_keeps_its_items(tmp_path: Path, origin: Origin) -> None:
    good, page = Answer(body=rss("One", "Two")), Answer(body=b"<html>maintenance</html>")
    url = origin.on("/feed", good, page, Answer(body=b""), Answer(body=rss("One", "Two")[:250]), good)
    text = config_text(url)
    with daemon(tmp_path, text) as running:
        running.wait_for(lambda: len(running.titles()) == 2)
        # the sixth begins after the fifth has been stored
        running.wait_for(lambda: len(origin.asked("/feed")) >= 6)
        assert sorted(running.titles()) == ["One", "Two"]


def test_private_addresses_are_not_dialled_unless_allowed(tmp_path: Path, origin: Origin) -> None:
    url = origin.on("/feed", Answer(body=rss("Secret")))
    text = config_text(url).replace('allow_private_addresses = ["127.0.0.0/8"]', "")
    with daemon(tmp_path, text) as running:
        row = running.wait_for(lambda: [row for row in rows(running.config, "status") if row["error"]])[0]
    assert row["error"]["code"] == "blocked-address"
    assert not origin.requests


# --- configuration ----------------------------------------------------------------------


def test_a_saved_configuration_is_taken_over_and_a_bad_one_is_not(tmp_path: Path, origin: Origin) -> None:
    first, second = (origin.on(path, Answer(body=rss(title))) for path, title in (("/1", "One"), ("/2", "Two")))
    with daemon(tmp_path, config_text(first)) as running:
        running.wait_for(running.titles)
        good = running.config.read_text()
        running.config.write_text(good + "\n[polling_]\n")
        running.wait_for(lambda: metric(running, "aggregator_config_ok") == 0)
        running.wait_for(lambda: "polling" in running.log, "a thread of its own writes the log")
        assert running.titles() == ["One"]
        polls = len(origin.asked("/1"))
        running.wait_for(lambda: len(origin.asked("/1")) > polls, "polling goes on")
        running.config.write_text(good + f'\n[[sources]]\nurl = "{second}"\nsection = "Science"\ninterval = "1s"\n')
        running.wait_for(lambda: set(running.titles()) == {"One", "Two"})
        assert metric(running, "aggregator_config_ok") == 1
        assert running.get("/section/science").status == 200


def test_sighup_reloads_and_rules_apply_to_what_is_stored(tmp_path: Path, origin: Origin) -> None:
    url = origin.on("/feed", Answer(body=rss("Sponsored: buy this", "News of the day")))
    with daemon(tmp_path, config_text(url)) as running:
        running.wait_for(lambda: len(running.titles()) == 2)
        rule = '\n[[rules]]\nmatch = \'title ~ "(?i)^sponsored"\'\naction = "drop"\n'
        running.config.write_text(running.config.read_text() + rule)
        running.signal(signal.SIGHUP)
        running.wait_for(lambda: running.titles() == ["News of the day"])
        running.config.write_text(running.config.read_text().replace(rule, ""))
        running.signal(signal.SIGHUP)
        running.wait_for(lambda: len(running.titles()) == 2, "a rule that was removed drops nothing")


@pytest.mark.parametrize("spoiled", ["[site\n", '[site]\ntitel = "x"\n', ""])
def test_a_start_with_a_bad_configuration_ends_with_78(tmp_path: Path, spoiled: str) -> None:
    (tmp_path / "config.toml").write_text(spoiled)
    done = command(tmp_path / "config.toml", "run")
    assert done.returncode == 78
    assert "config.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_that_is_not_ours_ends_with_78(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(config_text("http://127.0.0.1:9/feed"))
    (tmp_path / "aggregator.db").write_bytes(b"something else entirely, and longer than a header" * 100)
    done = command(tmp_path / "config.toml", "run")
    assert done.returncode == 78
    assert "aggregator.db" in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "config.toml").write_text(config_text("http://127.0.0.1:9/f", port=port))
        done = command(tmp_path / "config.toml", "run")
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


# --- systemd ------------------------------------------------------------------------------


def test_the_service_manager_is_told_everything(tmp_path: Path, origin: Origin) -> None:
    url = origin.on("/feed", Answer(body=rss("One")))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1500000"}
        with daemon(tmp_path, config_text(url), environ=environ) as running:
            assert manager.recv(1000).startswith(b"READY=1\nSTATUS=following 1 source")
            assert {manager.recv(1000) for _ in range(3)} == {b"WATCHDOG=1"}
            running.signal(signal.SIGHUP)
            heard = list(itertools.takewhile(lambda said: not said.startswith(b"READY"), messages(manager)))
            assert any(said.startswith(b"RELOADING=1\nMONOTONIC_USEC=") for said in heard)
            running.stop()
            assert b"STOPPING=1" in list(itertools.islice(messages(manager), 20))


def messages(manager: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(TimeoutError):
        manager.settimeout(5)
        while True:
            yield manager.recv(1000)


def test_it_serves_on_the_socket_that_systemd_opened(tmp_path: Path, origin: Origin) -> None:
    url = origin.on("/feed", Answer(body=rss("One")))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        text = config_text(url, port=free_port())
        (tmp_path / "config.toml").write_text(text)
        # the process that is to be started takes descriptor 3 and names itself: what systemd does before exec
        starter = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3);"
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
            "os.execv(sys.executable, [sys.executable, '-m', 'aggregator', '--config', sys.argv[2], 'run'])"
        )
        fd = os.dup(listener.fileno())
        process = subprocess.Popen(
            [sys.executable, "-c", starter, str(fd), str(tmp_path / "config.toml")],
            pass_fds=[fd],
            stderr=(tmp_path / "daemon.log").open("wb"),
        )
        running = Running(tmp_path, process, port)
        try:
            running.wait_ready()
            running.wait_for(running.titles)
        finally:
            os.close(fd)
            assert running.stop()[0] == 0


@pytest.mark.parametrize(
    "unit",
    ["aggregator.service", "aggregator.socket", "aggregator@collect.service", "aggregator@collect-curate.service"],
)
@pytest.mark.tool("systemd-analyze")
def test_the_units_are_valid(tmp_path: Path, unit: str) -> None:
    for name in ("aggregator.service", "aggregator.socket", "aggregator@.service"):
        text = (Path(__file__).parents[1] / "systemd" / name).read_text()
        # the program is not installed where the unit expects it
        (tmp_path / name).write_text(text.replace("/opt/aggregator/bin/aggregator", "/bin/true"))
    done = systemd_analyze("verify", "--man=no", str(tmp_path / unit))
    assert not done.stderr.strip()
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["aggregator.service", "aggregator@.service"])
@pytest.mark.tool("systemd-analyze")
def test_the_service_is_hardened(tmp_path: Path, name: str) -> None:
    unit = tmp_path / name.replace("@", "@collect")
    unit.write_text((Path(__file__).parents[1] / "systemd" / name).read_text())
    done = systemd_analyze("security", "--offline=yes", "--threshold=12", str(unit))
    assert done.returncode == 0, done.stdout[-300:]


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs systemd-analyze")
