"""Feed readers that people use, driven by scripts: what they are subscribed to, and what they then show.

Each is given a folder of its own and addresses; `reload` makes it fetch them once, `shown` reads what it keeps of one.
"""

from __future__ import annotations

import asyncio
import json
import mailbox
import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import unquote

#: a Python of an environment of its own, in which the package `reader` is installed: `make readers` makes it
READER_PYTHON = Path(os.environ.get("READER_PYTHON", Path(__file__).parents[1] / ".venv-readers" / "bin" / "python"))


@dataclass(frozen=True)
class Shown:
    """One entry, as a reader keeps it."""

    id: str
    title: str
    link: str
    content: str
    #: the address of its media file, "" where it has none
    enclosure: str = ""


async def run(*command: str, stdin: bytes = b"", home: Path) -> bytes:
    """A program's output; it must end well within a minute."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin), 400)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, err.decode()
    return out


class FeedReader(AbstractAsyncContextManager["FeedReader"]):
    """What all of them can do."""

    #: what has to be installed, programs or files
    needs: ClassVar[tuple[str, ...]]
    #: it asks for what has changed only (RFC 9110, 13)
    asks_conditionally: ClassVar[bool] = True
    #: it takes over edits of entries that it has shown
    takes_edits: ClassVar[bool] = True
    shows_enclosures: ClassVar[bool] = True

    def __init__(self, directory: Path, urls: Sequence[str], answers: Callable[[], Awaitable[int]]) -> None:
        self.directory = directory
        self.urls = list(urls)
        #: how many requests the site has answered so far
        self.answers = answers

    @classmethod
    def missing(cls) -> str | None:
        """What would have to be installed."""
        return next((name for name in cls.needs if shutil.which(name) is None), None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def reload(self) -> None:
        """SupportsGet every subscription once."""
        raise NotImplementedError

    def shown(self, url: str) -> list[Shown]:
        """What it keeps of a feed."""
        raise NotImplementedError


class Newsboat(FeedReader):
    """newsboat; what it shows is read from its database."""

    needs = ("newsboat",)
    #: newsboat 2.21 keeps the validators and does not send them when it is told to reload by `-x`
    asks_conditionally = False

    async def reload(self) -> None:
        (self.directory / "urls").write_text("\n".join(self.urls) + "\n")
        (self.directory / "config").write_text("suppress-first-reload yes\nreload-threads 1\n")
        files = [("-C", "config"), ("-u", "urls"), ("-c", "cache.db")]
        options = [part for option, name in files for part in (option, str(self.directory / name))]
        await run("newsboat", "-q", *options, "-x", "reload", home=self.directory)

    def shown(self, url: str) -> list[Shown]:
        query = "SELECT guid, title, url, content, enclosure_url FROM rss_item WHERE feedurl = ? AND deleted = 0"
        return [Shown(*row) for row in _rows(self.directory / "cache.db", query, url)]


class Sfeed(FeedReader):
    """sfeed_update, which fetches with curl and keeps a file of lines for each feed."""

    needs = ("sfeed_update", "curl")
    asks_conditionally = False
    #: of two entries with one id, link and title it keeps the first
    takes_edits = False
    fields = ("timestamp", "title", "link", "content", "type", "id", "author", "enclosure", "category")

    async def reload(self) -> None:
        feeds = "".join(f"  feed '{self._name(url)}' '{url}'\n" for url in self.urls)
        rc = self.directory / "sfeedrc"
        rc.write_text(f'sfeedpath="{self.directory}/kept"\nfeeds() {{\n{feeds}}}\n')
        await run("sfeed_update", str(rc), home=self.directory)

    def shown(self, url: str) -> list[Shown]:
        lines = (self.directory / "kept" / self._name(url)).read_text().splitlines()
        rows = [dict(zip(self.fields, line.split("\t"), strict=True)) for line in lines]
        return [Shown(row["id"], row["title"], row["link"], row["content"], row["enclosure"]) for row in rows]

    def _name(self, url: str) -> str:
        return f"feed-{self.urls.index(url)}"


class Rss2email(FeedReader):
    """rss2email, with a folder of mails instead of a mail server; each entry is one mail."""

    needs = ("r2e",)
    #: a mail that was sent cannot be edited
    takes_edits = False

    async def reload(self) -> None:
        inbox = self.directory / "mail"
        if not inbox.exists():
            inbox.mkdir()
            await self._r2e("new", "anna@example.org")
            config = self.directory / "config"
            text = config.read_text()
            text = text.replace("email-protocol = sendmail", "email-protocol = maildir")
            lines = [
                f"maildir-path = {inbox}" if line.startswith("maildir-path") else line for line in text.split("\n")
            ]
            config.write_text("\n".join(lines))
            for number, url in enumerate(self.urls):
                await self._r2e("add", f"feed-{number}", url)
        await self._r2e("run")

    async def _r2e(self, *arguments: str) -> None:
        files = ("-c", str(self.directory / "config"), "-d", str(self.directory / "data.json"))
        await run("r2e", *files, *arguments, home=self.directory)

    def shown(self, url: str) -> list[Shown]:
        box = mailbox.Maildir(self.directory / "mail" / "INBOX", create=False)
        return [_mail(message) for message in box if message["X-RSS-Feed"] == url]


def _mail(message: Message) -> Shown:
    body = bytes(message.get_payload(decode=True)).decode(message.get_content_charset("utf-8"))
    enclosure = next((line.split()[-1] for line in body.splitlines() if line.startswith("Enclosure:")), "")
    subject = str(make_header(decode_header(message["Subject"])))
    return Shown(message["X-RSS-ID"], " ".join(subject.split()), message["X-RSS-URL"], body, enclosure)


class Liferea(FeedReader):
    """Liferea on a display of its own, told by D-Bus what to do; what it shows is read from its database."""

    needs = ("liferea", "xvfb-run", "xauth", "dbus-run-session", "dbus-send")
    #: an entry with a guid stays as it first came
    takes_edits = False
    #: it opens with these, instead of the subscriptions to news of the day that a new user gets
    no_feeds = '<?xml version="1.0"?><opml version="1.0"><head><title>None</title></head><body/></opml>'
    script = """
    to="--session --print-reply --dest=org.gnome.feed.Reader /org/gnome/feed/Reader"
    say() { dbus-send $to "$@" >/dev/null 2>&1; }
    liferea &
    until say org.gnome.feed.Reader.Ping; do sleep 0.2; done
    touch ready
    while read -r method url; do say "org.gnome.feed.Reader.$method" ${url:+"string:$url"}; done
    """

    async def __aenter__(self) -> Self:
        settings = self.directory / ".config" / "liferea"
        settings.mkdir(parents=True)
        (settings / "feedlist.opml").write_text(self.no_feeds)
        self.log = (self.directory / "log").open("wb")
        self.process = await asyncio.create_subprocess_exec(
            *("dbus-run-session", "--", "xvfb-run", "-a", "sh", "-c", self.script),
            cwd=self.directory,
            stdin=asyncio.subprocess.PIPE,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
            env={"HOME": str(self.directory), "XDG_RUNTIME_DIR": str(self.directory), "PATH": "/usr/bin:/bin"},
        )
        await self._until((self.directory / "ready").exists)
        return self

    async def __aexit__(self, *error: object) -> None:
        os.killpg(self.process.pid, 15)
        await self.process.wait()
        self.log.close()

    async def reload(self) -> None:
        before = await self.answers()
        commands = ["Refresh"] if self._database().exists() and self._count("subscription") else []
        for command in commands or [f"Subscribe {url}" for url in self.urls]:
            assert self.process.stdin is not None
            self.process.stdin.write(f"{command}\n".encode())
        async with asyncio.timeout(400):
            while await self.answers() < before + len(self.urls):  # noqa: ASYNC110  # another process asks
                await asyncio.sleep(0.1)
        await asyncio.sleep(1.5)  # from the answer to the database

    def shown(self, url: str) -> list[Shown]:
        query = """
        SELECT i.source_id, i.title, i.source, i.description, coalesce((SELECT value FROM metadata m
            WHERE m.item_id = i.item_id AND m.key = 'enclosure'), '')
        FROM items i JOIN subscription s USING (node_id) WHERE s.source = ?
        """
        rows = _rows(self._database(), query, url)
        return [Shown(guid, title, link, text, _liferea_enclosure(media)) for guid, title, link, text, media in rows]

    def _database(self) -> Path:
        return self.directory / ".local" / "share" / "liferea" / "liferea.db"

    def _count(self, table: str) -> int:
        return int(_rows(self._database(), f"SELECT count(*) FROM {table}")[0][0])

    @staticmethod
    async def _until(come: Callable[[], bool]) -> None:
        async with asyncio.timeout(400):
            while not come():  # noqa: ASYNC110  # another process makes it come
                await asyncio.sleep(0.1)


def _liferea_enclosure(text: str) -> str:
    """The address in Liferea's own form: ``enc:0:<type>:<length>:<address, quoted>``."""
    return unquote(text.split(":", 4)[4]) if text.startswith("enc:") else text


