"""Processes that work on one store together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["ROLES", "AddressSlot", "LeftSlot", "Process", "SharedDocument"]

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
    #: what it does for all, by lease: ``curate``, ``hubs`` (asks them), ``subscribers`` (tells them)
    holds: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDocument:
    """A text that all processes on a store go by, such as the applied configuration."""

    #: 1, 2, … each time it was written
    version: int
    text: str
    at: datetime
