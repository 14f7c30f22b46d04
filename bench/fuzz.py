"""Mutated documents and made-up values against the way in, for a while.

    python -m bench.fuzz [--seconds 60] [--seed N] [--keep DIRECTORY]

Seeds are documents of every format, and real ones where ``../shared/data`` is there. Whatever comes in, only the errors
that are documented may come out, within two seconds of processor time, and what is parsed must be fit to be stored,
shown and compared. Each finding is printed with the number that makes it again; `--keep` writes its input down.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

from aggregator.collect.clean import clean_guid, clean_html, clean_line, is_impossible, parse_date, safe_url
from aggregator.collect.decision import with_hub_links
from aggregator.collect.discover import find_feeds
from aggregator.collect.fetch.content_encoding import decode_body
from aggregator.collect.parse import parse_sync
from aggregator.collect.parse.protocol import LENGTHS, decode_answer, encode_feed
from aggregator.curate.identity import canonical_url, identify
from aggregator.errors import CollectError, FetchError, ParseError
from aggregator.model import Document, FeedInfo, KnownEntry, ParsedEntry, ParsedFeed
from aggregator.publish import opml

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "https://feed.example/a/feed.xml"
#: processor time of one case
LIMIT_S = 2.0
DATA = Path(__file__).parents[2] / "shared" / "data" / "real"
#: larger ones make fewer cases
MAX_SEED_BYTES = 60_000

SEEDS = [
    (
        b'<?xml version="1.0"?><rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc'
        b'="http://purl.org/dc/elements/1.1/"><channel><title>T &amp; U</title><link>http://a.example/'
        b"</link><ttl>60</ttl><skipHours><hour>3</hour></skipHours><item><title><![CDATA[One <b>bold</"
        b'b>]]></title><link>/one?a=1&amp;b=2</link><guid isPermaLink="false">g1</guid><pubDate>Mon, 2'
        b"3 Nov 2026 10:00:00 +0100</pubDate><author>a@b.example (Ann)</author><category>x</category><"
        b"description>&lt;p&gt;Text &lt;a href='x'&gt;y&lt;/a&gt;&lt;/p&gt;</description><enclosure ur"
        b'l="a.mp3" length="1" type="audio/mpeg"/><media:thumbnail url="http://a.example/i.jpg"/></ite'
        b"m><item><title>Two</title><dc:date>2026-11-23</dc:date></item></channel></rss>"
    ),
    (
        b'<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://a.example/x/" xml:lang="de"><titl'
        b'e type="html">A</title><link rel="self" href="feed"/><link rel="hub" href="https://h.example'
        b'/"/><entry xml:base="y/"><title>E</title><id>tag:a.example,2026:1</id><link href="z"/><updat'
        b'ed>2026-11-23T10:00:00Z</updated><content type="xhtml"><div xmlns="http://www.w3.org/1999/xh'
        b'tml"><p>Hi <img src="i.png"/></p></div></content><author><name>N</name></author></entry></fe'
        b"ed>"
    ),
    (
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/'
        b"1.0/\"><channel><title>R</title></channel><item rdf:about='http://a.example/1'><title>I</titl"
        b"e><link>http://a.example/1</link></item></rdf:RDF>"
    ),
    (
        b'{"version":"https://jsonfeed.org/version/1.1","title":"J","items":[{"id":"1","url":"https://'
        b'a.example/1","title":"T\\u00e9","content_html":"<p>x</p>","date_published":"2026-11-23T10:00:'
        b'00Z","authors":[{"name":"N"}],"tags":["t"],"attachments":[{"url":"https://a.example/a.mp3","'
        b'mime_type":"audio/mpeg","size_in_bytes":12}]}]}'
    ),
    (
        b'<!DOCTYPE rss [<!ENTITY a "b"><!ENTITY % c SYSTEM "d">]><rss><channel><title>&a;</title><ite'
        b"m><title>&nbsp;&#233;</title></item></channel></rss>"
    ),
    (
        b'<html><head><link rel="alternate" type="application/rss+xml" href="/feed"><base href="/x/"><'
        b"/head><body>x</body>"
    ),
    (
        b'<opml version="2.0"><body><outline text="S"><outline type="rss" xmlUrl="http://a.example/f"/'
        b"></outline></body></opml>"
    ),
]
TOKENS = [
    *(b"<", b">", b"&", b'"', b"'", b"\0", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"--!>", b"<?", b"?>", b"&#xD800;"),
    *(
        b"&#x9999999999;",
        b"&a;",
        b"</item>",
        b"<item>",
        b"</channel>",
        b"<entry>",
        b"</entry>",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
    ),
    *(b"\xed\xa0\xbd", b"\xc3", b"\xe2\x80\xae", b"\xcc\x81" * 50, b"<!DOCTYPE x [", b"]>", b"<!ENTITY x 'y'>", b"&x;"),
    *(b' xml:base="http://["', b' xmlns:media="x"', b"<georss:point>x</georss:point>", b"<itunes:image/>", b"<guid/>"),
    *(
        b"<pubDate>99999</pubDate>",
        b"<link>javascript:x</link>",
        b'"url":',
        b"[[[[",
        b"{",
        b"}",
        b"9" * 400,
        b"\\ud83d",
    ),
    *(b"&lt;script&gt;x&lt;/script&gt;", b"&lt;img src=x onerror=x&gt;", b"&lt;svg&gt;&lt;style&gt;", b"<x>" * 200),
    *(
        b'encoding="utf-16"',
        b'encoding="punycode"',
        b"<media:content url='//x'/>",
        b"<psc:chapters/>",
        b"<cc:license/>",
    ),
]
WORDS = [
    *(
        "http://",
        "https://",
        "//",
        "a.example",
        "[::1]",
        "@",
        ":",
        "/",
        "?",
        "#",
        "%",
        "%00",
        "&amp;",
        "utm_source=x",
        "\\",
    ),
    *(
        "javascript:",
        "data:",
        "..",
        ".",
        "xn--",
        "ä",
        "\u202e",
        "\t",
        "\n",
        "1" * 20,
        "2026",
        "-",
        "Nov",
        "Mon, ",
        "T",
        "Z",
    ),
    *(
        "+01:00",
        "12:00",
        "24:00:60",
        "GMT",
        "EST",
        "年",
        "<b>",
        "</b>",
        "<a href=",
        ">",
        '"',
        "<p",
        "&#0;",
        "<!--",
        "\u0301",
    ),
]


class Slow(BaseException):
    """A case took longer than it may; no `except Exception` is to catch it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What went wrong with which case."""

    number: int
    target: str
    what: str
    given: bytes


def mutated(dice: random.Random, seeds: list[bytes]) -> bytes:
    """One document: a seed with a few changes."""
    data = dice.choice(seeds)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        data = dice.choice(MUTATIONS)(dice, data, seeds)
    return data[: 4 * MAX_SEED_BYTES]


def _flip(dice: random.Random, data: bytes, _: list[bytes]) -> bytes:
    changed = bytearray(data)
    for _change in range(dice.choice((1, 4, 20))):
        if changed:
            changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def _insert(dice: random.Random, data: bytes, _: list[bytes]) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.choice(TOKENS) * dice.choice((1, 1, 1, 30)) + data[at:]


def _cut(dice: random.Random, data: bytes, _: list[bytes]) -> bytes:
    start, end = _span(dice, data)
    return data[:start] + data[end:]


def _truncate(dice: random.Random, data: bytes, _: list[bytes]) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _repeat(dice: random.Random, data: bytes, _: list[bytes]) -> bytes:
    start, end = _span(dice, data)
    return data[:end] + data[start:end] * dice.choice((1, 2, 40)) + data[end:]


def _splice(dice: random.Random, data: bytes, seeds: list[bytes]) -> bytes:
    other = dice.choice(seeds)
    return data[: dice.randrange(len(data) + 1)] + other[dice.randrange(len(other) + 1) :]


def _recode(dice: random.Random, data: bytes, _: list[bytes]) -> bytes:
    return data.decode("utf-8", "replace").encode(dice.choice(("utf-16", "utf-16-le", "cp1252", "gb18030")), "replace")


def _span(dice: random.Random, data: bytes) -> tuple[int, int]:
    start = dice.randrange(len(data) + 1)
    return start, min(len(data), start + dice.choice((1, 10, 100, 1000)))


MUTATIONS = (_flip, _insert, _insert, _insert, _cut, _truncate, _repeat, _splice, _recode)


# --- what must hold -------------------------------------------------------------------------------------------------


def parse(given: bytes) -> None:
    """A document is a feed that is fit for everything that follows, or one of the documented errors."""
    try:
        feed = parse_sync(Document(body=given, url=URL, content_type=None))
    except ParseError as error:
        _documented(error, {"empty-body", "not-a-feed", "bad-json", "xml-entity", "parse-failed"})
        return
    assert decode_answer(encode_feed(feed)[LENGTHS.size :]) == feed, "what travels arrives as it was"
    assert len(feed.entries) <= 1000
    for entry in feed.entries:
        _fit(entry)
    _same_again(feed)


def _documented(error: CollectError, codes: set[str]) -> None:
    assert error.code in codes, error.code
    assert str(error).isprintable()


def _fit(entry: ParsedEntry) -> None:
    texts = (entry.title, entry.text, entry.author or "", entry.guid or "", *entry.categories)
    assert all(text.encode() is not None and "\0" not in text for text in texts)
    assert entry.title == clean_line(entry.title) or entry.title == "(untitled)"
    assert len(entry.text) <= 2000
    for url in filter(None, (entry.link, entry.image_url, *entry.outlinks, *(e.url for e in entry.enclosures))):
        assert safe_url(url) == url, url
    assert all(moment is None or moment.year >= 1990 for moment in (entry.published, entry.updated))
    for html in (entry.summary_html, entry.content_html):
        assert len(html) <= 256 * 1024
        assert not (live := Live.found(html)), live


def _same_again(feed: ParsedFeed) -> None:
    """A second poll of the same document finds the same entries: nothing is announced twice."""
    first = identify(feed.entries, [], source_url=URL, now=NOW)
    known = [
        KnownEntry(
            entry_id=entry.entry_id,
            guid=entry.parsed.guid,
            canonical_url=entry.canonical_url,
            title=entry.parsed.title,
            text_key=entry.parsed.text_key,
            first_seen=NOW,
            published=entry.published,
        )
        for entry in first.entries
    ]
    again = identify(feed.entries, known, source_url=URL, now=NOW, unstable_ids=first.unstable_ids)
    assert [entry.entry_id for entry in again.entries] == [entry.entry_id for entry in first.entries]
    assert all(entry.published <= NOW for entry in first.entries)


class Live(HTMLParser):
    """Finds what would do something in a browser."""

    def __init__(self) -> None:
        super().__init__()
        self.live: list[str] = []

    @classmethod
    def found(cls, html: str) -> list[str]:
        """The live parts of `html`."""
        reader = cls()
        reader.feed(html)
        reader.close()
        return reader.live

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser for each opening tag."""
        if tag in {"script", "style", "iframe", "object", "embed", "svg", "math", "form", "base", "meta", "link"}:
            self.live.append(tag)
        for name, value in attrs:
            plain = "".join(char for char in (value or "") if char > " ").lower()
            if name.startswith("on") or name in {"style", "id", "class", "srcdoc"}:
                self.live.append(name)
            if name in {"href", "src"} and not plain.startswith(("http://", "https://")):
                self.live.append(plain[:40])


