"""Addresses from strangers: absolute, http(s), short, without tricks; or none."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from aggregator.collect.hosts import ascii_host

__all__ = ["MAX_URL_CHARS", "is_private_host", "safe_url"]

MAX_URL_CHARS = 2048

#: what browsers take out of an address before they read it, and what may stand around it
_IGNORED = re.compile(r"[\t\n\r]")
_AROUND = "".join(map(chr, range(0x21)))
#: no address holds one of them unescaped; around it, they are marks of whoever wrote it in a word processor
_QUOTES = '"<>\u201c\u201d\u201e\u201f\u00ab\u00bb'
_SURROGATE = re.compile("[\ud800-\udfff]")
#: an ampersand escaped once too often: ``?a=1&amp;amp;b=2`` in XML is ``?a=1&amp;b=2`` in the address
_AMPERSAND = re.compile(r"&(?:amp|#0*38|#x0*26);(?:amp;)*|(?<=[?&])amp;", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
#: all that may stand in an address as it is; "%" because it is escaped already
_SAFE = "%:/?#[]@!$&'()*+,;=-._~"
#: a scheme of the web without a host: what urljoin would take for a relative address
_HOSTLESS = re.compile(r"https?:(?!//[^/?#])", re.IGNORECASE)
#: addresses that come out of all this as they went in: most of them
_PLAIN = re.compile(
    r"https?://(?=[^/]{1,253}/)[a-z0-9_-]++(?:\.[a-z0-9_-]++)*+/[A-Za-z0-9%:/@!$&'()*+,=.~_-]*+"
    r"(?:\?[A-Za-z0-9%:/@!$&'()*+,=.~_-]++)?+(?:#[A-Za-z0-9%:/@!$&'()*+,=.~_-]++)?+"
)
_PRIVATE_ENDS = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
#: an address with a name that no address in numbers has
_NAMED = re.compile(r"https?://((?:[a-z0-9-]+\.)+[a-z]{2,})(?=[:/?#]|$)")
_HOST_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?", re.IGNORECASE)


def safe_url(url: str | None, base: str = "") -> str | None:
    """`url`, resolved against `base`, as an http(s) address of at most 2 KB in ASCII; None where it is none.

    Refused: other schemes, control characters and backslashes inside, credentials (they show another host than
    they lead to), ports and hosts that cannot be. A host in other scripts becomes punycode, so that look-alikes show.
    """
    if not url:
        return None
    if len(url) > MAX_URL_CHARS:
        return _resolved(url, base)
    return url if _PLAIN.fullmatch(url) else _resolved_before(url, base)


def _resolved(url: str, base: str) -> str | None:
    url = _SURROGATE.sub("\ufffd", _IGNORED.sub("", url.strip(_AROUND).strip(_QUOTES)))
    if ";" in url:
        url = _AMPERSAND.sub(lambda found: "&" if found[0][0] == "&" else "", url)
    if url[:4].lower() == "www.":
        url = f"https://{url}"
    if not url or len(url) > MAX_URL_CHARS or _CONTROL.search(url) or _HOSTLESS.match(url):
        return None
    try:
        return _ascii(urljoin(base, url) if base else url)
    except ValueError:  # brackets that do not close, a port that is no number, a name that IDNA refuses
        return None


#: a site's address in each of its entries, a feed's as the base of everything; 5 MB at most
_resolved_before = lru_cache(maxsize=256)(_resolved)


def _ascii(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        return None
    host = _ascii_host(parts.hostname)
    if host is None:
        return None
    port = "" if parts.port is None else f":{parts.port}"
    path = quote(parts.path, safe=_SAFE) or "/"
    query = quote(parts.query, safe=_SAFE)
    fragment = quote(parts.fragment, safe=_SAFE)
    whole = urlunsplit((parts.scheme, host + port, path, query, fragment))
    return whole if len(whole) <= MAX_URL_CHARS else None


def _ascii_host(host: str) -> str | None:
    if ":" in host:
        ip_address(host.partition("%")[0])
        return f"[{host}]"
    if not host.isascii():
        host = ascii_host(host)
    return host if _HOST_NAME.fullmatch(host) and len(host) <= 253 else None


def is_private_host(url: str) -> bool:
    """Whether an address names this machine or a private network outright: not something strangers may make us load."""
    if (named := _NAMED.match(url)) and not named[1].endswith(_PRIVATE_ENDS):
        return False
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(_PRIVATE_ENDS):
        return True
    try:
        return not ip_address(host.partition("%")[0]).is_global
    except ValueError:
        # 127.1, 0x7f000001, 2130706433: forms that browsers read as IPv4
        return bool(re.fullmatch(r"(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+)){0,3}", host, re.IGNORECASE))
