"""Whether a delivery was signed with the secret that only we and the hub know (WebSub 7.1). Pure."""

from __future__ import annotations

import hmac

__all__ = ["METHODS", "is_signed"]

METHODS = ("sha1", "sha256", "sha384", "sha512")


def is_signed(body: bytes, signature: str | None, secret: str) -> bool:
    """Whether `signature` (``X-Hub-Signature: method=hex``) is that of `body`; compared in constant time."""
    method, _, given = (signature or "").strip().partition("=")
    if method.lower() not in METHODS or not given.isascii():
        return False
    expected = hmac.new(secret.encode(), body, method.lower()).hexdigest()
    return hmac.compare_digest(expected, given.strip().lower())
