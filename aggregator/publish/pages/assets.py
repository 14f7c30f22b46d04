"""What the pages refer to: the stylesheet under a name that changes with its content, the icon, robots.txt."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

ROBOTS = b"User-agent: *\nDisallow: /go/\nDisallow: /r/\nDisallow: /search\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One static file, ready to be served."""

    #: from the root of the site: ``/static/style-1a2b3c4d.css``
    path: str
    content_type: str
    body: bytes
    #: its name holds a hash of its content: it may be cached for ever
    immutable: bool = False


@cache
def load_assets() -> Mapping[str, Asset]:
    """All static files by their path."""
    static = files("aggregator.publish").joinpath("static")
    style = static.joinpath("style.css").read_bytes()
    assets = (
        Asset(path=style_path(), content_type="text/css; charset=utf-8", body=style, immutable=True),
        Asset(path="/favicon.svg", content_type="image/svg+xml", body=static.joinpath("favicon.svg").read_bytes()),
        Asset(path="/robots.txt", content_type="text/plain; charset=utf-8", body=ROBOTS),
    )
    return MappingProxyType({asset.path: asset for asset in assets})


@cache
def style_path() -> str:
    """The stylesheet's path; another content has another path."""
    body = files("aggregator.publish").joinpath("static", "style.css").read_bytes()
    return f"/static/style-{hashlib.sha256(body).hexdigest()[:8]}.css"