def html(given: bytes) -> None:
    """HTML is harmless, bounded, and cleaning it again changes nothing that lives."""
    clean = clean_html(given.decode("utf-8", "replace"), base=URL)
    assert len(clean.html) <= 256 * 1024
    assert not (live := Live.found(clean.html)), live
    assert all(safe_url(url) == url for url in (*clean.links, *clean.images))


def page(given: bytes) -> None:
    """A page names feeds that can be fetched, or none; OPML is read or refused."""
    for feed in find_feeds(given, URL):
        assert feed.url.startswith(("http://", "https://")), feed.url
    with contextlib.suppress(ParseError):
        opml.parse(given)


def compressed(given: bytes) -> None:
    """A body is inflated within its bound, or refused."""
    for coding in ("", "gzip", "deflate", "gzip, deflate"):
        try:
            assert len(decode_body(b"\x1f\x8b\x08\0" + given, coding, max_size_bytes=100_000).body) <= 100_000
        except FetchError as error:
            _documented(error, {"bad-encoding", "too-large"})


def values(given: bytes) -> None:
    """Single values: addresses, dates, lines, ids, headers."""
    text = given.decode("utf-8", "surrogateescape")
    url = safe_url(text, URL)
    assert url is None or safe_url(url) == url
    key = canonical_url(text)
    assert key is None or canonical_url(key) == key
    moment = parse_date(text)
    assert moment is None or (moment.tzinfo is UTC and moment.year >= 1990)
    assert is_impossible(text) in {True, False}
    line = clean_line(text)
    assert clean_line(line) == line
    assert line.encode() is not None
    assert (clean_guid(text) or "").encode() is not None
    assert len(with_hub_links(FeedInfo(), text, "https://a.example/feed").hubs) <= 5


