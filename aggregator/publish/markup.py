"""Escapes and checks text and HTML for feeds, after the cleaning at ingest. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from html import escape, unescape
from urllib.parse import urlsplit, urlunsplit

#: everything that XML 1.0 (2.2) does not allow in a document, lone surrogates included
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: what no URI may contain as it is (RFC 3986, appendix A)
_UNQUOTED = re.compile(r'[\s<>"{}|\\^`\x7f]|[^\x00-\x7f]|%(?![0-9A-Fa-f]{2})')
_ANY_TYPE = "application/octet-stream"
#: types of what feeds attach
_EXTENSIONS = {
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "m4b": "audio/mp4",
    "aac": "audio/aac",
    "ogg": "audio/ogg",
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "pdf": "application/pdf",
    "epub": "application/epub+zip",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
}
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:\s*;[ -~]*)?", re.ASCII)
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"]{3,2000}", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
#: characters that are not seen (Default_Ignorable_Code_Point, Cc, Cf); programs take them out of what they show
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
#: with what a tag, a comment or a declaration begins (HTML, 13.2.5.6 "tag open state"), closed or not; programs may
#: leave out what is not ASCII, or read a letter there (NFKC)
_TAG_OPEN = re.compile("<+(?=[a-zA-Z/!?\x7f-\U0010ffff])")
#: a whole one, which is shown in a pair of guillemets
_TAG = re.compile("<([a-zA-Z/!?\x7f-\U0010ffff][^<>]*)>")
_REFERENCE = re.compile("&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
#: titles and links stand below several entries, in several lists
_REMEMBERED = 2048
_IMAGE = re.compile(r"""<img\b(?:[^>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE)
#: -800x450.jpg, /800x450/ (WordPress and others) · resize=800,450 · w=800, width=800 · the BBC's /standard/800/
_PICTURE_SIZES = (
    re.compile(r"[-_/](\d{2,4})x(\d{2,4})(?=[-_./]|$)"),
    re.compile(r"[?&](?:resize|fit|size|dimensions)=(\d{2,4})(?:%2C|,|x|\*)(\d{2,4})(?=&|$)", re.IGNORECASE),
    re.compile(r"[?&](?:w|wid|width|imwidth)=(\d{2,4})(?=&|$)"),
    re.compile(r"//ichef\.[^/]+/(?:[a-z_]+/)+(\d{2,4})/"),
)
_RTL = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "iw", "ku", "ps", "sd", "ug", "ur", "yi"})


def legal(text: str) -> str:
    """`text` without the characters that would make an XML document ill-formed."""
    return _ILLEGAL.sub("", text)


def one_line(text: str, *, otherwise: str = "(untitled)") -> str:
    """`text` in one line: legal, without line breaks, never empty."""
    return " ".join(legal(text).split()) or otherwise


@lru_cache(_REMEMBERED)
def heading(text: str, *, otherwise: str = "(untitled)") -> str:
    """`text` as a title or a name in a feed: one line, and `inert`."""
    return one_line(inert(one_line(text, otherwise="")), otherwise=otherwise)


def inert(text: str) -> str:
    """Plain text in which no HTML parser finds a tag, however often it decodes character references.

    Readers do not agree whether titles are HTML (the W3C validator warns of it). So that all show the same, what looks
    like a character reference is the character, and every ``<`` with which a tag could begin is a single guillemet.
    """
    text = legal(_decoded(text))
    return _TAG_OPEN.sub(lambda match: "‹" * len(match[0]), _TAG.sub(r"‹\1›", text))


def _decoded(text: str) -> str:
    """`text` without character references, however often it has been escaped on its way to us.

    Those without a semicolon are left alone ("&copy", in addresses), unless a tag would come out of them.
    """
    text = _settled(text, lambda once: _REFERENCE.sub(lambda match: unescape(match[0]), once))
    tags = len(_TAG_OPEN.findall(text))
    deep = (_settled(seen, unescape) for seen in (text, _UNSEEN.sub("", text)))
    return next((read for read in deep if len(_TAG_OPEN.findall(read)) > tags), text)


def _settled(text: str, step: Callable[[str], str]) -> str:
    """`text` after as many steps as change it."""
    while (once := step(text)) != text:
        text = once
    return text


