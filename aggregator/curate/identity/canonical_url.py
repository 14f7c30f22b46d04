"""The one form of an address under which two links to the same article are equal. Knows yarl, and nothing else does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import unquote

from yarl import URL

__all__ = ["MAX_URL_CHARS", "canonical_url"]

_PREFIXES = (
    "utm_", "at_", "ns_", "pk_", "mtm_", "matomo_", "piwik_", "hsa_", "hsctatracking", "__hs", "_hs", "ga_", "oly_",
    "wt.", "wt_", "fb_action_", "fb_comment_", "mc_", "ml_subscriber", "vero_", "cm_mmc", "guce_", "soc_", "__cft__",
    "__tn__", "sc_", "ss_campaign_", "int_", "itm_", "stm_", "sfmc_", "dm_i", "trk_", "wprov", "nb_", "xtor", "xtref",
    "xts", "amp_",
)  # fmt: skip
_NAMES = frozenset({
    "fbclid", "gclid", "gclsrc", "dclid", "msclkid", "yclid", "twclid", "ttclid", "wbraid", "gbraid", "srsltid",
    "li_fat_id", "epik", "igshid", "igsh", "igsid", "_ga", "_gl", "_openstat", "_branch_match_id", "mkt_tok",
    "wickedid", "spm", "scm", "ito", "icid", "iid", "ocid", "ncid", "cmp", "cmpid", "s_cid", "s_kwcid", "ef_id",
    "efid", "s_campaign", "sr_share", "trk", "trkcampaign", "trackingid", "guccounter", "tsrc", "rssid", "rpc",
    "taid", "__source", "__twitter_impression", "ftag", "linkcode", "ex_cid", "emc", "smid", "smtyp",
    "campaign_id", "instance_id", "segment_id", "regi_id", "rb_clickid", "mbid", "intcid", "intcmp", "sthash",
    "yptr", "srnd", "sref", "leadsource", "traffic_source", "reflink", "fb_source", "fb_ref", "ss_source",
    "feedtype", "feedname", "virtualbrandchannel", "dlbk", "echobox", "et_cid", "et_rid", "elqtrackid",
    "elqtrack", "assetid", "phpsessid", "jsessionid", "ftcamp", "ftcampaign", "ftrss", "amp", "outputtype",
    "output_type", "usqp", "_r", "guid_src", "zanpid", "awc", "feature", "irclickid", "rdid", "sharetype", "share_id",
    "xing_share", "isamp", "_amp", "amp-content", "maca", "tpcc", "vgo_ee", "cx_testid", "hss_channel", "_ptid",
    "wpisrc",
})  # fmt: skip
#: names that mean something on some sites, and tracking where the value says so
_AMBIGUOUS = frozenset({
    "ref", "src", "source", "from", "via", "feed", "rss", "partner", "mod", "cid", "medium", "campaign",
    "output", "utm", "rel", "s", "referrer", "referer", "ref_src", "share",
})  # fmt: skip
#: names by which sites choose the form of a page, of which AMP is one
_FORMS = frozenset({"mode", "view", "type", "layout", "platform", "format", "output", "tpl", "m"})
_TELLING = re.compile(
    r"rss|feed|atom(?![a-z])|twitter|facebook|newsletter|e?mail(?![a-z])|social|share|homepage|hpp(?![a-z])|twsrc"
    r"|(?:tw|fb)(?![a-z])|ifttt|dlvr|hootsuite|googlenews|flipboard|linkedin|reddit|hackernews"
)


def is_tracking(name: str, value: str) -> bool:
    """Whether a query parameter only tells where the reader came from."""
    name = name.casefold()
    if name in _NAMES or name.startswith(_PREFIXES):
        return True
    value = value.casefold()
    if name in _FORMS and value == "amp":
        return True
    if name not in _AMBIGUOUS:
        return False
    return (value in {"1", "yes", "true"} and name in {"rss", "feed"}) or _TELLING.match(value) is not None


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


#: longer addresses are nobody's article (HOSTILE U5)
MAX_URL_CHARS = 2048

#: a host's first label when it only says for which device the page is
_DEVICE_LABELS = frozenset({"www", "www2", "www3", "m", "mobile", "amp", "touch", "wap", "mob"})
_INDEX_PAGE = re.compile(r"/(?:index|default)\.(?:html?|php\d?|aspx?|jsp|shtml|cgi)$", re.IGNORECASE)
_AMP_TAIL = re.compile(
    r"(?:(?<=[^/])/amp(?:\.html?)?|(?<=-[0-9a-f]{12})-amp|\.amp(?=(?:\.html?)?$)(?:\.html?)?)$", re.IGNORECASE
)
_AMP_HEAD = re.compile(r"^/amp(?=/.)", re.IGNORECASE)
#: what none of these three can do without
_TRIMMABLE = re.compile(r"amp|index|default", re.IGNORECASE)
_SESSION = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/?#]*", re.IGNORECASE)
_SLASHES = re.compile(r"/{2,}")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
#: a name as DNS knows it (underscores do occur)
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_ENTITY_REST = re.compile(r"^(?:amp;)+")
#: (host or its end, name of the query parameter that holds the address it leads to)
_REDIRECTORS = {
    "google.com": ("url", "q"),
    "news.google.com": ("url",),
    "l.facebook.com": ("u",),
    "lm.facebook.com": ("u",),
    "t.umblr.com": ("z",),
    "out.reddit.com": ("url",),
    "youtube.com": ("q",),
    "redirect.viglink.com": ("u",),
    "bing.com": ("url", "u"),
    "rss.feedsportal.com": ("u",),
    "feedproxy.google.com": ("url",),
    "vk.com": ("to",),
    "steamcommunity.com": ("url",),
    "getpocket.com": ("url",),
    "go.skimresources.com": ("url",),
}
_REDIRECT_PATHS = ("/url", "/l.php", "/redirect", "/news/url", "/linkfilter", "/away.php", "/news/apiclick.aspx", "/")
#: addresses that carry another one in their path
_WRAPPERS = (
    re.compile(r"^https?://(?:www\.)?(?:google|bing)\.[a-z.]+/amp/(s/)?(?!https?:)(?P<bare>[^/]+\.[^/]+/.*)$"),
    re.compile(r"^https?://[^/]+\.cdn\.ampproject\.org/[a-z]/(s/)?(?P<bare>[^/]+\.[^/]+/.*)$"),
    re.compile(r"^https?://go\.theregister\.com/(?:feed|i)/(?P<bare>[^/]+\.[^/]+/.*)$"),
    re.compile(r"^https?://[^/]*\brd\.yahoo\.com/.*?\*(?P<whole>https?(?::|%3a)//.*)$", re.IGNORECASE),
)


#: addresses that a parser has nothing to do with: most of them. Escapes of what is not ASCII stay as they are
_PLAIN = re.compile(
    r"https?://([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})"
    r"((?:/(?!\.)[A-Za-z0-9._~()@,-]*(?:%[89A-F][0-9A-F][A-Za-z0-9._~()@,-]*)*)*)"
    r"(?:\?([A-Za-z0-9=&._~-]+))?(?:#[A-Za-z0-9=&._~/?:-]*)?"
)
#: hosts of `_WRAPPERS`
_WRAPPING = re.compile(r"(?:^|\.)(?:google|bing|theregister|yahoo|ampproject)\.")


@lru_cache(maxsize=2048)  # the links of a document are asked for more than once while it is identified
def canonical_url(url: str) -> str | None:
    """The comparable form of a web address; None where it is none (other schemes, no host, over 2 KB, unreadable).

    Tracking parameters, fragments, ``www.``, hosts and paths made for phones and AMP, default ports, index pages,
    credentials and session ids go; http and https are one; parameters are in order; redirectors that carry the
    article's address are unwrapped. The result is a key to compare, not an address to fetch: idempotent, and equal
    for addresses that lead to the same article on any site that is not out to be different.
    """
    return _of_plain(url) or _of_any(url.strip())


def _of_plain(url: str) -> str | None:
    """The form of an address without anything to take apart: a name, a path, a query and a mark. None: another."""
    plain = _PLAIN.fullmatch(url)
    if plain is None or len(url) > MAX_URL_CHARS:
        return None
    named, path, query = plain.groups()
    host = _plain_host(named)
    if host is None:
        return None
    host, path, query = at_known_site(host, _path(path or "/"), _query(query) if query else "")
    return f"https://{host}{path}?{query}" if query else f"https://{host}{path}"


@lru_cache(maxsize=1024)  # the same few, entry after entry
def _plain_host(raw: str) -> str | None:
    """The host as `_host` has it; None where it is none, or its addresses carry others."""
    host = _host(raw)
    return None if host is None or host in _REDIRECTORS or _WRAPPING.search(host) else host


def _of_any(url: str) -> str | None:
    parsed = _parse(url)
    while parsed is not None and (target := _unwrapped(parsed)):
        parsed = _parse(target)
    if parsed is None or not (host := _host(parsed.raw_host or "")):
        return None
    host, path, query = at_known_site(host, _path(parsed.raw_path), _query(parsed.raw_query_string))
    port = "" if parsed.explicit_port in {None, 80, 443} else f":{parsed.explicit_port}"
    bang = f"#{parsed.raw_fragment}" if parsed.raw_fragment.startswith("!") else ""
    return f"https://{host}{port}{path}{query and '?' + query}{bang}"


def _parse(url: str) -> URL | None:
    if len(url) > MAX_URL_CHARS or _UNSAFE.search(url):
        return None
    try:
        parsed = URL(url)
        # a host that IDNA refuses, a port out of range: found out when asked for
        usable = parsed.scheme in {"http", "https"} and bool(parsed.raw_host) and parsed.explicit_port != 0
    except (ValueError, TypeError, IndexError):  # the last of brackets before an @ with nothing behind it
        return None
    return parsed if usable else None


def _unwrapped(url: URL) -> str | None:
    """The address inside a redirector's address; shorter than it, so unwrapping ends."""
    text = str(url)
    for wrapper in _WRAPPERS:
        if found := wrapper.match(text):
            groups = found.groupdict()
            return unquote(groups["whole"]) if groups.get("whole") else f"http://{groups['bare']}"
    names = _REDIRECTORS.get(_host(url.raw_host or "") or "")
    if not names or url.path not in _REDIRECT_PATHS:
        return None
    targets = (url.query.get(name, "") for name in names)
    return next((target for target in targets if target.startswith(("http://", "https://"))), None)


