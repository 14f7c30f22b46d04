"""What only the SQLite backend can promise: its file, its journal, its log of views, its death and its copies."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import sqlite_utils
from sqlite_utils.migrations import Migrations
from store_values import HOUR, NOW, A, B, follow, lease_of, make_entry, make_result, poll, source_id

from aggregator.errors import StoreError, StoreUnavailable, StoreUnusable
from aggregator.model import Scope, View
from aggregator.store import Store, open_store, restore
from aggregator.store.sql import change_triggers
from aggregator.store.sqlite import migrations
from aggregator.store.sqlite.connection import connect_writer
from aggregator.store.sqlite.migrations import m0001_initial
from aggregator.store.sqlite.view_log import HEADER_BYTES, RECORD_BYTES, ViewLog

URL = "sqlite:a.db"
LATER = NOW + HOUR
HERE = Path(__file__).parent


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The folder of a store with two items, closed."""
    store = open_store(URL, base=tmp_path)
    follow(store, A)
    poll(store, A, make_entry("1"), make_entry("2"))
    store.close()
    return tmp_path


def raw(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "a.db", isolation_level=None)


class TestOpening:
    def test_clean_close_leaves_one_file_of_data(self, filled: Path) -> None:
        assert sorted(path.name for path in filled.iterdir()) == ["a.db", "a.db.lock", "a.db.views"]

    @pytest.mark.parametrize("url", ["mysql://x", "sqlite:", "a.db"])
    def test_unknown_kind(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(StoreUnusable, match="only sqlite:PATH"):
            open_store(url, base=tmp_path)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(StoreUnusable, match="does not exist"):
            open_store(URL, base=tmp_path, create=False)
        with pytest.raises(StoreUnusable, match="not a directory"):
            open_store(URL, base=tmp_path / "nowhere")
        with pytest.raises(StoreUnusable, match="not a file"):
            open_store("sqlite:.", base=tmp_path)

    def test_somebody_elses(self, tmp_path: Path) -> None:
        with contextlib.closing(raw(tmp_path)) as other:
            other.execute("CREATE TABLE theirs(x)")
        with pytest.raises(StoreUnusable, match="another program"):
            open_store(URL, base=tmp_path)
        with contextlib.closing(raw(tmp_path)) as other:
            assert other.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (1,)

    def test_no_database_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "a.db").write_bytes(b"just text" * 1000)
        with pytest.raises(StoreUnusable, match=r"a\.db"):
            open_store(URL, base=tmp_path)

    def test_from_a_newer_version(self, filled: Path) -> None:
        with contextlib.closing(raw(filled)) as newer:
            newer.execute("PRAGMA user_version = 999")
        with pytest.raises(StoreUnusable, match=r"999.*upgrade"):
            open_store(URL, base=filled)

    def test_damaged(self, filled: Path) -> None:
        path = filled / "a.db"
        data = bytearray(path.read_bytes())
        data[8192 : len(data) // 2] = os.urandom(len(data) // 2 - 8192)
        path.write_bytes(data)
        with pytest.raises(StoreUnusable, match=r"damaged.*restore"):
            open_store(URL, base=filled)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")
    def test_not_permitted(self, filled: Path) -> None:
        (filled / "a.db").chmod(0o400)
        with pytest.raises(StoreUnusable, match=f"uid {os.geteuid()}"):
            open_store(URL, base=filled)

    def test_settings_of_the_file(self, filled: Path) -> None:
        with contextlib.closing(raw(filled)) as connection:
            pragmas = ("journal_mode", "application_id", "user_version", "auto_vacuum")
            values = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
            assert values == ["wal", migrations.APPLICATION_ID, migrations.SCHEMA, 2]
            tables = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
        loose = {name for name, sql in tables if "STRICT" not in sql and "search_index" not in name}
        assert loose == {"_sqlite_migrations"}

    def test_reading_never_writes(self, filled: Path) -> None:
        store = open_store(URL, base=filled)
        with pytest.raises(StoreUnavailable, match="readonly"):
            store._engine.read(lambda connection: connection.execute("DELETE FROM items"))  # type: ignore[attr-defined]
        store.close()

    def test_closed(self, filled: Path) -> None:
        store = open_store(URL, base=filled)
        store.close()
        store.close()
        for use in (store.generation, store.ping, store.fold_views, lambda: store.like("0" * 13, visitor=b"", now=NOW)):
            with pytest.raises(StoreUnavailable, match="closed"):
                use()


def schema_of(connection: sqlite3.Connection) -> dict[str, str]:
    """SQL of each table, index and trigger by name, but for the table in which sqlite-utils keeps its steps."""
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name <> '_sqlite_migrations'"
    )
    return dict(rows.fetchall())


