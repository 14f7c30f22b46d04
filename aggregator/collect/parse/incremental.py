"""Incremental parse: entries that stand in a document byte for byte as in the one before are not parsed again.

A fingerprint remembers, of a document that was parsed whole, a hash of each entry's text and what the entry is known
by. In the next document of that feed, entries whose hashes are in it are cut out, and the parser sees the head and the
rest. Whatever could make the rest mean something else without its neighbours is a reason to parse the whole instead:

- another address, language, root or channel tag, format (the context); entities of a DOCTYPE;
- a document that is ill-formed, cut, or too long; elements where the parser sees other entries than we do;
- a new entry that shares its guid or its address with one that was cut out: who is who is told by looking at both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from aggregator.curate.identity import entry_keys
from aggregator.errors import ParseError
from aggregator.model import Document, ParsedEntry, ParsedFeed

__all__ = ["Fingerprint", "FingerprintCache", "Spans", "entry_spans", "parse_delta"]

_HASH_BYTES, _KEY_BYTES = 16, 8
_RECORD_BYTES = _HASH_BYTES + 2 * _KEY_BYTES
_NO_KEY = bytes(_KEY_BYTES)
#: of all fingerprints together; 32 bytes an entry: the feeds of some 20,000 sources
_MAX_CACHE_BYTES = 32 * 1024 * 1024
#: a CDATA section or a comment, as a whole; the tag of an entry; the start of what does not end
_MARK = re.compile(
    rb"<(?:!\[CDATA\[[^\]]*+(?:\](?!\]>)[^\]]*+)*+\]\]>|!--[^-]*+(?:-(?!->)[^-]*+)*+-->"
    rb"|(/?)(?:item|entry|[A-Za-z_][\w.\x80-\xff-]*+:(?:item|entry))(?=[\s>/])[^<>]*>|(!)(?:\[CDATA\[|--))"
)
#: tags in the head that say how to read what follows
_NAMESPACED = re.compile(rb"<[^<>]*\sxml(?:ns|:)[^<>]*>")
#: a document with one of these was not read as it stands
_MENDED = frozenset(
    {"ill-formed", "truncated", "item-cap", "bad-bytes", "bad-references", "control-characters", "impossible-dates"}
)

#: where each entry begins and ends, in bytes
Spans = Sequence[tuple[int, int]]
#: an entry's guid and address, hashed
Keys = tuple[bytes, bytes]
Parse = Callable[[bytes], ParsedFeed]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is remembered of a document: its context, and hash, guid and address of each entry."""

    context: bytes
    #: hash of an entry's text → (key of its guid, key of its address)
    entries: dict[bytes, Keys]

    @classmethod
    def load(cls, data: bytes) -> Fingerprint | None:
        """What `dump` wrote; None if it is empty or not of our making."""
        if len(data) <= _HASH_BYTES or (len(data) - _HASH_BYTES) % _RECORD_BYTES:
            return None
        records = (data[at : at + _RECORD_BYTES] for at in range(_HASH_BYTES, len(data), _RECORD_BYTES))
        entries = {record[:_HASH_BYTES]: (record[_HASH_BYTES:-_KEY_BYTES], record[-_KEY_BYTES:]) for record in records}
        return cls(data[:_HASH_BYTES], entries)

    def dump(self) -> bytes:
        """All of it in 32 bytes an entry."""
        return self.context + b"".join(text + guid + link for text, (guid, link) in self.entries.items())


def parse_delta(whole: bytes, document: Document, parse: Parse) -> ParsedFeed:
    """The feed in `whole`, as UTF-8, by `parse`; without what `document.previous` remembers, if it can be told so.

    Raises what `parse` raises.
    """
    spans = entry_spans(whole)
    if not spans:
        return parse(whole)
    marked = _Marked(whole, spans, [_hash(whole[start:end], _HASH_BYTES) for start, end in spans])
    previous = Fingerprint.load(document.previous or b"")
    changed = _parse_changed(marked, previous, document, parse) if previous else None
    return changed or _fingerprinted(parse(whole), marked, document)


