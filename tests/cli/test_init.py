"""The first minutes: finding a configuration, writing one, asking the daemon."""

from __future__ import annotations

import http.server
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator import config
from aggregator.cli import run_command

OPML = """<opml version="2.0"><body><outline text="Nachrichten">
<outline text="One" xmlUrl="https://one.example/feed?token=s3cr3t"/></outline>
<outline text="Two" xmlUrl="http://two.example/rss"/><outline text="Bad" xmlUrl="feed.xml"/></body></opml>"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a current folder of one's own."""
    for name in ("AGGREGATOR_CONFIG", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


Said = pytest.CaptureFixture[str]


def run(capsys: Said, *arguments: str) -> tuple[int, str, str]:
    code = run_command(list(arguments))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_init_writes_a_valid_commented_configuration(capsys: Said) -> None:
    code, out, _ = run(capsys, "init", "--title", 'My "news" \\ 漢字', "--contact", "mailto:me@reader.dev")
    assert code == 0, out
    assert "aggregator run" in " ".join(out.split())
    settings = config.load(Path("config.toml"))
    assert settings.site.title == 'My "news" \\ 漢字'
    assert len(settings.sources) == 3
    assert settings.warnings == ()
    assert stat.S_IMODE(Path("config.toml").stat().st_mode) == 0o600
    assert run(capsys, "check")[0] == 0
    code, _, err = run(capsys, "init")
    assert code == 1
    assert "exists; nothing was changed" in err


def test_every_key_that_the_template_explains_exists(capsys: Said) -> None:
    run(capsys, "init", "--empty")
    text = Path("config.toml").read_text()
    commented = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ") and " = " in line]
    shown = "\n".join(line for line in commented if not line.startswith(" "))
    tables = "\n".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith(("[", "# [")))
    known = {
        key for model in (*config.tables.Configuration.model_fields.values(),) for key in fields_of(model.annotation)
    }
    assert {line.partition(" ")[0] for line in shown.splitlines()} <= known, tables


def fields_of(annotation: object) -> list[str]:
    models = [annotation, *getattr(annotation, "__args__", ())]
    return [key for model in models for key in getattr(model, "model_fields", {})]


def test_init_of_a_user_uses_the_xdg_folders(capsys: Said, home: Path) -> None:
    code, _, err = run(capsys, "init", "--user", "--empty")
    assert code == 0, err
    path = home / ".config/aggregator/config.toml"
    assert config.find() == path
    assert config.load(path).store.url == f"sqlite:{home}/.local/state/aggregator/aggregator.db"
    unit = (home / ".config/systemd/user/aggregator.service").read_text()
    assert f"ExecStart={sys.executable} -m aggregator --config {path} run" in unit
    assert "@" not in unit


def test_init_takes_an_opml_file_and_names_what_it_refuses(capsys: Said) -> None:
    Path("feeds.opml").write_text(OPML)
    code, _, err = run(capsys, "init", "--opml", "feeds.opml")
    assert code == 1
    assert "Bad" in err
    settings = config.load(Path("config.toml"))
    assert [(one.url, one.section) for one in settings.sources] == [
        ("https://one.example/feed?token=s3cr3t", "Nachrichten"),
        ("http://two.example/rss", "News"),
    ]
    code, out, err = run(capsys, "export")
    assert code == 0
    assert "s3cr3t" not in out + err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["init", "--user", "--system"], 1, ""),
        (["init", "here", "--user"], 2, "give one of them"),
        (["init", "--listen", "127.0.0.1:99999"], 78, "99999"),
        (["init", "--listen", "everywhere"], 78, "everywhere"),
        (["init", "--url", "ftp://name:s3cr3t@x.example/"], 78, "not an http or https address"),
        (["init", "--title", ""], 78, "must not be empty"),
        (["init", "--opml", "/nowhere.opml"], 2, "/nowhere.opml"),
        (["init", "/dev/null"], 1, "/dev/null"),
    ],
)
def test_what_init_refuses_is_named_and_nothing_is_written(
    capsys: Said, arguments: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "SYSTEM_CONFIG", Path("/proc/nowhere/config.toml"))
    given, _, err = run(capsys, *arguments)
    assert given == code, err
    assert said in err
    assert err.startswith("error: ")
    assert "s3cr3t" not in err
    assert list(Path().iterdir()) == []


def test_init_warns_of_a_port_in_use(capsys: Said) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = run(capsys, "init", "--listen", f"127.0.0.1:{port}")
    assert code == 0
    assert f"warning: 127.0.0.1:{port} cannot be listened on" in err


