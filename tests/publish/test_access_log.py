"""Views from access logs: what a line says, and counting each once whatever happens to the file."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publishing import NOON, sqlite_store

from aggregator.errors import StoreUnavailable
from aggregator.model import Scope, View
from aggregator.publish.access_log import Counted, count_log, parse_line, parse_time
from aggregator.store import Store

STEP = 20
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def line(
    path: str,
    *,
    address: str = "198.51.100.7",
    at: datetime = NOON,
    method: str = "GET",
    status: int = 200,
    agent: str = FIREFOX,
) -> str:
    stamp = f"{at:%d}/Nov/{at:%Y:%H:%M:%S} +0000"
    return f'{address} - - [{stamp}] "{method} {path} HTTP/1.1" {status} 5120 "-" "{agent}"\n'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = sqlite_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def ids(store: Store) -> list[str]:
    return [item.id for item in store.latest(Scope(), limit=10)]


def count(log: Path, store: object, tmp_path: Path, *, url: str = "https://example.org") -> Counted:
    now = NOON + timedelta(hours=1)
    return count_log(log, store, state_dir=tmp_path / "state", site_url=url, now=now, chunk_lines=STEP)  # type: ignore[arg-type]


def views(store: Store) -> dict[str, int]:
    return store.view_counts(since=NOON - timedelta(days=30), until=NOON + timedelta(days=1))


# --- lines --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("k1", line("/item/k1")),
        ("k1", line("/item/k1/")),
        ("k1", line("/item/k1/index.html?x=1")),
        ("k1", line("/item/k1.html", status=304)),
        ("k1", line("/go/k1", status=302)),
        ("k1", "www.example.org:443 " + line("/item/k1")),
        ("k1", '::1 - frank [23/Nov/2026:12:00:00 +0000] "GET /item/k1 HTTP/2.0" 200 -\n'),
        ("k1", line("/item/k1", agent=r"odd \"quoted\" agent")),
        (None, line("/item/k1", status=404)),
        (None, line("/item/k1", status=301)),
        (None, line("/item/k1/related.atom")),
        (None, line("/item/../etc")),
        (None, line("/")),
        (None, line("/feeds/latest.atom")),
    ],
)
def test_what_a_line_asks_for(expected: str | None, text: str) -> None:
    hit = parse_line(text)
    assert (hit.item_id if hit else None) == expected
    assert hit is None or hit.at == NOON


def test_a_site_below_the_root_of_its_host() -> None:
    assert parse_line(line("/news/item/k1"), base="/news")
    assert parse_line(line("/item/k1"), base="/news") is None


def test_times_are_read_with_their_offset_and_without_the_locale() -> None:
    assert parse_time("23/Nov/2026:14:00:00 +0200") == NOON
    assert parse_time("23/Nov/2026:07:30:00 -0430") == NOON
    for text in ("23/Nov/2026", "23/Foo/2026:14:00:00 +0200", "31/Feb/2026:14:00:00 +0000"):
        with pytest.raises(ValueError, match=r"."):
            parse_time(text)


@given(st.text(max_size=120))
def test_no_line_breaks_reading(text: str) -> None:
    try:
        parse_line(text)
    except ValueError:
        return


# --- counting -----------------------------------------------------------------


def test_readers_are_counted_once_a_day_and_programs_never(store: Store, ids: list[str], tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    yesterday = NOON - timedelta(days=1)
    log.write_text(
        line(f"/item/{ids[0]}")
        + line(f"/item/{ids[0]}/", at=NOON + timedelta(minutes=1))
        + line(f"/go/{ids[0]}", status=302)
        + line(f"/item/{ids[0]}", at=yesterday)
        + line(f"/item/{ids[0]}", address="198.51.100.8")
        + line(f"/item/{ids[1]}", agent="curl/8.5.0")
        + line(f"/item/{ids[1]}", method="HEAD")
        + line(f"/item/{ids[1]}", agent="-")
        + line("/feeds/latest.atom")
        + "nonsense\n"
    )
    counted = count(log, store, tmp_path)
    assert counted == Counted(
        lines=10,
        hits=8,
        views=3,
        unread=1,
        refused=counted.refused.__class__({"repeated": 2, "program": 2, "method": 1}),
    )
    assert views(store) == {ids[0]: 3}


def test_counting_again_counts_nothing(store: Store, ids: list[str], tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(line(f"/item/{ids[0]}"))
    assert count(log, store, tmp_path).views == 1
    assert count(log, store, tmp_path) == Counted()
    assert views(store) == {ids[0]: 1}


def test_a_log_may_grow_be_renamed_and_be_compressed(store: Store, ids: list[str], tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(line(f"/item/{ids[0]}") + line(f"/item/{ids[1]}")[:40])
    assert count(log, store, tmp_path).lines == 1
    whole = line(f"/item/{ids[0]}") + line(f"/item/{ids[1]}") + line(f"/item/{ids[0]}")
    log.write_text(whole)
    assert count(log, store, tmp_path).views == 1
    rotated = tmp_path / "access.log.1.gz"
    rotated.write_bytes(gzip.compress((whole + line(f"/item/{ids[2]}")).encode()))
    counted = count(rotated, store, tmp_path)
    assert (counted.lines, counted.views) == (1, 1)
    assert views(store) == {ids[0]: 1, ids[1]: 1, ids[2]: 1}


def test_an_empty_log_and_a_torn_first_line(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("")
    assert count(log, store, tmp_path) == Counted()
    log.write_text("198.51.100.7 - - [23/Nov")
    assert count(log, store, tmp_path) == Counted()


class Failing:
    """A store that fails at the n-th chunk, before or after it has counted."""

    def __init__(self, store: Store, *, at: int, after: bool) -> None:
        self._store, self._left, self._after = store, at, after

    def count_once(self, mark: str, views: list[View]) -> int:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise StoreUnavailable("locked")
        counted = self._store.count_once(mark, views)
        if self._left == 0:
            raise StoreUnavailable("the power went")
        return counted

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_interrupted_import_goes_on_without_loss_or_repetition(
    store: Store, ids: list[str], tmp_path: Path, at: int, after: bool
) -> None:
    log = tmp_path / "access.log"
    total = STEP * 2 + 10
    readers = [line(f"/item/{ids[n % 3]}", address=f"10.{n // 250}.{n % 250}.1") for n in range(total)]
    log.write_text("".join(readers))
    with pytest.raises(StoreUnavailable):
        count(log, Failing(store, at=at, after=after), tmp_path)
    log.write_text("".join([*readers, line(f"/item/{ids[0]}", address="203.0.113.1")]))
    count(log, store, tmp_path)
    assert sum(views(store).values()) == total + 1
    assert count(log, store, tmp_path).views == 0


def test_the_state_holds_no_address(store: Store, ids: list[str], tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(line(f"/item/{ids[0]}"))
    count(log, store, tmp_path)
    state = json.loads((tmp_path / "state" / "accesslogs.json").read_text())
    assert list(state.values()) == [{"done": 1}]
    assert (tmp_path / "state" / "accesslogs.json").stat().st_mode & 0o077 == 0
    assert store.visitors(datetime(2026, 11, 22, tzinfo=UTC)) == store.visitors(datetime(2026, 11, 23, tzinfo=UTC))
