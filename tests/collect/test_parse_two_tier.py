from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from aggregator.collect.parse import TwoTierParsePool, parse_sync
from aggregator.errors import ParseError
from aggregator.model import Document

HEAD = b'<rss version="2.0"><channel><title>t</title><item><title>One</title>'
TAIL = b"</item></channel></rss>"
GOOD = Document(body=HEAD + TAIL, url="https://example.org/good")
#: a dozen seconds of processor time
ENDLESS = Document(body=HEAD + b"<description>" + b"<x>" * 1_000_000 + TAIL, url="https://example.org/endless")


def running(
    act: Callable[[TwoTierParsePool], Awaitable[None]], *, patience_s: float, timeout_s: float, queue_s: float
) -> None:
    async def run() -> None:
        pool = TwoTierParsePool(
            count=1,
            quick_timeout=timedelta(seconds=patience_s),
            timeout=timedelta(seconds=timeout_s),
            max_wait=timedelta(seconds=queue_s),
        )
        try:
            await pool.start()
            await act(pool)
        finally:
            await pool.close()

    asyncio.run(run())


async def code_of(pool: TwoTierParsePool, document: Document) -> str:
    with pytest.raises(ParseError) as caught:
        await pool.parse(document)
    return caught.value.code


def test_quick_documents_pass_slow_ones() -> None:
    async def act(pool: TwoTierParsePool) -> None:
        bombs = [replace(ENDLESS, url=f"https://example.org/{number}") for number in range(3)]
        stuck = [asyncio.create_task(code_of(pool, bomb)) for bomb in bombs]
        await asyncio.sleep(2.5)  # all three have had their turn in the quick lane
        for _ in range(10):
            assert await pool.parse(GOOD) == parse_sync(GOOD)
        assert not all(task.done() for task in stuck), "one after the other they take three times eight seconds"
        assert await asyncio.gather(*stuck) == ["parse-timeout"] * 3

    running(act, patience_s=0.5, timeout_s=8, queue_s=1)


def test_what_was_slow_once_does_not_enter_the_quick_lane_again() -> None:
    async def act(pool: TwoTierParsePool) -> None:
        assert await code_of(pool, ENDLESS) == "parse-timeout"
        killed = pool.restarts
        assert await code_of(pool, ENDLESS) == "parse-timeout"
        assert pool.restarts == killed + 1
        cured = replace(GOOD, url=ENDLESS.url)
        assert (await pool.parse(cured)).entries, "in the slow tier"
        assert (await pool.parse(cured)).entries

    running(act, patience_s=1, timeout_s=1, queue_s=5)


def test_other_errors_come_from_the_quick_lane() -> None:
    async def act(pool: TwoTierParsePool) -> None:
        assert await code_of(pool, replace(GOOD, body=b"")) == "empty-body"
        assert pool.restarts == 0

    running(act, patience_s=2, timeout_s=2, queue_s=2)
