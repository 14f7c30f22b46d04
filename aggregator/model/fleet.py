"""Processes that work on one store together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["ROLES", "AddressSlot", "LeftSlot", "Process"]

#: what a process can do: poll sources; curate, one process at a time; serve pages and feeds
ROLES = ("collect", "curate", "serve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of the fleet, as it last reported itself."""

    id: str
    #: of `ROLES`, those that it was started with
    roles: tuple[str, ...]
    host: str
    version: str
    started: datetime
    #: when it was last heard of; now, for a report
    seen: datetime | None = None
    #: the role that it holds by lease; None: none
    holds: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSlot:
    """The answer to a process that wants to send a request to an address."""

    #: under which the slot is held and given back; None: another process has it, or the gap has not passed
    token: int | None = None
    #: how long to wait at the most before asking again
    wait: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftSlot:
    """A slot that is given back."""

    address: str
    token: int
    #: how long nobody may ask this address from now on
    rest: timedelta
