"""The conversation with systemd: readiness, watchdog, and sockets that it opened for us.

sd_notify(3) is one datagram to a Unix socket whose address is in the environment; sd_listen_fds(3) is a number of file
descriptors from 3 on. Both are a few lines, so there is no library. Without systemd everything here does nothing.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

#: SD_LISTEN_FDS_START
FIRST_FD = 3


@dataclass(frozen=True, slots=True)
class Notifier:
    """Tells the service manager how things are."""

    #: of the manager's datagram socket; a leading ``@`` means the abstract namespace; None: there is no manager
    address: str | None = None
    #: the manager restarts a service that has been silent for that long; None: it does not watch
    watchdog: timedelta | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, pid: int) -> Notifier:
        """The notifier that ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` describe."""
        meant_for_us = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        usec = environ.get("WATCHDOG_USEC", "")
        watchdog = timedelta(microseconds=int(usec)) if usec.isdigit() and int(usec) and meant_for_us else None
        return cls(environ.get("NOTIFY_SOCKET") or None, watchdog)

    def ready(self, status: str) -> None:
        """Start-up or a reload is done."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """The configuration is being read anew; systemd pairs this with the next READY by the time in it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def extend_start(self, by: timedelta, status: str) -> None:
        """Start-up takes longer, for a reason outside; it is not to be given up for that long."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(by.total_seconds() * 1_000_000)}\nSTATUS={status}")

    def stopping(self) -> None:
        """The service is on its way out."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Progress has been made since the last call. Never call it because a timer fired."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if self.address is None:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto(message.encode(), address)
        except OSError:
            # A manager that does not listen must not take the service down; the watchdog is its own alarm.
            return


def inherited_sockets(environ: Mapping[str, str], *, pid: int) -> list[socket.socket]:
    """The listening sockets that systemd hands over (``LISTEN_FDS``); empty without socket activation."""
    count = environ.get("LISTEN_FDS", "")
    if not count.isdigit() or environ.get("LISTEN_PID") != str(pid):
        return []
    sockets = [socket.socket(fileno=fd) for fd in range(FIRST_FD, FIRST_FD + int(count))]
    for inherited in sockets:
        inherited.setblocking(False)
        inherited.set_inheritable(False)
    return sockets