def entry_spans(whole: bytes) -> Spans:
    """Where the entries of a feed stand; nothing where that is not plain to see (nested, unclosed, own entities)."""
    spans: list[tuple[int, int]] = []
    start = -1
    for mark in _MARK.finditer(whole):
        closing, endless = mark.groups()
        if closing is None and not endless:
            continue
        if endless or bool(closing) == (start < 0) or whole[mark.end() - 2 : mark.end()] == b"/>":
            return ()
        if closing:
            spans.append((start, mark.end()))
        start = -1 if closing else mark.start()
    return spans if start < 0 and spans and b"<!ENTITY" not in whole[: spans[0][0]] else ()


@dataclass(frozen=True, slots=True)
class _Marked:
    """A document with its entries marked."""

    whole: bytes
    spans: Spans
    hashes: Sequence[bytes]

    def without(self, places: Iterable[int]) -> bytes:
        """The document without these entries."""
        pieces, at = [], 0
        for start, end in (self.spans[place] for place in places):
            pieces.append(self.whole[at:start])
            at = end
        return b"".join((*pieces, self.whole[at:]))

    def context(self, document: Document, feed: ParsedFeed) -> bytes:
        """A hash of all that lies outside an entry and has a part in what the entry becomes."""
        tags = _NAMESPACED.findall(self.whole[: self.spans[0][0]])
        said = (document.url, document.content_language or "", feed.version, feed.info.language or "")
        return _hash(b"\0".join((*[_encoded(each) for each in said], *tags)), _HASH_BYTES)


def _parse_changed(marked: _Marked, previous: Fingerprint, document: Document, parse: Parse) -> ParsedFeed | None:
    """What is new beside `previous`; None where only the whole document tells."""
    places = [place for place, text in enumerate(marked.hashes) if text in previous.entries]
    if not places:
        return None
    try:
        feed = parse(marked.without(places))
    except ParseError:
        return None
    kept = [previous.entries[marked.hashes[place]] for place in places]
    fresh = [text for text in marked.hashes if text not in previous.entries]
    if not _is_readable(feed, len(fresh)) or previous.context != marked.context(document, feed):
        return None
    if not _disjoint(kept, map(_keys, feed.entries)):
        return None
    known = previous.entries | dict(zip(fresh, map(_keys, feed.entries), strict=True))
    fingerprint = Fingerprint(previous.context, {text: known[text] for text in marked.hashes})
    return replace(feed, fingerprint=fingerprint.dump(), unchanged=len(places))


def _fingerprinted(feed: ParsedFeed, marked: _Marked, document: Document) -> ParsedFeed:
    """A whole feed with what is to be remembered of it, if anything may be."""
    if not _is_readable(feed, len(marked.hashes)):
        return feed
    entries = dict(zip(marked.hashes, map(_keys, feed.entries), strict=True))
    return replace(feed, fingerprint=Fingerprint(marked.context(document, feed), entries).dump())


def _is_readable(feed: ParsedFeed, entries: int) -> bool:
    """Whether the parser saw the entries that we see, and nothing that it had to mend."""
    return len(feed.entries) == entries and _MENDED.isdisjoint(feed.warnings)


def _disjoint(kept: Iterable[Keys], fresh: Iterable[Keys]) -> bool:
    taken = {key for keys in kept for key in keys} - {_NO_KEY}
    return taken.isdisjoint(key for keys in fresh for key in keys)


def _keys(entry: ParsedEntry) -> Keys:
    guid, link = entry_keys(entry)
    return _key(guid), _key(link)


def _key(text: str | None) -> bytes:
    return _NO_KEY if text is None else _hash(_encoded(text), _KEY_BYTES)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _hash(data: bytes, size_bytes: int) -> bytes:
    return blake2b(data, digest_size=size_bytes).digest()


class FingerprintCache:
    """FingerprintCache by the hash of the body they were taken of; the oldest are forgotten beyond so many bytes.

    Keyed by the very hash that the store commits together with the document's entries: what never was committed can
    never be taken for known. In memory only: another version of the parser reads every document whole once.
    """

    def __init__(self, max_bytes: int = _MAX_CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
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
        while self._size_bytes > self._max_bytes:
            self.take(next(iter(self._held)))
