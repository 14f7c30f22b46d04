"""Addresses as they are asked for, and the way through redirects. Pure.

An address is asked for as it was written: nothing is re-quoted, added, sorted or guessed (FRB061, FRB062, FRB066).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from yarl import URL

from aggregator.collect.fetch.types import Hop
from aggregator.collect.hosts import ascii_host
from aggregator.errors import FetchError

MAX_URL = 8192
_PERMANENT = frozenset({301, 308})
#: an authority whose host is not in ASCII
_HOST = re.compile(r"((?:[A-Za-z][A-Za-z0-9+.-]*:)?//(?:[^/?#]*@)?+)(?=[^/?#:@\[]*[^\x00-\x7f])([^/?#:@\[]+)")
#: of what is not printable, ZWNJ and ZWJ: letters of a name (IDNA 2008)
_JOINERS = str.maketrans("", "", "\u200c\u200d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """An answer that sends us on. `cookies` are the ``name=value`` of what it wants to be kept."""

    hop: Hop
    location: str
    cookies: tuple[str, ...] = ()


class RedirectChain:
    """One request on its way since `began_s`: where it is now, and which redirects have led there.

    Cookies are not sent, with one exception: a server that redirects an address to itself and sets a cookie has one
    more try with it, and it is forgotten when the chain ends.
    """

    def __init__(self, url: URL, *, max_hops: int, began_s: float = 0.0) -> None:
        self.url = url
        self.first_origin = origin(url)
        self.began_s = began_s
        self.hops: list[Hop] = []
        self._max_hops = max_hops
        self._seen = set[URL]()
        self._kept: dict[str, tuple[str, ...]] = {}
        self._sends_cookies = False

    def follow(self, redirect: Redirect) -> None:
        """Goes where `redirect` leads. FetchError ``redirect-loop``, ``bad-redirect``."""
        self.hops.append(redirect.hop)
        self._seen.add(self.url)
        if redirect.cookies:
            self._kept[str(self.url.raw_host)] = redirect.cookies
        self.url = next_hop(self.url, redirect.location)
        if len(self.hops) > self._max_hops:
            raise FetchError("redirect-loop", f"{self.url.host} redirects more than {self._max_hops} times in a row")
        if self.url in self._seen and not self._starts_over():
            raise FetchError("redirect-loop", f"{self.url.host} redirects in a circle")

    def with_cookies(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """The headers of the next request: `fields`, and seldom a cookie."""
        kept = self._kept.get(str(self.url.raw_host)) if self._sends_cookies else None
        own = [fields["Cookie"]] if "Cookie" in fields else []
        return {**fields, "Cookie": "; ".join([*own, *kept])} if kept else fields

    @property
    def permanent_target(self) -> str | None:
        """Where permanent redirects alone have led; None: no redirect, or one of them was temporary."""
        return str(self.url) if self.hops and all(hop.status in _PERMANENT for hop in self.hops) else None

    def _starts_over(self) -> bool:
        if self._sends_cookies or not self._kept:
            return False
        self._sends_cookies = True
        self._seen.clear()
        return True


def address(text: str) -> URL:
    """`text` as what can be fetched. FetchError ``bad-url``."""
    try:
        return _fetchable(_read(text))
    except ValueError as error:
        raise FetchError("bad-url", f"Not an address that can be fetched: {error}", permanent=True) from error


def origin(url: URL) -> str:
    """Scheme, host and port (RFC 9110 4.3.1), as text."""
    return f"{url.scheme}://{str(url.raw_host).rstrip('.').lower()}:{url.port}"


def next_hop(url: URL, location: str) -> URL:
    """Where a redirect leads; credentials go along within the same origin only (RFC 9110 15.4)."""
    try:
        named = _read(location)
        target = _fetchable(named if named.scheme else url.join(named))
    except ValueError as error:
        raise FetchError("bad-redirect", f"{url.host} redirects to what cannot be fetched: {error}") from error
    if url.user is not None and target.user is None and origin(target) == origin(url):
        return target.with_user(url.user).with_password(url.password)
    return target


def _read(text: str) -> URL:
    """The URL as written, without re-quoting what is quoted already (FRB066). ValueError."""
    text = text.strip(" \t\r\n\f")
    if not text:
        raise ValueError("it is empty")
    if len(text) > MAX_URL:
        raise ValueError(f"it is {len(text)} characters long")
    if "\\" in text or not text.translate(_JOINERS).isprintable():
        raise ValueError("it contains a backslash or a control character")
    try:
        if not text.isascii() and (named := _HOST.match(text)):
            text = named[1] + ascii_host(named[2]) + text[named.end() :]
        return URL(text, encoded=text.isascii() and " " not in text)
    except IndexError as error:  # what yarl has to say of brackets before an @ with nothing behind it
        raise ValueError("its host is none") from error


def _fetchable(url: URL) -> URL:
    if url.scheme not in {"http", "https"}:
        raise ValueError(f"{url.scheme[:20] or 'no'}: is not http: or https:")
    host = url.raw_host
    if not host:
        raise ValueError("it names no host")
    if " " in host:
        raise ValueError("its host contains a blank")
    if "xn--" in host:
        url.host  # noqa: B018 - ValueError where it cannot be decoded; of other hosts there is nothing to decode
    return url.with_fragment(None)