def address(url: str) -> str:
    """`url` as an RFC 3986 URI: what no URI may contain is percent-encoded, an international host written in ASCII."""
    cleaned = legal(url)
    if not cleaned.isascii():
        cleaned = _with_ascii_host(cleaned)
    return _UNQUOTED.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), cleaned)


def media_type(text: str, url: str = "") -> str:
    """`text` where it names a media type (RFC 6838), else that of the extension of `url`, else the one for anything."""
    if _MEDIA_TYPE.fullmatch(text) and text != _ANY_TYPE:
        return text
    return _EXTENSIONS.get(urlsplit_path(url).rpartition(".")[2].lower(), _ANY_TYPE)


def urlsplit_path(url: str) -> str:
    """The path of an address; "" for what is none."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def web_address(url: str | None) -> str | None:
    """`address` of what a browser may be sent to; None for anything but http and https."""
    written = address(url) if url else ""
    return written if written.lower().startswith(("http://", "https://")) else None


@lru_cache(_REMEMBERED)
def picture_size(url: str) -> tuple[int | None, int | None]:
    """Width and height of a picture in pixels, as far as its address tells: most that are scaled by a server do.

    No picture is requested for it: that would be a request to a publisher for each item, for something that only helps
    to choose among pictures.
    """
    for pattern in _PICTURE_SIZES:
        if found := pattern.search(url):
            width, height = (int(number) if number else None for number in (*found.groups(), None)[:2])
            return (width or None, height or None)
    return None, None


def is_wide(url: str | None, width: int, declared: int | None = None) -> bool:
    """Whether there is a picture at this address that is not known to be narrower.

    Its address tells what a server scales it to, else what its source declares is believed.
    """
    return bool(url) and (picture_size(url or "")[0] or declared or width) >= width


def language_tag(text: str | None) -> str | None:
    """`text` where it has the form of a BCP 47 tag."""
    return text if text and _LANGUAGE.fullmatch(text) else None


def _with_ascii_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        netloc = parts.netloc.encode("idna").decode() if not parts.netloc.isascii() else parts.netloc
    except ValueError:  # UnicodeError is one: such a host cannot be looked up either
        return url
    return urlunsplit(parts._replace(netloc=netloc))


def shorten(text: str, limit: int = 300) -> str:
    """At most `limit` characters of `text`, cut between words where there are words, with an ellipsis."""
    flat = " ".join(legal(text).split())
    if len(flat) <= limit:
        return flat
    cut = flat[:limit]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip(" ,;:.–—-") + "…"


def without_images(html: str) -> str:
    """Sanitised HTML with its pictures taken out."""
    return _IMAGE.sub("", html)


def direction(language: str | None) -> str:
    """``rtl`` or ``ltr``, from a BCP 47 tag."""
    return "rtl" if language and language.partition("-")[0].lower() in _RTL else "ltr"


def paragraph(text: str) -> str:
    """Plain text as one paragraph of HTML; "" for nothing."""
    return f"<p>{escape(legal(text))}</p>" if text.strip() else ""


def text_as_html(text: str, limit: int = 2_000) -> str:
    """Plain text as HTML that shows the same: its paragraphs, its lines, its addresses as links; "" for nothing."""
    blocks = [block.strip() for block in _BLANK_LINE.split(legal(text)[:limit])]
    return "".join(f"<p>{'<br>'.join(map(_linked, block.splitlines()))}</p>" for block in blocks if block)


def _linked(line: str) -> str:
    """A line of plain text with its web addresses as links, without the punctuation that ends a sentence."""
    parts, end = [], 0
    for match in _WEB_ADDRESS.finditer(line):
        url = match[0].rstrip(".,;:!?…'\"»”")
        url = url.rstrip(")") if url.count(")") > url.count("(") else url
        parts += [escape(line[end : match.start()]), link(url, url)]
        end = match.start() + len(url)
    return "".join(parts) + escape(line[end:])


@lru_cache(_REMEMBERED)
def link(url: str, text: str) -> str:
    """A hyperlink in HTML."""
    return f'<a href="{escape(address(url))}">{escape(one_line(text))}</a>'


def links_block(heading: str, links: Sequence[tuple[str, str]]) -> str:
    """A small headed list of (address, text); "" for none."""
    if not links:
        return ""
    rows = "".join(f"<li>{link(url, text)}</li>" for url, text in links)
    return f"<h4>{escape(heading)}</h4><ul>{rows}</ul>"
