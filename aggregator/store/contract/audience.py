"""Views, likes and readers with feeds of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from aggregator.model import ItemText, Reader, View

__all__ = ["AudienceStore"]


class AudienceStore(Protocol):
    """Who opened what, without knowing who."""

    def record_views(self, views: Sequence[View]) -> None:
        """Appends views; they survive ``kill -9`` when this returns and a power cut a second later.

        Cheap enough to be called for every request. A repeated (item, visitor, day) is the caller's to avoid
        (`visitors`), but harmless: folding counts it once. A visitor has at most 32 bytes.
        """

    def visitors(self, day_start: datetime) -> set[tuple[str, bytes]]:
        """(item id, visitor) of the views recorded since then, folded or not: who has been counted today."""

    def fold_views(self) -> int:
        """Moves what `record_views` appended into the counts, exactly once; how many views were counted."""

    def forget_visitors(self, before: datetime) -> None:
        """Destroys every visitor hash older than that; the counts stay."""

    def view_counts(self, *, since: datetime, until: datetime, ids: Sequence[str] | None = None) -> dict[str, int]:
        """Views by item with since ≤ time < until, exact to the 5-minute bucket; items without views are absent."""

    def views_by_hour(self, item_id: str, *, since: datetime, until: datetime) -> list[int]:
        """Views of one item in each hour (UTC) from that of `since` to the last that began before `until`."""

    def views_by_section(self, *, since: datetime, until: datetime) -> dict[str, int]:
        """Views in that time of shown items, by section; exact to the 5-minute bucket."""

    def add_impressions(self, weights: Mapping[str, float], *, at: datetime) -> None:
        """Adds to how often these items were shown to readers: by item id, the weights of the places it stood at.

        A place weighs 1 / log2(1 + place), counted once a page view and item. Kept by the hour; ids of merged items
        count for the item they became, unknown ones are dropped. No reader is named, and `generation` stays.
        """

    def like(self, item_id: str, *, visitor: bytes, now: datetime) -> bool:
        """Records a like, durably; False if this visitor has liked it before. Raises NotFound."""

    def count_once(self, mark: str, views: Sequence[View]) -> int:
        """Records views of an imported log; a second call with the same `mark` counts nothing. How many counted."""

    def add_reader(self, name: str, token: str, *, now: datetime) -> Reader:
        """A reader with a private address; StoreError if the name is taken."""

    def remove_reader(self, name: str) -> bool:
        """Forgets a reader and all that was learnt; False if there was none."""

    def readers(self) -> list[Reader]:
        """All readers, by name."""

    def record_opened(self, token: str, item_id: str, *, now: datetime) -> bool:
        """A reader opened an item through their own feed; False if the token or the item is unknown."""

    def opened(self, token: str, *, limit: int) -> list[tuple[ItemText, datetime]]:
        """What a reader opened, newest first."""
