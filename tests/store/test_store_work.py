from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest
from store_values import HOUR, LEASE, NOW, A, B, C, follow, lease_of, make_entry, make_result, poll, source_id

from aggregator.errors import StaleLease
from aggregator.model import CountedFailure, FeedInfo, PollError, PostingRate, Scope, Subscription, Validators
from aggregator.store import PollChanges, Store


def claimed(store: Store, at: object = NOW, **options: object) -> list[str]:
    leases = store.claim(now=at, limit=10, lease=LEASE, **options)  # type: ignore[arg-type]
    return [source.subscription.url for lease in leases for source in lease.sources]


class TestSync:
    def test_new_sources_are_due_at_once(self, store: Store) -> None:
        synced = store.sync_sources([Subscription(url=A), Subscription(url=B)], now=NOW)
        assert set(synced.added) == {A, B}
        assert store.next_due(now=NOW) == NOW

    def test_second_time_nothing_changes(self, store: Store) -> None:
        follow(store, A, B)
        before = store.generation()
        synced = store.sync_sources([Subscription(url=A), Subscription(url=B)], now=NOW + HOUR)
        assert (synced.added, synced.changed, synced.removed) == ((), (), ())
        assert store.generation() == before

    def test_changes_and_removals_are_named(self, store: Store) -> None:
        follow(store, A, B)
        synced = store.sync_sources([Subscription(url=A, section="World"), Subscription(url=C)], now=NOW)
        assert (synced.added, synced.changed, synced.removed) == ((C,), (A,), (B,))
        assert [one.ref.url for one in store.sources(now=NOW)] == [C, A]

    def test_removed_source_is_not_polled_and_keeps_its_items(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, make_entry("1"))
        follow(store, B)
        assert claimed(store, NOW + 9 * HOUR) == [B]
        assert store.items([store.pending(limit=1)[0].item_id])

    def test_source_that_returns_is_not_polled_early(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, make_entry("1"))
        follow(store)
        follow(store, A, at=NOW + timedelta(minutes=10))
        assert claimed(store, NOW + timedelta(minutes=11)) == []
        assert claimed(store, NOW + HOUR) == [A]

    def test_disabled_source_is_not_polled(self, store: Store) -> None:
        follow(store, A, enabled=False)
        assert claimed(store) == claimed(store, force=True) == []
        assert store.next_due(now=NOW) is None
        assert store.sources(now=NOW)[0].state == "disabled"
        assert store.followed() == []

    def test_followed_are_those_that_are_polled_with_what_is_known_of_them(self, store: Store) -> None:
        follow(store, A, B)
        rhythm = PostingRate(weight=3.5, as_of=NOW, since=NOW)
        (lease,) = store.claim(now=NOW, limit=1, lease=LEASE)
        store.complete(lease, make_result(lease.sources[0].id, posting_rate=rhythm))
        assert [one.subscription.url for one in store.followed()] == [A, B]
        assert store.followed()[0].posting_rate == rhythm
        follow(store, B)
        assert [one.subscription.url for one in store.followed()] == [B]

    def test_slugs_are_unique_and_permanent(self, store: Store) -> None:
        urls = ["https://x.example/a", "https://x.example/b"]
        store.sync_sources([Subscription(url=url, name="Zeit & Größe") for url in urls], now=NOW)
        slugs = {one.ref.slug for one in store.sources(now=NOW)}
        assert slugs == {"zeit-grosse", "zeit-grosse-2"}
        store.sync_sources([Subscription(url=url, name=f"Other {url}") for url in urls], now=NOW)
        assert {one.ref.slug for one in store.sources(now=NOW)} == slugs

    def test_shorter_fixed_interval_takes_effect(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, next_poll=NOW + 24 * HOUR)
        follow(store, A, interval=HOUR)
        assert store.next_due(now=NOW) == NOW + HOUR

    def test_due_times_from_a_wrong_clock_are_healed(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, at=NOW + timedelta(days=3650))
        follow(store, A)
        assert claimed(store, NOW + timedelta(seconds=1)) == [A]


