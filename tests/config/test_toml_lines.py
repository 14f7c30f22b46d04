from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.toml_lines import layout

TEXT = '''# first
title = "a # b" # c
[site]
"quoted key" = 1
dotted.key = [1,
  # comment ]
  "]", """
  [no.header]
  """,
]
inline = { a = 1, b = { c = "}" } }
multi = \'\'\'
key = 1
\'\'\'

[[sources]]
url = "x"
[sources.extra]
deep = true
[[sources]]

url = "y"
# trailing
[last]
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("site",), 3),
        (("site", "quoted key"), 4),
        (("site", "dotted", "key"), 5),
        (("site", "dotted", "key", 0), 5),
        (("site", "dotted", "key", 1), 7),
        (("site", "dotted", "key", 2), 7),
        (("site", "inline", "b", "c"), 11),
        (("site", "multi"), 12),
        (("sources", 0), 16),
        (("sources", 0, "url"), 17),
        (("sources", 0, "extra", "deep"), 19),
        (("sources", 1), 20),
        (("sources", 1, "url"), 22),
        (("sources", 1, "missing"), 20),
        (("last",), 24),
        (("nowhere",), None),
        ((), None),
    ],
)
def test_where_things_stand(path: tuple[str | int, ...], line: int | None) -> None:
    tomllib.loads(TEXT)
    assert layout(TEXT).line(path) == line


def test_where_tables_end() -> None:
    ends = layout(TEXT).ends
    assert ends["site",] == 14
    assert ends["sources", 0] == 17
    assert ends["sources", 1] == 22
    assert ends["last",] == 24


_KEYS = st.text("ab-_", min_size=1, max_size=3)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.integers() | st.booleans() | st.text("a]}[{\"'#=,\n\\", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=5))
def test_every_key_of_any_document_is_found_where_it_is_written(document: dict[str, Any]) -> None:
    text = tomlkit.dumps(document)
    lines, found = text.split("\n"), layout(text).lines
    for path in _paths(document):
        assert path in found
        if isinstance(path[-1], str):
            assert path[-1] in lines[found[path] - 1]


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [inner for key, member in members for inner in [(*path, key), *_paths(member, (*path, key))]]
