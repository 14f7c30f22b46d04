"""Types of values in config.toml; each refuses a wrong value with a sentence that says how to write it."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable
from datetime import time, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field

from aggregator.model import duration

MAX_URL = 2_048
#: views are counted in 5-minute buckets that are kept for 60 days
SHORTEST_WINDOW, LONGEST_WINDOW = timedelta(minutes=5), timedelta(days=60)
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)\s*([kmg]?)(i?)b?", re.IGNORECASE)
#: the host of an address or e-mail address
_HOST = re.compile(r"(?:[a-z]+://|mailto:)?(?:[^/?#]*@)?([a-z0-9.-]*)", re.IGNORECASE)
_NOBODYS = frozenset({"example", "invalid", "localhost", "test"})


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is nearest to `word`; None if none is near."""
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), folded, 1, cutoff=0.6)
    return folded[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'max_size'?``, or nothing."""
    near = nearest(word, known)
    return f"; did you mean '{near}'?" if near else ""


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return duration(value)
    raise ValueError(f'{value!r} is not a duration: write it with its unit, e.g. "{value}s" or "{value}m"')


def _full_text(value: object) -> str:
    if isinstance(value, bool):
        return "feed" if value else ""
    if value in {"feed", "fetch"}:
        return str(value)
    hint = did_you_mean(value, ("feed", "fetch")) if isinstance(value, str) else ""
    raise ValueError(f'{value!r} is not "feed" (or true), "fetch" or false{hint}')


def _duration_or_never(value: object) -> timedelta | None:
    return None if value is None or value == "never" else _duration(value)


def size(text: str) -> int:
    """Bytes that ``10MB``, ``512 KiB`` or ``1g`` stands for; K, M and G are powers of 1000, Ki, Mi and Gi of 1024."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text}" is not a size: write "500KB", "10MB" or "1GB"')
    number, unit, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** ("kmg".index(unit.lower()) + 1 if unit else 0))


def _size(value: object) -> int:
    if isinstance(value, str):
        return size(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f'{value!r} is not a size: write "500KB", "10MB" or "1GB"')