class TestClaim:
    def test_one_source_of_a_host_at_a_time(self, store: Store) -> None:
        urls = [f"https://a.example/{n}" for n in range(3)]
        follow(store, *urls)
        assert claimed(store) == urls[:1]
        assert claimed(store) == []

    def test_several_when_allowed(self, store: Store) -> None:
        urls = [f"https://a.example/{n}" for n in range(3)]
        follow(store, *urls)
        assert claimed(store, per_host=2) == urls[:2]

    def test_hosts_of_one_platform_are_one(self, store: Store) -> None:
        follow(
            store, "https://x.tumblr.com/rss", "https://y.tumblr.com/rss", "https://www.a.example/", "http://a.example/"
        )
        assert len(claimed(store)) == 2

    def test_ports_of_literal_addresses_are_hosts(self, store: Store) -> None:
        urls = ["http://127.0.0.1:1001/a", "http://127.0.0.1:1002/a"]
        follow(store, *urls)
        assert claimed(store) == urls

    def test_limit_counts_sources(self, store: Store) -> None:
        follow(store, *(f"https://h{n // 2}.example/{n}" for n in range(6)))
        leases = store.claim(now=NOW, limit=3, lease=LEASE, per_host=2)
        assert [len(lease.sources) for lease in leases] == [2, 1]
        assert store.claim(now=NOW, limit=0, lease=LEASE) == []

    def test_oldest_due_first(self, store: Store) -> None:
        follow(store, A, at=NOW)
        follow(store, A, B, at=NOW - HOUR)
        leases = store.claim(now=NOW, limit=1, lease=LEASE)
        assert leases[0].sources[0].subscription.url == B

    def test_an_expired_lease_is_handed_out_again(self, store: Store) -> None:
        follow(store, A)
        first = store.claim(now=NOW, limit=1, lease=LEASE)[0]
        assert claimed(store, NOW + LEASE - timedelta(seconds=1)) == []
        second = store.claim(now=NOW + LEASE, limit=1, lease=LEASE)[0]
        assert second.token > first.token

    def test_force_ignores_due_times_but_not_leases_and_parking(self, store: Store) -> None:
        follow(store, A, B, C)
        for url in (A, B):
            poll(store, url)
        taken = lease_of(store, C)
        later = NOW + timedelta(minutes=1)
        assert sorted(claimed(store, later, force=True)) == [A, B]
        store.complete(taken, make_result(taken.sources[0].id, at=later, park_host_until=NOW + 5 * HOUR))
        assert C not in claimed(store, NOW + 4 * HOUR, force=True)
        assert C in claimed(store, NOW + 5 * HOUR, force=True)

    def test_the_host_that_a_redirect_led_to_is_parked_instead(self, store: Store) -> None:
        follow(store, A, B, C)
        taken = lease_of(store, C)
        store.complete(taken, make_result(taken.sources[0].id, park_host_until=NOW + 5 * HOUR, parked_url=f"{B}?x"))
        later = NOW + timedelta(minutes=1)
        assert sorted(claimed(store, later, force=True)) == [A, C]
        assert B in claimed(store, NOW + 5 * HOUR, force=True)

    def test_only_these(self, store: Store) -> None:
        follow(store, A, B, C)
        assert claimed(store, only=frozenset({B})) == [B]

    def test_next_due_while_leased_is_the_end_of_the_lease(self, store: Store) -> None:
        follow(store, A)
        lease_of(store, A)
        assert store.next_due(now=NOW) == NOW + LEASE

    def test_pause_between_two_requests_to_a_host(self, store: Store) -> None:
        follow(store, "https://a.example/1", "https://a.example/2", "http://127.0.0.1:1/1", "http://127.0.0.1:1/2")
        for lease in store.claim(now=NOW, limit=9, lease=LEASE):
            store.complete(lease, make_result(lease.sources[0].id))
        assert claimed(store, NOW) == ["http://127.0.0.1:1/2"]
        assert claimed(store, NOW + timedelta(seconds=1)) == ["https://a.example/2"]

    def test_survives_reopening(self, store: Store, reopen: Callable[[], Store]) -> None:
        follow(store, A)
        poll(store, A)
        store.close()
        assert claimed(reopen(), NOW + timedelta(minutes=59)) == []


