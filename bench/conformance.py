"""Other projects' own test documents through our parser and cleaner: what is lost, and why.

    python bench/conformance.py [--data ../shared/data] [--show 5]

feedparser's documents: whatever feedparser itself reads in one (title, link, guid, words, authors, dates, categories,
enclosures, of the feed and of every entry) must be there when our normaliser is done with it. gofeed's documents come
with the JSON that is expected of them, which is compared field by field. What is not found as expected must fall under
one of the named reasons; the rest is printed and is a fault.
"""

from __future__ import annotations

import argparse
import calendar
import html
import io
import json
import re
import tarfile
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import feedparser

from aggregator.collect.clean import clean_html, clean_line, parse_date, safe_url
from aggregator.collect.parse import parse_sync
from aggregator.errors import ParseError
from aggregator.model import Document, ParsedEntry, ParsedFeed

ADDRESS = "http://example.org/feed.xml"
#: name of the field → what is expected in it; several where there are several
Facts = dict[str, list[str]]
_HEADER = re.compile(rb"^Header:\s*([\w-]+):\s*(.*?)\s*$", re.MULTILINE)
_EXPECT = re.compile(rb"^Expect:\s*(.*?)\s*$", re.MULTILINE)


@dataclass(slots=True)
class Tally:
    """The outcome of a suite."""

    documents: int = 0
    #: documents that are no feed to either side, or not what their suite says
    passed_over: int = 0
    #: documents whose own expectation holds for feedparser as we run it
    upheld: int = 0
    facts: int = 0
    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    #: what our parser warned of in the document at hand
    damage: set[str] = field(default_factory=set)


# --- what ours says -----------------------------------------------------------
def words(text: str) -> str:
    """The words of text or HTML, whatever its markup and spacing."""
    return re.sub(r"[\s\u200b\ufeff\u00ad]+", "", clean_html(text, base=ADDRESS).text)


def ours_of_entry(entry: ParsedEntry) -> Facts:
    return {
        "title": [words(entry.title)],
        "link": [entry.link or ""],
        "guid": [entry.guid or ""],
        "words": [words(entry.summary_html) + "\0" + words(entry.content_html) + "\0" + words(entry.title)],
        "author": [entry.author or ""],
        "published": [str(entry.published)],
        "updated": [str(entry.updated), str(entry.published)],
        "category": list(entry.categories),
        "enclosure": [enclosure.url for enclosure in entry.enclosures],
    }


def ours_of_feed(feed: ParsedFeed) -> Facts:
    info = feed.info
    return {
        "title": [words(info.title)],
        "link": [info.link or ""],
        "words": [words(info.description)],
        "language": [info.language or ""],
        "image": [info.image_url or ""],
    }


# --- the comparison -----------------------------------------------------------
def compare(tally: Tally, where: str, expected: Facts, got: Facts, document: Document) -> None:
    """Counts each expected value as kept, explained or lost."""
    for name, values in expected.items():
        for value in filter(None, values):
            tally.facts += 1
            if is_kept(name, value, got.get(name, []), document.url):
                tally.kept += 1
            elif reason := why(name, value, got, document) or damaged(tally.damage):
                tally.reasons[reason] += 1
            else:
                tally.lost.append(f"{where} {name}: {value[:80]!r}, ours {str(got.get(name))[:100]}")


def is_kept(name: str, value: str, got: list[str], base: str) -> bool:
    if name in {"title", "words"}:
        return any(words(value) in each for each in got)
    if name in {"link", "enclosure", "image"}:
        return value in got or safe_url(value, base) in got
    if name in {"published", "updated"}:
        return value in got or str(parse_date(value)) in got
    if name == "author":
        return any(clean_line(value).casefold() in each.casefold() for each in got)
    if name == "language":
        return value.lower().replace("_", "-") in got
    return clean_line(value) in got or value.strip() in got


