"""Compression of bodies: gzip always; Brotli and Zstandard where a module for them is installed.

That is brotli, and compression.zstd (Python 3.14) or backports.zstd: the extra `compression`.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType

#: below this size compressing costs more than it saves
_WORTH_COMPRESSING = 512
#: from here on gzip at its usual level takes three times as long as with a few more bytes (feeds)
_LARGE = 65_536


@dataclass(frozen=True, slots=True)
class Coding:
    """One way of making a body smaller: its name in HTTP, its suffix beside a file, and what it does."""

    name: str
    suffix: str
    pack: Callable[[bytes], bytes]


@cache
def codings() -> tuple[Coding, ...]:
    """What this installation can do, the one to be preferred first."""
    found = []
    if brotli := _module("brotli"):
        found.append(Coding("br", ".br", lambda body: bytes(brotli.compress(body, quality=5))))
    if zstd := _module("compression.zstd", "backports.zstd"):
        found.append(Coding("zstd", ".zst", lambda body: bytes(zstd.compress(body, 9))))
    return (*found, Coding("gzip", ".gz", _gzip))


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6 if len(body) < _LARGE else 3, mtime=0)


def pack(body: bytes, names: Collection[str] | None = None) -> dict[str, bytes]:
    """The body in every coding that makes it smaller, by the coding's name, the one to be preferred first.

    `names`: in these only.
    """
    if len(body) < _WORTH_COMPRESSING:
        return {}
    packed = {coding.name: coding.pack(body) for coding in codings() if names is None or coding.name in names}
    return {name: smaller for name, smaller in packed.items() if len(smaller) < len(body)}


def _module(*names: str) -> ModuleType | None:
    """The first of these that is installed."""
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None
