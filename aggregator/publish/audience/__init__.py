"""Counts views and likes: one view a visitor, item and day. It sets no cookie for a view and stores no address.

A visitor is a keyed hash of address, user agent and item. Its key is random, lives in the state directory (mode 0600)
or in the database that several servers share, for one UTC day, and is destroyed with that day's hashes; a restart
within the day counts nobody twice.

A like is remembered by a signed cookie that scripts cannot read; how many likes and views of one item one address and
one network can give in a day is bounded.
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from math import log2
from pathlib import Path
from typing import Final, Protocol

from aggregator.errors import StoreError
from aggregator.model import View, utc
from aggregator.publish.audience.view_policy import ItemRequest, refusal, refusal_in_log, same_origin
from aggregator.publish.audience.visitors import (
    KEY_BYTES,
    Address,
    Ceilings,
    KeyRing,
    Ledger,
    Proxies,
    SharedKeyRing,
    day_start,
    liker,
    new_visitor,
    read_cookie,
    reader_hash,
    visitor_hash,
    visitor_of,
    write_cookie,
)
from aggregator.store import AudienceStore, ReadingStore

__all__ = [
    "Audience",
    "Ceilings",
    "CountingStore",
    "ItemRequest",
    "LikeAnswer",
    "refusal",
    "refusal_in_log",
    "same_origin",
]

log = logging.getLogger(__name__)

#: an office behind one address is real; a thousand browsers there are one person with a script
VIEW_CEILINGS = Ceilings(per_host=100, per_network=300)
LIKE_CEILINGS = Ceilings(per_host=10, per_network=50)


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeAnswer:
    """What became of a like."""

    #: the like was counted now (False: before, or refused)
    counted: bool
    #: refused: 403, it did not come from a page of this site; 429, one network gave too many
    refused: int | None = None
    #: to be sent as a ``Set-Cookie`` header, as it is; None: the browser has it already
    set_cookie: str | None = None


class CountingStore(AudienceStore, ReadingStore, Protocol):
    """What counting asks of the store."""


class _Day:
    """One day's key and who was counted under it."""

    def __init__(self, day: date, key: bytes, ceilings: Ceilings) -> None:
        self.day = day
        self.key = key
        self.ledger = Ledger(ceilings)


