"""Values of WebSub: who is told when a list of ours has changed, and who tells us when a source has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

#: asked: the hub has been asked and has not verified it yet · active: the hub delivers · leaving: the hub has been
#: asked to end it · resting: refused or failed, asked again after `retry_at`
PushState = Literal["asked", "active", "leaving", "resting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSubscriber:
    """Who is told when one of our feeds changes: a reader of the embedded hub, or a hub that we announce to."""

    #: the feed's address
    topic: str
    #: where it is told
    callback: str
    #: what was last told of: a fingerprint of the feed; "" for nothing yet
    told: str
    #: what bodies are signed with; None: they are not
    secret: bytes | None = None
    #: the end of the lease; None: no end (a hub of our own choice)
    until: datetime | None = None
    #: tries in a row that failed, and when the next one is due
    failures: int = 0
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A subscription of ours at a hub: it delivers what is new at a source."""

    #: unguessable; the address that the hub delivers to ends with it
    token: str
    source_id: int
    hub: str
    #: the feed, under the name that it gives itself
    topic: str
    state: PushState
    #: when the hub was last asked for this state
    asked_at: datetime
    #: what deliveries are signed with; None: they cannot be
    secret: str | None = None
    #: end of the lease, and when the next one is asked for; None: nothing verified yet
    until: datetime | None = None
    renew_at: datetime | None = None
    #: the first verification, and the last delivery since nothing was missed
    verified_at: datetime | None = None
    delivered_at: datetime | None = None
    #: tries in a row that came to nothing, and when the next one may be made
    failures: int = 0
    retry_at: datetime | None = None
