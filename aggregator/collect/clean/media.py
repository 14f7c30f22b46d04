"""Pictures and players in HTML from strangers, written so that a page without scripts can show them.

A picture that a script would load later gets its address (data-src, srcset, picture, noscript); emoji that are
pictures become their text; an iframe, a video or a sound becomes a link to what it plays. Placeholders and pictures
of one pixel go. What comes out is as unsafe as what went in: `html` sanitises it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from aggregator.collect.clean.urls import safe_url

__all__ = ["Player", "expand_media", "is_avatar", "is_decoration", "media_type_of"]


class Player(NamedTuple):
    """Something that was embedded: where it plays, and what it is."""

    url: str
    #: text/html for a page that plays it
    type: str


Attributes = Mapping[str, str]

#: players, and what holds pictures
_HINT = re.compile(r"<(?:img|amp-|iframe|embed|object|audio|video|noscript|picture|lite-)", re.IGNORECASE)
#: one of these stands in the tag of a picture, in lower case, wherever it is not shown as its src says
_SIGNS = ("data-", "srcset", "emoji", "smil", ":1px", ": 1px", ":0px", ": 0px", "display:", "visibility:")
#: an attribute that holds a "<" may be a placeholder in SVG; no long one is looked at
_TAG = re.compile(
    r"<(img|amp-img|source|iframe|amp-iframe|embed|object|audio|amp-audio|video|amp-video|amp-youtube|lite-youtube|lite-vimeo"
    r"|noscript)(?=[\s/>])((?:[^<>\"']++|\"(?:[^\"<]*+|[^\"]{0,400}+)\"|'(?:[^'<]*+|[^']{0,400}+)')*+)>",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"([^\s=\"'<>/]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?")
#: where scripts keep the address of a picture they load later, most telling first
_LAZY = (
    "data-src", "data-lazy-src", "data-original", "data-lazy", "data-original-src", "data-actualsrc", "data-url",
    "data-image", "data-img-src", "data-hi-res-src", "data-full-src", "data-large-src",
)  # fmt: skip
_LAZY_SETS = ("data-srcset", "data-lazy-srcset", "srcset")
#: a srcset's larger pictures are for screens that nobody reads feeds on
_MAX_WIDTH = 2048
_CANDIDATE = re.compile(r"\s*([^\s,]\S*[^\s,])(?:\s+([\d.]+)([wx]))?\s*(?:,|$)")
#: the name of a file that scripts replace
_PLACEHOLDER = re.compile(
    r"(?:.{0,40}[_.-])?(?:blank|spacer|pixel|placeholder|transparent|loading|loader|lazy(?:load)?|clear|empty|gr[ae]y|1x1|trans"
    r"|dot)(?:[_-]?(?:pixel|image|img|\d+x\d+|\d+))?\.(?:gif|png|svg)",
    re.IGNORECASE,
)
_NO_PICTURE = ("data:", "about:", "javascript:", "blob:")
_EMOJI_CLASSES = frozenset(
    {"emoji", "wp-smiley", "emojione", "twemoji", "custom-emoji", "joypixels", "emoticon", "smiley"}
)
_EMOJI_ADDRESS = re.compile(r"/(?:\w+[_-])?emojis?(?:[_-]?\w+)?[/.]|/twemoji|/smil(?:ie|ey)s/|//emoji\.", re.IGNORECASE)
_AVATAR = re.compile(
    r"https?://(?:(?:[\w-]+\.)?gravatar\.com/avatar|avatars\d?\.githubusercontent\.com)/", re.IGNORECASE
)
#: the file of an emoji is named after its code points: 1f468-200d-1f4bb.svg
_CODE_POINTS = re.compile(
    r"/(?:u|emoji_u)?([0-9a-f]{4,5}(?:[-_][0-9a-f]{2,5}){0,9})(?:@\dx)?\.(?:png|svg|gif|webp)", re.IGNORECASE
)
#: sides that nobody sees
_UNSEEN = re.compile(
    r"[\"';\s](?:width|height)\s*[=:]\s*[\"']?\s*[012](?:px)?\s*[\"';\s/>]|display\s*:\s*none|visibility\s*:\s*hidden"
)
#: frames that count readers or show advertisements
_NO_PLAYER = re.compile(
    r"//(?:[^/]*\.)?(?:googletagmanager\.com|doubleclick\.net|googlesyndication\.com|amazon-adsystem\.com|adnxs\.com"
    r"|google-analytics\.com|facebook\.com/(?:plugins/like|widgets/like|tr)|feedburner\.com|scorecardresearch\.com)",
    re.IGNORECASE,
)
_TYPES = {
    "mp3": "audio/mpeg", "m4a": "audio/mp4", "m4b": "audio/mp4", "aac": "audio/aac", "ogg": "audio/ogg",
    "oga": "audio/ogg", "opus": "audio/ogg", "wav": "audio/wav", "flac": "audio/flac", "weba": "audio/webm",
    "mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "ogv": "video/ogg", "mov": "video/quicktime",
    "mkv": "video/x-matroska", "mpg": "video/mpeg", "mpeg": "video/mpeg", "avi": "video/x-msvideo",
    "m3u8": "application/vnd.apple.mpegurl", "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png",
    "gif": "image/gif", "webp": "image/webp", "avif": "image/avif", "svg": "image/svg+xml", "pdf": "application/pdf",
    "epub": "application/epub+zip", "zip": "application/zip", "torrent": "application/x-bittorrent",
}  # fmt: skip
_YOUTUBE = re.compile(
    r"//(?:www\.|m\.)?(?:youtube(?:-nocookie)?\.com/(?:embed|v|shorts|live)/|youtu\.be/)([\w-]{3,20})"
)
#: elements that name a video of one site by its number
_VIDEO_PAGES = {
    "amp-youtube": "https://www.youtube.com/embed/",
    "lite-youtube": "https://www.youtube.com/embed/",
    "lite-vimeo": "https://vimeo.com/",
}
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^https?://player\.vimeo\.com/video/(\d+).*"), r"https://vimeo.com/\1"),
    (
        re.compile(r"^https?://(?:www\.|geo\.)?dailymotion\.com/embed/video/(\w+).*"),
        r"https://www.dailymotion.com/video/\1",
    ),
    (re.compile(r"^https?://open\.spotify\.com/embed/(.+)"), r"https://open.spotify.com/\1"),
    (re.compile(r"^https?://embed\.podcasts\.apple\.com/(.+)"), r"https://podcasts.apple.com/\1"),
    (re.compile(r"^https?://(?:www\.)?ted\.com/embed|^https?://embed\.ted\.com"), r"https://www.ted.com"),
)


def expand_media(
    source: str, base: str, names: AbstractSet[str], *, players: bool = True
) -> tuple[str, tuple[Player, ...]]:
    """`source` with its pictures and players replaced, and the players; addresses are relative to `base`.

    `names`: those of all tags in `source`, in lower case.
    """
    if names.isdisjoint(_HANDLERS):
        return source, ()
    is_simple = names.isdisjoint(("noscript", "picture", "source"))
    return _Expansion(source, base, links_players=players, is_simple=is_simple).run()


def media_type_of(url: str) -> str:
    """The media type that the ending of an address tells; "" where it does not."""
    return _TYPES.get(urlsplit(url).path.rpartition(".")[2].lower(), "")


def is_decoration(url: str) -> bool:
    """Whether the picture at an address is a placeholder or an emoji: never what an entry is about."""
    return _is_placeholder(url) or _is_emoji_address(url)


def is_avatar(url: str) -> bool:
    """Whether the picture at an address is a person's, as WordPress and GitHub list it: of who wrote the entry."""
    return "avatar" in url and bool(_AVATAR.match(url))


