"""Names and keys: public ids, hashed dedup keys, hosts, slugs. Pure."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from datetime import timedelta
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urlsplit

from aggregator.model.redact import public_url
from aggregator.model.slug import slugify

#: 36 ** 13 > 2 ** 63, so every id has this many characters and sorts as its number does
ID_LENGTH = 13
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID = re.compile(rf"[0-9a-z]{{{ID_LENGTH}}}")

#: one service with many host names: polled as one (COLLECT.md 1.2, "429 scope")
PLATFORMS = (
    "tumblr.com",
    "reddit.com",
    "youtube.com",
    "medium.com",
    "substack.com",
    "blogspot.com",
    "wordpress.com",
)
PUBLIC_GAP = timedelta(seconds=1)


def digest(*parts: str) -> bytes:
    """16 bytes that stand for these texts in a unique index."""
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:16]


def public_id(feed_url: str, entry_id: str, salt: int = 0) -> int:
    """63 bits that follow from the founding entry alone, so that a lost database gives the same ids again."""
    seed = digest(feed_url, entry_id, str(salt) if salt else "")
    return int.from_bytes(seed[:8], "big") >> 1


def encode_id(number: int) -> str:
    """The id as people and addresses see it."""
    text = ""
    for _ in range(ID_LENGTH):
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text


def decode_id(text: str) -> int | None:
    """The number of an id; None for anything that never was one."""
    if not _ID.fullmatch(text):
        return None
    number = int(text, 36)
    return number if number < 1 << 63 else None


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if host == "localhost" or host.endswith(".localhost"):
        return ipaddress.IPv4Address(0x7F00_0001)
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


@lru_cache(maxsize=4096)  # asked at every poll
def host_key(url: str) -> str:
    """What is polled one request at a time: a host, a platform of many hosts; host:port on one's own network."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return url[:255]
    if (literal := _literal(host)) is not None:
        own = f"{host}:{port or (443 if parts.scheme == 'https' else 80)}"
        return own if not literal.is_global else f"[{host}]"
    for platform in PLATFORMS:
        if host == platform or host.endswith("." + platform):
            return platform
    return host.removeprefix("www.")


def request_gap(host: str) -> timedelta:
    """The least time between two requests to one host: none on one's own network's literal addresses."""
    return timedelta(0) if ":" in host and not host.startswith("[") else PUBLIC_GAP


def slug_of(url: str, name: str | None) -> str:
    """The slug a source would like to have: from its name, else from its address."""
    if name:
        return slugify(name)
    parts = urlsplit(public_url(url))
    host = re.sub(r"^(www|feeds?|rss)\.", "", parts.hostname or "")
    path = re.sub(r"\.(xml|rss|atom|rdf|json)$|\b(rss|feeds?|index|atom)\b", "", parts.path)
    return slugify(f"{host} {path}")


_SPLIT = re.compile(
    "([\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff])"
)


def search_words(text: str) -> str:
    """Text as the full-text index holds it: NFKC, and scripts written without spaces one character a word."""
    if text.isascii():
        return text
    return _SPLIT.sub(r" \1 ", unicodedata.normalize("NFKC", text))


#: a letter may come with its diacritics apart
_WORD = re.compile("[\\w\u0300-\u0331]+")


def search_query(words: str) -> str:
    """The words as a full-text expression: all of them, in any order; "" where nothing can be searched for.

    Runs of characters that `search_words` has split are looked for as phrases. No text is a syntax error.
    """
    normal = unicodedata.normalize("NFKC", words).replace("\0", " ")
    terms = [" ".join(_WORD.findall(search_words(word))) for word in normal.split()]
    return " ".join(f'"{term}"' for term in terms if term)
