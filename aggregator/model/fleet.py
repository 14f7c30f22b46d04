"""Processes that work on one store together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["ROLES", "Process"]

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
