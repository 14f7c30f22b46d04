"""Who counts, and once: the table of what is a view, and counting over a real store."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publishing import NOON, sqlite_store

from aggregator.errors import NotFound, StoreUnavailable
from aggregator.model import Scope, View
from aggregator.publish.audience import Audience, Ceilings, ItemRequest, LikeAnswer, refusal
from aggregator.publish.audience.visitors import (
    KeyRing,
    Ledger,
    Proxies,
    host_prefix,
    network_prefix,
    new_visitor,
    parse_address,
    read_cookie,
    visitor_hash,
    write_cookie,
)
from aggregator.store import Store, open_store

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NAVIGATION = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}
#: what the browsers of people send
PEOPLE = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-language": "en-US,en;q=0.5",
}
SITE_URL = "http://127.0.0.1:8080"


def opened(peer: str = "198.51.100.7", *, method: str = "GET", agent: str = FIREFOX, **headers: str) -> ItemRequest:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return ItemRequest(method=method, peer=peer, headers={"user-agent": agent, **PEOPLE, **sent})


# --- what counts --------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "facts"),
    [
        (None, opened()),
        (None, opened(**NAVIGATION)),
        (None, opened(accept="text/html,application/xhtml+xml,*/*;q=0.8")),
        (None, opened(agent="Links (2.29; Linux 6.1 x86_64; GNU C 12.2; text)", accept="*/*")),
        (None, opened(agent="ELinks/0.16 (textmode; Linux; 80x24-2)", accept="*/*")),
        ("sub-resource", opened(accept="*/*")),
        ("sub-resource", opened(accept="")),
        ("program", opened(accept_language="")),
        (None, opened(agent="Mozilla/5.0 (Linux; Android 8.1.0; CUBOT X18) AppleWebKit/537.36 Chrome/120 Mobile")),
        (None, opened(agent="Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile Safari/604.1")),
        (None, opened(agent="w3m/0.5.3+git20230121")),
        (None, opened(agent="Lynx/2.9.0dev.12 libwww-FM/2.14 SSL-MM/1.4.1")),
        (None, opened(agent="Mozilla/5.0 YaBrowser/24.1 Yowser/2.5 Safari/537.36")),
        ("method", opened(method="HEAD")),
        ("method", opened(method="POST")),
        ("method", opened(method="OPTIONS")),
        ("program", opened(agent="")),
        ("program", opened(agent="Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")),
        ("program", opened(agent="Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)")),
        ("program", opened(agent="Mozilla/5.0 (compatible; YandexBot/3.0)")),
        ("program", opened(agent="Mozilla/5.0 (Windows NT 10.0) HeadlessChrome/120.0 Safari/537.36")),
        ("program", opened(agent="facebookexternalhit/1.1")),
        ("program", opened(agent="Slackbot-LinkExpanding 1.0")),
        ("program", opened(agent="WhatsApp/2.23 A")),
        ("program", opened(agent="curl/8.5.0")),
        ("program", opened(agent="Wget/1.21")),
        ("program", opened(agent="python-requests/2.31")),
        ("program", opened(agent="Python/3.11 aiohttp/3.14")),
        ("program", opened(agent="Go-http-client/2.0")),
        ("program", opened(agent="newsboat/2.30 (Linux x86_64)")),
        ("program", opened(agent="Feedly/1.0 (+http://www.feedly.com/fetcher.html)")),
        ("program", opened(agent="Miniflux/2.2")),
        ("program", opened(agent="GPTBot/1.2")),
        ("program", opened(agent="UptimeRobot/2.0")),
        ("prefetch", opened(purpose="prefetch")),
        ("prefetch", opened(sec_purpose="prefetch;prerender", **NAVIGATION)),
        ("prefetch", opened(sec_purpose="prefetch")),
        ("prefetch", opened(x_purpose="preview")),
        ("prefetch", opened(purpose="Preview")),
        ("prefetch", opened(x_moz="prefetch")),
        ("sub-resource", opened(sec_fetch_dest="image", sec_fetch_mode="no-cors")),
        ("sub-resource", opened(sec_fetch_dest="iframe", sec_fetch_mode="navigate")),
        ("sub-resource", opened(sec_fetch_dest="empty", sec_fetch_mode="cors")),
        ("sub-resource", opened(sec_fetch_dest="script")),
        ("sub-resource", opened(sec_fetch_dest="style")),
        ("sub-resource", opened(accept="image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5")),
        ("sub-resource", opened(accept="text/css,*/*;q=0.1")),
    ],
)
def test_what_is_a_view(expected: str | None, facts: ItemRequest) -> None:
    assert refusal(facts) == expected


# --- whose request it is ------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "trusted", "peer", "forwarded"),
    [
        ("198.51.100.7", [], "198.51.100.7", "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.7"], "198.51.100.7", "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.0/24"], "198.51.100.7", "1.1.1.1, 203.0.113.9"),
        ("203.0.113.9", ["10.0.0.0/8"], "10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2"),
        ("203.0.113.9", ["10.0.0.0/8"], "::ffff:10.0.0.1", "203.0.113.9:4711"),
        ("2001:db8::1", ["::1"], "::1", "[2001:db8::1]:4711"),
        ("10.0.0.1", ["10.0.0.1"], "10.0.0.1", "nonsense"),
        ("10.0.0.1", ["10.0.0.1"], "10.0.0.1", ""),
    ],
)
def test_only_trusted_proxies_are_believed(expected: str, trusted: list[str], peer: str, forwarded: str) -> None:
    assert str(Proxies(trusted).client(peer, forwarded)) == expected


def test_a_proxy_that_is_no_address_is_named() -> None:
    with pytest.raises(ValueError, match=r"proxy\.example"):
        Proxies(["proxy.example"])


def test_one_household_of_ipv6_is_one_address() -> None:
    first, second = parse_address("2001:db8:1:2::aaaa"), parse_address("2001:db8:1:2:ffff::1")
    assert host_prefix(first) == host_prefix(second) == bytes.fromhex("20010db800010002")
    assert network_prefix(first) == bytes.fromhex("20010db80001")
    assert host_prefix(parse_address("198.51.100.7")) == bytes([198, 51, 100, 7])
    assert network_prefix(parse_address("198.51.100.7")) == bytes([198, 51, 100])
    assert host_prefix(None) == b""


@given(st.text(max_size=60))
def test_no_text_breaks_reading_an_address(text: str) -> None:
    Proxies(["0.0.0.0/0", "::/0"]).client(text, text)


# --- views --------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = sqlite_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def ids(store: Store) -> list[str]:
    return [item.id for item in store.latest(Scope(), limit=10)]


def make(store: Store, tmp_path: Path, **changes: object) -> Audience:
    return Audience(store, state_dir=tmp_path / "state", site_url=SITE_URL, **changes)  # type: ignore[arg-type]


def counts(store: Store, now: datetime = NOON) -> dict[str, int]:
    store.fold_views()
    return store.view_counts(since=now - timedelta(days=3), until=now + timedelta(days=3))


def test_one_view_per_reader_item_and_day(store: Store, ids: list[str], tmp_path: Path) -> None:
    audience = make(store, tmp_path)
    assert audience.view(opened(), ids[0], now=NOON)
    assert not audience.view(opened(), ids[0], now=NOON + timedelta(hours=5))
    assert audience.view(opened(), ids[1], now=NOON)
    assert audience.view(opened(agent=FIREFOX + " x"), ids[0], now=NOON)
    assert audience.view(opened("198.51.100.8"), ids[0], now=NOON)
    assert not audience.view(opened(method="HEAD"), ids[2], now=NOON)
    assert counts(store) == {ids[0]: 3, ids[1]: 1}
    assert audience.view(opened(), ids[0], now=NOON + timedelta(days=1))
    assert counts(store) == {ids[0]: 4, ids[1]: 1}


def test_ipv6_addresses_of_one_household_are_one_reader(store: Store, ids: list[str], tmp_path: Path) -> None:
    audience = make(store, tmp_path)
    assert audience.view(opened("2001:db8::1"), ids[0], now=NOON)
    assert not audience.view(opened("2001:db8::2"), ids[0], now=NOON)
    assert audience.view(opened("2001:db8:0:1::1"), ids[0], now=NOON)


def test_a_restart_counts_nobody_twice(store: Store, ids: list[str], tmp_path: Path) -> None:
    assert make(store, tmp_path).view(opened(), ids[0], now=NOON)
    restarted = make(store, tmp_path)
    restarted.start(now=NOON)
    assert not restarted.view(opened(), ids[0], now=NOON + timedelta(minutes=1))
    store.fold_views()
    assert not make(store, tmp_path).view(opened(), ids[0], now=NOON + timedelta(minutes=2))
    assert counts(store) == {ids[0]: 1}


def test_readers_behind_a_trusted_proxy_are_told_apart(store: Store, ids: list[str], tmp_path: Path) -> None:
    audience = make(store, tmp_path, trusted_proxies=["10.0.0.1"])
    assert audience.view(opened("10.0.0.1", x_forwarded_for="203.0.113.1"), ids[0], now=NOON)
    assert audience.view(opened("10.0.0.1", x_forwarded_for="203.0.113.2"), ids[0], now=NOON)
    assert not audience.view(opened("10.0.0.1", x_forwarded_for="9.9.9.9, 203.0.113.2"), ids[0], now=NOON)
    assert audience.view(opened("10.0.0.2", x_forwarded_for="203.0.113.3"), ids[0], now=NOON)
    assert not audience.view(opened("10.0.0.2", x_forwarded_for="203.0.113.4"), ids[0], now=NOON)


def test_one_address_gives_only_so_many_views_even_over_a_restart(store: Store, ids: list[str], tmp_path: Path) -> None:
    ceilings = Ceilings(per_host=5, per_network=8)
    audience = make(store, tmp_path, view_ceilings=ceilings)
    assert sum(audience.view(opened(agent=f"{FIREFOX} {n}"), ids[0], now=NOON) for n in range(20)) == 5
    audience = make(store, tmp_path, view_ceilings=ceilings)
    assert not audience.view(opened(agent="another"), ids[0], now=NOON)
    others = [opened(f"198.51.100.{n}") for n in range(20, 40)]
    assert sum(audience.view(facts, ids[0], now=NOON) for facts in others) == 3
    assert audience.view(opened("203.0.113.1"), ids[0], now=NOON)
    assert counts(store) == {ids[0]: 9}


class Full:
    """A store on a disk that takes no more."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.full = True

    def record_views(self, views: list[View]) -> None:
        if self.full:
            raise StoreUnavailable("the disk is full")
        self._store.record_views(views)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def test_a_view_that_cannot_be_recorded_costs_no_page_and_may_come_again(
    store: Store, ids: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    full = Full(store)
    audience = make(full, tmp_path)  # type: ignore[arg-type]
    assert not audience.view(opened(), ids[0], now=NOON)
    assert "the disk is full" in caplog.text
    full.full = False
    assert audience.view(opened(), ids[0], now=NOON)


def test_a_burst_is_counted_to_the_last(store: Store, ids: list[str], tmp_path: Path) -> None:
    audience = make(store, tmp_path)
    audience.start(now=NOON)
    for n in range(2000):
        assert audience.view(opened(f"10.{n // 250}.{n % 250}.1"), ids[n % 5], now=NOON)
    assert sum(counts(store).values()) == 2000


# --- midnight -----------------------------------------------------------------


def test_the_days_secrets_are_private_and_destroyed_at_midnight(store: Store, ids: list[str], tmp_path: Path) -> None:
    audience = make(store, tmp_path)
    audience.view(opened(), ids[0], now=NOON)
    audience.like(liking(), ids[0], now=NOON)
    files = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert files == ["visitors-2026-11-23.key"]
    assert len(store.minted("likes/2026-11-23/", limit=0)) == 1
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (tmp_path / "state").iterdir())
    key = (tmp_path / "state" / "visitors-2026-11-23.key").read_bytes()
    tomorrow = NOON + timedelta(days=1)
    audience.roll(now=tomorrow)
    files = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert files == ["visitors-2026-11-24.key"]
    assert (tmp_path / "state" / "visitors-2026-11-24.key").read_bytes() != key
    assert store.visitors(NOON - timedelta(days=9)) == set()
    assert store.minted("likes/", limit=0) == []
    assert counts(store) == {ids[0]: 1}


