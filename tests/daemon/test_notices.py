from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from aggregator.daemon.notices import Notices, read_notices
from aggregator.model import Notice

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_notices_are_told_while_they_hold(tmp_path: Path) -> None:
    told: list[tuple[Notice, ...]] = []
    notices = Notices(tmp_path, now=NOON, on_change=told.append)
    notices.put("network-down", "The network is down.", now=NOON)
    notices.put("network-down", "The network is down.", now=NOON + timedelta(hours=1))
    assert told == [(), (Notice(code="network-down", message="The network is down.", since=NOON),)]
    assert read_notices(tmp_path) == told[-1], "commands read them"
    notices.hold("network-down", None, now=NOON)
    assert told[-1] == read_notices(tmp_path) == ()


def test_a_restored_backup_is_told_for_a_week_over_restarts(tmp_path: Path) -> None:
    notices = Notices(tmp_path, now=NOON, on_change=lambda _: None)
    notices.put("store-restored", "A backup has taken its place.", now=NOON)
    notices.put("second-daemon", "2 daemons use this store.", now=NOON)
    notices.forget_present()
    later: list[tuple[Notice, ...]] = []
    Notices(tmp_path, now=NOON + timedelta(days=6), on_change=later.append)
    assert [one.code for one in later[-1]] == ["store-restored"]
    Notices(tmp_path, now=NOON + timedelta(days=8), on_change=later.append)
    assert later[-1] == ()


def test_a_damaged_file_of_notices_is_none(tmp_path: Path) -> None:
    (tmp_path / "notices.json").write_text('[{"code": 1}]')
    assert read_notices(tmp_path) == ()
