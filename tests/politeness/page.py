"""docs/POLITENESS.md, made of the tests: ``python tests/politeness/page.py`` writes it, a test compares it."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "POLITENESS.md"

INTRODUCTION = """# Politeness

How this program behaves towards those whose feeds it reads. The page is made of the tests in `tests/politeness`
(`make docs` writes it, a test compares it): every row is a test against a scripted web server on loopback, in simulated
time with the real store, and says what that test has seen. While `make test` passes, it is true.

"held": as asked for. "held in part", "differs": the row says how and why.
"""

FRB_INTRODUCTION = """The list of the Feed Reader Behavior project (<https://rachelbythebay.com/frb/>), by its
numbers. Many rows look at one simulated year: a feed with a post every three days and both validators, polled through
50 restarts, an upgrade of the program and of its database, and a server that is busy or broken now and then.
"""

HTTP_INTRODUCTION = """What the specifications say, and what other feed readers have learnt about servers as they are.
"""


def load() -> None:
    """Imports every module of tests here, which fills the tables."""
    for folder in (HERE, HERE.parent):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    for path in sorted(HERE.glob("test_*_rows.py")):
        importlib.import_module(path.stem)


def page() -> str:
    """The text of docs/POLITENESS.md."""
    load()
    from rows import FRB, HTTP

    numbered = sorted(FRB, key=lambda row: row.name)
    return "\n".join(
        (
            INTRODUCTION,
            f"Rows: {_counted(row.outcome for row in (*FRB, *HTTP))}.\n",
            "## The Feed Reader Behavior list\n",
            FRB_INTRODUCTION,
            *_table(("FRB", "asks for"), [(row.name, row.title, row.outcome, row.said, row.test) for row in numbered]),
            "",
            "## HTTP\n",
            HTTP_INTRODUCTION,
            *_table(("topic", "rule"), [(row.name, row.title, row.outcome, row.said, row.test) for row in HTTP]),
            "",
        )
    )


def _counted(outcomes: Iterable[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in Counter(outcomes).most_common())


def _table(head: tuple[str, str], rows: Sequence[tuple[str, str, str, str, str]]) -> list[str]:
    lines = [f"| {head[0]} | {head[1]} | outcome | what this program does | test |", "|---|---|---|---|---|"]
    for name, title, outcome, said, test in rows:
        cells = (name, title, outcome, said, f"`{test.partition('::')[2]}`")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
