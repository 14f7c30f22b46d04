from __future__ import annotations

import io
import logging
import shlex
import threading

from hypothesis import given
from hypothesis import strategies as st

from aggregator import logs


def line_of(event: str, **figures: object) -> str:
    record = logging.getLogger("aggregator.test").makeRecord(
        "aggregator.test", logging.INFO, __file__, 1, event, (), None, extra=figures
    )
    return logs.KeyValue().format(record)


def test_an_event_is_one_line_of_keys_and_values() -> None:
    line = line_of("source failed", url="http://a.example/feed", code="http-404", note="two words")
    assert line.endswith(
        ' info event="source failed" room=test url=http://a.example/feed code=http-404 note="two words"'
    )


@given(st.text())
def test_nothing_a_feed_says_can_forge_a_line(text: str) -> None:
    line = line_of("title", title=text)
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_quoted_values_can_be_read_back() -> None:
    assert shlex.split(line_of("x", title='say "hello" \\ again'))[-1] == 'title=say "hello" \\ again'


def test_the_journal_gets_a_priority_instead_of_a_time() -> None:
    record = logging.makeLogRecord(
        {"msg": "m", "levelno": logging.WARNING, "levelname": "WARNING", "name": "aggregator"}
    )
    assert logs.KeyValue(journal=True).format(record).startswith("<4>warning event=m")


def test_a_traceback_stays_in_its_line() -> None:
    try:
        int("of no use")
    except ValueError as error:
        fault = (ValueError, error, error.__traceback__)
    line = logs.KeyValue().format(logging.makeLogRecord({"name": "x", "msg": "job failed", "exc_info": fault}))
    assert "ValueError: invalid literal" in line
    assert "\n" not in line


def test_events_reach_the_stream() -> None:
    stream = io.StringIO()
    running = logs.set_up(environ={}, stream=stream)
    logging.getLogger("aggregator.x").info("hello", extra={"n": 1})
    running.close()
    assert stream.getvalue().endswith("event=hello room=x n=1\n")


class Blocked(io.StringIO):
    """A terminal that somebody has stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        self.go_on.wait(10)
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
    assert 'event="events left out"' in stream.getvalue()
