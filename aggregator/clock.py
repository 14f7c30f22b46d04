"""Clocks for the daemon: one that a jump of the wall clock does not mislead, and one of another machine.

The wall clock is right almost always and wrong now and then: a board without a battery starts in 1970, somebody types
the wrong year, a virtual machine is restored. Due times that follow such a jump either all fire at once or not for an
hour. This clock runs on the time since boot (which counts suspension, unlike the monotonic clock) and follows the wall
clock only where it differs by little, or for long enough that it must be meant.

Processes on several machines that share a database must agree on what is due and until when it is leased: `RemoteClock`
is the clock of the database's machine, whatever one's own says.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

#: smaller differences are the slewing of NTP and are taken over at once
SMALL_STEP = timedelta(seconds=2)
_SMALL_STEP_S = SMALL_STEP.total_seconds()
#: a larger difference that has lasted this long is the new truth
PATIENCE = timedelta(minutes=10)
_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def wall() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def since_boot_s() -> float:
    """Seconds since boot, suspension included where the system can tell."""
    return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)


class SteadyClock:
    """Gives `now`; a jump of the wall clock shows only after `patience`."""

    def __init__(
        self,
        *,
        wall: Callable[[], datetime] = wall,
        elapsed_s: Callable[[], float] = since_boot_s,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._wall = wall
        self._elapsed_s = elapsed_s
        self._patience_s = patience.total_seconds()
        self._anchor = wall()
        self._anchored_s = elapsed_s()
        self._odd_since_s: float | None = None

    def __call__(self) -> datetime:
        """The time, aware and UTC."""
        # asked for with every view: the usual case makes no values that it does not need
        elapsed_s, wall_now = self._elapsed_s(), self._wall()
        since_anchor_s = elapsed_s - self._anchored_s
        if abs((wall_now - self._anchor).total_seconds() - since_anchor_s) <= _SMALL_STEP_S:
            return self._follow(wall_now, elapsed_s)
        if self._odd_since_s is None:
            self._odd_since_s = elapsed_s
        if elapsed_s - self._odd_since_s >= self._patience_s:
            return self._follow(wall_now, elapsed_s)
        return self._anchor + timedelta(seconds=since_anchor_s)

    @property
    def jumped(self) -> bool:
        """Whether the wall clock is, at the moment, not believed."""
        return self._odd_since_s is not None

    def _follow(self, wall_now: datetime, elapsed_s: float) -> datetime:
        self._anchor, self._anchored_s, self._odd_since_s = wall_now, elapsed_s, None
        return wall_now


class RemoteClock:
    """The wall clock of another machine: what it said when it was read last, and the time that has passed since."""

    def __init__(
        self,
        ask: Callable[[], datetime],
        *,
        wall: Callable[[], datetime] = wall,
        elapsed_s: Callable[[], float] = since_boot_s,
    ) -> None:
        """Reads it. Raises what `ask` raises."""
        self._ask, self._wall, self._elapsed_s = ask, wall, elapsed_s
        #: a time of that machine, and when it was that time
        self._told, _ = self._read()

    def read(self) -> None:
        """Asks the other machine; may block. Raises what `ask` raises.

        The answer was right at some time between question and answer: it changes nothing if it may have been right by
        this clock.
        """
        (told, told_s), within_s = self._read()
        if abs((told - self._at(told_s)).total_seconds()) > within_s:
            self._told = told, told_s

    def _read(self) -> tuple[tuple[datetime, float], float]:
        """An answer, when it was right, and by how many seconds at most it was so earlier or later."""
        asked_s = self._elapsed_s()
        told = self._ask()
        half_s = (self._elapsed_s() - asked_s) / 2
        return (told, asked_s + half_s), half_s

    def __call__(self) -> datetime:
        """The time there, aware and UTC."""
        return self._at(self._elapsed_s())

    @property
    def ahead(self) -> timedelta:
        """How far the wall clock of this machine is ahead of that one; negative where it is behind."""
        return self._wall() - self()

    def _at(self, elapsed_s: float) -> datetime:
        told, told_s = self._told
        return told + timedelta(seconds=elapsed_s - told_s)
