"""`make faults`: the figures of the trials in tests/faults as a table of RELIABILITY.md. Used by conftest.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

PAGE = Path(__file__).parents[1] / "RELIABILITY.md"
BEGIN, END = "<!-- faults -->\n", "<!-- end of faults -->"

_FIGURES: dict[str, list[tuple[str, str, str]]] = {}


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Notes what a trial has shown: one or more rows of HOSTILE conditions, what is done, and the figure."""
    marker = request.node.get_closest_marker("fault")
    assert marker is not None, "a trial says with @pytest.mark.fault(row, what) what it tries"
    row, what = marker.args

    def note(text: str) -> None:
        request.node.user_properties.append(("figure", (row, what, text)))

    return note


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gathers the figures of trials that passed, from other processes too (xdist)."""
    if report.when == "call" and report.passed:
        name = report.nodeid.rpartition("::")[2]
        for key, value in report.user_properties:
            if key == "figure":
                row, what, text = cast("tuple[str, str, str]", value)
                _FIGURES.setdefault(row, []).append((what, text, name))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-faults", action="store_true", help="write the figures into RELIABILITY.md")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not session.config.getoption("--write-faults") or hasattr(session.config, "workerinput"):
        return
    rows = sorted(_FIGURES.items(), key=lambda item: int(re.sub(r"\D", "", item[0].partition(",")[0]) or 0))
    lines = [f"| {row} | {what} | {text} | `{name}` |" for row, found in rows for what, text, name in found]
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    head = f"Measured by `make faults` on {date}, on two cores that were shared with other work.\n\n"
    table = head + "| row | fault | what was seen | trial |\n|---|---|---|---|\n" + "\n".join(lines) + "\n"
    page = PAGE.read_text("utf-8")
    pattern = re.escape(BEGIN) + r".*?" + re.escape(END)
    PAGE.write_text(re.sub(pattern, lambda _: BEGIN + "\n" + table + "\n" + END, page, flags=re.DOTALL), "utf-8")
