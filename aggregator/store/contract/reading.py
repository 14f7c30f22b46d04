"""Room: what is kept for readers with an address of their own, and values that are minted once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from aggregator.model import ItemState

__all__ = ["ReadingStore"]


class ReadingStore(Protocol):
    """What readers have read and starred (Google Reader API), and what stays as it was first written."""

    def mint(self, name: str, value: str) -> str:
        """The value under this name; `value` is written there, durably, if there is none yet. Safe for many at once."""

    def minted(self, prefix: str, *, limit: int) -> list[tuple[str, str]]:
        """(name, value) of the minted values whose names begin with `prefix`, the greatest name first. limit 0: all."""

    def unmint(self, names: Sequence[str]) -> None:
        """Removes minted values, durably: they may be minted again. Unknown names are ignored."""

    def mark_items(
        self, token: str, ids: Sequence[str], *, read: bool | None = None, starred: bool | None = None, now: datetime
    ) -> int:
        """Sets what a reader has read or starred (None: as it is); how many ids are items. NotFound: no reader."""

    def item_states(self, token: str, ids: Sequence[str]) -> dict[str, ItemState]:
        """What a reader has made of these items; those that were never marked are absent."""

    def starred(self, token: str, *, limit: int) -> list[str]:
        """The ids of the items that a reader has starred, the last starred first. limit 0: all."""
