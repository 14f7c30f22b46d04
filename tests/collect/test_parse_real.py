"""Real documents, where they are at hand: nothing may raise but ParseError, and known damage is seen as what it is."""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.collect.parse import parse_sync
from aggregator.errors import ParseError
from aggregator.model import Document

pytestmark = pytest.mark.data


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
