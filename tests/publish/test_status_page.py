"""The status page: what needs a person first, how sources post and are fetched, who tells us; light with thousands."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import page_samples as samples
import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_samples import NOW, health
from test_pages import Read

from aggregator.model import PollError, Push, SourceHealth
from aggregator.publish import diagnostics
from aggregator.publish.pages import Pages, status_page

PAGES = Pages(samples.SITE)
HUB = "https://hub.example/?secret=s3cret"


def status(sources: tuple[SourceHealth, ...] = samples.HEALTHS, **more: object) -> str:
    return PAGES.status(sources=sources, stats=samples.STATS, now=NOW, **more)  # type: ignore[arg-type]


def push(source: int, state: str = "active", **changes: object) -> Push:
    made = Push(
        token=f"t0ken{source}{state}", source_id=source, hub=HUB, topic="https://s.example/feed", state="active",
        asked_at=NOW - timedelta(hours=3), secret="s3cret", until=NOW + timedelta(days=8),
        delivered_at=NOW - timedelta(minutes=5),
    )  # fmt: skip
    return replace(made, state=state, **changes)  # type: ignore[arg-type]


def failing(number: int, code: str, *, days: float = 1, **changes: object) -> SourceHealth:
    since = NOW - timedelta(days=days)
    error = PollError(code=code, message="It said so.")
    return health(number, "failing", error=error, error_since=since, error_count=9, **changes)


def test_trouble_stands_first_with_what_to_do() -> None:
    page = status()
    text = Read(page).text
    names = re.findall(r'<th scope="row"><a href="/source/source-(\d)"', page)
    assert names[:2] == ["6", "7"], "what needs a person, then what mends itself"
    assert names[-1] == "5", "the quiet last"
    assert "To be looked at: 1" in text
    assert "Failing for now: 1" in text
    assert "All others: 6" in text
    assert "The server answers 404 Not Found (14 times in a row, for 3 days)." in text
    assert "aggregator add" in text
    assert "8 sources, 2 of them in trouble" in text
    assert "its last item is 40 days old" in text


def test_nothing_in_trouble() -> None:
    text = Read(status(samples.HEALTHS[:4])).text
    assert "4 sources, all of them well" in text
    assert "All sources: 4" in text
    assert "To be looked at" not in text


def test_what_never_posted_is_not_said_to_be_old() -> None:
    text = Read(status((health(1, "quiet", last_item=None),))).text
    assert "it has never posted" in text


def test_what_is_odd_about_a_source_that_works_is_said_in_words() -> None:
    odd = health(1, warnings=("moved-permanently", "ill-formed", "never-heard-of"), unstable_ids=True)
    text = Read(status((odd,))).text
    assert "Its address says that it has moved for good." in text
    assert "not well-formed XML" in text
    assert "Its ids change" in text
    assert "it has never posted" in Read(status((health(1, "quiet", last_item=None, warnings=("redirected",)),))).text
    assert diagnostics.remarks(odd)[2] == ("never-heard-of", "")


def test_a_poll_that_waits_is_due() -> None:
    assert "due now" in status((health(0, next_poll=NOW),))


@pytest.mark.parametrize(
    ("code", "days", "expected"),
    [
        ("http-404", 0.1, True),
        ("http-418", 0.1, True),
        ("not-a-feed", 0.1, True),
        ("same-feed", 0.1, True),
        ("http-503", 6, False),
        ("http-503", 8, True),
        ("http-429", 1, False),
        ("timeout-read", 1, False),
        ("dns-not-found", 1, False),
        ("dns-not-found", 8, True),
        ("never-heard-of", 1, False),
    ],
)
def test_who_needs_a_person(code: str, days: float, expected: bool) -> None:
    assert diagnostics.needs_a_person(failing(1, code, days=days), NOW) is expected


def test_how_a_source_posts_and_is_fetched_in_lines_and_in_words() -> None:
    polls, failures = (0,) * 27 + (24, 24, 20), (0,) * 28 + (6, 2)
    page = status((health(1, daily=(0,) * 29 + (3,), daily_polls=polls, daily_failures=failures),))
    assert "<title>Posting: 3 items in 30 days</title>" in page
    assert "<title>Fetching: 68 polls in 30 days, 8 failed, on 2 days</title>" in page
    assert page.count('<path class="bad"') == 1
    assert page.count('role="img"') == page.count("<svg") == 2
    untroubled = status((health(1, daily_polls=(1,) * 30, daily_failures=(0,) * 30),))
    assert "30 polls in 30 days, none failed" in untroubled
    assert 'class="bad"' not in untroubled


def test_what_was_never_polled_has_no_drawing_of_it() -> None:
    page = status((health(7, "new", daily=(), daily_polls=(0,) * 30, daily_failures=(0,) * 30),))
    assert "<svg" not in page
    assert "Not polled yet" in page


def test_a_source_has_both_drawings_on_its_own_page() -> None:
    page = PAGES.source(health=health(0), latest=samples.LATEST)
    assert page.count("<svg") == 2
    assert "Fetching: " in page


def test_who_tells_us_and_until_when() -> None:
    pushes = [
        push(1),
        push(2, "asked"),
        push(3, "resting", failures=3, retry_at=NOW + timedelta(hours=5)),
        push(3, "leaving"),
        push(4, delivered_at=None),
    ]
    page = status(pushes=pushes)
    text = Read(page).text
    assert "Push: hub.example last told us 5 minutes ago, its lease ends in 8 days." in text
    assert "Push: hub.example has been asked 3 hours ago and has not confirmed yet." in text
    assert "Push: hub.example would not (3 times in a row), asked again in 5 hours; polled as before." in text
    assert "Push: hub.example has told us nothing lately, its lease ends in 8 days." in text
    cells = re.findall(r'<td class="number" data-label="\w+">(\d+)</td>', page.partition("hubs")[2])
    assert cells == ["4", "2", "1", "1"], "sources, subscribed, waiting, refused"
    assert "see that [site] url is an address at which the hub can reach this site" in text
    assert "s3cret" not in page
    assert "t0ken" not in page


def test_a_renewal_beside_the_lease_it_follows_is_one_subscription() -> None:
    page = status(pushes=[push(1), push(1, "asked", token="other")])
    assert "has not confirmed" not in page
    assert "last told us" in page


def test_thousands_of_hubs_are_a_few_rows_those_that_refuse_first() -> None:
    pushes = [push(n, hub=f"https://h{n}.example/") for n in range(2000)]
    pushes.append(push(2000, "resting", hub="https://no.example/"))
    page = status(pushes=pushes)
    names = re.findall(r"<bdi>([\w.]+\.example)</bdi>", page.partition("hubs")[2])
    assert names[0] == "no.example"
    assert len(names) == status_page.HUBS
    assert "And 1,971 hubs more." in Read(page).text


def test_hubs_that_nobody_can_ask() -> None:
    assert "can tell nobody whose [site] url is on a private network" in status(unheard=True)
    assert "Push" not in Read(status()).text


def test_2500_sources_are_a_light_page() -> None:
    """A tenth in trouble: those are drawn, the others are named."""

    def one(number: int) -> SourceHealth:
        ref = replace(samples.SOURCES[number % 8], id=number, slug=f"s{number}", name=f"Source {number} of the year")
        daily = tuple((number * day * 7919) % 23 for day in range(30))
        days: dict[str, Any] = {
            "daily": daily,
            "daily_polls": tuple(n + 4 for n in daily),
            "daily_failures": (0,) * 29 + (1,),
        }
        codes = ("http-404", "http-503", "timeout-read", "dns-not-found")
        made = failing(1, codes[number // 10 % 4], **days) if number % 10 == 0 else health(1, "ok", **days)
        return replace(made, ref=ref, subscription=replace(made.subscription, section=f"Section {number % 12}"))

    page = status(tuple(map(one, range(2500))))
    assert len(re.findall(r"/source/s\d+", page)) == 2500
    assert page.count("<svg") == 2 * 250
    at = [page.index(words) for words in ("To be looked at: 63", "Failing for now: 187", "<h2><bdi>Section 0")]
    assert at == sorted(at)
    assert len(page.encode()) < 600_000
    assert len(gzip.compress(page.encode())) < 40_000
    flood = status(tuple(failing(1, "dns-failure", ref=replace(samples.SOURCES[0], id=n)) for n in range(2500)))
    assert flood.count("<svg") == 2 * status_page.DRAWN, "on the day the network is down, too"


@given(st.lists(st.integers(0, 10_000), max_size=60), st.randoms(use_true_random=False))
def test_a_chart_stays_in_its_box(values: list[int], random: object) -> None:
    parts = [random.randint(0, value) for value in values]  # type: ignore[attr-defined]
    for path, bars in (
        (status_page.bars(values), len(values)),
        (status_page.shares(values, parts), sum(map(bool, parts))),
    ):
        found = _drawn(path)
        assert len(found) == bars
        assert all(
            x - status_page.BAR / 2 >= 0 and x + status_page.BAR / 2 <= status_page.width(values) for x, _, _ in found
        )
        assert all(foot == status_page.HEIGHT and 0 <= top < foot for _, foot, top in found)


def _drawn(path: str) -> list[tuple[float, float, float]]:
    """(x, foot, top) of the lines of a path, as a browser would go along them."""
    x = y = 0.0
    lines = []
    for letter, numbers in re.findall(r"([Mmv])([-\d. ]+)", path):
        values = [float(number) for number in numbers.split()]
        if letter == "v":
            lines.append((x, y, y + values[0]))
            y += values[0]
        else:
            x, y = (values[0], values[1]) if letter == "M" else (x + values[0], y + values[1])
    return lines
