"""The WebSub subscriber against a scripted hub: W3C WebSub, section by section, faults included."""

from __future__ import annotations

import asyncio
import gzip
import hmac
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, TypeVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin import Answer, Origin, rss
from publishing import make_services
from scripted_hub import Said, ScriptedHub

from aggregator.collect.cadence import Policy
from aggregator.collect.decision import with_hub_links
from aggregator.collect.fetch import Fetcher, FetchLimits, Reply
from aggregator.collect.guard import Guard
from aggregator.collect.parse import parse_sync
from aggregator.collect.poll import Poller
from aggregator.collect.push import HubClient, Subscriber
from aggregator.collect.push.delivery import METHODS, is_signed
from aggregator.collect.push.subscription_state import can_reach, is_trusted, relaxed, verified
from aggregator.errors import FetchError
from aggregator.model import Document, FeedInfo, ParsedFeed, PollResult, Push, Scope, Source, Subscription, Verdict
from aggregator.publish.web import create_app, serve
from aggregator.store import PollChanges, Store, open_store

T = TypeVar("T")
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LIMITS = FetchLimits(total=timedelta(seconds=3), silence=timedelta(seconds=2))


class InProcess:
    async def parse(self, document: Document) -> ParsedFeed:
        return parse_sync(document)


@dataclass
class Scene:
    """A feed, its hub, our subscriber behind our web server, and a clock that moves when told."""

    store: Store
    origin: Origin
    hub: ScriptedHub
    subscriber: Subscriber
    fetcher: Fetcher
    now: datetime = START
    delivered: list[PollChanges] = field(default_factory=list)

    @property
    def topic(self) -> str:
        return self.origin.url("/feed")

    def publish(
        self, *titles: str, hubs: tuple[str, ...] | None = None, own: str | None = None, **headers: str
    ) -> None:
        """What the feed says from now on; entries published an hour ago."""
        self.origin.on("/feed", Answer(body=self.document(*titles, hubs=hubs, own=own), headers=headers))

    def document(self, *titles: str, hubs: tuple[str, ...] | None = None, own: str | None = None) -> bytes:
        links = "".join(f'<atom:link rel="hub" href="{hub}"/>' for hub in ((self.hub.url,) if hubs is None else hubs))
        own = self.topic if own is None else own
        links += f'<atom:link rel="self" href="{own}"/>' if own else ""
        body = rss(*titles, extra=links).replace(b"<rss ", b'<rss xmlns:atom="http://www.w3.org/2005/Atom" ')
        date = (self.now - HOUR).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return body.replace(b"</guid>", f"</guid><pubDate>{date}</pubDate>".encode())

    async def poll(self) -> PollResult:
        """One poll of the feed, wanted or not."""
        poller = Poller(
            *(self.store, self.fetcher, InProcess(), Policy(), lambda *_: Verdict(), lambda: self.now, lambda: 0.0),
            relax=self.subscriber.relax,
        )
        (lease,) = await asyncio.to_thread(self.store.claim, now=self.now, limit=1, lease=MINUTE, force=True)
        (polled,) = await poller.poll(lease)
        assert polled.stored is not None
        await self.subscriber.missed(polled.source, polled.stored.oldest_new)
        return polled.result

    async def subscribe(self) -> Push:
        """A poll, a round, and the hub's verification."""
        await self.poll()
        await self.tick()
        return self.push

    async def tick(self) -> None:
        await self.subscriber.tick()
        await asyncio.to_thread(self.hub.settle)

    async def off_loop(self, what: Callable[[], T]) -> T:
        """Runs what blocks (a hub that talks) in a thread."""
        return await asyncio.to_thread(what)

    async def deliver(self, body: bytes, **how: object) -> Said:
        said = await self.off_loop(lambda: self.hub.deliver(body, **how))  # type: ignore[arg-type]
        await self.subscriber.intake.settled()
        await asyncio.sleep(0.05)
        return said

    @property
    def push(self) -> Push:
        (push,) = self.store.pushes()
        return push

    @property
    def state(self) -> str:
        return self.push.state

    @property
    def titles(self) -> set[str]:
        return {item.title for item in self.store.latest(Scope(), limit=0)}


