"""The benches of parsing and identity, as far as they are quick: what they promise in full, they hold in part."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.data

BENCH = Path(__file__).parents[2] / "bench"


sys.path.insert(0, str(BENCH))  # they import each other


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("suite", "documents", "expectations"), [("feedparser", 2106, 2000), ("gofeed", 500, 0)])
def test_nothing_in_the_documents_of_other_projects_is_lost(
    shared_data: Path, suite: str, documents: int, expectations: int
) -> None:
    tally = load("conformance").SUITES[suite](shared_data / f"conformance/{suite}.tar.xz")
    assert tally.lost == []
    assert tally.documents >= documents
    assert tally.upheld >= expectations


@pytest.mark.parametrize(
    "series",
    [
        "headlines/bbc",
        "headlines/nzherald",
        "headlines/latimes",
        "olshansk/feed_anthropic_changelog_claude_code",
        "kibitzr-nl/youp",
    ],
)
def test_recorded_feeds_are_announced_once_and_whole(shared_data: Path, series: str) -> None:
    outcome = load("identity").run(shared_data / f"timeseries/{series}.tar.xz", 25)
    assert (outcome.twice, outcome.lost, outcome.harmed) == ([], [], 0)
    assert len(outcome.announced) == outcome.distinct > 20


def test_entries_read_as_feedparser_reads_them_or_differ_for_a_named_reason(shared_data: Path) -> None:
    """Every third of the real documents; `make opinion` looks at all of them, and counts the reasons."""
    paths = sorted(path for path in (shared_data / "real").rglob("*") if path.is_file())
    opinion = load("second_opinion").compared(paths[::3])
    assert opinion.unexplained == []
    assert opinion.entries > 1000