OURS = '[[sources]]\nurl = "https://one.example/feed"\n'


def test_the_order_in_which_a_configuration_is_looked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = home / ".config/aggregator/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text(OURS)
    assert config.find() == user
    Path("config.toml").write_text('baseURL = "https://hugo.example/"\n[params]\n')
    assert config.find() == user, "the file of another program"
    Path("config.toml").write_text(OURS)
    assert config.find() == Path("config.toml")
    monkeypatch.setenv("AGGREGATOR_CONFIG", "/elsewhere.toml")
    assert config.find() == Path("/elsewhere.toml")
    assert config.find(Path("named.toml")) == Path("named.toml")


@pytest.mark.parametrize("text", ["[site\ntitle = 1", "[site]\ntitle = ", "[[sources]]\nurl = 5", "sources = 1\n["])
def test_a_configuration_with_errors_is_not_passed_over(capsys: Said, text: str) -> None:
    Path("config.toml").write_text(f"[[sources]]\n{text}")
    code, _, err = run(capsys, "check")
    assert code == 78
    assert "config.toml" in err


def test_without_a_configuration_init_is_named(capsys: Said) -> None:
    code, _, err = run(capsys, "status")
    assert code == 78
    assert "aggregator init" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
@pytest.mark.parametrize("where", ["unreadable", "deleted"])
def test_a_current_folder_that_cannot_be_read(tmp_path: Path, where: str) -> None:
    """`cd /root; sudo -u nobody aggregator status`."""
    folder = tmp_path / where
    folder.mkdir(mode=0o700)
    script = f'cd "{folder}"; [ {where} = deleted ] && rmdir "{folder}"; exec setpriv --reuid 65534 --clear-groups "$@"'
    for command in (["status"], ["check"], ["list", "latest"], ["backup", "copy.db"], ["init"], ["import", "-"]):
        done = subprocess.run(
            ["bash", "-c", script, "bash", sys.executable, "-m", "aggregator", *command],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "HOME": "/nonexistent"},
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        if "aggregator" in done.stderr:  # this checkout may itself be in a folder that nobody may read
            assert done.returncode in {1, 2, 78}


def served(status: int) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 503)
            self.end_headers()
            self.wfile.write(b'{"ok": true}')

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_health_is_the_answer_of_the_daemon(capsys: Said, status: int, code: int) -> None:
    for address in served(status):
        Path("config.toml").write_text(f'{OURS}[server]\nlisten = "{address}"\n')
        assert run(capsys, "health")[:2] == (code, '{"ok": true}\n')
        assert run(capsys, "health", "--ready")[0] == 1


def test_health_without_a_daemon_is_1(capsys: Said) -> None:
    Path("config.toml").write_text(f'{OURS}[server]\nlisten = "127.0.0.1:1"\n')
    code, _, err = run(capsys, "health")
    assert code == 1
    assert err.startswith("error: the daemon does not answer at 127.0.0.1:1")


@pytest.mark.parametrize(("shell", "word"), [("bash", "complete "), ("zsh", "compdef"), ("fish", "complete --")])
def test_completion_scripts_know_both_names(capsys: Said, shell: str, word: str) -> None:
    code, out, _ = run(capsys, "completion", shell)
    assert code == 0
    assert [name for name in (" aggregator", "feed-aggregator") if name not in out] == []
    assert word in out


@pytest.mark.parametrize(
    ("words", "position", "completed"),
    [
        ("aggregator sta", 1, {"status"}),
        ("aggregator list r", 2, {"ranking", "recommended"}),
        ("aggregator remove https://o", 2, {"https://one.example/feed"}),
        ("aggregator list latest --section W", 4, {"World"}),
    ],
)
def test_what_is_completed(words: str, position: int, completed: set[str]) -> None:
    private = '[[sources]]\nurl = "https://oh.example/feed?token=abc"\nsection = "World"\n'
    Path("config.toml").write_text(OURS + private)
    environ = {**os.environ, "COMP_WORDS": words, "COMP_CWORD": str(position), "_AGGREGATOR_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-m", "aggregator"], capture_output=True, text=True, env=environ, check=False
    )
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == completed, done.stderr


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("stauts", "status"), ("Lsit", "list"), ("--jsno", "--json"), ("serach", "search"), ("--verison", "--version")],
)
def test_a_mistyped_word_gets_a_hint(capsys: Said, typed: str, hint: str) -> None:
    code, _, err = run(capsys, *(["status", typed] if typed == "--jsno" else [typed]))
    assert code == 2
    assert err.startswith("error: ")
    assert hint in err
