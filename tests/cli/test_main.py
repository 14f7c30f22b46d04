from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest

from aggregator.cli import COMMANDS, cli, run_command


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = run_command(list(arguments))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("--help", capsys=capsys)
    assert code == 0
    for name, (_, text) in COMMANDS.items():
        assert f"  {name} " in out
        assert text.split()[0] in out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_that_begins_like_the_list(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help
    first = command.help.strip().splitlines()[0]
    assert first.split()[0] == COMMANDS[name][1].split()[0]


@pytest.mark.parametrize("name", ["list", "related", "stories", "search", "status"])
def test_each_listing_takes_json_and_limit(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--json", "--limit", "--config"} <= options


def test_help_is_quick_because_it_imports_no_command() -> None:
    code = "import sys; from aggregator.cli import run_command; run_command(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for heavy in ("aiohttp", "feedparser", "pydantic", "sqlite_utils", "rich"):
        assert f"'{heavy}'" not in done.stdout


def test_without_a_command_it_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys=capsys)
    assert code == 2
    assert "Usage: aggregator" in err


def test_an_unknown_command_is_a_matter_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("polll", capsys=capsys)
    assert code == 2
    assert "poll" in err


def test_a_missing_configuration_is_exit_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "config.toml"
    for arguments in (["--config", str(missing), "status"], ["status", "--config", str(missing)]):
        code, _, err = run(*arguments, capsys=capsys)
        assert code == 78
        assert str(missing) in err


def test_a_typo_is_exit_78_with_file_line_and_the_right_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[site]\ntitle = "x"\n\n[polling]\nmaxsize = "10MB"\n')
    for name in ("run", "poll", "status", "check"):
        code, _, err = run("--config", str(path), name, capsys=capsys)
        assert code == 78
        assert "config.toml:5" in err
        assert "max_size" in err


def test_a_store_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[[sources]]\nurl = "http://a.example/feed"\n')
    code, _, err = run("--config", str(path), "status", capsys=capsys)
    assert code == 78
    assert "aggregator.db" in err
    assert not (tmp_path / "aggregator.db").exists()


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "aggregator", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=400)
    assert b"Traceback" not in err


def test_it_starts_in_a_moment() -> None:
    """In processor time, which does not depend on what else the machine does: 0.15 s, with a margin for slower ones."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "aggregator", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5
