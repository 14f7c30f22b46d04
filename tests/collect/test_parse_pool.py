from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from frozen import freeze

from aggregator.collect.parse import ParsePool, parse_sync
from aggregator.collect.parse.protocol import (
    LENGTHS,
    NO_ANSWER,
    decode_answer,
    decode_request,
    encode_feed,
    encode_request,
)
from aggregator.errors import ParseError
from aggregator.model import Document, Enclosure, FeedInfo, ParsedEntry, ParsedFeed, Upstream

GOOD = Document(
    body=b"<rss version='2.0'><channel><title>F</title><item><title>t</title>"
    b"<pubDate>Tue, 03 Mar 2026 10:00:00 GMT</pubDate></item></channel></rss>",
    url="https://example.org/feed",
    content_type="text/xml",
    content_language="de",
)


def running(
    act: Callable[[ParsePool], Awaitable[None]], *, timeout: float = 100, count: int = 1, memory_bytes: int = 2**29
) -> None:
    async def main() -> None:
        parser = ParsePool(count=count, timeout=timedelta(seconds=timeout), memory_bytes=memory_bytes)
        try:
            await act(parser)
        finally:
            await parser.close()
            await parser.close()

    asyncio.run(main())


def test_the_child_gives_what_the_function_gives() -> None:
    async def act(parser: ParsePool) -> None:
        assert await parser.parse(GOOD) == parse_sync(GOOD)
        assert await parser.parse(replace(GOOD, url="https://example.org/x")) == parse_sync(GOOD)

    running(act)


def test_a_child_whose_parent_has_died_ends_without_a_word() -> None:
    """Somebody reads what the daemon logs; that it was killed is known to whoever killed it."""
    limits = ("536870912", "10", "0")
    with subprocess.Popen(
        [sys.executable, "-m", "aggregator.collect.parse.child", *limits],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.read(1) == b"R"
        child.stdout.close()
        child.stdin.write(encode_request(GOOD))
        child.stdin.close()
        assert child.stderr.read() == b""


def test_errors_come_through() -> None:
    async def act(parser: ParsePool) -> None:
        with pytest.raises(ParseError) as caught:
            await parser.parse(replace(GOOD, body=b"<html></html>"))
        assert caught.value.code == "not-a-feed"
        assert parser.restarts == 0

    running(act)


def test_a_document_that_takes_too_long_costs_its_child_only() -> None:
    async def act(parser: ParsePool) -> None:
        await freeze(parser)
        with pytest.raises(ParseError) as caught:
            await parser.parse(GOOD)
        assert caught.value.code == "parse-timeout"
        assert parser.restarts == 1
        assert (await parser.parse(GOOD)).entries[0].title == "t"

    running(act, timeout=8)  # a busy machine takes seconds to start the next child


def test_the_other_children_go_on_meanwhile() -> None:
    async def act(parser: ParsePool) -> None:
        await freeze(parser)
        stuck = asyncio.create_task(parser.parse(GOOD))
        await asyncio.sleep(0)
        for _ in range(20):
            assert (await parser.parse(GOOD)).entries
        assert not stuck.done()
        stuck.cancel()

    running(act, timeout=100, count=2)


def test_memory_is_limited() -> None:
    async def act(parser: ParsePool) -> None:
        with pytest.raises(ParseError) as caught:
            await parser.parse(replace(GOOD, body=b"<rss><channel><title>" + b"x" * 100_000_000))
        assert caught.value.code == "parse-memory"
        assert (await parser.parse(GOOD)).entries

    running(act, memory_bytes=200 * 1024 * 1024)


def test_a_child_that_dies_is_replaced() -> None:
    async def act(parser: ParsePool) -> None:
        pid = await freeze(parser)
        task = asyncio.create_task(parser.parse(GOOD))
        await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ParseError) as caught:
            await task
        assert caught.value.code == "parse-crash"
        assert (await parser.parse(GOOD)).entries

    running(act)


def test_a_cancelled_parse_does_not_answer_for_the_next() -> None:
    async def act(parser: ParsePool) -> None:
        await freeze(parser)
        task = asyncio.create_task(parser.parse(replace(GOOD, body=GOOD.body.replace(b">t<", b">never<"))))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await parser.parse(GOOD)).entries[0].title == "t"

    running(act)


