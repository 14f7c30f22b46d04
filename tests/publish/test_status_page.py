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
from aggregator.publish.pages import Frame, Pages, charts, status_page

PAGES = Pages(samples.SITE)
FRAME = Frame(now=NOW)
HUB = "https://hub.example/?secret=s3cret"


def status(sources: tuple[SourceHealth, ...] = samples.HEALTHS, **more: object) -> str:
    return PAGES.status(FRAME, sources=sources, **more).html  # type: ignore[arg-type]


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
    page = status(activity=samples.ACTIVITY)
    text = Read(page).text
    assert re.findall(r'<h3><a href="/source/source-(\d)"', page) == ["6", "7"], "who needs a person, then who recovers"
    assert text.index("Need attention: 1") < text.index("Failing for now: 1") < text.index("Working: 6")
    assert "Failing 3 days, 14 times · last item: 3 hours ago · next poll: in 26 minutes" in text
    assert "The server answers 404 Not Found." in text
    assert "aggregator add" in text
    figures = re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", page)
    assert figures == [("Sources", "8"), ("Need attention", "1"), ("Items in 24 hours", "310"),
                       ("Last poll", "4 minutes ago"), ("Next poll", "in 26 minutes")]  # fmt: skip


def test_nothing_in_trouble() -> None:
    text = Read(status(samples.HEALTHS[:4])).text
    assert "Working: 4" in text
    assert "Need attention 0" in text.replace("attention0", "attention 0")
    assert "Failing" not in text


@pytest.mark.parametrize(
    ("sort", "first"), [("", "4"), ("name", "4"), ("section", "4"), ("rate", "4"), ("item", "1"), ("x'y", "4")]
)
def test_the_sources_that_work_can_be_sorted(sort: str, first: str) -> None:
    sources = tuple(health(n, last_item=NOW - timedelta(hours=n)) for n in range(4))
    names = re.findall(
        r'<th scope="row"><a class="src[^"]*" data-i="." href="/source/source-(\d)"', status(sources, sort=sort)
    )
    assert names[0] == first
    assert status(sources, sort=sort).count("aria-sort") == 1


def test_what_is_odd_about_a_source_that_works_is_said_in_words() -> None:
    odd = health(1, warnings=("moved-permanently", "ill-formed", "never-heard-of"), unstable_ids=True)
    text = Read(status((odd,))).text
    assert "Its address has moved permanently." in text
    assert "not well-formed XML" in text
    assert "Its ids change" in text
    assert diagnostics.remarks(odd)[2] == ("never-heard-of", "")


def test_a_poll_that_waits_is_due() -> None:
    assert "next poll: due now" in status((failing(0, "http-503", next_poll=NOW),))


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


def test_how_a_source_posts_in_lines_and_in_words() -> None:
    page = status((health(1, daily=(0,) * 29 + (3,)),))
    assert 'aria-label="Posting: 3 items in 30 days"' in page
    assert page.count('role="img"') == page.count("<svg") == 1


def test_what_was_never_polled_has_no_drawing_of_it() -> None:
    page = status((health(7, "new", daily=(), daily_polls=(0,) * 30, daily_failures=(0,) * 30),))
    assert "<svg" not in page
    assert "Not polled yet" in page


def test_a_source_has_its_month_on_its_own_page_with_the_days_of_failed_polls() -> None:
    failures = (0,) * 28 + (6, 2)
    page = PAGES.source(FRAME, health=health(0, daily=(1,) * 29 + (4,), daily_failures=failures), latest=samples.LATEST)
    month = page.html.split('class="month"')[1].split("</svg>")[0]
    assert 'aria-label="Items on each of the last 30 days: most 4, today 4"' in month
    assert month.count('class="bad"') == 2
    assert re.findall(r"<text[^>]*>([^<]*)</text>", month)[-1] == "14 Mar"


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
    assert "Push: hub.example last delivered 5 minutes ago." in text
    assert "Push: hub.example was asked 3 hours ago and has not confirmed yet." in text
    assert "Push: hub.example refused (3 times in a row); polled as before." in text
    assert "Push: subscribed at hub.example, nothing delivered lately." in text
    cells = re.findall(r'<td class="num">(\d+)</td>', page.partition('id="push"')[2])
    assert cells == ["4", "2", "1", "1"], "sources, subscribed, waiting, refused"
    assert "check that [site] url is an address at which the hub can reach this site" in text
    assert "s3cret" not in page
    assert "t0ken" not in page


def test_a_renewal_beside_the_lease_it_follows_is_one_subscription() -> None:
    page = status(pushes=[push(1), push(1, "asked", token="other")])
    assert "has not confirmed" not in page
    assert "last delivered" in page


def test_thousands_of_hubs_are_a_few_rows_those_that_refuse_first() -> None:
    pushes = [push(n, hub=f"https://h{n}.example/") for n in range(2000)]
    pushes.append(push(2000, "resting", hub="https://no.example/"))
    page = status(pushes=pushes)
    names = re.findall(r"<bdi>([\w.]+\.example)</bdi>", page.partition('id="push"')[2])
    assert names[0] == "no.example"
    assert len(names) == status_page.MAX_HUBS
    assert "And 1,971 hubs more." in Read(page).text


def test_hubs_that_nobody_can_ask() -> None:
    assert "cannot reach a site whose [site] url is on a private network" in status(unheard=True)
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
    assert page.count("<svg") == 0, "those in trouble are told in words, the others named"
    at = [page.index(words) for words in ("Need attention: 63", "Failing for now: 187", ">Section 0: ")]
    assert at == sorted(at)
    assert len(page.encode()) < 700_000
    assert len(gzip.compress(page.encode())) < 40_000


@given(st.lists(st.integers(0, 10_000), max_size=60), st.randoms(use_true_random=False))
def test_a_chart_stays_in_its_box(values: list[int], random: object) -> None:
    parts = [random.randint(0, value) for value in values]  # type: ignore[attr-defined]
    for path, bars in (
        (charts.bars(values), len(values)),
        (charts.shares(values, parts), sum(map(bool, parts))),
    ):
        found = _drawn(path)
        assert len(found) == bars
        assert all(x - charts.BAR / 2 >= 0 and x + charts.BAR / 2 <= charts.width(values) for x, _, _ in found)
        assert all(foot == charts.HEIGHT and 0 <= top < foot for _, foot, top in found)


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
