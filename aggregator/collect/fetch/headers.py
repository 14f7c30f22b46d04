"""What the headers of an answer mean for the next request. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from aggregator.collect.fetch.http1 import HeaderFields
from aggregator.collect.fetch.types import CacheHeaders
from aggregator.model import Freshness, Validators

#: what common servers take in one header line (Apache 8,190 bytes), its name included
_MAX_VALIDATOR = 8000
_MAX_RETRY = timedelta(days=7)
_MIN_RETRY = timedelta(seconds=60)
#: as they should be, and as they are met: quoted, with a unit
_SECONDS = re.compile(r"[\"']?\s*(\d+)(?:\.\d*)?\s*(?:s|secs?|seconds?)?[\"']?", re.ASCII | re.IGNORECASE)
#: about thirty years: what is longer is clamped
_MAX_SECONDS = 10**9
_ZERO = timedelta(0)
#: a validator is opaque: what cannot stand in a header is all that is refused
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: a directive of Cache-Control: its name, and its argument as a token or within quotes (RFC 9111 5.2)
_DIRECTIVE = re.compile(r"([^\s,=;\"]+)\s*(?:=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,;\"]*)))?")
_MAX_LINK_CHARS = 8192
#: <address>; parameters (RFC 8288, 3); within quotes anything may stand
_QUOTED = r"\"(?:[^\"\\]|\\.)*+\""
_LINK = re.compile(rf"<([^<>]{{1,2048}})>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:{_QUOTED}|[^\s\";,]+))?)*)")
_PARAMETER = re.compile(rf";\s*([^\s=;,]+)\s*=\s*({_QUOTED}|[^\s\";,]+)")


class LinkValue(NamedTuple):
    """Where a ``Link`` header leads, as it is written, and what it says of that (names in lower case)."""

    target: str
    parameters: Mapping[str, str]

    @property
    def relations(self) -> list[str]:
        """Its ``rel``."""
        return self.parameters.get("rel", "").lower().split()


def validators(headers: HeaderFields, *, origin: str) -> Validators:
    """The pair to send back byte for byte to `origin`; a part that is absent or cannot be sent is None."""
    found = Validators(
        etag=_opaque(headers.get("ETag")), last_modified=_opaque(headers.get("Last-Modified")), origin=origin
    )
    return found if found.is_usable else Validators()


def refreshed(sent: Validators, headers: HeaderFields, *, origin: str) -> Validators:
    """The pair after a 304: what it brought replaces what was sent (RFC 9111 4.3.4)."""
    return Validators(
        etag=_opaque(headers.get("ETag")) or sent.etag,
        last_modified=_opaque(headers.get("Last-Modified")) or sent.last_modified,
        origin=origin,
    )


def conditional(sent: Validators) -> dict[str, str]:
    """The headers of a conditional request; both validators where there are both (FRB002, FRB004).

    Beside an entity tag, also the offer to take new entries alone (RFC 3229 with "feed").
    """
    delta = "feed" if sent.etag else None
    pairs = {"If-None-Match": sent.etag, "If-Modified-Since": sent.last_modified, "A-IM": delta}
    return {name: value for name, value in pairs.items() if value}


def cache_headers(headers: HeaderFields, received: datetime | None) -> CacheHeaders:
    """What the answer says about its freshness (RFC 9111 4.2); `received` is the time of one without a Date.

    s-maxage is for shared caches. no-cache and no-store leave nothing fresh; a no-cache that names fields concerns
    those fields only (RFC 9111 5.2.2.4). Of several max-age the first counts (4.2.1).
    """
    lines = headers.getall("Cache-Control")
    directives = _directives(", ".join(lines))
    limits = [argument for name, argument in directives if name == "max-age"]
    expires = http_date(headers.get("Expires"))
    date = http_date(headers.get("Date")) or received
    expires_in = _positive(expires - date) if expires and date else None
    max_age = _seconds(limits[0]) if limits else None
    forbids_reuse = any(name == "no-store" or (name == "no-cache" and not argument) for name, argument in directives)
    if forbids_reuse:
        max_age = expires_in = None
    elif limits and max_age is None:
        expires_in = None  # it cannot be read: stale (RFC 9111 4.2.1)
    return CacheHeaders(
        freshness=Freshness(max_age=max_age, expires_in=expires_in),
        age=_seconds((headers.get("Age") or "").partition(",")[0]) or _ZERO,
        has_cache_control=bool(lines),
        has_expires="Expires" in headers,
        forbids_reuse=forbids_reuse,
    )


def retry_after(headers: HeaderFields, received: datetime | None = None) -> timedelta | None:
    """How long to stay away, within a minute and seven days; None: nothing sensible is said."""
    wait = asked_wait(headers, received)
    return None if wait is None else min(max(wait, _MIN_RETRY), _MAX_RETRY)


def asked_wait(headers: HeaderFields, received: datetime | None = None) -> timedelta | None:
    """What Retry-After says (RFC 9110 10.2.3): seconds, or a date against that of the answer; None: nothing.

    Of several, the longest.
    """
    date = http_date(headers.get("Date")) or received
    waits = [wait for value in headers.getall("Retry-After") for wait in _waits(value, date)]
    return max((wait for wait in waits if wait >= _ZERO), default=None)


def _waits(value: str, date: datetime | None) -> Iterator[timedelta]:
    """One, or those that a proxy has made one line of; a date that is not of HTTP's may be one of ISO 8601."""
    until = http_date(value) or _iso_date(value)
    if until is not None:
        yield from [until - date] if date else []
        return
    for part in value.split(","):
        if (wait := _seconds(part)) is not None:
            yield wait


