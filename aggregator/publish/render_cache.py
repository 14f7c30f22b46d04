"""Caches: of rendered entries of feeds and pages, so that only changed items are rendered again; of readings."""

from __future__ import annotations

import operator
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar, cast

from aggregator.model import Item

#: an item is what is said of it and its entry in three formats, as bytes: of summaries that is about a thousand items
_MAX_BYTES: Final = 8_000_000
#: what a fragment costs beside its bytes: its key, its stamp, its place
_OVERHEAD_BYTES: Final = 600

#: readings that are kept: on a page stand up to a dozen lists, and a feed is asked for in three formats at once
_MAX_READ: Final = 128
#: from so many items on they are not counted with each change
_MUCH: Final = 5_000

T = TypeVar("T")
V = TypeVar("V")
R = TypeVar("R")


class RenderCache:
    """What was made of values, by key: made again when the value has changed. May be used from any thread."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        #: value, what was made of it, size
        self._kept: OrderedDict[Hashable, tuple[Any, Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self,
        key: Hashable,
        value: V,
        make: Callable[[], R],
        *,
        size: Callable[[R], int],
        same: Callable[[V, V], bool] = operator.eq,
    ) -> R:
        """What `make` gave for this key and this value; else what it gives now, which has that `size` in bytes."""
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
        if known is not None and (known[0] is value or same(known[0], value)):
            self._keep_as(key, known, value)
            return cast("R", known[1])
        made = make()
        size_bytes = size(made) + _OVERHEAD_BYTES
        with self._lock:
            former = self._kept.pop(key, None)
            self._kept[key] = (value, made, size_bytes)
            self._size += size_bytes - (former[2] if former else 0)
            while self._size > self._max_bytes:
                self._size -= self._kept.popitem(last=False)[1][2]
        return made

    def _keep_as(self, key: Hashable, known: tuple[Any, Any, int], value: Any) -> None:
        """The next to ask comes with this very value more likely than with the one that was like it."""
        if known[0] is not value:
            with self._lock:
                if self._kept.get(key) is known:
                    self._kept[key] = (value, *known[1:])


class ReadCache:
    """What was read from the store, by key: read again when the store has changed. May be used from any thread."""

    def __init__(self, generation: Callable[[], int]) -> None:
        self._generation = generation
        self._read: dict[Hashable, tuple[int, Any]] = {}
        #: what is counted now and then, by name: the period it was counted in, the value, of how many items
        self._counted: dict[str, tuple[int, Any, int]] = {}
        self._lock = threading.Lock()

    def once(self, key: Hashable, read: Callable[[], T]) -> T:
        """What was read for another page or in another format, if nothing has changed since."""
        generation = self._generation()
        with self._lock:
            known = self._read.pop(key, None)
        if known is None or known[0] != generation:
            known = (generation, read())
        with self._lock:
            self._read[key] = known
            while len(self._read) > _MAX_READ:
                del self._read[next(iter(self._read))]
        return cast("T", known[1])

    def counted(self, name: str, read: Callable[[], tuple[T, int]], *, now: datetime, every_s: int) -> T:
        """A value that `read` gives with how many items it counts: anew with each change while they are few.

        Of many at most `every_s` seconds old.
        """
        period = int(now.timestamp() // every_s)
        known = self._counted.get(name)
        if known is not None and known[0] == period and known[2] > _MUCH:
            return cast("T", known[1])
        value, items = self.once(("counted", name), read)
        self._counted[name] = (period, value, items)
        return value


def same_but_counts(one: Item, other: Item) -> bool:
    """Whether two states of an item differ in nothing but how often it was opened and liked, ever.

    Lists tell neither: what they count are the readers of a window, which stand in the place.
    """
    return one is other or one == other or replace(one, views=other.views, likes=other.likes) == other
