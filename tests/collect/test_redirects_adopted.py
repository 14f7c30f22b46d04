from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.collect.decision import should_adopt_redirect
from aggregator.model import Source, Subscription

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OLD, NEW = "https://old.example/feed", "https://new.example/feed"
MOVING = Source(
    id=1,
    slug="a",
    subscription=Subscription(url=OLD),
    fetch_url=OLD,
    moved_to=NEW,
    moved_since=NOW - timedelta(days=7),
    moved_count=4,
)


def test_a_week_and_five_sightings() -> None:
    assert should_adopt_redirect(MOVING, NEW, now=NOW)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (MOVING, None),
        (MOVING, "https://other.example/feed"),
        (replace(MOVING, moved_to=None, moved_since=None, moved_count=0), NEW),
        (replace(MOVING, moved_since=NOW - timedelta(days=6, hours=23)), NEW),
        (replace(MOVING, moved_count=3), NEW),
        (replace(MOVING, moved_to="https://wifi.example/Login?to=feed"), "https://wifi.example/Login?to=feed"),
        (replace(MOVING, moved_to="http://old.example/feed"), "http://old.example/feed"),
    ],
    ids=["no redirect", "elsewhere", "first sighting", "six days", "four sightings", "a gate", "https to http"],
)
def test_and_not_before(source: Source, target: str | None) -> None:
    assert not should_adopt_redirect(source, target, now=NOW)
