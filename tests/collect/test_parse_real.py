"""Real documents, where they are at hand: nothing may raise but ParseError, and known damage is seen as what it is."""

from __future__ import annotations

import calendar
import io
import re
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feedparser
import pytest

from aggregator.collect.clean import safe_url
from aggregator.collect.parse import parse_sync
from aggregator.errors import ParseError
from aggregator.model import Document

pytestmark = pytest.mark.data
URL = "https://example.org/feeds/x.xml"


def verdict(body: bytes) -> str:
    try:
        feed = parse_sync(Document(body=body, url="https://example.org/feeds/x.xml"))
    except ParseError as error:
        return error.code
    return "truncated" if feed.truncated else "feed" if feed.entries else "no entries"


def members(archive: Path) -> Iterator[bytes]:
    with tarfile.open(archive) as opened:
        for member in opened:
            file = opened.extractfile(member)
            if file is not None:
                yield file.read()


def test_every_real_document_is_answered(shared_data: Path) -> None:
    verdicts = Counter(verdict(path.read_bytes()) for path in (shared_data / "real").rglob("*") if path.is_file())
    assert set(verdicts) <= {"feed", "no entries", "truncated", "not-a-feed"}
    assert verdicts["feed"] >= 310


def test_what_servers_answered_over_a_year(shared_data: Path) -> None:
    verdicts = Counter(map(verdict, members(shared_data / "timeseries/headlines/fox.tar.xz")))
    assert verdicts == {"feed": 330, "truncated": 4}


@pytest.mark.parametrize("suite", ["feedparser", "feedvalidator"])
def test_conformance_documents_are_answered(shared_data: Path, suite: str) -> None:
    verdicts = Counter(map(verdict, members(shared_data / f"conformance/{suite}.tar.xz")))
    assert set(verdicts) <= {"feed", "no entries", "truncated", "not-a-feed", "empty-body", "bad-json", "xml-entity"}


#: field → why ours differs from feedparser's, and when that is so: (ours, feedparser's, feedparser's entry)
REASONS: dict[str, dict[str, Callable[[Any, Any, Any], bool]]] = {
    "guid": {
        "feedparser resolves ids": lambda ours, theirs, _: safe_url(ours, URL) == safe_url(theirs, URL),
        "of two guids feedparser takes the last": lambda ours, theirs, _: (
            ours.removesuffix("/pre") == theirs.removesuffix("/post") != theirs
        ),
    },
    "published": {
        "feedparser takes BST for UTC": lambda _ours, _theirs, entry: entry.get("published", "").endswith(" BST"),
        "feedparser reads no such date": lambda _ours, theirs, _: theirs is None,
        "no place on Earth has such an offset": lambda ours, _theirs, entry: (
            ours is None and bool(re.search(r"[+-](?:1[5-9]|[2-9]\d)\d\d$", entry.get("published", "")))
        ),
    },
    "link": {
        "feedburner:origLink is preferred": lambda ours, _, entry: ours == entry.get("feedburner_origlink"),
        "the address behind feedburner's proxy": lambda ours, theirs, _: (
            "/~r/" in (theirs or "") and "/~r/" not in ours
        ),
        "a guid that is no address is no link": lambda _, theirs, entry: (
            theirs == safe_url(entry.get("id"), URL) and (theirs or "").startswith(URL.rpartition("/")[0])
        ),
        "a media file stands in for a page": lambda ours, theirs, _: bool(ours) and not theirs,
    },
}


def test_ids_dates_and_links_are_those_of_feedparser_or_differ_for_a_reason(shared_data: Path) -> None:
    """Every third of the real documents; prints how often each reason holds."""
    paths = sorted(path for path in (shared_data / "real").rglob("*") if path.is_file() and path.suffix != ".json")
    counts: Counter[str] = Counter()
    unexplained: list[tuple[object, ...]] = []
    for path in paths[::3]:
        body = path.read_bytes()
        try:
            ours = parse_sync(Document(body=body, url=URL))
        except ParseError:
            continue
        theirs = feedparser.parse(io.BytesIO(body), response_headers={"content-location": URL}, sanitize_html=False)
        if ours.version.startswith("json") or len(ours.entries) != len(theirs.entries):
            counts["documents of which feedparser reads no or fewer entries"] += len(ours.entries) > len(theirs.entries)
            unexplained += [(path.name, "entries")] if len(ours.entries) < len(theirs.entries) else []
            continue
        for entry, other in zip(ours.entries, theirs.entries, strict=True):
            counts["entries"] += 1
            dated = dict.get(other, "published_parsed") or dict.get(other, "updated_parsed")
            for name, said, read in (
                ("guid", entry.guid, dict.get(other, "id") or None),
                ("published", entry.published, dated and datetime.fromtimestamp(calendar.timegm(dated), UTC)),
                ("link", entry.link, safe_url(other.get("link"), URL)),
            ):
                if said == read or (isinstance(said, datetime) and read and said.replace(microsecond=0) == read):
                    continue
                reason = next((why for why, holds in REASONS[name].items() if holds(said, read, other)), "")
                counts[f"{name}: {reason}"] += 1
                unexplained += [] if reason else [(path.name, name, said, read)]
    sys.stdout.write("".join(f"{name}: {count}\n" for name, count in sorted(counts.items())))
    assert unexplained == []
    assert counts["entries"] > 1000
