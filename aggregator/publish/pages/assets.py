"""Static files of the pages: stylesheets, whose names change with their content, icons, manifest, robots.txt."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from aggregator.publish.pages.wording import Wording
from aggregator.publish.site import Site

__all__ = ["THEMES", "Asset", "Assets"]

_CSS: Final = "text/css; charset=utf-8"
_ROBOTS = "User-agent: *\nDisallow: {base}/go/\nDisallow: {base}/r/\nDisallow: {base}/search\nDisallow: {base}/theme\n"
#: by name, what ``/theme.css`` says: the system's choice needs nothing said
THEMES: Final[Mapping[str, bytes]] = MappingProxyType(
    {
        "system": b"",
        "light": b":root{color-scheme:light}",
        "dark": b":root{color-scheme:dark}",
    }
)
#: what may stand between the symbols of a stylesheet and says nothing; strings hold none of it
_COMMENTS = re.compile(r"/\*.*?\*/", re.DOTALL)
_BLANKS = re.compile(r"\s*([{};,>])\s*|(:) +|\s+")
#: the two colours of the browser's own frame, as the stylesheet's paper
_PAPER: Final = "#fcfaf6"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One static file, ready to be served."""

    #: from the root of the site: ``/static/style-1a2b3c4d.css``
    path: str
    content_type: str
    body: bytes
    #: its name holds a hash of its content: it may be cached for ever
    immutable: bool = False


class Assets(Mapping[str, Asset]):
    """All static files of a site, by their path."""

    #: the paths of the stylesheet of all pages, and of what is only used by those that are not lists of titles
    style: str
    pages_style: str
    #: those of the operator's own stylesheet and of the script; "" where there is none
    custom_style: str
    script: str

    def __init__(self, site: Site, words: Wording) -> None:
        style = _hashed("style", "css", _CSS, minified(_text("style.css")))
        pages = _hashed("pages", "css", _CSS, minified(_text("pages.css")))
        found = [style, pages, *_icons(), *_for_site(site, words)]
        self.style, self.pages_style, self.custom_style, self.script = style.path, pages.path, "", ""
        if site.stylesheet:
            found.append(_hashed("custom", "css", _CSS, site.stylesheet))
            self.custom_style = found[-1].path
        if site.script:
            found.append(_hashed("keys", "js", "text/javascript; charset=utf-8", _text("keys.js")))
            self.script = found[-1].path
        self._assets = {asset.path: asset for asset in found}

    def __getitem__(self, path: str) -> Asset:
        return self._assets[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._assets)

    def __len__(self) -> int:
        return len(self._assets)


def minified(style: str) -> str:
    """A stylesheet without comments and needless blanks: it is a tenth of what a first visit loads."""
    return _BLANKS.sub(lambda match: match[1] or match[2] or " ", _COMMENTS.sub("", style)).strip().replace(";}", "}")


def _text(name: str) -> str:
    return files("aggregator.publish").joinpath("static", name).read_text("utf-8")


def _hashed(name: str, suffix: str, content_type: str, text: str) -> Asset:
    body = text.encode("utf-8", "replace")
    digest = hashlib.sha256(body).hexdigest()[:8]
    return Asset(path=f"/static/{name}-{digest}.{suffix}", content_type=content_type, body=body, immutable=True)


def _icons() -> Iterator[Asset]:
    static = files("aggregator.publish").joinpath("static")
    for name, content_type in (
        ("favicon.svg", "image/svg+xml"),
        ("favicon.ico", "image/vnd.microsoft.icon"),
        ("apple-touch-icon.png", "image/png"),
        ("icon-512.png", "image/png"),
    ):
        yield Asset(path=f"/{name}", content_type=content_type, body=static.joinpath(name).read_bytes())


def _for_site(site: Site, words: Wording) -> Iterator[Asset]:
    base = urlsplit(site.url).path.rstrip("/")
    yield Asset(
        path="/robots.txt", content_type="text/plain; charset=utf-8", body=_ROBOTS.format(base=base).encode("utf-8")
    )
    manifest = {
        "name": site.title,
        "short_name": site.title[:30],
        "lang": site.language,
        "start_url": f"{base}/",
        "scope": f"{base}/",
        "display": "minimal-ui",
        "background_color": _PAPER,
        "theme_color": _PAPER,
        "icons": [
            {"src": f"{base}/favicon.svg", "sizes": "any", "type": "image/svg+xml"},
            {"src": f"{base}/icon-512.png", "sizes": "512x512", "type": "image/png"},
        ],
    }
    body = json.dumps(manifest, ensure_ascii=False, indent=1).encode("utf-8", "replace")
    yield Asset(path="/manifest.webmanifest", content_type="application/manifest+json", body=body)
    search = _OPENSEARCH.format(
        short=escape(site.title[:16]),
        long=escape(site.title[:48]),
        about=escape(words.gettext("Search %(site)s") % {"site": site.title}),
        url=escape(site.url, {'"': "&quot;"}),
    )
    yield Asset(
        path="/opensearch.xml",
        content_type="application/opensearchdescription+xml",
        body=search.encode("utf-8", "replace"),
    )


#: OpenSearch 1.1: ShortName has at most 16 characters, LongName 48
_OPENSEARCH: Final = """\
<?xml version="1.0" encoding="utf-8"?>
<OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/">
<ShortName>{short}</ShortName>
<LongName>{long}</LongName>
<Description>{about}</Description>
<InputEncoding>UTF-8</InputEncoding>
<Image width="32" height="32" type="image/vnd.microsoft.icon">{url}/favicon.ico</Image>
<Url type="text/html" template="{url}/search?q={{searchTerms}}"/>
<Url type="application/atom+xml" template="{url}/search.atom?q={{searchTerms}}"/>
</OpenSearchDescription>
"""