def why(name: str, value: str, got: Facts, document: Document) -> str | None:
    """The name of the rule by which a value is not there as expected; None: it is lost."""
    rules = {
        "link": address_rules,
        "enclosure": address_rules,
        "image": address_rules,
        "published": date_rules,
        "updated": date_rules,
        "author": author_rules,
        "guid": guid_rules,
        "category": text_rules,
        "title": text_rules,
        "words": text_rules,
        "language": lambda *_: "not a BCP 47 tag",
    }
    return rules[name](value, got, document)


def damaged(warnings: set[str]) -> str | None:
    if "bad-bytes" in warnings or "encoding-overridden" in warnings:
        return "bytes that are of no encoding"
    return "ill-formed: feedparser's loose parser reads less" if "ill-formed" in warnings else None


def address_rules(value: str, got: Facts, document: Document) -> str | None:
    if got.get("guid", [""])[0] and urljoin(document.url, got["guid"][0]) == value:
        return "a guid that is no address is no link"
    own = re.search(rb"<id>([^<]+)</id>", document.body)
    if own and urljoin(document.url, own[1].decode()) == value:
        return "a guid that is no address is no link"
    if b"<description><![CDATA[<img" in document.body:
        return "a picture in a description is not the feed's"
    if safe_url(value, document.url) is None:
        return "no address that is safe to follow"
    if any(got.get(name, [""])[0] for name in ("link", "image")):
        return "another of its addresses is preferred"
    return None


def date_rules(value: str, got: Facts, _: Document) -> str | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return "no date that can be read"
    if moment.year < 1990:
        return "before 1990: no claim about an article"
    if any(each != "None" for each in (*got["published"], *got["updated"])):
        return "date read more exactly, or another date preferred"
    return None


def author_rules(value: str, got: Facts, _: Document) -> str | None:
    if "@" in value:
        return "e-mail addresses are not republished"
    if "<" in value:
        return "markup where none belongs"
    return "another author preferred" if got.get("author", [""])[0] else None


def guid_rules(value: str, got: Facts, document: Document) -> str | None:
    if got["guid"][0] and (value.endswith(got["guid"][0]) or urljoin(document.url, got["guid"][0]) == value):
        return "guid as written, not resolved"
    return "markup where none belongs" if "<" in value else None


def text_rules(value: str, got: Facts, document: Document) -> str | None:
    shown = [*got.get("title", []), *got.get("words", []), *map(words, got.get("category", []))]
    rules = {
        "no words": not words(value),
        "escaped markup is markup: its words are shown": any(words(html.unescape(value)) in each for each in shown),
        "&lang; and &rang; are those of HTML 5": not set("\u2329\u232a\u3008\u3009").isdisjoint(value),
        "content that is no text is not shown": re.search(rb'<content type="(?:application|video)/', document.body),
        "text is text: what looks like an entity is shown as written": words(value.replace("&", "&amp;"))
        in "".join(shown),
        "what is inside a frame or an object is in place of it, not of the article": is_within_frame(value, document),
        "a picture in a category has a title of its own": re.search(rb"<category>[^<]*<image>", document.body),
        "what is embedded becomes a link": any(
            tag in html.unescape(document.body.decode("utf-8", "replace")) for tag in ("<iframe", "<embed")
        ),
        "broken comments are read as HTML 5 says": "<!--" in value or b"&lt;!--" in document.body,
        "markup where none belongs": "<" in value and got.get("category") == [],
    }
    return next((reason for reason, holds in rules.items() if holds), None)


def is_within_frame(value: str, document: Document) -> bool:
    """Whether the words are there once the tags of frames that are closed are taken away, and were not before."""
    source = html.unescape(document.body.decode("utf-8", "replace").partition("-->")[2])
    bare = re.sub(r"</?(?:iframe|object)\b[^<>]*>", "", source)
    return re.search("</(?:iframe|object)>", source) is not None and words(value) in words(bare)