def test_servers_on_one_store_share_the_days_key_and_destroy_it_at_midnight(
    store: Store, ids: list[str], tmp_path: Path
) -> None:
    one, other = make(store, tmp_path, has_others=True), make(store, tmp_path, has_others=True)
    assert one.view(opened(), ids[0], now=NOON)
    assert one.like(liking(), ids[0], now=NOON).counted
    other.view(opened(), ids[0], now=NOON)
    assert not other.like(liking(), ids[0], now=NOON).counted
    assert counts(store) == {ids[0]: 1}
    tomorrow = NOON + timedelta(days=1)
    one.roll(now=tomorrow)
    other.roll(now=NOON)  # a clock that is behind destroys no key that is needed
    assert {name for name, _ in store.minted("visitors/key/", limit=0)} >= {"visitors/key/2026-11-24"}
    assert not any("2026-11-23" in name for name, _ in store.minted("likes/", limit=0))
    one.roll(now=tomorrow)
    assert [name for name, _ in store.minted("visitors/key/", limit=0)][-1] == "visitors/key/2026-11-24"
    assert list((tmp_path / "state").glob("*")) == []
    assert one.view(opened(), ids[0], now=tomorrow)
    other.view(opened(), ids[0], now=tomorrow)
    assert counts(store) == {ids[0]: 2}


