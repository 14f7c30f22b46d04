"""What the headers of an answer mean for the next request. Pure: header names arrive in any case, values as text."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import cast

from aggregator.model import Validators

#: a validator that is longer is not worth echoing
_MAX_VALIDATOR = 1024
_MAX_RETRY = timedelta(days=7)
_MIN_RETRY = timedelta(seconds=60)
#: digits enough for any age; more would only overflow
_SECONDS = re.compile(r"\d{1,12}\Z", re.ASCII)

_MAX_LINK_CHARS = 8192
#: <address>; parameters (RFC 8288, 3); within quotes anything may stand
_LINK = re.compile(r"<([^<>]{1,2048})>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s\";,]+))?)*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\";,]+))", re.IGNORECASE)

Headers = Mapping[str, str]


def dated(headers: Headers, received: datetime | None) -> Headers:
    """The same headers, with a Date: the time of receipt where the server sent none (RFC 9110 6.6.1).

    Where no other header is measured against it, none is made.
    """
    if received is None or "Date" in headers or not ("Expires" in headers or "Retry-After" in headers):
        return headers
    return ChainMap({"Date": format_datetime(received, usegmt=True)}, cast("MutableMapping[str, str]", headers))


def validators(headers: Headers) -> Validators:
    """The pair to send back byte for byte; a part that is absent, too long or unprintable is None."""
    return Validators(etag=_opaque(headers.get("ETag")), last_modified=_opaque(headers.get("Last-Modified")))


def refreshed(sent: Validators, headers: Headers) -> Validators:
    """The pair after a 304: what it brought replaces what was sent (RFC 9111 4.3.4)."""
    return Validators(
        etag=_opaque(headers.get("ETag")) or sent.etag,
        last_modified=_opaque(headers.get("Last-Modified")) or sent.last_modified,
    )


def conditional(sent: Validators | None) -> dict[str, str]:
    """The headers of a conditional request; both validators where there are both (FRB002, FRB004).

    Beside an entity tag, also the offer to take new entries alone (RFC 3229 with "feed").
    """
    if sent is None:
        return {}
    delta = "feed" if sent.etag else None
    pairs = {"If-None-Match": sent.etag, "If-Modified-Since": sent.last_modified, "A-IM": delta}
    return {name: value for name, value in pairs.items() if value}


def fresh_for(headers: Headers) -> timedelta | None:
    """How long the answer says it stays fresh: max-age - Age, else Expires - Date (RFC 9111 4.2); None: nothing said.

    Uncapped. s-maxage is for shared caches, and the local clock plays no part.
    """
    said = headers.get("Cache-Control")
    directives = _directives(said) if said else {}
    if directives.keys() & {"no-cache", "no-store"}:
        return None
    if "max-age" in directives:
        age = _seconds(headers.get("Age")) or timedelta(0)
        limit = _seconds(directives["max-age"])
        return _positive(limit - age) if limit is not None else None
    expires = http_date(headers.get("Expires"))
    date = http_date(headers.get("Date")) if expires else None
    return _positive(expires - date) if expires and date else None


def retry_after(headers: Headers) -> timedelta | None:
    """How long to stay away, within a minute and seven days; None: nothing sensible is said."""
    wait = asked_wait(headers)
    return None if wait is None else min(max(wait, _MIN_RETRY), _MAX_RETRY)


def asked_wait(headers: Headers) -> timedelta | None:
    """What Retry-After says, in both forms (RFC 9110 10.2.3): a date, against that of the answer; None: nothing."""
    value = headers.get("Retry-After")
    wait = _seconds(value)
    if wait is None:
        until, date = http_date(value), http_date(headers.get("Date"))
        wait = until - date if until and date else None
    return None if wait is None or wait < timedelta(0) else wait


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


def link_headers(header: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Absolute http(s) addresses and their relations, in order."""
    for link in _LINK.finditer(header[:_MAX_LINK_CHARS]):
        address = link[1].strip()
        rel = _REL.search(link[2])
        if rel and address.lower().startswith(("http://", "https://")) and address.isprintable():
            yield address, frozenset((rel[1] or rel[2] or "").lower().split())


def _opaque(value: str | None) -> str | None:
    return plain(value, longest=_MAX_VALIDATOR) or None


def _directives(value: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in value.split(","))
    return {name.strip().lower(): argument.strip().strip('"') for name, _, argument in pairs}


def _seconds(value: str | None) -> timedelta | None:
    text = (value or "").strip()
    return timedelta(seconds=min(int(text), 10**9)) if _SECONDS.match(text) else None


def _positive(duration: timedelta) -> timedelta | None:
    return duration if duration > timedelta(0) else None
