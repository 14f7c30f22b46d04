"""Commands as shells and services start them: any encoding, closed and full streams, narrow terminals."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from daemon_process import config_text
from origin import Answer, Origin, rss

from aggregator.cli import run_command

TITLE = "Größe “zählt” · 漢字 🎈 …"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("site") / "config.toml"
    with Origin() as origin:
        url = origin.on(
            "/feed", Answer(body=rss(TITLE, *(f"Title {n} of a long row" for n in range(60)), feed="Größe"))
        )
        path.write_text(config_text(url, interval="1h").replace('max_interval = "1s"', 'max_interval = "1h"'))
        assert run_command(["--config", str(path), "poll"]) == 0
        yield path


def run(
    config: Path, *arguments: str, shell: str = "", environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The command as a process of its own; `shell` is put behind it, e.g. a redirection."""
    command = [sys.executable, "-m", "aggregator", "--config", str(config), *arguments]
    environ = {**os.environ, **(environ or {})}
    if shell:
        command = ["bash", "-c", f'set -o pipefail; "$@" {shell}', "bash", *command]
    return subprocess.run(command, capture_output=True, check=False, env=environ)


ENCODINGS = [
    {"LC_ALL": "de_DE.ISO-8859-1", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "cp1252:strict"},
    {"PYTHONIOENCODING": "utf-16"},
    {"PYTHONIOENCODING": "koi8-r"},
]
COMMANDS = [
    *(["status"], ["list", "latest", "--limit", "3"], ["export"], ["add", "http://Größe@"]),
]


@pytest.mark.parametrize("environ", ENCODINGS, ids=lambda environ: " ".join(environ.values()))
def test_no_encoding_ends_a_command(config: Path, environ: Mapping[str, str]) -> None:
    for command in COMMANDS:
        done = run(config, *command, environ=environ)
        assert b"Traceback" not in done.stderr, (command, done.stderr)
        assert done.returncode in {0, 1, 2}, (command, done.stderr)


@pytest.mark.parametrize("environ", ENCODINGS[:-2] + ENCODINGS[-1:], ids=lambda environ: " ".join(environ.values()))
def test_json_is_the_same_in_every_encoding(config: Path, environ: Mapping[str, str]) -> None:
    done = run(config, "list", "latest", "--json", "--limit", "0", environ=environ)
    titles = [json.loads(line)["title"] for line in done.stdout.decode("ascii").splitlines()]
    assert TITLE in titles


def test_typography_is_replaced_where_the_encoding_lacks_it(config: Path) -> None:
    done = run(config, "search", "zählt", environ={"PYTHONIOENCODING": "ascii"})
    assert 'Gr??e "z?hlt" - ??' in done.stdout.decode("ascii")


@pytest.mark.parametrize(
    ("arguments", "shell", "code"),
    [
        (["list", "latest", "--json", "--limit", "0"], "| head -1", 0),
        (["list", "latest", "--limit", "0"], "| head -c 1", 0),
        (["related", "--all", "--json"], "| true", 0),
        (["--help"], "| true", 0),
        (["completion", "zsh"], "| true", 0),
        (["list", "latest"], "> /dev/full", 1),
        (["status", "--json"], "> /dev/full", 1),
        (["export"], "> /dev/full", 1),
        (["status"], ">&-", 0),
        (["list", "latest", "--json"], ">&-", 0),
        (["explain", "nothing-there"], "2>&-", 1),
        (["explain", "nothing-there"], "2>/dev/full", 1),
        (["status"], "<&- >&- 2>&-", 0),
        (["check"], "2> >(true)", 0),
    ],
)
def test_streams_that_are_closed_or_full(config: Path, arguments: list[str], shell: str, code: int) -> None:
    done = run(config, *arguments, shell=shell)
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    assert done.returncode == code, done.stderr
    if "> /dev/full" in shell and not shell.startswith("2"):
        assert done.stderr.startswith(b"error: "), done.stderr
        assert b"No space left" in done.stderr


def test_what_is_piped_is_tabs_without_padding(config: Path) -> None:
    for command in (["status"], ["list", "latest"], ["stories", "--min-sources", "1"]):
        lines = run(config, *command).stdout.decode().splitlines()
        assert all("  " not in line and line == line.rstrip(" ") for line in lines), command
        assert any("\t" in line for line in lines)


def on_terminal(config: Path, *arguments: str, columns: int, environ: Mapping[str, str] | None = None) -> str:
    """What a command shows on a terminal of so many columns."""
    command = [sys.executable, "-m", "aggregator", "--config", str(config), *arguments]
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown = b""
    with subprocess.Popen(command, stdout=child, stderr=child, env={**os.environ, "TERM": "xterm", **(environ or {})}):
        os.close(child)
        with contextlib.suppress(OSError):  # how a terminal ends
            while piece := os.read(parent, 65_536):
                shown += piece
    os.close(parent)
    return shown.decode("utf-8", "replace").replace("\r", "")


@pytest.mark.parametrize("columns", [1, 30, 80])
def test_ids_are_whole_on_every_terminal(config: Path, columns: int) -> None:
    rows = run(config, "list", "latest", "--json", "--limit", "2").stdout.splitlines()
    ids = [json.loads(row)["id"] for row in rows]
    shown = on_terminal(config, "list", "latest", "--limit", "2", columns=columns)
    assert all(item_id in shown for item_id in ids), shown


def test_argument_bytes_that_are_no_text_are_refused(config: Path) -> None:
    done = run(config, "search", os.fsdecode(b"\xff\xfe"), environ={"LC_ALL": "C.UTF-8"})
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: ")


def test_arguments_are_read_in_the_encoding_of_the_locale(config: Path) -> None:
    """`search zählt` typed in a terminal of ISO-8859-1."""
    code = "import sys; from aggregator.cli import main; main(sys.argv[1:])"
    environ = {**os.environ, "AGGREGATOR_LOCALE_ENCODING": "iso8859-1", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-c", code, "--config", str(config), "search", os.fsdecode("zählt".encode("latin-1"))]
    done = subprocess.run(command, capture_output=True, check=False, env=environ)
    assert "Größe" in done.stdout.decode("latin-1"), done.stderr
