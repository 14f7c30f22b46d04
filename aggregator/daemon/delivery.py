"""Sends issued digests to whoever config.toml names, each at most once.

A mark in the store says that a message is about to be sent, a second one how that ended. A process that dies between
the two leaves the first: whether the message went out is unknown then, and it is not sent again. What surely was not
sent takes its mark back and is tried again, ever more rarely, until the next digest of its feed is issued.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Final

from aggregator.model import Digest
from aggregator.publish.own_feeds import sent_prefix
from aggregator.store import Store

__all__ = ["Channel", "Delivery", "Refused", "Undelivered", "Unknown"]

log = logging.getLogger(__name__)

#: how a delivery ended that went well
SENT: Final = "sent"
_FIRST_RETRY: Final = timedelta(minutes=1)
_LAST_RETRY: Final = timedelta(hours=1)


class Undelivered(Exception):
    """It was not sent; it may be tried again."""


class Refused(Undelivered):
    """It was not sent, and trying again would change nothing."""


class Unknown(Exception):
    """Nobody can tell whether it was sent."""


class Taken(Exception):
    """Another process sends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One way to one recipient."""

    #: mail | notify
    kind: str
    #: an e-mail address or an address of Apprise's: never shown
    address: str = field(repr=False)
    #: sends the digest, calling what it is given when the other side is ready for it; raises as above
    send: Callable[[Digest, Callable[[], None]], None] = field(repr=False)

    @property
    def key(self) -> str:
        """Tells it from others without telling the address."""
        return f"{self.kind}-{hashlib.sha256(self.address.encode()).hexdigest()[:16]}"


@dataclass(slots=True)
class _Claim:
    """Marks in the store, durably, that a message is about to be sent."""

    store: Store
    mark: str
    is_ours: bool = False

    def __call__(self) -> None:
        """Raises Taken if another process has marked it before."""
        token = token_hex(8)
        self.is_ours = self.store.mint(self.mark, token) == token
        if not self.is_ours:
            raise Taken

    def withdraw(self) -> None:
        """It was not sent after all."""
        if self.is_ours:
            self.store.unmint([self.mark])


class Delivery:
    """Blocks while it sends; called by one thread at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        #: mark → (how often it has failed, when it is tried again)
        self._waiting: dict[str, tuple[int, datetime]] = {}
        #: what could not be sent, by mark: a sentence for the operator, without addresses
        self.failures: dict[str, str] = {}

    def deliver(self, digest: Digest, channel: Channel, *, now: datetime) -> None:
        """Sends a digest, unless that was done, or tried so recently that the next attempt is not due."""
        mark = sent_prefix(digest.feed, digest.period) + channel.key
        known = dict(self._store.minted(mark, limit=0))
        end = known.get(f"{mark}/end")
        if end is not None:
            if end != SENT:
                self._tell(mark, digest, channel, end)
            return
        if mark in known:
            self._end(mark, digest, channel, "unknown: the daemon ended while it was sent")
            return
        if self._waiting.get(mark, (0, now))[1] > now:
            return
        self._attempt(mark, digest, channel, now)

    def forget_all_but(self, marks: set[str]) -> None:
        """Forgets the failures of digests that are sent no longer."""
        self.failures = {mark: why for mark, why in self.failures.items() if mark in marks}
        self._waiting = {mark: wait for mark, wait in self._waiting.items() if mark in marks}

    def _attempt(self, mark: str, digest: Digest, channel: Channel, now: datetime) -> None:
        claim = _Claim(self._store, mark)
        try:
            channel.send(digest, claim)
        except Taken:
            return
        except Refused as error:
            self._end(mark, digest, channel, f"refused: {error}")
        except Undelivered as error:
            claim.withdraw()
            self._wait(mark, digest, channel, str(error), now)
        except Unknown as error:
            self._end(mark, digest, channel, f"unknown: {error}")
        else:
            self._end(mark, digest, channel, SENT)

    def _wait(self, mark: str, digest: Digest, channel: Channel, why: str, now: datetime) -> None:
        attempts = self._waiting.get(mark, (0, now))[0] + 1
        pause = min(_FIRST_RETRY * 2 ** min(attempts - 1, 10), _LAST_RETRY)
        self._waiting[mark] = attempts, now + pause
        self._tell(mark, digest, channel, f"{why}; it is tried again")
        log.warning(
            "digest not sent", extra={"feed": digest.feed, "period": digest.period, "by": channel.kind, "why": why}
        )

    def _end(self, mark: str, digest: Digest, channel: Channel, how: str) -> None:
        self._store.mint(f"{mark}/end", how)
        self._waiting.pop(mark, None)
        told = {"feed": digest.feed, "period": digest.period, "by": channel.kind}
        if how == SENT:
            self.failures.pop(mark, None)
            log.info("digest sent", extra=told)
        else:
            self._tell(mark, digest, channel, how)
            log.error("digest not sent", extra={**told, "why": how})

    def _tell(self, mark: str, digest: Digest, channel: Channel, why: str) -> None:
        way = "mailed" if channel.kind == "mail" else "notified"
        self.failures[mark] = f"The digest {digest.feed} of {digest.period} was not {way}: {why}."
