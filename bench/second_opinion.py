"""Real documents, ours beside feedparser's reading of them: guid, link, date, title, words, author and enclosures.

    python bench/second_opinion.py [--data ../shared/data] [--every 1] [--show 20]

Each value of each entry is compared. Where the two differ, one of the named reasons below must hold; what no reason
explains is printed and is a fault of one of the two: the exit code is 1.
"""

from __future__ import annotations

import argparse
import calendar
import io
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feedparser

from aggregator.collect.clean import clean_html, mend_encoding, safe_url
from aggregator.collect.parse import parse_sync
from aggregator.errors import ParseError
from aggregator.model import Document, ParsedEntry

__all__ = ["Opinion", "compared"]

URL = "https://example.org/feeds/x.xml"
_SPACE = re.compile(r"[\s\u200b\ufeff\u00ad]+")
#: (our value, feedparser's, our entry, feedparser's entry)
Holds = Callable[[Any, Any, ParsedEntry, Mapping[str, Any]], bool]


@dataclass(slots=True)
class Opinion:
    """What the comparison came to."""

    entries: int = 0
    #: field → values that are the same
    same: Counter[str] = field(default_factory=Counter)
    #: (field, reason) → values that differ for it
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)


def words(markup: str | None) -> str:
    """The words of HTML without the spaces between them."""
    return _SPACE.sub("", clean_html(markup or "", base=URL).text)


def held(fields: Mapping[str, Any], key: str) -> Any:
    """A field as feedparser holds it, without its aliases."""
    return dict.get(fields, key) if isinstance(fields, dict) else None


def moment(parsed: Any) -> datetime | None:
    return datetime.fromtimestamp(calendar.timegm(parsed), UTC) if parsed else None


def ours(entry: ParsedEntry) -> dict[str, Any]:
    return {
        "guid": entry.guid,
        "link": entry.link,
        "published": entry.published and entry.published.replace(microsecond=0),
        "title": words(entry.title),
        "words": {words(entry.summary_html), words(entry.content_html)} - {""},
        "author": entry.author or "",
        "enclosures": {each.url for each in entry.enclosures},
    }


def theirs(entry: Mapping[str, Any], mend: Callable[[str], str] = str) -> dict[str, Any]:
    """What feedparser reads, with its texts as `mend` makes them."""
    enclosures = [link.get("href") for link in held(entry, "links") or [] if link.get("rel") == "enclosure"]
    texts = [held(entry, "summary"), *[each.get("value") for each in held(entry, "content") or []]]
    return {
        "guid": held(entry, "id") or None,
        "link": safe_url(entry.get("link"), URL),
        "published": moment(held(entry, "published_parsed") or held(entry, "updated_parsed")),
        "title": words(mend(held(entry, "title") or "")),
        "words": {words(mend(text or "")) for text in texts} - {""},
        "author": " ".join(mend(held(entry, "author") or "").split()),
        "enclosures": {url for each in enclosures if (url := safe_url(each, URL))},
    }


_MENDED = "UTF-8 that was encoded twice is mended"
#: field → why ours differs from feedparser's, and when that is so
REASONS: dict[str, dict[str, Holds]] = {
    "guid": {
        "as written: feedparser resolves what is no address": lambda said, read, *_: (
            bool(said) and not said.startswith("http") and read.startswith(URL.partition("/feeds")[0])
        ),
        "of two guids feedparser takes the last": lambda said, read, *_: (
            said.removesuffix("/pre") == read.removesuffix("/post") != read
        ),
    },
    "link": {
        "feedburner:origLink is preferred": lambda said, _, __, other: said == other.get("feedburner_origlink"),
        "the address behind FeedBurner's proxy": lambda said, read, *_: "/~r/" in (read or "") and "/~r/" not in said,
        "a guid that is no address is no link": lambda _, read, __, other: (
            read == safe_url(other.get("id"), URL) and (read or "").startswith(URL.rpartition("/")[0])
        ),
        "a link to a file is no page": lambda said, read, entry, _: (
            bool(said) and read in {each.url for each in entry.enclosures}
        ),
        "curly quotes around an address are none of it": lambda _, read, *__: (
            read == URL or "%C2%80%C2%9C" in (read or "")
        ),
        "a media file stands in for a page": lambda said, read, *_: bool(said) and not read,
    },
    "published": {
        "feedparser takes BST for UTC": lambda _, __, ___, other: other.get("published", "").endswith(" BST"),
        "feedparser reads no such date": lambda _, read, *__: read is None,
        "no place on Earth has such an offset": lambda said, _, __, other: (
            said is None and bool(re.search(r"[+-](?:1[5-9]|[2-9]\d)\d\d$", other.get("published", "")))
        ),
    },
    "title": {
        "the same, and feedparser strips one of its letters": lambda said, read, *_: "Ð" in read and "Ð" not in said,
        "there is none: the first words, or the address": lambda _, read, *__: not read,
    },
    "words": {
        "feedparser takes captions and subtitles for words": lambda said, read, *_: bool(said) and said < read,
        "a caption inside a media:content is the file's": lambda said, _, __, other: (
            not said and "media_content" in other
        ),
        "the same words twice are one text": lambda said, read, *_: read < said,
        "feedparser puts another text of the item in place of one": lambda said, read, *_: bool(said & read),
        "of two summaries feedparser takes the last": lambda said, read, *_: (
            {each.removesuffix("pre") for each in said} == {each.removesuffix("post") for each in read}
        ),
    },
    "author": {
        "addresses of people are not published": lambda said, read, *_: "@" in read and said in read,
        "inherited from the feed or the source": lambda _, read, *__: not read,
        "all authors are named": lambda said, read, *_: read in said,
        "cut at 120 letters": lambda said, *_: len(said) >= 120,
    },
    "enclosures": {
        "players and files of Media RSS count": lambda said, read, *_: read < said,
        "a picture in several sizes is one": lambda said, read, *_: (
            {url.partition("?")[0] for url in read} <= {url.partition("?")[0] for url in said}
        ),
    },
}