def test_rolling_within_the_day_forgets_nobody(store: Store, ids: list[str], tmp_path: Path) -> None:
    audience = make(store, tmp_path)
    audience.view(opened(), ids[0], now=NOON)
    audience.roll(now=NOON + timedelta(hours=1))
    assert not audience.view(opened(), ids[0], now=NOON + timedelta(hours=2))


def test_a_visitor_of_one_item_or_day_is_nobody_elsewhere(tmp_path: Path) -> None:
    keys = KeyRing(tmp_path)
    address = parse_address("198.51.100.7")
    key = keys.of_day(NOON.date())
    assert keys.of_day(NOON.date()) == key
    here = visitor_hash(key, address=address, user_agent="a", item_id="x")
    elsewhere = visitor_hash(key, address=address, user_agent="a", item_id="y")
    assert len(here) == 16
    assert not {here[:8], here[8:12], here[12:]} & {elsewhere[:8], elsewhere[8:12], elsewhere[12:]}
    assert keys.of_day(datetime(2026, 11, 24, tzinfo=UTC).date()) != key


def test_a_damaged_key_is_made_anew(tmp_path: Path) -> None:
    keys = KeyRing(tmp_path)
    path = keys.day_file(NOON.date(), "key")
    path.write_bytes(b"short")
    assert len(keys.of_day(NOON.date())) == 32
    assert keys.of_day(NOON.date()) == path.read_bytes()
    assert [entry.name for entry in os.scandir(tmp_path)] == [path.name]


