"""What the shared statements need of an engine: snapshots to read, transactions to write, and connections in both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

__all__ = ["NO_LIMIT", "Connection", "Cursor", "Engine", "Row"]

#: for LIMIT, where there is none
NO_LIMIT = 1 << 62

One = TypeVar("One")
T = TypeVar("T")

#: what is bound to the placeholders of a statement, by position or by name
Values = Sequence[Any] | Mapping[str, Any]


class Row(Protocol):
    """One row of a result: its values by position and by column name; iterating gives the values."""

    def __getitem__(self, key: Any, /) -> Any:
        """The value at this position or in this column."""

    def __iter__(self) -> Iterator[Any]:
        """The values in the order of the columns."""

    def keys(self) -> Iterable[str]:
        """The names of the columns."""


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows an INSERT, UPDATE or DELETE changed."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """The rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """The rows, one at a time."""


class Connection(Protocol):
    """A connection in an open transaction, and what engines do in ways of their own.

    Placeholders are ``?``, each for the next value, or ``:name`` where a value is used twice or there are many.
    Statements use what all engines take: ``ON CONFLICT (columns)``, ``IS DISTINCT FROM``, TRUE and FALSE, `greatest`
    and `least` of values that are not NULL, ``json_each(text)`` with a cast of its values.
    """

    def execute(self, sql: str, parameters: Values = ..., /) -> Cursor:
        """Runs one statement."""

    def executemany(self, sql: str, parameters: Iterable[Values], /) -> Cursor:
        """Runs one statement for each set of values."""

    @property
    def row_lock(self) -> str:
        """What a SELECT ends with whose rows nobody else may change until the transaction ends."""

    @property
    def shared_lock(self) -> str:
        """The same for rows that others may lock in this way too, but not change."""

    @property
    def or_fail(self) -> str:
        """What an UPDATE begins with whose failure ends the transaction, so that it need not be undone alone."""

    def now_ms(self, now_ms: int, /) -> int:
        """The time of the server's clock, where there is a server; else this one."""

    @property
    def generation_counter(self) -> str:
        """The counter that this connection raises when readers see a change; the generation is the sum of all."""

    def lock_addresses(self, link_keys: Sequence[bytes], /) -> None:
        """Lets no other transaction store entries at these addresses until this one ends."""

    def last_change(self) -> int:
        """A number of the change log such that every change that is not visible yet will have a greater one."""

    def insert_rows(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], /) -> None:
        """Inserts new rows; the transaction fails where one of them is there already."""

    def new_ids(self, table: str, count: int, /) -> Sequence[int]:
        """So many row ids that the table has never had, ascending."""

    def give_space_back(self) -> None:
        """Gives space that rows have left back to the file system, where nothing else does."""

    def size_bytes(self) -> int:
        """The size of the whole store on disk."""

    def continue_ids(self) -> None:
        """Lets new row ids begin behind those that were written by copying."""

    def index_words(self, rows: Sequence[tuple[int, str]], /) -> None:
        """Makes entries (row id, words) findable."""

    def unindex_words(self, rows: Sequence[tuple[int, str]], /) -> None:
        """Makes entries unfindable; `words` must be those that they were indexed with."""

    def find_words(self, words: str, limit: int, /) -> list[int]:
        """Row ids of the entries that contain all the words, the newest first. Any text is a valid query."""


class Engine(Protocol):
    """Reads a snapshot, writes a transaction. Raises nothing but StoreError and its leaves."""

    def read(self, run: Callable[[Connection], T], /) -> T:
        """What `run` finds in one consistent snapshot."""

    def write(self, run: Callable[[Connection], T], /, *, lasting: bool = True) -> T:
        """What `run` returns, once its changes are durable; if it raises, nothing has changed.

        Not `lasting`: a power cut may undo it, unless something else has been written since; nothing else can.
        """

    def write_all(
        self, items: Sequence[One], run: Callable[[Connection, Sequence[One]], Sequence[T | Exception]], /
    ) -> list[T | Exception]:
        """Of each item what `run` gives, or the error for which it has changed nothing; once all of it is durable."""
