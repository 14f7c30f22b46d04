"""A merge that an edit shows to be wrong, from outside: the real daemon, scripted papers, the list before and after."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest
from curating import AGENCY, BRIDGE, FAREWELL, SHIP
from daemon_process import Running, command, config_text, daemon, rows, start
from origin import Answer, Origin


@pytest.fixture
def papers() -> Iterator[tuple[Origin, Origin]]:
    with Origin("127.0.0.21") as first, Origin("127.0.0.22") as second:
        yield first, second


def feed(origin: Origin, title: str, lead: str) -> Answer:
    site = f"http://{origin.host}"
    entry = (
        f"<item><title>{escape(title)}</title><link>{site}/article</link><guid>{site}/article</guid>"
        f"<description>{escape(lead)}</description></item>"
    )
    body = (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel><title>Paper</title>'
        "<language>en</language>"
        f"<link>{site}/</link><description>Written for a test</description>{entry}</channel></rss>\n"
    )
    return Answer(body=body.encode())


def publish(origin: Origin, title: str, lead: str) -> str:
    return origin.on("/feed", feed(origin, title, lead))


def latest(running: Running) -> list[dict[str, Any]]:
    return rows(running.config, "list", "latest")


def merged(running: Running) -> tuple[dict[str, Any], str]:
    """The one item that both papers carry, and the id that was absorbed."""
    running.wait_for(lambda: [row for row in latest(running) if row["sources"] == 2], "one item of two papers")
    (item,) = latest(running)
    (told,) = rows(running.config, "explain", item["id"])
    (former,) = told["former_ids"]
    return item, former


def apart(running: Running) -> dict[str, str]:
    """The titles by id once there are two items again."""
    running.wait_for(lambda: len(running.titles()) == 2, "two items")
    return {row["id"]: row["title"] for row in latest(running)}


def test_a_copy_that_is_edited_into_another_article_is_an_item_of_its_own_again(
    tmp_path: Path, papers: tuple[Origin, Origin]
) -> None:
    first, second = papers
    urls = [publish(origin, SHIP, AGENCY) for origin in papers]
    with daemon(tmp_path, config_text(*urls)) as running:
        item, former = merged(running)
        assert running.titles() == [SHIP]
        assert running.get(f"/item/{former}").status in {301, 302, 308}
        publish(second, BRIDGE, FAREWELL)
        found = apart(running)
        winner_of = {first: SHIP, second: BRIDGE}
        assert set(found) == {item["id"], former}
        assert sorted(found.values()) == sorted(winner_of.values())
        for item_id, title in found.items():
            page = running.get(f"/item/{item_id}")
            assert page.status == 200
            assert escape(title) in page.body.decode()
        for item_id in found:
            (undone,) = rows(running.config, "explain", item_id)[0]["undone"]
            assert (undone["item"], undone["restored"]) == (item["id"], former)
            told = command(running.config, "explain", item_id).stdout
            assert "undone when a text was edited" in told
            assert "no longer the same text" in told
            assert "100 % of the shorter one's word pairs" in told, "why it had been merged"
        # and alike again: one item again, under the older id
        publish(second, SHIP, AGENCY)
        running.wait_for(lambda: running.titles() == [SHIP], "one item again")
        assert merged(running) == ({**item, "views": item["views"]}, former)
        assert "Traceback" not in running.log


def test_small_edits_take_nothing_apart(tmp_path: Path, papers: tuple[Origin, Origin]) -> None:
    first, second = papers
    urls = [publish(origin, SHIP, AGENCY) for origin in papers]
    with daemon(tmp_path, config_text(*urls)) as running:
        item, _ = merged(running)
        headlines = {"Freighter still aground off Harbour Town", "Channel closed: freighter aground in fog"}
        publish(second, "Channel closed: freighter aground in fog", AGENCY + " Tugs are on their way.")
        publish(first, "Freighter still aground off Harbour Town", AGENCY.replace("900", "1,200"))
        running.wait_for(lambda: bool(headlines.intersection(running.titles())), "the edit of the paper that was first")
        asked = len(second.asked("/feed"))
        running.wait_for(lambda: len(second.asked("/feed")) >= asked + 2, "two more polls")
        assert [row["id"] for row in latest(running)] == [item["id"]]
        assert latest(running)[0]["sources"] == 2


def test_a_kill_between_the_edit_and_the_undoing_loses_neither(tmp_path: Path, papers: tuple[Origin, Origin]) -> None:
    _, second = papers
    urls = [publish(origin, SHIP, AGENCY) for origin in papers]
    running = start(tmp_path, config_text(*urls))
    try:
        running.wait_ready()
        item, former = merged(running)
        publish(second, BRIDGE, FAREWELL)
        asked = len(second.asked("/feed"))
        running.wait_for(lambda: len(second.asked("/feed")) > asked, "the next poll")
    finally:
        running.process.kill()
        running.process.wait()
    with daemon(tmp_path) as running:
        assert set(apart(running)) == {item["id"], former}
