"""Messages to subscribers and hubs. Pure, except for the challenge, which is random."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal
from urllib.parse import urlencode, urlsplit

from aggregator.model import HubSubscriber
from aggregator.publish.rendering import Rendered

#: (method, address, body, headers) → (status, beginning of the body), within limits and past the guard; FetchError
Send = Callable[[str, str, bytes, Mapping[str, str]], Awaitable[tuple[int, bytes]]]

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An HTTP request to be sent."""

    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def challenge() -> str:
    """A random text; only the owner of the callback can return it."""
    return secrets.token_urlsafe(32)


def verification(request: HubRequest, challenge: str) -> Message:
    """The request that verifies the intent of a subscriber at its callback (WebSub, 5.3)."""
    query = {"hub.mode": request.mode, "hub.topic": request.topic, "hub.challenge": challenge}
    if request.mode == "subscribe":
        query["hub.lease_seconds"] = str(int(request.lease.total_seconds()))
    joint = "&" if "?" in request.callback else "?"
    return Message(method="GET", url=f"{request.callback}{joint}{urlencode(query)}")


def is_confirmed(challenge: str, status: int, body: bytes) -> bool:
    """Whether a response to a verification confirms it: status 2xx, and the challenge as its body."""
    return 200 <= status < 300 and hmac.compare_digest(body.strip(), challenge.encode())


def distribution(subscriber: HubSubscriber, made: Rendered) -> Message:
    """A feed as it is now, for a subscriber of the embedded hub (WebSub, 7); signed if there is a secret."""
    headers = {
        "Content-Type": made.content_type,
        "Link": ", ".join(f'<{url}>; rel="{relation}"' for url, relation in made.links),
    }
    if subscriber.secret is not None:
        headers["X-Hub-Signature"] = f"sha256={hmac.new(subscriber.secret, made.body, hashlib.sha256).hexdigest()}"
    return Message(method="POST", url=subscriber.callback, body=made.body, headers=headers)


def announcement(subscriber: HubSubscriber) -> Message:
    """The ping to a hub that a feed has changed; it names the topic in both ways that hubs expect."""
    form = {"hub.mode": "publish", "hub.url": subscriber.topic, "hub.topic": subscriber.topic}
    return Message(method="POST", url=subscriber.callback, body=urlencode(form).encode(), headers=_FORM)


#: of subscribers that do not ask for a length
_LEASE: Final = timedelta(days=10)
_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=30)
#: "MUST be less than 200 bytes"
_SECRET_BYTES: Final = 200
_CALLBACK: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRequest:
    """A request to subscribe or unsubscribe; it takes effect once the callback has confirmed it."""

    mode: Literal["subscribe", "unsubscribe"]
    topic: str
    callback: str
    lease: timedelta = _LEASE
    secret: bytes | None = None


def read_request(form: Mapping[str, str]) -> HubRequest | str:
    """The request in a form, or the reason why it is refused."""
    mode, topic, callback = (form.get(f"hub.{name}", "") for name in ("mode", "topic", "callback"))
    if mode not in ("subscribe", "unsubscribe"):
        return f"hub.mode is {mode[:40]!r}: expected subscribe or unsubscribe"
    if not topic:
        return "hub.topic is missing: the address of one of the feeds of this site"
    if (wrong := _wrong_callback(callback)) is not None:
        return f"hub.callback {wrong}"
    secret = form.get("hub.secret", "").encode("utf-8", "replace")
    if len(secret) >= _SECRET_BYTES:
        return f"hub.secret must be shorter than {_SECRET_BYTES} bytes"
    seconds = form.get("hub.lease_seconds", "")
    if seconds and not (seconds.isascii() and seconds.isdecimal() and len(seconds) < 12):
        return "hub.lease_seconds is not a number of seconds"
    lease = timedelta(seconds=int(seconds)) if seconds else _LEASE
    return HubRequest(
        mode="subscribe" if mode == "subscribe" else "unsubscribe",
        topic=topic,
        callback=callback,
        lease=min(max(lease, _SHORTEST), _LONGEST),
        secret=secret or None,
    )


def _wrong_callback(callback: str) -> str | None:
    if not callback:
        return "is missing: where to be told"
    if len(callback) > _CALLBACK:
        return f"is longer than {_CALLBACK} characters"
    if not (callback.isascii() and callback.isprintable()) or " " in callback or "#" in callback:
        return "is not an address"
    try:
        parts = urlsplit(callback)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        known = False
    return None if known else "is not an http(s) address"
