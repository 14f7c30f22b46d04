"""What is shipped: the contents of wheel and sdist, and a wheel that works in an environment without this checkout."""

from __future__ import annotations

import email.message
import email.parser
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from daemon_process import config_text
from origin import Answer, Origin, rss

from aggregator import __version__
from aggregator.cli.reference import WRITERS

ROOT = Path(__file__).parents[1]
GENERATED = {
    "commands": "docs/COMMANDS.md",
    "man": "packaging/man/aggregator.1",
    **{shell: f"packaging/completions/aggregator.{shell}" for shell in ("bash", "fish", "zsh")},
}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    [found] = dist.glob("*.whl")
    return found


@pytest.mark.parametrize("what", WRITERS)
def test_what_is_generated_is_up_to_date(what: str) -> None:
    assert (ROOT / GENERATED[what]).read_text("utf-8") == WRITERS[what](), "make docs"


def test_the_plain_constraints_are_the_hashed_ones() -> None:
    hashed = re.findall(r"^([^\s#]\S*==.*?) *\\?$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
    assert (ROOT / "constraints-plain.txt").read_text().splitlines() == hashed, "make docs"


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert f"## {__version__} " in (ROOT / "CHANGELOG.md").read_text()


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.parser.Parser().parsestr(archive.read(name).decode())


def test_the_metadata_says_what_it_is(wheel: Path) -> None:
    said = metadata(wheel)
    assert (said["Name"], said["Version"]) == ("feed-aggregator", __version__)
    for field in (
        "Summary",
        "Author",
        "License-Expression",
        "License-File",
        "Requires-Python",
        "Keywords",
        "Classifier",
    ):
        assert said[field], field
    description = str(said.get_payload())
    assert "feed-aggregator demo" in description
    assert not re.search(r"\]\((?!https?:)", description), "a relative link is dead on a package index"


def test_the_wheel_has_what_an_installed_user_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    below = {name.partition(".data/data/")[2] for name in names}
    for wanted in (
        *("share/aggregator/config.toml", "share/aggregator/constraints.txt"),
        *("share/aggregator/systemd/aggregator.service", "share/aggregator/systemd/aggregator.socket"),
        "share/aggregator/systemd/aggregator@.service",
        *("share/man/man1/aggregator.1", "share/bash-completion/completions/aggregator"),
        *("share/zsh/site-functions/_aggregator", "share/fish/vendor_completions.d/aggregator.fish"),
        *("share/doc/aggregator/CONFIGURATION.md", "share/doc/aggregator/OPERATING.md"),
    ):
        assert wanted in below, wanted
    for wanted in ("cli/init.toml", "cli/user.service", "demo/newsroom.toml", "publish/templates/", "publish/static/"):
        assert any(name.startswith(f"aggregator/{wanted}") for name in names), wanted
    assert not [name for name in names if name.endswith((".pyc", ".db")) or "tests/" in name]


def test_the_sdist_has_all_that_a_build_and_a_test_need(dist: Path) -> None:
    [found] = dist.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for wanted in (
        "pyproject.toml",
        "LICENSE",
        "Makefile",
        "constraints.txt",
        "tests/conftest.py",
        "docs/OPERATING.md",
    ):
        assert wanted in names, wanted


def borrowed(folder: Path, wheel: Path) -> Path:
    """A clean environment with the wheel; its dependencies are those of this one, without this checkout."""
    venv.create(folder, with_pip=False)
    # the folder that a .pth file names is searched; .pth files in it, one of which names this checkout, are not read
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    target = ["--python", str(folder / "bin/python"), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([sys.executable, "-m", "pip", *target, "--disable-pip-version-check", str(wheel)], check=True)
    return folder


def from_index(folder: Path, wheel: Path) -> Path:
    """A clean environment as a user makes one: everything comes from the package index."""
    venv.create(folder, with_pip=True)
    constraints = ["--constraint", str(ROOT / "constraints-plain.txt")]
    subprocess.run([folder / "bin/python", "-m", "pip", "install", "-q", *constraints, str(wheel)], check=True)
    return folder


@pytest.mark.parametrize("install", [borrowed, from_index])
def test_an_installed_wheel_starts_inits_and_polls(install: object, wheel: Path, tmp_path: Path) -> None:
    if install is from_index and "DIST" not in os.environ:
        pytest.skip("needs the package index: make dist")
    assert callable(install)
    environment = install(tmp_path / "venv", wheel)
    home = tmp_path / "home"
    home.mkdir()
    environ = {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8"}

    def run(program: str, *arguments: str) -> str:
        command = [str(environment / "bin" / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=home, env=environ, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert __version__ in run("feed-aggregator", "--version")
    assert str(environment) in run("python", "-c", "import aggregator; print(aggregator.__file__)")
    run("aggregator", "init", "--empty")
    with Origin() as origin:
        url = origin.on("/feed", Answer(body=rss("One comet", "Two ferries", feed="The feed")))
        (home / "config.toml").write_text(config_text(url, interval="1h").replace('max_interval = "1s"', ""))
        run("aggregator", "poll")
    assert "One comet" in run("aggregator", "list", "latest")
    assert (environment / "share/man/man1/aggregator.1").exists()
