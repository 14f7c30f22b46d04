"""What is no store, or none that can be used: each is told with its place and what to do, and nothing of it changes."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from store_values import HOUR, NOW, A, follow, make_entry, poll

from aggregator.errors import StoreDamaged, StoreUnavailable, StoreUnusable
from aggregator.model import Scope
from aggregator.store import open_store, public_address, restore
from aggregator.store.postgres import store as postgres_store
from aggregator.store.sqlite import connection as sqlite_connection
from aggregator.store.sqlite import migrations

URL = "sqlite:news.db"
NOT_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a closed store of forty items."""
    store = open_store(URL, base=tmp_path)
    follow(store, A)
    poll(store, A, *(make_entry(f"n{number}", text="words " * 50) for number in range(40)))
    store.close()
    return tmp_path


def execute(statement: str) -> Callable[[Path], None]:
    """Has somebody change the store with SQLite's own tools."""

    def run(folder: Path) -> None:
        with contextlib.closing(sqlite3.connect(folder / "news.db", isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute(statement)

    return run


def write(data: bytes) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        (folder / "news.db").write_bytes(data)

    return run


def link(target: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        (folder / "news.db").unlink()
        (folder / "news.db").symlink_to(target)

    return run


def make_folder(name: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()

    return run


def mode(name: str, bits: int) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        (folder / name).touch()
        (folder / name).chmod(bits)

    return run


def pack(folder: Path) -> None:
    (folder / "news.db").write_bytes(gzip.compress((folder / "news.db").read_bytes()))


def cut(size: int) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / "news.db", size)


FILES = {
    "a folder": (make_folder("news.db"), StoreUnusable, r"news\.db is not a file: set \[store\] url"),
    "a link to itself": (link("news.db"), StoreUnusable, r"news\.db cannot be opened \(a symbolic link that leads"),
    "a link to a disk that is away": (link("/nowhere/x.db"), StoreUnusable, r"to /nowhere/x\.db.*is its disk mounted"),
    "a device": (link("/dev/null"), StoreUnusable, "/dev/null is not a file"),
    "zeros": (write(bytes(12_288)), StoreDamaged, r"news\.db is no SQLite file, it begins with zeros"),
    "a text": (write(b"# my notes\n" * 900), StoreDamaged, r"news\.db is no SQLite file: restore a backup, or set"),
    "a packed store": (pack, StoreDamaged, r"news\.db is no SQLite file, it is gzip: unpack it first"),
    "cut inside the header": (cut(90), StoreDamaged, r"news\.db is damaged.*restore a backup"),
    "cut at a page": (cut(16_384), StoreDamaged, r"news\.db is damaged.*restore a backup"),
    "without a table": (execute("DROP TABLE bodies"), StoreDamaged, r"news\.db lacks the table bodies.*restore"),
    "without the words": (execute("DROP TABLE search_index"), StoreDamaged, "lacks the table search_index"),
    "with a column renamed": (
        execute("ALTER TABLE items RENAME COLUMN likes TO hearts"),
        StoreDamaged,
        r"lacks the column items\.likes",
    ),
    "of a newer version": (execute("PRAGMA user_version = 40"), StoreUnusable, r"schema 40, .*upgrade aggregator"),
    "of another program": (execute("PRAGMA application_id = 252006673"), StoreUnusable, "another program; set"),
    "a folder for the lock": (make_folder("news.db.lock"), StoreUnusable, r"news\.db\.lock cannot be opened by uid"),
    "a folder for views": (make_folder("news.db.views"), StoreUnusable, r"news\.db\.views cannot be opened by uid"),
    "a folder for the journal": (make_folder("news.db-wal"), StoreUnusable, r"news\.db-wal cannot be read and written"),
    "a folder for its index": (make_folder("news.db-shm"), StoreUnusable, r"news\.db-shm cannot be read and written"),
}
MODES = {
    "read-only": ("news.db", 0o400),
    "journal of another user": ("news.db-wal", 0o000),
    "index of the journal of another user": ("news.db-shm", 0o000),
    "lock of another user": ("news.db.lock", 0o000),
    "views of another user": ("news.db.views", 0o000),
}


def content(path: Path) -> object:
    """What is at a path, for comparing: bytes, or what is left of a store of ours."""
    if path.is_symlink():
        return path.readlink()
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as connection:
        if connection.execute("PRAGMA application_id").fetchone() == (migrations.APPLICATION_ID,):
            return connection.execute("SELECT * FROM entries JOIN items ON items.id = item_id").fetchall()
    return hashlib.sha256(path.read_bytes()).digest() if path.is_file() else "folder"


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_store_is_refused_and_left_alone(name: str, folder: Path) -> None:
    spoil, kind, words = FILES[name]
    spoil(folder)
    before = content(folder / "news.db")
    for _ in range(2):  # neither attempt leaves something behind that the next one stumbles over
        with pytest.raises(kind, match=words):
            open_store(URL, base=folder)
    assert content(folder / "news.db") == before


@NOT_ROOT
@pytest.mark.parametrize("name", MODES)
def test_a_file_of_somebody_else_is_named(name: str, folder: Path) -> None:
    file, bits = MODES[name]
    mode(file, bits)(folder)
    with pytest.raises(StoreUnusable, match=rf"{file.replace('.', '[.]')} cannot be .* by uid .*mode"):
        open_store(URL, base=folder)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://server/news.db", "names a host"),
        ("sqlite::memory:", "no path of a file"),
        ("sqlite:news.db?mode=ro", "no path of a file"),
        ("sqlite:ne\0ws.db", "no path of a file"),
        (f"sqlite:{'n' * 300}.db", "too long.*set"),
        ("postgresql+asyncpg://x/y", "postgresql://user@host/database"),
    ],
)
def test_an_address_that_is_none(url: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match=words):
        open_store(url, base=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        execute("DROP INDEX items_latest"),
        execute("DROP TRIGGER changes_item"),
        execute("DELETE FROM counters"),
        execute("CREATE INDEX mine ON items(likes)"),
        execute("PRAGMA journal_mode = DELETE"),
        lambda folder: (folder / "news.db-wal").write_bytes(b"\x37\x7f\x06\x82" + os.urandom(9_000)),
        lambda folder: (folder / "news.db-shm").write_bytes(os.urandom(9_000)),
        lambda folder: (folder / "news.db.lock").unlink(),
        lambda folder: (folder / "news.db.views").write_bytes(b"nonsense"),
    ],
    ids=["index", "trigger", "counters", "more", "journal", "wal", "shm", "no lock", "views"],
)
def test_what_can_be_made_anew_is(spoil: Callable[[Path], None], folder: Path) -> None:
    spoil(folder)
    store = open_store(URL, base=folder)
    poll(store, A, make_entry("later"), at=NOW + HOUR)
    assert len(store.latest(Scope(), limit=0)) == store.stats().items == 41
    store.close()
    with contextlib.closing(sqlite3.connect(folder / "news.db")) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    assert {"items_latest", "changes_item"} <= names


