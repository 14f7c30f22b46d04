"""Carries the plan out: asks hubs, answers their verifications, takes what they deliver.

    tick        store.subscribable → plan → Subscribe: kept as asked, then the hub is asked
                                            Leave: kept as leaving, then the hub is told
    confirm     the hub asks back: is it you?   → the challenge, if we have asked for just this; else nothing
    receive     a delivery → signed? → queue → parse → identify → judge → store.deliver

What a hub says is a stranger's word: it goes the way of every document (guard, limits, child process), a delivery that
is not signed as agreed is taken and thrown away, and polling goes on beneath it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from aggregator.collect.guard import is_private_url
from aggregator.collect.push import subscription_state
from aggregator.collect.push.delivery import DeliveryQueue, Judge, Parser, is_signed
from aggregator.collect.push.hub_client import HubClient
from aggregator.errors import FetchError
from aggregator.model import Document, PollResult, Push, Source
from aggregator.store import PollChanges, Store

__all__ = ["Subscriber"]

_log = logging.getLogger(__name__)

#: requests to hubs in one round: a thousand new sources do not make a burst
_STEPS_PER_ROUND = 20


class Subscriber:
    """All our subscriptions at hubs. To be used within one event loop.

    `base` is the address of our site, without its last slash; hubs deliver below it. `on_delivered` is told what
    each delivery has changed. Hubs are asked for the sources of which `is_pushed` is true.
    """

    def __init__(
        self,
        store: Store,
        hubs: HubClient,
        parser: Parser,
        judge: Judge,
        *,
        base: str,
        clock: Callable[[], datetime],
        on_delivered: Callable[[PollChanges], None] = lambda _: None,
        max_body_bytes: int = 10_000_000,
        is_pushed: Callable[[Source], bool] = lambda _: True,
    ) -> None:
        self.base, self._is_pushed = base, is_pushed
        #: the largest delivery that is read
        self.max_body_bytes = max_body_bytes
        #: deliveries that were not signed as agreed
        self.unsigned = 0
        self.intake = DeliveryQueue(store, parser, judge, clock)
        self._store, self._hubs, self._clock = store, hubs, clock
        self._on_delivered = on_delivered
        self._pushes: dict[str, Push] = {}
        self._sources: dict[int, Source] = {}

    async def start(self) -> None:
        """Reads what is kept: hubs may call before the first round. Another process may have changed it since."""
        kept = await asyncio.to_thread(self._store.pushes)
        self._pushes = {push.token: push for push in kept}
        await self._read_sources()

    async def tick(self) -> None:
        """One round: whatever is to be asked of hubs now, one after the other."""
        await self.start()
        steps = list(
            subscription_state.plan(
                list(self._sources.values()), list(self._pushes.values()), base=self.base, now=self._clock()
            )
        )
        asked = 0
        for step in steps:
            asked += isinstance(step, subscription_state.Subscribe | subscription_state.Leave)
            if asked > _STEPS_PER_ROUND:
                break
            await self._take(step)

    async def work(self) -> None:
        """Stores deliveries as they come, until it is cancelled."""
        while True:
            try:
                token, stored = await self.intake.next()
                if stored is not None:
                    await self._delivered(token, stored)
            except Exception:  # noqa: BLE001 - the edge of a job: what makes us trip over one must not end the others
                _log.exception("delivery failed")

    async def take_over(self, *, judge: Judge, base: str, hubs: HubClient, is_pushed: Callable[[Source], bool]) -> None:
        """A new configuration: other rules, another address of ours, other limits, other sources."""
        self.intake.judge, self.base, self._is_pushed = judge, base, is_pushed
        former, self._hubs = self._hubs, hubs
        await former.close()

    async def close(self) -> None:
        """Closes the connections to hubs."""
        await self._hubs.close()

    # --- what hubs ask ---

    async def confirm(self, token: str, asked: Mapping[str, str]) -> str | None:
        """What to answer a hub that asks back (WebSub 5.3), or that has denied (5.2); None: we have asked nothing."""
        await self.start()  # a renewal may have been asked for by another process
        push = self._pushes.get(token)
        if push is None or asked.get("hub.topic") != push.topic:
            return None
        mode, challenge = asked.get("hub.mode"), asked.get("hub.challenge", "")
        if mode == "denied":
            return await self._denied(push)
        if mode == "subscribe" and push.state in {"asked", "active"} and challenge:
            await self._verified(push, asked.get("hub.lease_seconds", ""))
            return challenge
        if mode == "unsubscribe" and push.state == "leaving" and challenge:
            await self._forget(push)
            return challenge
        return None

    async def expects(self, token: str) -> bool:
        """Whether anything may be delivered under this address."""
        push = await self._known(token)
        return push is not None and push.state in {"asked", "active"}

    async def receive(self, token: str, *, signature: str | None, content_type: str | None, body: bytes) -> bool:
        """Takes a delivery; False: too many are waiting, come back later.

        One that is not signed as agreed is taken as well, and thrown away: whoever guesses learns nothing.
        """
        push = await self._known(token)
        if push is not None and push.source_id not in self._sources:
            await self._read_sources()
        source = self._sources.get(push.source_id) if push else None
        if push is None or source is None:
            return True
        if push.secret is not None and not await asyncio.to_thread(is_signed, body, signature, push.secret):
            self.unsigned += 1
            _log.warning("delivery not signed as agreed", extra={"hub": _host(push.hub)})
            return True
        return self.intake.put(token, source, Document(body=body, url=source.fetch_url, content_type=content_type))

    # --- what operators ask ---

    @property
    def has_hubs(self) -> bool:
        """Whether a source names a hub, or one has been asked for a source; as of the last round."""
        return bool(self._sources or self._pushes)

    def states(self) -> dict[str, float]:
        """How many subscriptions are in each state."""
        return dict(Counter(push.state for push in self._pushes.values()))

    def deliveries(self) -> dict[str, float]:
        """What has become of deliveries since the start."""
        return {"stored": self.intake.stored, "unreadable": self.intake.unreadable, "unsigned": self.unsigned}

    # --- what polling asks ---

    def relax(self, source: Source, result: PollResult) -> PollResult:
        """The result with its next poll put off, where pushes are trusted and nobody has fixed the interval."""
        trusted = any(subscription_state.is_trusted(push, now=result.polled_at) for push in self._of(source.id))
        if result.error is not None or result.outcome == "gone" or source.subscription.interval or not trusted:
            return result
        return subscription_state.relaxed(source, result)

    async def missed(self, source: Source, oldest_new: datetime | None) -> None:
        """A poll has found new entries: if a push should have brought them, it is not trusted until the next one."""
        for push in self._of(source.id):
            if push.delivered_at is not None and subscription_state.is_missed(push, oldest_new, now=self._clock()):
                _log.warning("push missed", extra={"source": source.slug, "hub": _host(push.hub)})
                await self._keep(replace(push, delivered_at=None))

    # --- the parts ---

    async def _known(self, token: str) -> Push | None:
        """The subscription with this token as it is kept now: another process may have made, changed or ended it."""
        push = await asyncio.to_thread(self._store.push, token)
        if push is None:
            self._pushes.pop(token, None)
        else:
            self._pushes[token] = push
        return push

    def _of(self, source_id: int) -> list[Push]:
        return [push for push in self._pushes.values() if push.source_id == source_id and push.state == "active"]

    async def _read_sources(self) -> None:
        sources = await asyncio.to_thread(self._store.subscribable)
        self._sources = {source.id: source for source in sources if self._is_pushed(source)}

    async def _take(self, step: subscription_state.Step) -> None:
        if isinstance(step, subscription_state.Subscribe):
            await self._subscribe(step)
        elif isinstance(step, subscription_state.Leave):
            await self._leave(step.push)
        elif isinstance(step, subscription_state.Rest):
            await self._keep(subscription_state.after_refusal(step.push, denied=False, wait=None, now=self._clock()))
        else:
            await self._forget(step.push)

    async def _subscribe(self, step: subscription_state.Subscribe) -> None:
        """Kept before the hub is asked: some verify before they answer."""
        push = Push(
            token=secrets.token_urlsafe(24),
            source_id=step.source_id,
            hub=step.hub,
            topic=step.topic,
            state="asked",
            asked_at=self._clock(),
            secret=secrets.token_urlsafe(32) if _is_confidential(step.hub) else None,
            failures=step.failures,
        )
        await self._keep(push)
        try:
            await self._hubs.ask(push, mode="subscribe", callback=self._callback(push))
        except FetchError as error:
            current = self._pushes.get(push.token)
            if current is not None and current.state == "asked":
                wait, now = error.retry_after, self._clock()
                await self._keep(subscription_state.after_refusal(current, denied=False, wait=wait, now=now))
            _log.info("hub refuses", extra={"hub": _host(push.hub), "code": error.code})

    async def _leave(self, push: Push) -> None:
        leaving = replace(push, state="leaving", asked_at=self._clock())
        await self._keep(leaving)
        try:
            await self._hubs.ask(leaving, mode="unsubscribe", callback=self._callback(push))
        except FetchError as error:  # its deliveries are answered with "gone" from now on, which says the same
            _log.info("hub cannot be told", extra={"hub": _host(push.hub), "code": error.code})

    def _callback(self, push: Push) -> str:
        return f"{self.base}/push/{push.token}"

    async def _verified(self, push: Push, lease_seconds: str) -> None:
        lease_s = int(lease_seconds) if lease_seconds.isdecimal() and len(lease_seconds) < 12 else None
        former = [one for one in self._of(push.source_id) if one.token != push.token]
        known_since = min((one.verified_at for one in former if one.verified_at), default=None)
        last = max((one.delivered_at for one in former if one.delivered_at), default=push.delivered_at)
        push = replace(push, verified_at=push.verified_at or known_since, delivered_at=last)
        await self._keep(subscription_state.verified(push, lease_s=lease_s, now=self._clock()))
        for one in former:  # a renewal has an address of its own; the former one has had its time
            await self._forget(one)

    async def _denied(self, push: Push) -> str:
        await self._keep(subscription_state.after_refusal(push, denied=True, wait=None, now=self._clock()))
        _log.info("hub denies", extra={"hub": _host(push.hub)})
        return ""

    async def _keep(self, push: Push) -> None:
        await asyncio.to_thread(self._store.put_push, push)
        self._pushes[push.token] = push

    async def _forget(self, push: Push) -> None:
        await asyncio.to_thread(self._store.remove_push, push.token)
        self._pushes.pop(push.token, None)

    async def _delivered(self, token: str, stored: PollChanges) -> None:
        push = self._pushes.get(token)
        if push is not None and push.state == "active":
            await self._keep(replace(push, delivered_at=self._clock()))
        self._on_delivered(stored)


def _is_confidential(hub: str) -> bool:
    """A secret goes out over TLS, or not beyond this network."""
    return urlsplit(hub).scheme == "https" or is_private_url(hub)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