class TestComplete:
    def test_stale_token_changes_nothing(self, store: Store) -> None:
        follow(store, A)
        old = lease_of(store, A)
        new = lease_of(store, A, at=NOW + 2 * LEASE)
        with pytest.raises(StaleLease):
            store.complete(old, make_result(old.sources[0].id, [make_entry("1")]))
        assert store.stats().entries == 0
        assert store.complete(new, make_result(new.sources[0].id, [make_entry("1")])).new_entries == 1

    def test_of_several_at_once_each_is_stored_or_not(self, store: Store) -> None:
        follow(store, A, B, C)
        leases = {url: lease_of(store, url) for url in (A, B, C)}
        lease_of(store, B, at=NOW + 2 * LEASE)
        spoilt = make_entry("bad", text=cast("str", b"no text"))
        entries = {A: make_entry("1"), B: make_entry("2"), C: spoilt}
        polls = [(lease, make_result(lease.sources[0].id, [entries[url]])) for url, lease in leases.items()]
        good, stale, failed = store.complete_all(polls)
        assert good == PollChanges(new_entries=1, new_items=1)
        assert isinstance(stale, StaleLease)
        assert isinstance(failed, Exception)
        assert (store.stats().entries, store.stats().items, len(store.latest(Scope(), limit=0))) == (1, 1, 1)

    def test_second_time_changes_nothing(self, store: Store) -> None:
        follow(store, A)
        taken = lease_of(store, A)
        failed = make_result(taken.sources[0].id, outcome="error", error=PollError(code="http-500", message="500"))
        store.complete(taken, failed)
        before = store.generation()
        assert store.complete(taken, failed) == PollChanges()
        assert store.sources(now=NOW)[0].error_count == 1
        assert store.generation() == before

    def test_last_source_of_a_lease_frees_the_host(self, store: Store) -> None:
        urls = ["http://127.0.0.1:1/1", "http://127.0.0.1:1/2"]
        follow(store, *urls)
        (taken,) = store.claim(now=NOW, limit=2, lease=LEASE, per_host=2)
        store.complete(taken, make_result(taken.sources[0].id))
        assert store.next_due(now=NOW) == taken.until
        store.complete(taken, make_result(taken.sources[1].id, next_poll=NOW + 2 * HOUR))
        assert store.next_due(now=NOW) == NOW + HOUR

    def test_everything_learnt_comes_back(self, store: Store) -> None:
        follow(store, A)
        info = FeedInfo(
            title="A", link="https://a.example/", hubs=("https://hub.example/",), ttl=HOUR, skip_hours=frozenset({1, 2})
        )
        rhythm = PostingRate(
            weight=1.5, as_of=NOW, since=NOW - HOUR, hours=tuple(map(float, range(24))), overlapped=False
        )
        poll(
            *(store, A),
            info=info,
            posting_rate=rhythm,
            validators=Validators(etag='W/"x"', last_modified="Mon"),
            body_hash=b"h" * 32,
            unstable_ids=True,
        )
        source = lease_of(store, A, at=NOW + HOUR).sources[0]
        assert (source.info, source.posting_rate, source.title, source.name) == (info, rhythm, "A", "A")
        assert source.validators == Validators(etag='W/"x"', last_modified="Mon")
        assert (source.body_hash, source.unstable_ids, source.last_success) == (b"h" * 32, True, NOW)

    def test_validators_are_one_pair(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, validators=Validators(etag='"1"', last_modified="Mon"))
        poll(store, A, at=NOW + HOUR, outcome="not-modified")
        poll(store, A, at=NOW + 2 * HOUR, validators=Validators(etag='"2"'))
        assert lease_of(store, A, at=NOW + 3 * HOUR).sources[0].validators == Validators(etag='"2"')

    def test_errors_keep_what_is_known_and_count(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, make_entry("1"), validators=Validators(etag='"1"'), info=FeedInfo(title="A"))
        error = PollError(code="http-503", message="busy")
        for hour in (1, 2):
            poll(store, A, at=NOW + hour * HOUR, outcome="error", error=error, status=503)
        poll(store, A, at=NOW + 3 * HOUR, outcome="error", error=error, counts_as_error=False)
        health = store.sources(now=NOW)[0]
        assert (health.state, health.error, health.error_count) == ("failing", error, 2)
        assert (health.error_since, health.last_success, health.ref.name) == (NOW + HOUR, NOW, "A")
        poll(store, A, at=NOW + 4 * HOUR, outcome="same")
        health = store.sources(now=NOW)[0]
        assert (health.state, health.error, health.error_count, health.error_since) == ("ok", None, 0, None)

    def test_gone_after_the_second_410(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, outcome="error", status=410, error=PollError(code="http-410", message="gone"))
        assert lease_of(store, A, at=NOW + HOUR).sources[0].gone_since == NOW
        later = NOW + timedelta(days=1)
        poll(store, A, at=later, outcome="gone", status=410, error=PollError(code="http-410", message="gone"))
        assert store.sources(now=later)[0].state == "gone"
        assert (
            claimed(store, later + timedelta(days=99)) == claimed(store, later + timedelta(days=99), force=True) == []
        )
        assert claimed(store, later + timedelta(days=99), force=True, only=frozenset({A})) == [A]

    def test_moved_is_counted_in_a_row_and_adopted(self, store: Store) -> None:
        follow(store, A)
        for hour in range(2):
            poll(store, A, at=NOW + hour * HOUR, moved_to=B)
        source = lease_of(store, A, at=NOW + 2 * HOUR).sources[0]
        assert (source.moved_to, source.moved_since, source.moved_count) == (B, NOW, 2)
        poll(store, A, at=NOW + 3 * HOUR, moved_to=B, adopt_url=True)
        taken = lease_of(store, A, at=NOW + 5 * HOUR)
        assert (taken.host, taken.sources[0].fetch_url, taken.sources[0].moved_to) == ("b.example", B, None)

    def test_a_poll_that_did_not_move_starts_the_count_again(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, moved_to=B)
        poll(store, A, at=NOW + HOUR, outcome="same")
        assert lease_of(store, A, at=NOW + 2 * HOUR).sources[0].moved_count == 0

    def test_rate_and_days(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, *(make_entry(str(n), published=NOW - timedelta(days=n // 2)) for n in range(10)))
        health = store.sources(now=NOW)[0]
        assert health.daily[-5:] == (2, 2, 2, 2, 2)
        assert (health.items_per_day, health.items, health.last_item) == (2.0, 10, NOW)
        assert store.sources(now=NOW + timedelta(days=40))[0].state == "quiet"

    def test_polls_are_counted_by_day_and_forgotten_after_thirty(self, store: Store) -> None:
        follow(store, A, B)
        error = PollError(code="http-503", message="busy")
        for hour in range(50):
            failed = hour % 5 == 0
            poll(store, A, at=NOW + hour * HOUR, outcome="error" if failed else "same", error=error if failed else None)
        at = NOW + 49 * HOUR
        [fetched, unseen] = store.sources(now=at)
        assert sum(fetched.daily_polls) == 50
        assert sum(fetched.daily_failures) == 10
        assert len(fetched.daily_polls) == len(fetched.daily_failures) == 30
        assert fetched.daily_polls[-2] == 24
        assert all(failed <= polls for polls, failed in zip(fetched.daily_polls, fetched.daily_failures, strict=True))
        assert unseen.daily_polls == unseen.daily_failures == (0,) * 30
        poll(store, A, at=NOW + timedelta(days=45), outcome="same")
        assert sum(store.sources(now=NOW + timedelta(days=45))[0].daily_polls) == 1
        assert sum(store.sources(now=at)[0].daily_polls) == 0, "nothing older is kept"

    def test_one_source_by_its_slug(self, store: Store) -> None:
        follow(store, A, B)
        poll(store, A, make_entry("1", published=NOW))
        [first, second] = store.sources(now=NOW)
        assert store.sources(now=NOW, slug=first.ref.slug) == [first]
        assert store.sources(now=NOW, slug=second.ref.slug) == [second]
        assert store.sources(now=NOW, slug="nobody") == []

    def test_states_are_those_of_the_sources(self, store: Store) -> None:
        urls = [f"https://{name}.example/feed" for name in ("new", "ok", "quiet", "failing", "gone")]
        follow(store, *urls)
        error = PollError(code="http-410", message="gone")
        poll(store, urls[1], make_entry("1", published=NOW))
        poll(store, urls[2], make_entry("2", published=NOW - timedelta(days=60)))
        poll(store, urls[3], outcome="error", status=410, error=error)
        poll(store, urls[4], outcome="gone", status=410, error=error)
        assert store.states(now=NOW) == Counter(one.state for one in store.sources(now=NOW))
        assert set(store.states(now=NOW)) == {"new", "ok", "quiet", "failing", "gone"}


class TestKnown:
    def test_by_guid_and_by_link_of_this_source_only(self, store: Store) -> None:
        follow(store, A, B)
        poll(store, A, make_entry("1", link="https://x.example/1"), make_entry("2", link="https://x.example/2"))
        poll(store, B, make_entry("1", link="https://x.example/3"))
        found = store.known(source_id(store, A), guids=["1", "nobody"], links=["https://x.example/2", "https://no/"])
        assert sorted((one.entry_id, one.canonical_url) for one in found) == [
            ("1", "https://x.example/1"),
            ("2", "https://x.example/2"),
        ]
        assert found[0].first_seen == NOW

    def test_by_title_and_by_number_as_they_are_now(self, store: Store) -> None:
        """What has moved is known by neither guid nor link; an edited title is looked up as it was edited."""
        follow(store, A)
        at = "https://x.example/news/the-first-title-70012345"
        poll(store, A, make_entry("1", link=at, title="The first title"), make_entry("2", title="Another title"))
        poll(store, A, make_entry("1", link=at, title="The \u201csecond\u201d title!"), at=NOW + HOUR)
        source = source_id(store, A)
        assert store.known(source, titles=["the first title"]) == []
        assert [one.entry_id for one in store.known(source, titles=["the second title"])] == ["1"]
        (found,) = store.known(source, numbers=["x.example 70012345"])
        assert found.text_key == make_entry("1", link=at, title="The \u201csecond\u201d title!").parsed.text_key

    def test_thousands(self, store: Store) -> None:
        follow(store, A)
        poll(store, A, *(make_entry(str(n)) for n in range(1200)))
        assert len(store.known(source_id(store, A), guids=[str(n) for n in range(2000)], links=[])) == 1200


class TestReturned:
    """Work that is given back, taken back, or due again for a reason from outside."""

    def test_a_lease_that_is_given_back_is_due_at_once(self, store: Store) -> None:
        follow(store, A, B)
        lease = lease_of(store, A)
        store.give_back(lease, now=NOW)
        assert set(claimed(store, NOW + timedelta(seconds=1))) == {A, B}
        with pytest.raises(StaleLease):
            store.complete(lease, make_result(lease.sources[0].id))

    def test_a_stale_lease_gives_nothing_back(self, store: Store) -> None:
        follow(store, A)
        lease = lease_of(store, A)
        later = lease_of(store, A, at=NOW + LEASE + timedelta(seconds=1))
        store.give_back(lease, now=NOW + LEASE)
        assert store.complete(later, make_result(later.sources[0].id)) == PollChanges()

    def test_failures_that_were_our_own_are_taken_back(self, store: Store) -> None:
        follow(store, A)
        error = PollError(code="dns-failure", message="no name server", permanent=False)
        lease = lease_of(store, A)
        store.complete(lease, make_result(lease.sources[0].id, outcome="error", error=error, next_poll=NOW + 9 * HOUR))
        assert store.sources(now=NOW)[0].state == "failing"
        counted = CountedFailure(source_id=lease.sources[0].id, failed_at=NOW, error_count=0, error_since=None)
        soon = NOW + timedelta(minutes=1)
        assert store.take_back([counted], due=soon) == 1
        (health,) = store.sources(now=NOW)
        assert (health.state, health.error_count, health.next_poll) == ("new", 0, soon)
        assert store.take_back([counted], due=soon) == 0, "it has been taken back"

    def test_sources_that_failed_by_a_limit_are_due_when_it_changes(self, store: Store) -> None:
        follow(store, A, B)
        for url, code in ((A, "blocked-address"), (B, "http-404")):
            lease = lease_of(store, url)
            error = PollError(code=code, message="no", permanent=True)
            result = make_result(lease.sources[0].id, outcome="error", error=error, next_poll=NOW + 19 * HOUR)
            store.complete(lease, result)
        assert store.make_due(["blocked-address", "too-large"], now=NOW + HOUR) == 1
        assert claimed(store, NOW + HOUR) == [A]

    def test_a_source_is_new_until_it_has_been_read(self, store: Store) -> None:
        follow(store, A)
        lease = lease_of(store, A)
        error = PollError(code="dns-failure", message="we are offline", permanent=False)
        store.complete(lease, make_result(lease.sources[0].id, outcome="error", error=error, counts_as_error=False))
        assert store.sources(now=NOW)[0].state == "new"
        assert store.states(now=NOW) == {"new": 1}
