"""A whole store, to be copied to another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

__all__ = ["TransferStore"]

Key = tuple[Any, ...]


class TransferStore(Protocol):
    """Reads and writes rows as they are. Nobody else may use the store that is written to meanwhile."""

    def export_rows(self, table: str, after: Key | None) -> tuple[list[dict[str, Any]], Key | None]:
        """Rows of a table behind this key, in the order of keys; and the last key, None at the end."""

    def import_rows(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds rows as another store exported them; those that are there already are left as they are."""

    def last_imported(self, table: str) -> Key | None:
        """The greatest key of a table; None if it is empty. Copying goes on behind it."""

    def row_count(self, table: str) -> int:
        """How many rows a table has."""

    def digest_of(self, table: str) -> str:
        """A hash over all rows of a table, the same on every engine."""

    def finish_import(self) -> None:
        """Makes what follows from the rows: counters, sequences of ids, an empty change log."""