def test_a_ledger_takes_back_what_could_not_be_recorded() -> None:
    ledger = Ledger(Ceilings(per_host=1, per_network=1))
    ledger.add(b"v" * 16)
    assert ledger.seen(b"v" * 16)
    assert ledger.full(b"v" * 16)
    ledger.remove(b"v" * 16)
    assert not ledger.seen(b"v" * 16)
    assert not ledger.full(b"v" * 16)


# --- likes --------------------------------------------------------------------


def liking(peer: str = "198.51.100.7", *, agent: str = FIREFOX, **headers: str) -> ItemRequest:
    return opened(peer, method="POST", agent=agent, **{"sec_fetch_site": "same-origin", "origin": SITE_URL, **headers})


def cookie_of(answer: LikeAnswer) -> str:
    assert answer.set_cookie is not None
    return answer.set_cookie.partition(";")[0]


def test_a_like_counts_once_and_leaves_a_signed_cookie(store: Store, ids: list[str], tmp_path: Path) -> None:
    audience = make(store, tmp_path)
    answer = audience.like(liking(), ids[0], now=NOON)
    assert answer.counted
    assert answer.set_cookie is not None
    assert "; HttpOnly; SameSite=Strict" in answer.set_cookie
    assert "; Path=/;" in answer.set_cookie
    assert "Secure" not in answer.set_cookie
    cookie = cookie_of(answer)
    again = audience.like(liking(cookie=cookie, origin=SITE_URL), ids[0], now=NOON + timedelta(days=30))
    assert again == LikeAnswer(counted=False)
    other = audience.like(liking(cookie=f"a=b; {cookie}", origin=SITE_URL), ids[1], now=NOON)
    assert other == LikeAnswer(counted=True)
    assert [item.likes for item in store.items(ids[:2])] == [1, 1]


