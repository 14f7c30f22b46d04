"""A short, repeatable run of the fuzzer; ``make fuzz`` is the long one."""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def load(name: str) -> Any:
    """A bench as a module; none of them is in a package."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", Path(__file__).parents[2] / "bench" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fuzz = load("fuzz")


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    before = signal.signal(signal.SIGVTALRM, fuzz.too_slow)
    yield
    signal.signal(signal.SIGVTALRM, before)


def test_nothing_is_found_in_the_first_thousand_cases() -> None:
    found = [finding for number in range(1000) if (finding := fuzz.tried(number, fuzz.SEEDS))]
    assert not found, "\n".join(f"case {one.number}, {one.target}: {one.what}" for one in found)


def test_a_finding_is_a_finding() -> None:
    def broken(_: bytes) -> None:
        raise KeyError("x")

    def endless(_: bytes) -> None:
        while True:
            pass

    assert "KeyError" in str(fuzz.judged(1, broken, b""))
    assert "more than" in str(fuzz.judged(1, endless, b"", limit_s=0.05))
