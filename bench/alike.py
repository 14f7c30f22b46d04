"""How well related items are found: ours, with and without sentence vectors, beside BM25, TF-IDF and chance.

    python bench/alike.py [--data ../shared/data] [--no-vectors]

The items of the same story (NeuS) and of the same subject (SIB-200, 15 languages). Ours shows nothing below its floor,
so each method is measured twice: in ten places, where an empty one is a miss, and in as many as ours shows for that
item. Baselines compare all with all; ours looks at few. Exit code 1 where nDCG@10 on NeuS is below its floor.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import baselines
import labelled
import measures
from baselines import Ranker
from labelled import MOMENT, Labelled

from aggregator.curate import related
from aggregator.curate.embeddings import HOW_TO_INSTALL, Embeddings, Encoder, find_encoder
from aggregator.curate.inverted_index import InvertedIndex
from aggregator.model import ItemText

PLACES = 10
FLOOR = 0.82


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Means over all items: gain and share right in ten places, share right in as many as ours shows."""

    ndcg: float
    precision: float
    of_shown: float


def ours(items: Sequence[ItemText], meaning: Embeddings | None = None) -> Ranker:
    """What `related` gives, floor and re-ranking included."""
    index = InvertedIndex()
    documents = [index.read(item) for item in items]
    for item, document in zip(items, documents, strict=True):
        index.add(document)
        if meaning is not None:
            meaning.note(item)
    number = {document.item_id: at for at, document in enumerate(documents)}

    def rank(at: int) -> list[int]:
        document = documents[at]
        pairs = related.most_alike(
            document,
            index.probe(document),
            index.ask(document, since=MOMENT),
            index=index,
            siblings=frozenset(),
            embeddings=meaning,
            wider=lambda: index.ask(document, since=MOMENT, wide=True),
        )
        return [number[pair.other_id] for pair in pairs]

    return rank


def measured(one: Labelled, rank: Ranker, shown: Sequence[int] = ()) -> tuple[Figures, list[int]]:
    """The figures, and how many places each item fills; `shown`: how many ours fills."""
    labels = [one.label[item.item_id] for item in one.items]
    sizes = Counter(labels)
    gains, precisions, of_shown, filled = [], [], [], []
    for at, label in enumerate(labels):
        hits = [labels[other] == label for other in rank(at)[:PLACES]]
        gains.append(measures.ndcg(hits, sizes[label] - 1, at=PLACES))
        precisions.append(sum(hits) / PLACES)
        filled.append(len(hits))
        if first := hits[: shown[at] if shown else PLACES]:
            of_shown.append(fmean(first))
    return Figures(ndcg=fmean(gains), precision=fmean(precisions), of_shown=fmean(of_shown)), filled


BASELINES: dict[str, Callable[[Sequence[ItemText]], Ranker]] = {
    "BM25": baselines.bm25,
    "TF-IDF": baselines.tf_idf,
    "random": baselines.chance,
}
METHODS = ("ours", *BASELINES)


def row(name: str, sets: Sequence[Labelled]) -> float:
    """Prints one line of the table; the nDCG of ours."""
    found: dict[str, list[Figures]] = {method: [] for method in METHODS}
    filled: list[int] = []
    for one in sets:
        figures, shown = measured(one, ours(one.items))
        found["ours"].append(figures)
        filled += shown
        for method, make in BASELINES.items():
            found[method].append(measured(one, make(one.items), shown)[0])
    cells = [_cells(found[method]) for method in METHODS]
    print(f"  {name:<10}{fmean(filled):6.1f}  " + "  ".join(cells), flush=True)
    return fmean(one.ndcg for one in found["ours"])


def _cells(all_figures: Sequence[Figures]) -> str:
    means = [fmean(getattr(one, field) for one in all_figures) for field in ("ndcg", "precision", "of_shown")]
    return " ".join(f"{mean:5.3f}" for mean in means)


def with_vectors(named: Sequence[tuple[str, Sequence[Labelled]]], encode: Encoder) -> None:
    """English re-ranked by what sentences mean; the time is that of the vectors, one of each item."""
    print("with sentence vectors: nDCG@10, P@10, P of those shown; without → with")
    for name, sets in named:
        plain, better, ms = [], [], []
        for one in sets:
            timed = _Timed(encode)
            figures, shown = measured(one, ours(one.items))
            plain.append(figures)
            better.append(measured(one, ours(one.items, Embeddings(timed)), shown)[0])
            ms.append(timed.spent_s * 1000 / max(1, timed.times))
        print(f"  {name:<10}{_cells(plain)} → {_cells(better)}  {fmean(ms):.1f} ms a vector", flush=True)


class _Timed:
    def __init__(self, encode: Encoder) -> None:
        self._encode = encode
        self.spent_s, self.times = 0.0, 0

    def __call__(self, text: str) -> Sequence[float]:
        began = time.process_time()
        vector = self._encode(text)
        self.spent_s, self.times = self.spent_s + time.process_time() - began, self.times + 1
        return vector


def english(data: Path) -> Iterator[tuple[str, list[Labelled]]]:
    yield "NeuS", list(labelled.neus(data, folds=2))
    for one in labelled.subjects(data):
        if one.name.startswith("eng"):
            # feeds name languages by two letters
            items = [labelled.in_language(item, "en") for item in one.items]
            yield one.name, [Labelled(name=one.name, items=items, label=one.label)]


def run(data: Path, *, vectors: bool = True) -> float:
    """Prints everything; nDCG@10 of ours on NeuS."""
    print("related: nDCG@10, P@10, and P of as many as ours shows")
    print(f"  {'':<10}{'shown':>6}  " + "  ".join(f"{method:<17}" for method in METHODS))
    gain = row("NeuS", list(labelled.neus(data, folds=2)))
    for one in labelled.subjects(data):
        row(one.name, [one])
    row("BBC", [labelled.bbc_subjects(data)])
    encode = find_encoder() if vectors else None
    if encode is not None:
        with_vectors(list(english(data)), encode)
    else:
        print(
            f"with sentence vectors: skipped, {HOW_TO_INSTALL}" if vectors else "with sentence vectors: not asked for"
        )
    return gain


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures related items on labelled news.")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data")
    parser.add_argument("--no-vectors", action="store_true", help="leave the sentence vectors out")
    arguments = parser.parse_args()
    gain = run(arguments.data, vectors=not arguments.no_vectors)
    if gain < FLOOR:
        print(f"below the floor: nDCG@10 {gain:.3f} < {FLOOR}")
    return int(gain < FLOOR)


if __name__ == "__main__":
    sys.exit(main())
