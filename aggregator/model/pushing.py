"""Values of WebSub's sending side: who is told when a list has changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
