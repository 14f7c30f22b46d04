"""Regular expressions that cannot take the program hostage, as far as looking at them can tell.

Python's `re` backtracks, holds the interpreter lock and cannot be interrupted. Three guards, none of which needs a
clock: the text is cut (`MAX_TEXT`), the pattern is short, and patterns whose cost explodes on unlucky text are refused
with the reason: a repeat around something of variable length (``(a+)*``, ``(a|ab)*``: exponential), and more open
repeats in a row than `MAX_WIDE` and `MAX_OPEN` allow (each multiplies the cost by the length of the text; a wide one
at the very beginning counts twice).
The worst pattern that passes takes a second or so on the worst text; usual ones take microseconds.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from typing import Any

from aggregator.errors import RuleError

#: characters of a text that a pattern is tried on
MAX_TEXT = 2_400
MAX_PATTERN = 1_000
#: open repeats of anything at all (``.*``, ``[^x]+``) in one row
MAX_WIDE = 2
#: open repeats of any kind in one row
MAX_OPEN = 8
#: a group of variable length may be repeated so often, no more
_FEW = 4

# CPython keeps its own parser of patterns in a private module since 3.11; it is the only reading of a pattern that is
# sure to be the one that `re` itself uses.
_sre: Any = importlib.import_module("re._parser")
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT"})
_WIDE = frozenset({"ANY", "NOT_LITERAL", "ANY_ALL"})

#: how many wide and how many open repeats stand in a row
_Cost = tuple[int, int]


def compile_pattern(text: str) -> re.Pattern[str]:
    """`text` as a compiled pattern; RuleError, with the position within `text`, if it is wrong or too costly."""
    if len(text) > MAX_PATTERN:
        raise RuleError(f"the pattern is {len(text)} characters long, {MAX_PATTERN} are allowed", position=MAX_PATTERN)
    try:
        pattern = re.compile(text)
        tokens = list(_sre.parse(text))
        wide, open_repeats = _cost(tokens)
    except re.error as error:
        raise RuleError(f"not a regular expression: {error.msg}", position=error.pos) from error
    except (OverflowError, RecursionError) as error:
        raise RuleError("the pattern is nested or repeated beyond what can be compiled", position=0) from error
    wide += _leads_wide(tokens)
    if wide > MAX_WIDE or open_repeats > MAX_OPEN:
        raise RuleError(
            f"the pattern has too many open repeats in a row ({wide} like '.*', {MAX_WIDE} are allowed;"
            f" {open_repeats} of any kind, {MAX_OPEN} are allowed): leave out a leading '.*', which finds nothing more,"
            " and join several conditions with 'and'",
            position=0,
        )
    return pattern


def _cost(tokens: Iterable[tuple[Any, Any]]) -> _Cost:
    """The cost of a sequence: the sum of its parts; RuleError for a repeat that can explode."""
    costs = [_token_cost(str(op), value) for op, value in tokens]
    return sum(wide for wide, _ in costs), sum(count for _, count in costs)


def _leads_wide(tokens: list[tuple[Any, Any]]) -> bool:
    """Whether it begins with a wide open repeat and no anchor: then the search begins it anew at every character."""
    if not tokens:
        return False
    op, value = str(tokens[0][0]), tokens[0][1]
    if op in _REPEATS:
        return int(value[1]) > _FEW and any(_is_wide(str(inner), inner_value) for inner, inner_value in value[2])
    return any(_leads_wide(list(child)) for child in _children(op, value))


def _token_cost(op: str, value: Any) -> _Cost:
    if op in _REPEATS:
        return _repeat_cost(*value)
    if op == "POSSESSIVE_REPEAT":
        return _repeat_cost(value[0], value[1], value[2], backtracks=False)
    children = _children(op, value)
    costs = [_cost(child) for child in children]
    return max((wide for wide, _ in costs), default=0), max((count for _, count in costs), default=0)


def _repeat_cost(least: int, most: Any, body: Any, *, backtracks: bool = True) -> _Cost:
    most = int(most)
    if backtracks and most > _FEW and _is_variable(body):
        raise RuleError(
            "a repeated group contains repeats or alternatives of its own, which can take forever on unlucky text;"
            " make the inner one possessive ('++', '*+') or write the group without its own repeat",
            position=0,
        )
    wide, count = _cost(body)
    if most <= _FEW:
        return wide * most, count * most
    is_open = least != most and backtracks
    is_wide = is_open and any(_is_wide(str(op), value) for op, value in body)
    return wide + is_wide, count + is_open


def _is_wide(op: str, value: Any) -> bool:
    return op in _WIDE or (op == "IN" and any(str(part[0]) == "NEGATE" for part in value))


def _is_variable(tokens: Iterable[tuple[Any, Any]]) -> bool:
    """Whether a text can be matched by these tokens in several ways."""
    for op, value in tokens:
        name = str(op)
        if name in _REPEATS:
            if value[0] != value[1] or _is_variable(value[2]):
                return True
        elif name == "BRANCH" or (name != "ATOMIC_GROUP" and any(map(_is_variable, _children(name, value)))):
            return True
    return False


def _children(op: str, value: Any) -> list[Any]:
    """The sequences within a token that are tried in its place."""
    match op:
        case "SUBPATTERN":
            return [value[3]]
        case "BRANCH":
            return list(value[1])
        case "ATOMIC_GROUP":
            return [value]
        case "ASSERT" | "ASSERT_NOT":
            return [value[1]]
        case "GROUPREF_EXISTS":
            return [branch for branch in value[1:] if branch]
        case _:
            return []
