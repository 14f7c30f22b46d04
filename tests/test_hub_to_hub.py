"""Two daemons: one follows the other's feeds at its own hub, and has what is new within seconds, without a poll."""

from __future__ import annotations

import re
from pathlib import Path

from daemon_process import Running, config_text, daemon
from origin import Answer, Origin, rss

HUB = '[publish]\nhub = "self"'


def polls(running: Running) -> int:
    """How many polls a daemon has made."""
    text = running.get("/metrics").body.decode()
    return sum(int(float(count)) for count in re.findall(r"^aggregator_polls_total\{.*\} (\S+)", text, re.MULTILINE))


def metric(running: Running, line: str) -> bool:
    return line in running.get("/metrics").body.decode().splitlines()


def test_what_one_publishes_the_other_has_within_seconds(tmp_path: Path) -> None:
    """Followed: the latest of the site, of a section and of a source, in a format each."""
    for name in ("publisher", "subscriber"):
        (tmp_path / name).mkdir()
    with Origin() as origin:
        url = origin.on("/feed", Answer(body=rss("First")))
        with daemon(tmp_path / "publisher", config_text(url, extra=HUB)) as publisher:
            publisher.wait_for(publisher.titles, "the first item")
            [slug] = set(re.findall(r"/source/([^/]+)/latest", publisher.get("/feeds").body.decode()))
            paths = ("/feeds/latest.atom", "/section/world/latest.rss", f"/source/{slug}/latest.json")
            topics = [f"http://127.0.0.1:{publisher.port}{path}" for path in paths]
            for path in paths:
                assert f'<http://127.0.0.1:{publisher.port}/hub>; rel="hub"' in publisher.get(path).headers["link"]
            with daemon(tmp_path / "subscriber", config_text(*topics, interval="1h")) as subscriber:
                assert subscriber.wait_for(subscriber.titles, "the first poll") == ["First"]
                subscriber.wait_for(
                    lambda: metric(subscriber, 'aggregator_websub_subscriptions{state="active"} 3.0'), "the hub"
                )
                assert polls(subscriber) == 3
                origin.on("/feed", Answer(body=rss("First", "Second")))
                publisher.wait_for(lambda: "Second" in publisher.titles(), "the poll of the publisher")
                subscriber.wait_for(lambda: "Second" in subscriber.titles(), "the push")
                stored = 'aggregator_websub_deliveries_total{outcome="stored"} 3.0'
                subscriber.wait_for(lambda: metric(subscriber, stored), "a delivery of each")
                assert sorted(subscriber.titles()) == ["First", "Second"], "one item, whoever brings it"
                assert polls(subscriber) == 3, "no poll has brought it"
                status = subscriber.get("/status").body.decode()
                assert "Push: 127.0.0.1 last delivered" in status