class LemonReader(FeedReader):
    """The package `reader` from PyPI, in an environment of its own."""

    needs = (str(READER_PYTHON),)
    script = """
import json, sys
from reader import make_reader
database, *urls = sys.argv[1:]
with make_reader(database) as reader:
    for url in urls:
        reader.add_feed(url, exist_ok=True)
    for update in reader.update_feeds_iter(scheduled=False):
        if isinstance(update.value, Exception):
            raise update.value
    kept = [
        [entry.feed.url, entry.id, entry.title, entry.link, entry.content[0].value if entry.content else entry.summary,
         entry.enclosures[0].href if entry.enclosures else ""]
        for entry in reader.get_entries()
    ]
print(json.dumps(kept))
"""

    async def reload(self) -> None:
        database = str(self.directory / "reader.db")
        out = await run(str(READER_PYTHON), "-c", self.script, database, *self.urls, home=self.directory)
        self.kept: list[list[Any]] = json.loads(out)

    def shown(self, url: str) -> list[Shown]:
        return [Shown(*row) for feed, *row in self.kept if feed == url]


def _rows(database: Path, query: str, *values: str) -> list[Any]:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
        return list(connection.execute(query, values))


ALL: tuple[type[FeedReader], ...] = (Newsboat, Sfeed, Rss2email, Liferea, LemonReader)
