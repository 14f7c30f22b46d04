"""What goes over the wire to subscribers and hubs. Pure but for the challenge, which nobody must be able to guess."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from aggregator.model import HubSubscriber
from aggregator.publish.hub.requests import HubRequest
from aggregator.publish.rendering import Made

#: (method, address, body, headers) → (status, beginning of the body), within limits and past the guard; FetchError
Send = Callable[[str, str, bytes, Mapping[str, str]], Awaitable[tuple[int, bytes]]]

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One request to be sent."""

    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def challenge() -> str:
    """A text that only the holder of the callback can have read."""
    return secrets.token_urlsafe(32)


def verification(request: HubRequest, challenge: str) -> Message:
    """The question whether the callback's holder wants this (WebSub, 5.3)."""
    query = {"hub.mode": request.mode, "hub.topic": request.topic, "hub.challenge": challenge}
    if request.mode == "subscribe":
        query["hub.lease_seconds"] = str(int(request.lease.total_seconds()))
    joint = "&" if "?" in request.callback else "?"
    return Message(method="GET", url=f"{request.callback}{joint}{urlencode(query)}")


def is_confirmed(challenge: str, status: int, body: bytes) -> bool:
    """Whether the answer to a verification says yes: 2xx, and the challenge itself."""
    return 200 <= status < 300 and hmac.compare_digest(body.strip(), challenge.encode())


def distribution(subscriber: HubSubscriber, made: Made) -> Message:
    """A feed as it is now, for a subscriber of the embedded hub (WebSub, 7); signed if they gave a secret."""
    headers = {
        "Content-Type": made.content_type,
        "Link": ", ".join(f'<{url}>; rel="{relation}"' for url, relation in made.links),
    }
    if subscriber.secret is not None:
        headers["X-Hub-Signature"] = f"sha256={hmac.new(subscriber.secret, made.body, hashlib.sha256).hexdigest()}"
    return Message(method="POST", url=subscriber.callback, body=made.body, headers=headers)


def announcement(subscriber: HubSubscriber) -> Message:
    """The news for a hub that one of our feeds has changed; hubs want it under one name or the other."""
    form = {"hub.mode": "publish", "hub.url": subscriber.topic, "hub.topic": subscriber.topic}
    return Message(method="POST", url=subscriber.callback, body=urlencode(form).encode(), headers=_FORM)
