"""HTML from strangers, made harmless by an allow-list. Knows nh3, and nothing else does.

What comes out holds no script, style, form, frame, id or class; every address in it is absolute http(s); tracking
pixels are gone. Meant for the child process: hostile nesting makes any HTML parser slow.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from itertools import repeat
from typing import NamedTuple

import nh3

from aggregator.collect.clean.media import Player, expand_media, is_decoration
from aggregator.collect.clean.text import one_line, printable
from aggregator.collect.clean.urls import MAX_URL_CHARS, is_private_host, safe_url

__all__ = ["MAX_HTML_CHARS", "CleanHtml", "clean_html", "html_from_text"]

#: of sanitised HTML an entry may have (HOSTILE C12)
MAX_HTML_CHARS = 256 * 1024
#: of HTML that is looked at; the rest is cut off first
_MAX_INPUT_CHARS = 1024 * 1024
#: nh3 is quadratic in depth: 20,000 nested elements take a second
_MAX_DEPTH = 400
_MAX_LINKS = 100
_MAX_VALUE_CHARS = 500

_TAGS = frozenset({
    "a", "abbr", "b", "bdi", "bdo", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup",
    "dd", "del", "details", "dfn", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp",
    "small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th",
    "thead", "time", "tr", "tt", "u", "ul", "var", "wbr", "div", "article", "section", "aside", "header",
    "footer",
})  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "abbr": {"title"},
    "bdo": {"dir"},
    "time": {"datetime"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "*": {"lang", "dir"},
}
_DROP_WITH_CONTENT = {
    "script", "style", "noscript", "template", "iframe", "object", "embed", "applet", "svg", "math", "form",
    "textarea", "select", "button", "title", "noembed", "noframes", "xmp", "plaintext", "frameset", "audio",
    "video", "canvas", "map",
}  # fmt: skip
#: those among them that hold elements, not raw text: where the end is missing, only the tag is what nobody wants
_OPEN_ENDED_NAMES = frozenset({
    "iframe", "object", "applet", "form", "select", "button", "audio", "video", "canvas", "map",
})  # fmt: skip
_OPEN_ENDED = re.compile(rf"<({'|'.join(sorted(_OPEN_ENDED_NAMES))})\b[^<>]*>?", re.IGNORECASE)
#: sides of a picture that nobody sees
_PIXELS = frozenset({"0", "1", "2"})
_ADDRESSES = frozenset({"href", "src"})
_NUMERIC = frozenset({"width", "height", "start", "colspan", "rowspan"})

#: of tags as strangers write them
_NAMES = re.compile(r"<([a-zA-Z][a-zA-Z0-9-]*)")
#: tags as nh3 writes them: attributes quoted, quotes inside them escaped
_TAG = re.compile(r"<(/?[a-z][a-z0-9]*+)[^\"<>]*+(?:\"[^\"]*+\"[^\"<>]*+)*+>")
_ATTRIBUTE = re.compile(r"([a-z-]+)=\"([^\"]*)\"")
#: tags that have attributes, and pictures that have none
_LOOKED_AT = re.compile(r"<(img(?=[ >])|[a-z][a-z0-9]*+(?= ))((?: [a-z-]++=\"[^\"]*+\")*+)>")
_LINK_REL = "noopener noreferrer nofollow"
_REL = f' rel="{_LINK_REL}"'
#: the attributes of nearly every link
_PLAIN_LINK = re.compile(rf' href="([^"]*)"{_REL}')
_LINK = re.compile(r"<a(?: (?!href=)[a-z-]+=\"[^\"]*\")* href=\"([^\"]*)\"")
_OPENING = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_NOT_NESTING = frozenset({
    "br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr",
    "param", "p", "li", "dt", "dd", "tr", "td", "th", "option", "tbody", "thead",
})  # fmt: skip
_LINE_BREAKING = frozenset({
    "br", "p", "div", "li", "ul", "ol", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "table",
    "blockquote", "pre", "hr", "figure", "figcaption", "article", "section", "header", "footer", "aside", "td",
    "th", "details", "summary", "caption", "center",
})  # fmt: skip
#: what is left of a tag among the words, by its name
_LEFT = {f"{slash}{name}": " " if name in _LINE_BREAKING else "" for name in _TAGS for slash in ("", "/")}
_EMPTY = re.compile(
    r"<(p|div|span|a|b|i|em|strong|center|figure|h[1-6])(?: [^<>]*+)?>\s*+(?:(?:&nbsp;|<br>)\s*+)*+</\1>"
)
_TRACKERS = re.compile(
    r"^https?://(?:[^/]*\.)?(?:feedburner\.com/~|feeds\.feedburner\.com/~|feedsportal\.com/|pixel\.wp\.com/"
    r"|stats\.wordpress\.com/|pixel\.quantserve\.com/|doubleclick\.net/|google-analytics\.com/|scorecardresearch\.com/"
    r"|pheedo\.com/|feedblitz\.com/|tracking\.feedpress\.|feedpress\.me/|rss\.buysellads\.|counter\.theconversation\.com/"
    r"|blogger\.googleusercontent\.com/tracker/)|^https?://pixel\.",
    re.IGNORECASE,
)
#: a text that is nothing but markup
_ESCAPED_MARKUP = re.compile(
    r"\s*<(?:p|div|a|b|strong|em|i|img|h[1-6]|ul|ol|table|blockquote|span|br|figure|section|article|pre|iframe)\b[^<>]*>",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?<![\w/])https?://[^\s<>\"\u201c\u201d]+", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\s*\n\s*")
_BLANK_LINE = re.compile(r"[^\S\n]*\n[^\S\n]*\n\s*")
#: a "<" that begins a tag, a comment or the like; any other is text
_MARKUP = re.compile(r"<[a-zA-Z/!?]")
_BRACKETED_ADDRESS = re.compile(r"<(https?://[^\s<>]+)>")
_INLINE = frozenset({
    f"{slash}{name}" for slash in ("", "/") for name in (
        "a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "i", "img", "ins", "kbd", "mark", "q", "s",
        "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
    )
})  # fmt: skip


class CleanHtml(NamedTuple):
    """Harmless HTML and what stands in it."""

    html: str = ""
    #: its words, one line
    text: str = ""
    #: absolute targets of its links, each once, in order
    links: tuple[str, ...] = ()
    #: absolute addresses of its pictures
    images: tuple[str, ...] = ()
    #: of the first of them, in pixels, where it is said
    image_width: int | None = None
    #: what was embedded in it
    players: tuple[Player, ...] = ()


def clean_html(source: str, *, base: str, origin: str = "", players: bool = True) -> CleanHtml:
    """`source` by the allow-list; relative addresses are resolved against `base`. Never raises.

    `origin` is where it came from, if that is not `base`: only what comes from a private network may show pictures of
    one. `players`: what is embedded becomes links; else it goes.
    """
    source = printable(source[:_MAX_INPUT_CHARS])
    if "<http" in source:
        source = _BRACKETED_ADDRESS.sub(r"&lt;\1&gt;", source)
    if "<" not in source or not _MARKUP.search(source):
        return _clean_text(source, base, origin)
    names = {name.lower() for name in set(_NAMES.findall(source))}
    source, embedded = expand_media(source, base, names, players=players)
    if _too_deep(source):
        return clean_html(html_from_text(_words(_TAG.split(source))), base=base, origin=origin)
    if not names.isdisjoint(_OPEN_ENDED_NAMES):
        source = _without_open_ended(source)
    sanitized = _Sanitized(source, base, origin or base)
    cleaned = _without_empty(sanitized.html)
    pieces = _TAG.split(cleaned)
    if "\n" in cleaned and _INLINE.issuperset(pieces[1::2]):
        cleaned = _with_paragraphs(cleaned)
    if len(cleaned) > MAX_HTML_CHARS:
        sanitized = _Sanitized(_cut(cleaned), base, origin or base)
        cleaned = sanitized.html[:MAX_HTML_CHARS]
        pieces = _TAG.split(cleaned)
    return CleanHtml(
        html=cleaned,
        text=_words(pieces),
        links=_links(cleaned),
        images=sanitized.images,
        image_width=sanitized.image_width,
        players=embedded,
    )


def _clean_text(source: str, base: str, origin: str) -> CleanHtml:
    """What HTML without tags says: its lines and addresses are all the form it has."""
    text = html.unescape(source).strip() if "&" in source else source.strip()
    if _ESCAPED_MARKUP.match(text) and text.endswith(">"):  # the markup was escaped once too often
        return clean_html(text, base=base, origin=origin)
    text = printable(text)
    is_plain = "\n" not in text and "://" not in text
    cleaned = html.escape(text, quote=False).replace("\xa0", "&nbsp;") if is_plain else html_from_text(text)
    if len(cleaned) > MAX_HTML_CHARS:
        cleaned = _sanitizer.clean(_cut(cleaned))[:MAX_HTML_CHARS]
        text = _words(_TAG.split(cleaned))
    return CleanHtml(html=cleaned, text=" ".join(text.split()), links=_links(cleaned))


def html_from_text(text: str) -> str:
    """Plain text as HTML: blank lines part paragraphs, single ones break the line, addresses are links."""
    paragraphs = re.split(r"\n\s*\n", printable(text).strip())
    escaped = (html.escape(paragraph.strip(), quote=False) for paragraph in paragraphs if paragraph.strip())
    return "".join("<p>" + _BLANK_LINES.sub("<br>", _with_links(paragraph)) + "</p>" for paragraph in escaped)


def _with_links(escaped: str) -> str:
    """Addresses in escaped text as links; what closes a sentence is not part of them."""
    if "://" not in escaped:
        return escaped
    return _ADDRESS.sub(_linked, escaped)


def _linked(found: re.Match[str]) -> str:
    address, behind = found[0], ""
    if len(address) > MAX_URL_CHARS:
        return address
    while (last := address[-1:]) and (
        last in ".,;:!?'\u2019\u201d\u2026" or (last == ")" and address.count(")") > address.count("("))
    ):
        if last == ";" and (reference := re.search(r"&(?:amp|lt|gt|quot);$", address)):
            if reference[0] == "&amp;":
                break
            address, behind = address[: reference.start()], address[reference.start() :] + behind
            continue
        address, behind = address[:-1], last + behind
    if "&lt;" in address or "&gt;" in address:
        address, mark, rest = re.split("(&[lg]t;)", address, maxsplit=1)
        behind = mark + rest + behind
    href = safe_url(html.unescape(address))
    if href is None:
        return found[0]
    return f'<a href="{html.escape(href)}"{_REL}>{address}</a>{behind}'


#: kept for all addresses and threads, as making one takes as long as using it twice; it has no state
_sanitizer = nh3.Cleaner(
    tags=set(_TAGS),
    clean_content_tags=_DROP_WITH_CONTENT,
    attributes=_ATTRIBUTES,
    strip_comments=True,
    link_rel=_LINK_REL,
    url_schemes={"http", "https"},
    url_relative="pass_through",
)


class _Sanitized:
    """What nh3 leaves of a piece of HTML, with the values of its attributes looked at: what they hold is as it was."""

    def __init__(self, source: str, base: str, origin: str) -> None:
        self._base, self._origin = base, origin
        #: addresses and widths of the pictures that are shown
        self._images: list[str] = []
        self._widths: list[str] = []
        cleaned = _sanitizer.clean(source)
        self.html = _LOOKED_AT.sub(self._tag, cleaned) if '="' in cleaned or "<img" in cleaned else cleaned

    @property
    def images(self) -> tuple[str, ...]:
        """Addresses of the pictures, each once."""
        return tuple(dict.fromkeys(self._images))[:_MAX_LINKS]

    @property
    def image_width(self) -> int | None:
        """Of the first picture, in pixels."""
        return pixels(self._widths[0]) if self._widths else None

    def _tag(self, tag: re.Match[str]) -> str:
        name, written = tag.groups()
        if name == "a" and (link := _PLAIN_LINK.fullmatch(written)):
            href = self._url(link[1])
            return f'<a href="{href}"{_REL}>' if href else f"<a{_REL}>"
        values = {
            key: kept for key, value in _ATTRIBUTE.findall(written) if (kept := self._value(key, value)) is not None
        }
        if name == "img" and not self._is_shown(values):
            return ""
        attributes = "".join([f' {key}="{value}"' for key, value in values.items()])
        return f"<{name}{attributes}>"

    def _value(self, name: str, value: str) -> str | None:
        """The new value of an attribute, escaped as the old one is; None to take it away."""
        if name in _ADDRESSES:
            return self._url(value)
        if name in _NUMERIC:
            return value.strip() if value.strip().isdecimal() and len(value) < 6 else None
        if name == "dir":
            return value.lower() if value.lower() in {"ltr", "rtl", "auto"} else None
        return value if len(value) <= _MAX_VALUE_CHARS else _escaped(html.unescape(value)[:_MAX_VALUE_CHARS])

    def _url(self, value: str) -> str | None:
        if "&" not in value:
            return safe_url(value, self._base)
        url = safe_url(html.unescape(value), self._base)
        return url and _escaped(url)

    def _is_shown(self, values: Mapping[str, str]) -> bool:
        """Not without an address, to count readers, or to make a browser ask a private network."""
        address = html.unescape(values.get("src", ""))
        pixel = values.get("width") in _PIXELS or values.get("height") in _PIXELS
        if not address or pixel or _TRACKERS.match(address) or is_decoration(address):
            return False
        if is_private_host(address) and not is_private_host(self._origin):
            return False
        self._images.append(address)
        self._widths.append(values.get("width", ""))
        return True


def _escaped(value: str) -> str:
    """As nh3 writes the value of an attribute."""
    return html.escape(value).replace("&#x27;", "'").replace("\xa0", "&nbsp;")


def _without_open_ended(source: str) -> str:
    """Without ``<form>`` and the like that are never closed, or closed as only XML can (``<form/>``).

    To HTML all that follows is inside: the rest of the article would go with them.
    """
    names = {name.lower() for name in _OPEN_ENDED.findall(source)}
    if not names:
        return source
    lower = source.lower()
    unclosed = {name for name in names if f"</{name}" not in lower}
    return _OPEN_ENDED.sub(lambda tag: "" if tag[1].lower() in unclosed or tag[0].endswith("/>") else tag[0], source)


def _too_deep(source: str) -> bool:
    tags = source.count("<")
    if tags <= _MAX_DEPTH or tags - source.count("</") <= _MAX_DEPTH:  # nothing nests deeper than it opens
        return False
    depth = 0
    for closing, name in _OPENING.findall(source):
        if name.lower() not in _NOT_NESTING:
            depth = max(0, depth - 1) if closing else depth + 1
            if depth > _MAX_DEPTH:
                return True
    return False


def pixels(written: str) -> int | None:
    """A width as feeds and HTML write it: ``640``, ``640px``, ``640.0``; None for what is none, such as ``100%``."""
    number = written.strip().lower().removesuffix("px").rstrip().partition(".")[0]
    return int(number) if number.isdecimal() and len(number) < 6 and not written.endswith("%") else None


def _without_empty(cleaned: str) -> str:
    """Without the empty paragraphs and links that taking things away leaves behind (three layers of them)."""
    for _ in range(3):
        cleaned, found = _EMPTY.subn("", cleaned)
        if not found:
            break
    return cleaned.strip()


def _with_paragraphs(cleaned: str) -> str:
    """Blank lines are shown where no element parts paragraphs: plain text with a few links or words in bold."""
    return _BLANK_LINES.sub("<br>", _BLANK_LINE.sub("<br><br>", cleaned)) if _BLANK_LINE.search(cleaned) else cleaned


def _cut(cleaned: str) -> str:
    """The first 256 KB; elements that are open there are not closed."""
    head = cleaned[: MAX_HTML_CHARS - 8 * 1024]
    # never inside an element
    opening = head.rfind("<")
    return head[:opening] if opening > head.rfind(">") else head


def _words(pieces: list[str]) -> str:
    """The text of HTML that was split at its tags: elements that break a line part words, the others do not."""
    pieces[1::2] = map(_LEFT.get, pieces[1::2], repeat(""))
    return one_line(html.unescape("".join(pieces)))


def _links(cleaned: str) -> tuple[str, ...]:
    found = _LINK.findall(cleaned) if "<a " in cleaned else ()
    return tuple(dict.fromkeys(map(html.unescape, found)))[:_MAX_LINKS]
