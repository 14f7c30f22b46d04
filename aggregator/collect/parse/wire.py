"""What passes between the parser's two processes: length-prefixed JSON, nothing that could run on arrival.

A request is a header and the body as it came; an answer is one JSON object, the feed or the error.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from aggregator.errors import ParseError
from aggregator.model import Document, Enclosure, FeedInfo, ParsedEntry, ParsedFeed, Upstream

__all__ = [
    "FEED",
    "LENGTHS",
    "MAX_ANSWER_BYTES",
    "PIPE_BYTES",
    "decode_answer",
    "decode_request",
    "encode_error",
    "encode_feed",
    "encode_request",
    "frame",
]

#: sizes of header and body, big-endian
LENGTHS = struct.Struct(">II")
#: how an answer begins that is no error
FEED = b'{"feed":'
#: room in each pipe for most documents and answers as a whole, so that the processes need not take turns at them
PIPE_BYTES = 512 * 1024
#: a feed of 1,000 entries at their caps is far below; a larger answer is not believed
MAX_ANSWER_BYTES = 256 * 1024 * 1024


def frame(header: bytes, body: bytes = b"") -> bytes:
    """Header and body behind their lengths."""
    return LENGTHS.pack(len(header), len(body)) + header + body


def encode_request(document: Document) -> bytes:
    """The document as a frame; its body travels as it is."""
    said = {
        "url": document.url,
        "type": document.content_type,
        "language": document.content_language,
        "before": None if document.before is None else base64.b64encode(document.before).decode("ascii"),
    }
    return frame(json.dumps(said).encode(), document.body)


def decode_request(header: bytes, body: bytes) -> Document:
    """The document of a request."""
    said = json.loads(header)
    return Document(
        body=body,
        url=said["url"],
        content_type=said["type"],
        content_language=said["language"],
        before=None if said["before"] is None else base64.b64decode(said["before"]),
    )


def encode_feed(feed: ParsedFeed) -> bytes:
    """A feed as a frame."""
    return frame(json.dumps({"feed": feed}, default=_plain, separators=(",", ":")).encode())


def encode_error(error: ParseError) -> bytes:
    """An error as a frame."""
    return frame(json.dumps({"error": {"code": error.code, "message": str(error)}}).encode())


def decode_answer(header: bytes) -> ParsedFeed:
    """The feed of an answer. Raises the ParseError it carries; ValueError or KeyError if it is no answer."""
    answer = json.loads(header)
    if error := answer.get("error"):
        raise ParseError(str(error["code"]), str(error["message"]))
    feed = answer["feed"]
    return ParsedFeed(
        version=feed["version"],
        info=_info(feed["info"]),
        entries=tuple(map(_entry, feed["entries"])),
        truncated=feed["truncated"],
        warnings=tuple(feed["warnings"]),
        unchanged=feed["unchanged"],
        fingerprint=base64.b64decode(feed["fingerprint"]),
    )


def _plain(value: object) -> object:
    """What JSON has no word for."""
    if is_dataclass(value):
        return {name: getattr(value, name) for name in _fields(value.__class__)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot travel to the parent process")


@cache
def _fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _span(seconds: float | None) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds is not None else None


def _info(fields: Mapping[str, Any]) -> FeedInfo:
    return FeedInfo(
        **{
            **fields,
            "hubs": tuple(fields["hubs"]),
            "ttl": _span(fields["ttl"]),
            "update_every": _span(fields["update_every"]),
            "skip_hours": frozenset(fields["skip_hours"]),
            "skip_days": frozenset(fields["skip_days"]),
        }
    )


def _entry(fields: Mapping[str, Any]) -> ParsedEntry:
    return ParsedEntry(
        **{
            **fields,
            "published": _moment(fields["published"]),
            "updated": _moment(fields["updated"]),
            "categories": tuple(fields["categories"]),
            "enclosures": tuple(Enclosure(**enclosure) for enclosure in fields["enclosures"]),
            "outlinks": tuple(fields["outlinks"]),
            "upstream": Upstream(**fields["upstream"]),
            "content_hash": base64.b64decode(fields["content_hash"]),
        }
    )
