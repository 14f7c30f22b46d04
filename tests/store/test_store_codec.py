"""Structures in columns: what is written is read again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.errors import StoreDamaged
from aggregator.model import ConditionalState, FeedInfo, PostingRate
from aggregator.store.sql import codec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENTS = st.none() | st.integers(-(10**12), 10**14).map(codec.from_ms)
SPANS = st.none() | st.integers(0, 10**12).map(lambda ms: timedelta(milliseconds=ms))
COUNTS = st.floats(allow_nan=False)
HOURS = st.lists(COUNTS, min_size=24, max_size=24).map(tuple)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)


@given(
    st.builds(
        PostingRate,
        weight=COUNTS.filter(lambda count: abs(count) < float("inf")),
        recent=COUNTS.filter(lambda count: abs(count) < float("inf")),
        as_of=MOMENTS,
        since=MOMENTS,
        hours=HOURS,
        weekend_hours=HOURS,
        last_item_at=MOMENTS,
        window_entries=st.integers(0, 1 << 60),
        overlapped=st.booleans(),
    )
)
def test_a_rhythm_comes_back_to_the_last_digit(posting_rate: PostingRate) -> None:
    assert codec.unpack_posting_rate(codec.pack_posting_rate(posting_rate)) == posting_rate


@given(
    st.builds(
        FeedInfo,
        title=TEXTS,
        link=st.none() | TEXTS,
        description=TEXTS,
        language=st.none() | TEXTS,
        image_url=st.none() | TEXTS,
        self_url=st.none() | TEXTS,
        hubs=st.lists(TEXTS, max_size=2).map(tuple),
        ttl=SPANS,
        skip_hours=st.frozensets(st.integers(0, 23)),
        skip_days=st.frozensets(st.integers(0, 6)),
        update_every=SPANS,
    )
)
def test_what_a_feed_says_comes_back(info: FeedInfo) -> None:
    assert codec.unpack_info(codec.pack_info(info)) == info


@given(
    st.builds(
        ConditionalState,
        last_body_at=MOMENTS,
        same_bodies=st.integers(0, 9),
        dates_only=st.booleans(),
        full_check_at=MOMENTS,
        throttled_at=MOMENTS,
    )
)
def test_what_is_known_of_conditional_answers_comes_back(known: ConditionalState) -> None:
    assert codec.unpack_conditional(codec.pack_conditional(known)) == known


def test_what_is_not_known_takes_no_room() -> None:
    assert codec.pack_info(FeedInfo(title="A")) == '{"title":"A"}'
    assert codec.pack_conditional(ConditionalState()) == "{}"


def test_nothing_is_what_a_new_source_has() -> None:
    assert codec.unpack_posting_rate(None) == PostingRate()
    assert codec.unpack_info(None) == FeedInfo()
    assert codec.unpack_conditional(None) == ConditionalState()


@given(summary=TEXTS, content=TEXTS, text=TEXTS, other=TEXTS)
def test_html_is_packed_with_the_text_and_comes_back(summary: str, content: str, text: str, other: str) -> None:
    summary = summary.replace("\0", "")
    packed = codec.pack_html(summary, content, text)
    assert codec.unpack_html(packed, text) == (summary, content)
    if packed is not None and text and text != other:
        with pytest.raises(StoreDamaged, match="HTML of an entry cannot be read"):
            codec.unpack_html(packed, other)


def test_words_that_stand_in_the_text_take_no_room_in_the_html() -> None:
    text = " ".join(f"word{number}" for number in range(0, 9000, 7))
    packed = codec.pack_html(f"<p>{text}</p>", f"<div><p>{text}</p></div>", text)
    assert packed is not None
    assert len(packed) < len(text) / 10
    long = text * 9  # longer than what the compression looks back
    assert codec.unpack_html(codec.pack_html(long, "", long), long) == (long, "")
