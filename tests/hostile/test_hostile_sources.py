"""HOSTILE.md 1, rows that take several sources, several days or the whole program: H13, H20, X6, X17, X18, U6."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from desk import DAY, HOUR, Desk
from origin import Answer, Request, rss
from publishing import SITE

from aggregator.collect.parse import parse_sync
from aggregator.daemon.metrics import Metrics
from aggregator.daemon.observers import note_poll
from aggregator.logs import Logfmt
from aggregator.model import Document, Scope, Subscription
from aggregator.publish.lists import Lists
from aggregator.publish.pages import Pages
from aggregator.publish.rendering import Rendering


def redirect(to: str, status: int = 302) -> Answer:
    return Answer(status=status, headers={"Location": to})


@pytest.mark.parametrize(("hops", "good"), [(10, True), (11, False), (21, False)])
def test_h13_ten_hops_and_no_more(desk: Desk, hops: int, good: bool) -> None:
    for number in range(hops):
        desk.origin.on(f"/{number}", redirect(f"/{number + 1}"))
    desk.origin.on(f"/{hops}", Answer(body=rss("One")))
    desk.follow(Subscription(url=desk.origin.url("/0")))
    error = desk.once().error
    assert (error is None) == good
    assert error is None or error.code == "redirect-loop"


def test_h20_moved_for_good_after_a_week_and_gone_after_a_day(desk: Desk) -> None:
    desk.origin.on("/old", redirect("/new", 301))
    desk.origin.on("/new", Answer(body=rss("One"), conditional=True))
    desk.follow(Subscription(url=desk.origin.url("/old"), interval=DAY))
    results = []
    for _ in range(9):
        results.append(desk.once())
        desk.now = results[-1].next_poll
    assert [result.adopt_url for result in results].index(True) in {7, 8}
    desk.origin.on("/new", Answer(status=410))
    assert desk.once().outcome == "error", "once is an accident"
    desk.now += DAY + 3 * HOUR
    assert desk.once().outcome == "gone"
    assert desk.titles() == ["One"], "entries are kept"
    desk.now += 30 * DAY
    assert desk.poll() == []


def test_x6_a_hundred_thousand_nested_elements() -> None:
    nested = b"<x>" * 100_000 + b"</x>" * 100_000
    body = b'<rss version="2.0"><channel><title>t</title><item><title>One</title>' + nested + b"</item></channel></rss>"
    began = time.process_time()
    assert [entry.title for entry in parse_sync(Document(body=body, url="http://x.example/")).entries] == ["One"]
    assert time.process_time() - began < 10


def test_x17_guids_that_change_on_every_poll_announce_nothing_twice(desk: Desk) -> None:
    polls = 0

    def shuffled(_: Request) -> Answer:
        nonlocal polls
        polls += 1
        body = rss("One", "Two", "Three", "Four")
        for title in ("one", "two", "three", "four"):
            body = body.replace(
                f"<guid>http://origin.example/{title}</guid>".encode(), f"<guid>{title}-{polls}</guid>".encode()
            )
        return Answer(body=body)

    desk.follow(Subscription(url=desk.origin.on("/feed", shuffled), interval=HOUR))
    warnings = set[str]()
    for _ in range(5):
        result = desk.once()
        warnings |= set(result.warnings)
        desk.now = result.next_poll
    assert desk.titles() == ["Four", "One", "Three", "Two"]
    assert desk.health().unstable_ids
    assert warnings


def test_x18_a_guid_says_nothing_across_sources(desk: Desk) -> None:
    for number in (1, 2):
        body = rss(f"Of {number}", site=f"http://site{number}.example")
        body = body.replace(f"<guid>http://site{number}.example/of-{number}</guid>".encode(), b"<guid>1</guid>")
        desk.origin.on(f"/{number}", Answer(body=body))
    desk.follow(*(Subscription(url=desk.origin.url(f"/{number}")) for number in (1, 2)))
    for _ in range(2):
        desk.poll()
        desk.now += timedelta(minutes=1)
    assert desk.titles() == ["Of 1", "Of 2"]


SECRETS = ("s3cret", "t0k3n")


@pytest.mark.parametrize("answer", [Answer(body=rss("One")), Answer(status=500), Answer(body=b"<html></html>")])
def test_u6_secrets_of_an_address_are_sent_and_never_shown(
    desk: Desk, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    desk.origin.on("/feed", answer)
    url = desk.origin.url("/feed?token=t0k3n").replace("//", "//me:s3cret@")
    desk.follow(Subscription(url=url))
    metrics = Metrics()
    with caplog.at_level(logging.INFO):
        for polled in desk.poll():
            note_poll(metrics, polled)
            note_poll(metrics, replace(polled, result=replace(polled.result, outcome="gone", error=None)))
            note_poll(metrics, replace(polled, result=replace(polled.result, adopt_url=True, moved_to=url)))
    assert caplog.records
    (request,) = desk.origin.requests
    assert "t0k3n" in request.path
    assert "authorization" in request.headers
    site = Rendering(store=desk.store, site=SITE, lists=Lists(desk.store, SITE), pages=Pages(SITE))
    slug = desk.health().ref.slug
    shown = {
        "source": site.page(lambda pages: pages.source(slug), now=desk.now).body,
        "source feed": site.feed(site.lists.source(slug, now=desk.now), "json").body,
        "latest": site.feed(site.lists.latest(), "atom").body,
        "feeds": site.page(lambda pages: pages.feeds(), now=desk.now).body,
        "feeds.opml": site.feeds_opml().body,
        "status": site.page(lambda pages: pages.status(), now=desk.now).body,
        "sources.opml": site.sources_opml(now=desk.now).body,
        "status feed": site.status_feed("atom", now=desk.now).body,
        "front": site.page(lambda pages: pages.front(), now=desk.now).body,
        "log": "\n".join(map(Logfmt().format, caplog.records)).encode(),
        **{item.id: site.article(item.id, now=desk.now).body for item in desk.store.latest(Scope(), limit=0)},
    }
    for secret in SECRETS:
        assert [name for name, page in shown.items() if secret.encode() in page] == []


def test_u6_footnotes_show_no_secret_of_their_feeds_address(desk: Desk) -> None:
    footnote = '&lt;a href="#fn1"&gt;1&lt;/a&gt;'
    entry = f"<item><title>One</title><link>#one</link><guid>#1</guid><description>{footnote}</description></item>"
    body = f'<rss version="2.0"><channel><title>t</title><link>#top</link>{entry}</channel></rss>'
    url = desk.origin.on("/feed", Answer(body=body.encode()))
    desk.follow(Subscription(url=f"{url}?token=t0k3n&page=1".replace("//", "//me:s3cret@")))
    desk.once()
    (item,) = desk.store.latest(Scope(), limit=0)
    assert item.url == f"{url}?token=hidden&page=1#one"
    assert "#fn1" in item.summary_html
    for shown in (item.summary_html, str(item.url), str(desk.health().ref.home)):
        assert not [secret for secret in SECRETS if secret in shown]
