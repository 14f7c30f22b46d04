from __future__ import annotations

import gc
import weakref

from aggregator.daemon.runtime import Collector, short_collections


class Node:
    """Something that refers to itself."""

    def __init__(self) -> None:
        self.me = self


def test_what_has_survived_a_long_collection_is_not_looked_at_again() -> None:
    with short_collections(Collector(long_s=0.0)):
        kept = [[number] for number in range(100_000)]
        gc.collect()
        assert gc.get_freeze_count() >= len(kept)
        assert len(gc.get_objects()) < len(kept) / 10
    assert gc.get_freeze_count() == 0
    assert not [callback for callback in gc.callbacks if isinstance(callback, Collector)]


def test_the_youngest_are_looked_at_less_often_within() -> None:
    before = gc.get_threshold()
    with short_collections():
        assert gc.get_threshold()[0] > 10 * before[0]
    assert gc.get_threshold() == before


def test_short_ones_put_nothing_aside() -> None:
    with short_collections(Collector(long_s=60.0)):
        gc.collect()
        assert gc.get_freeze_count() == 0


def test_a_cycle_that_was_put_aside_is_found_when_everything_is_looked_at() -> None:
    with short_collections(Collector(long_s=0.0)):
        forgotten = put_aside()
        gc.collect()
        assert forgotten() is not None
    with short_collections(Collector(long_s=0.0, thorough_s=0.0)):
        forgotten = put_aside()
        gc.collect()
        assert forgotten() is None


def put_aside() -> weakref.ref[Node]:
    """A cycle that nothing refers to any more, after a collection that it has survived."""
    node = Node()
    gc.collect()
    assert gc.is_tracked(node)
    return weakref.ref(node)
