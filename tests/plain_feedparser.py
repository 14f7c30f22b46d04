"""feedparser as it comes, in a process of its own: that of the tests has it made quicker as soon as anything collects.

As a script: documents in, what it says of each out (pickled, both).
"""

from __future__ import annotations

import atexit
import io
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

import feedparser

URL = "http://example.org/feeds/one.xml"
HEADERS = {"content-type": "application/xml; charset=utf-8", "content-location": URL}


def said(document: bytes) -> Any:
    """All that feedparser says of a document, in plain values."""
    try:
        parsed = feedparser.parse(
            io.BytesIO(document), response_headers=HEADERS, sanitize_html=False, resolve_relative_uris=False
        )
    except Exception as error:  # noqa: BLE001 - what it raises is what it says
        return repr(error)
    return plain({key: dict.get(parsed, key) for key in ("version", "feed", "entries", "namespaces", "bozo")})


def parse(document: bytes) -> Any:
    """A whole document as a reader that is built on feedparser has it; fails where it is not well-formed."""
    return _other_process().submit(_parse, document).result(timeout=400)


@cache
def _other_process() -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    atexit.register(pool.shutdown)
    return pool


def _parse(document: bytes) -> Any:
    parsed = feedparser.parse(io.BytesIO(document), response_headers=HEADERS)
    assert not parsed.bozo, parsed.bozo_exception
    return parsed


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(each) for key, each in dict.items(value)}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return tuple(value) if isinstance(value, tuple) else value


if __name__ == "__main__":
    pickle.dump([said(document) for document in pickle.load(sys.stdin.buffer)], sys.stdout.buffer)
