"""Which items belong to the operator's own feeds. Items are read once; what was found out is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from aggregator.curate.rules import Match, compile_match, subject_of_item
from aggregator.model import Candidate, OwnFeed
from aggregator.store import Store

__all__ = ["Matching"]

#: items that are read at once
CHUNK = 500


class Matching:
    """Matches items to the expressions of ``[[feeds]]``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._matches: dict[str, Match] = {}
        #: the expressions that an item fulfils, of all there are
        self._known: dict[str, frozenset[str]] = {}

    def expect(self, feeds: Iterable[OwnFeed]) -> None:
        """These are the feeds from now on."""
        wanted = {feed.match for feed in feeds if feed.match is not None}
        if wanted != self._matches.keys():
            self._matches = {text: compile_match(text) for text in wanted}
            self._known = {}

    def forget(self, item_ids: Iterable[str]) -> None:
        """The text of these items has changed."""
        for item_id in item_ids:
            self._known.pop(item_id, None)

    def learn(self, candidates: Sequence[Candidate], *, stopped: Callable[[], bool]) -> None:
        """Looks at those items that are not known yet, and remembers none that is not among the candidates."""
        if not self._matches:
            return
        present = {item.item_id for item in candidates}
        self._known = {item_id: found for item_id, found in self._known.items() if item_id in present}
        unknown = [item_id for item_id in present if item_id not in self._known]
        for start in range(0, len(unknown), CHUNK):
            if stopped():
                return
            self._look(unknown[start : start + CHUNK])

    def _look(self, item_ids: Sequence[str]) -> None:
        for item in self._store.items(item_ids):
            subject = subject_of_item(item)
            self._known[item.id] = frozenset(text for text, match in self._matches.items() if match(subject))

    def of(self, feed: OwnFeed, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """The candidates that belong to the feed."""
        if feed.match is None:
            return candidates
        none: frozenset[str] = frozenset()
        return [item for item in candidates if feed.match in self._known.get(item.item_id, none)]
