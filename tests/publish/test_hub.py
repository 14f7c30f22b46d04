"""WebSub: whoever subscribes at the embedded hub, and a hub of one's own choice, are told of changes within seconds."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from origin import Answer, Origin, Request
from publishing import NOON, SITE, make_services, poll_again, sqlite_store

from aggregator import assemble
from aggregator.collect.fetch import Fetcher, FetchLimits
from aggregator.collect.guard import Guard
from aggregator.model import HubSubscriber, Scope
from aggregator.publish.hub import Topics, retry_after
from aggregator.publish.hub.protocol import HubRequest, read_request
from aggregator.publish.web import Services, create_app, serve
from aggregator.store import Store

TOPIC = f"{SITE.url}/feeds/latest.atom"
SECRET = "s3cret"


@dataclass
class Subscriber:
    """A reader on loopback: confirms what it is asked, and keeps what it is told."""

    origin: Origin
    statuses: list[int] = field(default_factory=lambda: [204])
    confirms: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)
    told: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.callback = self.origin.on("/callback", self._answer) + "?mine=1"

    def _answer(self, request: Request) -> Answer:
        if request.method == "GET":
            self.asked.append({name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()})
            return Answer(body=self.asked[-1]["hub.challenge"].encode() if self.confirms else b"no")
        self.told.append(request)
        return Answer(status=self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])


@dataclass(frozen=True)
class Site:
    """A running site."""

    store: Store
    services: Services
    session: aiohttp.ClientSession
    url: str

    async def ask(
        self, reader: Subscriber, mode: str = "subscribe", topic: str = TOPIC, **more: str
    ) -> tuple[int, str]:
        form = {"hub.mode": mode, "hub.topic": topic, "hub.callback": reader.callback}
        form |= {f"hub.{name}": value for name, value in more.items()}
        async with self.session.post(f"{self.url}/hub", data=form) as response:
            return response.status, await response.text()

    async def subscribed(self, reader: Subscriber, **more: str) -> HubSubscriber:
        assert await self.ask(reader, **more) == (202, "")
        await until(self.store.hub_subscribers)
        return self.store.hub_subscribers()[0]

    def later(self, **span: float) -> None:
        self.services.clock = lambda: NOON + timedelta(**span)


#: a busy machine takes its time
PATIENCE_S = 100.0


async def until(come: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not come():  # noqa: ASYNC110  # what is waited for happens in another thread, or in the store
            await asyncio.sleep(0.02)


Story = Callable[[Site, Subscriber], Awaitable[None]]


def play(directory: Path, story: Story, *, hub: str = "self", allow: tuple[str, ...] = ("127.0.0.1/32",)) -> None:
    async def run() -> None:
        fetcher = Fetcher(FetchLimits(total=timedelta(seconds=PATIENCE_S)), Guard(allow), "aggregator/0.1")
        with closing(sqlite_store(directory)) as store, Origin() as origin:
            reader = Subscriber(origin)
            site = replace(SITE, hub=hub.replace("ORIGIN", origin.url()))
            services = make_services(store, directory, site=site, send=assemble.send(lambda: fetcher))
            server = await serve(create_app(services), listen="127.0.0.1:0")
            try:
                async with aiohttp.ClientSession() as session:
                    url = f"http://127.0.0.1:{server.addresses[0][1]}"
                    await story(Site(store, services, session, url), reader)
            finally:
                await server.stop()
                await fetcher.close()

    asyncio.run(run())


def test_a_change_arrives_whole_and_signed_within_seconds(tmp_path: Path) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        subscriber = await site.subscribed(reader, secret=SECRET, lease_seconds="3600")
        assert subscriber.until == NOON + timedelta(hours=1)
        [asked] = reader.asked
        assert (asked["mine"], asked["hub.mode"], asked["hub.topic"]) == ("1", "subscribe", TOPIC)
        assert asked["hub.lease_seconds"] == "3600"
        await asyncio.sleep(1.2)
        assert reader.told == [], "nothing has changed yet"

        poll_again(site.store)
        await until(lambda: reader.told)
        [told] = reader.told
        async with site.session.get(f"{site.url}/feeds/latest.atom") as response:
            assert told.body == await response.read()
        assert told.headers["content-type"].startswith("application/atom+xml")
        assert f'<{TOPIC}>; rel="self"' in told.headers["link"]
        assert f'<{SITE.url}/hub>; rel="hub"' in told.headers["link"]
        signature = hmac.new(SECRET.encode(), told.body, hashlib.sha256).hexdigest()
        assert told.headers["x-hub-signature"] == f"sha256={signature}"
        await asyncio.sleep(1.2)
        assert len(reader.told) == 1, "one change, told once"

    play(tmp_path, story)


def test_a_view_is_no_change(tmp_path: Path) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        await site.subscribed(reader)
        item = site.store.latest(Scope(), limit=1)[0]
        before = site.store.generation()
        site.store.like(item.id, visitor=b"1" * 16, now=NOON)
        assert site.store.generation() > before
        await asyncio.sleep(1.5)
        assert reader.told == []

    play(tmp_path, story)


def test_who_does_not_confirm_is_not_told(tmp_path: Path) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        reader.confirms = False
        assert (await site.ask(reader))[0] == 202
        await until(lambda: reader.asked)
        await asyncio.sleep(0.2)
        assert site.store.hub_subscribers() == []

    play(tmp_path, story)


def test_leaving_has_to_be_confirmed_as_well(tmp_path: Path) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        await site.subscribed(reader)
        reader.confirms = False
        assert (await site.ask(reader, "unsubscribe"))[0] == 202
        await until(lambda: len(reader.asked) == 2)
        await asyncio.sleep(0.2)
        assert len(site.store.hub_subscribers()) == 1
        reader.confirms = True
        assert (await site.ask(reader, "unsubscribe"))[0] == 202
        await until(lambda: not site.store.hub_subscribers())
        assert "hub.lease_seconds" not in reader.asked[-1]

    play(tmp_path, story)


def test_a_failure_is_tried_again_when_it_is_time(tmp_path: Path) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        reader.statuses = [500, 204]
        await site.subscribed(reader)
        poll_again(site.store)
        await until(lambda: site.store.hub_subscribers()[0].failures)
        [failed] = site.store.hub_subscribers()
        assert (failed.failures, failed.retry_at) == (1, NOON + timedelta(seconds=15))
        await asyncio.sleep(1.2)
        assert len(reader.told) == 1, "not before its time"
        site.later(seconds=16)
        await until(lambda: len(reader.told) == 2)
        await until(lambda: not site.store.hub_subscribers()[0].failures)

    play(tmp_path, story)


def test_who_is_gone_or_lapsed_is_forgotten(tmp_path: Path) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        reader.statuses = [410]
        await site.subscribed(reader)
        poll_again(site.store)
        await until(lambda: not site.store.hub_subscribers())
        assert len(reader.told) == 1
        await site.subscribed(reader, lease_seconds="60")
        site.later(minutes=2)
        site.store.put_lists([])
        site.store.like(site.store.latest(Scope(), limit=1)[0].id, visitor=b"1" * 16, now=NOON)
        await until(lambda: not site.store.hub_subscribers())
        assert len(reader.told) == 1

    play(tmp_path, story)


def test_a_change_while_the_site_was_down_is_told_after_the_start(tmp_path: Path) -> None:
    async def before(site: Site, reader: Subscriber) -> None:
        await site.subscribed(reader)
        [subscriber] = site.store.hub_subscribers()
        # the reader of the next run listens elsewhere
        site.store.remove_hub_subscriber(topic=subscriber.topic, callback=subscriber.callback)
        site.store.put_hub_subscriber(replace(subscriber, callback="CALLBACK", told="as it was"))

    async def after(site: Site, reader: Subscriber) -> None:
        [subscriber] = site.store.hub_subscribers()
        site.store.put_hub_subscriber(replace(subscriber, callback=reader.callback))
        await until(lambda: reader.told)

    play(tmp_path, before)
    play(tmp_path, after)


def test_nobody_can_make_it_knock_on_private_doors(tmp_path: Path) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        assert (await site.ask(reader))[0] == 202
        await asyncio.sleep(0.5)
        assert reader.origin.requests == []
        assert site.store.hub_subscribers() == []

    play(tmp_path, story, allow=())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mode": "publish"}, "hub.mode"),
        ({"topic": "https://elsewhere.example/feed"}, "hub.topic"),
        ({"topic": f"{SITE.url}/feeds/nosuch.atom"}, "hub.topic"),
        ({"topic": f"{SITE.url}/r/tok3n/recommended.atom"}, "hub.topic"),
        ({"topic": f"{SITE.url}/section/world/latest.xyz"}, "hub.topic"),
        ({"topic": f"{SITE.url}/source/nosuch/latest.atom"}, "hub.topic"),
        ({"topic": f"{SITE.url}/source/s1/ranking.atom"}, "hub.topic"),
        ({"topic": f"{SITE.url}/feeds/status.atom"}, "hub.topic"),
        ({"topic": f"{SITE.url}/search.atom?q=title"}, "hub.topic"),
        ({"topic": f"{SITE.url}/item/item1/related.atom"}, "hub.topic"),
        ({"topic": f"{SITE.url}/feeds/latest.atom?before=2026-11-23T00:00:00Z~item1"}, "hub.topic"),
        ({"lease_seconds": "soon"}, "hub.lease_seconds"),
        ({"secret": "x" * 200}, "hub.secret"),
    ],
)
def test_what_is_refused_and_why(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        status, text = await site.ask(reader, **changes)
        assert status == 400
        assert text.startswith(reason)
        assert reader.asked == []

    play(tmp_path, story)


def test_without_a_hub_of_its_own_there_is_no_such_address(tmp_path: Path) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        assert (await site.ask(reader))[0] == 404

    play(tmp_path, story, hub="")


def test_a_hub_of_ones_choice_is_told_which_feeds_have_changed(tmp_path: Path) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        topics = len(list(Topics(site.services.rendering(), NOON).all()))
        await until(lambda: len(site.store.hub_subscribers()) == topics)
        await asyncio.sleep(1.2)
        assert reader.origin.requests == [], "what was there before is no news"
        hub = reader.origin.on("/", Answer(status=204))
        assert hub == site.services.site.hub
        poll_again(site.store)

        def is_whole() -> bool:
            paths = [parse_qs(each.body.decode())["hub.topic"][0] for each in reader.origin.requests]
            kinds = Counter(path.removeprefix(SITE.url).rpartition(".")[0] for path in paths)
            sources = [kind for kind in kinds if kind.startswith("/source/")]
            return bool(kinds["/feeds/latest"] and sources) and set(kinds.values()) == {3}

        await until(is_whole)
        await asyncio.sleep(2)
        forms = [parse_qs(request.body.decode()) for request in reader.origin.requests]
        assert all(form["hub.mode"] == ["publish"] and form["hub.url"] == form["hub.topic"] for form in forms)
        announced = sorted(form["hub.topic"][0].removeprefix(SITE.url) for form in forms)
        lists = {path.rpartition(".")[0] for path in announced}
        assert "/feeds/latest" in lists
        assert len([path for path in lists if path.startswith("/source/")]) == 1, "of the source that has brought it"
        assert len(announced) == len(lists) * 3, "each once, in each format"
        await until(lambda: all(each.told and not each.failures for each in site.store.hub_subscribers()))
        async with site.session.get(f"{site.url}/feeds/latest.json") as response:
            assert json.loads(await response.read())["hubs"] == [{"type": "WebSub", "url": hub}]

    play(tmp_path, story, hub="ORIGIN")


def test_a_source_is_told_of_when_it_has_brought_something(tmp_path: Path) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        slugs = [health.ref.slug for health in site.store.sources(now=NOON)]
        for slug in slugs:
            await site.subscribed(reader, topic=f"{SITE.url}/source/{slug}/latest.rss")
        await until(lambda: len(site.store.hub_subscribers()) == len(slugs) > 1)
        poll_again(site.store)
        await until(lambda: reader.told)
        await asyncio.sleep(1.2)
        [told] = reader.told
        [slug] = [slug for slug in slugs if f"/source/{slug}/latest.rss" in told.headers["link"]]
        async with site.session.get(f"{site.url}/source/{slug}/latest.rss") as response:
            assert told.body == await response.read()
            assert response.headers["Link"] == told.headers["link"]
            assert f'<{SITE.url}/hub>; rel="hub"' in response.headers["Link"]

    play(tmp_path, story)


def test_what_is_no_topic_names_no_hub(tmp_path: Path) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        item = site.store.latest(Scope(), limit=1)[0]
        for path in (f"/item/{item.id}/related.atom", "/search.atom?q=title", "/feeds/status.atom"):
            async with site.session.get(site.url + path) as response:
                assert response.status == 200
                assert 'rel="hub"' not in response.headers["Link"] + await response.text(), path

    play(tmp_path, story)


def test_another_hub_takes_the_place_of_the_first(tmp_path: Path) -> None:
    async def story(site: Site, reader: Subscriber) -> None:
        await until(site.store.hub_subscribers)
        services = site.services
        other = replace(services.site, hub="https://hub.example/")
        services.reload(site=other, lists=services.lists, pages=services.pages)
        await until(lambda: {each.callback for each in site.store.hub_subscribers()} == {other.hub})

    play(tmp_path, story, hub="ORIGIN")


def test_requests_are_read_strictly() -> None:
    form = {"hub.mode": "subscribe", "hub.topic": "t", "hub.callback": "https://r.example/c?x=1"}
    assert read_request(form) == HubRequest(mode="subscribe", topic="t", callback="https://r.example/c?x=1")
    for lease, granted in (("1", timedelta(minutes=1)), ("99999999", timedelta(days=30))):
        request = read_request(form | {"hub.lease_seconds": lease})
        assert isinstance(request, HubRequest)
        assert request.lease == granted
    for callback in (
        "",
        "ftp://x/",
        "https://",
        "https://a b/",
        "https://x/#f",
        "https://[/",
        "https://x/" + "y" * 2048,
    ):
        assert isinstance(read_request(form | {"hub.callback": callback}), str), callback


def test_second_tries_come_ever_more_rarely() -> None:
    waits = [retry_after(failures) for failures in range(1, 13)]
    assert waits[:3] == [timedelta(seconds=15), timedelta(seconds=45), timedelta(seconds=135)]
    assert waits[-1] == timedelta(hours=1)
    assert timedelta(hours=6) < sum(waits, timedelta(0)) < timedelta(days=1)