class TestMigrations:
    def test_the_number_is_that_of_the_newest_step(self) -> None:
        database = sqlite_utils.Database(memory=True)
        assert len(migrations.steps.pending(database)) == migrations.SCHEMA
        database.close()

    def test_schema_sql_is_what_a_migrated_file_has(self, tmp_path: Path) -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as migrated:
            migrations.migrate(migrated, "a.db")
            found = schema_of(migrated)
        with contextlib.closing(sqlite3.connect(":memory:")) as expected:
            expected.executescript(Path(migrations.__file__).parents[1].joinpath("schema.sql").read_text("utf-8"))
            expected.executescript("\n".join(change_triggers.sqlite()))
            assert found == schema_of(expected)

    def test_an_older_file_gets_the_pending_steps_and_keeps_its_data(
        self, filled: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        steps = Migrations("aggregator")
        steps(name="0001_initial")(m0001_initial.apply)
        steps(name="0002_later")(lambda db: db.execute("ALTER TABLE sources ADD COLUMN later INTEGER"))
        monkeypatch.setattr(migrations, "steps", steps)
        monkeypatch.setattr(migrations, "SCHEMA", 2)
        store = open_store(URL, base=filled)
        assert store.stats().entries == 2
        store.close()
        with contextlib.closing(raw(filled)) as connection:
            assert connection.execute("SELECT later FROM sources").fetchall()
            assert connection.execute("PRAGMA user_version").fetchone() == (2,)

    def test_all_or_nothing(self, tmp_path: Path) -> None:
        connection = connect_writer(tmp_path / "a.db")
        connection.execute("CREATE TABLE readers(x)")  # the last step will stumble over it
        connection.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
        connection.close()
        with pytest.raises(StoreError):
            open_store(URL, base=tmp_path)
        with contextlib.closing(raw(tmp_path)) as after:
            assert after.execute("SELECT group_concat(name) FROM sqlite_schema").fetchone() == ("readers",)

    def test_two_processes_start_at_once(self, tmp_path: Path) -> None:
        code = "import sys; from pathlib import Path; from aggregator.store import open_store;"
        code += "open_store('sqlite:a.db', base=Path(sys.argv[1])).close()"
        starts = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
        assert [start.wait(400) for start in starts] == [0, 0, 0]


class TestErrors:
    def test_what_cannot_be_stored_is_refused_whole(self, filled: Path) -> None:
        store = open_store(URL, base=filled)
        with pytest.raises(StoreError):
            poll(store, A, make_entry("3"), make_entry("4", author="lone \ud800 surrogate"), at=LATER)
        assert store.stats().entries == 2
        store.close()

    def test_one_bad_write_does_not_harm_those_beside_it(self, filled: Path) -> None:
        store = open_store(URL, base=filled)
        results = Counter[bool]()

        def write(n: int) -> None:
            bad = n % 5 == 0
            try:
                store.add_reader("\ud800" if bad else f"r{n}", str(n), now=NOW)
                results[bad] += 1
            except StoreError:
                results[not bad] -= 1

        threads = [threading.Thread(target=write, args=(n,)) for n in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == {False: 32 - 8}
        assert len(store.readers()) == 32
        store.close()

    def test_another_process_that_holds_the_lock_is_waited_for(self, filled: Path) -> None:
        store = open_store(URL, base=filled)
        with contextlib.closing(
            sqlite3.connect(filled / "a.db", isolation_level=None, check_same_thread=False)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = threading.Thread(target=lambda: store.add_reader("late", "t", now=NOW))
            writing.start()
            assert len(store.latest(Scope(), limit=0)) == 2, "readers do not wait for the lock"
            assert not store.readers()
            other.execute("COMMIT")
            writing.join()
            assert [reader.name for reader in store.readers()] == ["late"]
        store.close()

    def test_a_full_disk_is_survived(self, filled: Path) -> None:
        store = open_store(URL, base=filled)
        writer = store._engine  # type: ignore[attr-defined]
        writer.write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone())
        with pytest.raises(StoreUnavailable, match="full"):
            poll(store, A, *(make_entry(f"x{n}", text="word " * 200) for n in range(600)), at=LATER)
        assert (store.stats().entries, len(store.latest(Scope(), limit=0))) == (2, 2)
        writer.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchone())
        taken = lease_of(store, A, at=NOW.replace(hour=20))
        assert store.complete(taken, make_result(source_id(store, A), [make_entry("3")])).new_entries == 1
        store.close()


class TestTwoProcesses:
    def test_both_see_what_the_other_wrote(self, filled: Path) -> None:
        one, two = open_store(URL, base=filled), open_store(URL, base=filled)
        before = one.generation()
        poll(two, A, make_entry("3"), at=LATER)
        assert (len(one.latest(Scope(), limit=0)), one.generation() > before) == (3, True)
        item = one.latest(Scope(), limit=1)[0]
        for n, store in enumerate((one, two, one)):
            store.record_views([View(item_id=item.id, at=NOW, visitor=bytes([n]))])
        assert (two.fold_views(), one.fold_views()) == (3, 0)
        one.close()
        two.close()


class TestViewLog:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "a.db.views"

    def test_a_half_written_record_is_cut_off(self, path: Path) -> None:
        log = ViewLog(path.with_suffix(""))
        log.append([(1, 2, b"a"), (3, 4, b"")])
        log.close()
        with path.open("ab") as file:
            file.write(b"half")
        again = ViewLog(path.with_suffix(""))
        assert again.read(None)[2] == [(1, 2, b"a"), (3, 4, b"")]
        again.append([(5, 6, b"c")])
        assert len(again.read(None)[2]) == 3
        again.close()

    def test_a_torn_record_is_left_out(self, path: Path) -> None:
        log = ViewLog(path.with_suffix(""))
        log.append([(1, 2, b"a"), (3, 4, b"b")])
        log.close()
        data = bytearray(path.read_bytes())
        data[HEADER_BYTES : HEADER_BYTES + RECORD_BYTES] = bytes(RECORD_BYTES)
        path.write_bytes(data)
        again = ViewLog(path.with_suffix(""))
        assert again.read(None)[2] == [(3, 4, b"b")]
        again.close()

    def test_an_unreadable_log_starts_again(self, path: Path) -> None:
        path.write_bytes(b"\0" * 500)
        log = ViewLog(path.with_suffix(""))
        log.append([(1, 2, b"a")])
        assert log.read(None)[2] == [(1, 2, b"a")]
        log.close()

    def test_emptying_gives_a_new_id_and_spares_what_came_meanwhile(self, path: Path) -> None:
        log = ViewLog(path.with_suffix(""))
        log.append([(1, 2, b"a")])
        log_id, end, _ = log.read(None)
        log.append([(3, 4, b"b")])
        log.empty(log_id, end)
        assert log.read((log_id, end))[2] == [(3, 4, b"b")]
        log_id, end, _ = log.read(None)
        log.empty(log_id, end)
        new_id, start, rest = log.read((log_id, end))
        assert (new_id != log_id, start, rest) == (True, HEADER_BYTES, [])
        log.close()

    def test_a_fold_that_died_before_emptying_counts_once(self, filled: Path) -> None:
        store = open_store(URL, base=filled)
        item = store.latest(Scope(), limit=1)[0]
        store.record_views([View(item_id=item.id, at=NOW, visitor=b"v")])
        store.fold_views()
        log = store._log  # type: ignore[attr-defined]
        log_id, end, _ = log.read(None)
        store._engine.write(lambda connection: connection.execute("DELETE FROM visitors"))  # type: ignore[attr-defined]
        assert store.fold_views() == 0
        log.empty(log_id, end)
        assert store.fold_views() == 0
        store.close()


class TestBackup:
    def test_while_others_write_and_back(self, filled: Path) -> None:
        store = open_store(URL, base=filled)
        stop = threading.Event()

        def write() -> None:
            n = 0
            while not stop.is_set():
                n += 1
                store.add_reader(f"r{n}", str(n), now=NOW)

        writer = threading.Thread(target=write)
        writer.start()
        for _ in range(3):
            store.backup(filled / "backup.db")
        stop.set()
        writer.join()
        wanted = store.latest(Scope(), limit=0)
        poll(store, A, make_entry("3"), at=LATER)
        with pytest.raises(StoreUnavailable, match="in use"):
            restore(URL, base=filled, backup=filled / "backup.db")
        store.close()
        restore(URL, base=filled, backup=filled / "backup.db")
        again = open_store(URL, base=filled)
        assert again.latest(Scope(), limit=0) == wanted
        assert poll(again, A, make_entry("3"), at=LATER).new_entries == 1
        again.close()
        assert (filled / "a.db.before-restore").exists()
        assert not list(filled.glob("*.tmp"))

    def test_restores_over_a_damaged_file(self, filled: Path) -> None:
        store = open_store(URL, base=filled)
        store.backup(filled / "backup.db")
        store.close()
        (filled / "a.db").write_bytes(b"SQLite format 3\0" + os.urandom(9000))
        restore(URL, base=filled, backup=filled / "backup.db")
        again = open_store(URL, base=filled)
        assert len(again.latest(Scope(), limit=0)) == 2
        again.close()

    def test_what_is_no_backup_changes_nothing(self, filled: Path) -> None:
        before = (filled / "a.db").read_bytes()
        (filled / "text").write_text("no database " * 500)
        with contextlib.closing(sqlite3.connect(filled / "other.db")) as other:
            other.execute("CREATE TABLE x(y)")
        for name in ("text", "other.db", "missing"):
            with pytest.raises(StoreUnusable):
                restore(URL, base=filled, backup=filled / name)
        assert (filled / "a.db").read_bytes() == before

    def test_a_place_that_cannot_be_written(self, filled: Path) -> None:
        store = open_store(URL, base=filled)
        with pytest.raises(StoreError, match="nowhere"):
            store.backup(filled / "nowhere" / "backup.db")
        store.close()


class Oracle:
    """What has been acknowledged by a process that may die; compared with what is in the store afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.views = self.likes = self.rounds = 0
        store = open_store(URL, base=folder)
        follow(store, A, B)
        store.close()

    def start(self, *before: str) -> subprocess.Popen[str]:
        """The victim, run by the command `before` it."""
        self.rounds += 1
        return subprocess.Popen(
            [*before, sys.executable, str(HERE / "store_victim.py"), str(self.folder), str(self.rounds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[1]}"},
        )

    def check(self, said: list[str]) -> None:
        """Opens what the victim has left, without any repair."""
        words = [line.split() for line in said if line.endswith("\n")]
        views = self.views + sum(word == ["view"] for word in words)
        likes = self.likes + sum(word == ["like"] for word in words)
        store = open_store(URL, base=self.folder)
        store.fold_views()
        _check_polls(store, [(word[1], word[2]) for word in words if word[0] == "poll"])
        stats = store.stats()
        assert views <= stats.views <= views + 1  # one may have been recorded and not yet acknowledged
        assert likes <= stats.likes <= likes + 1
        self.views, self.likes = stats.views, stats.likes
        store.close()


def _check_polls(store: Store, acknowledged: list[tuple[str, str]]) -> None:
    """Every acknowledged poll's five entries are there once, and validators never ran ahead of entries."""
    ids = [copy.entry_id for item in store.latest(Scope(), limit=0) for copy in item.copies]
    assert len(ids) == len(set(ids))
    assert len(ids) % 5 == 0
    for url, mark in acknowledged:
        assert {f"{url}:{mark}:{k}" for k in range(5)} <= set(ids)
    for lease in store.claim(now=NOW.replace(year=2030), limit=9, lease=timedelta(0), force=True):
        source = lease.sources[0]
        if source.validators.etag is not None:
            assert f"{source.subscription.url}:{source.validators.etag}:4" in set(ids)


def test_kill_9_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """Acknowledged polls, views and likes are there after every kill; nothing needs a repair."""
    oracle, dice = Oracle(tmp_path), random.Random(9)
    for _ in range(int(os.environ.get("KILLS", "6"))):
        victim = oracle.start()
        assert victim.stdout is not None
        said = [victim.stdout.readline()]
        threading.Timer(dice.uniform(0.0, 0.4), victim.kill).start()
        said += victim.communicate()[0].splitlines(keepends=True)
        oracle.check(said)


@pytest.mark.tool("strace")
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(
    "fault",
    [
        *(f"pwrite64:signal=SIGKILL:when={n}" for n in (1, 7, 40, 121)),
        *(f"fdatasync:signal=SIGKILL:when={n}" for n in (2, 9, 24)),
        "ftruncate:signal=SIGKILL:when=1",
        "pwrite64:error=ENOSPC:when=90..140",
        "fdatasync:error=EIO:when=20",
        "pwrite64:error=EIO:when=60",
    ],
)
def test_death_or_a_failing_disk_at_a_system_call(fault: str, tmp_path: Path) -> None:
    oracle = Oracle(tmp_path)
    for _ in range(2):
        victim = oracle.start(
            *("strace", "-f", "-qq", "-o", "/dev/null", f"-etrace={fault.partition(':')[0]}", f"-einject={fault}"),
        )
        said, complaint = victim.communicate(timeout=400)  # the fault ends it
        if "PTRACE" in complaint:
            pytest.skip("processes may not be traced here")
        oracle.check(said.splitlines(keepends=True))


def test_closing_does_not_wait_for_a_long_read(filled: Path) -> None:
    store = open_store(URL, base=filled)
    forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    errors = list[Exception]()

    def read() -> None:
        try:
            store._engine.read(lambda connection: connection.execute(forever).fetchone())  # type: ignore[attr-defined]
        except StoreUnavailable as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    store.close()
    reader.join()
    assert "interrupted" in str(errors[0])
