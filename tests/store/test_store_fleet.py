"""Roles that one process has at a time, and what it writes after it has lost one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from store_values import NOW, A, follow, make_entry, poll

from aggregator.clock import wall
from aggregator.errors import LostRole
from aggregator.model import AddressSlot, Curation, LeftSlot, Process
from aggregator.store import Store

LEASE = timedelta(seconds=20)


@pytest.fixture
def pair(store: Store, reopen: Callable[[], Store]) -> tuple[Store, Store]:
    """Two processes on one store."""
    return store, reopen()


def hold(store: Store, holder: str, *, after: float = 0) -> bool:
    return store.hold_role("curate", holder=holder, lease=LEASE, now=NOW + timedelta(seconds=after))


def expire(store: Store) -> None:
    """Ends every lease now, as time would: engines with a clock of their own cannot be told that it has passed."""
    store._engine.write(lambda connection: connection.execute("UPDATE roles SET until = 1"))  # type: ignore[attr-defined]


def test_one_has_it_and_renews_it(pair: tuple[Store, Store]) -> None:
    one, other = pair
    assert hold(one, "one")
    assert not hold(other, "other", after=1)
    assert hold(one, "one", after=5)
    assert not hold(other, "other", after=6)


def test_given_back_it_is_free_at_once(pair: tuple[Store, Store]) -> None:
    one, other = pair
    assert hold(one, "one")
    one.release_role("curate", holder="one")
    assert hold(other, "other")


def test_only_the_holder_gives_it_back(pair: tuple[Store, Store]) -> None:
    one, other = pair
    assert hold(one, "one")
    other.release_role("curate", holder="other")
    assert not hold(other, "other")


def test_who_slept_writes_nothing_when_it_wakes(pair: tuple[Store, Store]) -> None:
    one, other = pair
    follow(one, A)
    poll(one, A, make_entry("1"))
    assert hold(one, "one")
    (waiting,) = one.pending(limit=9)
    curation = Curation(curated=(waiting.item_id,))
    expire(one)
    assert hold(other, "other")
    for write in (
        lambda: one.put_curation(curation, now=NOW),
        lambda: one.put_lists([]),
        lambda: one.put_verdicts({}),
        lambda: one.retain(before=NOW, now=NOW),
    ):
        with pytest.raises(LostRole, match="curate"):
            write()
    assert len(other.pending(limit=9)) == 1
    other.put_curation(curation, now=NOW)
    assert other.pending(limit=9) == []


def test_a_process_that_has_lost_it_may_have_it_again_and_write_again(pair: tuple[Store, Store]) -> None:
    one, other = pair
    assert hold(one, "one")
    expire(one)
    assert hold(other, "other")
    other.release_role("curate", holder="other")
    assert hold(one, "one")
    one.put_lists([])
    with pytest.raises(LostRole):
        other.put_lists([])


def test_who_lives(store: Store) -> None:
    def process(name: str, *roles: str) -> Process:
        return Process(id=name, roles=roles, host="h", version="1", started=NOW)

    store.report_process(process("a", "collect", "curate"), now=NOW)
    store.report_process(process("b", "serve"), now=NOW)
    assert hold(store, "a")
    assert [(one.id, one.roles, one.holds) for one in store.processes()] == [
        ("a", ("collect", "curate"), ("curate",)),
        ("b", ("serve",), ()),
    ]
    assert all(one.seen is not None for one in store.processes())
    store.remove_process("b")
    assert [one.id for one in store.processes()] == ["a"]


def slots(store: Store, *take: str, leave: tuple[LeftSlot, ...] = (), hold_s: float = 60) -> dict[str, AddressSlot]:
    return dict(store.exchange_slots(take=take, leave=leave, hold=timedelta(seconds=hold_s), now=NOW))


def test_one_process_has_the_slot_of_an_address(pair: tuple[Store, Store]) -> None:
    one, other = pair
    assert slots(one, "192.0.2.1")["192.0.2.1"].token is not None
    one.report_process(Process(id="a", roles=(), host="h", version="1", started=NOW), now=NOW)  # forgets old slots only
    answer = slots(other, "192.0.2.1", "192.0.2.2")
    assert answer["192.0.2.1"].token is None
    assert timedelta(0) < answer["192.0.2.1"].wait <= timedelta(seconds=60)
    assert answer["192.0.2.2"].token is not None


def test_a_slot_that_is_left_rests_and_is_taken_by_another(pair: tuple[Store, Store]) -> None:
    one, other = pair
    token = slots(one, "192.0.2.1")["192.0.2.1"].token
    assert token is not None
    slots(one, leave=(LeftSlot(address="192.0.2.1", token=token, rest=timedelta(seconds=30)),))
    resting = slots(other, "192.0.2.1")["192.0.2.1"]
    assert resting.token is None
    assert timedelta(0) < resting.wait <= timedelta(seconds=31)
    other._engine.write(lambda connection: connection.execute("UPDATE address_slots SET free_at = 0"))  # type: ignore[attr-defined]
    taken = slots(other, "192.0.2.1")["192.0.2.1"].token
    assert taken is not None
    # who had it before gives back nothing of another's
    slots(one, leave=(LeftSlot(address="192.0.2.1", token=token, rest=timedelta(0)),))
    assert slots(one, "192.0.2.1")["192.0.2.1"].token is None


def test_a_slot_of_a_dead_process_ends(pair: tuple[Store, Store]) -> None:
    one, other = pair
    assert slots(one, "192.0.2.1", hold_s=0)["192.0.2.1"].token is not None
    assert slots(other, "192.0.2.1")["192.0.2.1"].token is not None


def test_a_lease_without_a_fence_is_of_one_at_a_time(pair: tuple[Store, Store]) -> None:
    one, other = pair
    assert one.hold_lease("hub", holder="one", lease=LEASE, now=NOW)
    assert one.hold_lease("hub", holder="one", lease=LEASE, now=NOW)
    assert not other.hold_lease("hub", holder="other", lease=LEASE, now=NOW)
    one.release_role("hub", holder="one")
    assert other.hold_lease("hub", holder="other", lease=LEASE, now=NOW)


def test_a_document_has_versions_and_one_writer_at_a_time(pair: tuple[Store, Store]) -> None:
    one, other = pair
    before = one.generation()
    assert one.put_document("config.toml", "a", now=NOW, expected=0) == 1
    assert other.put_document("config.toml", "b", now=NOW, expected=0) is None
    assert other.put_document("config.toml", "c", now=NOW, expected=1) == 2
    assert one.put_document("config.toml", "d", now=NOW, expected=1) is None
    assert one.put_document("config.toml", "e", now=NOW) == 3
    assert one.put_document("lists/x", "f", now=NOW) == 1
    assert {name: (doc.version, doc.text) for name, doc in other.documents("c").items()} == {"config.toml": (3, "e")}
    assert one.generation() > before
    after = one.generation()
    assert one.put_document("mark", "f", now=NOW, announced=False) == 1
    assert one.put_document("new", "f", now=NOW, expected=4) is None
    assert other.generation() == after


def test_the_time_is_that_of_the_server_where_there_is_one(store: Store, store_url: str) -> None:
    before = wall()
    told = store.server_time(now=NOW)
    if store_url.startswith("sqlite:"):
        assert told == NOW
    else:
        assert before - timedelta(milliseconds=1) <= told <= wall()
