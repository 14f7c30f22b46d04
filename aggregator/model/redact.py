"""Addresses without their secrets: some feeds have a password or a private token in theirs."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus, urlsplit, urlunsplit

HIDDEN = "hidden"
#: keys of config.toml whose values are not written into messages or logs
SECRET_KEY = re.compile(r"(?i)token|secret|passw|auth|headers|notify|mail")
#: the fragment of an address of which only scheme and host may be shown. Fragments are never sent (RFC 9110 4.1)
PRIVATE = "private"

#: names of query parameters that carry secrets
_SECRET_NAME = re.compile(
    r"(?i).*(?:token|secret|passw|apikey|auth(?!or)|signature|credential|session).*"
    r"|(?:.*[_.-])?(?:key|pass|pwd|sig|sid|hash|hmac|jwt|ticket|pin)"
)
#: values that carry secrets whatever their name: a digest
_SECRET_VALUE = re.compile(r"(?i)[0-9a-f]{32,}")
_ADDRESS = re.compile(r"""(?i)[a-z][a-z0-9+.-]*://[^\s"'<>]+""")
#: name and password: of an address, malformed ones included, and of one without a scheme
_USER_INFO = re.compile(r"""//[^/"'<>\n]*@|(?<![\w.%/-])(?!mailto:)[^\s/"'<>@:]+:[^\s/"'<>@]+@""")
_SEPARATOR = re.compile(r"([&;])")


def public_url(url: str) -> str:
    """`url` without user name and password, and with the values of secret parameters hidden; "" if it is none.

    Of an address that ends with ``#private`` only scheme and host are left.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""  # what cannot be read cannot be shown to be harmless
    host = parts.netloc.rpartition("@")[2]
    if parts.fragment == PRIVATE:
        return urlunsplit((parts.scheme, host, f"/{HIDDEN}", "", ""))
    fragment = HIDDEN if "=" in parts.fragment else parts.fragment
    return urlunsplit(parts._replace(netloc=host, query=_public_query(parts.query), fragment=fragment))


def private_url(url: str) -> str:
    """`url`, marked so that `public_url` shows its scheme and host only."""
    return f"{url.partition('#')[0]}#{PRIVATE}"


def redact(text: str) -> str:
    """`text` with every address in it, malformed ones included, as `public_url` shows it."""
    return _ADDRESS.sub(lambda found: public_url(found[0]), _USER_INFO.sub(_without_user, text))


def _without_user(found: re.Match[str]) -> str:
    return "//" if found[0].startswith("//") else ""


def _public_query(query: str) -> str:
    return "".join(part if part in {"&", ";"} else _public_parameter(part) for part in _SEPARATOR.split(query))


def _public_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:
        return HIDDEN if _SECRET_VALUE.fullmatch(name) else parameter
    if value and (_SECRET_NAME.fullmatch(unquote_plus(name)) or _SECRET_VALUE.fullmatch(value)):
        return f"{name}={HIDDEN}"
    return parameter
