"""Views and likes: who counts, and once. No cookie for a view, no address kept.

A visitor is a keyed hash of address, user agent and item. Its key is random, lives in the state directory (mode 0600)
for one UTC day and is destroyed with that day's hashes; a restart within the day counts nobody twice.

A like is remembered by a signed cookie that scripts cannot read; how many likes and views of one item one address and
one network can give in a day is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aggregator.publish.audience.opened import Opened
from aggregator.store import AudienceStore

__all__ = ["Audience", "LikeAnswer", "Opened"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeAnswer:
    """What became of a like."""

    #: the like was counted now (False: before, or refused)
    counted: bool
    #: refused: the request did not come from a page of this site, or one network gave too many; answer 403 or 429
    refused: int | None = None
    #: to be sent as a ``Set-Cookie`` header, as it is; None: the browser has it already
    set_cookie: str | None = None


class Audience:
    """Counts views and likes. Every method may be called from any thread.

    `site_url` is where readers reach the site (likes must come from there). `trusted_proxies` are addresses or networks
    whose ``X-Forwarded-For`` is believed.
    """

    def __init__(
        self, store: AudienceStore, *, state_dir: Path, site_url: str, trusted_proxies: Sequence[str] = ()
    ) -> None:
        raise NotImplementedError

    def start(self, *, now: datetime) -> None:
        """Reads who has been counted today; to be called once before the first request (else the first view does)."""
        raise NotImplementedError

    def view(self, opened: Opened, item_id: str, *, now: datetime) -> bool:
        """Counts the opening of an item if it is a reader's and their first today; whether it was counted.

        Does not wait for the disk to sync: cheap enough for the event loop.
        """
        raise NotImplementedError

    def like(self, opened: Opened, item_id: str, *, now: datetime) -> LikeAnswer:
        """Counts a like, durably. Waits for the disk: call it in a thread. Raises NotFound for an unknown item."""
        raise NotImplementedError

    def roll(self, *, now: datetime) -> None:
        """Destroys what belongs to former days: keys, visitors, ceilings. To be called after midnight UTC, and at will."""
        raise NotImplementedError