def _iso_date(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value.strip()) if "-" in value[4:] else None
    except ValueError:
        return None
    return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def http_date(value: str | None) -> datetime | None:
    """An HTTP date in any of its three forms; None for what is none."""
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value.strip())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    # asctime dates carry no zone and are UTC by definition (RFC 9110 5.6.7)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def plain(value: str | None, *, longest: int = 256) -> str | None:
    """A descriptive header as printable ASCII of at most `longest` characters; None: absent or not that."""
    if value is None or len(value) > longest or not (value.isascii() and value.isprintable()):
        return None
    return value


def as_text(value: str) -> str:
    """A Latin-1 value in which servers have written UTF-8 (Location, Link), as it was meant."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return value


def link_values(header: str) -> Iterator[LinkValue]:
    """What ``Link`` headers say, in order (RFC 8288 3)."""
    for link in _LINK.finditer(header[:_MAX_LINK_CHARS]):
        parameters: dict[str, str] = {}
        for name, value in _PARAMETER.findall(link[2]):
            is_quoted = value.startswith('"')
            parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", value[1:-1]) if is_quoted else value.strip("'"))
        yield LinkValue(link[1].strip(), parameters)


def _opaque(value: str | None) -> str | None:
    """A validator that can be sent back; ``*`` cannot: as If-None-Match it means something else (RFC 9110 13.1.2)."""
    if not value or value == "*" or len(value) > _MAX_VALIDATOR or _CONTROL.search(value):
        return None
    return value


def _directives(value: str) -> list[tuple[str, str]]:
    """Directives in lower case and their arguments, "" for none."""
    found = (directive.groups() for directive in _DIRECTIVE.finditer(value))
    return [(name.lower(), quoted or token or "") for name, quoted, token in found]


def _seconds(value: str | None) -> timedelta | None:
    number = _SECONDS.fullmatch((value or "").strip())
    if number is None:
        return None
    digits = number[1].lstrip("0")
    return timedelta(seconds=_MAX_SECONDS if len(digits) > 9 else int(digits or "0"))


def _positive(duration: timedelta) -> timedelta | None:
    return duration if duration > _ZERO else None
