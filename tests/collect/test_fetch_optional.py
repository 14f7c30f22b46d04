"""Codings that need a module: tested where one is installed, skipped by name where not."""

from __future__ import annotations

import importlib

import pytest

from aggregator.collect.fetch.content_encoding import ACCEPT_ENCODING, decode_body
from aggregator.errors import FetchError

BODY = b"<rss>" + b"what is to be said " * 5000
MODULES = {"br": ("brotli", "brotlicffi"), "zstd": ("compression.zstd", "backports.zstd")}


def packed(coding: str, body: bytes) -> bytes:
    for name in MODULES[coding]:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        return bytes(module.compress(body))
    pytest.skip(f"needs one of {', '.join(MODULES[coding])}")


@pytest.mark.parametrize("coding", MODULES)
def test_optional_codings(coding: str) -> None:
    raw = packed(coding, BODY)
    assert coding in ACCEPT_ENCODING.split(", ")
    assert decode_body(raw, coding, max_size_bytes=1_000_000).body == BODY
    assert decode_body(raw[:-3], coding, max_size_bytes=1_000_000).truncated
    for given, limit, code in ((raw, 1000, "too-large"), (b"\xff\x00rubbish", 1000, "bad-encoding")):
        with pytest.raises(FetchError) as caught:
            decode_body(given, coding, max_size_bytes=limit)
        assert caught.value.code == code


@pytest.mark.parametrize("coding", MODULES)
def test_what_cannot_be_decoded_is_not_asked_for(coding: str) -> None:
    if coding not in ACCEPT_ENCODING.split(", "):
        with pytest.raises(FetchError, match="cannot read"):
            decode_body(b"\x28\xb5\x2f\xfd\x00", coding, max_size_bytes=1000)


@pytest.mark.parametrize("coding", MODULES)
def test_a_compressed_body_may_begin_as_a_document_does(coding: str) -> None:
    """Brotli's first byte holds the size of its window: "[" as often as not, depending on the length of the text."""
    for length in range(10, 4000, 97):
        body = BODY[:length]
        assert decode_body(packed(coding, body), coding, max_size_bytes=100_000).body == body


@pytest.mark.parametrize("coding", ["gzip", *MODULES])
@pytest.mark.parametrize("body", [b"<rss/>", b'{"a": 1}', b"[1]", "\ufeff<rss/>".encode(), b" \r\n<rss/>"])
def test_what_is_labelled_as_compressed_and_is_not(coding: str, body: bytes) -> None:
    assert decode_body(body, coding, max_size_bytes=100).body == body
