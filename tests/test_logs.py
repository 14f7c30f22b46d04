from __future__ import annotations

import io
import json
import logging
import os
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator import logs


def line_of(event: str, **figures: object) -> str:
    record = logging.getLogger("aggregator.test").makeRecord(
        "aggregator.test", logging.INFO, __file__, 1, event, (), None, extra=figures
    )
    return logs.Logfmt().format(record)


def test_an_event_is_one_line_of_keys_and_values() -> None:
    line = line_of("source failed", url="http://a.example/feed", code="http-404", note="two words")
    assert line.endswith(
        ' level=info logger=test msg="source failed" url=http://a.example/feed code=http-404 note="two words"'
    )


@given(st.text())
def test_nothing_a_feed_says_can_forge_a_line(text: str) -> None:
    line = line_of("title", title=text)
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def read_logfmt(line: str) -> dict[str, str]:
    """What a parser of logfmt reads: bare values as they are, quoted ones as JSON strings."""
    pairs = re.findall(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"=]*)(?: |$)', line)
    assert " ".join(f"{key}={value}" for key, value in pairs) == line
    return {key: json.loads(value) if value.startswith('"') else value for key, value in pairs}


@pytest.mark.parametrize(
    "value",
    ['say "hello" \\ again', "a\tb\nc", "\x1b[2J\x7f", "\u2028 \u202e", "\U000e0001", "", "a=b", "é 漢", r"C:\dir"],
)
def test_a_value_is_read_back_as_it_was(value: str) -> None:
    assert read_logfmt(line_of("x", title=value))["title"] == value


@given(st.text())
def test_any_text_is_read_back_as_it_was(value: str) -> None:
    assert read_logfmt(line_of(value, title=value))["title"] == value[: logs.MAX_VALUE]


def test_fields_cannot_replace_those_of_the_record() -> None:
    read = read_logfmt(line_of("x", level="loud", error="e", none=None, yes=True))
    assert (read["level"], read["level_"], read["error_"], read["none"], read["yes"]) == (
        "info", "loud", "e", "null", "true",
    )  # fmt: skip


def test_the_journal_gets_a_priority_instead_of_a_time() -> None:
    record = logging.makeLogRecord(
        {"msg": "m", "levelno": logging.WARNING, "levelname": "WARNING", "name": "aggregator"}
    )
    assert logs.Logfmt(journal=True).format(record).startswith("<4>level=warning logger=aggregator msg=m")


def test_a_traceback_stays_in_its_line() -> None:
    try:
        int("of no use")
    except ValueError as error:
        fault = (ValueError, error, error.__traceback__)
    line = logs.Logfmt().format(logging.makeLogRecord({"name": "x", "msg": "job failed", "exc_info": fault}))
    assert "ValueError: invalid literal" in line
    assert "\n" not in line


def test_events_reach_the_stream() -> None:
    stream = io.StringIO()
    running = logs.set_up(environ={}, stream=stream)
    logging.getLogger("aggregator.x").info("hello", extra={"n": 1})
    running.close()
    assert stream.getvalue().endswith(" level=info logger=x msg=hello n=1\n")


class Blocked(io.StringIO):
    """A terminal that somebody has stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        self.go_on.wait(400)
        return super().write(text)


def test_a_stopped_reader_does_not_stop_the_work() -> None:
    stream = Blocked()
    running = logs.set_up(environ={}, stream=stream)
    for n in range(logs.BACKLOG + 500):
        logging.getLogger("aggregator.x").info("hello", extra={"n": n})
    stream.go_on.set()
    while "n=9000" not in stream.getvalue():
        threading.Event().wait(0.01)
    logging.getLogger("aggregator.x").info("later")
    running.close()
    assert 'msg="events dropped"' in stream.getvalue()


def test_the_journal_is_told_from_a_shell_that_inherited_its_variable(tmp_path: Path) -> None:
    with (tmp_path / "err").open("w+") as stream:
        state = os.fstat(stream.fileno())
        for variable in (f"{state.st_dev}:{state.st_ino}", "1:2"):
            running = logs.set_up(environ={"JOURNAL_STREAM": variable}, stream=stream)
            logging.getLogger("aggregator.x").info("hello")
            running.close()
        first, second = (tmp_path / "err").read_text().splitlines()
    assert first == "<6>level=info logger=x msg=hello"
    assert second.startswith("ts=")


def test_a_stream_that_fails_loses_lines_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    running = logs.set_up(environ={}, stream=stream)
    stream.close()
    logging.getLogger("aggregator.x").info("hello")
    running.close()
    assert capsys.readouterr().err == ""
