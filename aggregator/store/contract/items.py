"""Items and stories, for whoever shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from aggregator.model import Activity, Item, Provenance, RelatedItem, Scope, SearchCounts, Story

__all__ = ["ItemStore"]


class ItemStore(Protocol):
    """Items, for whoever shows them. Dropped items and those of signal sources are in no listing."""

    def resolve(self, item_id: str) -> str | None:
        """The id under which this item is shown now (itself, or the one it was merged into); None: never existed."""

    def items(self, ids: Sequence[str]) -> list[Item]:
        """These items in this order; ids that are unknown or no longer shown are left out, merged ones resolved."""

    def latest(self, scope: Scope, *, limit: int, before: tuple[datetime, str] | None = None) -> list[Item]:
        """Newest first by (published, id); `before` continues behind that place. limit 0: all."""

    def search(
        self, words: str, *, limit: int, scope: Scope = ..., before: tuple[datetime, str] | None = None
    ) -> list[Item]:
        """Items that contain all the words, newest first. Any text is a valid query. `before` as in `latest`."""

    def search_titles(self, words: str, *, limit: int, scope: Scope = ...) -> list[tuple[str, str]]:
        """(id, title) of what `search` finds, newest first, a row for each title that an item has: cheap for many."""

    def search_counts(self, words: str, *, scope: Scope = ...) -> SearchCounts:
        """Where the items of `search` stand, counted among the entries that were stored last."""

    def stories(self, *, min_sources: int, limit: int) -> Iterator[Story]:
        """Stories carried by at least `min_sources` distinct sources, the most recently moved first. limit 0: all."""

    def story(self, story: str) -> Story | None:
        """One story; former story ids resolve. None: there is no such story, or nothing of it is shown any more."""

    def stories_each(self, stories: Sequence[str]) -> list[Story | None]:
        """`story` for each of these ids, in their order: what a page of many items asks once."""

    def related(self, item_id: str, *, limit: int) -> list[RelatedItem]:
        """What is related to an item, then what is alike at all (`more`), best first; never its story's items."""

    def related_each(self, ids: Sequence[str], *, limit: int) -> list[list[RelatedItem]]:
        """`related` for each of these ids, in their order: what a list of many items asks once."""

    def languages(self, *, since: datetime) -> dict[str, int]:
        """How many items that were published since then are shown, by language without region; "": unknown."""

    def activity(self, *, since: datetime) -> Activity:
        """What was published since then and is shown, counted by section and source."""

    def provenance(self, item_id: str) -> Provenance | None:
        """Why the item is what it is."""

    def generation(self) -> int:
        """A number that changes whenever anything that readers see has changed, in whichever process.

        Of the health of sources it follows names and states, not the times of polls.
        """