def made_up(dice: random.Random) -> bytes:
    """A short value of words that matter."""
    words = "".join(dice.choice(WORDS) for _ in range(dice.randrange(1, 9)))
    return _flip(dice, words.encode(), []) if dice.random() < 0.2 else words.encode()


TARGETS: list[tuple[int, Callable[[bytes], None]]] = [(6, parse), (2, html), (1, page), (1, compressed), (6, values)]


# --- running ----------------------------------------------------------------------------------------------------------


def case(number: int, seeds: list[bytes]) -> tuple[Callable[[bytes], None], bytes]:
    """The target and the input of a number: the same ones every time, with the same seeds."""
    dice = random.Random(number)
    target = dice.choices([target for _, target in TARGETS], [weight for weight, _ in TARGETS])[0]
    return target, made_up(dice) if target is values else mutated(dice, seeds)


def tried(number: int, seeds: list[bytes]) -> Finding | None:
    """Runs one case."""
    return judged(number, *case(number, seeds))


def judged(number: int, target: Callable[[bytes], None], given: bytes, *, limit_s: float = LIMIT_S) -> Finding | None:
    """Runs one target on one input; None: nothing is wrong. `too_slow` has to handle SIGVTALRM."""
    signal.setitimer(signal.ITIMER_VIRTUAL, limit_s)
    try:
        target(given)
    except Slow:
        return Finding(number, target.__name__, f"took more than {limit_s:g} s", given)
    except Exception:  # noqa: BLE001 - whatever it is, it is a finding
        return Finding(number, target.__name__, traceback.format_exc(limit=-4), given)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return None


