"""How well and how fast curating does on labelled news, beside simple baselines and the floors it must not fall below.

    python bench/curate.py [--data ../shared/data] [--items 10000 100000 1000000] [--whole] [--unseen]

Duplicates on BBC, stories on ECB+, NeuS (training part only) and H11, related on NeuS and in 15 languages, then the
cost of items that are made up. Exit code 1 where a figure is below its floor.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, median, quantiles

import alike
import labelled
import measures
import story_sets
from labelled import MOMENT, Labelled

from aggregator.curate.curator import KEPT_AT_MOST, Curator
from aggregator.curate.duplicates import SHARED_TERMS, likeness
from aggregator.curate.inverted_index import InvertedIndex
from aggregator.curate.overlap import jaccard
from aggregator.curate.text import tokens
from aggregator.model import ItemText
from aggregator.refresh.refresher import READ_FIRST

BATCH = 200
SEARCHES = 300
#: figures a change may not fall below (CURATE.md 6)
FLOORS = {"ECB+": 0.84, "NeuS": 0.835, "NeuS, validation": 0.82, "H11": 0.89, "30 items a year": 0.94, "channel": 28}
FLOORS |= {"precision": 1.0, "nDCG@10": 0.82}
FLOORS |= {"recall": 0.86, "recall, 450 characters": 0.82}
#: and figures it may not rise above: ms to cluster an item, ms of a search for related (p95), MB, seconds at the start
CEILINGS = {"ms": 1.0, "related": 15.0, "memory": 400.0, "ready": 5.0}
#: of any set of pairs
CEILINGS |= {"look-alikes": 1.0, "missed": 1.0}
#: of stories
CEILINGS |= {"templates": 2.0, "apart": 0.0, "largest": 80.0, "largest, all": 100.0, "longest": 12.0}
#: of the baseline
THRESHOLDS = tuple(n / 100 for n in range(14, 40, 2))


class Verdicts:
    """Prints figures with their floors and remembers which fell below."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def line(self, name: str, figure: float, floor: float, rest: str, *, at_most: bool = False) -> None:
        """One figure beside its floor (or ceiling)."""
        good = figure <= floor if at_most else round(figure, 3) >= floor
        if not good:
            self.failed.append(name)
        sign = "≤" if at_most else "≥"
        print(
            f"  {name:<28}{figure:7.3f}  {sign} {floor:<5} {'ok' if good else 'BELOW THE FLOOR':<16}{rest}", flush=True
        )


# --- the same text --------------------------------------------------------------------
def duplicates(data: Path, verdicts: Verdicts) -> None:
    """BBC, whole and as short as leads of feeds are; then pairs that look alike, and copies."""
    items, truth = labelled.bbc(data)
    for name, chars in (("recall", 2_000), ("recall, 450 characters", 450)):
        began = time.process_time()
        found = set(_copies([replace(item, text=item.text[:chars]) for item in items]))
        took_ms = (time.process_time() - began) / len(items) * 1000
        print(f"near-duplicates: BBC, {len(items)} articles, {len(truth)} true pairs, {took_ms:.2f} ms an item")
        right = len(found & truth)
        verdicts.line("precision", right / max(1, len(found)), FLOORS["precision"], f"{right} of {len(found)} right")
        verdicts.line(name, right / len(truth), FLOORS[name], "")
    titles: dict[tuple[str, ...], list[str]] = {}
    for item in items:
        titles.setdefault(tuple(tokens(item.title)), []).append(item.item_id)
    same = {frozenset({a, b}) for ids in titles.values() for a in ids for b in ids if a < b}
    right = len(same & truth)
    print(f"  baseline, same title: precision {right / len(same):.3f}, recall {right / len(truth):.3f}")
    for name, pairs in labelled.pairs(data):
        look_alikes(name, pairs, verdicts)


