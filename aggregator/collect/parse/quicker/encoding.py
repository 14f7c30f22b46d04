"""Documents that are UTF-8, and known to be: feedparser looks for what they are in six ways, and makes them anew."""

from __future__ import annotations

import re
from typing import Any

import feedparser.encodings

__all__ = ["UTF8", "convert_to_utf8"]

#: the Content-Type under which a document is taken at its word
UTF8 = "application/xml; charset=utf-8"
_DECLARATION = re.compile(rb"<\?xml[^>]*>")
#: as feedparser writes it
_DECLARED = b"<?xml version='1.0' encoding='utf-8'?>"

_convert_to_utf8 = feedparser.encodings.convert_to_utf8


def convert_to_utf8(http_headers: dict[str, str], data: bytes, result: Any) -> Any:
    """As feedparser's, which this leaves all but the plain case to."""
    declaration = _DECLARATION.match(data)
    if declaration is None or http_headers.get("content-type") != UTF8:
        return _convert_to_utf8(http_headers, data, result)
    try:
        data.decode()
    except UnicodeDecodeError:
        return _convert_to_utf8(http_headers, data, result)
    result["encoding"] = "utf-8"
    return _DECLARED + data[declaration.end() :]
