from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from aggregator import config
from aggregator.daemon.maintenance import Backups, RulesMark
from aggregator.daemon.reload import FileWatch

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Copying:
    """As much of a store as a backup needs."""

    def backup(self, path: Path) -> None:
        path.write_bytes(b"copy")


def copies(tmp_path: Path, *, keep: int = 3) -> Backups:
    return Backups(directory=tmp_path / "backup", every=timedelta(days=1), keep=keep)


def make(backups: Backups, at: datetime) -> Path:
    return backups.make(cast("Any", Copying()), at)


def test_a_backup_is_due_a_day_after_the_last(tmp_path: Path) -> None:
    backups = copies(tmp_path)
    assert backups.due(NOW)
    make(backups, NOW)
    assert not backups.due(NOW + timedelta(hours=23))
    assert backups.due(NOW + timedelta(hours=24))


def test_never_means_never(tmp_path: Path) -> None:
    assert not Backups(directory=tmp_path, every=None, keep=1).due(NOW)


def test_a_copy_from_the_future_does_not_silence_backups_for_years(tmp_path: Path) -> None:
    backups = copies(tmp_path)
    make(backups, NOW + timedelta(days=3650))
    assert backups.due(NOW)


def test_the_newest_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    backups = copies(tmp_path)
    made = [make(backups, NOW + timedelta(days=day)) for day in range(5)]
    note = backups.directory / "note.txt"
    note.write_text("mine")
    make(backups, NOW + timedelta(days=5))
    assert [path.exists() for path in made] == [False, False, False, True, True]
    assert note.exists()
    assert backups.directory.stat().st_mode & 0o777 == 0o700


def settings(tmp_path: Path, text: str) -> config.Settings:
    source = '[[sources]]\nurl = "http://a.example/feed"\n'
    return config.parse(text + source, path=tmp_path / "config.toml")


def test_changed_rules_are_noticed_over_a_restart(tmp_path: Path) -> None:
    mark = RulesMark(tmp_path / "rules.mark")
    plain = settings(tmp_path, "")
    assert mark.is_of(plain), "without a mark there have never been rules"
    mark.put(plain)
    assert mark.is_of(plain)
    ruled = settings(tmp_path, '[[rules]]\nmatch = \'title ~ "x"\'\naction = "drop"\n')
    assert not mark.is_of(ruled)
    assert not RulesMark(tmp_path / "none").is_of(ruled)
    mark.put(ruled)
    assert not mark.is_of(plain)


def test_a_saved_file_is_noticed_once_it_has_settled(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("a")
    watch = FileWatch(path)
    assert not watch.changed()
    path.write_text("half")
    assert not watch.changed()
    path.write_text("the whole of it")
    assert not watch.changed()
    assert watch.changed()
    assert not watch.changed()


def test_a_file_that_is_away_for_a_moment_has_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("a")
    watch = FileWatch(path)
    path.unlink()
    assert not watch.changed()
    assert not watch.changed()
