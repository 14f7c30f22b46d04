"""Addresses as strangers may see them: some feeds have a password or a private token in theirs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

#: names of query parameters that carry secrets
_SECRET = re.compile(
    r"(?i)^(?:.*[_.-])?(?:token|key|apikey|auth|authorization|password|passwd|pass|pwd|secret|sig|signature|session|sid)$"
)
HIDDEN = "hidden"


def public_url(url: str) -> str:
    """`url` without user name and password, and with the values of secret-looking parameters hidden."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""  # what cannot be read cannot be shown to be harmless
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(map(_public_parameter, parts.query.split("&")))
    return urlunsplit(parts._replace(netloc=host, query=query))


def _public_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    return f"{name}={HIDDEN}" if equals and value and _SECRET.match(name) else parameter
