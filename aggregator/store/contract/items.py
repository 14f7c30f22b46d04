"""Items and stories, for whoever shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from aggregator.model import Item, Provenance, Scope

__all__ = ["ItemStore"]


class ItemStore(Protocol):
    """Items, for whoever shows them. Dropped items and those of signal sources are in no listing."""

    def resolve(self, item_id: str) -> str | None:
        """The id under which this item is shown now (itself, or the one it was merged into); None: never existed."""

    def items(self, ids: Sequence[str]) -> list[Item]:
        """These items in this order; ids that are unknown or no longer shown are left out, merged ones resolved."""

    def latest(self, scope: Scope, *, limit: int, before: tuple[datetime, str] | None = None) -> list[Item]:
        """Newest first by (published, id); `before` continues behind that place. limit 0: all."""

    def search(self, words: str, *, limit: int) -> list[Item]:
        """Items that contain all the words, newest first. Any text is a valid query."""

    def stories(self, *, min_sources: int, limit: int) -> Iterator[tuple[str, list[Item]]]:
        """Stories carried by at least `min_sources` distinct sources, the most recently moved first. limit 0: all."""

    def story(self, story: str) -> list[Item]:
        """The items of one story, oldest first; former story ids resolve."""

    def related(self, item_id: str, *, limit: int) -> list[tuple[Item, float]]:
        """Items on the same subject with their scores, best first; never the item itself or its story's items."""

    def related_each(self, ids: Sequence[str], *, limit: int) -> list[list[tuple[Item, float]]]:
        """`related` for each of these ids, in their order: what a list of many items asks once."""

    def provenance(self, item_id: str) -> Provenance | None:
        """Why the item is what it is."""

    def generation(self) -> int:
        """A number that changes whenever anything that readers see has changed, in whichever process.

        Of the health of sources it follows names and states, not the times of polls.
        """
