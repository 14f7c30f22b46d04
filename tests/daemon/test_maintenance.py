from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from aggregator import assemble, config, sdnotify
from aggregator.daemon.maintenance import Backups, ConfigMark, mended_errors, open_store, polling_limits
from aggregator.daemon.reload import FileWatch
from aggregator.errors import StoreUnusable
from aggregator.store.sqlite.migrations import APPLICATION_ID

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Copying:
    """As much of a store as a backup needs."""

    def __init__(self, entries: int = 5) -> None:
        self.entries = entries

    def backup(self, path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("CREATE TABLE entries(id)")
            connection.executemany("INSERT INTO entries VALUES (?)", [(n,) for n in range(self.entries)])
            connection.commit()


def copies(tmp_path: Path, *, keep: int = 3) -> Backups:
    return Backups(directory=tmp_path / "backup", every=timedelta(days=1), keep=keep)


def make(backups: Backups, at: datetime, *, entries: int = 5) -> Path:
    return backups.make(cast("Any", Copying(entries)), at)


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


def test_a_copy_of_an_emptied_store_pushes_no_fuller_one_out(tmp_path: Path) -> None:
    backups = copies(tmp_path, keep=2)
    full = [make(backups, NOW + timedelta(days=day), entries=100) for day in range(2)]
    for day in range(2, 5):
        make(backups, NOW + timedelta(days=day), entries=3)
    assert all(path.exists() for path in full)
    make(backups, NOW + timedelta(days=5), entries=90)
    assert not any(path.exists() for path in full), "a store that has grown again"


def test_what_a_copy_that_was_cut_short_has_left_is_swept(tmp_path: Path) -> None:
    backups = copies(tmp_path)
    backups.directory.mkdir()
    cut = backups.directory / ".aggregator-20260101T000000Z.db.4194305.tmp"  # beyond the largest process id
    mine = backups.directory / f".aggregator-20260101T000000Z.db.{os.getppid()}.tmp"
    for path in (cut, mine):
        path.write_bytes(b"half")
    make(backups, NOW)
    assert not cut.exists()
    assert mine.exists(), "a process that still runs may still be writing"


def test_changed_rules_are_noticed_over_a_restart(tmp_path: Path) -> None:
    mark = ConfigMark(tmp_path / "config.mark")
    plain = settings(tmp_path, "")
    assert mark.has_rules_of(plain), "without a mark there have never been rules"
    mark.put_rules(plain)
    assert mark.has_rules_of(plain)
    ruled = settings(tmp_path, '[[rules]]\nmatch = \'title ~ "x"\'\naction = "drop"\n')
    assert not mark.has_rules_of(ruled)
    assert not ConfigMark(tmp_path / "none").has_rules_of(ruled)
    mark.put_rules(ruled)
    assert not mark.has_rules_of(plain)


def test_a_changed_limit_names_the_errors_that_it_may_end(tmp_path: Path) -> None:
    mark = ConfigMark(tmp_path / "config.mark")
    before = settings(tmp_path, "")
    after = settings(tmp_path, '[polling]\nallow_private_addresses = ["10.0.0.0/8"]\n')
    assert mark.limits(before) is None, "never seen: nothing has changed"
    assert mark.limits(after) == polling_limits(before)
    assert mended_errors(polling_limits(before), polling_limits(after)) == {"blocked-address"}
    assert not mended_errors(polling_limits(after), polling_limits(after))
    mark.put_rules(after)
    assert mark.limits(after) == polling_limits(after), "both are kept side by side"


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


def test_a_copy_that_cannot_be_opened_either_is_tried_once(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[site]\n")
    loaded = config.load(tmp_path / "config.toml")
    store = assemble.store(loaded)
    copies(tmp_path).make(store, NOW)
    store.close()
    [copy] = (tmp_path / "backup").glob("*.db")
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        connection.execute("ALTER TABLE sources RENAME COLUMN slug TO slugs")
        connection.commit()
    for path in tmp_path.glob("aggregator.db*"):
        path.unlink()

    async def run() -> None:
        notifier = sdnotify.Notifier.from_environment({}, pid=os.getpid())
        with pytest.raises(StoreUnusable, match="That cannot be used either"):
            await open_store(loaded, notifier, asyncio.Event())

    asyncio.run(run())
    assert not list(tmp_path.glob("*.corrupt-*")), "only what was there is kept"