def _is_placeholder(address: str) -> bool:
    path = address.partition("?")[0].partition("#")[0]
    return bool(_PLACEHOLDER.fullmatch(path, path.rfind("/") + 1)) or address[:12].lower().startswith(_NO_PICTURE)


def _is_emoji_address(address: str) -> bool:
    return ("emoji" in address or "smil" in address) and bool(_EMOJI_ADDRESS.search(address))


class _Expansion:
    """One pass over one piece of HTML."""

    def __init__(self, source: str, base: str, *, links_players: bool, is_simple: bool) -> None:
        lower = source.lower()
        # a letter that is two in lower case would move what is behind it
        self._source, self._lower, self._base = source, lower if len(lower) == len(source) else source, base
        self._links_players = links_players
        #: no other element has a part in what a picture shows
        self._is_simple = is_simple
        self._players: dict[str, Player] = {}
        #: pictures so far; a noscript repeats what a script would have loaded
        self._seen: set[str] = set()
        #: those of them that stood in a noscript
        self._stand_ins: set[str] = set()
        self._noscript_end = 0
        #: the address that a picture element offers its img
        self._offered = ""
        self._unclosed: set[str] = set()

    def run(self) -> tuple[str, tuple[Player, ...]]:
        pieces: list[str] = []
        at = 0
        while found := _TAG.search(self._source, at):
            pieces.append(self._source[at : found.start()])
            name = found[1].lower()
            replacement, at = _HANDLERS[name](self, name, found)
            pieces.append(replacement)
        pieces.append(self._source[at:])
        return "".join(pieces), tuple(self._players.values())

    # --- pictures --------------------------------------------------------------------------
    def image(self, name: str, tag: re.Match[str]) -> tuple[str, int]:
        """An img with the address that it would have once its scripts had run; nothing where it shows nothing."""
        if self._is_simple and name == "img" and _is_shown_as_written(tag[2]):
            return tag[0], tag.end()
        attributes = _attributes(tag[2])
        if emoji := _emoji(attributes):
            return html.escape(emoji), tag.end()
        address = _address(attributes) or self._offered
        self._offered = ""
        is_stand_in = tag.start() < self._noscript_end
        if not address or _UNSEEN.search(tag[2]) or address in (self._seen if is_stand_in else self._stand_ins):
            return "", tag.end()
        self._seen.add(address)
        if is_stand_in:
            self._stand_ins.add(address)
        if address == attributes.get("src") and name == "img":
            return tag[0], tag.end()
        kept = {"src": address} | {
            name: attributes[name] for name in ("alt", "title", "width", "height") if name in attributes
        }
        written = "".join(f' {name}="{html.escape(value)}"' for name, value in kept.items())
        return f"<img{written}>", tag.end()

    def source(self, _name: str, tag: re.Match[str]) -> tuple[str, int]:
        """A source of a picture element: for an img that has no address of its own."""
        attributes = _attributes(tag[2])
        self._offered = self._offered or _from_set(attributes)
        return "", tag.end()

    def noscript(self, _name: str, tag: re.Match[str]) -> tuple[str, int]:
        """What stands in for a script: its pictures and players are shown, its words ("enable JavaScript") are not."""
        end = self._end_of("noscript", tag.end())
        if _HINT.search(self._source, tag.end(), end):
            self._noscript_end = end
            return "", tag.end()
        return "", self._behind("noscript", end)

    # --- players ---------------------------------------------------------------------------
    def frame(self, name: str, tag: re.Match[str]) -> tuple[str, int]:
        """An iframe, embed or object: a link to what plays in it."""
        end = tag.end() if name == "embed" or tag[2].endswith("/") else self._end_of(name, tag.end())
        attributes = _attributes(tag[2])
        inside = self._source[tag.end() : end]
        address = next(
            (
                attributes[key]
                for key in ("data-src", "data-lazy-src", "src", "data")
                if _is_address(attributes.get(key))
            ),
            "",
        )
        if name == "object" and (movie := _movie(inside)):
            address = movie
        if _UNSEEN.search(f" {tag[2]} "):
            address = ""
        return self._link(address, attributes.get("title", "")), self._behind(name, end)

    def video_by_id(self, name: str, tag: re.Match[str]) -> tuple[str, int]:
        """<lite-youtube videoid>, <lite-vimeo videoid> and <amp-youtube data-videoid>."""
        attributes = _attributes(tag[2])
        number = attributes.get("videoid") or attributes.get("data-videoid") or ""
        end = self._end_of(name, tag.end())
        return self._link(_VIDEO_PAGES[name] + number if number else "", ""), self._behind(name, end)

    def media(self, name: str, tag: re.Match[str]) -> tuple[str, int]:
        """A video or audio: a link to its file."""
        end = tag.end() if tag[2].endswith("/") else self._end_of(name, tag.end())
        attributes = _attributes(tag[2])
        offers = [attributes, *[_attributes(each[2]) for each in _TAG.finditer(self._source, tag.end(), end)]]
        files = [(offer.get("src") or offer.get("data-src") or "", offer.get("type", "")) for offer in offers]
        kind = name.removeprefix("amp-")
        # several are the same in several formats
        links = (
            self._link(address, attributes.get("title", ""), file_type or media_type_of(address) or f"{kind}/*")
            for address, file_type in files[:8]
        )
        return next(filter(None, links), ""), self._behind(name, end)

    def _link(self, address: str, title: str, kind: str = "") -> str:
        url = safe_url(html.unescape(address), self._base) if self._links_players and _is_address(address) else None
        if url is None or _NO_PLAYER.search(url):
            return ""
        url = _watch_page(url)
        kind = kind.partition(";")[0].strip() or media_type_of(url) or "text/html"
        if kind == "application/x-shockwave-flash":
            return ""
        self._players.setdefault(url, Player(url, kind))
        label = title.strip() or url.partition("://")[2]
        return f'<div><a href="{html.escape(url)}">{html.escape(html.unescape(label))}</a></div>'

    # --- where elements end ----------------------------------------------------------------
    def _end_of(self, name: str, start: int) -> int:
        """Where the end tag of an element begins; `start` where there is none: only its tag is what nobody can show."""
        if name in self._unclosed:
            return start
        end = self._lower.find(f"</{name}", start)
        if end < 0:
            self._unclosed.add(name)
            return start
        return end

    def _behind(self, name: str, end: int) -> int:
        if not self._lower.startswith(f"</{name}", end):
            return end
        close = self._source.find(">", end)
        return close + 1 if close >= 0 else len(self._source)


