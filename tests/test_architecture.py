"""ARCHITECTURE.md names every module with the first line of its docstring.

`python tests/test_architecture.py` (make docs) writes that part anew.
"""

from __future__ import annotations

import ast
import re
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- modules -->\n", "<!-- end of modules -->"


def first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert docstring, f"{path.relative_to(ROOT)} has no docstring"
    return docstring.partition("\n")[0]


def room_of(path: Path) -> str:
    inside = path.relative_to(ROOT / "aggregator").parts
    return f"aggregator/{inside[0]}/" if len(inside) > 1 else "aggregator/"


def module_tables() -> str:
    paths = sorted((ROOT / "aggregator").rglob("*.py"), key=lambda path: (room_of(path), path))
    tables = []
    for room, modules in groupby(paths, room_of):
        rows = (f"| `{path.relative_to(ROOT / room)}` | {first_line(path).replace('|', '/')} |" for path in modules)
        tables.append("\n".join((f"### {room}", "", "| module | |", "|---|---|", *rows)))
    return "\n\n".join(tables) + "\n"


def page_with(tables: str) -> str:
    page = PAGE.read_text("utf-8")
    pattern = re.escape(BEGIN) + r".*?" + re.escape(END)
    return re.sub(pattern, lambda _: BEGIN + "\n" + tables + "\n" + END, page, flags=re.DOTALL)


def test_every_module_is_described() -> None:
    assert PAGE.read_text("utf-8") == page_with(module_tables()), "run `make docs`"


if __name__ == "__main__":
    PAGE.write_text(page_with(module_tables()), encoding="utf-8")
