"""Measures of clusterings, pairs and rankings, from their definitions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import fmean


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """How well clusters agree with the truth (B³: Bagga and Baldwin 1998; ARI: Hubert and Arabie 1985)."""

    b3_precision: float
    b3_recall: float
    b3: float
    ari: float
    pair_precision: float
    pair_recall: float
    pair_f1: float


def harmonic(one: float, other: float) -> float:
    """F1 of precision and recall."""
    return 2 * one * other / (one + other) if one + other else 0.0


def clustering(found: Mapping[str, Hashable], truth: Mapping[str, Hashable]) -> Clustering:
    """`found` and `truth` give the cluster of each item."""
    total = len(truth)
    sizes, classes = Counter(found[item] for item in truth), Counter(truth.values())
    cells = Counter((found[item], truth[item]) for item in truth)
    precision = sum(count * count / sizes[cluster] for (cluster, _), count in cells.items()) / total
    recall = sum(count * count / classes[label] for (_, label), count in cells.items()) / total
    together, mine, theirs = (sum(math.comb(n, 2) for n in c.values()) for c in (cells, sizes, classes))
    chance = mine * theirs / math.comb(total, 2)
    spread = (mine + theirs) / 2 - chance
    pair_precision, pair_recall = together / max(1, mine), together / max(1, theirs)
    return Clustering(
        b3_precision=precision,
        b3_recall=recall,
        b3=harmonic(precision, recall),
        ari=(together - chance) / spread if spread else 1.0,
        pair_precision=pair_precision,
        pair_recall=pair_recall,
        pair_f1=harmonic(pair_precision, pair_recall),
    )


def mean(results: Sequence[Clustering]) -> Clustering:
    """The mean of each figure."""
    return Clustering(**{one.name: fmean(getattr(r, one.name) for r in results) for one in fields(Clustering)})


def ndcg(ranked: Sequence[bool], relevant: int, *, at: int = 10) -> float:
    """Gain of the first `at` places against the best there could be, of `relevant` items in all."""
    gain = sum(hit / math.log2(place + 2) for place, hit in enumerate(ranked[:at]))
    best = sum(1 / math.log2(place + 2) for place in range(min(at, relevant)))
    return gain / best if best else 0.0


def unite(items: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Union-find: the cluster of each item when each pair is together."""
    parent = {item: item for item in items}

    def root(item: str) -> str:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for one, other in pairs:
        parent[root(one)] = root(other)
    return {item: root(item) for item in parent}
