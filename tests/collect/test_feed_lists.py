"""Lists of feeds on the web: asked for like feeds, followed as they are."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from desk import DAY, HOUR, LIMITS, START, USER_AGENT
from origin import Answer, Origin

from aggregator.collect import feed_lists
from aggregator.collect.feed_lists import FeedList, ListedFeed
from aggregator.collect.fetch import Fetcher
from aggregator.collect.guard import Guard
from aggregator.config import parse
from aggregator.following import followed, refresh_feed_lists
from aggregator.publish import opml


def document(*urls: str, folder: str = "") -> bytes:
    feeds = "".join(f'<outline type="rss" text="{url[-1]}" xmlUrl="{url}"/>' for url in urls)
    body = f'<outline text="{folder}">{feeds}</outline>' if folder else feeds
    return f'<?xml version="1.0"?><opml version="2.0"><head/><body>{body}</body></opml>'.encode()


A, B, C = (f"https://{name}.example/feed" for name in "abc")
PAIR = {"ETag": '"1"', "Last-Modified": "Mon"}


def read(body: bytes) -> list[ListedFeed]:
    return [ListedFeed(url=one.url, title=one.title, section=one.section) for one in opml.parse(body).feeds]


def follow(url: str, times: int, *, jitter: float = 0.0) -> list[FeedList]:
    """The list after each of so many requests, each when it is due."""

    async def run() -> list[FeedList]:
        kept, found = FeedList(url=url), list[FeedList]()
        now = START
        fetcher = Fetcher(LIMITS, Guard(["127.0.0.0/8"]), USER_AGENT)
        for _ in range(times):
            kept = await feed_lists.refresh(kept, fetcher, read, now=now, jitter=jitter)
            found.append(kept)
            assert kept.next_fetch is not None
            now = kept.next_fetch
        await fetcher.close()
        return found

    return asyncio.run(run())


def addresses(kept: FeedList) -> list[str]:
    return [feed.url for feed in kept.feeds]


def test_a_list_is_followed_as_it_is_and_asked_for_conditionally() -> None:
    with Origin() as origin:
        answers = [Answer(body=document(A, B), headers=PAIR), Answer(status=304), Answer(body=document(B, C))]
        first, second, third = follow(origin.on("/list.opml", *answers), 3)
        assert [addresses(kept) for kept in (first, second, third)] == [[A, B], [A, B], [B, C]]
        assert [request.headers.get("if-none-match") for request in origin.requests] == [None, '"1"', '"1"']
        assert second.next_fetch is not None
        assert first.next_fetch is not None
        assert second.next_fetch - first.next_fetch == 6 * HOUR


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=500),
        Answer(status=404),
        Answer(status=410),
        Answer(body=b"<html>Sign in</html>"),
        Answer(body=b""),
        Answer(body=document()),
        Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + document(A)),
        Answer(status=302, headers={"Location": "/list.opml"}),
    ],
)
def test_a_list_that_fails_changes_nothing_and_backs_off(answer: Answer) -> None:
    with Origin() as origin:
        good = Answer(body=document(A, B), headers={"Cache-Control": "max-age=36000"})
        first, *failing, last = follow(
            origin.on("/list.opml", good, answer, answer, answer, Answer(body=document(C))), 5
        )
        assert first.next_fetch == START + 10 * HOUR
        assert {tuple(addresses(kept)) for kept in failing} == {(A, B)}
        assert all(kept.error for kept in failing)
        times = [kept.next_fetch for kept in (first, *failing) if kept.next_fetch]
        waits = [later - earlier for earlier, later in pairwise(times)]
        assert min(waits) >= 10 * HOUR, "never sooner than while it worked"
        if answer.status != 410:
            assert (addresses(last), last.error, last.error_count) == ([C], None, 0)


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    feeds = (ListedFeed(url=A, title="Ä", section="World"), ListedFeed(url=B))
    kept = FeedList(
        url="https://lists.example/x",
        feeds=feeds,
        fetched_at=START,
        next_fetch=START + DAY,
        error="no",
        error_count=2,
        error_since=START,
        etag='"caf\xc3\xa9"',
        max_age_s=60.0,
        good_interval_s=3600.0,
        refusals=1,
    )
    feed_lists.save(tmp_path / "new", kept)
    assert feed_lists.load(tmp_path / "new", kept.url) == kept
    assert feed_lists.load(tmp_path / "new", "https://lists.example/other") == FeedList(
        url="https://lists.example/other"
    )
    (path,) = (tmp_path / "new").iterdir()
    for damage in ("", "{", "[]", '{"feeds": 1}', '{"feeds": [], "unknown": 1}'):
        path.write_text(damage)
        assert feed_lists.load(tmp_path / "new", kept.url) == FeedList(url=kept.url)


def test_the_configuration_and_its_lists_together(tmp_path: Path) -> None:
    with Origin() as origin:
        origin.on("/a.opml", Answer(body=document(A, B, "ftp://c.example/feed", folder="Science")))
        origin.on("/b.opml", Answer(body=document(B, C, folder="Else")))
        text = (
            f'[polling]\nallow_private_addresses = ["127.0.0.0/8"]\n[[sources]]\nurl = "{A}"\nsection = "Mine"\n'
            f'[[subscriptions]]\nopml = "{origin.url("/a.opml")}"\n'
            f'[[subscriptions]]\nopml = "{origin.url("/b.opml")}"\nsection = "Lists"\n'
        )
        settings = parse(text, path=tmp_path / "config.toml")
        assert [one.url for one in followed(settings)] == [A], "nothing has been asked for yet"

        async def refresh(after: timedelta) -> bool:
            fetcher = Fetcher(LIMITS, Guard(["127.0.0.0/8"]), USER_AGENT)
            try:
                return await refresh_feed_lists(settings, fetcher, lambda: START + after)
            finally:
                await fetcher.close()

        assert asyncio.run(refresh(timedelta(0)))
        assert [(one.url, one.section) for one in followed(settings)] == [(A, "Mine"), (B, "Science"), (C, "Lists")]
        assert not asyncio.run(refresh(HOUR))
        assert len(origin.requests) == 2, "neither is due"
        origin.on("/a.opml", Answer(body=document(A, folder="Science")))
        assert asyncio.run(refresh(DAY))
        assert [(one.url, one.section) for one in followed(settings)] == [(A, "Mine"), (B, "Lists"), (C, "Lists")]
        without = parse(text.replace('section = "Lists"\n', "enabled = false\n"), path=tmp_path / "config.toml")
        assert [one.url for one in followed(without)] == [A]
