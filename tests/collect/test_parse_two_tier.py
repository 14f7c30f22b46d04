from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from frozen import freeze

from aggregator.collect.parse import TwoTierParsePool, parse_sync
from aggregator.errors import ParseError
from aggregator.model import Document

HEAD = b'<rss version="2.0"><channel><title>t</title><item><title>One</title>'
TAIL = b"</item></channel></rss>"
GOOD = Document(body=HEAD + TAIL, url="https://example.org/good")


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
        await freeze(pool._slow_tier)
        stuck = []
        for number in range(3):
            await freeze(pool._quick)
            document = replace(GOOD, url=f"https://example.org/{number}")
            stuck.append(asyncio.create_task(code_of(pool, document)))
            while pool.restarts == number:  # noqa: ASYNC110 - until it has had its turn in the quick tier
                await asyncio.sleep(0.01)
        for _ in range(10):
            assert await pool.parse(GOOD) == parse_sync(GOOD)
        first, *others = stuck
        assert await asyncio.gather(*others) == ["parse-timeout"] * 2, "they do not wait for the first for ever"
        assert not first.done()
        first.cancel()

    running(act, patience_s=2, timeout_s=100, queue_s=1)


def test_what_was_slow_once_does_not_enter_the_quick_lane_again() -> None:
    async def act(pool: TwoTierParsePool) -> None:
        await freeze(pool._quick)
        await freeze(pool._slow_tier)
        assert await code_of(pool, GOOD) == "parse-timeout"
        assert pool.restarts == 2
        await freeze(pool._slow_tier)
        assert await code_of(pool, GOOD) == "parse-timeout"
        assert pool.restarts == 3
        await freeze(pool._quick)
        assert (await pool.parse(GOOD)).entries, "in the slow tier"
        assert pool.restarts == 3

    running(act, patience_s=2, timeout_s=2, queue_s=50)


def test_other_errors_come_from_the_quick_lane() -> None:
    async def act(pool: TwoTierParsePool) -> None:
        assert await code_of(pool, replace(GOOD, body=b"")) == "empty-body"
        assert pool.restarts == 0

    running(act, patience_s=2, timeout_s=2, queue_s=2)