def test_two_names_are_one_store(folder: Path) -> None:
    """A link beside the store, as a path that was moved leaves one: one lock, one journal, one log of views."""
    (folder / "old.db").symlink_to("news.db")
    one, other = open_store(URL, base=folder), open_store("sqlite:old.db", base=folder)
    one.enter("daemon", now=NOW)
    assert other.daemons() == 1
    assert other.stats().items == 40
    one.backup(folder / "copy.db")
    with pytest.raises(StoreUnavailable, match=r"news\.db is in use"):
        restore("sqlite:old.db", base=folder, backup=folder / "copy.db")
    for store in (one, other):
        store.close()
    assert not list(folder.glob("old.db?*"))
    restore("sqlite:old.db", base=folder, backup=folder / "copy.db")
    assert (folder / "old.db").is_symlink()


def test_another_program_that_holds_the_file_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_connection, "BUSY_S", 0.05)
    with contextlib.closing(sqlite3.connect(folder / "news.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match=r"news\.db: database is locked: another program.*close"):
            open_store(URL, base=folder)
    open_store(URL, base=folder).close()


def test_an_opening_that_fails_holds_nothing_open(folder: Path) -> None:
    execute("DROP TABLE likes")(folder)

    def held() -> set[str]:
        return {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}

    with pytest.raises(StoreDamaged) as caught:
        open_store(URL, base=folder)
    assert caught.tb is not None, "and with it all that was open on the way"
    assert not [path for path in held() if path.startswith(str(folder))]


@pytest.fixture
def database(postgres_url: str) -> Iterator[Callable[..., str]]:
    """Makes databases with the statements that spoil them; `{db}` is the database. Gives its address."""
    made: list[str] = []

    def make(*statements: str, options: str = "", user: str | None = None) -> str:
        name = f"spoilt{len(made)}"
        made.append(name)
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {options}".encode())
        address = make_conninfo(postgres_url, dbname=name)
        url = as_url(address)
        if not options:
            open_store(url, base=Path("/")).close()
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.format(db=name).encode())
        return as_url(address, user=user)

    yield make
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        connection.execute("DROP ROLE IF EXISTS stranger")


def as_url(address: str, **changed: str | None) -> str:
    parts = {**conninfo_to_dict(address), **{name: value for name, value in changed.items() if value}}
    return f"postgresql:///{parts['dbname']}?host={parts['host']}&user={parts['user']}"


EMPTY = "TEMPLATE template0"
DATABASES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "no encoding": ((), f"{EMPTY} ENCODING 'SQL_ASCII'", "encoded in SQL_ASCII.*createdb .*UTF8"),
    "a small encoding": ((), f"{EMPTY} ENCODING 'LATIN2'", "encoded in LATIN2"),
    "read-only": (("ALTER DATABASE {db} SET default_transaction_read_only = on",), "", "read-only for this user"),
    "of a newer version": (("UPDATE aggregator.counters SET value = 9 WHERE name = 'schema'",), "", "schema 9, .*upgr"),
    "without its version": (("DELETE FROM aggregator.counters",), "", "lost the version.*restore a backup"),
    "without a table": (("DROP TABLE aggregator.likes",), "", r"lacks likes\.\w+: restore a backup"),
    "with a column renamed": (("ALTER TABLE aggregator.items RENAME likes TO hearts",), "", r"lacks items\.likes"),
    "of another program": (
        ("CREATE SCHEMA aggregator", "CREATE TABLE aggregator.counters(x int)"),
        EMPTY,
        "another program's: create a database",
    ),
}


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_that_cannot_be_used(name: str, database: Callable[..., str], tmp_path: Path) -> None:
    statements, options, words = DATABASES[name]
    locale = " LC_COLLATE 'C' LC_CTYPE 'C'" if options else ""
    with pytest.raises(StoreUnusable, match=words):
        open_store(database(*statements, options=options + locale), base=tmp_path)