def look_alikes(name: str, pairs: Sequence[labelled.Pair], verdicts: Verdicts) -> None:
    """How many of the pairs that only look alike become one item, and how many copies do."""
    merged = {id(pair) for pair in pairs if _is_merged(pair)}
    alike, copies = ([pair for pair in pairs if pair.is_same == same] for same in (False, True))
    wrong = [pair.kind for pair in alike if id(pair) in merged]
    missed = [pair.kind for pair in copies if id(pair) not in merged]
    rest = f"of {len(alike)} pairs {', '.join(wrong)}"
    verdicts.line(f"look-alikes merged, {name}", len(wrong), CEILINGS["look-alikes"], rest, at_most=True)
    rest = f"of {len(copies)} {', '.join(missed)}"
    verdicts.line(f"copies missed, {name}", len(missed), CEILINGS["missed"], rest, at_most=True)


def _is_merged(pair: labelled.Pair) -> bool:
    curator = Curator()
    return any(curator.decide([item]).merges for item in pair.items)


def _copies(items: Iterable[ItemText]) -> Iterator[frozenset[str]]:
    index = InvertedIndex()
    documents = [index.read(item) for item in items]
    is_common = partial(index.vocabulary.is_common, "en")
    for document in documents:
        for hit in index.ask(document, since=MOMENT):
            if hit.shared >= SHARED_TERMS and likeness(document, hit.document, is_common=is_common).is_copy:
                yield frozenset({document.item_id, hit.document.item_id})
        index.add(document)


# --- the same event -------------------------------------------------------------------
def stories(data: Path, verdicts: Verdicts) -> None:
    print("stories: B³ F1")
    for name, sets in (
        ("ECB+", [labelled.ecb_plus(data)]),
        ("NeuS", list(labelled.neus(data))),
        ("NeuS, validation", [labelled.neus_validation(data)]),
        ("H11", [labelled.headlines(data)]),
        ("30 items a year", [story_sets.small_site(data)]),
    ):
        results = [_cluster(one) for one in sets]
        mean = measures.mean([result for result, _ in results])
        ms = fmean(ms for _, ms in results)
        rest = (
            f"ARI {mean.ari:.3f}  P {mean.b3_precision:.3f} R {mean.b3_recall:.3f}  pairs P {mean.pair_precision:.3f}"
        )
        verdicts.line(name, mean.b3, FLOORS[name], f"{rest} R {mean.pair_recall:.3f}  {ms:.2f} ms an item")
        base, threshold = _single_pass(sets)
        print(
            f"  {'  single pass, TF-IDF':<28}{base.b3:7.3f}{'':26}with the best threshold for it, {threshold}",
            flush=True,
        )


def unseen(data: Path) -> None:
    """The validation part of NeuS and the test part of ECB+: looked at when all is decided, and never tuned on."""
    print("stories nobody tuned on: B³ F1")
    for one in (labelled.ecb_plus(data, "Test"), labelled.neus_validation(data)):
        result, _ = _cluster(one)
        base = measures.clustering(_by_titles(one), one.label)
        print(f"  {one.name:<28}{result.b3:7.3f}  ARI {result.ari:.3f}  baseline {base.b3:.3f}")


def _cluster(one: Labelled) -> tuple[measures.Clustering, float]:
    """How well the stories agree with the labels, and the ms of CPU an item."""
    began = time.process_time()
    found = story_sets.clustered(one.items)
    ms = (time.process_time() - began) / len(one.items) * 1000
    return measures.clustering({item_id: found[item_id] for item_id in one.label}, one.label), ms


def _single_pass(sets: Sequence[Labelled]) -> tuple[measures.Clustering, float]:
    """The best that single-pass clustering by TF-IDF reaches on these sets, and the threshold that gives it."""
    results: dict[float, list[measures.Clustering]] = {threshold: [] for threshold in THRESHOLDS}
    for one in sets:
        for threshold, found in zip(THRESHOLDS, story_sets.single_pass(one, thresholds=THRESHOLDS), strict=True):
            results[threshold].append(measures.clustering(found, one.label))
    means = {threshold: measures.mean(found) for threshold, found in results.items()}
    best = max(means, key=lambda threshold: means[threshold].b3)
    return means[best], best


