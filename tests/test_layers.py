"""The house has walls: who may know whom is read from the imports, lazy ones included."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "aggregator"

#: room → the parts of the package it may import (itself always); a room that is not named here may import anything
MAY_KNOW = {
    "errors": set(),
    "model": set(),
    "clock": set(),
    "logs": set(),
    "malloc": set(),
    "threads": set(),
    "sdnotify": set(),
    "schedule": {"clock"},
    "curate": {"model", "errors"},
    "collect": {"curate", "model", "errors", "store", "malloc"},
    "publish": {"curate", "model", "errors", "store", "threads"},
    "store": {"model", "errors", "store.sql", "store.sqlite", "store.postgres"},
    "store.sql": {"model", "errors", "store", "curate"},
    "store.sqlite": {"model", "errors", "store", "store.sql", "curate"},
    "store.postgres": {"model", "errors", "store", "store.sql", "curate"},
    "config": {"model", "errors", "curate"},
    "refresh": {"curate", "model", "errors", "store"},
}
#: the places where concrete parts are built and put together
SHELL = {"assemble", "following", "applied", "daemon", "cli", "demo", "__main__", ""}

#: third-party package → the only module (or folder of that name) that knows it
KNOWN_BY = {
    "feedparser": {"collect.parse"},
    "aiohttp": {"publish.web"},
    "feedgen": {"publish.feeds"},
    "crawleruseragents": {"publish.audience.view_policy"},
    "lxml": {"publish.feeds"},
    "nh3": {"collect.clean"},
    "idna": {"collect.hosts"},
    "apscheduler": {"schedule"},
    "sqlite3": {"store.sqlite"},
    "psycopg": {"store.postgres"},
    "psycopg_pool": {"store.postgres"},
    "sqlite_utils": {"store.sqlite"},
    "pydantic": {"config"},
    "tomlkit": {"config"},
    "babel": {"publish.pages", "publish.messages", "collect.clean.month_names"},
    "jinja2": {"publish.pages"},
    "markupsafe": {"publish.pages"},
    "click": {"cli"},
    "rich": {"cli"},
    "regex": {"curate.rules"},
    "yarl": {"curate.identity", "collect.fetch"},
    "trafilatura": {"collect.parse.article"},
    "ftfy": {"collect.clean.text"},
    "uvloop": {"daemon.runtime"},
    "apprise": {"daemon.notify"},
    "asyncinotify": {"daemon.reload"},
    "prometheus_client": {"daemon.metrics"},
    "numpy": {"curate.embeddings"},
    "onnxruntime": {"curate.embeddings"},
    "tokenizers": {"curate.embeddings"},
}


def modules() -> list[str]:
    paths = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(".".join(path.parts).removesuffix("__init__").rstrip(".") for path in paths)


def source_of(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")) if module else PACKAGE
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide where something comes from"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def room_of(module: str) -> str:
    parts = [room for room in ("store.sql", "store.sqlite", "store.postgres") if is_within(module, room)]
    return parts[0] if parts else module.partition(".")[0]


@pytest.mark.parametrize("module", [name for name in modules() if room_of(name) not in SHELL])
def test_a_room_knows_only_the_rooms_it_may_know(module: str) -> None:
    room = room_of(module)
    assert room in MAY_KNOW, f"{room} is a new room: say in MAY_KNOW whom it may know"
    for name in imports(module):
        if is_within(name, "aggregator"):
            known = room_of(name.removeprefix("aggregator").lstrip("."))
            # `from aggregator import __version__` is a word, not a room
            assert known in MAY_KNOW[room] | {room, "__version__"}, f"{module} imports {name}"


@pytest.mark.parametrize("module", modules())
def test_a_third_party_package_is_known_to_one_module(module: str) -> None:
    for name in imports(module):
        top = name.partition(".")[0]
        if top in KNOWN_BY:
            assert any(is_within(module, owner) for owner in KNOWN_BY[top]), f"{module} imports {name}"
        elif top not in sys.stdlib_module_names and not is_within(name, "aggregator"):
            pytest.fail(f"{module} imports {name}: a new dependency has one owner, named in KNOWN_BY")


def test_the_standard_librarys_clock_is_read_in_the_shell_only() -> None:
    """The core takes `now`. Durations (`time.monotonic`, `perf_counter`) are another matter."""
    pure = [
        name
        for name in modules()
        if room_of(name)
        in {"model", "errors", "curate", "store", "store.sql", "store.sqlite", "store.postgres", "refresh"}
    ]
    guilty = [f"{module}: {call}" for module in pure for call in clock_reads(module)]
    assert not guilty


def clock_reads(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in {
                "datetime.now",
                "datetime.utcnow",
                "time.time",
                "time.time_ns",
                "date.today",
                "datetime.today",
            }:
                yield f"{called} in line {node.lineno}"


def test_the_environment_is_read_at_the_edge_only() -> None:
    guilty = [module for module in modules() if room_of(module) not in SHELL | {"config"} and reads_environment(module)]
    assert not guilty


def reads_environment(module: str) -> bool:
    tree = ast.walk(ast.parse(source_of(module).read_text(encoding="utf-8")))
    return any(isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"} for node in tree)
