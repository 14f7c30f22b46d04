"""Older entries of a feed: RFC 5005 archives and pages, JSON Feed's next_url."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from desk import DAY, START, Desk
from origin import Answer

from aggregator.collect.archives import older_document
from aggregator.model import Subscription

URL = "https://a.example/feed.atom"


def atom(*entries: tuple[str, int], links: str = "") -> bytes:
    """An Atom document of entries by title and age in days."""
    body = "".join(
        f"<entry><id>urn:{title}</id><title>{title}</title><link href='https://a.example/{title}'/>"
        f"<updated>{(START - age * DAY).isoformat()}</updated><summary>About {title}.</summary></entry>"
        for title, age in entries
    )
    head = "<id>urn:a</id><title>A</title><updated>2026-11-23T00:00:00Z</updated>"
    return f'<feed xmlns="http://www.w3.org/2005/Atom">{head}{links}{body}</feed>'.encode()


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ('<link rel="prev-archive" href="/2026/10.atom"/>', "https://a.example/2026/10.atom"),
        ("<link href='?page=2' rel='next'/>", "https://a.example/feed.atom?page=2"),
        ('<link rel="next" href="/p/2"/><link rel="prev-archive" href="/10"/>', "https://a.example/10"),
        ('<atom:link rel="next" href="https://b.example/2?a=1&amp;b=2"/>', "https://b.example/2?a=1&b=2"),
        ('<link rel="next-archive" href="/2026/12.atom"/><link rel="self" href="/feed.atom"/>', None),
        ('<link rel="next" href="javascript:1"/>', None),
        ('<link rel="next" href=""/>', None),
        ('<link rel="next" href="http://["/>', None),
        ("", None),
    ],
)
def test_which_document_holds_older_entries(links: str, expected: str | None) -> None:
    assert older_document(atom(("One", 1), links=links), URL) == expected


def test_a_link_within_an_entry_is_about_something_else() -> None:
    document = atom(("One", 1), ("Two", 2)).replace(b"<summary>", b'<link rel="next" href="/part-2"/><summary>')
    assert older_document(document, URL) is None
    behind = document.replace(b"</feed>", b'<link rel="next" href="/page/2"/></feed>')
    assert older_document(behind, URL) == "https://a.example/page/2"


@pytest.mark.parametrize(("named", "expected"), [("/2.json", "https://a.example/2.json"), (5, None), (None, None)])
def test_next_url_of_a_json_feed(named: object, expected: str | None) -> None:
    assert older_document(json.dumps({"items": [], "next_url": named}).encode(), URL) == expected
    assert older_document(b"{", URL) is None


@pytest.mark.parametrize("junk", [b"<link" * 50_000, b"<entry>" * 50_000, b"<link a='" * 50_000, b"\xff\0<", b""])
def test_hostile_documents(junk: bytes) -> None:
    assert older_document(junk, URL) is None


def archive_of(desk: Desk) -> str:
    """Four documents: the feed, and archives that end 20, 60 and 400 days ago."""
    ages = {"/feed": (1, 5), "/a3": (20, 40), "/a2": (60, 100), "/a1": (400, 500)}
    names = list(ages)
    for name, older in zip(names, [*names[1:], "/feed"], strict=True):
        links = f'<link rel="prev-archive" href="{older}"/>'
        desk.origin.on(name, Answer(body=atom(*((f"{name[1:]}-{age}", age) for age in ages[name]), links=links)))
    return desk.origin.url("/feed")


@pytest.mark.parametrize(
    ("history", "asked", "titles"),
    [
        (None, ["/feed"], ["feed-1", "feed-5"]),
        (90 * DAY, ["/feed", "/a3", "/a2", "/a1"], ["a2-60", "a3-20", "a3-40", "feed-1", "feed-5"]),
        (30 * DAY, ["/feed", "/a3", "/a2"], ["a3-20", "feed-1", "feed-5"]),
        (5000 * DAY, ["/feed", "/a3", "/a2", "/a1"], None),
    ],
)
def test_archives_are_read_once_as_far_back_as_wished(
    desk: Desk, history: timedelta | None, asked: list[str], titles: list[str] | None
) -> None:
    desk.history = history
    desk.follow(Subscription(url=archive_of(desk)))
    result = desk.once()
    assert [request.path for request in desk.origin.requests] == asked
    assert titles is None or desk.titles() == titles
    assert len(result.entries) == (8 if titles is None else len(titles))
    assert result.posting_rate is not None
    assert result.posting_rate.window_entries == 2, "an archive is no part of the document"
    desk.skip_to(result)
    desk.once()
    assert len(desk.origin.requests) == len(asked) + 1, "at the first contact only"


def test_an_archive_that_is_gone_costs_nothing_but_itself(desk: Desk) -> None:
    desk.history = 5000 * DAY
    url = archive_of(desk)
    desk.origin.on("/a2", Answer(status=404))
    desk.follow(Subscription(url=url))
    assert desk.once().outcome == "new"
    assert desk.titles() == ["a3-20", "a3-40", "feed-1", "feed-5"]


def test_archives_without_an_end_are_bounded(desk: Desk) -> None:
    desk.history = 5000 * DAY
    for number in range(60):
        links = f'<link rel="next" href="/{number + 1}"/>'
        desk.origin.on(f"/{number}", Answer(body=atom((f"n{number}", number), links=links)))
    desk.follow(Subscription(url=desk.origin.url("/0")))
    assert len(desk.once().entries) == 21