def lives(data: Path, verdicts: Verdicts, *, all_arrivals: bool) -> None:
    """Templates and a channel that says the same under everything are no stories; stories end."""
    told = list(story_sets.templates(data))
    wrong = [kind for kind, is_same, together in told if together and not is_same]
    rest = f"of {sum(not is_same for _, is_same, _ in told)} pairs: {', '.join(wrong)}"
    verdicts.line("look-alikes in one story", len(wrong), CEILINGS["templates"], rest, at_most=True)
    missed = [kind for kind, is_same, together in told if is_same and not together]
    rest = f"of {sum(is_same for _, is_same, _ in told)}: {', '.join(missed)}"
    verdicts.line("  of one event told apart", len(missed), CEILINGS["apart"], rest, at_most=True)
    clips = story_sets.channel()
    stories_of_channel = len(set(story_sets.clustered(clips).values()))
    verdicts.line("stories of a channel", stories_of_channel, FLOORS["channel"], f"of {len(clips)} clips")
    began = time.process_time()
    items = story_sets.arrivals(data, count=0 if all_arrivals else story_sets.ARRIVALS)
    found = story_sets.lives(items)
    ms = (time.process_time() - began) / len(items) * 1000
    rest = f"of {len(items):,} titles; {found.of_several_sources:,} of several sources; {ms:.2f} ms an item"
    most = CEILINGS["largest, all" if all_arrivals else "largest"]
    verdicts.line("largest story", found.largest, most, rest, at_most=True)
    verdicts.line("longest story, days", found.longest_days, CEILINGS["longest"], "", at_most=True)


def _by_titles(one: Labelled) -> dict[str, str]:
    """Items whose titles share half of their words, by union-find."""
    words = {item.item_id: frozenset(tokens(item.title)) for item in one.items}
    ids = list(words)
    pairs = ((a, b) for n, a in enumerate(ids) for b in ids[:n] if jaccard(words[a], words[b]) >= 0.5)
    return measures.unite(ids, pairs)


# --- alike ----------------------------------------------------------------------------
def related(data: Path, verdicts: Verdicts) -> None:
    verdicts.line("nDCG@10", alike.run(data), FLOORS["nDCG@10"], "of related, NeuS")


# --- cost -----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a curator takes at so many items: ms of CPU an item in batches and alone, the most memory of its process."""

    batches_ms: list[float]
    alone_ms: list[float]
    memory_mb: float
    kept: int
    #: items it decided about, and items it was given as decided earlier
    decided: int
    loaded: int


def cost(counts: Sequence[int], verdicts: Verdicts, *, whole: bool = False) -> None:
    print("cost: made-up items, spread over 30 days, each number in a process of its own")
    for count in counts:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            found = alone.submit(measure, count, whole=whole).result()
        loaded = f", {found.loaded:,} loaded before" if found.loaded else ""
        rest = f"p95 of batches {_p95(found.batches_ms):.2f}; {found.decided:,} decided{loaded}"
        verdicts.line(f"ms an item, after {count:,}", fmean(found.batches_ms), CEILINGS["ms"], rest, at_most=True)
        verdicts.line("  MB", found.memory_mb, CEILINGS["memory"], f"all of it; {found.kept:,} kept", at_most=True)
        rest = f"p50 {median(found.alone_ms):.2f}"
        verdicts.line("  ms, one item, p95", _p95(found.alone_ms), CEILINGS["related"], rest, at_most=True)
    ready = _ready_s(READ_FIRST)
    rest = f"the newest {READ_FIRST:,} items read, with which work begins"
    verdicts.line("  s until ready", ready, CEILINGS["ready"], rest, at_most=True)


