"""WebSub publisher (w3.org/TR/websub): notifies subscribers or a hub within seconds when a feed has changed.

every second    has the store changed, or is a retry due?
                  → for each subscriber: has the topic changed since their last notification?
                  → notify them, a few at a time, and store the results
on a request    check and accept it; store the subscription once its callback has confirmed it

`protocol` has the requests to the embedded hub, challenges, signed bodies and pings of other hubs (pure). An external
hub is stored like one more subscriber: what it was last notified of, and when to retry. The list is in the store, so
that each change is notified once even if the process stops in between.

Topics are the feeds of the site, of its sections and sources, and the operator's own feeds. Not those of related items
and of searches: there is one for each item and for any words, each would have to be computed to see whether it has
changed, and what is in them comes past in the others. Nor those of readers, whose addresses are secrets that no hub
should hold, the state of the sources, and the later parts of long feeds, which are archives.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import unquote

from aggregator.errors import FetchError, NotFound, StoreError
from aggregator.model import HubSubscriber
from aggregator.model.redact import public_url
from aggregator.model.slug import slugify
from aggregator.publish.channel import is_topic
from aggregator.publish.hub import protocol
from aggregator.publish.hub.protocol import HubRequest, Message, Send
from aggregator.publish.listing import Listing
from aggregator.publish.markup import address
from aggregator.publish.rendering import Rendered, Rendering

_log = logging.getLogger(__name__)

EMBEDDED: Final = "self"
#: notifications and verifications that are sent at the same time
_AT_ONCE: Final = 8
#: requests that may wait for verification
_MOST_WAITING: Final = 64
#: most subscribers of the embedded hub
_MOST_SUBSCRIBERS: Final = 5000
#: most of the time that the search for changes may take (a share)
_SHARE: Final = 0.1
#: seconds between two looks at the configuration while it names no hub
_WITHOUT_HUB_S: Final = 30.0
_GONE: Final = 410
#: the first retry comes after `_RETRY`, each later one after three times as long, up to `_LONGEST_RETRY`; a subscriber
#: with `_MOST_FAILURES` failures in a row is removed
_RETRY: Final = timedelta(seconds=15)
_LONGEST_RETRY: Final = timedelta(hours=1)
_MOST_FAILURES: Final = 12


@dataclass(frozen=True, slots=True)
class _Due:
    """A notification that is due: the subscriber, and the fingerprint of the topic."""

    subscriber: HubSubscriber
    fingerprint: str


class Hub:
    """Notifies subscribers of changes. Runs on one event loop; `rendering` returns the site as it is configured now."""

    def __init__(
        self,
        *,
        rendering: Callable[[], Rendering],
        send: Send,
        clock: Callable[[], datetime],
        tells: Callable[[], bool] = lambda: True,
    ) -> None:
        """`tells`: whether this is the process that notifies; others take subscriptions only."""
        self._rendering, self._tells = rendering, tells
        self._send = send
        self._clock = clock
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._telling: set[tuple[str, str]] = set()
        self._waiting = 0
        #: (generation of the store, hub of the configuration) at the last look
        self._seen: tuple[int, str] | None = None
        self._retry_at: datetime | None = None
        #: documents of the last round, which many subscribers share
        self._documents: dict[str, tuple[str, Rendered | None]] = {}

    def start(self, *, every_s: float = 1.0) -> None:
        """Starts to look for changes; `stop` ends it."""
        self._begin(self._watch(every_s))

    async def stop(self) -> None:
        """Stops at once; notifications that were not sent are sent after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def is_embedded(self) -> bool:
        """Whether the embedded hub accepts subscriptions."""
        return self._rendering().site.hub == EMBEDDED

    async def ask(self, request: HubRequest) -> tuple[int, str]:
        """The HTTP status for a request, and the reason of a refusal. Raises StoreError.

        202: accepted; it counts once its callback has confirmed it.
        """
        if self._waiting >= _MOST_WAITING:
            return 503, "too many requests are waiting to be verified; try again in a minute"
        current = await asyncio.to_thread(self._fingerprint, request.topic)
        if current is None and request.mode == "subscribe":
            return 400, "hub.topic is none of the feeds of this site that are told of; see /feeds"
        self._waiting += 1
        self._begin(self._verify(request, current or ""))
        return 202, ""

    async def _verify(self, request: HubRequest, current: str) -> None:
        try:
            challenge = protocol.challenge()
            status, body = await self._deliver(protocol.verification(request, challenge))
            if not protocol.is_confirmed(challenge, status, body):
                _log.info(
                    "subscription not confirmed", extra={"callback": public_url(request.callback), "status": status}
                )
            else:
                await asyncio.to_thread(self._grant, request, current)
        except (FetchError, StoreError) as error:
            _log.info("subscription not verified", extra={"callback": public_url(request.callback), "why": error})
        finally:
            self._waiting -= 1

    def _fingerprint(self, topic: str) -> str | None:
        return Topics(self._rendering(), self._clock()).fingerprint(topic)

    def _grant(self, request: HubRequest, current: str) -> None:
        store = self._rendering().store
        if request.mode == "unsubscribe":
            store.remove_hub_subscriber(topic=request.topic, callback=request.callback)
        elif len(store.hub_subscribers()) >= _MOST_SUBSCRIBERS:
            _log.warning("subscription refused, there are too many", extra={"subscribers": _MOST_SUBSCRIBERS})
            return
        else:
            until = self._clock() + request.lease
            store.put_hub_subscriber(
                HubSubscriber(
                    topic=request.topic, callback=request.callback, told=current, secret=request.secret, until=until
                )
            )
        _log.info(f"{request.mode}d", extra={"topic": request.topic, "callback": public_url(request.callback)})

    async def _watch(self, every_s: float) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await self._look()
            except StoreError as error:
                _log.warning("nobody told, the store cannot be read", extra={"why": error})
            except Exception:  # noqa: BLE001  # the edge of a job: a round that fails must not end those to come
                _log.exception("round of the hub failed")
            # without a hub there are no subscribers until a reload names one
            shortest_s = every_s if self._rendering().site.hub else max(every_s, _WITHOUT_HUB_S)
            await asyncio.sleep(max(shortest_s, (clock() - began) * (1 / _SHARE - 1)))

    async def _look(self) -> None:
        site = self._rendering()
        if not site.site.hub or not self._tells():
            return
        now = self._clock()
        seen = await asyncio.to_thread(site.store.generation), site.site.hub
        if seen == self._seen and (self._retry_at is None or now < self._retry_at):
            return
        due, self._retry_at = await asyncio.to_thread(self._due, site, now)
        self._seen = seen
        for each in due:
            key = each.subscriber.topic, each.subscriber.callback
            if key not in self._telling:
                self._telling.add(key)
                self._begin(self._tell(each))

    def _due(self, site: Rendering, now: datetime) -> tuple[list[_Due], datetime | None]:
        """The notifications that are due now, and when the next retry is due."""
        topics, due, later = Topics(site, now), [], []
        for subscriber in self._subscribers(site, topics, now):
            is_reader = subscriber.until is not None
            current = topics.fingerprint(subscriber.topic) if is_reader else topics.mark(subscriber.topic)
            if current is None or current == subscriber.told:
                continue
            if subscriber.retry_at is not None and subscriber.retry_at > now:
                later.append(subscriber.retry_at)
            else:
                due.append(_Due(subscriber, current))
        return due, min(later, default=None)

    def _subscribers(self, site: Rendering, topics: Topics, now: datetime) -> list[HubSubscriber]:
        """The subscribers that the configuration still allows; the others are removed."""
        store, hub = site.store, site.site.hub
        known = store.hub_subscribers()
        for subscriber in known:
            is_lapsed = subscriber.until is not None and subscriber.until <= now
            if is_lapsed or (subscriber.until is None and subscriber.callback != hub):
                store.remove_hub_subscriber(topic=subscriber.topic, callback=subscriber.callback)
        if hub == EMBEDDED:
            return [subscriber for subscriber in known if subscriber.until is not None and subscriber.until > now]
        announced = {subscriber.topic: subscriber for subscriber in known if subscriber.callback == hub}
        # the state at the first look is not a change
        first = [
            HubSubscriber(topic=topic, callback=hub, told=topics.mark(topic) or "")
            for topic in topics.all()
            if topic not in announced
        ]
        if first:
            store.put_hub_subscriber(*first)
        return list(announced.values())

    async def _tell(self, due: _Due) -> None:
        subscriber = due.subscriber
        key = subscriber.topic, subscriber.callback
        try:
            status = await self._attempt(due)
            await asyncio.to_thread(self._note, due, status)
        except StoreError as error:
            _log.warning(
                "what was told is told again", extra={"callback": public_url(subscriber.callback), "why": error}
            )
        finally:
            self._telling.discard(key)
            self._seen = None  # it may have changed while it was being told

    async def _attempt(self, due: _Due) -> int:
        """The HTTP status of the response; 0 if there was none."""
        subscriber = due.subscriber
        message = protocol.announcement(subscriber)
        if subscriber.until is not None:
            made = await asyncio.to_thread(self._document, due)
            if made is None:
                return 0
            message = protocol.distribution(subscriber, made)
        try:
            status, _ = await self._deliver(message)
        except FetchError as error:
            _log.info("not told", extra={"callback": public_url(subscriber.callback), "why": error})
            return 0
        return status

    def _document(self, due: _Due) -> Rendered | None:
        topic = due.subscriber.topic
        known = self._documents.get(topic)
        if known is None or known[0] != due.fingerprint:
            known = self._documents[topic] = (due.fingerprint, Topics(self._rendering(), self._clock()).document(topic))
        return known[1]

    def _note(self, due: _Due, status: int) -> None:
        """Stores the result of a notification: sent, to be retried, or the subscriber removed."""
        store, subscriber = self._rendering().store, due.subscriber
        if 200 <= status < 300:
            store.note_told(replace(subscriber, told=due.fingerprint, failures=0, retry_at=None))
            return
        failures = subscriber.failures + 1
        if subscriber.until is not None and (status == _GONE or failures >= _MOST_FAILURES):
            store.remove_hub_subscriber(topic=subscriber.topic, callback=subscriber.callback)
            _log.info("subscriber forgotten", extra={"callback": public_url(subscriber.callback), "status": status})
            return
        store.note_told(replace(subscriber, failures=failures, retry_at=self._clock() + retry_after(failures)))

    async def _deliver(self, message: Message) -> tuple[int, bytes]:
        async with self._slots:
            return await self._send(message.method, message.url, message.body, message.headers)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def retry_after(failures: int) -> timedelta:
    """The time to wait after that many failures in a row."""
    factor: int = 3 ** min(failures - 1, 9)
    return min(_RETRY * factor, _LONGEST_RETRY)


