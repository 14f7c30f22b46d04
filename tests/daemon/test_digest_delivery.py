"""Digests are sent once: over restarts, crashes at the worst moment, and servers that are not there."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from publishing import NOON, sqlite_store
from smtp_server import Inbox, smtp_server

from aggregator import assemble, config
from aggregator.daemon import notify
from aggregator.daemon.delivery import Channel, Delivery, Refused, Undelivered
from aggregator.daemon.digests import Digests, in_a_thread
from aggregator.model import Digest
from aggregator.publish.lists import Lists
from aggregator.store import Store, open_store

MINUTE = timedelta(minutes=1)
AFTER = NOON + timedelta(hours=2)
TO = "reader@example.org"


class Newspaper:
    """A store with items and a digest at 13:00, and a clock that stands where it is put."""

    def __init__(self, folder: Path, port: int, extra: str = "") -> None:
        (folder / "config.toml").write_text(
            '[site]\nurl = "http://127.0.0.1:8080"\n[store]\nurl = "sqlite:published.db"\n'
            f'[mail]\nserver = "127.0.0.1"\nport = {port}\nfrom = "digest@example.net"\ntls = "none"\n'
            '[[sources]]\nurl = "http://127.0.0.1/feed.xml"\n'
            f'[[feeds]]\nname = "morning"\ntitle = "Tägliches"\nevery = "1d"\nat = "13:00"\n{extra}'
        )
        self.settings = config.load(folder / "config.toml")
        self.folder = folder
        self.store: Store = sqlite_store(folder)
        self.now = NOON
        self.restart()
        self.run(NOON)

    def restart(self) -> None:
        self.store.close()
        self.store = open_store("sqlite:published.db", base=self.folder)
        self.digests = Digests(self.store)

    def run(self, now: datetime) -> str:
        self.now = now
        site = assemble.site(self.settings, self.store)
        return self.digests.run(self.settings, site, Lists(self.store, site), clock=lambda: self.now)

    def ends(self) -> list[str]:
        return [value for name, value in self.store.minted("digest-sent/", limit=0) if name.endswith("/end")]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with smtp_server() as server:
        yield server


@pytest.fixture
def paper(tmp_path: Path, inbox: Inbox) -> Iterator[Newspaper]:
    made = Newspaper(tmp_path, inbox.port, f'mail = "{TO}"\n')
    yield made
    made.store.close()


def test_one_message_plain_and_html_is_mailed_once(paper: Newspaper, inbox: Inbox) -> None:
    assert inbox.messages == []
    assert [paper.run(AFTER + minute * MINUTE) for minute in range(3)] == ["", "", ""]
    paper.restart()
    assert paper.run(AFTER + 5 * MINUTE) == ""
    assert [to for to, _ in inbox.messages] == [TO]
    message = inbox.parsed()[0]
    assert message["Message-ID"] == "<digest.morning.2026-11-23@127.0.0.1>"
    assert (message["To"], message["From"], message["Subject"]) == (TO, "digest@example.net", "Tägliches · 2026-11-23")
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert "http://127.0.0.1:8080/go/" in plain.get_content()
    assert "<li><a href=" in html.get_content()
    assert all(len(line) < 998 and line.isascii() for line in inbox.messages[0][1].split(b"\r\n"))
    assert paper.ends() == ["sent"]


def test_each_recipient_has_a_message_of_their_own(tmp_path: Path, inbox: Inbox) -> None:
    paper = Newspaper(tmp_path, inbox.port, 'mail = ["a@example.org", "b@example.org"]\n')
    paper.run(AFTER)
    assert sorted(to for to, _ in inbox.messages) == ["a@example.org", "b@example.org"]
    assert all(b"b@example.org" not in body for to, body in inbox.messages if to == "a@example.org")
    paper.store.close()


@pytest.mark.parametrize(
    "answers", [{"HELO": "421 busy"}, {"MAIL": "451 later"}, {"RCPT": "450 greylisted"}, {"DATA": "451 later"}]
)
def test_what_surely_was_not_sent_is_tried_again_ever_more_rarely(
    paper: Newspaper, inbox: Inbox, answers: dict[str, str]
) -> None:
    inbox.answers = answers
    told = paper.run(AFTER)
    assert told.startswith("The digest morning of 2026-11-23 was not mailed: the mail server")
    assert "example" not in told
    for minute in range(1, 60):
        paper.run(AFTER + minute * MINUTE)
    assert inbox.connections == 6, "after 1, 2, 4, 8, 16 and 32 minutes"
    assert inbox.messages == []
    inbox.answers = {}
    paper.restart()
    assert paper.run(AFTER + 61 * MINUTE) == ""
    assert len(inbox.messages) == 1


def test_a_server_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    with smtp_server() as gone:
        port = gone.port
    paper = Newspaper(tmp_path, port, f'mail = "{TO}"\n')
    assert "cannot be reached" in paper.run(AFTER)
    assert "it is tried again" in paper.run(AFTER + MINUTE)
    assert paper.ends() == []
    assert paper.run(AFTER + timedelta(days=2)) == "", "yesterday's is sent to nobody any more"
    paper.store.close()


def test_a_refusal_for_good_is_told_and_not_repeated(paper: Newspaper, inbox: Inbox) -> None:
    inbox.answers = {"RCPT": f"550 <{TO}> unknown"}
    for minute in range(10):
        told = paper.run(AFTER + minute * MINUTE)
    assert (
        told == "The digest morning of 2026-11-23 was not mailed: refused: the mail server refuses the recipient (550)."
    )
    assert inbox.connections == 1
    paper.restart()
    assert paper.run(AFTER + 20 * MINUTE) == told, "a restart does not forget it"


def test_an_answer_that_never_comes_sends_nothing_twice(paper: Newspaper, inbox: Inbox) -> None:
    inbox.after_data = ""
    assert "unknown" in paper.run(AFTER)
    paper.restart()
    assert "unknown" in paper.run(AFTER + 5 * MINUTE)
    assert len(inbox.messages) == 1


def test_a_farewell_that_fails_sends_nothing_twice(paper: Newspaper, inbox: Inbox) -> None:
    inbox.answers = {"QUIT": ""}
    assert paper.run(AFTER) == ""
    assert paper.run(AFTER + 5 * MINUTE) == ""
    assert len(inbox.messages) == 1


_VICTIM = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from aggregator import assemble, config
from aggregator.daemon import delivery, digests
from aggregator.publish.lists import Lists

settings = config.load(Path(sys.argv[1]))
store = assemble.store(settings)
claim = delivery._Claim.__call__

def killed(self):
    if sys.argv[3] == "after":
        claim(self)
    os.kill(os.getpid(), signal.SIGKILL)

delivery._Claim.__call__ = killed
site = assemble.site(settings, store)
now = datetime.fromisoformat(sys.argv[2])
digests.Digests(store).run(settings, site, Lists(store, site), clock=lambda: now)
"""


