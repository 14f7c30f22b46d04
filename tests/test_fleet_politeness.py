"""Collectors in several processes, and a publisher that watches them: one request at a time, with a gap, an address."""

from __future__ import annotations

from pathlib import Path

from daemon_process import Running, config_text, free_port, start
from fleet_harness import NAMES, publisher, seen

ADDRESSES = [f"127.77.0.{number}" for number in (1, 2, 3)]
GAP_S = 0.25


def test_four_collectors_ask_one_address_one_at_a_time(tmp_path: Path, empty_postgres_url: str) -> None:
    """24 names on 3 addresses, one of them redirecting to another address; answers take up to 0.4 s."""
    names = [f"n{number}.{address.replace('.', '-')}.test" for address in ADDRESSES for number in range(8)]
    port_of = free_port()
    moved = {names[0]: f"http://{names[-1]}:{port_of}/moved"}
    collectors: list[Running] = []
    with publisher(hosts=ADDRESSES, delay_s=[0.0, 0.4], redirects=moved, port=port_of) as port:
        urls = [f"http://{name}:{port}/{number}" for number, name in enumerate(names)]
        try:
            for number in range(4):
                directory = tmp_path / str(number)
                directory.mkdir()
                text = config_text(*urls, port=free_port(), extra=f'[store]\nurl = "{empty_postgres_url}"')
                text = text.replace('timeout = "3s"', 'timeout = "30s"')
                collectors.append(start(directory, text, arguments=("--roles", "collect"), environ=NAMES))

            def enough() -> bool:
                state = seen(ADDRESSES[0], port)
                return len(state["names"]) == 24 and sum(p["visits"] for p in state["addresses"].values()) >= 120

            collectors[0].wait_for(enough, "120 requests to all names", patience_s=400)
            state = seen(ADDRESSES[0], port)
        finally:
            for running in collectors:
                running.process.kill()
                running.process.wait()
    assert [running.tracebacks for running in collectors if running.tracebacks] == []
    assert {name: place["overlaps"] for name, place in state["names"].items() if place["overlaps"]} == {}
    assert {name: place["overlaps"] for name, place in state["addresses"].items() if place["overlaps"]} == {}
    for place in state["addresses"].values():  # the sum: a busy machine blurs each gap, and not all of them together
        assert place["last_s"] - place["first_s"] > (place["visits"] - 1) * GAP_S - 0.5
