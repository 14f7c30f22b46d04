"""Did somebody read something? A pure decision about the facts of one request, and what crawlers call themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Opened:
    """One request for an item, as the server saw it."""

    method: str
    #: who connected: the peer's address; behind a proxy that is the proxy
    peer: str
    #: by lower-case name
    headers: Mapping[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str:
        """A header's value in lower case, stripped; "" if absent."""
        return self.headers.get(name, "").strip().lower()

    @property
    def user_agent(self) -> str:
        """What the client calls itself, as it says it; "" if it says nothing."""
        return self.headers.get("user-agent", "").strip()

    @cached_property
    def refused(self) -> str | None:
        """What `refusal` says of it: a browser sends the same headers with every item that is opened in it."""
        return _refusal(self)


#: words in a User-Agent that no browser of a person has; our own list, by what they do
BOTS = re.compile(
    r"""
      (?<!cu)bot\b | bot[/_;-] | robot | crawl | spider | slurp | scrap(?:er|y) | archiver | mediapartners | indexer
    | facebookexternalhit | facebookcatalog | whatsapp/ | skypeuripreview | embedly | iframely | unfurl | preview
    | snippet | pinterest/ | flipboardproxy | vkshare | quora\slink | outbrain | google-read-aloud
    | monitor | uptime | pingdom | statuscake | site24x7 | check_http | nagios | zabbix | blackbox | health-?check
    | lighthouse | pagespeed | gtmetrix | validator | linkcheck | dead-?link
    | headless | phantomjs | puppeteer | playwright | selenium
    | \bcurl | \bwget | httpie | python | aiohttp | httpx | urllib | go-http-client | java/ | okhttp | http_?client
    | libwww(?!-fm) | \blwp | mechanize | node-fetch | undici | axios | \bgot\b | superagent | guzzle | \bphp\b | ruby
    | faraday | \bperl | winhttp | powershell | insomnia | postman | \bdart: | reqwest | hyper/ | libcurl | cfnetwork
    | feed(?:ly|bin|burner|fetcher|parser|validator|demon|reader|er\b|wrangler|ity) | \brss | newsblur | inoreader
    | miniflux | newsboat | liferea | akregator | theoldreader | netnewswire | reeder | sfeed | aggregator | magpie
    | simplepie | superfeedr | gptbot | claude | anthropic | perplexity | bytespider | diffbot | semrush | ahrefs
    | petal | yandex(?:images|metrika|direct|media|favicons) | fetcher | prefetch | proxy | nmap | nikto | nuclei
    | masscan | scanner | censys
    """,
    re.VERBOSE | re.IGNORECASE,
)

#: request headers that say "nobody is looking yet"
PURPOSES = frozenset({"purpose", "sec-purpose", "x-purpose", "x-moz"})
AHEAD = re.compile("prefetch|prerender|preview|instant")


def refusal(opened: Opened) -> str | None:
    """Why this request is not a view, as a stable word; None: somebody opened the item.

    method       not a GET: HEAD asks about the page, POST does something else
    bot          the client says it is a program, or does not say what it is
    prefetch     fetched ahead, perhaps never looked at (Purpose, Sec-Purpose, X-Purpose, X-Moz)
    sub-resource asked for by another page as a picture, frame, style or script (Fetch Metadata, else Accept)
    """
    return opened.refused


def _refusal(opened: Opened) -> str | None:
    if opened.method != "GET":
        return "method"
    if is_bot(opened.user_agent):
        return "bot"
    if not PURPOSES.isdisjoint(opened.headers) and any(AHEAD.search(opened.header(name)) for name in PURPOSES):
        return "prefetch"
    return None if _is_navigation(opened) else "sub-resource"


def is_bot(user_agent: str) -> bool:
    """Whether a User-Agent is a program's rather than a person's browser. An empty one is a program's."""
    return not user_agent or _names_a_program(user_agent[:512])


@lru_cache(maxsize=4096)
def _names_a_program(user_agent: str) -> bool:
    # Cached because the search tries every word at every character: 150 µs, and the same few agents come all day.
    return BOTS.search(user_agent) is not None


def _is_navigation(opened: Opened) -> bool:
    """A person's browser shows the answer as a page of its own.

    Fetch Metadata says so where it is sent (https and localhost only); elsewhere Accept tells pictures and styles
    apart.
    """
    destination, mode = opened.header("sec-fetch-dest"), opened.header("sec-fetch-mode")
    if destination or mode:
        return destination in {"", "document"} and mode in {"", "navigate"}
    accept = opened.header("accept")
    return accept in {"", "*/*"} or "text/html" in accept or "application/xhtml+xml" in accept


def same_origin(opened: Opened, site_url: str) -> bool:
    """Whether a POST was sent by a page of this site: Sec-Fetch-Site, else Origin, else Referer must say so.

    A request that carries none of them is refused. The site may be reached under more names than the configured one, so
    the Host that the browser itself names counts as ours.
    """
    fetch_site = opened.header("sec-fetch-site")
    if fetch_site:
        return fetch_site == "same-origin"
    claimed = opened.header("origin") or opened.header("referer")
    if not claimed.startswith(("http://", "https://")):
        return False
    return _netloc(claimed) in {_netloc(site_url.lower()), opened.header("host")} - {""}


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""
