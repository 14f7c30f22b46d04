"""Which items belong to the operator's own feeds. Items are read once; what was found out is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from aggregator.curate.rules import Match, compile_match, subject_of_item
from aggregator.model import Candidate, OwnFeed
from aggregator.store import Store

__all__ = ["Matching"]

#: items that are read at once
CHUNK = 500
NONE: frozenset[str] = frozenset()


class Matching:
    """Matches items to the expressions of ``[[feeds]]``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._matches: dict[str, Match] = {}
        #: the expressions that an item fulfils, of all there are
        self._known: dict[str, frozenset[str]] = {}

    def expect(self, feeds: Iterable[OwnFeed]) -> bool:
        """These are the feeds from now on; whether that asks for looking at everything again."""
        wanted = {feed.match for feed in feeds if feed.match is not None}
        if wanted == self._matches.keys():
            return False
        self._matches = {text: compile_match(text) for text in wanted}
        self._known = {}
        return True

    def forget(self, item_ids: Iterable[str]) -> None:
        """The text of these items has changed, or they are of interest no more."""
        for item_id in item_ids:
            self._known.pop(item_id, None)

    def forget_all(self) -> None:
        """Nothing is known."""
        self._known = {}

    def learn(self, item_ids: Iterable[str], *, stopped: Callable[[], bool]) -> None:
        """Looks at those of these items that are not known yet."""
        if not self._matches:
            return
        unknown = [item_id for item_id in item_ids if item_id not in self._known]
        for start in range(0, len(unknown), CHUNK):
            if stopped():
                return
            self._look(unknown[start : start + CHUNK])

    def _look(self, item_ids: Sequence[str]) -> None:
        for item in self._store.items(item_ids):
            subject = subject_of_item(item)
            self._known[item.id] = frozenset(text for text, match in self._matches.items() if match(subject))

    def of(self, item: Candidate) -> frozenset[str]:
        """The expressions that an item fulfils: each names the shelf of the feeds that ask for it."""
        return self._known.get(item.item_id, NONE)
