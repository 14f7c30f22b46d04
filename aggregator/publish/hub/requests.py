"""What somebody asks of the embedded hub (WebSub, 5.1): read, or refused in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal
from urllib.parse import urlsplit

#: of those who do not say
_LEASE: Final = timedelta(days=10)
_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=30)
#: "MUST be less than 200 bytes"
_SECRET_BYTES: Final = 200
_CALLBACK: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRequest:
    """A wish to be told of a topic, or no longer; it is granted once the callback has confirmed it."""

    mode: Literal["subscribe", "unsubscribe"]
    topic: str
    callback: str
    lease: timedelta = _LEASE
    secret: bytes | None = None


def read_request(form: Mapping[str, str]) -> HubRequest | str:
    """The request that a form holds, or why it is refused."""
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
