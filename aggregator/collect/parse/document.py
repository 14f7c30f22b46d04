"""One document, from bytes to a ParsedFeed: decode, look what it is, repair, parse, clean. What the child runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from aggregator.collect.clean import is_impossible, parse_date
from aggregator.collect.parse.balance import balanced
from aggregator.collect.parse.charset import decode
from aggregator.collect.parse.feedparser_fallback import read_loosely
from aggregator.collect.parse.incremental import parse_delta
from aggregator.collect.parse.jsonfeed import parse_json
from aggregator.collect.parse.normalize import clean_entry, language_tag
from aggregator.collect.parse.raw import RawEntry
from aggregator.collect.parse.record import entry_of, info_of, new_location_of
from aggregator.collect.parse.repair import repair
from aggregator.collect.parse.sniff import embedded_feed, kind_of, refuse
from aggregator.collect.parse.xml_reader import XmlFeed, read
from aggregator.model import Document, FeedInfo, ParsedEntry, ParsedFeed
from aggregator.model.redact import public_url

__all__ = ["MAX_ENTRIES", "parse_document"]

#: the newest of a document's entries that are kept (HOSTILE X7)
MAX_ENTRIES = 1000
_FEED_ROOTS = {
    "rss": "rss",
    "feed": "atom",
    "rdf": "rss10",
    "channel": "cdf",
    "entry": "atom",
    "redirect": "redirect",
}
_PAGE_ROOTS = frozenset({"html", "body"})
#: a parser that meets megabytes of blanks first takes quadratic time
_AROUND = "\ufeff \t\r\n\x00"
_OLDEST = datetime.min.replace(tzinfo=UTC)


def parse_document(document: Document) -> ParsedFeed:
    """`document` as a feed. Raises ParseError: empty-body, not-a-feed, bad-json, xml-entity, parse-failed."""
    # footnotes (`#fn1`) are resolved against it, and go out to readers: its secrets must not (HOSTILE U6)
    document = replace(document, url=public_url(document.url))
    decoded = decode(document.body, document.content_type)
    text, warnings = decoded.text.strip(_AROUND), decoded.warnings
    kind = kind_of(text)
    if kind == "json":
        return _json(text, document, warnings)
    if kind != "xml":
        refuse(text, document.url)
    if document.previous is None:
        return _markup(text, document, warnings, encoded=decoded.body)
    whole = decoded.utf8

    def parse(rest: bytes) -> ParsedFeed:
        return _markup(text if rest is whole else rest.decode().strip(_AROUND), document, warnings, encoded=rest)

    return parse_delta(whole, document, parse)


def _markup(text: str, document: Document, warnings: tuple[str, ...], *, encoded: bytes | None = None) -> ParsedFeed:
    repaired = repair(text, max_entries=2 * MAX_ENTRIES, encoded=encoded)
    if repaired.root in _PAGE_ROOTS and (inside := embedded_feed(text)):
        repaired = repair(inside, max_entries=2 * MAX_ENTRIES)
    if repaired.root not in _FEED_ROOTS:
        refuse(text, document.url, root=repaired.root)
    codes = (*warnings, *repaired.warnings, *(["truncated"] if repaired.truncated else []))
    if parsed := read(repaired.text, document.url):
        return _xml(parsed, document, codes, truncated=repaired.truncated)
    parsed = read(balanced(repaired.text), document.url)
    is_ill_formed = parsed is not None
    if not parsed or not parsed.entries:
        version, feed, entries, is_ill_formed = read_loosely(repaired.text, document.url)
        parsed = XmlFeed(version or _FEED_ROOTS[repaired.root], feed, entries)
    if repaired.truncated:
        # an entry made of what is left of the last one would wipe a good summary
        parsed = parsed._replace(entries=parsed.entries[: repaired.complete_entries])
    codes += ("ill-formed",) if is_ill_formed else ()
    return _xml(parsed, document, codes, truncated=repaired.truncated)


def _xml(parsed: XmlFeed, document: Document, warnings: tuple[str, ...], *, truncated: bool) -> ParsedFeed:
    feed = parsed.feed
    raw = [entry_of(record, feed) for record in parsed.entries]
    result = _feed(parsed.version, info_of(feed, document.url), raw, document, warnings)
    return replace(result, truncated=truncated, new_location=new_location_of(feed, document.url))


def _json(text: str, document: Document, warnings: tuple[str, ...]) -> ParsedFeed:
    version, info, raw, is_truncated = parse_json(text, document.url)
    codes = (*warnings, "truncated") if is_truncated else warnings
    return replace(_feed(version, info, raw, document, codes), truncated=is_truncated)


def _feed(
    version: str, info: FeedInfo, raw: list[RawEntry], document: Document, warnings: tuple[str, ...]
) -> ParsedFeed:
    language = info.language or language_tag(document.content_language)
    capped = _newest(raw)
    entries = tuple([clean_entry(each, document.url, language=language) for each in capped])
    codes = (
        *warnings,
        *(["item-cap"] if len(capped) < len(raw) else []),
        *(["impossible-dates"] if any(map(_is_misdated, capped, entries)) else []),
    )
    return ParsedFeed(version=version, info=info, entries=entries, warnings=tuple(dict.fromkeys(codes)))


def _is_misdated(raw: RawEntry, entry: ParsedEntry) -> bool:
    """Whether it is dated to a day that there never was (HOSTILE D1)."""
    return _is_beyond(raw.published, entry.published) or _is_beyond(raw.updated, entry.updated)


def _is_beyond(written: str, read: datetime | None) -> bool:
    """Whether a date was read as one of the days after its month; by its zone that may still be the month's last."""
    return read is not None and not 4 < read.day < 28 and is_impossible(written)


def _newest(raw: list[RawEntry]) -> list[RawEntry]:
    """At most 1,000 entries: the newest where they are dated, else the first; in the order of the document."""
    if len(raw) <= MAX_ENTRIES:
        return raw
    dates = [parse_date(entry.published) for entry in raw]
    places = sorted(range(len(raw)), key=lambda place: dates[place] or _OLDEST, reverse=True)[:MAX_ENTRIES]
    return [raw[place] for place in sorted(places)]
