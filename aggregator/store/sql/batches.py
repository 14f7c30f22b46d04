"""Many keys in one statement, of which there are few kinds: the engine reads each kind once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

__all__ = ["padded_batches", "placeholders"]

T = TypeVar("T")

_MOST = 512


def padded_batches(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    """The keys, at most `_MOST` at a time, in powers of two: the last one is repeated until its block is full.

    Reading a statement of two hundred keys takes longer than looking for them, and no two documents have as many.
    """
    for start in range(0, len(keys), _MOST):
        some = keys[start : start + _MOST]
        size = 1 << (len(some) - 1).bit_length()
        yield [*some, *[some[-1]] * (size - len(some))]


def placeholders(count: int, one: str = "?") -> str:
    """Places for so many keys."""
    return ", ".join([one] * count)