def test_a_browser_that_keeps_no_cookies_likes_once_a_day(store: Store, ids: list[str], tmp_path: Path) -> None:
    assert make(store, tmp_path).like(liking(), ids[0], now=NOON).counted
    assert make(store, tmp_path).like(liking(), ids[0], now=NOON) == LikeAnswer(counted=False)
    assert store.items(ids[:1])[0].likes == 1


def test_two_readers_behind_one_address_can_both_like(store: Store, ids: list[str], tmp_path: Path) -> None:
    audience = make(store, tmp_path)
    assert audience.like(liking(), ids[0], now=NOON).counted
    assert audience.like(liking(agent="Mozilla/5.0 (iPhone) Safari/604.1"), ids[0], now=NOON).counted


def test_a_forged_cookie_is_nobodys(store: Store, ids: list[str], tmp_path: Path) -> None:
    audience = make(store, tmp_path)
    forged = write_cookie(b"k" * 32, new_visitor(), site_url=SITE_URL).partition(";")[0]
    answer = audience.like(liking(cookie=forged, sec_fetch_site="same-origin"), ids[0], now=NOON)
    assert answer.counted
    assert cookie_of(answer) != forged


def test_stuffing_from_one_network_is_capped_even_with_honest_cookies(
    store: Store, ids: list[str], tmp_path: Path
) -> None:
    audience = make(store, tmp_path, like_ceilings=Ceilings(per_host=3, per_network=4))
    cookies = [cookie_of(audience.like(liking(f"203.0.{n}.1"), ids[1], now=NOON)) for n in range(8)]
    tries = [liking(cookie=cookie, sec_fetch_site="same-origin", agent=f"x{n}") for n, cookie in enumerate(cookies)]
    answers = [audience.like(facts, ids[0], now=NOON) for facts in tries]
    assert [answer.counted for answer in answers] == [True] * 3 + [False] * 5
    assert answers[-1].refused == 429
    restarted = make(store, tmp_path, like_ceilings=Ceilings(per_host=3, per_network=4))
    assert restarted.like(liking(agent="fresh"), ids[0], now=NOON).refused == 429


