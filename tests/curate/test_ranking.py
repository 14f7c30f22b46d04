from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest
from curating import NOON, candidate
from hypothesis import given
from hypothesis import strategies as st

from aggregator.curate.ranking import rank
from aggregator.curate.windows import BUCKET, bounds, in_words, span
from aggregator.model import Candidate, Upstream


def ids(candidates: list[Candidate], counts: dict[str, int], *, window: str = "1d", size: int = 8) -> list[str]:
    return [place.item_id for place in rank(candidates, counts, now=NOON, window=window, size=size).places]


def test_most_readers_first_then_more_sources_then_newer() -> None:
    items = [
        candidate("few", views=2),
        candidate("old", views=5, published=NOON - timedelta(hours=9)),
        candidate("new", views=5),
        candidate("many-sources", views=5, sources=3, published=NOON - timedelta(hours=20)),
    ]
    counts = {"few": 2, "old": 5, "new": 5, "many-sources": 5}
    assert ids(items, counts) == ["many-sources", "new", "old", "few"]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 3), st.integers(0, 72), st.floats(0.1, 10.0)), max_size=30),
    st.integers(1, 12),
)
def test_places_by_views_are_those_of_a_recount_whatever_the_weights(
    facts: list[tuple[int, int, int, float]], size: int
) -> None:
    items = [
        candidate(f"i{n}", sources=sources, published=NOON - timedelta(hours=age), views=views, weight=w, boost=w)
        for n, (views, sources, age, w) in enumerate(facts)
    ]
    counts = {item.item_id: item.views for item in items if item.views}
    ranked = rank(items, counts, now=NOON, window="1d", size=size)
    by_hand = sorted(
        (item for item in items if item.views),
        key=lambda i: (-i.views, -i.sources, -i.published.timestamp(), i.item_id),
    )
    counted = [place for place in ranked.places if place.views is not None]
    assert [(place.item_id, place.views) for place in counted] == [(i.item_id, i.views) for i in by_hand[:size]]
    assert len(ranked.places) <= size
    assert len({place.item_id for place in ranked.places}) == len(ranked.places)
    filled = len(counted) < len(ranked.places)
    assert ranked.basis == (("mixed" if counted else "signals") if filled else "views")


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 3 * 86_400)), max_size=60),
    st.sampled_from(["1h", "1d", "2d"]),
    st.integers(0, 86_400),
)
def test_a_window_of_buckets_is_the_events_between_its_bounds(
    events: list[tuple[str, int]], window: str, moment_s: int
) -> None:
    start = NOON - timedelta(days=3)
    moments = [(item_id, start + timedelta(seconds=offset)) for item_id, offset in events]
    now = NOON - timedelta(seconds=moment_s)
    since, until = bounds(window, now=now)
    buckets = Counter((item_id, int(at.timestamp() // BUCKET.total_seconds())) for item_id, at in moments)
    first, last = (int(edge.timestamp() // BUCKET.total_seconds()) for edge in (since, until))
    summed: Counter[str] = Counter()
    for (item_id, bucket), count in buckets.items():
        if first <= bucket < last:
            summed[item_id] += count
    recounted = Counter(item_id for item_id, at in moments if since <= at < until)
    assert summed == recounted
    assert since <= now - span(window) + BUCKET
    assert now < until <= now + BUCKET


def test_bounds_are_whole_buckets_in_the_utc_hour() -> None:
    now = datetime.fromisoformat("2026-05-04T12:03:20+00:00")
    since, until = bounds("1h", now=now)
    assert until == datetime.fromisoformat("2026-05-04T12:05:00+00:00")
    assert since == datetime.fromisoformat("2026-05-04T11:05:00+00:00")


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ("1h", "in the last hour"),
        ("1d", "in the last 24 hours"),
        ("24h", "in the last 24 hours"),
        ("7d", "in the last 7 days"),
        ("90m", "in the last 90 minutes"),
    ],
)
def test_windows_in_words(window: str, words: str) -> None:
    assert in_words(window) == words


def test_what_cannot_be_read_is_no_window() -> None:
    with pytest.raises(ValueError, match="fortnight"):
        span("fortnight")


def test_a_new_site_goes_by_signals_and_says_so() -> None:
    items = [candidate("alone"), *(candidate(f"other{n}", source_id=n + 10) for n in range(9))]
    covered = [candidate(f"c{n}", story="s", source_id=n + 30, coverage=4) for n in range(4)]
    ranked = rank([*items, *covered], {}, now=NOON, window="1d", size=5)
    assert ranked.basis == "signals"
    assert ranked.places[0].item_id in {"c0", "c1", "c2", "c3"}
    assert ranked.places[0].reasons == ("4 sources",)
    assert ranked.places[0].views is None
    assert ranked.places[0].figures["coverage"] > 1
    # one place for the story, the others for something else
    assert len({place.item_id[0] for place in ranked.places[:2]}) == 2


def test_links_and_what_feeds_report_are_signals() -> None:
    running_totals = [candidate(f"x{n}", upstream=Upstream(comments=n % 3)) for n in range(20)]
    items = [
        *running_totals,
        candidate("linked", citations=4, source_id=2),
        candidate("talked", upstream=Upstream(comments=400)),
    ]
    ranked = rank(items, {}, now=NOON, window="1d", size=4)
    assert {place.item_id for place in ranked.places[:2]} == {"linked", "talked"}
    reasons = {place.item_id: place.reasons for place in ranked.places}
    assert "linked by 4 sources" in reasons["linked"]
    assert "400 comments at its source" in reasons["talked"]


def test_own_views_take_over_as_they_come_in() -> None:
    items = [candidate("covered", coverage=9), candidate("viewed", source_id=2, views=1)]
    items += [candidate(f"x{n}", source_id=n + 3) for n in range(4)]
    ranked = rank(items, {"viewed": 1}, now=NOON, window="1d", size=3)
    assert ranked.basis == "mixed"
    assert [place.item_id for place in ranked.places[:2]] == ["viewed", "covered"]
    assert ranked.places[0].reasons == ("1 reader in the last 24 hours",)


def test_signals_leave_something_to_recommend() -> None:
    assert len(ids([candidate(f"i{n}", source_id=n) for n in range(6)], {})) == 3


def test_a_busy_source_does_not_fill_the_list_while_others_have_something() -> None:
    busy = [candidate(f"b{n}", source_id=1, coverage=5) for n in range(20)]
    others = [candidate(f"o{n}", source_id=n + 2) for n in range(20)]
    assert sum(item_id.startswith("b") for item_id in ids([*busy, *others], {}, size=10)) == 2


def test_pins_stand_first_as_long_as_they_hold() -> None:
    items = [
        candidate("read", views=9),
        candidate("pinned", source_id=2, pinned_until=NOON + timedelta(hours=1)),
        candidate("was-pinned", source_id=3, pinned_until=NOON - timedelta(hours=1), views=1),
    ]
    ranked = rank(items, {"read": 9, "was-pinned": 1}, now=NOON, window="1d", size=8)
    assert [place.item_id for place in ranked.places] == ["pinned", "read", "was-pinned"]
    assert ranked.places[0].reasons == ("pinned",)


def test_a_feed_of_ones_own_may_cap_its_sources() -> None:
    items = [candidate(f"i{n}", source_id=n % 2, views=9 - n) for n in range(8)]
    counts = {item.item_id: item.views for item in items}
    ranked = rank(items, counts, now=NOON, window="1d", size=8, max_per_source=1)
    assert [place.item_id for place in ranked.places] == ["i0", "i1"]


def test_rising_is_said() -> None:
    ranked = rank([candidate("a", views=5)], {"a": 5}, now=NOON, window="1d", size=1, rising={"a"})
    assert ranked.places[0].reasons[-1] == "rising"


def test_a_weight_moves_what_goes_by_signals() -> None:
    items = [candidate("plain", source_id=1), candidate("heavy", source_id=2, weight=2.0)]
    items += [candidate("boosted", source_id=3, boost=4.0), candidate("never", source_id=4, weight=0.0)]
    ranked = rank(
        [*items, *(candidate(f"z{n}", source_id=9, coverage=1) for n in range(6))], {}, now=NOON, window="1d", size=8
    )
    order = [place.item_id for place in ranked.places]
    assert order[:2] == ["boosted", "heavy"]
    assert "never" not in order


def test_an_article_of_ten_years_ago_seen_just_now_is_still_listed() -> None:
    old = candidate("old", published=NOON - timedelta(days=3650), first_seen=NOON)
    assert ids([old], {}, window="1h") == ["old"]
