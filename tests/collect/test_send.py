"""Requests that are no polls: what hubs and their subscribers say to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import pytest
from origin import Answer, Origin

from aggregator.collect.fetch import Fetcher, FetchLimits, Reply
from aggregator.collect.fetch.types import REPLY_BYTES
from aggregator.collect.guard import Guard
from aggregator.errors import FetchError

T = TypeVar("T")
LIMITS = FetchLimits(total=timedelta(seconds=1))


def with_fetcher(use: Callable[[Fetcher], Awaitable[T]], allow: tuple[str, ...] = ("127.0.0.1/32",)) -> T:
    async def run() -> T:
        fetcher = Fetcher(LIMITS, Guard(allow), "aggregator/0.1 (+https://example.org/about)")
        try:
            return await use(fetcher)
        finally:
            await fetcher.close()

    return asyncio.run(run())


def test_a_body_goes_out_and_any_answer_comes_back() -> None:
    with Origin() as origin:
        url = origin.on("/hub", Answer(status=202, body=b"thanks"))
        reply = with_fetcher(lambda fetcher: fetcher.send("POST", url, body=b"a=1", headers={"X-One": "1"}))
        assert reply == Reply(status=202, body=b"thanks")
        [request] = origin.requests
        assert (request.method, request.body, request.headers["x-one"]) == ("POST", b"a=1", "1")
        assert request.headers["user-agent"].startswith("aggregator/")
        moved = origin.on("/moved", Answer(status=301, headers={"Location": url}))
        assert with_fetcher(lambda fetcher: fetcher.send("GET", moved)).status == 301
        busy = origin.on("/busy", Answer(status=503, headers={"Retry-After": "90"}))
        assert with_fetcher(lambda fetcher: fetcher.send("GET", busy)).retry_after == timedelta(seconds=90)


def test_a_long_or_slow_answer_is_not_waited_for() -> None:
    with Origin() as origin:
        long = origin.on("/long", Answer(body=b"x" * 1_000_000))
        assert len(with_fetcher(lambda fetcher: fetcher.send("GET", long)).body) == REPLY_BYTES
        slow = origin.on("/slow", Answer(body=b"x" * 1000, drip_s=0.2))
        with pytest.raises(FetchError, match="not complete") as caught:
            with_fetcher(lambda fetcher: fetcher.send("GET", slow))
        assert caught.value.code == "timeout-total"


def test_the_guard_stands_here_too() -> None:
    with Origin() as origin:
        url = origin.on("/", Answer())
        with pytest.raises(FetchError) as caught:
            with_fetcher(lambda fetcher: fetcher.send("POST", url, body=b"x"), allow=())
        assert caught.value.code == "blocked-address"
        assert origin.requests == []
