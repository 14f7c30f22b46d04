"""docs/GLOSSARY.md: one word, one meaning."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/GLOSSARY.md").read_text("utf-8")
TERMS = re.findall(r"^\| ([a-z][a-z ]*) \| (.+) \|$", PAGE, flags=re.MULTILINE)

#: words that were used for what has a term of the field
REPLACED = {
    "crowd": "candidate set", "patience": "deadline or timeout", "thrift": "interval factor", "rhythm": "posting rate",
    "shelf": "index", "followed no more": "no longer followed", "mishap": "error",
}  # fmt: skip
#: values whose name an engine, the web server or a detail of curating has as well
SHARED = {"Candidate", "Document", "Story"}
MANUAL = [
    "README.md",
    "docs/COMMANDS.md",
    "docs/CONFIGURATION.md",
    "docs/INSTALLING.md",
    "docs/FAQ.md",
    "docs/PROXIES.md",
]


def test_each_term_stands_once_with_a_line() -> None:
    terms = [term for term, meaning in TERMS if meaning]
    assert len(terms) == len(set(terms)) > 30


def test_the_terms_are_those_of_the_model() -> None:
    model = "".join(path.read_text("utf-8") for path in (ROOT / "aggregator/model").glob("*.py"))
    for term in ("source", "entry", "item", "story", "copy", "verdict", "validator", "lease", "place", "reader"):
        assert term in dict(TERMS)
        assert re.search(rf"\b{term}", model, flags=re.IGNORECASE), term


def test_the_manual_uses_the_terms() -> None:
    for name in MANUAL:
        text = (ROOT / name).read_text("utf-8").lower()
        assert [word for word in REPLACED if re.search(rf"\b{word}\b", text)] == [], name


def test_a_value_of_the_model_shares_its_name_with_no_other_class() -> None:
    """Two classes of one name are two meanings of one word."""
    places = defaultdict(set)
    for path in (ROOT / "aggregator").rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].add(path.relative_to(ROOT / "aggregator").parts[0])
    model = {name for name, rooms in places.items() if "model" in rooms}
    assert {name for name in model if len(places[name]) > 1} <= SHARED