_HANDLERS: Mapping[str, Callable[[_Expansion, str, re.Match[str]], tuple[str, int]]] = {
    "img": _Expansion.image,
    "amp-img": _Expansion.image,
    "source": _Expansion.source,
    "noscript": _Expansion.noscript,
    **dict.fromkeys(("iframe", "amp-iframe", "embed", "object"), _Expansion.frame),
    **dict.fromkeys(_VIDEO_PAGES, _Expansion.video_by_id),
    **dict.fromkeys(("audio", "video", "amp-audio", "amp-video"), _Expansion.media),
}


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        found.setdefault(name.lower(), html.unescape(double or single or bare))
    return found


def _is_shown_as_written(attributes: str) -> bool:
    attributes = attributes.lower()
    return " src=" in attributes and not any(sign in attributes for sign in _SIGNS)


def _is_address(value: str | None) -> bool:
    return bool(value and not _is_placeholder(value.strip()))


def _address(attributes: Attributes) -> str:
    """The picture's own address; what a script would put in its place goes first."""
    for name in _LAZY:
        if (value := attributes.get(name, "").strip()) and _is_address(value) and ("/" in value or "." in value):
            return value
    written = attributes.get("src", "")
    return written if _is_address(written) else _from_set(attributes) or _from_any(attributes)


