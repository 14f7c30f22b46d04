from __future__ import annotations

from aggregator.collect.network import NetworkHealth


def health(*noted: tuple[str, str | None]) -> NetworkHealth:
    network = NetworkHealth()
    for host, failure in noted:
        network.note(host, failure)
    return network


def test_most_hosts_failing_at_once_is_our_network() -> None:
    network = health(*((f"host{number}", "dns-failure") for number in range(5)), ("host9", None))
    assert network.down
    assert network.explains("timeout-connect")
    assert not network.explains("http-404")


def test_half_the_hosts_are_not_most() -> None:
    noted = [(f"host{number}", "dns-timeout" if number % 2 else None) for number in range(20)]
    assert not health(*noted).down


def test_one_host_failing_often_is_one_host() -> None:
    assert not health(*(("dead", "dns-failure") for _ in range(40)), ("a", None)).down


def test_servers_that_answer_badly_are_not_our_network() -> None:
    codes = ["http-500", "connection-refused", "tls-expired", "timeout-total", "blocked-address"]
    assert not health(*((f"host{number}", code) for number, code in enumerate(codes * 4))).down


def test_names_that_do_not_exist_count_only_while_nobody_answers() -> None:
    dead = [(f"host{number}", "dns-not-found") for number in range(5)]
    assert health(*dead).down
    assert not health(*dead, ("alive", None)).down
    assert not health(*dead, ("alive", "http-500")).down


def test_it_recovers_with_the_first_answers() -> None:
    network = health(*((f"host{number}", "network-unreachable") for number in range(6)))
    assert network.down
    for number in range(3):
        network.note(f"host{number}", None)
    assert not network.down


def test_only_the_recent_past_counts() -> None:
    network = health(*((f"host{number}", "dns-failure") for number in range(40)))
    for number in range(50):
        network.note(f"good{number}", None)
    assert not network.explains("dns-failure")


def test_who_was_not_asked_is_not_blamed() -> None:
    network = health(("host", None))
    assert network.explains("crowded")
    assert network.explains("out-of-files")
    assert not network.explains("connection-refused")
