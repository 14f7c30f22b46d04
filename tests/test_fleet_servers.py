"""Two servers behind nginx, and what they share: counts, keys, callbacks, the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from daemon_process import Running, command, free_port
from fleet_harness import NGINX, Fleet, item_ids, nginx, until, visit
from origin import Answer, Origin, rss
from scripted_hub import ScriptedHub

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx")


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as origin:
        yield origin


def is_up(server: Running) -> bool:
    return server.get("/healthz").status == 200


def counted(postgres_url: str) -> tuple[int, int]:
    """All views and all likes."""
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SELECT sum(views), sum(likes) FROM aggregator.items").fetchone()
    return (int(row[0] or 0), int(row[1] or 0)) if row else (0, 0)


def test_two_servers_are_one_site(tmp_path: Path, empty_postgres_url: str, origin: Origin) -> None:
    hub = ScriptedHub(origin)
    feed = rss("First", "Second").replace(
        b"<channel>",
        f'<channel><atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="hub" href="{hub.url}"/>'
        f'<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="self" href="{origin.url("/a")}"/>'.encode(),
    )
    origin.on("/a", Answer(body=feed))
    ports, site = [free_port(), free_port()], free_port()
    fleet = Fleet(tmp_path, empty_postgres_url, [origin.url("/a")], site_port=site)
    try:
        with nginx(tmp_path / "nginx", ports, site):
            servers = [fleet.begin(f"server{number}", "serve", port=port) for number, port in enumerate(ports)]
            for server in servers:
                server.wait_for(partial(is_up, server), "/healthz")
            fleet.begin("collector", "collect")
            fleet.begin("curator", "curate")
            (item, *_) = until(lambda: item_ids(visit(site, "/latest", "198.51.100.1")), "an item")

            # the hub asks back, and delivers, at whichever server
            until(lambda: hub.verifications and hub.verifications[-1].status == 200, "the hub to be confirmed")
            assert hub.verifications[-1].body == hub.challenge.encode()
            callback = re.sub(r"^http://[^/]+", "", hub.callback)
            for port in ports:
                answer = visit(
                    port, f"{callback}?hub.mode=subscribe&hub.topic={origin.url('/a')}&hub.challenge=again", ""
                )
                assert (answer.status, answer.body) == (200, b"again")
            assert hub.deliver(feed.replace(b"Second", b"Delivered"), callback=hub.callback).status in {200, 202}
            until(lambda: b"Delivered" in visit(site, "/latest", "198.51.100.1").body, "what the hub has delivered")

            # three visitors open an item at both servers: three views; the fold waits a second
            for client in ("198.51.100.1", "198.51.100.2", "203.0.113.5"):
                for port in ports:
                    for _ in range(2):
                        headers = {"X-Forwarded-For": client}
                        assert visit(port, f"/item/{item}", client, headers=headers).status == 200
            until(lambda: counted(empty_postgres_url)[0] == 3, "three views")

            # a like at one server, with its cookie at the other, and without any cookie at the other
            liking = {"Origin": f"http://127.0.0.1:{site}", "X-Forwarded-For": "198.51.100.1"}
            first = visit(ports[0], f"/item/{item}/like", "198.51.100.1", method="POST", headers=liking)
            assert first.status == 303
            cookie = first.headers["set-cookie"].partition(";")[0]
            again = visit(ports[1], f"/item/{item}/like", "", method="POST", headers={**liking, "Cookie": cookie})
            assert "set-cookie" not in again.headers, "the other server knows its cookie"
            visit(ports[1], f"/item/{item}/like", "", method="POST", headers=liking)
            assert counted(empty_postgres_url) == (3, 1)
            names = {path.name for server in servers for path in server.directory.iterdir()}
            assert not [name for name in names if "key" in name or "visitors" in name]
    finally:
        fleet.end()
    assert fleet.tracebacks == []


def test_one_configuration_is_followed_by_all(tmp_path: Path, empty_postgres_url: str, origin: Origin) -> None:
    harbour, budget = "Harbour reopens after the storm", "Parliament passes a budget"
    a, b = (origin.on(path, Answer(body=rss(title))) for path, title in (("/a", harbour), ("/b", budget)))
    ports, site = [free_port(), free_port()], free_port()
    fleet = Fleet(tmp_path, empty_postgres_url, [a], site_port=site)
    try:
        one = fleet.begin("one", "collect,curate,serve", port=ports[0])
        one.wait_for(lambda: one.titles() == [harbour], "the item of the first configuration")
        # another machine with another file: it says so, and what is followed stays
        two = fleet.begin("two", "collect,curate,serve", text=fleet.text(ports[1], sources=[b]))
        two.wait_for(lambda: "is not the applied configuration (version 1)" in two.log, "a word about the difference")
        two.wait_for(lambda: two.titles() == [harbour], "the same items")
        assert "is not the applied configuration" in command(two.config, "status").stderr
        assert origin.asked("/b") == []
        shown = command(two.config, "apply", "--dry-run")
        assert "would add source" in shown.stdout
        assert "would stop following" in shown.stdout
        assert "version 2 is applied" in command(two.config, "apply").stdout
        one.wait_for(lambda: one.titles()[:1] == [budget], "the item of the second configuration")
        one.wait_for(lambda: "is not the applied configuration (version 2)" in one.log, "a word about the difference")
        assert "nothing to change; version 2 is applied" in command(two.config, "apply").stdout
        # saving the file again changes nothing either
        asked = len(origin.asked("/a"))
        one.config.write_text(one.config.read_text("utf-8") + "\n# saved\n", "utf-8")
        one.wait_for(lambda: one.log.count("is not the applied configuration (version 2)") > 2, "the reload")
        assert len(origin.asked("/a")) <= asked + 1
    finally:
        fleet.end()
    assert fleet.tracebacks == []
    done = command(_sqlite(tmp_path), "apply")
    assert done.returncode == 2
    assert "on SQLite saving the file applies it" in done.stderr


def _sqlite(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('[site]\nurl = "http://127.0.0.1:1"\n[[sources]]\nurl = "http://127.0.0.1:1/a"\nsection = "A"\n')
    return path
