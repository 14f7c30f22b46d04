"""Ways of finding related items that are simple and strong: what ours is measured beside.

Each is given every text at once, compares all with all, and ranks by its score alone: no floor, no bound on the
places looked at. `Ranker` gives the order of all others that share a word with an item, best first.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from aggregator.curate.text import LEAD_CHARS, tokens
from aggregator.model import ItemText

#: the number of an item among those given → the numbers of the others, best first
Ranker = Callable[[int], list[int]]

#: the usual constants of BM25 (Robertson and Zaragoza 2009)
K1, B = 1.2, 0.75
#: how often the title counts: as in ours, and as much of the lead
TITLE_WEIGHT = 2
_WORD = re.compile(r"\w+")
#: Thai to Khmer, Kana, Han, Hangul: where "words" between spaces are none, pairs of characters stand in
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


def bm25(items: Sequence[ItemText]) -> Ranker:
    """BM25 over words cut as ours are, symmetrised: each text is the question once and the answer once."""
    bags = [_bag(item, tokens) for item in items]
    idf = _idf(bags, lambda count, size: math.log(1 + (size - count + 0.5) / (count + 0.5)))
    mean = sum(sum(bag.values()) for bag in bags) / len(bags)
    weights = []
    for bag in bags:
        room = K1 * (1 - B + B * sum(bag.values()) / mean)
        weights.append({word: idf[word] * tf * (K1 + 1) / (tf + room) for word, tf in bag.items()})
    # asked by words that each count once, a pair's score is the sum of both texts' weights of what they share
    return _ranker(weights, lambda mine, theirs: mine + theirs)


def tf_idf(items: Sequence[ItemText]) -> Ranker:
    """Cosine of whole words by tf · ln(N/df), as the textbooks have it."""
    bags = [_bag(item, _words) for item in items]
    idf = _idf(bags, lambda count, size: math.log(size / count))
    weights = []
    for bag in bags:
        weighted = {word: tf * idf[word] for word, tf in bag.items()}
        length = math.hypot(*weighted.values()) or 1.0
        weights.append({word: weight / length for word, weight in weighted.items()})
    return _ranker(weights, lambda mine, theirs: mine * theirs)


def chance(items: Sequence[ItemText]) -> Ranker:
    """Any order; the same each time."""

    def rank(number: int) -> list[int]:
        others = [other for other in range(len(items)) if other != number]
        return random.Random(number).sample(others, min(len(others), 100))

    return rank


def _bag(item: ItemText, split: Callable[[str], Iterable[str]]) -> Counter[str]:
    bag = Counter(split(item.text[:LEAD_CHARS]))
    for word in split(item.title):
        bag[word] += TITLE_WEIGHT
    return bag


def _words(text: str) -> Iterator[str]:
    for word in _WORD.findall(text.casefold()):
        if _UNSPACED.match(word):
            yield from (word[at : at + 2] for at in range(max(1, len(word) - 1)))
        else:
            yield word


def _idf(bags: Sequence[Counter[str]], weigh: Callable[[int, int], float]) -> dict[str, float]:
    held = Counter(word for bag in bags for word in bag)
    return {word: weigh(count, len(bags)) for word, count in held.items()}


def _ranker(weights: Sequence[dict[str, float]], join: Callable[[float, float], float]) -> Ranker:
    holders: dict[str, list[tuple[int, float]]] = {}
    for number, weighted in enumerate(weights):
        for word, weight in weighted.items():
            holders.setdefault(word, []).append((number, weight))

    def rank(number: int) -> list[int]:
        scores: dict[int, float] = {}
        for word, mine in weights[number].items():
            for other, theirs in holders[word]:
                scores[other] = scores.get(other, 0.0) + join(mine, theirs)
        scores.pop(number, None)
        return sorted(scores, key=lambda other: (-scores[other], other))

    return rank