def compared(paths: Sequence[Path]) -> Opinion:
    """The opinion on these documents; those that only one side reads, or of another number of entries, are told."""
    opinion = Opinion()
    for path in paths:
        for entry, other in _pairs(path, opinion):
            opinion.entries += 1
            said, read, mended = ours(entry), theirs(other), theirs(other, mend_encoding)
            for name, value in said.items():
                if value == read[name]:
                    opinion.same[name] += 1
                    continue
                if why := _reason(name, value, mended[name], entry, other):
                    opinion.reasons[name, why] += 1
                else:
                    said_and_read = f"ours {str(value)[:150]!r}, feedparser's {str(read[name])[:150]!r}"
                    opinion.unexplained.append(f"{path.name} {name}: {said_and_read}")
    return opinion


def _reason(name: str, said: Any, read: Any, entry: ParsedEntry, other: Mapping[str, Any]) -> str:
    """Why our value of a field differs from feedparser's, whose texts are mended; "": nobody knows."""
    if said == read:
        return _MENDED
    return next((why for why, holds in REASONS[name].items() if holds(said, read, entry, other)), "")


def _pairs(path: Path, opinion: Opinion) -> Iterator[tuple[ParsedEntry, Mapping[str, Any]]]:
    body = path.read_bytes()
    try:
        feed = parse_sync(Document(body=body, url=URL))
    except ParseError:
        return
    if feed.version.startswith("json"):  # feedparser knows no JSON Feed
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = feedparser.parse(io.BytesIO(body), response_headers={"content-location": URL}, sanitize_html=False)
    others = parsed.get("entries", [])
    if len(feed.entries) == len(others):
        yield from zip(feed.entries, others, strict=True)
    elif len(feed.entries) > len(others):
        opinion.reasons["entries", "feedparser reads fewer"] += len(feed.entries) - len(others)
    else:
        opinion.unexplained.append(f"{path.name}: {len(others)} entries, ours {len(feed.entries)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--every", type=int, default=1, help="look at every so many-th document")
    parser.add_argument("--show", type=int, default=20, help="so many unexplained differences")
    arguments = parser.parse_args()
    paths = sorted(path for path in (arguments.data / "real").rglob("*") if path.is_file())
    if not paths:
        print(f"skipped: {arguments.data / 'real'} is not there")
        return 0
    opinion = compared(paths[:: arguments.every])
    print(f"{opinion.entries} entries that both read")
    for name in ours(ParsedEntry()):
        explained = {why: times for (each, why), times in opinion.reasons.items() if each == name}
        print(f"{name:11} {opinion.same[name]:5} the same, {sum(explained.values()):4} otherwise for a reason")
        for why, times in sorted(explained.items(), key=lambda one: -one[1]):
            print(f"  {times:6} {why}")
    print(f"{opinion.reasons['entries', 'feedparser reads fewer']} entries that feedparser does not read")
    print(f"{len(opinion.unexplained)} unexplained")
    for line in opinion.unexplained[: arguments.show]:
        print(f"    {line}")
    return 1 if opinion.unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())
