"""The rows of docs/POLITENESS.md: each is a test, its docstring says what the program does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

Outcome = Literal["held", "held in part", "differs"]
Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Row:
    #: "001" … "141", or the topic of a row of the table of HTTP rules
    name: str
    title: str
    outcome: Outcome
    said: str
    test: str


FRB: list[Row] = []
HTTP: list[Row] = []


def frb(number: str, title: str, outcome: Outcome = "held") -> Callable[[Test], Test]:
    """The test is that of a row of the Feed Reader Behavior list."""
    return _into(FRB, number, title, outcome)


def http(topic: str, title: str, outcome: Outcome = "held") -> Callable[[Test], Test]:
    """The test is that of a row of the HTTP rules."""
    return _into(HTTP, topic, title, outcome)


def _into(table: list[Row], name: str, title: str, outcome: Outcome) -> Callable[[Test], Test]:
    def put(test: Test) -> Test:
        said = " ".join((test.__doc__ or "").split())
        assert said, f"{test.__name__} does not say what the program does"
        where = f"{test.__module__.rpartition('.')[2]}.py::{test.__name__}"
        table.append(Row(name=name, title=title, outcome=outcome, said=said, test=where))
        return test

    return put
