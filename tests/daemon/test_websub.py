"""WebSub in the real daemon: a scripted hub on loopback, verified, delivering, told that it was missed."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from daemon_process import config_text, daemon
from origin import Answer, Origin, rss
from scripted_hub import ScriptedHub

from aggregator import assemble
from aggregator.collect.poll import PollOutcome
from aggregator.daemon.websub import WebSub
from aggregator.errors import StoreUnavailable


def test_what_a_hub_delivers_is_published_without_a_poll(tmp_path: Path) -> None:
    with Origin() as origin:
        hub = ScriptedHub(origin)
        links = f'<atom:link rel="hub" href="{hub.url}"/><atom:link rel="self" href="{origin.url("/feed")}"/>'

        def document(*titles: str) -> bytes:
            return rss(*titles, extra=links).replace(b"<rss ", b'<rss xmlns:atom="http://www.w3.org/2005/Atom" ')

        url = origin.on("/feed", Answer(body=document("PollOutcome"), conditional=True))
        with daemon(tmp_path, config_text(url, interval="1h")) as running:
            assert running.wait_for(running.titles) == ["PollOutcome"]
            running.wait_for(lambda: hub.verifications, "the subscription")
            assert hub.verifications[0].status == 200
            assert hub.callback.startswith(f"http://127.0.0.1:{running.port}/push/")
            assert hub.deliver(document("Pushed")).status == 202
            assert hub.deliver(document("Forged"), signature="sha256=" + "0" * 64).status == 202
            running.wait_for(lambda: "Pushed" in running.titles(), "the delivery")
            assert set(running.titles()) == {"PollOutcome", "Pushed"}
            assert len(origin.asked("/feed")) == 1
            for line in (
                'aggregator_websub_deliveries_total{outcome="stored"} 1',
                'aggregator_websub_deliveries_total{outcome="unsigned"} 1',
                'aggregator_websub_subscriptions{state="active"} 1',
            ):
                running.wait_for(lambda line=line: line in running.get("/metrics").body.decode(), line)  # type: ignore[misc]
            callback = hub.callback
            assert callback.rpartition("/")[2] not in running.log, "the address is a secret"
            assert running.stop()[0] == 0
        with daemon(tmp_path) as again:
            assert hub.deliver(document("After a restart"), callback=callback).status == 202
            again.wait_for(lambda: "After a restart" in again.titles(), "the delivery")
            assert len(hub.asked) == 1


def test_without_hubs_the_store_is_read_only_after_a_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds, broken = Counter[str](), [StoreUnavailable("locked")]

    async def tick() -> None:
        rounds["asked"] += 1
        if broken:
            raise broken.pop()

    subscriber = SimpleNamespace(has_hubs=False, tick=tick)
    monkeypatch.setattr(assemble, "subscriber", lambda *_, **__: subscriber)

    async def run() -> None:
        websub = WebSub(
            *cast("Any", (None, None, None)),
            clock=cast("Any", lambda: datetime.now(UTC)),
            on_delivered=cast("Any", None),
        )
        with pytest.raises(StoreUnavailable):
            await websub.tick()
        await websub.tick()  # what a store that was locked has kept from being read
        assert rounds["asked"] == 2
        for _ in range(3):
            await websub.tick()
        assert rounds["asked"] == 2
        websub.polled(cast("PollOutcome", SimpleNamespace(stored=None)))
        await websub.tick()
        await websub.tick(shared=True)
        subscriber.has_hubs = True
        await websub.tick()
        assert rounds["asked"] == 5

    asyncio.run(run())
