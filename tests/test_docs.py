"""The documentation is complete: every command, key, address and metric is described, and the examples work."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import BaseModel

from aggregator import config
from aggregator.cli import COMMANDS, cli
from aggregator.cli.reference import commands
from aggregator.config.tables import Configuration, FeedTable, RuleTable, SourceTable, SubscriptionTable
from aggregator.config.validation import key_names

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def toml_blocks(name: str) -> list[str]:
    return re.findall(r"^```toml\n(.*?)^```", text_of(name), flags=re.MULTILINE | re.DOTALL)


def test_the_page_of_commands_is_what_the_program_says() -> None:
    assert text_of("docs/COMMANDS.md") == commands(), "python -m aggregator.cli.reference > docs/COMMANDS.md"


def tables() -> list[tuple[str, type[BaseModel]]]:
    plain = [
        (name, field.annotation)
        for name, field in Configuration.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    ]
    return [
        *plain,
        ("sources", SourceTable),
        ("subscriptions", SubscriptionTable),
        ("rules", RuleTable),
        ("feeds", FeedTable),
    ]


@pytest.mark.parametrize(("table", "model"), tables())
def test_every_key_is_described(table: str, model: type[BaseModel]) -> None:
    page = text_of("docs/CONFIGURATION.md")
    heading = re.search(rf"^## [^\n]*\[{table}\][^\n]*$(.*?)(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL)
    assert heading, f"docs/CONFIGURATION.md has no [{table}]"
    for key in key_names(model):
        assert f"| `{key}` |" in heading[1], f"[{table}] {key} is not described"


@pytest.mark.parametrize(("table", "model"), tables())
def test_no_key_is_described_that_does_not_exist(table: str, model: type[BaseModel]) -> None:
    page = text_of("docs/CONFIGURATION.md")
    known = {key for _, one in tables() for key in key_names(one)}
    assert set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)) <= known


def routes() -> list[str]:
    """The addresses of the web server, as it was written: read from the source, no server needed."""
    source = "".join(path.read_text("utf-8") for path in (ROOT / "aggregator" / "publish" / "web").glob("*.py"))
    found = re.findall(r"""\b(?:web\.)?(?:get|post)\(r?"(/[^"]*)\"""", source)
    twice = re.findall(r"""_twice\(r?"(/[^"]*)\"""", source)
    return sorted({*found, *twice, *(f"{path}.{{format}}" for path in twice)})


def as_documented(route: str) -> str:
    return re.sub(r"\{(\w+)(:[^}]*)?\}", r"<\1>", route)


def test_the_routes_are_found() -> None:
    assert len(routes()) > 20


@pytest.mark.parametrize("route", routes())
def test_every_address_is_described(route: str) -> None:
    path = as_documented(route)
    assert re.search(rf"(?<![\w/>]){re.escape(path)}(?![\w/<])", text_of("docs/ADDRESSES.md")), (
        f"{path} is not described"
    )


@pytest.mark.parametrize(
    "name", sorted(str(path.relative_to(ROOT)) for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
)
def test_examples_of_configuration_are_valid(name: str) -> None:
    for block in toml_blocks(name):
        given: dict[str, Any] = tomllib.loads(block)
        source = "" if "sources" in given else '\n[[sources]]\nurl = "https://example.org/feed.xml"\n'
        config.parse(block + source)


@pytest.mark.parametrize(
    "name",
    ["README.md", "ARCHITECTURE.md", "DECISIONS.md", "CHANGELOG.md", "docs/OPERATING.md", "docs/METRICS.md"],
)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", text_of(name)):
        if "://" not in target:
            assert ((ROOT / name).parent / target).exists(), f"{name}: {target}"


def test_the_architecture_names_every_room() -> None:
    page = text_of("ARCHITECTURE.md")
    rooms = {
        path.stem for path in (ROOT / "aggregator").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    missing = sorted(room for room in rooms - {"__init__"} if not re.search(rf"\b{room}\b", page))
    assert not missing


def test_the_shipped_configuration_is_valid_and_says_every_key_of_its_tables() -> None:
    settings = config.load(ROOT / "config.toml")
    assert len(settings.sources) >= 20
    assert len(settings.sections) == 5
    given = tomllib.loads(text_of("config.toml"))
    for name, model in tables():
        if isinstance(given.get(name), dict):
            assert set(given[name]) == set(key_names(model)), name


def test_no_page_names_a_host_or_a_folder_of_its_makers() -> None:
    for path in [*ROOT.glob("*.md"), *DOCS.glob("*.md")]:
        assert f"{ROOT.parent}/" not in path.read_text("utf-8"), path


def test_every_make_target_is_explained() -> None:
    makefile = text_of("Makefile")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    assert phony
    for target in phony[1].split():
        assert re.search(rf"^{target}:.*## ", makefile, flags=re.MULTILINE), (
            f"make {target} is not there or says nothing"
        )


def shell_commands() -> list[tuple[str, str]]:
    """Every ``aggregator …`` in the shell examples, with the page it stands on."""
    pages = [ROOT / "README.md", *DOCS.glob("*.md"), ROOT / "packaging" / "README.md"]
    blocks = (
        (page, block)
        for page in pages
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )
    found = (
        (page.name, re.search(r"(?:^|/|\s)aggregator ([a-z].*)", line))
        for page, text in blocks
        for line in text.splitlines()
    )
    return sorted({(name, match[1].partition("#")[0].partition(" > ")[0].strip()) for name, match in found if match})


@pytest.mark.parametrize(("page", "arguments"), shell_commands())
def test_commands_in_examples_exist_with_their_options(page: str, arguments: str) -> None:
    words = arguments.replace('"', " ").split()
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, f"{page}: aggregator {arguments}"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known, f"{page}: aggregator {arguments}"


def test_every_command_is_shown_in_the_manual() -> None:
    assert {f"## aggregator {name}" for name in COMMANDS} <= set(text_of("docs/COMMANDS.md").splitlines())


@pytest.mark.parametrize("name", ["README.md", "docs/INSTALLING.md"])
def test_make_targets_in_examples_exist(name: str) -> None:
    makefile = text_of("Makefile")
    for target in re.findall(r"^make (\w+)", text_of(name), flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
