from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aggregator.collect.decision.outage import CountedFailure, OutageDetector
from aggregator.model import Source, Subscription

NOW = datetime(2026, 11, 3, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def health(*noted: tuple[str, str | None]) -> OutageDetector:
    network = OutageDetector()
    for host, failure in noted:
        network.note(host, failure, now=NOW)
    return network


def test_most_hosts_failing_at_once_is_our_network() -> None:
    network = health(*((f"host{number}", "dns-failure") for number in range(5)), ("host9", None))
    assert network.is_down
    assert network.is_local_fault("timeout-connect")
    assert not network.is_local_fault("http-404")


def test_half_the_hosts_are_not_most() -> None:
    noted = [(f"host{number}", "dns-timeout" if number % 2 else None) for number in range(20)]
    assert not health(*noted).is_down


def test_one_host_failing_often_is_one_host() -> None:
    assert not health(*(("dead", "dns-failure") for _ in range(40)), ("a", None)).is_down


def test_servers_that_answer_badly_are_not_our_network() -> None:
    codes = ["http-500", "connection-refused", "tls-expired", "timeout-total", "blocked-address"]
    assert not health(*((f"host{number}", code) for number, code in enumerate(codes * 4))).is_down


def test_names_that_do_not_exist_count_only_while_nobody_answers() -> None:
    dead = [(f"host{number}", "dns-not-found") for number in range(5)]
    assert health(*dead).is_down
    assert not health(*dead, ("alive", None)).is_down
    assert not health(*dead, ("alive", "http-500")).is_down


def test_it_recovers_with_the_first_answers() -> None:
    network = health(*((f"host{number}", "network-unreachable") for number in range(6)))
    assert network.is_down
    for number in range(3):
        network.note(f"host{number}", None, now=NOW)
    assert not network.is_down


def test_only_the_recent_past_counts() -> None:
    network = health(*((f"host{number}", "dns-failure") for number in range(40)))
    for number in range(50):
        network.note(f"good{number}", None, now=NOW)
    assert not network.is_local_fault("dns-failure")


def test_who_was_not_asked_is_not_blamed() -> None:
    network = health(("host", None))
    assert network.is_local_fault("crowded")
    assert network.is_local_fault("out-of-files")
    assert network.is_local_fault("out-of-threads")
    assert not network.is_local_fault("connection-refused")


def source(number: int, error_count: int = 0) -> Source:
    url = f"https://host{number}.example/feed"
    since = NOW - 90 * MINUTE if error_count else None
    subscription = Subscription(url=url)
    return Source(
        id=number,
        slug=f"s{number}",
        subscription=subscription,
        fetch_url=url,
        error_count=error_count,
        error_since=since,
    )


def test_an_outage_began_with_the_first_failure_behind_the_last_answer() -> None:
    network = health(("host8", "dns-timeout"), ("host9", None))
    for number in range(4):
        network.note(f"host{number}", "timeout-connect", now=NOW + number * MINUTE)
    assert network.is_down
    assert network.since == NOW
    network.note("host5", "timeout-connect", now=NOW + 9 * MINUTE)
    assert network.since == NOW, "it does not move while the outage lasts"
    for number in range(6):
        network.note(f"host{number}", None, now=NOW + 20 * MINUTE)
    assert network.since is None


def test_failures_before_it_was_understood_are_offered_once_to_be_taken_back() -> None:
    network = health(("host7", None), ("host8", None), ("host9", None))
    assert network.take_back() == ()
    for number in range(6):
        failed_at = NOW + number * MINUTE
        network.note(f"host{number}", "dns-failure", now=failed_at, source=source(number, error_count=number % 2))
    assert network.is_down, "four of seven hosts were enough"
    expected = [
        CountedFailure(
            source_id=number,
            failed_at=NOW + number * MINUTE,
            error_count=number % 2,
            error_since=NOW - 90 * MINUTE if number % 2 else None,
        )
        for number in range(3)
    ]
    assert list(network.take_back()) == expected
    assert network.take_back() == ()


def test_failures_of_servers_are_never_taken_back() -> None:
    network = OutageDetector()
    network.note("host0", "http-500", now=NOW, source=source(0))
    network.note("host1", "timeout-total", now=NOW, source=source(1))
    for number in range(2, 9):
        network.note(f"host{number}", "host-unreachable", now=NOW, source=source(number))
    assert {failure.source_id for failure in network.take_back()} == {2, 3}, "the third of five hosts showed it"


def test_a_failure_before_an_answer_belongs_to_no_outage() -> None:
    network = OutageDetector()
    network.note("host0", "dns-failure", now=NOW, source=source(0))
    network.note("host1", None, now=NOW + MINUTE)
    for number in range(2, 6):
        network.note(f"host{number}", "dns-failure", now=NOW + 2 * MINUTE, source=source(number))
    assert network.since == NOW + 2 * MINUTE
    assert 0 not in {failure.source_id for failure in network.take_back()}