# --- feedparser ---------------------------------------------------------------
def feedparser_suite(archive: Path) -> Tally:
    """Documents that carry their expectation; feedparser's reading of them is what must not be lost."""
    tally = Tally()
    for name, body in members(archive, ".xml"):
        tally.documents += 1
        found = {key.decode().lower(): value.decode("latin-1") for key, value in _HEADER.findall(body[:4000])}
        headers = {"content-location": ADDRESS, "content-type": "application/xml"} | found
        parsed = upheld(body, headers)
        tally.upheld += parsed is not None
        document = Document(
            body=body,
            url=headers["content-location"],
            content_type=headers.get("content-type"),
            content_language=headers.get("content-language"),
        )
        against_feedparser(tally, name, parsed or {}, document)
    return tally


def upheld(body: bytes, headers: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Feedparser's reading, if what the document expects holds for it; not every expectation is about this release."""
    expect = _EXPECT.search(body[:4000])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parsed: Mapping[str, Any] = feedparser.parse(io.BytesIO(body), response_headers=headers)
            holds = expect is None or eval(expect[1].decode(), {"feedparser": feedparser}, dict(parsed))
        except Exception:  # noqa: BLE001 - the words of strangers, evaluated
            return None
    return parsed if holds else None


def against_feedparser(tally: Tally, name: str, parsed: Mapping[str, Any], document: Document) -> None:
    """One document; passed over where there is nothing in it to lose."""
    if not parsed or not (parsed.get("entries") or parsed.get("version")):
        tally.passed_over += 1
        return
    try:
        feed = parse_sync(document)
    except ParseError as error:
        if parsed.get("version") or parsed.get("entries"):
            tally.lost.append(f"{name}: refused, {error.code}")
        return
    entries = parsed.get("entries", [])
    if not feed.truncated and len(feed.entries) != len(entries):
        tally.lost.append(f"{name}: {len(entries)} entries, ours {len(feed.entries)}")
    tally.damage = set(feed.warnings)
    compare(tally, f"{name} feed", feedparser_feed(parsed["feed"]), ours_of_feed(feed), document)
    for expected, got in zip(entries, feed.entries, strict=False):
        compare(tally, f"{name} entry", feedparser_entry(expected), ours_of_entry(got), document)


def plain(fields: Mapping[str, Any], key: str) -> Any:
    """A field as it is held, without feedparser's aliases."""
    return dict.get(fields, key) if isinstance(fields, dict) else None


def feedparser_feed(feed: Mapping[str, Any]) -> Facts:
    return {
        "title": [plain(feed, "title") or ""],
        "link": [plain(feed, "link") or ""],
        "words": [plain(feed, "subtitle") or ""],
        "language": [plain(feed, "language") or ""],
        "image": [(plain(feed, "image") or {}).get("href") or ""],
    }


def feedparser_entry(entry: Mapping[str, Any]) -> Facts:
    contents = [each.get("value", "") for each in plain(entry, "content") or [] if "text" in each.get("type", "text")]
    return {
        "title": [plain(entry, "title") or ""],
        "link": [plain(entry, "link") or ""],
        "guid": [plain(entry, "id") or ""],
        "words": [plain(entry, "summary") or "", *contents],
        "author": [(plain(entry, "author_detail") or {}).get("name") or plain(entry, "author") or ""],
        "published": [moment(plain(entry, "published_parsed"))],
        "updated": [moment(plain(entry, "updated_parsed"))],
        "category": [tag.get("label") or tag.get("term") or "" for tag in plain(entry, "tags") or []],
        "enclosure": [link.get("href", "") for link in plain(entry, "links") or [] if link.get("rel") == "enclosure"],
    }


def moment(parsed: Any) -> str:
    """A date of feedparser's as text."""
    with suppress(TypeError, ValueError, OverflowError):
        return str(datetime.fromtimestamp(calendar.timegm(parsed), UTC))
    return ""


# --- gofeed -------------------------------------------------------------------
def gofeed_suite(archive: Path) -> Tally:
    """Pairs of document and expected JSON: gofeed's universal form, and its RSS and Atom forms."""
    tally = Tally()
    files = dict(members(archive, ""))
    for name, body in sorted(files.items()):
        stem = name.rpartition(".")[0]
        wanted = files.get(f"{stem}_expected.json") or (files.get(f"{stem}.json") if name.endswith(".xml") else None)
        if wanted is None or stem.endswith("_expected"):
            continue
        tally.documents += 1
        expected = json.loads(wanted)
        document = Document(body=body, url=ADDRESS)
        try:
            feed = parse_sync(document)
        except ParseError as error:
            tally.lost.append(f"{name}: refused, {error.code}")
            continue
        against_gofeed(tally, name, expected, feed, document)
    return tally


def against_gofeed(tally: Tally, name: str, expected: Mapping[str, Any], feed: ParsedFeed, document: Document) -> None:
    entries = expected.get("items") or expected.get("entries") or []
    if len(entries) != len(feed.entries):
        tally.lost.append(f"{name}: {len(entries)} entries, ours {len(feed.entries)}")
    tally.damage = set(feed.warnings)
    compare(tally, f"{name} feed", gofeed_feed(expected), ours_of_feed(feed), document)
    for wanted, got in zip(entries, feed.entries, strict=False):
        compare(tally, f"{name} entry", gofeed_entry(wanted), ours_of_entry(got), document)


def gofeed_feed(feed: Mapping[str, Any]) -> Facts:
    image = feed.get("image") or {}
    return {
        "title": [text_of(feed.get("title"))],
        "link": [text_of(feed.get("link"))],
        "words": [text_of(feed.get("description") or feed.get("subtitle"))],
        "language": [text_of(feed.get("language"))],
        "image": [text_of(image.get("url")) if isinstance(image, dict) else ""],
    }


def gofeed_entry(entry: Mapping[str, Any]) -> Facts:
    people = [*(entry.get("authors") or []), entry.get("author")]
    enclosures = [*(entry.get("enclosures") or []), entry.get("enclosure") or {}]
    guid = entry.get("guid") or entry.get("id")
    return {
        "title": [text_of(entry.get("title"))],
        "link": [text_of(entry.get("link"))],
        "guid": [text_of(guid)],
        "words": [text_of(entry.get(key)) for key in ("description", "summary", "content")],
        "author": [text_of(person, "name") for person in people if person],
        "published": [text_of(entry.get("publishedParsed") or entry.get("pubDateParsed"))],
        "updated": [text_of(entry.get("updatedParsed"))],
        "category": [
            text_of(each, "label") or text_of(each, "term") or text_of(each) for each in entry.get("categories") or []
        ],
        "enclosure": [text_of(each, "url") for each in enclosures],
    }


def text_of(value: Any, key: str = "value") -> str:
    """A string, or the string under `key` in what has fields."""
    if isinstance(value, dict):
        value = value.get(key)
    return value if isinstance(value, str) else ""


def members(archive: Path, ending: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of the archive's files."""
    with tarfile.open(archive) as opened:
        for member in opened:
            file = opened.extractfile(member) if member.name.endswith(ending) else None
            if file is not None:
                yield member.name, file.read()


def report(suite: str, tally: Tally, show: int) -> int:
    """Prints a suite; the number of its faults."""
    explained = sum(tally.reasons.values())
    print(
        f"\n{suite}: {tally.documents} documents, {tally.passed_over} of them no feed; {tally.facts} values expected:"
    )
    print(f"  {tally.kept} as expected, {explained} otherwise for a reason, {len(tally.lost)} lost")
    for reason, times in tally.reasons.most_common():
        print(f"  {times:6} {reason}")
    for line in tally.lost[:show]:
        print(f"    LOST {line}")
    return len(tally.lost)


SUITES = {"feedparser": feedparser_suite, "gofeed": gofeed_suite}


def main(names: Iterable[str] = SUITES) -> int:
    """Both suites; 1 if anything is lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--show", type=int, default=20, help="so many losses of each suite in full")
    arguments = parser.parse_args()
    faults = 0
    for name in names:
        archive = arguments.data / "conformance" / f"{name}.tar.xz"
        if not archive.exists():
            print(f"skipped: {archive} is not there")
            continue
        faults += report(name, SUITES[name](archive), arguments.show)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