def test_a_user_who_may_not_create_or_write(database: Callable[..., str], tmp_path: Path) -> None:
    role = "CREATE ROLE stranger LOGIN"
    with pytest.raises(StoreUnusable, match=r"may not create tables there.*GRANT CREATE"):
        open_store(database(role, options=EMPTY, user="stranger"), base=tmp_path)
    reads = (
        "GRANT USAGE ON SCHEMA aggregator TO stranger",
        "GRANT SELECT ON ALL TABLES IN SCHEMA aggregator TO stranger",
    )
    with pytest.raises(StoreUnusable, match=r"may not write table address_slots.*GRANT ALL"):
        open_store(database(*reads, user="stranger"), base=tmp_path)


def test_settings_of_a_database_do_not_matter(database: Callable[..., str], tmp_path: Path) -> None:
    """A search path, a time zone, dates, an encoding of the client's: the store has its own."""
    url = database(
        "ALTER DATABASE {db} SET search_path = 'pg_catalog'",
        "ALTER DATABASE {db} SET TimeZone = 'Asia/Kathmandu'",
        "ALTER DATABASE {db} SET DateStyle = 'German'",
        "ALTER DATABASE {db} SET bytea_output = 'escape'",
        "ALTER DATABASE {db} SET client_encoding = 'LATIN1'",
        "ALTER DATABASE {db} SET default_transaction_isolation = 'serializable'",
    )
    store = open_store(f"{url}&client_encoding=LATIN1&options=-csearch_path%3Dother", base=tmp_path)
    follow(store, A)
    poll(store, A, make_entry("1", title="日本語 \U0001f600"))
    (item,) = store.latest(Scope(), limit=3)
    assert item.title == "日本語 \U0001f600"
    assert [found.id for found in store.search("日本", limit=3)] == [item.id]
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hidden@127.0.0.1:1/news?connect_timeout=2",
        "postgresql:///news?host=/nowhere&user=me&password=hidden",
        "postgresql://me:hidden@127.0.0.1/news?nonsense=1",
        "postgresql://me:hidden@127.0.0.1:port/news",
    ],
)
def test_a_server_that_is_not_there_and_no_password_in_the_message(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match=r"cannot open .*check \[store\] url") as caught:
        open_store(url, base=tmp_path)
    assert "hidden" not in str(caught.value)
    assert "hidden" not in public_address(url)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_too_old(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_store, "MIN_VERSION", 990000)
    with pytest.raises(StoreUnusable, match=r"PostgreSQL \d+ is too old"):
        open_store(postgres_url, base=tmp_path)