def _line(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise ValueError("must not be empty")
    if len(stripped) > 200 or not stripped.isprintable():
        raise ValueError("must be one line of at most 200 printable characters")
    return stripped


def http_url(text: str) -> str:
    """`text`, if it is a complete http or https address. Raises ValueError with what is missing."""
    if re.search(r"[\s\x00-\x20\x7f<>\"]", text) or len(text) > MAX_URL:
        raise ValueError(f'"{text[:80]}" is not an address: it contains blanks or is longer than {MAX_URL} characters')
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(f'"{text}" is not an address: {error}') from error
    if not known:
        raise ValueError(f'"{text}" is not an http or https address' + _address_hint(text, parts.scheme))
    return text


def _address_hint(text: str, scheme: str) -> str:
    if not scheme and re.match(r"[\w-]+(\.[\w-]+)+", text):
        return f": did you mean 'https://{text}'?"
    if scheme == "feed":
        rest = text.removeprefix("feed:")
        return f": did you mean '{rest if rest.startswith('http') else f'https:{rest}'}'?"
    return ""


def is_nobodys(contact: str) -> bool:
    """Whether an address or e-mail address uses a name that is reserved for examples and tests (RFC 2606)."""
    found = _HOST.match(contact)
    labels = found[1].lower().rstrip(".").split(".") if found else [""]
    return labels[-1] in _NOBODYS or (labels[-2:-1] == ["example"] and labels[-1] in {"com", "net", "org"})


def is_this_machine(host: str) -> bool:
    """Whether a host is known to be this machine."""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _site_url(text: str) -> str:
    parts = urlsplit(http_url(text))
    if parts.query or parts.fragment:
        raise ValueError(f'"{text}" must not have a query or a fragment: links are built from it')
    return text.rstrip("/")


def _hub(text: str) -> str:
    return text if text in {"", "self"} else http_url(text)


def _zone(value: object) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = did_you_mean(str(value), available_timezones())
        raise ValueError(f"{value!r} is not a time zone, write e.g. 'Europe/London'{near}") from error


def _language(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", text):
        raise ValueError(f'"{text}" is not a language tag: write "en", "de" or "pt-br"')
    return text.lower()


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:8080``, ``[::1]:8080`` or ``localhost:8080``; port 0 lets the system choose."""
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([\w.-]*)):(\d{1,5})", text)
    if found is None or int(found[3]) > 65_535:
        raise ValueError(f'"{text}" is not an address to listen on: write host:port, e.g. "127.0.0.1:8080"')
    return found[1] or found[2] or "0.0.0.0", int(found[3])  # noqa: S104  ":8080" means every interface, everywhere


def _listen(text: str) -> str:
    if text.startswith("unix:"):
        if not text.removeprefix("unix:").startswith("/"):
            raise ValueError(f'"{text}" is not a socket: write unix: and a path, e.g. "unix:/run/aggregator/web.sock"')
        return text
    listen_address(text)
    return text


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else _sequence(value)


def _proxy(text: str) -> str:
    return text if text == "unix" else _network(text)


def _octal(text: str) -> str:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise ValueError(f'"{text}" is not a mode: write three octal digits in quotes, e.g. "0660"')
    return text


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise ValueError(f'"{text}" is not a network: write "127.0.0.1/32" or "10.0.0.0/8"') from error


def _window(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,4}[mhdw]", text):
        raise ValueError(f'"{text}" is not a window: write one number and one unit, e.g. "1h", "1d" or "7d"')
    if not SHORTEST_WINDOW <= duration(text) <= LONGEST_WINDOW:
        raise ValueError(f'"{text}": a window is between 5m and 60d, the time for which views are counted exactly')
    return text


def _time_of_day(value: object) -> time:
    if isinstance(value, time):
        return value
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'{value!r} is not a time of the day: write "07:00" or "18:30"')
    return time(int(found[1]), int(found[2]))


def _mail_address(text: str) -> str:
    """An e-mail address; the message does not show it, and a line break in it would be another header."""
    if not re.fullmatch(r"[!#$%&'*+/=?^_`{|}~0-9A-Za-z.-]{1,64}@[0-9A-Za-z]([0-9A-Za-z.-]{0,250}[0-9A-Za-z])?", text):
        raise ValueError('is not an e-mail address: write "reader@example.org"')
    return text


def _notify_url(text: str) -> str:
    """An address of Apprise's, which may hold a secret: the message does not show it."""
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*://[!-~]+", text):
        raise ValueError('is not an address that Apprise knows: write e.g. "ntfy://ntfy.example.org/topic"')
    return text


def _sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = [value for at, value in enumerate(values) if value in values[:at]]
    if twice:
        raise ValueError(f'"{twice[0]}" stands in the list twice')
    return values


def _silently_unique(values: tuple[str, ...]) -> tuple[str, ...]:
    """As `_unique`, of values that no message may show."""
    if len(set(values)) < len(values):
        raise ValueError("names one address twice")
    return values


#: headers that HTTP or conditional requests depend on
_OURS_ALONE = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive", "range"}
    | {"accept-encoding", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range", "a-im"}
)


def _request_headers(values: dict[str, str]) -> dict[str, str]:
    """Headers of the operator's own; the messages never show a value, which may be a secret."""
    for name, value in values.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ValueError(f"{name[:40]!r} is not the name of a header")
        if name.lower() in _OURS_ALONE or name.lower().startswith("proxy-"):
            raise ValueError(f"{name} is set by the program itself")
        _header_value(value)
    if len({name.lower() for name in values}) < len(values):
        raise ValueError("names a header twice")
    return values


def _header_value(value: str) -> str:
    if not value.strip() or len(value) > 8000 or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        raise ValueError("is no header: it is empty, too long or holds a control character")
    return value.strip()


Duration = Annotated[timedelta, BeforeValidator(_duration)]
#: "": off
FullText = Annotated[Literal["", "feed", "fetch"], BeforeValidator(_full_text)]
DurationOrNever = Annotated[timedelta | None, BeforeValidator(_duration_or_never)]
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Size = Annotated[int, BeforeValidator(_size)]


RequestHeaders = Annotated[dict[str, str], AfterValidator(_request_headers)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
Line = Annotated[str, AfterValidator(_line)]
HttpUrl = Annotated[str, AfterValidator(http_url)]
SiteUrl = Annotated[str, AfterValidator(_site_url)]
Hub = Annotated[str, AfterValidator(_hub)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Language = Annotated[str, AfterValidator(_language)]
Listen = Annotated[
    tuple[Annotated[str, AfterValidator(_listen)], ...],
    BeforeValidator(_one_or_more),
    AfterValidator(_unique),
    Field(min_length=1),
]
SocketMode = Annotated[str, AfterValidator(_octal)]
Proxies = Annotated[tuple[Annotated[str, AfterValidator(_proxy)], ...], BeforeValidator(_sequence)]
Network = Annotated[str, AfterValidator(_network)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_sequence)]
Window = Annotated[str, AfterValidator(_window)]
Windows = Annotated[tuple[Window, ...], BeforeValidator(_sequence), AfterValidator(_unique)]
Choices = (BeforeValidator(_sequence), AfterValidator(_unique))
Tables = BeforeValidator(_sequence)
MailAddresses = Annotated[tuple[MailAddress, ...], BeforeValidator(_one_or_more), AfterValidator(_silently_unique)]
NotifyUrls = Annotated[
    tuple[Annotated[str, AfterValidator(_notify_url)], ...],
    BeforeValidator(_one_or_more),
    AfterValidator(_silently_unique),
]
