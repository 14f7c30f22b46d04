"""The fingerprints of the documents that were stored last: what makes parsing only what is new possible."""

from __future__ import annotations

from typing import Final

__all__ = ["Fingerprints"]

#: 32 bytes an entry: the feeds of some 20,000 sources
_MOST_BYTES: Final = 32 * 1024 * 1024


class Fingerprints:
    """Fingerprints by the hash of the body they were taken of; the oldest are forgotten beyond so many bytes.

    Keyed by the very hash that the store commits together with the document's entries: what never was committed can
    never be taken for known. In memory only: another version of the parser reads every document whole once.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._held: dict[bytes, bytes] = {}
        self._size_bytes = 0

    def take(self, body_hash: bytes | None) -> bytes:
        """The fingerprint of this body, which is not remembered any longer; b"" if there is none."""
        fingerprint = self._held.pop(body_hash, b"") if body_hash is not None else b""
        self._size_bytes -= len(fingerprint)
        return fingerprint

    def put(self, body_hash: bytes, fingerprint: bytes) -> None:
        """Remembers a fingerprint, if it is one."""
        self.take(body_hash)
        if not fingerprint:
            return
        self._held[body_hash] = fingerprint
        self._size_bytes += len(fingerprint)
        while self._size_bytes > self._most_bytes:
            self.take(next(iter(self._held)))