_PATH: Final = re.compile(
    r"/(?:feeds|section/(?P<slug>[^/?#]+)|source/(?P<source>[^/?#]+))/(?P<name>[^/.?#]+)\.(?P<suffix>[a-z]+)"
)
#: (slug of a section, slug of a source, name of the list)
_Key = tuple[str | None, str | None, str]


@dataclass(slots=True)
class Topics:
    """The topics at one moment. Its methods block while they read the store, once for each list."""

    site: Rendering
    now: datetime
    _lists: dict[_Key, Listing | None] = field(default_factory=dict)
    _marks: Mapping[str, str] | None = None

    def all(self) -> Iterator[str]:
        """The addresses of all topics, in every format."""
        lists = self.site.lists
        headings = [lists.heading(name) for name in lists.names()]
        for section in map(slugify, self.site.site.sections):
            headings += [lists.heading(name, section=section) for name in lists.section_names()]
        paths = [path for _, path, _ in headings] + [f"/source/{slug}/latest" for slug in self._sources()]
        for path in paths:
            for suffix in self.site.site.formats:
                yield f"{self.site.site.url}{address(path)}.{suffix}"

    def fingerprint(self, topic: str) -> str | None:
        """A text that changes when items of the topic change, but not with their counts; None if it is no topic."""
        found = self._find(topic)
        if found is None:
            return None
        listing, _ = found
        if listing.kind == "digest":
            lines = [listing.title, *(digest.period for digest in listing.digests)]
        else:
            lines = [listing.title, *(f"{place.item.id} {place.item.updated.isoformat()}" for place in listing.places)]
        return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:32]

    def mark(self, topic: str) -> str | None:
        """A fingerprint for an external hub, which is notified of all topics; a source's changes with new items only.

        Edits are notified with the next new item, so that thousands of lists need not be read.
        """
        key, _ = self._read(topic)
        return self.fingerprint(topic) if key is None or key[1] is None else self._sources().get(key[1])

    def document(self, topic: str) -> Rendered | None:
        """The feed itself; None if the address is not, or no longer, a topic."""
        found = self._find(topic)
        return None if found is None else self.site.feed(*found)

    def _find(self, topic: str) -> tuple[Listing, str] | None:
        key, suffix = self._read(topic)
        listing = None if key is None else self._list(key)
        return None if listing is None else (listing, suffix)

    def _read(self, topic: str) -> tuple[_Key | None, str]:
        """The feed and format that an address names; None if it is no topic."""
        url = self.site.site.url
        match = _PATH.fullmatch(topic.removeprefix(url)) if topic.startswith(url) else None
        if match is None or match["suffix"] not in self.site.site.formats:
            return None, ""
        section, source = (unquote(found) if found else None for found in (match["slug"], match["source"]))
        if source is not None and match["name"] != "latest":
            return None, ""
        return (section, source, unquote(match["name"])), match["suffix"]

    def _list(self, key: _Key) -> Listing | None:
        if key not in self._lists:
            section, source, name = key
            lists = self.site.lists
            try:
                listing = lists.source(source, now=self.now) if source else lists.named(name, section=section)
            except NotFound:
                self._lists[key] = None
            else:
                self._lists[key] = listing if is_topic(listing) else None
        return self._lists[key]

    def _sources(self) -> Mapping[str, str]:
        if self._marks is None:
            self._marks = self.site.store.source_marks()
        return self._marks
