"""The facts about a request that decide whether somebody read something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One request for an item, as the server saw it."""

    method: str
    #: who connected: the peer's address; behind a proxy that is the proxy
    peer: str
    #: by lower-case name
    headers: Mapping[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str:
        """A header's value in lower case, stripped; "" if absent."""
        return self.headers.get(name, "").strip().lower()