def _from_set(attributes: Attributes) -> str:
    """The largest picture of a srcset that is not too large."""
    for name in _LAZY_SETS:
        candidates = [
            (float(size or 1) * (1 if unit == "w" else 1000), address)
            for address, size, unit in _CANDIDATE.findall(attributes.get(name, "")[:8000])
            if _is_address(address)
        ]
        fitting = [each for each in candidates if each[0] <= _MAX_WIDTH] or candidates[:1]
        if fitting:
            return str(max(fitting)[1])
    return ""


def _from_any(attributes: Attributes) -> str:
    """What any other attribute of a script's holds that is plainly the address of a picture."""
    values = (value.strip() for name, value in attributes.items() if name.startswith("data-"))
    return next((each for each in values if media_type_of(each).startswith("image/") and _is_address(each)), "")


def _emoji(attributes: Attributes) -> str:
    """The text of a picture that is an emoji; "" for one that is none."""
    classes = attributes.get("class", "").lower().split()
    address = attributes.get("src", "") or attributes.get("data-src", "")
    if _EMOJI_CLASSES.isdisjoint(classes) and not _is_emoji_address(address):
        return ""
    alternative = (attributes.get("alt") or attributes.get("title") or "").strip()
    if (not alternative or alternative.isascii()) and (found := _CODE_POINTS.search(address)):
        return "".join(chr(int(point, 16)) for point in re.split("[-_]", found[1]) if int(point, 16) < 0x110000)
    return alternative or " "


def _movie(inside: str) -> str:
    """What an object plays, by its param or by the embed within."""
    found = re.search(
        r"<param\b[^<>]*name=[\"']?(?:movie|src|url)\b[^<>]*value=[\"']?([^\"'\s<>]+)|<embed\b[^<>]*\ssrc=[\"']?([^\"'\s<>]+)",
        inside[:4000],
        re.IGNORECASE,
    )
    return html.unescape(found[1] or found[2]) if found else ""


def _watch_page(url: str) -> str:
    """The page that people would open, of the address that a player loads."""
    if video := _YOUTUBE.search(url):
        if video[1] == "videoseries" and (playlist := parse_qs(urlsplit(url).query).get("list")):
            return f"https://www.youtube.com/playlist?list={playlist[0]}"
        return f"https://www.youtube.com/watch?v={video[1]}"
    if "//w.soundcloud.com/player" in url and (track := parse_qs(urlsplit(url).query).get("url")):
        return safe_url(unquote(track[0])) or url
    for pattern, replacement in _REWRITES:
        if pattern.match(url):
            return pattern.sub(replacement, url)
    return url
