"""Our side of bench/collect.py: the real poll_loop, fetcher, parse processes and store.

    python collect_ours.py DIRECTORY SOURCES [--profile]

Reads the name of a round a line from stdin, and answers with a line of JSON when every source has been polled once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collect_origin import REPEATED, documents, urls
from profiles import Profiles

#: between two rounds; longer than any interval, and in all too short for a 304 to be doubted
STEP, LONG_STEP = timedelta(hours=7), timedelta(days=2)


async def ours(directory: Path, sources: int, profiles: Profiles | None) -> None:
    """Polls every source once for each line of stdin; answers as collect_reader.py does."""
    from aggregator.collect.cadence import Policy
    from aggregator.collect.fetch import Fetcher, FetchLimits
    from aggregator.collect.guard import Guard
    from aggregator.collect.parse import TwoTierParsePool
    from aggregator.collect.poll import Poller, PollOutcome
    from aggregator.daemon.poll_loop import PollLoop
    from aggregator.model import Subscription, Verdict
    from aggregator.store import open_store

    now, failed = datetime(2026, 6, 2, tzinfo=UTC), list[str]()
    left, over = 0, asyncio.Event()

    def clock() -> datetime:
        return now

    def note(polled: PollOutcome) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            over.set()
        if polled.result.error is not None:
            failed.append(str(polled.result.error))

    store = open_store("sqlite:ours.db", base=directory)
    store.sync_sources([Subscription(url=url) for url in urls(sources, tls="--tls" in sys.argv)], now=clock())
    fetcher = Fetcher(FetchLimits(), Guard(("127.0.0.0/8",)), "bench (+https://example.org)")
    parser = TwoTierParsePool()
    await parser.start()
    policy = Policy(min_interval=timedelta(minutes=30), max_interval=timedelta(hours=6))
    poller = Poller(store, fetcher, parser, policy, lambda _source, _entry: Verdict(), clock)
    poll_loop = PollLoop(store, poller, slots=64, per_host=1, lease=timedelta(minutes=2), clock=clock, on_polled=note)
    if profiles:
        profiles.spent(1)  # what loading and starting took
    print(json.dumps({"ready": True}), flush=True)
    while stage := (await asyncio.to_thread(sys.stdin.readline)).strip():
        left = sources
        over.clear()
        began, used = time.perf_counter(), time.process_time()
        while left > 0:  # as the daemon does it: a look at the store every second, and whenever a slot becomes free
            await poll_loop.claim_due()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 1)
        took_s, own_s = time.perf_counter() - began, time.process_time() - used
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        entries = await asyncio.to_thread(lambda: store.stats().entries)
        answer = {"s": took_s, "own": own_s, "entries": entries, "failed": failed[:3], "mb": peak_mb}
        print(json.dumps(answer | ({"profile": profiles.spent(sources)} if profiles else {})), flush=True)
        now += STEP if stage in REPEATED else LONG_STEP
    await poll_loop.stop(within=timedelta(seconds=2))
    await parser.close()
    await fetcher.close()
    store.close()
    children_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"child_mb": children_mb}), flush=True)


def child(data: Path, sources: int) -> None:
    """What a child process of ours does in the cold round, in this process, with where the CPU goes."""
    from aggregator.collect.parse import parse_sync
    from aggregator.collect.parse.protocol import decode_request, encode_feed, encode_request
    from aggregator.model import Document

    bodies = [first for first, _ in documents(data, sources)]
    requests = [
        encode_request(Document(body=body, url=url, content_type="application/rss+xml", previous=b""))[8:]
        for body, url in zip(bodies, urls(sources), strict=True)
    ]
    profiles = Profiles()
    for request, body in zip(requests, bodies, strict=True):
        encode_feed(parse_sync(decode_request(request.removesuffix(body), body)))
    print(f"a child process of ours, ms a document\n{profiles.spent(sources)}")


if __name__ == "__main__":
    from aggregator.daemon import runtime

    runtime.run(ours(Path(sys.argv[1]), int(sys.argv[2]), Profiles() if "--profile" in sys.argv else None))
