"""Which requests are views, from the facts of one request. Pure.

A list of what programs call themselves is never complete. So a live request must have what the browsers of people all
send and hardly a program does: an Accept that names HTML, an Accept-Language that names a language, and a User-Agent of
a browser's form, with its engine and without the address of its maker. What programs with a browser's headers call
themselves is looked up in a kept list (crawler-user-agents) and in one of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from urllib.parse import urlsplit

from crawleruseragents import is_crawler


@dataclass(frozen=True, kw_only=True)
class ItemRequest:
    """One request for an item, as the server saw it."""

    method: str
    #: who connected: the peer's address, or ``unix``; behind a proxy that is the proxy
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


#: browsers of people that do not call themselves Mozilla; the text browsers accept anything
_TEXT_BROWSER = re.compile(
    r"(?:(?:emacs-)?w3m|lynx|links|elinks|edbrowse|retawq|netrik|felinks|chawan)[/ (]|chawan$", re.IGNORECASE
)
#: the others name the engine that shows the page, or one that it is like
_BROWSER = re.compile(
    r"Opera/\d|Dillo/\d|NetSurf/\d|IBrowse/\d|iCab/\d|URL/Emacs\s|"
    r"Mozilla/\d.*(?:Gecko/\d|AppleWebKit/|Safari/|Chrome/|Firefox/|Trident/|MSIE\s\d|KHTML/|Servo/|Ladybird/|NetSurf/)",
    re.IGNORECASE,
)
#: what crawlers say where a browser names its platform, and where somebody can complain of them
_MADE_BY = re.compile(r"\bcompatible;(?!\s*(?:MSIE|Konqueror))|https?:/|\bwww\.|mailto:|\w@[\w-]+\.", re.IGNORECASE)

#: words in a User-Agent that no browser of a person has; our own list, by what they do, beside the kept one
_PROGRAMS = re.compile(
    r"""
      (?<!cu)bot\b | bot[/_;-] | robot | crawl | spider | slurp | scrap(?:er|y) | archiver | mediapartners | indexer
    | facebookexternalhit | facebookcatalog | whatsapp/ | skypeuripreview | embedly | iframely | unfurl | preview
    | snippet | flipboardproxy | vkshare | quora\slink | outbrain | google-read-aloud
    | monitor | uptime | pingdom | statuscake | site24x7 | check_http | nagios | zabbix | blackbox | health-?check
    | lighthouse | page\s?speed | webpagetest | gtmetrix | validator | linkcheck | dead-?link
    | headless | phantomjs | puppeteer | playwright | selenium | cypress | jsdom | htmlunit | splash | webdriver
    | \bcurl | \bwget | httpie | python | aiohttp | httpx | urllib | go-http-client | java/ | okhttp | http_?client
    | libwww(?!-fm) | \blwp | mechanize | node-fetch | undici | axios | \bgot\b | superagent | guzzle | \bphp\b | ruby
    | faraday | \bperl | winhttp | powershell | insomnia | postman | \bdart: | reqwest | hyper/ | libcurl | cfnetwork
    | feed(?:ly|bin|burner|fetcher|parser|validator|demon|reader|er\b|wrangler|ity) | \brss | newsblur | inoreader
    | miniflux | newsboat | liferea | akregator | theoldreader | netnewswire | reeder | sfeed | aggregator | magpie
    | simplepie | superfeedr | gptbot | claude | anthropic | perplexity | bytespider | diffbot | semrush | ahrefs
    | petal | yandex(?:images|metrika|direct|media|favicons) | fetcher | prefetch | proxy | nmap | nikto | nuclei
    | masscan | scanner | censys | ms-?office | microsoft\s(?:office|outlook) | browser-?use
    """,
    re.VERBOSE | re.IGNORECASE,
)

#: request headers that say "nobody is looking yet"
_PURPOSES = frozenset({"purpose", "sec-purpose", "x-purpose", "x-moz"})
_AHEAD = re.compile("prefetch|prerender|preview|instant")
#: of a language (RFC 5646, 2.1), as browsers write it; "*" is what libraries send, "null" what scripts do
_LANGUAGE = re.compile("(?:[a-z]{2,3}|[ix])(?:[-_][a-z0-9]{1,8})*")
#: "not acceptable" (RFC 9110, 12.4.2)
_REFUSED = re.compile(r"q\s*=\s*0(?:\.0*)?")
_ANY_TEXT = frozenset({"text/html", "text/*", "*/*"})


def refusal(request: ItemRequest) -> str | None:
    """Why this request is not a view, as a stable word; None: somebody opened the item.

    method       not a GET: HEAD asks about the page, POST does something else
    program      the client says that it is a program, or does not send what browsers of people send
    prefetch     fetched ahead, perhaps never looked at (Purpose, Sec-Purpose, X-Purpose, X-Moz)
    sub-resource asked for by another page as a picture, frame, style or script (Fetch Metadata, Accept)
    """
    return request.refused


def refusal_in_log(method: str, user_agent: str) -> str | None:
    """As `refusal`, from what an access log tells."""
    if method != "GET":
        return "method"
    return None if is_browser(user_agent) else "program"


def is_browser(user_agent: str) -> bool:
    """Whether a User-Agent is that of a browser of people."""
    return _is_browser(user_agent[:512])


@lru_cache(maxsize=4096)
def _is_browser(user_agent: str) -> bool:
    # cached because both lists try every word at every character: the same few agents come all day
    if not (_BROWSER.match(user_agent) or _TEXT_BROWSER.match(user_agent)):
        return False
    if _MADE_BY.search(user_agent) or _PROGRAMS.search(user_agent):
        return False
    return not is_crawler(user_agent)


def _refusal(request: ItemRequest) -> str | None:
    if request.method != "GET":
        return "method"
    if not is_browser(request.user_agent) or not any(map(_LANGUAGE.fullmatch, _wanted(request, "accept-language"))):
        return "program"
    if _is_signed(request):
        return "program"
    if not _PURPOSES.isdisjoint(request.headers) and any(_AHEAD.search(request.header(name)) for name in _PURPOSES):
        return "prefetch"
    if not _is_navigation(request):
        return "sub-resource"
    pages = _ANY_TEXT if _TEXT_BROWSER.match(request.user_agent) else {"text/html"}
    return "sub-resource" if pages.isdisjoint(_wanted(request, "accept")) else None


def _wanted(request: ItemRequest, name: str) -> Iterator[str]:
    """What is acceptable of a header that lists preferences (RFC 9110, 12.5), without its weights."""
    for listed in request.header(name).split(","):
        value, *parameters = (part.strip() for part in listed.split(";"))
        if not any(map(_REFUSED.fullmatch, parameters)):
            yield value


def _is_signed(request: ItemRequest) -> bool:
    """Whether it has what only programs say: who runs them (RFC 9110, 10.1.2; HTTP Message Signatures), or a range."""
    if "web-bot-auth" in request.header("signature-input"):
        return True
    return any(map(request.header, ("from", "signature-agent", "range")))


def _is_navigation(request: ItemRequest) -> bool:
    """Whether the browser shows the answer as a page of its own, as far as Fetch Metadata tells (https only)."""
    asked_by = request.header("x-requested-with")
    if asked_by and "." not in asked_by:  # a script; views within programs of phones name their package
        return False
    return request.header("sec-fetch-dest") in {"", "document"} and request.header("sec-fetch-mode") in {"", "navigate"}


def same_origin(request: ItemRequest, site_url: str) -> bool:
    """Whether a POST was sent by a page of this site: what it says of its origin is the scheme and host of `site_url`.

    Origin decides, else Referer; Sec-Fetch-Site, where it is sent, must agree. The Host that the request names is not
    asked: a foreign name may have been made to resolve to this server.
    """
    if request.header("sec-fetch-site") not in {"", "same-origin"}:
        return False
    claimed = request.header("origin") or request.header("referer")
    return _origin(claimed) is not None and _origin(claimed) == _origin(site_url.lower())


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port (RFC 6454, 4); None for what has none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if port and parts.hostname else None
