"""A SQLite store that was damaged, deleted, emptied or replaced; copies, seats and leases of processes that ended."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from store_values import HOUR, LEASE, NOW, A, B, follow, lease_of, make_entry, poll

from aggregator.errors import StoreDamaged, StoreUnusable
from aggregator.store import Store, list_copies, open_store, recover, verify_copy
from aggregator.store.sqlite import view_log

URL = "sqlite:aggregator.db"


def opened(folder: Path) -> Store:
    return open_store(URL, base=folder)


@pytest.fixture
def backed_up(tmp_path: Path) -> Path:
    """A folder with a closed store of one item and two copies of it, the newer of which is damaged."""
    store = opened(tmp_path)
    follow(store, A)
    poll(store, A, make_entry("1"))
    (tmp_path / "backup").mkdir()
    for name in ("aggregator-20260101T000000Z.db", "aggregator-20260102T000000Z.db"):
        store.backup(tmp_path / "backup" / name)
    store.close()
    spoil(tmp_path / "backup" / "aggregator-20260102T000000Z.db")
    return tmp_path


def spoil(path: Path) -> None:
    """Overwrites the middle of a file."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 60_000)


def item_count(store: Store) -> int:
    return store.stats().items


def header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"not a database")


@pytest.mark.parametrize(
    "damage", [spoil, header, lambda path: os.truncate(path, 5000)], ids=["middle", "header", "cut"]
)
def test_the_newest_good_copy_takes_the_place_of_a_damaged_store(
    backed_up: Path, damage: Callable[[Path], None]
) -> None:
    damage(backed_up / "aggregator.db")
    with pytest.raises(StoreDamaged):
        opened(backed_up)
    copy, aside = recover(URL, base=backed_up, backups=backed_up / "backup", now=NOW)
    assert copy.name == "aggregator-20260101T000000Z.db", "the newer one is damaged itself"
    assert aside is not None
    assert aside.exists()
    store = opened(backed_up)
    assert item_count(store) == 1
    store.close()


@pytest.mark.parametrize("emptied", [Path.unlink, lambda path: os.truncate(path, 0)], ids=["deleted", "emptied"])
def test_an_empty_store_is_not_taken_for_the_old_one(backed_up: Path, emptied: Callable[[Path], None]) -> None:
    emptied(backed_up / "aggregator.db")
    with pytest.raises(StoreDamaged, match=r"aggregator-20260102T000000Z\.db"):
        opened(backed_up)
    recover(URL, base=backed_up, backups=backed_up / "backup", now=NOW)
    store = opened(backed_up)
    assert item_count(store) == 1
    store.close()


def test_without_a_good_copy_a_person_has_to_act(backed_up: Path) -> None:
    for _, copy in list_copies(backed_up / "backup"):
        spoil(copy)
    spoil(backed_up / "aggregator.db")
    before = (backed_up / "aggregator.db").read_bytes()
    with pytest.raises(StoreUnusable, match="no copy that can be used"):
        recover(URL, base=backed_up, backups=backed_up / "backup", now=NOW)
    assert (backed_up / "aggregator.db").read_bytes() == before


def test_a_ping_tells_when_the_file_is_not_there_any_more(tmp_path: Path) -> None:
    store = opened(tmp_path)
    follow(store, A)
    poll(store, A, make_entry("1"))
    store.ping()
    (tmp_path / "aggregator.db").unlink()
    with pytest.raises(StoreDamaged, match="deleted"):
        store.ping()
    store.rescue()
    store.close()
    again = opened(tmp_path)
    assert item_count(again) == 1, "what the process had open is back"
    assert (tmp_path / "aggregator.db").stat().st_mode & 0o777 == 0o600
    again.close()


def test_a_ping_tells_when_another_file_has_taken_the_place(tmp_path: Path) -> None:
    store = opened(tmp_path)
    other = tmp_path / "other.db"
    other.write_bytes(b"something else")
    other.replace(tmp_path / "aggregator.db")
    with pytest.raises(StoreDamaged, match="replaced"):
        store.ping()
    store.close()


def test_damage_that_a_query_meets_is_told_by_the_next_ping(tmp_path: Path) -> None:
    store = opened(tmp_path)
    follow(store, A)
    for number in range(300):
        poll(store, A, make_entry(str(number)), at=NOW + number * HOUR)
    store.close()
    store = opened(tmp_path)
    spoil(tmp_path / "aggregator.db")
    with pytest.raises(StoreDamaged):
        store.backup(tmp_path / "copy.db")
    store.close()


def test_files_are_for_their_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        store = opened(tmp_path)
        follow(store, A)
        store.backup(tmp_path / "copy.db")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert len(modes) >= 5
    assert set(modes.values()) == {0o600}, modes


def test_a_process_that_polls_alone_frees_what_others_had_leased(tmp_path: Path) -> None:
    former = opened(tmp_path)
    assert former.enter("daemon", now=NOW) == 0
    follow(former, A, B)
    lease_of(former, A)
    other = opened(tmp_path)
    assert other.enter("daemon", now=NOW) == 1
    assert other.daemons() == former.daemons() == 1
    assert [lease.host for lease in other.claim(now=NOW, limit=5, lease=LEASE)] == ["b.example"]
    for store in (former, other):
        store.close()
    alone = opened(tmp_path)
    assert alone.enter("daemon", now=NOW) == 0
    assert len(alone.claim(now=NOW, limit=5, lease=LEASE)) == 2, "those who had leased them are gone"
    alone.close()


def test_a_killed_process_gives_its_seat_up(tmp_path: Path) -> None:
    code = (
        "import sys, time; from datetime import UTC, datetime; from pathlib import Path;"
        "from aggregator.store import open_store;"
        "store = open_store('sqlite:aggregator.db', base=Path(sys.argv[1]));"
        "store.enter('daemon', now=datetime.now(UTC)); print('in', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"in\n"
    store = opened(tmp_path)
    assert store.daemons() == 1
    process.kill()
    process.wait()
    process.stdout.close()
    assert store.daemons() == 0
    store.close()


def test_views_wait_in_memory_while_the_disk_is_full(tmp_path: Path) -> None:
    """Below a limit of the file size the kernel refuses as a full disk does."""
    import resource
    import signal

    database = tmp_path / "aggregator.db"
    log = view_log.ViewLog(database)
    records = [(number, 1, bytes([number % 251]) * 16) for number in range(200)]
    log.append(records[:50])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (database.with_name("aggregator.db.views").stat().st_size + 100, hard)
        )
        for record in records[50:]:
            log.append([record])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert log.read(None)[2] == records, "none lost, none twice"
    log.close()


def test_a_copy_is_counted_when_it_is_verified(backed_up: Path) -> None:
    assert verify_copy(backed_up / "backup" / "aggregator-20260101T000000Z.db") == 1
    with pytest.raises(StoreDamaged):
        verify_copy(backed_up / "backup" / "aggregator-20260102T000000Z.db")


def test_the_locks_of_sqlite_outlive_a_ping(tmp_path: Path) -> None:
    """POSIX locks end when any descriptor of the file is closed; a ping looks at the file."""
    store = opened(tmp_path)
    follow(store, A)
    store.ping()
    with sqlite3.connect(tmp_path / "aggregator.db", timeout=0) as other:
        other.execute("BEGIN IMMEDIATE")
        other.rollback()
    other.close()
    store.ping()
    poll(store, A, make_entry("1"), at=NOW + timedelta(hours=2))
    assert item_count(store) == 1
    store.close()
