"""What pydantic found, in the words of whoever wrote the file."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from aggregator.config.locate import Layout, Path
from aggregator.config.suggest import did_you_mean, nearest
from aggregator.config.tables import Document
from aggregator.errors import Problem

_KINDS = {
    "string_type": 'text in quotes, e.g. "…"',
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": 'a list, e.g. ["…"]',
}


def problems(error: ValidationError, *, file: str, layout: Layout) -> list[Problem]:
    """Each thing that is wrong, with its line and key."""
    return [_problem(detail, file=file, layout=layout) for detail in error.errors(include_url=False)]


def problem(path: Path, message: str, *, file: str, layout: Layout) -> Problem:
    """One problem at `path`."""
    return Problem(message=message, file=file, line=layout.line(path), key=dotted(path))


def dotted(path: Iterable[str | int]) -> str:
    """``sources[3].url``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _problem(detail: Mapping[str, Any], *, file: str, layout: Layout) -> Problem:
    path: Path = tuple(detail["loc"])
    return problem(path, _message(detail, path), file=file, layout=layout)


def _message(detail: Mapping[str, Any], path: Path) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "missing":
        return f"{_table(path[:-1])} needs a key '{path[-1]}'"
    if kind in {"model_type", "model_attributes_type"} or (kind == "tuple_type" and len(path) == 1):
        return _brackets(path)
    return f"{dotted(path)}: {_wrong_value(detail)}"


def _wrong_value(detail: Mapping[str, Any]) -> str:
    kind, shown, context = detail["type"], _shown(detail["input"]), detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        listed = " or ".join(f'"{choice}"' for choice in choices)
        return f"{shown} must be {listed}{did_you_mean(str(detail['input']), choices)}"
    if kind == "too_short":
        return "must not be empty"
    if kind in _KINDS:
        return f"{shown} must be {_KINDS[kind]}"
    return f"{shown}: {detail['msg'].removeprefix('Input ')}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _table(path: Path) -> str:
    return f"[[{path[0]}]]" if len(path) > 1 else f"[{path[0]}]"


def _brackets(path: Path) -> str:
    name = str(path[0])
    field = Document.model_fields.get(name)
    is_array = field is not None and _row(field.annotation) is not None
    right = f"[[{name}]], with two brackets" if is_array else f"[{name}], with one bracket"
    return f"'{name}' is a {'list of tables' if is_array else 'table'}: write {right}"


def _unknown(path: Path) -> str:
    key = str(path[-1])
    if len(path) == 1:
        return f"unknown table or key '{key}'{_top_level_hint(key)}"
    model = _model(path[:-1])
    known = list(model.model_fields) if model else []
    if nearest(key, known):
        return f"unknown key '{key}' in {_table(path[:-1])}{did_you_mean(key, known)}"
    home = _home(key)
    hint = f"; it belongs into {home}" if home else f"; valid keys: {', '.join(known)}"
    return f"unknown key '{key}' in {_table(path[:-1])}{hint}"


def _top_level_hint(key: str) -> str:
    near = nearest(key, Document.model_fields)
    if near:
        return f"; did you mean {_heading(near)}?"
    home = _home(key)
    return f"; it belongs into {home}" if home else f"; valid tables: {', '.join(map(_heading, Document.model_fields))}"


def _home(key: str) -> str | None:
    """The table in which `key` would be right; None if no table has such a key."""
    keys = {name: table for table in Document.model_fields for name in _fields(table)}
    near = difflib.get_close_matches(key, keys, 1, cutoff=0.85)
    return _heading(keys[near[0]]) if near else None


def _heading(table: str) -> str:
    return f"[[{table}]]" if _row(Document.model_fields[table].annotation) else f"[{table}]"


def _fields(table: str) -> list[str]:
    model = _model((table,))
    return list(model.model_fields) if model else []


def _model(path: Path) -> type[BaseModel] | None:
    """The model of the table at `path`."""
    field = Document.model_fields.get(str(path[0]))
    if field is None:
        return None
    row = _row(field.annotation)
    if row is not None:
        return row
    return field.annotation if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel) else None


def _row(annotation: Any) -> type[BaseModel] | None:
    """The model of one row of an array of tables; None if it is no array of tables."""
    arguments = typing.get_args(annotation)
    return arguments[0] if arguments and issubclass(arguments[0], BaseModel) else None