@pytest.mark.parametrize(("moment", "sent"), [("before", 1), ("after", 0)])
def test_killed_around_the_mark_it_is_never_sent_twice(paper: Newspaper, inbox: Inbox, moment: str, sent: int) -> None:
    paper.store.close()
    command = [sys.executable, "-c", textwrap.dedent(_VICTIM), str(paper.folder / "config.toml"), AFTER.isoformat()]
    ended = subprocess.run([*command, moment], check=False, env=os.environ, capture_output=True)
    assert ended.returncode == -9, ended.stderr.decode()
    paper.restart()
    told = paper.run(AFTER + MINUTE)
    assert len(inbox.messages) == sent, "before the mark nothing was sent; after it nobody knows"
    assert ("unknown: the daemon ended while it was sent" in told) == (sent == 0)
    assert len(paper.store.minted("digest/morning/", limit=0)) == 1, "the digest itself is not lost and not twice there"


class _Hook(BaseHTTPRequestHandler):
    bodies: list[dict[str, str]]
    status = 200

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[tuple[type[_Hook], int]]:
    handler = type("Hook", (_Hook,), {"bodies": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield handler, server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # Apprise's own
def test_a_webhook_is_told_once(tmp_path: Path, hook: tuple[type[_Hook], int]) -> None:
    pytest.importorskip("apprise")
    handler, port = hook
    paper = Newspaper(tmp_path, 1, f'notify = ["json://127.0.0.1:{port}/told"]\n')
    handler.status = 503
    assert paper.run(AFTER).startswith(
        "The digest morning of 2026-11-23 was not notified: the service does not take it"
    )
    handler.status = 200
    failed = len(handler.bodies)
    for minute in range(1, 5):
        assert paper.run(AFTER + minute * MINUTE) == ""
    assert len(handler.bodies) == failed + 1
    assert handler.bodies[-1]["title"] == "Tägliches · 2026-11-23"
    assert "http://127.0.0.1:8080/go/" in handler.bodies[-1]["message"]
    paper.store.close()


def test_without_apprise_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    digest = Digest(feed="a", period="2026-01-01", issued=NOON, title="A", html="", text="")
    with pytest.raises(Refused, match="feed-aggregator"):
        notify.notify(digest, "json://127.0.0.1/")


def test_two_processes_send_one_message(paper: Newspaper) -> None:
    sent: list[str] = []

    def send(_: Digest, on_accepted: Callable[[], None]) -> None:
        if not sent:  # the other one comes when this one is about to begin
            sent.append("other")
            Delivery(paper.store).deliver(digest, channel, now=NOON)
        on_accepted()
        sent.append("message")

    digest = Digest(feed="a", period="2026-01-01", issued=NOON, title="A", html="", text="", items=("x",))
    channel = Channel(kind="mail", address=TO, send=send)
    Delivery(paper.store).deliver(digest, channel, now=NOON)
    assert sent == ["other", "message"]
    assert TO not in repr(channel)


def test_an_error_in_the_thread_is_raised_where_it_is_waited_for() -> None:
    def fails() -> str:
        raise Undelivered("so")

    async def run() -> str:
        with pytest.raises(Undelivered):
            await in_a_thread(fails)
        return await in_a_thread(lambda: "done")

    assert asyncio.run(run()) == "done"
