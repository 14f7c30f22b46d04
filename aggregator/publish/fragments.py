"""What has been rendered of single items, for the next list that holds them: work follows what has changed."""

from __future__ import annotations

import operator
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar, cast

#: in characters. An item is four fragments, what is said of it and its entry in three formats: of summaries that is
#: about a thousand items, of whole articles about fifty
_MOST: Final = 8_000_000
#: what a fragment costs beside its text
_EACH: Final = 1_500

V = TypeVar("V")
R = TypeVar("R")


class Fragments:
    """What was made of values, by key: made again when the value has changed. May be used from any thread."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._size = 0
        #: value, what was made of it, size
        self._kept: OrderedDict[Hashable, tuple[Any, Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, key: Hashable, value: V, make: Callable[[], R], *, size: int, same: Callable[[V, V], bool] = operator.eq
    ) -> R:
        """What `make` gave for this key when its value was the same; else what it gives now, of about that `size`."""
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
        if known is not None and same(known[0], value):
            return cast("R", known[1])
        made = make()
        with self._lock:
            former = self._kept.pop(key, None)
            self._kept[key] = (value, made, size + _EACH)
            self._size += size + _EACH - (former[2] if former else 0)
            while self._size > self._most:
                self._size -= self._kept.popitem(last=False)[1][2]
        return made
