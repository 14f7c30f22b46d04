"""A document that says where its feed has moved (itunes:new-feed-url, newLocation): as a permanent redirect."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from desk import DAY, HOUR, Desk, InProcess
from origin import Answer, Origin, rss

from aggregator.model import Document, ParsedFeed, PollResult, Source, Subscription


class Reader(InProcess):
    """Reads the element by itself, and documents that hold nothing else: what is under test is what follows."""

    async def parse(self, document: Document) -> ParsedFeed:
        named = re.search(rb"<new>(.*?)</new>", document.body)
        body = re.sub(rb"<item>.*</item>", b"", rss("x")) if document.body.startswith(b"<redirect>") else document.body
        feed = await super().parse(replace(document, body=body))
        return replace(feed, new_location=named[1].decode() if named else None)


@pytest.fixture
def moved(desk: Desk) -> Desk:
    desk.parser = Reader()
    return desk


def names(target: str, *titles: str) -> bytes:
    return rss(*titles, extra=f"<new>{target}</new>")


def source(desk: Desk) -> Source:
    desk.now += 2 * DAY
    (lease,) = desk.store.claim(now=desk.now, limit=1, lease=HOUR)
    (found,) = lease.sources
    return found


def polls(desk: Desk, times: int) -> list[PollResult]:
    results = []
    for _ in range(times):
        results.append(desk.once())
        desk.skip_to(results[-1])
        desk.now += DAY
    return results


def test_it_is_adopted_after_a_week_when_the_feed_is_there(moved: Desk) -> None:
    with Origin("127.0.0.2") as new:
        target = new.on("/feed", Answer(body=rss("One", "Two", "Three"), headers={"ETag": '"n"'}))
        old = Answer(body=names(target, "One", "Two"), headers={"ETag": '"o"'})
        moved.follow(Subscription(url=moved.origin.on("/feed", old, Answer(status=304))))
        results = polls(moved, 4)
        assert "moved-permanently" in results[0].warnings, "it is told from the first sighting on"
        assert new.requests == [], "nothing is asked before it has been said for a week"
        results += polls(moved, 6)
        assert source(moved).fetch_url == target
        assert sum(result.adopt_url for result in results) == 1
        assert moved.titles() == ["One", "Three", "Two"]
        assert new.requests[0].headers.get("if-none-match") is None, "the old server's validators are not its own"


def test_it_is_not_adopted_where_the_feed_is_not(moved: Desk) -> None:
    with Origin("127.0.0.2") as new:
        target = new.on("/feed", Answer(status=404), Answer(body=rss("Other", "Things")))
        moved.follow(Subscription(url=moved.origin.on("/feed", Answer(body=names(target, "One", "Two")))))
        results = polls(moved, 25)
        assert {result.outcome for result in results} == {"new", "same"}, "the old address goes on"
        assert source(moved).fetch_url != target
        assert 2 <= len(new.requests) <= 4, "tried again after another week at the earliest"
        assert moved.titles() == ["One", "Two"]


def test_a_document_of_nothing_else_is_followed_at_once(moved: Desk) -> None:
    with Origin("127.0.0.2") as new:
        target = new.on("/feed", Answer(body=rss("One"), headers={"ETag": '"n"'}), Answer(status=304))
        redirect = f"<redirect><new>{target}</new></redirect>".encode()
        moved.follow(Subscription(url=moved.origin.on("/feed", Answer(body=redirect))))
        first, second, *_ = polls(moved, 10)
        assert (first.outcome, second.outcome) == ("new", "not-modified")
        assert moved.titles() == ["One"]
        assert source(moved).fetch_url == target
