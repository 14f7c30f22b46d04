"""The cookie of somebody who liked something: a random number, signed, out of the reach of scripts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

NAME = "visitor"
#: browsers keep no cookie for longer (RFC 6265bis, section 5.5)
MAX_AGE_S = 400 * 24 * 3600
ID_BYTES, SIGNATURE_BYTES = 16, 16


def new_visitor() -> bytes:
    """A visitor nobody has seen."""
    return secrets.token_bytes(ID_BYTES)


def liker(visitor: bytes) -> bytes:
    """Under which a visitor's likes are stored: the store's file does not hold the number that the cookie holds."""
    return hashlib.sha256(b"like\0" + visitor).digest()[:16]


def read_cookie(key: bytes, header: str) -> bytes | None:
    """The visitor in a ``Cookie`` header; None without one, or if it is not signed by us."""
    try:
        morsel = SimpleCookie(header).get(NAME)
        raw = base64.urlsafe_b64decode(morsel.value + "==") if morsel else b""
    except (CookieError, binascii.Error, ValueError):
        return None
    visitor, signature = raw[:ID_BYTES], raw[ID_BYTES:]
    if len(raw) != ID_BYTES + SIGNATURE_BYTES or not hmac.compare_digest(signature, _sign(key, visitor)):
        return None
    return visitor


def write_cookie(key: bytes, visitor: bytes, *, site_url: str) -> str:
    """The ``Set-Cookie`` header's value. SameSite=Strict: other sites' forms arrive without it."""
    value = base64.urlsafe_b64encode(visitor + _sign(key, visitor)).decode().rstrip("=")
    parts = urlsplit(site_url)
    path = parts.path.rstrip("/") + "/"
    secure = "; Secure" if parts.scheme == "https" else ""
    return f"{NAME}={value}; Path={path}; Max-Age={MAX_AGE_S}; HttpOnly; SameSite=Strict{secure}"


def _sign(key: bytes, visitor: bytes) -> bytes:
    return hmac.digest(key, visitor, "sha256")[:SIGNATURE_BYTES]
