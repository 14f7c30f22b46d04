from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import pytest

from aggregator.sdnotify import Notifier, inherited_sockets


@pytest.fixture
def manager(tmp_path: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(tmp_path / "notify"))
    channel.settimeout(2)
    return channel


def notifier(manager: socket.socket) -> Notifier:
    return Notifier.from_environment({"NOTIFY_SOCKET": manager.getsockname()}, pid=1)


def test_the_manager_hears_each_state(manager: socket.socket) -> None:
    with manager:
        notifier(manager).ready("3 sources")
        assert manager.recv(1000) == b"READY=1\nSTATUS=3 sources"
        notifier(manager).reloading()
        assert manager.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        notifier(manager).alive()
        assert manager.recv(1000) == b"WATCHDOG=1"
        notifier(manager).stopping()
        assert manager.recv(1000) == b"STOPPING=1"


def test_an_abstract_address_is_understood() -> None:
    name = f"aggregator-test-{id(object())}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + name)
        channel.settimeout(2)
        Notifier(f"@{name}").alive()
        assert channel.recv(1000) == b"WATCHDOG=1"


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    Notifier.from_environment({}, pid=1).ready("")
    Notifier(str(tmp_path / "nobody")).ready("")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, timedelta(seconds=30)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, timedelta(seconds=30)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_read_from_the_environment(environ: dict[str, str], expected: timedelta | None) -> None:
    assert Notifier.from_environment(environ, pid=7).watchdog == expected


def test_sockets_meant_for_another_process_are_not_taken() -> None:
    assert inherited_sockets({"LISTEN_FDS": "1", "LISTEN_PID": "8"}, pid=7) == []
    assert inherited_sockets({}, pid=7) == []
