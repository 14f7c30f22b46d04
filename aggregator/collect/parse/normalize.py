"""A raw entry → a ParsedEntry: cleaned, complete, never failing for one odd field."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from urllib.parse import unquote, urlsplit

from aggregator.collect.clean import (
    MAX_TEXT_CHARS,
    CleanHtml,
    clean_guid,
    clean_html,
    clean_line,
    cut_graphemes,
    html_from_text,
    is_avatar,
    is_decoration,
    media_type_of,
    mend_encoding,
    parse_date,
    pixels,
    safe_url,
)
from aggregator.collect.parse.raw import RawContent, RawEntry, RawFile
from aggregator.model import UNTITLED, Enclosure, ParsedEntry

__all__ = ["clean_entry", "language_tag", "name_of", "plain_words", "without_marks"]

#: raised when what is hashed changes, so that stored hashes are not compared with new ones
_HASH_VERSION = b"2\0"
_SYNTHETIC_TITLE_GRAPHEMES = 80
_MAX_CATEGORIES = 64
_MAX_ENCLOSURES = 16
_MAX_GUID_CHARS = 2048
_MAX_SIZE_BYTES = 2**62
_MAX_AUTHOR_CHARS = 500
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}")
#: an address of RFC 5322, behind which a name may stand in brackets (RSS 2.0); @jane@example.org is an account, not one
_ADDRESS = r"(?:mailto:\s*)?(?:\"[^\"]{0,64}\"|(?<![\w@])[^\s@<>(),;:\"|]{1,128})@[^\s@<>(),;:\"]{1,255}"
_NAMED_ADDRESS = re.compile(rf"<?{_ADDRESS}>?\s*\(([^()@]{{1,200}})\)")
_BRACKETED = re.compile(rf"[<(\[]\s*(?:{_ADDRESS}|https?://[^\s<>()]*)\s*[>)\]]|{_ADDRESS}")
_CDATA = re.compile(r"\s*(?:<!\[CDATA\[\s*)+")
_CDATA_END = re.compile(r"(?:\s*\]\]>)+\s*$")
_REFERENCES = re.compile(r"(?:&(?:#\d{2,6}|#x[\da-f]{2,5}|[a-z]{2,8});){2,}", re.IGNORECASE)
#: ISO 8601, 5.5.2.2, in hours, minutes and seconds
_PERIOD = re.compile(r"PT(?=\d)(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,7})(?:\.\d+)?S)?", re.IGNORECASE)
_MINUTES = re.compile(r"^(\d{1,5})\s?min(?:ute)?s?\.?$", re.IGNORECASE)
#: markup that some put around a name, and what newspapers write before it
_NAME_MARKUP = re.compile(r"</?(?:a|b|br|div|em|font|i|p|small|span|strong)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_BYLINE = re.compile(r"by[\s:]+(?=\w)", re.IGNORECASE)
_EXTENSION = re.compile(r"\.(?:[a-z]{2,5}\d?|mp[34])$", re.IGNORECASE)


def clean_entry(raw: RawEntry, url: str, *, language: str | None = None) -> ParsedEntry:
    """The entry as it is stored.

    `url` is the document's, `language` the feed's, for entries that do not say their own.
    """
    links = [link for written in raw.links if (link := safe_url(written, url))]
    language = language_tag(raw.language) or language
    # what is written relative is meant relative to the page where it stands; xml:base says otherwise
    page = links[0] if links else url
    is_repeated = raw.content and raw.summary and raw.content.value == raw.summary.value
    content, summary = _html(raw.content, page, url), _html(None if is_repeated else raw.summary, page, url)
    if content.html == summary.html:
        summary = CleanHtml()
    text = summary.text or content.text
    enclosures = _enclosures(raw, summary, content, page)
    title = _title(raw.title, text)
    image, width = _image(raw, content, summary, page)
    return ParsedEntry(
        guid=_guid(raw.guid),
        link=links[0] if links else None,
        title=title or _title_of_address(links or [each.url for each in enclosures]) or UNTITLED,
        summary_html=summary.html,
        content_html=content.html,
        text=_cut(text),
        author=_author(raw.authors),
        published=_date(raw.published, language),
        updated=_date(raw.updated, language),
        language=language,
        categories=_categories(raw.categories),
        image_url=image,
        image_width=width,
        enclosures=enclosures,
        outlinks=tuple(dict.fromkeys([link for link in (*summary.links, *content.links) if link not in links])),
        upstream=raw.upstream,
        content_hash=_content_hash(title, summary.text, content.text, enclosures),
    )


def plain_words(piece: RawContent) -> str:
    """The words of a title or the like; markup in it goes, entities are resolved."""
    value = _mended(piece.value)
    if not piece.html or not ("<" in value or "&" in value):
        return value
    if "<" in value:
        return clean_html(value, base=piece.base, players=False).text
    return html.unescape(value)


def language_tag(value: str | None) -> str | None:
    """A BCP 47 tag in lower case; None for what is none."""
    if not value:
        return None
    tag = value.strip().replace("_", "-").lower()
    return tag if _LANGUAGE.fullmatch(tag) and tag not in {"und", "xx"} else None


def name_of(author: str) -> str:
    """The name in ``Jane <j@example.org>`` or ``j@example.org (Jane)`` or ``Jane (j@example.org)``; "" for none.

    Addresses of people are not for republishing (RFC 5322 3.4; RSS 2.0, author).
    """
    if not author:
        return ""
    name = html.unescape(mend_encoding(author[:_MAX_AUTHOR_CHARS]))
    if "=?" in name:
        name = _decoded_words(name)
    if "<" in name:
        name = _NAME_MARKUP.sub(" ", name)
    if "@" in name or "mailto:" in name or "://" in name:
        name = _BRACKETED.sub(" ", _NAMED_ADDRESS.sub(r"\1", name)).replace("mailto:", " ")
    name = clean_line(name, graphemes=120).replace(" ,", ",").strip('<>,;:|- "')
    if name.startswith("(") and name.endswith(")"):
        name = name[1:-1].strip()
    return _BYLINE.sub("", name, count=1) if _BYLINE.match(name) else name


def _decoded_words(name: str) -> str:
    """A name that is written as in the head of a mail (RFC 2047), as it reads; as it is where that fails."""
    try:
        return str(make_header(decode_header(name)))
    except (MessageError, ValueError, LookupError):  # no base64, no such encoding
        return name


def without_marks(value: str) -> str:
    """A text without the CDATA marks that were put around it twice."""
    return _CDATA_END.sub("", _CDATA.sub("", value, count=1)) if "<![CDATA[" in value[:40] else value


def _mended(value: str) -> str:
    """A text without CDATA marks and without an encoding too many."""
    value = without_marks(value)
    if ";&" in value:
        value = _REFERENCES.sub(_sound_letters, value)
    return mend_encoding(value)


def _sound_letters(references: re.Match[str]) -> str:
    """References to letters that are UTF-8 misread, such as ``&acirc;&euro;&trade;``, as what they were."""
    letters = html.unescape(references[0])
    mended = letters if "&" in letters or letters.isascii() else mend_encoding(letters)
    return mended if len(mended) < len(letters) else references[0]


def _html(piece: RawContent | None, page: str, url: str) -> CleanHtml:
    if piece is None or not piece.value.strip():
        return CleanHtml()
    value = _mended(piece.value)
    return clean_html(value if piece.html else html_from_text(value), base=piece.base or page, origin=url)


def _title(piece: RawContent | None, text: str) -> str:
    """The title; else the first words of the text (short notes have none); else ""."""
    title = clean_line(plain_words(piece)) if piece else ""
    if title:
        return title
    words = cut_graphemes(text, _SYNTHETIC_TITLE_GRAPHEMES)
    if words != text and " " in words:
        words = words[: words.rindex(" ")].rstrip(" ,;:-") + "…"
    return clean_line(words)


def _title_of_address(addresses: Sequence[str]) -> str:
    """What the last part of an address says, without the ending of a file: ``…/releases/tag/v7.0.1`` → v7.0.1."""
    if not addresses:
        return ""
    parts = urlsplit(addresses[0])
    last = next((part for part in reversed(parts.path.split("/")) if part), "")
    words = _EXTENSION.sub("", unquote(last))
    if not any(letter.isalpha() for letter in words):
        return clean_line(f"{parts.hostname}{parts.path.rstrip('/')}")
    if words.count("-") > 1 or words.count("_") > 1:
        words = re.sub("[-_]+", " ", words)
    return clean_line(words)


def _guid(guid: str) -> str | None:
    clean = clean_guid(guid)
    if clean and len(clean) > _MAX_GUID_CHARS:
        return "sha256:" + hashlib.sha256(clean.encode()).hexdigest()
    return clean


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARS:
        return text
    head = text[: MAX_TEXT_CHARS - 1]
    place = head.rfind(" ", MAX_TEXT_CHARS - 40)
    return (head[:place] if place > 0 else head) + "…"


def _author(authors: Sequence[str]) -> str | None:
    names = dict.fromkeys(filter(None, map(name_of, authors))) if authors else ()
    return cut_graphemes(", ".join(names), 120) or None


def _date(written: str, language: str | None) -> datetime | None:
    return parse_date(written, language) if written else None


def _categories(values: Iterable[str]) -> tuple[str, ...]:
    names = dict.fromkeys([clean_line(html.unescape(mend_encoding(value[:500])), graphemes=80) for value in values])
    return tuple(filter(None, names))[:_MAX_CATEGORIES]


def _image(raw: RawEntry, content: CleanHtml, summary: CleanHtml, page: str) -> tuple[str | None, int | None]:
    """The picture of an entry and its width; of several sizes the widest, where the first says that it is narrower."""
    found = [
        (image, pixels(written.width))
        for written in raw.images
        if written.url and not _is_beside_the_point(written.url) and (image := safe_url(written.url, page))
    ]
    if found:
        return max(found, key=lambda one: one[1] or 0) if found[0][1] else found[0]
    shown = content if content.images else summary
    if shown.images:
        return shown.images[0], shown.image_width
    return safe_url(raw.show_image, page), None


def _is_beside_the_point(picture: str) -> bool:
    """Whether a picture is never what an entry is about."""
    return is_decoration(picture) or is_avatar(picture)


def _enclosures(raw: RawEntry, summary: CleanHtml, content: CleanHtml, page: str) -> tuple[Enclosure, ...]:
    """The files of the entry, then what its text plays."""
    if not (raw.files or summary.players or content.players):
        return ()
    found: dict[str, Enclosure] = {}
    for file in raw.files:
        enclosure = _enclosure(file, raw, page)
        # a picture in several sizes is one picture
        if enclosure and (key := enclosure.url.partition("?")[0] if file.is_image else enclosure.url) not in found:
            found[key] = enclosure
    for player in (*summary.players, *content.players):
        found.setdefault(player.url, Enclosure(url=player.url, type=player.type))
    return tuple(found.values())[:_MAX_ENCLOSURES]


def _enclosure(file: RawFile, raw: RawEntry, page: str) -> Enclosure | None:
    address = safe_url(file.url, page)
    if address is None or _is_beside_the_point(address):
        return None
    kind = clean_line(file.type, graphemes=100).lower()
    if "/" not in kind or kind == "application/octet-stream":
        kind = (
            media_type_of(address) or kind or (f"{file.medium}/*" if file.medium in {"audio", "video", "image"} else "")
        )
    is_episode = not file.is_image
    return Enclosure(
        url=address,
        type=kind,
        size_bytes=_number(file.length, _MAX_SIZE_BYTES),
        duration_s=_seconds(file.duration),
        season=_number(raw.season, 100_000) if is_episode else None,
        episode=_number(raw.episode, 1_000_000) if is_episode else None,
    )


def _number(written: str, limit: int) -> int | None:
    written = written.strip().replace(",", "")
    value = int(written) if written.isdecimal() and len(written) < 20 else 0
    return value if 0 < value < limit else None


def _seconds(written: str) -> int | None:
    """itunes:duration: 3723, 62:03, 1:02:03 or 62 min, or ISO 8601's PT1H2M3S; fractions are dropped."""
    written = _MINUTES.sub(r"\1:00", written.strip())
    if period := _PERIOD.fullmatch(written):
        written = ":".join(part or "0" for part in period.groups())
    parts = written.split(":") if written else []
    parts[-1:] = [part.partition(".")[0] for part in parts[-1:]]
    if not 1 <= len(parts) <= 3 or not all(part.isdecimal() and len(part) < 8 for part in parts):
        return None
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return seconds if 0 < seconds < 10_000_000 else None


def _content_hash(title: str, summary: str, content: str, enclosures: Iterable[Enclosure]) -> bytes:
    """What a reader would call the content: words and media, without ids, dates, counters, markup and pictures."""
    media: Iterator[str] = (
        enclosure.url.partition("?")[0] for enclosure in enclosures if not enclosure.type.startswith("image/")
    )
    return hashlib.sha256(
        _HASH_VERSION + "\0".join((title, summary, content, *media, "")).encode("utf-8", "replace")
    ).digest()
