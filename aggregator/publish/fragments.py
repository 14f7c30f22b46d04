"""What has been rendered of single items, for the next list that holds them: work follows what has changed."""

from __future__ import annotations

import operator
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar, cast

#: an item is four of them: what is said of it, and its entry in three formats; lists hold some hundreds of items
_MOST: Final = 2_000

V = TypeVar("V")
R = TypeVar("R")


class Fragments:
    """What was made of values, by key: made again when the value has changed. May be used from any thread."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[Any, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, value: V, make: Callable[[], R], *, same: Callable[[V, V], bool] = operator.eq) -> R:
        """What `make` gave for this key when its value was the same; else what it gives now."""
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
        if known is not None and same(known[0], value):
            return cast("R", known[1])
        made = make()
        with self._lock:
            self._kept[key] = (value, made)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made