@pytest.mark.parametrize(
    ("allowed", "headers"),
    [
        (True, {"sec_fetch_site": "same-origin", "origin": SITE_URL}),
        (False, {"sec_fetch_site": "same-origin"}),
        (False, {"sec_fetch_site": "same-origin", "origin": "http://evil.example", "host": "evil.example"}),
        (False, {"origin": SITE_URL.replace("http:", "https:")}),
        (False, {"origin": SITE_URL.replace(":8080", "")}),
        (False, {"sec_fetch_site": "same-site", "origin": SITE_URL}),
        (False, {"sec_fetch_site": "cross-site", "origin": SITE_URL}),
        (False, {"sec_fetch_site": "none"}),
        (True, {"origin": SITE_URL}),
        (False, {"origin": "http://evil.example", "host": "evil.example"}),
        (False, {"origin": "https://evil.example", "host": "127.0.0.1:8080"}),
        (False, {"origin": "null"}),
        (True, {"referer": f"{SITE_URL}/item/x"}),
        (False, {"referer": "http://127.0.0.1:8080.evil.example/"}),
        (False, {"origin": "http://[", "host": ""}),
        (False, {"accept": "*/*"}),
    ],
)
def test_a_like_comes_from_a_page_of_this_site(
    store: Store, ids: list[str], tmp_path: Path, allowed: bool, headers: dict[str, str]
) -> None:
    answer = make(store, tmp_path).like(opened(method="POST", **headers), ids[0], now=NOON)
    assert (answer.counted, answer.refused) == ((True, None) if allowed else (False, 403))


def test_reading_is_not_liking(store: Store, ids: list[str], tmp_path: Path) -> None:
    answer = make(store, tmp_path).like(opened(sec_fetch_site="same-origin"), ids[0], now=NOON)
    assert answer.refused == 403


def test_an_unknown_item_cannot_be_liked(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        make(store, tmp_path).like(liking(), "zzz", now=NOON)


def test_cookies_are_secure_where_the_site_is_and_bound_to_its_path() -> None:
    cookie = write_cookie(b"k" * 32, b"v" * 16, site_url="https://example.org/news")
    assert cookie.endswith("; Secure")
    assert "; Path=/news/;" in cookie
    assert read_cookie(b"k" * 32, cookie.partition(";")[0]) == b"v" * 16
    assert read_cookie(b"x" * 32, cookie.partition(";")[0]) is None


@given(st.text(max_size=80))
def test_no_text_breaks_reading_a_cookie(text: str) -> None:
    assert read_cookie(b"k" * 32, text) is None
    assert read_cookie(b"k" * 32, f"visitor={text}") is None


def test_the_key_of_cookies_is_part_of_the_backup(store: Store, ids: list[str], tmp_path: Path) -> None:
    cookie = cookie_of(make(store, tmp_path).like(liking(), ids[0], now=NOON))
    (tmp_path / "backup").mkdir()
    store.backup(tmp_path / "backup" / "copy.db")
    restored = open_store("sqlite:copy.db", base=tmp_path / "backup")
    elsewhere = Audience(restored, state_dir=tmp_path / "elsewhere", site_url=SITE_URL)
    again = liking(cookie=f'prefs={{"a":1}}; {cookie}', agent=FIREFOX + " 2")
    assert not elsewhere.like(again, ids[0], now=NOON).counted, "the same browser on a new machine"
    assert elsewhere.like(again, ids[1], now=NOON).set_cookie is None
    restored.close()


@pytest.mark.parametrize(
    "before",
    [
        'prefs={"a":1}; ',
        "visitor=forged; ",
        "a b=c; ",
        "=; ;; ",
        'x="un;closed; ',
        "visitor=; Visitor=x; ",
        "[1,2]={}; é=ü; ",
        'session="a\\"b; visitor=x"; ',
        "\x7f=\x01; $Version=1; ",
        "a=b,c=d; x; ",
        "visitor=" + "A" * 43 + "; ",
        "k=" + "v" * 4000 + "; ",
        "expires=Wed, 01 Jan 2025 00:00:00 GMT; path=/; ",
    ],
)
def test_a_like_is_found_behind_any_cookie_of_others(store: Store, ids: list[str], tmp_path: Path, before: str) -> None:
    audience = make(store, tmp_path)
    cookie = cookie_of(audience.like(liking(), ids[0], now=NOON))
    again = audience.like(liking(cookie=before + cookie, agent=FIREFOX + " 2"), ids[0], now=NOON)
    assert not again.counted