class Audience:
    """Counts views and likes. Every method may be called from any thread.

    `site_url` is where readers reach the site (likes must come from there). `trusted_proxies` are addresses or networks
    whose ``X-Forwarded-For`` is believed; ValueError for one that is neither. `has_others`: other servers count on
    the same store, so that the keys are kept there instead of in `state_dir`.
    """

    def __init__(
        self,
        store: CountingStore,
        *,
        state_dir: Path,
        site_url: str,
        trusted_proxies: Sequence[str] = (),
        view_ceilings: Ceilings = VIEW_CEILINGS,
        like_ceilings: Ceilings = LIKE_CEILINGS,
        on_view: Callable[[], None] = lambda: None,
        has_others: bool = False,
    ) -> None:
        self._store = store
        self._on_view = on_view
        self._keys = SharedKeyRing(store) if has_others else KeyRing(state_dir)
        self._site_url = site_url
        self._proxies = Proxies(trusted_proxies)
        self._view_ceilings, self._like_ceilings = view_ceilings, like_ceilings
        # Views never wait for a like, which waits for the disk.
        self._view_lock, self._like_lock = threading.Lock(), threading.Lock()
        self._impressions = Impressions()
        self._cookie_key: bytes | None = None
        self._views: _Day | None = None
        self._likes: _Day | None = None

    def start(self, *, now: datetime) -> None:
        """Reads who has been counted today; to be called once before the first request (else the first view does)."""
        with self._view_lock:
            self._view_day(now)

    def view(self, request: ItemRequest, item_id: str, *, now: datetime) -> bool:
        """Counts the opening of an item if it is a reader's and their first today; whether it was counted.

        Does not wait for the disk to sync: cheap enough for the event loop. A store that cannot write costs the view,
        never the page.
        """
        if refusal(request) is not None:
            return False
        with self._view_lock:
            today = self._view_day(now)
            client = self._client(request)
            who = reader_hash(today.key, address=client, user_agent=request.user_agent, item_id=item_id)
            if today.ledger.seen(who):
                return False
            visitor = visitor_of(who, today.key, address=client, item_id=item_id)
            if today.ledger.full(visitor):
                return False
            today.ledger.add(visitor)
        try:
            self._store.record_views([View(item_id=item_id, at=utc(now), visitor=visitor)])
        except StoreError as error:
            log.warning("view not recorded item=%s: %s", item_id, error)
            with self._view_lock:
                today.ledger.remove(visitor)
            return False
        self._on_view()
        return True

    def shown(self, request: ItemRequest, ids: Sequence[str]) -> None:
        """Counts that a page with these items in this order was opened, if it was opened by a reader."""
        if ids and refusal(request) is None:
            self._impressions.add(ids)

    def flush_impressions(self, *, now: datetime) -> None:
        """Hands what was shown to the store. Waits for the disk; a store that cannot write costs these counts."""
        weights = self._impressions.take()
        try:
            if weights:
                self._store.add_impressions(weights, at=utc(now))
        except StoreError as error:
            log.warning("impressions not recorded", extra={"items": len(weights), "why": error})

    def like(self, request: ItemRequest, item_id: str, *, now: datetime) -> LikeAnswer:
        """Counts a like, durably. Waits for the disk: call it in a thread. Raises NotFound for an unknown item."""
        if request.method != "POST" or not same_origin(request, self._site_url):
            return LikeAnswer(counted=False, refused=403)
        signing_key = self._signing_key()
        known = read_cookie(signing_key, request.headers.get("cookie", ""))
        with self._like_lock:
            today = self._like_day(now)
            trace = visitor_hash(
                today.key, address=self._client(request), user_agent=request.user_agent, item_id=item_id
            )
            if known is None and today.ledger.seen(trace):
                return LikeAnswer(counted=False)  # the same browser again, without keeping our cookie
            if today.ledger.full(trace):
                return LikeAnswer(counted=False, refused=429)
            visitor = known or new_visitor()
            if not self._like_once(item_id, visitor, f"{_trace_prefix(today.day)}{trace.hex()}", known, now):
                return LikeAnswer(counted=False)
            today.ledger.add(trace)
        cookie = None if known else write_cookie(signing_key, visitor, site_url=self._site_url)
        return LikeAnswer(counted=True, set_cookie=cookie)

    def _like_once(self, item_id: str, visitor: bytes, trace: str, known: bytes | None, now: datetime) -> bool:
        """Stores a like and its trace, which one server writes; False: it was given before, at whichever server."""
        own = secrets.token_hex(8)
        is_first = self._store.mint(trace, own) == own
        if known is None and not is_first:
            return False
        counted = False
        try:
            counted = self._store.like(item_id, visitor=liker(visitor), now=utc(now))
        finally:
            if is_first and not counted:
                with contextlib.suppress(StoreError):
                    self._store.unmint([trace])
        return counted

    def roll(self, *, now: datetime) -> None:
        """Destroys what belongs to former days: keys, visitors, ceilings. To be called after midnight UTC."""
        with self._view_lock, self._like_lock:
            today = self._view_day(now).day
            self._like_day(now)
            self._keys.destroy_all_but(today)
        former = _trace_prefix(today)
        self._store.unmint([name for name, _ in self._store.minted(_TRACES, limit=0) if name < former])
        self._store.forget_visitors(day_start(today))

    def _signing_key(self) -> bytes:
        """The key that cookies are signed with, kept in the store so that a backup has it.

        Without it all who liked something would be strangers after a restore.
        """
        if self._cookie_key is None:
            self._cookie_key = bytes.fromhex(self._store.mint("cookie/key", secrets.token_hex(KEY_BYTES)))
        return self._cookie_key

    def _client(self, request: ItemRequest) -> Address | None:
        return self._proxies.client(request.peer, request.headers.get("x-forwarded-for", ""))

    def _view_day(self, now: datetime) -> _Day:
        """Today's ledger; read from the store when the day is new to this process."""
        day = utc(now).date()
        if self._views is None or self._views.day != day:
            self._views = _Day(day, self._keys.of_day(day), self._view_ceilings)
            for _, visitor in self._store.visitors(day_start(day)):
                self._views.ledger.add(visitor)
        return self._views

    def _like_day(self, now: datetime) -> _Day:
        """Today's traces of likes; read from the store when the day is new to this process."""
        day = utc(now).date()
        if self._likes is None or self._likes.day != day:
            self._likes = _Day(day, self._keys.of_day(day), self._like_ceilings)
            for trace in self._read_traces(day):
                self._likes.ledger.add(trace)
        return self._likes

    def _read_traces(self, day: date) -> list[bytes]:
        prefix = _trace_prefix(day)
        return [bytes.fromhex(name.removeprefix(prefix)) for name, _ in self._store.minted(prefix, limit=0)]


#: under which the traces of likes are kept for their day
_TRACES = "likes/"


def _trace_prefix(day: date) -> str:
    return f"{_TRACES}{day.isoformat()}/"


#: links of a page to its items, in the order in which readers meet them
_ITEM_LINK: Final = re.compile(r'href="/(?:[^":]*/)?(?:item|go)/([0-9a-z]{1,32})(?:[?#][^"]*)?"')
#: of a page; what stands further down weighs next to nothing
_MAX_PLACES: Final = 200


def items_of(html: str) -> tuple[str, ...]:
    """The ids of the items that a page links to, each once, in its order."""
    return tuple(dict.fromkeys(match[1] for match in _ITEM_LINK.finditer(html)))[:_MAX_PLACES]


@lru_cache(_MAX_PLACES)
def weight(place: int) -> float:
    """What a place, from 1, weighs: 1 / log2(1 + place), the discount of nDCG."""
    return 1 / log2(1 + place)


class Impressions:
    """What has been shown and not been handed to the store yet. May be used from any thread."""

    def __init__(self) -> None:
        self._weights: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, ids: Sequence[str]) -> None:
        """One page view, with these items in their order."""
        with self._lock:
            for place, item_id in enumerate(ids, start=1):
                self._weights[item_id] += weight(place)  # type: ignore[assignment]  # a Counter adds floats as well

    def take(self) -> dict[str, float]:
        """What has been added, which is forgotten here."""
        with self._lock:
            taken, self._weights = self._weights, Counter()
        return dict(taken)