def play(
    tmp_path: Path, story: Callable[[Scene], Awaitable[None]], *, allow: tuple[str, ...] = ("127.0.0.1/32",)
) -> None:
    async def run() -> None:
        with closing(open_store("sqlite:push.db", base=tmp_path)) as store, Origin() as origin:
            fetcher = Fetcher(LIMITS, Guard(["127.0.0.1/32"]), "aggregator/0.1")
            hubs = HubClient(Fetcher(LIMITS, Guard(allow), "aggregator/0.1"))
            scene: Scene
            subscriber = Subscriber(
                store,
                hubs,
                InProcess(),
                lambda *_: Verdict(),
                base="",
                clock=lambda: scene.now,
                on_delivered=lambda stored: scene.delivered.append(stored),  # noqa: PLW0108 - the scene is made later
                max_body_bytes=100_000,
            )
            services = make_services(store, tmp_path, deliveries=subscriber)
            server = await serve(create_app(services), listen="127.0.0.1:0")
            subscriber.base = f"http://127.0.0.1:{server.addresses[0][1]}"
            scene = Scene(store, origin, ScriptedHub(origin), subscriber, fetcher)
            scene.publish("One")
            store.sync_sources([Subscription(url=scene.topic)], now=START)
            await subscriber.start()
            worker = asyncio.create_task(subscriber.work())
            try:
                await story(scene)
            finally:
                worker.cancel()
                await asyncio.gather(server.stop(), fetcher.close(), subscriber.close())

    asyncio.run(run())


# --- 4 Discovery ------------------------------------------------------------------------------------------------------

INFO = FeedInfo(hubs=("https://document.example/",), self_url="https://document.example/self")


@pytest.mark.parametrize(
    ("header", "hubs", "own"),
    [
        (None, INFO.hubs, INFO.self_url),
        ("", INFO.hubs, INFO.self_url),
        (
            '<https://h.example/>; rel="hub", <https://s.example/>; rel="self"',
            ("https://h.example/",),
            "https://s.example/",
        ),
        ("<https://h.example/>; rel=hub", ("https://h.example/",), INFO.self_url),
        ('<https://h.example/>; title="a, b; c"; REL="x HUB"', ("https://h.example/",), INFO.self_url),
        (
            "<https://a/>; rel=hub, <https://b/>; rel=hub, <https://a/>; rel=hub",
            ("https://a/", "https://b/"),
            INFO.self_url,
        ),
        ('<https://s.example/>; rel="self"', INFO.hubs, INFO.self_url),
        ("<javascript:x>; rel=hub, <http://[>; rel=hub, nonsense <>;;", INFO.hubs, INFO.self_url),
        ('</hub>; rel=hub, <feed?x>; rel="self"', ("https://a.example/hub",), "https://a.example/feed?x"),
        ("<" * 8000, INFO.hubs, INFO.self_url),
    ],
)
def test_headers_come_before_the_document(header: str | None, hubs: tuple[str, ...], own: str) -> None:
    found = with_hub_links(INFO, header, "https://a.example/feed")
    assert (found.hubs, found.self_url) == (hubs, own)


@given(st.text(alphabet='<>;,="rel hub\\/:a', max_size=200))
def test_any_header_is_read(header: str) -> None:
    assert len(with_hub_links(INFO, header, "https://a.example/feed").hubs) <= 5