def too_slow(*_: object) -> None:
    """The handler of the timer of a case."""
    raise Slow


def documents() -> Iterator[bytes]:
    """The seeds: our own, and real ones."""
    yield from SEEDS
    if DATA.is_dir():
        for path in sorted(DATA.rglob("*")):
            if path.is_file() and 0 < path.stat().st_size <= MAX_SEED_BYTES and path.suffix != ".xz":
                yield path.read_bytes()


def main() -> int:
    """Runs for as long as it was told; 1 if there were findings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the number of the first case")
    parser.add_argument("--cases", type=int, default=sys.maxsize, help="at most so many")
    parser.add_argument("--keep", type=Path, help="a directory for the inputs of findings")
    given = parser.parse_args()
    signal.signal(signal.SIGVTALRM, too_slow)
    seeds = list(documents())
    deadline = time.monotonic() + given.seconds
    done: collections.Counter[str] = collections.Counter()
    findings: list[Finding] = []
    number = given.seed
    while time.monotonic() < deadline and number - given.seed < given.cases:
        done[case(number, seeds)[0].__name__] += 1
        if found := tried(number, seeds):
            findings.append(found)
            print(f"--- case {found.number}, {found.target}, {len(found.given)} bytes\n{found.what}", flush=True)
            if given.keep:
                given.keep.mkdir(parents=True, exist_ok=True)
                (given.keep / f"{found.target}-{found.number}").write_bytes(found.given)
        number += 1
    counts = ", ".join(f"{name} {count}" for name, count in sorted(done.items()))
    print(f"{sum(done.values())} cases from {len(seeds)} seeds ({counts}), the first {given.seed}")
    print(f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    sys.exit(main())