def _host(raw: str) -> str | None:
    """The host without its trailing dot and without labels that name a device; an address in brackets as it is."""
    host = raw.lower().rstrip(".")
    if _is_address(host):
        return f"[{host}]" if ":" in host else host
    if not _NAME.fullmatch(host):
        return None
    labels = host.split(".")
    while len(labels) > 2:
        if labels[0] in _DEVICE_LABELS:
            del labels[0]
        elif len(labels) > 3 and labels[1] == "m":  # en.m.wikipedia.org
            del labels[1]
        else:
            break
    return ".".join(labels)


def _is_address(host: str) -> bool:
    if ":" not in host and not host[-1:].isdigit():  # no name ends in a digit's label; asking costs most of all here
        return False
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _path(raw: str) -> str:
    """The path without session ids, AMP marks, index page and trailing slash; "/" if nothing is left."""
    path = _SESSION.sub("", raw) if ";" in raw else raw
    path = _SLASHES.sub("/", path) if "//" in path else path
    shorter = _trimmed(path)
    while shorter != path:
        path, shorter = shorter, _trimmed(shorter)
    return path or "/"


def _trimmed(path: str) -> str:
    path = path.rstrip("/")
    if not _TRIMMABLE.search(path):
        return path
    path = _AMP_HEAD.sub("", path)
    path = _INDEX_PAGE.sub("", path)
    return _AMP_TAIL.sub("", path)


def _query(raw: str) -> str:
    """What is left of the query without tracking, in order, each pair once."""
    return "&".join(sorted(set(_telling_pairs(raw))))


def _telling_pairs(raw: str) -> Iterator[str]:
    for pair in raw.split("&"):
        name, _, value = _ENTITY_REST.sub("", pair).partition("=")
        if name and not is_tracking(name, value):
            yield f"{name}={value}" if value else name
