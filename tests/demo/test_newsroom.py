from __future__ import annotations

import urllib.error
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.collect.parse import parse_sync
from aggregator.demo.newsroom import Newsroom, load_newsroom, parse_offset
from aggregator.demo.press import Press
from aggregator.demo.print_feeds import CONTENT_TYPES, render_paper
from aggregator.model import Document

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def newsroom() -> Newsroom:
    return load_newsroom(START)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("-3h", timedelta(hours=-3)), ("+40s", timedelta(seconds=40)), ("-90m", timedelta(minutes=-90))],
)
def test_offset(text: str, expected: timedelta) -> None:
    assert parse_offset(text) == expected


@pytest.mark.parametrize("text", ["3h", "+3", "+3d", "", "+h"])
def test_a_bad_offset_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="no offset"):
        parse_offset(text)


def test_the_newsroom_has_what_the_demo_shows(newsroom: Newsroom) -> None:
    assert len(newsroom.papers) >= 12
    assert len({paper.section for paper in newsroom.papers}) >= 3
    assert {"en", "de", "fr", "ar", "ja"} <= {paper.language for paper in newsroom.papers}
    assert Counter(paper.behaviour for paper in newsroom.papers) >= Counter({"slow": 1, "broken": 1})
    assert any(len(article.papers) >= 4 for article in newsroom.articles), "a syndicated text"
    assert any(article.edits for article in newsroom.articles), "an edit"
    keys = {paper.key for paper in newsroom.papers}
    assert all(set(article.papers) <= keys for article in newsroom.articles)


def test_papers_grow_and_correct_titles(newsroom: Newsroom) -> None:
    courier = next(paper for paper in newsroom.papers if paper.key == "courier")
    before = newsroom.published(courier, START)
    after = newsroom.published(courier, START + timedelta(minutes=5))
    assert {a.id for a in before} < {a.id for a in after}
    edited = next(article for article in after if article.edits)
    assert edited.title_at(edited.at) == edited.title
    assert edited.title_at(timedelta(minutes=5)) == edited.edits[-1][1] != edited.title


def test_every_paper_is_a_feed_that_parses(newsroom: Newsroom) -> None:
    now = START + timedelta(minutes=5)
    for paper in newsroom.papers:
        body = render_paper(newsroom, paper, base="http://127.0.1.1:80", now=now)
        document = Document(body=body, url="http://127.0.1.1:80/feed", content_type=CONTENT_TYPES[paper.format])
        feed = parse_sync(document)
        expected = [article.title_at(now - START) for article in newsroom.published(paper, now)]
        assert [entry.title for entry in feed.entries] == expected
        assert not feed.truncated
        assert feed.warnings == ()
        assert feed.info.language == paper.language
        assert all(entry.published for entry in feed.entries)


def test_the_press_serves_feeds_pictures_and_articles(newsroom: Newsroom) -> None:
    press = Press(newsroom, lambda: START)
    try:
        paper, url = press.feeds()[0]
        with urllib.request.urlopen(url, timeout=400) as answer:
            etag = answer.headers["ETag"]
            assert answer.read() == render_paper(newsroom, paper, base=url.removesuffix("/feed"), now=START)
        again = urllib.request.Request(url, headers={"If-None-Match": etag})
        with pytest.raises(urllib.error.HTTPError) as not_modified:
            urllib.request.urlopen(again, timeout=400)
        assert not_modified.value.code == 304
        not_modified.value.close()
        with urllib.request.urlopen(url.replace("/feed", "/picture/ferry.svg"), timeout=400) as picture:
            assert picture.read().startswith(b"<svg")
        with urllib.request.urlopen(url.replace("/feed", "/1"), timeout=400) as page:
            assert b"<h1>Ferry" in page.read()
    finally:
        press.close()
