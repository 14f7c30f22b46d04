"""What passes between the parser's two processes: JSON, and text behind its lengths; nothing that could run on arrival.

A request is a header and the body as it came. An answer is a line of JSON, the feed or the error; behind a feed follow
the texts of its entries, one after the other and as they are: quoting them as JSON takes longer than all the rest. The
line says how long each is, in characters.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter
from typing import Any

from aggregator.errors import ParseError
from aggregator.model import UNCOUNTED, Document, Enclosure, FeedInfo, ParsedEntry, ParsedFeed, Upstream

__all__ = [
    "FEED",
    "LENGTHS",
    "MAX_ANSWER_BYTES",
    "NO_ANSWER",
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
#: what reading an answer raises that is none
NO_ANSWER = (ValueError, LookupError, TypeError, AttributeError)
#: room in each pipe for most documents and answers as a whole, so that the processes need not take turns at them
PIPE_BYTES = 512 * 1024
#: a feed of 1,000 entries at their caps is far below; a larger answer is not believed
MAX_ANSWER_BYTES = 256 * 1024 * 1024
#: what of an entry is text, or None, as it stands
_TEXTS = ("guid", "link", "title", "summary_html", "content_html", "text", "author", "language", "image_url")
#: its dates and its hash follow as text, then its categories, its links, and its enclosures in two texts each
_WRITTEN, _AN_ENCLOSURE = 3, 2
#: numbers of an enclosure: size, duration, season, episode
_ENCLOSURE_NUMBERS = 4
#: numbers of an entry before those of its enclosures: of categories, of links, and what the feed reports of it
_COUNTS = 6
#: the length of a text that is None
_NONE = -1

_texts = attrgetter(*_TEXTS)


def frame(header: bytes, body: bytes = b"") -> bytes:
    """Header and body behind their lengths."""
    return LENGTHS.pack(len(header), len(body)) + header + body


def encode_request(document: Document) -> bytes:
    """The document as a frame; its body travels as it is."""
    said = {
        "url": document.url,
        "type": document.content_type,
        "language": document.content_language,
        "article": document.is_article,
        "previous": None if document.previous is None else base64.b64encode(document.previous).decode("ascii"),
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
        is_article=said["article"],
        previous=None if said["previous"] is None else base64.b64decode(said["previous"]),
    )


def encode_feed(feed: ParsedFeed) -> bytes:
    """A feed as a frame."""
    texts: list[str | None] = []
    said = {
        "version": feed.version,
        "info": _info_said(feed.info),
        "new_location": feed.new_location,
        "truncated": feed.truncated,
        "warnings": feed.warnings,
        "unchanged": feed.unchanged,
        "fingerprint": base64.b64encode(feed.fingerprint).decode("ascii"),
        "entries": [_told(entry, texts) for entry in feed.entries],
        "texts": [_NONE if text is None else len(text) for text in texts],
    }
    line = json.dumps({"feed": said}, separators=(",", ":"))
    return frame("".join([line, "\n", *filter(None, texts)]).encode("utf-8", "surrogatepass"))


def encode_error(error: ParseError) -> bytes:
    """An error as a frame."""
    return frame(json.dumps({"error": {"code": error.code, "message": str(error)}}).encode())


def decode_answer(answer: bytes) -> ParsedFeed:
    """The feed of an answer. Raises the ParseError it carries; one of `NO_ANSWER` if it is none."""
    line, _, texts = answer.decode("utf-8", "surrogatepass").partition("\n")
    said = json.loads(line)
    if error := said.get("error"):
        raise ParseError(str(error["code"]), str(error["message"]))
    feed = said["feed"]
    entries = feed["entries"]
    if len(feed["texts"]) != sum(map(_texts_of, entries)):
        raise ValueError("other texts than the entries have")
    pieces = iter(_parted(texts, feed["texts"]))
    return ParsedFeed(
        version=feed["version"],
        info=_info(feed["info"]),
        entries=tuple(_entry(numbers, pieces) for numbers in entries),
        new_location=feed["new_location"],
        truncated=feed["truncated"],
        warnings=tuple(feed["warnings"]),
        unchanged=feed["unchanged"],
        fingerprint=base64.b64decode(feed["fingerprint"]),
    )


def _told(entry: ParsedEntry, texts: list[str | None]) -> list[int | None]:
    """The numbers of an entry; its texts go to the others."""
    texts += _texts(entry)
    texts += (_written(entry.published), _written(entry.updated), entry.content_hash.hex())
    texts += entry.categories
    texts += entry.outlinks
    for enclosure in entry.enclosures:
        texts += (enclosure.url, enclosure.type)
    counts = entry.upstream
    numbers: list[int | None] = [
        len(entry.categories),
        len(entry.outlinks),
        counts.comments,
        counts.views,
        counts.votes,
        entry.image_width,
    ]
    for one in entry.enclosures:
        numbers += (one.size_bytes, one.duration_s, one.season, one.episode)
    return numbers


def _texts_of(numbers: Sequence[Any]) -> int:
    """How many texts an entry of these numbers has."""
    return (
        len(_TEXTS)
        + _WRITTEN
        + int(numbers[0] + numbers[1])
        + _AN_ENCLOSURE * ((len(numbers) - _COUNTS) // _ENCLOSURE_NUMBERS)
    )


def _parted(texts: str, lengths: Sequence[int]) -> list[str | None]:
    """The texts, each by itself."""
    at = 0
    found = [None if length < 0 else texts[at : (at := at + length)] for length in lengths]
    if at != len(texts):
        raise ValueError("texts of other lengths")
    return found


def _entry(numbers: Sequence[Any], texts: Iterator[Any]) -> ParsedEntry:
    categories, outlinks, comments, views, votes, width, *files = numbers
    # one name after the other: a dictionary of them takes as long as all the rest
    guid, link, title, summary, content, text, author, language, image = islice(texts, len(_TEXTS))
    published, updated, content_hash = islice(texts, _WRITTEN)
    return ParsedEntry(
        guid=guid,
        link=link,
        title=title,
        summary_html=summary,
        content_html=content,
        text=text,
        author=author,
        language=language,
        image_url=image,
        image_width=width,
        published=_moment(published),
        updated=_moment(updated),
        content_hash=bytes.fromhex(content_hash),
        categories=tuple(islice(texts, categories)) if categories else (),
        outlinks=tuple(islice(texts, outlinks)) if outlinks else (),
        enclosures=tuple(_enclosures(texts, files)) if files else (),
        upstream=_upstream(comments, views, votes),
    )


def _upstream(comments: int | None, views: int | None, votes: int | None) -> Upstream:
    if comments is None and views is None and votes is None:
        return UNCOUNTED
    return Upstream(comments=comments, views=views, votes=votes)


def _enclosures(texts: Iterator[Any], numbers: Sequence[Any]) -> Iterator[Enclosure]:
    for at in range(0, len(numbers), _ENCLOSURE_NUMBERS):
        size, duration, season, episode = numbers[at : at + _ENCLOSURE_NUMBERS]
        yield Enclosure(
            url=next(texts), type=next(texts), size_bytes=size, duration_s=duration, season=season, episode=episode
        )


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _info_said(info: FeedInfo) -> dict[str, Any]:
    plain = {name: getattr(info, name) for name in FeedInfo.__dataclass_fields__}
    return plain | {
        "ttl": _seconds(info.ttl),
        "update_every": _seconds(info.update_every),
        "skip_hours": sorted(info.skip_hours),
        "skip_days": sorted(info.skip_days),
    }


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


def _seconds(span: timedelta | None) -> float | None:
    return span.total_seconds() if span is not None else None


def _span(seconds: float | None) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds is not None else None