def test_the_topic_is_the_name_the_feed_gives_itself_not_the_address_it_was_fetched_from(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        own = scene.origin.url("/canonical")
        scene.publish("One", own=own)
        assert (await scene.subscribe()).topic == own
        assert scene.hub.asked[0]["hub.topic"] == own

    play(tmp_path, story)


def test_a_hub_named_in_a_header(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        link = f'<{scene.hub.url}>; rel="hub", <{scene.topic}?header>; rel="self"'
        scene.publish("One", hubs=("http://127.0.0.1:9/",), Link=link)
        push = await scene.subscribe()
        assert (push.hub, push.topic, push.state) == (scene.hub.url, scene.topic + "?header", "active")

    play(tmp_path, story)


@pytest.mark.parametrize(("hubs", "own"), [((), None), (None, "")])
def test_without_a_hub_or_a_name_nobody_is_asked(tmp_path: Path, hubs: tuple[str, ...] | None, own: str | None) -> None:
    async def story(scene: Scene) -> None:
        scene.publish("One", hubs=hubs, own=own)
        await scene.poll()
        await scene.tick()
        assert scene.hub.asked == []

    play(tmp_path, story)


def test_a_hub_on_a_private_network_is_not_dialled(tmp_path: Path) -> None:
    """HOSTILE H27: the hub goes through the same guard as everything else."""

    async def story(scene: Scene) -> None:
        await scene.poll()
        await scene.tick()
        assert scene.hub.asked == []
        assert scene.state == "resting"

    play(tmp_path, story, allow=())


def test_silent_sources_are_not_subscribed(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.poll()
        scene.now += 31 * DAY
        await scene.tick()
        assert scene.hub.asked == []

    play(tmp_path, story)


def test_hubs_on_the_internet_cannot_call_a_site_on_a_private_network() -> None:
    assert can_reach("https://hub.example/", "https://us.example")
    assert not can_reach("https://hub.example/", "http://127.0.0.1:8080")
    assert not can_reach("https://hub.example/", "http://nas:8080")
    assert not can_reach("https://hub.example/", "http://news.home.arpa")
    assert can_reach("http://192.168.0.9/", "http://192.168.0.1")


# --- 5.1 Subscribing, 5.3 Verification --------------------------------------------------------------------------------


@pytest.mark.parametrize("verify", ["after", "before"])
def test_a_subscription_from_start_to_end(tmp_path: Path, verify: str) -> None:
    async def story(scene: Scene) -> None:
        scene.hub.verify = verify  # type: ignore[assignment]
        push = await scene.subscribe()
        (form,) = scene.hub.asked
        assert form["hub.mode"] == "subscribe"
        assert form["hub.topic"] == scene.topic
        assert form["hub.lease_seconds"] == "864000"
        assert 20 <= len(form["hub.secret"]) < 200
        assert len(form["hub.callback"].rpartition("/")[2]) >= 32, "unguessable"
        assert "hub.secret" not in form["hub.callback"]
        (said,) = scene.hub.verifications
        assert (said.status, said.body.decode()) == (200, scene.hub.challenge)
        assert said.headers["content-type"].startswith("text/plain")
        assert (push.state, push.until) == ("active", START + 10 * DAY)
        await scene.tick()
        assert len(scene.hub.asked) == 1, "once is enough"

    play(tmp_path, story)


@pytest.mark.parametrize("changes", [{"topic": "http://other.example/"}, {"mode": "unsubscribe"}, {"challenge": None}])
def test_what_nobody_asked_for_is_not_verified(tmp_path: Path, changes: dict[str, str | None]) -> None:
    async def story(scene: Scene) -> None:
        scene.hub.verify = "never"
        await scene.poll()
        await scene.tick()
        callback = scene.hub.callback
        said = await scene.off_loop(lambda: scene.hub.ask_back(callback, **changes))
        assert said.status == 404
        other = callback[:-1] + ("y" if callback.endswith("x") else "x")
        assert (await scene.off_loop(lambda: scene.hub.ask_back(other))).status == 404
        assert scene.state == "asked"
        assert (await scene.off_loop(lambda: scene.hub.ask_back(callback))).status == 200
        assert scene.state == "active"

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("lease", "days"), [("864000", 10), (None, 1), ("soon", 1), ("-1", 1), ("0", 1), ("99999999999", 30), ("9" * 50, 1)]
)
def test_leases_end(tmp_path: Path, lease: str | None, days: int) -> None:
    async def story(scene: Scene) -> None:
        scene.hub.lease_seconds = lease
        push = await scene.subscribe()
        assert push.until == START + days * DAY
        assert push.renew_at is not None
        assert push.until - START > push.renew_at - START >= (push.until - START) / 2

    play(tmp_path, story)


def test_a_lease_of_a_minute_is_not_renewed_every_half_minute() -> None:
    push = Push(token="t", source_id=1, hub="h", topic="t", state="asked", asked_at=START)
    assert verified(push, lease_s=60, now=START).renew_at == START + HOUR


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_a_hub_that_refuses_is_asked_again_ever_more_rarely(tmp_path: Path, status: int) -> None:
    async def story(scene: Scene) -> None:
        scene.hub.answer = Answer(status=status)
        await scene.poll()
        waits = []
        for _ in range(3):
            await scene.tick()
            await scene.tick()
            push = scene.push
            assert push.state == "resting"
            assert push.retry_at is not None
            waits.append(push.retry_at - scene.now)
            scene.now = push.retry_at + MINUTE
        assert waits == [HOUR, 2 * HOUR, 4 * HOUR]
        assert len(scene.hub.asked) == 3

    play(tmp_path, story)


def test_a_busy_hub_says_how_long(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.hub.answer = Answer(status=429, headers={"Retry-After": "86400"})
        await scene.poll()
        await scene.tick()
        assert scene.push.retry_at == START + DAY

    play(tmp_path, story)


@pytest.mark.parametrize("status", [307, 308])
def test_a_hub_that_has_moved_is_followed_with_the_same_request(tmp_path: Path, status: int) -> None:
    async def story(scene: Scene) -> None:
        scene.origin.on("/old", Answer(status=status, headers={"Location": "/hub"}))
        scene.publish("One", hubs=(scene.origin.url("/old"),))
        assert (await scene.subscribe()).state == "active"
        assert [request.method for request in scene.origin.asked("/hub")] == ["POST"]

    play(tmp_path, story)


@pytest.mark.parametrize("target", ["/old", "http://127.0.0.9:8080/hub", "file:///etc/passwd"])
def test_a_hub_that_leads_nowhere(tmp_path: Path, target: str) -> None:
    async def story(scene: Scene) -> None:
        scene.origin.on("/old", Answer(status=307, headers={"Location": target}))
        scene.publish("One", hubs=(scene.origin.url("/old"),))
        await scene.poll()
        await scene.tick()
        assert scene.state == "resting"
        assert len(scene.origin.asked("/old")) <= 3

    play(tmp_path, story)


def test_the_secret_of_an_encrypted_hub_is_not_sent_in_the_clear() -> None:
    class Redirecting:
        asked: ClassVar[list[str]] = []

        async def send(self, _: str, url: str, **rest: object) -> Reply:
            self.asked.append(url)
            return Reply(status=307, location="http://hub.example/plain")

    push = Push(
        token="t", source_id=1, hub="https://hub.example/", topic="x", state="asked", asked_at=START, secret="s"
    )
    with pytest.raises(FetchError, match="https to http"):
        asyncio.run(
            HubClient(cast("Fetcher", Redirecting())).ask(push, mode="subscribe", callback="https://us.example/")
        )
    assert Redirecting.asked == ["https://hub.example/"]


@pytest.mark.parametrize("answer", [Answer(raw=b"", end="reset"), Answer(delay_s=9), Answer(raw=b"rubbish")])
def test_a_hub_that_is_broken(tmp_path: Path, answer: Answer) -> None:
    async def story(scene: Scene) -> None:
        scene.hub.answer = answer
        scene.hub.verify = "never"
        await scene.poll()
        await scene.tick()
        assert scene.state == "resting"

    play(tmp_path, story)


def test_of_several_hubs_the_next_is_asked_when_one_refuses(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        bad = ScriptedHub(scene.origin, path="/bad", answer=Answer(status=500))
        scene.publish("One", hubs=(bad.url, scene.hub.url))
        await scene.poll()
        await scene.tick()
        scene.now += 2 * HOUR
        await scene.tick()
        assert (len(bad.asked), scene.push.hub, scene.state) == (1, scene.hub.url, "active")

    play(tmp_path, story)


def test_a_hub_that_never_verifies_is_asked_again_later(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.hub.verify = "never"
        await scene.poll()
        await scene.tick()
        scene.now += 50 * MINUTE
        await scene.tick()
        assert len(scene.hub.asked) == 1
        scene.now += 20 * MINUTE
        await scene.tick()
        assert scene.state == "resting"
        scene.now += 2 * HOUR
        scene.hub.verify = "after"
        await scene.tick()
        assert scene.state == "active"
        assert scene.push.failures == 0

    play(tmp_path, story)


# --- 5.2 Denial, renewal, the end -------------------------------------------------------------------------------------


def test_a_denial_at_any_time_is_believed_for_a_week(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        push = await scene.subscribe()
        said = await scene.off_loop(lambda: scene.hub.deny(scene.hub.callback, push.topic))
        assert said.status == 200
        assert (scene.state, scene.push.retry_at) == ("resting", START + 7 * DAY)
        assert (await scene.deliver(scene.document("Two"))).status == 410
        assert (await scene.off_loop(lambda: scene.hub.deny(scene.hub.callback + "x", push.topic))).status == 404

    play(tmp_path, story)


def test_renewal_in_the_second_half_of_the_lease_under_a_new_address(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        push = await scene.subscribe()
        former = scene.hub.callback
        await scene.deliver(scene.document("Two"))
        assert push.renew_at is not None
        scene.now = push.renew_at - MINUTE
        scene.publish("One", "Two", "Three")
        await scene.poll()
        await scene.tick()
        assert len(scene.hub.asked) == 1
        scene.now += 2 * MINUTE
        await scene.tick()
        renewed = scene.push
        assert scene.hub.callback != former
        assert (renewed.state, renewed.until) == ("active", scene.now + 10 * DAY)
        assert renewed.secret != push.secret
        assert (await scene.deliver(b"x", callback=former)).status == 410
        assert (await scene.deliver(scene.document("Four"))).status == 202
        assert "Four" in scene.titles

    play(tmp_path, story)


def test_while_a_renewal_is_not_verified_the_former_address_goes_on(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        push = await scene.subscribe()
        former, secret = scene.hub.callback, push.secret
        assert push.renew_at is not None
        scene.now = push.renew_at + MINUTE
        scene.hub.verify = "never"
        await scene.poll()
        await scene.tick()
        assert sorted(one.state for one in scene.store.pushes()) == ["active", "asked"]
        assert (await scene.deliver(scene.document("Late"), callback=former, secret=secret)).status == 202
        assert "Late" in scene.titles

    play(tmp_path, story)


def test_a_source_that_is_not_followed_any_more_is_unsubscribed(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.subscribe()
        scene.store.sync_sources([], now=scene.now)
        await scene.tick()
        assert scene.hub.asked[-1]["hub.mode"] == "unsubscribe"
        assert scene.hub.asked[-1]["hub.callback"] == scene.hub.asked[0]["hub.callback"]
        assert scene.hub.verifications[-1].status == 200
        assert scene.store.pushes() == []
        assert (await scene.deliver(scene.document("Two"))).status == 410
        assert (await scene.off_loop(lambda: scene.hub.ask_back(scene.hub.callback))).status == 404

    play(tmp_path, story)


def test_subscriptions_survive_a_restart(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.subscribe()
        again = Subscriber(
            scene.store,
            HubClient(scene.fetcher),
            InProcess(),
            lambda *_: Verdict(),
            base=scene.subscriber.base,
            clock=lambda: scene.now,
        )
        await again.start()
        assert await again.expects(scene.push.token)
        await again.tick()
        assert len(scene.hub.asked) == 1

    play(tmp_path, story)


# --- 7 Content, 7.1 Signatures ----------------------------------------------------------------------------------------


def test_what_is_delivered_is_stored_at_once(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.subscribe()
        said = await scene.deliver(scene.document("Two"))
        assert (said.status, said.body) == (202, b"")
        assert scene.titles == {"One", "Two"}, "a part of the feed: what is absent is not deleted"
        assert [stored.new_items for stored in scene.delivered] == [1]
        assert (await scene.deliver(scene.document("Two"))).status == 202
        assert scene.delivered[-1] == PollChanges(), "the second time changes nothing"
        await scene.deliver(scene.document("Two").replace(b"</channel>", b"<item><guid>empty</guid></item></channel>"))
        assert scene.titles == {"One", "Two"}, "an entry without content is not shown, as after a poll"

    play(tmp_path, story)


@pytest.mark.parametrize("method", METHODS)
def test_all_four_signature_methods(tmp_path: Path, method: str) -> None:
    async def story(scene: Scene) -> None:
        await scene.subscribe()
        assert (await scene.deliver(scene.document("Two"), method=method)).status == 202
        assert "Two" in scene.titles

    play(tmp_path, story)


@pytest.mark.parametrize(
    "signature",
    [
        "sha256=" + "0" * 64,
        "md5=" + "0" * 32,
        "sha256",
        "=",
        "sha256=é",
        "sha1=sha1=",
        "none=",
        " ",
        "sha256=" + "f" * 5000,
    ],
)
def test_what_is_not_signed_as_agreed_is_taken_and_thrown_away(tmp_path: Path, signature: str) -> None:
    async def story(scene: Scene) -> None:
        await scene.subscribe()
        said = await scene.deliver(scene.document("Forged"), signature=signature.encode().decode("latin-1"))
        assert said.status == 202, "whoever guesses learns nothing"
        unsigned = await scene.off_loop(lambda: scene.hub.deliver(scene.document("Bare"), secret="", signature=""))
        assert unsigned.status == 202
        assert scene.titles == {"One"}
        assert scene.subscriber.unsigned == 2
        assert not is_trusted(scene.push, now=scene.now)

    play(tmp_path, story)


@given(st.binary(max_size=100), st.text(min_size=1, max_size=50), st.sampled_from(METHODS))
def test_signatures(body: bytes, secret: str, method: str) -> None:
    secret = secret.encode("utf-8", "replace").decode()
    good = f"{method}={hmac.new(secret.encode(), body, method).hexdigest()}"
    assert is_signed(body, good, secret)
    assert is_signed(body, good.upper().replace(method.upper(), method), secret)
    assert not is_signed(body + b"x", good, secret)
    assert not is_signed(body, good, secret + "x")
    assert not is_signed(body, None, secret)


@pytest.mark.parametrize("body", [b"", b"<html>not a feed</html>", b"\0" * 1000])
def test_what_is_no_feed_changes_nothing(tmp_path: Path, body: bytes) -> None:
    async def story(scene: Scene) -> None:
        await scene.subscribe()
        assert (await scene.deliver(body)).status == 202
        assert scene.titles == {"One"}
        assert scene.subscriber.intake.unreadable == 1
        assert (await scene.deliver(scene.document("Two"))).status == 202
        assert "Two" in scene.titles, "and the next one is stored"

    play(tmp_path, story)


def test_bodies_have_a_limit_compressed_or_not(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.subscribe()
        big = b"x" * 100_001
        assert (await scene.deliver(big)).status == 413
        bomb = gzip.compress(bytes(50_000_000))
        assert (await scene.deliver(bomb, headers={"Content-Encoding": "gzip"})).status in {400, 413}
        assert scene.titles == {"One"}

    play(tmp_path, story)


def test_nobody_else_is_let_in(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        base = scene.subscriber.base
        for path in ("/push/x", "/push/" + "A" * 32):
            assert (await scene.off_loop(lambda path=path: scene.hub.deliver(b"x", callback=base + path))).status == 410  # type: ignore[misc]
            assert (await scene.off_loop(lambda path=path: scene.hub.ask_back(base + path, topic="x"))).status == 404  # type: ignore[misc]

    play(tmp_path, story)


# --- polling beneath it -----------------------------------------------------------------------------------------------


def test_polls_become_rarer_while_pushes_deliver_and_no_rarer_than_daily(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.subscribe()
        scene.now += HOUR
        before = await scene.poll()
        await scene.deliver(scene.document("Two"))
        scene.now += HOUR
        after = await scene.poll()
        usual, longer = before.next_poll - before.polled_at, after.next_poll - after.polled_at
        assert longer == min(6 * usual, DAY)
        scene.now += 8 * DAY
        again = await scene.poll()
        assert again.next_poll - again.polled_at <= 6 * HOUR * 1.1, "nothing was delivered for a week"

    play(tmp_path, story)


def test_what_a_server_asks_for_is_never_made_shorter() -> None:
    far = PollResult(source_id=1, outcome="same", polled_at=START, next_poll=START + 3 * DAY)
    source = Source(id=1, slug="a", subscription=Subscription(url="https://a.example/"), fetch_url="https://a.example/")
    assert relaxed(source, far).next_poll == far.next_poll
    near = relaxed(source, replace(far, next_poll=START + HOUR))
    assert near.next_poll == START + 6 * HOUR
    assert near.conditional is not None
    assert near.conditional.good_interval == 6 * HOUR, "nor does a failure make it shorter"
    skipping = replace(source, info=FeedInfo(skip_hours=frozenset({(START + 6 * HOUR).hour})))
    assert relaxed(skipping, replace(far, next_poll=START + HOUR)).next_poll == START + 7 * HOUR


def test_a_missed_push_is_noticed_and_polling_is_as_before(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.subscribe()
        await scene.deliver(scene.document("Two"))
        scene.now += 2 * HOUR
        scene.publish("One", "Two", "Never pushed")
        await scene.poll()
        assert scene.push.delivered_at is None
        assert scene.state == "active", "what comes is still taken"
        scene.now += HOUR
        normal = await scene.poll()
        assert normal.next_poll - normal.polled_at <= 6 * HOUR * 1.1
        await scene.deliver(scene.document("Pushed again"))
        assert is_trusted(scene.push, now=scene.now)

    play(tmp_path, story)


def test_what_is_on_its_way_is_not_missed(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.subscribe()
        await scene.deliver(scene.document("Two"))
        scene.now += 2 * HOUR
        document = scene.document("Just now").replace(
            (scene.now - HOUR).strftime("%H:%M:%S").encode(), (scene.now - 5 * MINUTE).strftime("%H:%M:%S").encode()
        )
        scene.origin.on("/feed", Answer(body=document))
        await scene.poll()
        assert "Just now" in scene.titles
        assert is_trusted(scene.push, now=scene.now)

    play(tmp_path, story)
