"""What a source says again and again under the same title or in the same words. Pure."""

from __future__ import annotations

from aggregator.curate.document import Document

__all__ = ["Series"]


class Series:
    """What a source says again and again: its "Letters", its weather, its "listen to the latest bulletin".

    A text of which its own source has another with the same title (but for numbers) or the very same lead is an issue
    of a series, and no source's issue is a copy of anything.
    """

    def __init__(self) -> None:
        #: the first item with a mark, and the others; few have any
        self._first: dict[int, str] = {}
        self._others: dict[int, set[str]] = {}

    def recurs(self, document: Document) -> bool:
        """Its source has another item like it."""
        return any(
            self._first.get(mark, document.item_id) != document.item_id or self._others.get(mark)
            for mark in _marks(document)
        )

    def note(self, document: Document) -> None:
        """The item exists."""
        for mark in _marks(document):
            if self._first.setdefault(mark, document.item_id) != document.item_id:
                self._others.setdefault(mark, set()).add(document.item_id)

    def forget(self, document: Document) -> None:
        """The item is not known any more."""
        for mark in _marks(document):
            others = self._others.get(mark, set())
            others.discard(document.item_id)
            if self._first.get(mark) == document.item_id:
                del self._first[mark]
                if others:
                    self._first[mark] = others.pop()
            if not others:
                self._others.pop(mark, None)


def _marks(document: Document) -> tuple[int, ...]:
    return (document.series,) if document.phrase is None else (document.series, document.phrase)
