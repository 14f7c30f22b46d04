"""What curating reads and decides: texts, merges, stories, lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from aggregator.model import (
    Candidate,
    CandidateChanges,
    ChangeCursor,
    Curation,
    Doubt,
    ItemList,
    ItemText,
    ListKey,
    Population,
    Verdict,
)

__all__ = ["CurationStore"]


class CurationStore(Protocol):
    """The loop store → curate → store."""

    def pending(self, *, limit: int) -> list[ItemText]:
        """Items that are new or whose text changed since they were curated: the newest so many, oldest first."""

    def history(
        self, *, since: datetime, before: datetime | None = None, newest: int | None = None
    ) -> Iterator[ItemText]:
        """Curated items published since then, oldest first: what an index in memory is rebuilt from.

        With `before` only those published earlier than that; with `newest` only so many, the newest of them.
        """

    def texts(self, ids: Sequence[str]) -> list[ItemText]:
        """These items as texts to compare; ids that are unknown, merged or no longer shown are left out."""

    def curated_ids(self, *, since: datetime) -> list[str]:
        """Ids of the curated items published since then, by whichever process."""

    def decisions(self) -> int:
        """How many batches of decisions have ever been committed (`put_curation`), by whichever process."""

    def doubted(self, *, limit: int) -> list[Doubt]:
        """Items that absorbed others for their texts (never by address) of which one has been edited since."""

    def put_curation(self, curation: Curation, *, now: datetime) -> None:
        """Commits a batch of decisions. Merged items keep every entry, view and like; absorbed ids redirect.

        A merge that is undone (`splits`) gives the absorbed id an item again, with the entries it had; what was seen
        and liked stays with the item that had absorbed it. Both wait to be curated.
        """

    def candidates(self, *, since: datetime, now: datetime, limit: int = 0) -> list[Candidate]:
        """Shown items viewed since then, and the `limit` (0: all) newest of those first seen since then.

        As they stood at `now`: sources, links, views and likes that came later are not counted. What carries no time
        (the counts that feeds report, what rules say, what was merged) is as it is today.
        """

    def candidate_changes(
        self, population: Population, *, after: ChangeCursor | None, now: datetime
    ) -> CandidateChanges:
        """What has changed of the candidates since a cursor, by whichever process; everything if there is no cursor.

        Together, all changes since a `whole` answer give what `candidates` gives, and `view_counts` of each window.
        They hold for `cursor.at`: `now`, or a little later where the store has seen something meanwhile. Where a cursor
        cannot be followed (another population, a clock that went back), everything is given anew. The words, address,
        author, section and source that `items` gives of a candidate are what they were when it came, unless it is
        among the `edited`.
        """

    def put_lists(self, lists: Iterable[ItemList]) -> None:
        """Replaces these lists. A list that did not change is not written."""

    def get_list(self, key: ListKey) -> ItemList | None:
        """The list as it was last computed."""

    def entries_since(self, since: datetime) -> Iterator[tuple[int, str, ItemText, tuple[str, ...], str]]:
        """(source id, entry id, text, categories, author or "") of stored entries: for re-applying rules."""

    def put_verdicts(self, verdicts: Mapping[tuple[int, str], Verdict]) -> int:
        """Replaces the verdicts of these entries (source id, entry id); how many changed."""
