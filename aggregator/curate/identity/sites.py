"""Large sites that give one page several addresses: what each of those becomes. Pure."""

from __future__ import annotations

import re

__all__ = ["at_known_site"]

_VIDEO = re.compile(r"/(?:shorts|embed|live|v)/([\w-]{6,})$")
_VIDEO_PARAMETER = re.compile(r"(?:^|&)v=([\w-]+)")
_PAPER = re.compile(r"/(?:abs|pdf|html|format)/((?:[a-z.-]+/)?\d[\d.]*\d)(?:v\d+)?(?:\.pdf)?$", re.IGNORECASE)
_POST = re.compile(r"/\w+/status(?:es)?/\d+$")
_SAME_HOST = {
    "youtu.be": "youtube.com",
    "youtube-nocookie.com": "youtube.com",
    "music.youtube.com": "youtube.com",
    "export.arxiv.org": "arxiv.org",
    "old.reddit.com": "reddit.com",
    "new.reddit.com": "reddit.com",
    "np.reddit.com": "reddit.com",
    "twitter.com": "x.com",
    "dx.doi.org": "doi.org",
}


def at_known_site(host: str, path: str, query: str) -> tuple[str, str, str]:
    """(host, path, query) of an address, as the site's own canonical link has them; unchanged at any other site."""
    site = _SAME_HOST.get(host, host)
    if site == "youtube.com":
        return (site, *_video(host, path, query))
    if site == "arxiv.org" and (paper := _PAPER.match(path)):
        return site, f"/abs/{paper[1]}", ""
    if site == "x.com" and _POST.match(path):
        return site, path, ""
    return site, path.lower() if site == "doi.org" else path, query


def _video(host: str, path: str, query: str) -> tuple[str, str]:
    """A video by its id, wherever that stands; its list and the time to start at go."""
    if host == "youtu.be" and path.count("/") == 1 and len(path) > 1:
        return "/watch", f"v={path[1:]}"
    if found := _VIDEO.match(path):
        return "/watch", f"v={found[1]}"
    if path == "/watch" and (found := _VIDEO_PARAMETER.search(query)):
        return path, f"v={found[1]}"
    return path, query