def test_a_child_is_left_with_nothing_after_close() -> None:
    async def act(parser: ParsePool) -> None:
        await parser.start()
        process = parser._all[0]._process
        assert process is not None
        await parser.close()
        assert process.returncode == 0
        with pytest.raises(ParseError):
            await parser.parse(GOOD)

    running(act)


def test_everything_survives_the_wire() -> None:
    moment = datetime(2026, 3, 3, 10, 0, 0, 123456, tzinfo=UTC)
    feed = ParsedFeed(
        version="atom10",
        info=FeedInfo(
            title="é",
            hubs=("https://h.example/",),
            ttl=timedelta(minutes=5),
            skip_hours=frozenset({3, 1}),
            skip_days=frozenset({6}),
            update_every=timedelta(days=1),
        ),
        entries=(
            ParsedEntry(
                guid="g",
                published=moment,
                updated=moment,
                categories=("a", "b"),
                enclosures=(Enclosure(url="https://e.example/a", type="t", size_bytes=1),),
                outlinks=("https://o.example/",),
                upstream=Upstream(comments=1),
                content_hash=bytes(range(32)),
            ),
            ParsedEntry(),
        ),
        truncated=True,
        warnings=("ill-formed",),
    )
    framed = encode_feed(feed)
    assert decode_answer(framed[LENGTHS.size :]) == feed
    request = encode_request(GOOD)
    header, _ = LENGTHS.unpack(request[: LENGTHS.size])
    body = request[LENGTHS.size :]
    assert decode_request(body[:header], body[header:]) == GOOD


#: no field as it is by default, and texts that a careless format would lose: empty, beyond 16 bits, with its own signs
FULL = ParsedEntry(
    guid="\n",
    link="https://l.example/",
    title="\U0001f600 é \ud800",
    summary_html='"\\',
    content_html="{",
    text="\0\x1f",
    author="a",
    published=datetime(2026, 3, 3, 10, 0, 0, 123456, tzinfo=UTC),
    updated=datetime(1990, 1, 1, tzinfo=UTC),
    language="de",
    categories=("", "c", "d"),
    image_url="https://i.example/",
    image_width=640,
    enclosures=(Enclosure(url="https://e.example/"), Enclosure(url="https://e.example/b", type="t", size_bytes=0)),
    outlinks=("https://o.example/", "https://o.example/2"),
    upstream=Upstream(comments=0, views=2, votes=3),
    content_hash=b"\n\0",
)


def test_every_field_of_an_entry_survives_the_wire() -> None:
    usual = ParsedEntry()
    assert all(getattr(FULL, field.name) != getattr(usual, field.name) for field in fields(FULL))
    feed = ParsedFeed(version="v", info=FeedInfo(), entries=(FULL, usual, FULL), unchanged=1, fingerprint=b"\n\xff")
    assert decode_answer(encode_feed(feed)[LENGTHS.size :]) == feed


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(lambda answer: answer[:-1], id="cut"),
        pytest.param(lambda answer: answer + b"x", id="too long"),
        pytest.param(lambda answer: answer.replace(b'"texts":[', b'"texts":[1,'), id="a text too many"),
        pytest.param(lambda answer: answer.replace(b'"texts":[1,', b'"texts":['), id="a text too few"),
        pytest.param(lambda answer: answer.replace(b'"entries":[[', b'"entries":[[null,'), id="no number"),
        pytest.param(lambda answer: b'{"feed":{}}\n', id="nothing in it"),
        pytest.param(lambda answer: answer.replace(b'"entries":[[', b'"entries":[[],['), id="no numbers"),
        pytest.param(lambda answer: b"[]", id="a list"),
        pytest.param(lambda answer: b"\xff", id="no text"),
    ],
)
def test_an_answer_that_was_damaged_is_none(damaged: Callable[[bytes], bytes]) -> None:
    answer = encode_feed(ParsedFeed(version="v", info=FeedInfo(), entries=(FULL,)))[LENGTHS.size :]
    assert damaged(answer) != answer
    with pytest.raises(NO_ANSWER):
        decode_answer(damaged(answer))
