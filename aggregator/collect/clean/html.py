"""HTML from strangers, made harmless by an allow-list. Knows nh3, and nothing else does.

What comes out holds no script, style, form, frame, id or class; every address in it is absolute http(s); tracking
pixels are gone. Meant for the child process: hostile nesting makes any HTML parser slow.
"""

from __future__ import annotations

import html
import re
import threading
from typing import NamedTuple

import nh3

from aggregator.collect.clean.media import Player, expand_media, is_decoration
from aggregator.collect.clean.text import printable
from aggregator.collect.clean.urls import MAX_URL_CHARS, is_private_host, safe_url

__all__ = ["MAX_HTML_CHARS", "CleanHtml", "clean_html", "html_from_text"]

#: of sanitised HTML an entry may have (HOSTILE C12)
MAX_HTML_CHARS = 256 * 1024
#: of HTML that is looked at; the rest is cut off first
_MAX_INPUT_CHARS = 1024 * 1024
#: nh3 is quadratic in depth: 20,000 nested elements take a second
_MAX_DEPTH = 400
_MAX_LINKS = 100

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
_OPEN_ENDED = re.compile(
    r"<(iframe|object|applet|form|select|button|audio|video|canvas|map)\b[^<>]*>?",
    re.IGNORECASE,
)
#: sides of a picture that nobody sees
_PIXELS = frozenset({"0", "1", "2"})
_ADDRESSES = frozenset({"href", "src"})
_NUMERIC = frozenset({"width", "height", "start", "colspan", "rowspan"})

#: tags as nh3 writes them: attributes quoted, quotes inside them escaped
_TAG = re.compile(r"<(/?[a-z][a-z0-9]*+)[^\"<>]*+(?:\"[^\"]*+\"[^\"<>]*+)*+>")
_ATTRIBUTE = re.compile(r"([a-z-]+)=\"([^\"]*)\"")
_IMAGE = re.compile(r"<img((?: [a-z-]+=\"[^\"]*\")*)>")
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
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "i", "img", "ins", "kbd", "mark", "q", "s",
    "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
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
    source, embedded = expand_media(source, base, players=players)
    if _too_deep(source):
        return clean_html(html_from_text(_words(source)), base=base, origin=origin)
    cleaned, images, width = _images_checked(_sanitizer.clean(_without_open_ended(source), base), origin or base)
    cleaned = _with_paragraphs(_without_empty(cleaned))
    if len(cleaned) > MAX_HTML_CHARS:
        cleaned, images, width = _images_checked(_cut(cleaned, base), origin or base)
    return CleanHtml(
        html=cleaned,
        text=_words(cleaned),
        links=_links(cleaned),
        images=images,
        image_width=width,
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
        cleaned = _cut(cleaned, base)
        text = _words(cleaned)
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
    return f'<a href="{html.escape(href)}" rel="noopener noreferrer nofollow">{address}</a>{behind}'


class _Sanitizer(threading.local):
    """nh3 with the allow-list. One for all addresses, as making one takes as long as using it twice; one a thread."""

    def __init__(self) -> None:
        self._base = ""
        self._cleaner = nh3.Cleaner(
            tags=set(_TAGS),
            clean_content_tags=_DROP_WITH_CONTENT,
            attributes=_ATTRIBUTES,
            attribute_filter=self._decide,
            strip_comments=True,
            link_rel="noopener noreferrer nofollow",
            url_schemes={"http", "https"},
            url_relative="pass_through",
        )

    def clean(self, source: str, base: str) -> str:
        """What of `source` is on the list; relative addresses are resolved against `base`."""
        self._base = base
        return self._cleaner.clean(source)

    def _decide(self, _tag: str, name: str, value: str) -> str | None:
        """About one attribute: its new value, or None to take it away."""
        if name in _ADDRESSES:
            return safe_url(value, self._base)
        if name in _NUMERIC:
            return value.strip() if value.strip().isdecimal() and len(value) < 6 else None
        if name == "dir":
            return value.lower() if value.lower() in {"ltr", "rtl", "auto"} else None
        return value[:500]


_sanitizer = _Sanitizer()


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
    if source.count("<") - source.count("</") <= _MAX_DEPTH:  # nothing nests deeper than it opens
        return False
    depth = 0
    for closing, name in _OPENING.findall(source):
        if name.lower() not in _NOT_NESTING:
            depth = max(0, depth - 1) if closing else depth + 1
            if depth > _MAX_DEPTH:
                return True
    return False


def _images_checked(cleaned: str, origin: str) -> tuple[str, tuple[str, ...], int | None]:
    """Without pictures that have no address, count readers, or would make a browser ask a private network.

    And the addresses of the others, each once, and the width of the first.
    """
    if "<img" not in cleaned:
        return cleaned, (), None
    found: list[str] = []
    widths: list[str] = []

    def keep(image: re.Match[str]) -> str:
        attributes = dict(_ATTRIBUTE.findall(image[1]))
        address = html.unescape(attributes.get("src", ""))
        pixel = attributes.get("width") in _PIXELS or attributes.get("height") in _PIXELS
        if not address or pixel or _TRACKERS.match(address) or is_decoration(address):
            return ""
        if is_private_host(address) and not is_private_host(origin):
            return ""
        found.append(address)
        widths.append(attributes.get("width", ""))
        return image.group()

    cleaned = _IMAGE.sub(keep, cleaned)
    return cleaned, tuple(dict.fromkeys(found))[:_MAX_LINKS], pixels(widths[0]) if widths else None


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
    """Blank lines are shown where nothing else parts paragraphs: plain text with a few links or words in bold."""
    if "\n" not in cleaned or not _BLANK_LINE.search(cleaned):
        return cleaned
    if not _INLINE.issuperset(name.removeprefix("/") for name in _TAG.findall(cleaned)):
        return cleaned
    return _BLANK_LINES.sub("<br>", _BLANK_LINE.sub("<br><br>", cleaned))


def _cut(cleaned: str, base: str) -> str:
    """The first 256 KB, with every element closed."""
    head = cleaned[: MAX_HTML_CHARS - 8 * 1024]
    # never inside an element
    opening = head.rfind("<")
    if opening > head.rfind(">"):
        head = head[:opening]
    return _sanitizer.clean(head, base)[:MAX_HTML_CHARS]


def _words(cleaned: str) -> str:
    """The text of HTML: elements that break a line part words, the others do not."""
    pieces = _TAG.split(cleaned)
    pieces[1::2] = [_LEFT.get(name, "") for name in pieces[1::2]]
    return " ".join(printable(html.unescape("".join(pieces))).split())


def _links(cleaned: str) -> tuple[str, ...]:
    found = _LINK.findall(cleaned) if "<a " in cleaned else ()
    return tuple(dict.fromkeys(map(html.unescape, found)))[:_MAX_LINKS]