def measure(count: int, *, whole: bool) -> Cost:
    """The cost at `count` items. What a curator does not keep has no bearing on it, but for the number of words seen.

    So beyond twice of what it keeps, the older half of that is loaded as decided earlier and the newer half decided:
    in the end all it knows was decided here. `whole`: every item is decided, which takes a million items 15 minutes.
    """
    curator = Curator()
    first = 0 if whole else max(0, count - 2 * KEPT_AT_MOST)
    items = made_up(count, start=first)
    loaded = curator.load(islice(items, KEPT_AT_MOST)) if first else 0
    batches_ms = list(_decide_all(curator, items))
    kept = len(curator)
    return Cost(
        batches_ms=batches_ms[-max(1, len(batches_ms) // 10) :],
        alone_ms=list(_search_times(curator, count)),
        memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        kept=kept,
        decided=count - first - loaded,
        loaded=loaded,
    )


def _decide_all(curator: Curator, items: Iterator[ItemText]) -> Iterator[float]:
    """Ms of CPU an item, by batch."""
    while batch := list(islice(items, BATCH)):
        began = time.process_time()
        curator.decide(batch)
        yield (time.process_time() - began) / len(batch) * 1000


def _search_times(curator: Curator, count: int) -> Iterator[float]:
    """Ms of CPU to decide one new item alone: same, same story, alike."""
    for number, item in enumerate(islice(made_up(count + SEARCHES, start=count), SEARCHES)):
        one = replace(item, item_id=f"s{number}")
        began = time.process_time()
        curator.decide([one])
        yield (time.process_time() - began) * 1000


def _ready_s(count: int) -> float:
    items = list(made_up(count))
    began = time.process_time()
    Curator().load(items)
    return time.process_time() - began


def _p95(times: Sequence[float]) -> float:
    return quantiles(times, n=20)[-1] if len(times) > 1 else times[0]


def made_up(count: int, *, start: int = 0) -> Iterator[ItemText]:
    """Items with words as unequal as those of a language, every fifth about the event of an earlier one."""
    draw = random.Random(7)
    letters = str.maketrans("0123456789", "bcdfghjklm")
    words = [f"w{number}".translate(letters) for number in range(60_000)]
    ranks = [1 / (number + 3) for number in range(len(words))]
    pool = draw.choices(words, ranks, k=400_000)
    events: deque[list[str]] = deque(maxlen=200)
    for number in range(start, count):
        repeat = number % 5 == 4 and events
        about = events[-draw.randrange(1, len(events) + 1)] if repeat else draw.choices(words, k=5)
        events.append(about)
        at = draw.randrange(len(pool) - 60)
        title, lead = [*about[:4], *pool[at : at + 6]], [*about, *pool[at + 6 : at + 46]]
        draw.shuffle(lead)
        yield ItemText(
            item_id=f"m{number}",
            source_id=number % 97,
            source_name="",
            title=" ".join(title),
            text=" ".join(lead),
            language="en",
            published=MOMENT + timedelta(days=30) * (number / count),
            canonical_url=None,
        )


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures curating on labelled news.")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data")
    parser.add_argument(
        "--items", type=int, nargs="*", default=[10_000], help="how many made-up items the cost is measured at"
    )
    parser.add_argument("--whole", action="store_true", help="decide about all made-up items, however many")
    parser.add_argument("--all-arrivals", action="store_true", help="all 95,790 titles of 102 days, not 25,000")
    parser.add_argument("--unseen", action="store_true", help="only the stories that nothing was tuned on")
    arguments = parser.parse_args()
    verdicts = Verdicts()
    if arguments.unseen:
        unseen(arguments.data)
        return 0
    cost(arguments.items, verdicts, whole=arguments.whole)
    if not (arguments.data / "labelled").is_dir():
        print(f"no labelled data in {arguments.data}: only the cost was measured")
    else:
        for bench in (duplicates, stories, related):
            bench(arguments.data, verdicts)
        lives(arguments.data, verdicts, all_arrivals=arguments.all_arrivals)
    if verdicts.failed:
        print("below the floor: " + ", ".join(verdicts.failed))
    return 1 if verdicts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
